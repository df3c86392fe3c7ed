"""What calls of one kind share on a device: compiled kernels, tables in its memory, how work is cut."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..errors import KernelError
from ..framing import frames_of
from ..windows import check_hop, dual_window, window_of
from .compiler import architecture_for, cubin
from .driver import device_of
from .geometry import geometry_of
from .job import Job, job_for, table_places, tables_of
from .source import KERNELS, source_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..framing import Frames
    from ..windows import Window
    from .driver import Function, Kept
    from .geometry import Geometry

__all__ = ["Plan", "checked_frames", "cut", "plan_of", "window_key"]

_COMFORT = 48 << 10  # bytes of sums beside which blocks enough fit on a multiprocessor
_MOST_SAMPLES = 2**31 - 2**16  # positions are 32 bits, and frames reach beyond the ends


@dataclass(frozen=True, eq=False)
class Plan:
    """Kernels and tables of one window at one hop on one device.

    Attributes:
        geometry: of the frames.
        ordinal: the device.
        functions: kernels by name.
        tables: on the device.
    """

    geometry: Geometry
    ordinal: int
    functions: dict[str, Function]
    tables: Kept

    def job(self, frames: Frames, channels: int) -> Job:
        """Return a job for frames, with this plan's tables in it."""
        return Job.from_buffer_copy(_template(self, frames, channels))

    @lru_cache(maxsize=64)  # noqa: B019 - plans are few, and themselves kept
    def most_stems(self, stems: int) -> int:
        """Return how many stems one launch does: all, or as many as shared memory holds well, in equal parts.

        Raises:
            KernelError: it does not hold one.
        """
        room, geometry = device_of(self.ordinal).shared, self.geometry
        least = geometry.shared(0, many=True)
        each = geometry.shared(1, many=True) - least
        if room < least + each:
            raise KernelError(
                f"n_fft {geometry.n_fft} with hop {geometry.hop} needs {least + each} bytes of shared "
                f"memory, but the device gives {room}; use a hop that is a multiple of n_fft / 16"
            )
        parts = -(-stems // min((room - least) // each, max(1, _COMFORT // each)))
        return -(-stems // parts)

    def launch(self, kernel: str, job: Job, pairs: int, stream: int) -> None:
        """Cut the work and put a kernel on a stream.

        Args:
            kernel: its name.
            job: what to do.
            pairs: frame pairs of a channel.
            stream: handle of the stream.
        """
        blocks, shared, job.stretches, job.pairs = _grid(self, kernel, job.channels, pairs, job.stems)
        self.functions[kernel].launch(stream, blocks, self.geometry.threads, shared, job)


@lru_cache(maxsize=256)
def _template(plan: Plan, frames: Frames, channels: int) -> Job:
    return job_for(frames, channels, table_places(plan.geometry, plan.tables.address))


@lru_cache(maxsize=256)
def _grid(plan: Plan, kernel: str, channels: int, pairs: int, stems: int) -> tuple[int, int, int, int]:
    """Return blocks, bytes of shared memory, stretches of a channel and their frame pairs."""
    geometry, device, many = plan.geometry, device_of(plan.ordinal), kernel == "roundtrips"
    # Where frames slide, the sums of one stem stay in registers.
    sums = 0 if kernel == "analysis" or (geometry.slides and not many) else stems
    shared = geometry.shared(sums, many=many)
    resident = max(1, plan.functions[kernel].resident(geometry.threads, shared))
    slots = resident * device.multiprocessors * geometry.groups
    earlier = 0 if kernel == "analysis" else geometry.overlap // 2
    stretches, length = cut(pairs, channels, slots, earlier)
    return -(-stretches * channels // geometry.groups), shared, stretches, length


def cut(pairs: int, channels: int, slots: int, earlier: int) -> tuple[int, int]:
    """Return into how many stretches a channel is cut, and of how many frame pairs.

    The device does ``slots`` stretches at once, each with ``earlier`` pairs more than its own, so few long
    ones repeat little and many short ones fill the device.

    Example:
        >>> cut(2814, 2, 396, 2)
        (188, 15)
    """
    best: tuple[int, int, int] | None = None
    for rounds in range(1, 9):
        stretches = max(1, min(pairs, rounds * slots // channels))
        length = -(-pairs // stretches)
        stretches = -(-pairs // length)
        cost = -(-stretches * channels // slots) * (length + earlier)
        if best is None or cost < best[0]:
            best = cost, stretches, length
    assert best is not None  # noqa: S101 - there is a first round
    return best[1], best[2]


def window_key(window: Window, n_fft: int) -> str | bytes:
    """Return what a window is known by: its name, or its values.

    Raises:
        KernelError: it cannot be a window.
    """
    if not isinstance(window, str) and hasattr(type(window), "__cuda_array_interface__"):
        raise KernelError(
            "window must be a name or a NumPy array; it goes to the device once, and stays there"
        )
    values = window_of(window, n_fft)
    return window if isinstance(window, str) else values.tobytes()


def _values(key: str | bytes, n_fft: int) -> npt.NDArray[np.float64]:
    return window_of(key, n_fft) if isinstance(key, str) else np.frombuffer(key, np.float64)


@lru_cache(maxsize=256)
def checked_frames(
    framing: str, samples: int, n_fft: int, hop: int, key: str | bytes, *, back: bool
) -> Frames:
    """Return the frames of a signal; with ``back`` only if overlap-add restores every sample.

    Raises:
        KernelError: frames cannot be so, or ``back`` and some sample cannot be restored.
    """
    window = _values(key, n_fft)
    frames = frames_of(framing, samples, n_fft, hop, window)
    if samples > _MOST_SAMPLES:
        raise KernelError(f"{samples} samples are more than {_MOST_SAMPLES} at once; hand over parts")
    if back:
        frames.correction(window, dual_window(window, hop))
    return frames


@lru_cache(maxsize=64)
def plan_of(ordinal: int, n_fft: int, hop: int, key: str | bytes, *, back: bool) -> Plan:
    """Return kernels and tables, made once.

    Args:
        ordinal: the device.
        n_fft: samples in a frame.
        hop: samples between frames.
        key: the window, see `window_key`.
        back: whether frames are transformed back.

    Raises:
        KernelError: there are no kernels for the length, or window and hop cannot reconstruct.
        CudaError: the driver or the compiler is missing or refuses.
    """
    geometry = geometry_of(n_fft, check_hop(hop, n_fft))
    tables = tables_of(geometry, _values(key, n_fft), dual=back)
    return Plan(geometry, ordinal, _functions(ordinal, geometry), device_of(ordinal).keep(tables))


@cache
def _functions(ordinal: int, geometry: Geometry) -> dict[str, Function]:
    device = device_of(ordinal)
    code = cubin(source_of(geometry), architecture_for(*device.capability))
    return device.functions(code, KERNELS)
