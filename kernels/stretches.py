"""Runs kernels that overlap-add: cuts the output into stretches and gives each thread room to work in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .code import job as at
from .code.job import GAP
from .machine import Kernel, address_of, aligned
from .threads import run_jobs, thread_count

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .framing import Frames
    from .plan import Plan

__all__ = ["BY_CHANNEL", "overlap_add"]

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
    scaled = aligned(plan.n_fft)
    scaled[:] = dual / plan.n_fft
    job[at.HOP], job[at.FRAMES], job[at.START] = frames.hop, frames.count, frames.start
    job[at.SYNTHESIS], job[at.STEMS] = address_of(scaled), stems
    job[at.OUT], job[at.OUT_STEM], job[at.OUT_CHANNEL] = address_of(out), out.strides[0], out.strides[1]
    cuts = _cuts(samples, plan.n_fft)
    work = [(c, k) for c in range(0, channels, 2) for k in range(cuts)]
    kernel = _overlap_add.function

    def start() -> Any:
        mine = job.copy()
        room = aligned(4 * (plan.n_fft + GAP) + 4 * plan.n_fft * stems * min(2, channels))
        base, size = address_of(room), 8 * (plan.n_fft + GAP)
        mine[at.WORK], mine[at.SPARE], mine[at.SUMS] = base, base + size, base + 2 * size
        address = address_of(mine)

        def run(index: int, _kept: Any = room) -> None:
            channel, cut = work[index]
            mine[at.CHANNELS] = min(2, channels - channel)
            for start, stride in BY_CHANNEL:
                mine[start] = job[start] + channel * job[stride]
            mine[at.FIRST], mine[at.LAST] = samples * cut // cuts, samples * (cut + 1) // cuts
            kernel(address)

        return run

    run_jobs(len(work), start)
    for zone, factors in zones:
        out[..., zone] *= factors


#: Addresses in a job that move with the channel, and the strides they move by.
BY_CHANNEL = (
    (at.IN, at.IN_STRIDE),
    (at.HEAD, at.HEAD_STRIDE),
    (at.TAIL, at.TAIL_STRIDE),
    (at.MASKS, at.MASK_CHANNEL),
    (at.OUT, at.OUT_CHANNEL),
)


def _cuts(samples: int, n_fft: int) -> int:
    threads = thread_count()
    return 1 if threads == 1 else max(1, min(4 * threads, samples // (_LEAST * n_fft)))
