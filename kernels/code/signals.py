"""Kernels over whole signals: a job is a stretch of the output, so jobs can run side by side.

A job computes every frame that touches its stretch, those it shares with its neighbours too, and adds them
in order of time; so each output sample is the same sum whatever the cuts.
"""

from __future__ import annotations

from typing import Any

from .job import (
    BINS,
    CALLEE,
    CALLEE_STATE,
    CHANNELS,
    FIELDS,
    FIRST,
    FRAMES,
    HEAD,
    HEAD_FRAMES,
    HEAD_STRIDE,
    HOP,
    IN,
    IN_FRAME,
    IN_STRIDE,
    LAST,
    LENGTH,
    MASK_CHANNEL,
    MASK_FRAME,
    MASK_STEM,
    MASKS,
    OUT,
    OUT_CHANNEL,
    OUT_FRAME,
    SPARE,
    SPECTRA,
    START,
    STEMS,
    SUMS,
    TAIL,
    TAIL_FROM,
    TAIL_STRIDE,
    WORK,
)
from .memory import call_mask, i64, inline
from .steps import add, apart, forward, mask, pack, sort, work_size
from .sums import BEFORE, BEHIND, INSIDE, SHORT, enter, finish, out_of, where, zero

__all__ = ["analysis", "overlap_add"]


@inline
def _source(address: Any, k: Any, channel: Any) -> Any:
    """Address of the samples of frame k."""
    job = i64(address, FIELDS)
    if k < job[HEAD_FRAMES]:
        return job[HEAD] + channel * job[HEAD_STRIDE] + 4 * k * job[HOP]
    if k >= job[TAIL_FROM]:
        return job[TAIL] + channel * job[TAIL_STRIDE] + 4 * (k - job[TAIL_FROM]) * job[HOP]
    return job[IN] + channel * job[IN_STRIDE] + 4 * (job[START] + k * job[HOP])


def analysis(address: Any) -> Any:
    """Spectra of frames ``[FIRST, LAST)`` of one or two channels, complex64 in natural order."""
    job = i64(address, FIELDS)
    n, work = job[CHANNELS], job[WORK]
    for k in range(job[FIRST], job[LAST]):
        left, right = _source(address, k, 0), _source(address, k, n - 1)
        fresh = 4 * job[LENGTH]
        forward(address, n, left, right, work, left + fresh, right + fresh)
        out = job[OUT] + k * job[OUT_FRAME]
        sort(address, n, work, out, out + (n - 1) * job[OUT_CHANNEL])
    return 0


@inline
def _masked(address: Any, n: Any, k: Any, phase: Any, start: Any) -> None:
    """One or two channels: forward, and for every stem its masks from arrays, and back."""
    job = i64(address, FIELDS)
    work, spare, side = job[WORK], job[SPARE], (n - 1) * job[MASK_CHANNEL]
    masks = job[MASKS] + k * job[MASK_FRAME]
    left, right = _source(address, k, 0), _source(address, k, n - 1)
    forward(address, n, left, right, work, masks, masks + side)
    fresh = 4 * job[LENGTH]
    for stem in range(job[STEMS]):
        coming, beside = masks + job[MASK_STEM], masks + side + job[MASK_STEM]
        if stem == job[STEMS] - 1:  # the last stem may use up the spectrum: less memory to touch
            spare, coming, beside = work, left + fresh, right + fresh
        mask(address, n, work, spare, masks, masks + side)
        row = stem * n
        one, two = where(address, phase, row, start), where(address, phase, row + n - 1, start)
        add(address, n, spare, one, two, coming, beside)
        masks += job[MASK_STEM]


