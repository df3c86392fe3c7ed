"""Runs kernels that overlap-add: cuts the output into stretches and gives each thread room to work in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .code import job as at
from .code.job import GAP
from .machine import Kernel, address_of, aligned
from .pairs import run_pairs
from .threads import thread_count

if TYPE_CHECKING:
    import numpy.typing as npt

    from .framing import Frames
    from .plan import Plan

__all__ = ["overlap_add", "overlap_add_in_order", "padded"]

_overlap_add = Kernel("signals.overlap_add", 1)
_LEAST = 16  # frame lengths that are worth a thread


def overlap_add(
    plan: Plan,
    job: npt.NDArray[np.int64],
    frames: Frames,
    window: npt.NDArray[np.float64],
    dual: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Fill ``out [stems, channels, samples]``, a pair of channels at a time.

    Args:
        plan: tables of the frame length.
        job: what the kernel reads, for channel 0; strides lead to the others.
        frames: the frames of the signal.
        window: analysis window, ``[n_fft]``.
        dual: synthesis window, ``[n_fft]``.
        out: where to write.
    """
    stems, channels, samples = out.shape
    zones = frames.correction(window, dual)
    kept = _point_at_output(job, frames, dual, out)
    work = 2 * padded(plan.n_fft + GAP)
    sums = 4 * padded(plan.n_fft) * stems * min(2, channels)
    run_pairs(
        _overlap_add,
        job,
        channels=channels,
        extent=samples,
        cuts=_cuts(samples, plan.n_fft),
        rooms={at.WORK: work, at.SPARE: work, at.SUMS: sums},
    )
    del kept
    for zone, factors in zones:
        out[..., zone] *= factors


def overlap_add_in_order(
    plan: Plan,
    job: npt.NDArray[np.int64],
    frames: Frames,
    window: npt.NDArray[np.float64],
    dual: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> int:
    """Do the same with all channels at once, every frame once and in order, as a function with memory needs.

    Returns:
        0, or the frame's number times 2^32 plus what the caller's function returned.
    """
    stems, channels, samples = out.shape
    zones = frames.correction(window, dual)
    kept = _point_at_output(job, frames, dual, out)
    size = 8 * (plan.n_fft + GAP)
    work = aligned((2 + channels // 2) * size, np.uint8)
    spectra, masks = aligned((2, channels, plan.bins)), aligned((stems, channels, plan.bins))
    masks[:] = 1
    sums = aligned((stems, channels, 4 * plan.n_fft))
    job[at.CHANNELS], job[at.FIRST], job[at.LAST] = channels, 0, samples
    job[at.SPARE], job[at.WORK], job[at.SUMS] = address_of(work), address_of(work) + size, address_of(sums)
    job[at.SPECTRA], job[at.MASKS] = address_of(spectra), address_of(masks)
    failed = _overlap_add(address_of(job))
    del kept
    if failed:  # what was never written may hold anything
        return failed
    for zone, factors in zones:
        out[..., zone] *= factors
    return 0


def _point_at_output(
    job: npt.NDArray[np.int64], frames: Frames, dual: npt.NDArray[np.float64], out: npt.NDArray[np.float32]
) -> list[Any]:
    """Enter frames, synthesis window and output into a job; return what must stay alive."""
    scaled = aligned(frames.n_fft)
    scaled[:] = dual / frames.n_fft
    job[at.HOP], job[at.FRAMES], job[at.START] = frames.hop, frames.count, frames.start
    job[at.SYNTHESIS], job[at.STEMS] = address_of(scaled), len(out)
    job[at.OUT], job[at.OUT_STEM], job[at.OUT_CHANNEL] = address_of(out), out.strides[0], out.strides[1]
    return [scaled]


def _cuts(samples: int, n_fft: int) -> int:
    threads = thread_count()
    return 1 if threads == 1 else max(1, min(4 * threads, samples // (_LEAST * n_fft)))


def padded(floats: int) -> int:
    """Return so many floats rounded up to whole cache lines.

    Example:
        >>> padded(1), padded(32)
        (16, 32)
    """
    return -(-floats // 16) * 16
