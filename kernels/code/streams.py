"""Kernels of streams: samples in, frames as they complete, samples out ``n_fft - 1`` late.

Frame k covers samples ``[(k + 1) hop - n_fft, (k + 1) hop)``. Two memories slide along the signal: HISTORY
holds each channel's last samples, SUMS each stem's and channel's unfinished ones; both are moved to their
front when they are full, which is as often as it is cheap.
"""

from __future__ import annotations

from typing import Any

from .job import (
    BINS,
    CALLEE,
    CALLEE_STATE,
    CHANNELS,
    DONE,
    FIELDS,
    HISTORY,
    HISTORY_FROM,
    HISTORY_SIZE,
    HOP,
    LENGTH,
    LOOKAHEAD,
    MASKS,
    PENDING,
    SPARE,
    SPECTRA,
    STEMS,
    SUMS,
    SUMS_FROM,
    SUMS_SIZE,
    TAKEN,
    WORK,
)
from .memory import call_mask, i64, inline
from .steps import add, apart, forward, mask, sort, work_size
from .sums import copy, zero

__all__ = [
    "ahead",
    "analyse",
    "back",
    "emit",
    "finish",
    "give",
    "keep",
    "make_room",
    "node",
    "process",
    "synthesise",
    "transform",
]


@inline
def make_room(address: Any, n: Any) -> None:
    """Move the memories to their fronts if ``n`` more samples do not fit."""
    job = i64(address, FIELDS)
    taken, length, done = job[TAKEN], job[LENGTH], job[DONE] * job[HOP]
    size = job[HISTORY_SIZE]
    if taken + n - job[HISTORY_FROM] > size:
        begin = taken - length
        for c in range(job[CHANNELS]):
            row = job[HISTORY] + 4 * size * c
            copy(row + 4 * (begin - job[HISTORY_FROM]), row, length)
        job[HISTORY_FROM] = begin
    size = job[SUMS_SIZE]
    if taken + n - job[SUMS_FROM] > size:
        ahead = job[LOOKAHEAD] * job[HOP]
        begin = taken - length + 1 - ahead
        held = max(0, done - ahead - begin)
        for r in range(job[STEMS] * job[CHANNELS]):
            row = job[SUMS] + 4 * size * r
            copy(row + 4 * (begin - job[SUMS_FROM]), row, held)
            zero(row + 4 * held, size - held)
        job[SUMS_FROM] = begin


@inline
def keep(address: Any, channel: Any, x: Any, n: Any) -> None:
    """Remember ``n`` samples of a channel, for which `make_room` has made room."""
    job = i64(address, FIELDS)
    at = channel * job[HISTORY_SIZE] + job[TAKEN] - job[HISTORY_FROM]
    copy(x, job[HISTORY] + 4 * at, n)


@inline
def ahead(address: Any, k: Any, c: Any, n: Any, work: Any) -> None:
    """Transform frame k of the channels c and, if n is 2, c + 1."""
    job = i64(address, FIELDS)
    size, start = job[HISTORY_SIZE], (k + 1) * job[HOP] - job[LENGTH] - job[HISTORY_FROM]
    left = job[HISTORY] + 4 * (size * c + start)
    forward(address, n, left, left + 4 * size * (n - 1), work, work, work)


@inline
def back(address: Any, k: Any, row: Any, n: Any, work: Any) -> None:
    """Add frame k to the sums of one or two channels of a stem, the first of which is ``row``."""
    job = i64(address, FIELDS)
    size, start = job[SUMS_SIZE], (k + 1) * job[HOP] - job[LENGTH] - job[SUMS_FROM]
    left = job[SUMS] + 4 * (size * row + start)
    add(address, n, work, left, left + 4 * size * (n - 1), work, work)


@inline
def give(address: Any, row: Any, out: Any, n: Any, end: Any) -> None:
    """Write the ``n`` samples that leave while samples up to ``end`` come in."""
    job = i64(address, FIELDS)
    late = job[LENGTH] - 1 + job[LOOKAHEAD] * job[HOP]
    at = row * job[SUMS_SIZE] + end - n - late - job[SUMS_FROM]
    copy(job[SUMS] + 4 * at, out, n)


@inline
def transform(address: Any, n: Any, out: Any, out_channel: Any, out_frame: Any) -> Any:
    """Write the spectra of the frames that ``n`` samples complete which were just kept; how many."""
    job = i64(address, FIELDS)
    channels, size = job[CHANNELS], work_size(address)
    pairs = (channels + 1) // 2
    job[TAKEN] += n
    first, late, room = job[DONE], job[LOOKAHEAD], pairs * size
    # The frames that are still to be finished lie before the new ones.
    copy(job[WORK] + job[PENDING] * room, job[WORK], late * (room >> 2))
    job[DONE] = job[TAKEN] // job[HOP]
    job[PENDING] = job[DONE] - first
    for k in range(job[PENDING]):
        for c in range(0, channels, 2):
            m, work = min(2, channels - c), job[WORK] + (late + k) * room + c // 2 * size
            ahead(address, first + k, c, m, work)
            place = out + k * out_frame + c * out_channel
            sort(address, m, work, place, place + (m - 1) * out_channel)
    return job[PENDING]


