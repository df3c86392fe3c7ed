"""The steps of a frame, called by address with what a job says."""

from __future__ import annotations

from typing import Any

from .job import (
    ANALYSIS,
    ANALYSIS_ALONE,
    APPLY,
    BINS,
    CHANNELS,
    FIELDS,
    FORWARD,
    GAP,
    INVERSE,
    LENGTH,
    PACK,
    PLACES,
    SPECTRA,
    SPREAD,
    SYNTHESIS,
    TWIDDLES,
    UNPACK,
)
from .memory import call_step, i64, inline

__all__ = ["add", "apart", "forward", "mask", "pack", "sort", "work_size"]


@inline
def work_size(address: Any) -> Any:
    """Bytes of the spectrum of one or two channels in permuted order."""
    return 8 * (i64(address, FIELDS)[LENGTH] + GAP)


@inline
def _imaginary(address: Any, work: Any) -> Any:
    return work + 4 * (i64(address, FIELDS)[LENGTH] + GAP)


@inline
def forward(address: Any, n: Any, left: Any, right: Any, work: Any, coming: Any, beside: Any) -> None:
    """Transform a frame of ``n`` (1 or 2) channels; the bytes at the last two addresses are wanted next."""
    job = i64(address, FIELDS)
    window = job[ANALYSIS] if n == 2 else job[ANALYSIS_ALONE]
    imaginary = _imaginary(address, work)
    call_step(job[FORWARD + n - 1], left, right, window, work, imaginary, job[TWIDDLES], coming, beside)


@inline
def mask(address: Any, n: Any, work: Any, target: Any, left: Any, right: Any) -> None:
    """Multiply the spectra in ``work`` by masks, into ``target``."""
    job = i64(address, FIELDS)
    im, im_out = _imaginary(address, work), _imaginary(address, target)
    call_step(job[APPLY + n - 1], work, im, target, im_out, left, right, job[PLACES], 0)


@inline
def sort(address: Any, n: Any, work: Any, left: Any, right: Any) -> None:
    """Write the spectra in ``work`` as complex64 in natural order."""
    job = i64(address, FIELDS)
    call_step(job[UNPACK + n - 1], work, _imaginary(address, work), left, right, job[PLACES], 0, 0, 0)


@inline
def apart(address: Any, n: Any, c: Any, work: Any) -> None:
    """Write the spectra of channels c and, if n is 2, c + 1 into SPECTRA, float32 ``[2, channels, bins]``."""
    job = i64(address, FIELDS)
    row, im = 4 * job[BINS], _imaginary(address, work)
    real = job[SPECTRA] + c * row
    imaginary = real + job[CHANNELS] * row
    side = (n - 1) * row
    call_step(job[SPREAD + n - 1], work, im, real, imaginary, real + side, imaginary + side, job[PLACES], 0)


@inline
def pack(address: Any, n: Any, left: Any, right: Any, work: Any) -> None:
    """Take complex64 spectra in natural order into ``work``."""
    job = i64(address, FIELDS)
    call_step(job[PACK + n - 1], left, right, work, _imaginary(address, work), job[PLACES], 0, 0, 0)


@inline
def add(address: Any, n: Any, work: Any, left: Any, right: Any, coming: Any, beside: Any) -> None:
    """Transform back, window and add to the samples at ``left`` and ``right``; uses ``work`` up."""
    job = i64(address, FIELDS)
    im, table, window = _imaginary(address, work), job[TWIDDLES], job[SYNTHESIS]
    call_step(job[INVERSE + n - 1], work, im, table, window, left, right, coming, beside)