@inline
def _called(address: Any, k: Any, phase: Any, start: Any) -> Any:
    """All channels: forward, the caller's function for their masks, and back; what it returned."""
    job = i64(address, FIELDS)
    channels, stems, bins, size = job[CHANNELS], job[STEMS], job[BINS], work_size(address)
    for c in range(0, channels, 2):
        n, work = min(2, channels - c), job[WORK] + c // 2 * size
        left, right = _source(address, k, c), _source(address, k, c + n - 1)
        fresh = 4 * job[LENGTH]
        forward(address, n, left, right, work, left + fresh, right + fresh)
        apart(address, n, c, work)
    code = call_mask(job[CALLEE], job[CALLEE_STATE], job[SPECTRA], job[MASKS], k)
    for row in range(stems * channels):
        c = row % channels
        if c % 2 == 0:
            n, work = min(2, channels - c), job[WORK] + c // 2 * size
            spare = work if row >= (stems - 1) * channels else job[SPARE]  # the last stem uses it up
            masks = job[MASKS] + 4 * row * bins
            mask(address, n, work, spare, masks, masks + 4 * (n - 1) * bins)
            one, two = where(address, phase, row, start), where(address, phase, row + n - 1, start)
            add(address, n, spare, one, two, spare, spare)
    return code


@inline
def _taken_in(address: Any, n: Any, k: Any, phase: Any, start: Any) -> None:
    """One or two channels: spectra from arrays, and back."""
    job = i64(address, FIELDS)
    left = job[IN] + k * job[IN_FRAME]
    right, work = left + (n - 1) * job[IN_STRIDE], job[WORK]
    pack(address, n, left, right, work)
    one, two = where(address, phase, 0, start), where(address, phase, n - 1, start)
    add(address, n, work, one, two, left + job[IN_FRAME], right + job[IN_FRAME])


@inline
def _frame(address: Any, k: Any, phase: Any, start: Any) -> Any:
    job = i64(address, FIELDS)
    if job[CALLEE] != 0:
        return _called(address, k, phase, start)
    if job[MASKS] != 0:
        _masked(address, job[CHANNELS], k, phase, start)
    else:
        _taken_in(address, job[CHANNELS], k, phase, start)
    return 0


@inline
def _moved_on(address: Any, phase: Any, start: Any, covered: Any) -> Any:
    """Carry sums over as frames begin to lie inside the stretch, or to reach over its end; the new phase."""
    job = i64(address, FIELDS)
    rows = job[STEMS] * job[CHANNELS]
    if phase == BEFORE and start >= job[FIRST]:
        for row in range(rows):
            enter(address, INSIDE, row, covered)
        phase = INSIDE
    if phase == INSIDE and start + job[LENGTH] > job[LAST]:
        for row in range(rows):
            enter(address, BEHIND, row, covered)
        phase = BEHIND
    return phase


def overlap_add(address: Any) -> Any:
    """Samples ``[FIRST, LAST)`` of every stem and channel, added up from all frames that touch them.

    Returns 0, or ``frame << 32 | code`` of the first call of the caller's function that was not 0.
    """
    job = i64(address, FIELDS)
    first, last, hop, begin, length = job[FIRST], job[LAST], job[HOP], job[START], job[LENGTH]
    rows = job[STEMS] * job[CHANNELS]
    zero(job[SUMS], 4 * length * rows)
    phase = SHORT if last - first < 2 * length else BEFORE
    covered = first + length  # in phase INSIDE: up to where the output holds sums
    lowest = max(0, (first - length - begin) // hop + 1)
    for k in range(lowest, min(job[FRAMES], (last - begin + hop - 1) // hop)):
        start = begin + k * hop
        phase = _moved_on(address, phase, start, covered)
        if phase == INSIDE and start + length > covered:
            for row in range(rows):
                zero(out_of(address, row) + 4 * covered, start + length - covered)
            covered = start + length
        code = _frame(address, k, phase, start)
        if code != 0:
            return (k << 32) | (code & 0xFFFFFFFF)
    if phase == BEFORE:
        phase = _moved_on(address, phase, first, covered)
    for row in range(rows):
        finish(address, phase, row, covered)
    return 0