def analyse(address: Any, x: Any, stride: Any, n: Any, out: Any, out_channel: Any, out_frame: Any) -> Any:
    """Take ``n`` samples a channel; write the spectra of the frames they complete; how many."""
    make_room(address, n)
    for c in range(i64(address, FIELDS)[CHANNELS]):
        keep(address, c, x + c * stride, n)
    return transform(address, n, out, out_channel, out_frame)


@inline
def finish(address: Any, stem: Any, masks: Any, mask_channel: Any, mask_frame: Any) -> Any:
    """Mask as many frames as the last `analyse` gave, LOOKAHEAD before them, and add them to a stem."""
    job = i64(address, FIELDS)
    channels, size = job[CHANNELS], work_size(address)
    pairs, first = (channels + 1) // 2, job[DONE] - job[PENDING] - job[LOOKAHEAD]
    for k in range(max(0, -first), job[PENDING]):
        for c in range(0, channels, 2):
            m, work = min(2, channels - c), job[WORK] + (k * pairs + c // 2) * size
            left = masks + k * mask_frame + c * mask_channel
            mask(address, m, work, job[SPARE], left, left + (m - 1) * mask_channel)
            back(address, first + k, stem * channels + c, m, job[SPARE])
    return 0


def synthesise(address: Any, stem: Any, masks: Any, mask_channel: Any, mask_frame: Any) -> Any:
    """Mask the last frames and add them to a stem; see `finish`."""
    return finish(address, stem, masks, mask_channel, mask_frame)


def emit(address: Any, stem: Any, out: Any, stride: Any, n: Any) -> Any:
    """Write the ``n`` samples of a stem that leave with the ``n`` last taken."""
    job = i64(address, FIELDS)
    for c in range(job[CHANNELS]):
        give(address, stem * job[CHANNELS] + c, out + c * stride, n, job[TAKEN])
    return 0


@inline
def _frame(address: Any, k: Any) -> Any:
    """Transform frame k, finish the frame LOOKAHEAD before, all channels; what the function returned."""
    job = i64(address, FIELDS)
    channels, bins, size, code = job[CHANNELS], job[BINS], work_size(address), 0
    old, room = k - job[LOOKAHEAD], (channels + 1) // 2 * size
    for c in range(0, channels, 2):
        work = job[WORK] + k % (job[LOOKAHEAD] + 1) * room + c // 2 * size
        ahead(address, k, c, min(2, channels - c), work)
        if job[CALLEE] != 0:
            apart(address, min(2, channels - c), c, work)
    if job[CALLEE] != 0:
        code = call_mask(job[CALLEE], job[CALLEE_STATE], job[SPECTRA], job[MASKS], k)
    for row in range(job[STEMS] * channels if old >= 0 else 0):
        c = row % channels
        if c % 2 == 0:
            m, masks = min(2, channels - c), job[MASKS] + 4 * row * bins
            work = job[WORK] + old % (job[LOOKAHEAD] + 1) * room + c // 2 * size
            mask(address, m, work, job[SPARE], masks, masks + 4 * (m - 1) * bins)
            back(address, old, row, m, job[SPARE])
    return code


@inline
def _advance(address: Any, m: Any) -> Any:
    """Count ``m`` more samples, and run the frame that they complete; what the caller's function returned."""
    job = i64(address, FIELDS)
    job[TAKEN] += m
    if job[TAKEN] % job[HOP] != 0:
        return 0
    job[DONE] += 1
    return _frame(address, job[DONE] - 1)


def node(address: Any, ins: Any, outs: Any, n: Any) -> Any:
    """A compiled node: channels in, ``stems * channels`` out; returns what the caller's function does."""
    job = i64(address, FIELDS)
    channels, rows, at = job[CHANNELS], job[STEMS] * job[CHANNELS], 0
    sources, sinks = i64(ins, channels), i64(outs, rows)
    while at < n:
        m = min(n - at, job[HOP] - job[TAKEN] % job[HOP])
        make_room(address, m)
        for c in range(channels):
            keep(address, c, sources[c] + 4 * at, m)
        code = _advance(address, m)
        if code != 0:
            return code
        for row in range(rows):
            give(address, row, sinks[row] + 4 * at, m, job[TAKEN])
        at += m
    return 0


def process(address: Any, x: Any, x_stride: Any, out: Any, out_stride: Any, n: Any) -> Any:
    """The same over arrays, with strides between channels and between output rows."""
    job, at = i64(address, FIELDS), 0
    while at < n:
        m = min(n - at, job[HOP] - job[TAKEN] % job[HOP])
        make_room(address, m)
        for c in range(job[CHANNELS]):
            keep(address, c, x + x_stride * c + 4 * at, m)
        code = _advance(address, m)
        if code != 0:
            return code
        for row in range(job[STEMS] * job[CHANNELS]):
            give(address, row, out + out_stride * row + 4 * at, m, job[TAKEN])
        at += m
    return 0
