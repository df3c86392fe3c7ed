"""What kernels are told: the structure ``Job`` of `job.cuh`, and the tables of a window."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np

from ..windows import dual_window
from .codelets import twiddle_exponents

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..framing import Frames
    from .geometry import Geometry

__all__ = ["Job", "job_for", "table_places", "tables_of"]

_ADDRESSES = ("x", "spectra", "masks", "out", "transformed", "window", "dual", "weight", "twiddles")
_STEPS = ("mask_stem", "out_stem")
_NUMBERS = ("samples", "frames", "start", "mirrored", "channels", "stems", "stretches", "pairs")


class Job(ctypes.Structure):
    """Addresses, distances and sizes, as `job.cuh` has them."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in _ADDRESSES),
        *((name, ctypes.c_int64) for name in _STEPS),
        *((name, ctypes.c_int32) for name in _NUMBERS),
    )


def tables_of(geometry: Geometry, window: npt.NDArray[np.float64], *, dual: bool) -> npt.NDArray[np.float32]:
    """Return what a geometry's kernels look up, in one array.

    Twiddles, by stage, forwards and backwards; then half the window, and with ``dual`` its dual over
    ``n_fft`` and the product of both.

    Raises:
        KernelError: with ``dual``, if window and hop cannot reconstruct.
    """
    twiddles = []
    for radix, count, circle in [*geometry.forward_tables, *geometry.inverse_tables]:
        at = np.arange(count) / circle
        for exponent in twiddle_exponents(radix):
            turns = exponent.real * at + exponent.imag
            twiddles.append(np.exp(-2j * np.pi * turns).astype(np.complex64))
    # Two packed frames come apart as sums, twice too large.
    parts = [np.concatenate(twiddles).view(np.float32), (window / 2).astype(np.float32)]
    if dual:
        synthesis = dual_window(window, geometry.hop)
        parts += [(synthesis / geometry.n_fft).astype(np.float32), (window * synthesis).astype(np.float32)]
    return np.concatenate(parts)


def table_places(geometry: Geometry, address: int) -> dict[str, int]:
    """Return where the parts of `tables_of` are, if it begins at ``address``."""
    tables = [*geometry.forward_tables, *geometry.inverse_tables]
    size = sum(count * len(twiddle_exponents(radix)) for radix, count, _ in tables) * 8
    begin, step = address + size, 4 * geometry.n_fft
    return {"twiddles": address, "window": begin, "dual": begin + step, "weight": begin + 2 * step}


def job_for(frames: Frames, channels: int, tables: dict[str, int]) -> Job:
    """Return a job with frames and tables in it."""
    job = Job(
        samples=frames.samples,
        frames=frames.count,
        start=frames.start,
        mirrored=int(frames.mirrored),
        channels=channels,
        stems=1,
    )
    for name, address in tables.items():
        setattr(job, name, address)
    return job
