"""Overlap-add of a stretch of a whole signal: where each frame is added up.

Frames that reach over an end of the stretch are added up in a room of their own, everything else in the
output itself. Each stem and channel has room for ``4 * length`` floats: in a long stretch its first half
covers the signal around FIRST, its second half that around LAST; a stretch shorter than ``2 * length`` is
added up there as a whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .job import CHANNELS, FIELDS, FIRST, LAST, LENGTH, OUT, OUT_CHANNEL, OUT_STEM, SUMS
from .memory import f32, i64, inline

__all__ = ["BEFORE", "BEHIND", "INSIDE", "SHORT", "copy", "enter", "finish", "out_of", "where", "zero"]

#: Which end the frame at hand reaches over; SHORT: the stretch is added up as a whole.
BEFORE, INSIDE, BEHIND, SHORT = 0, 1, 2, 3


@inline
def zero(address: Any, n: Any) -> None:
    """Write ``n`` zeros."""
    values = f32(address, n)
    for i in range(n):
        values[i] = np.float32(0)


@inline
def copy(source: Any, target: Any, n: Any) -> None:
    """Copy ``n`` floats between places that do not overlap, or forwards to an earlier place."""
    x, y = f32(source, n), f32(target, n)
    for i in range(n):
        y[i] = x[i]


@inline
def out_of(address: Any, row: Any) -> Any:
    """Where the output of stem and channel ``row`` begins."""
    job = i64(address, FIELDS)
    channels = job[CHANNELS]
    return job[OUT] + (row // channels) * job[OUT_STEM] + (row % channels) * job[OUT_CHANNEL]


@inline
def where(address: Any, phase: Any, row: Any, start: Any) -> Any:
    """Where the frame that begins at sample ``start`` is added."""
    job = i64(address, FIELDS)
    length = job[LENGTH]
    room = job[SUMS] + 16 * length * row
    if phase == INSIDE:
        return out_of(address, row) + 4 * start
    if phase == BEHIND:
        return room + 4 * (2 * length + start - job[LAST] + length)
    return room + 4 * (start - job[FIRST] + length)


@inline
def enter(address: Any, phase: Any, row: Any, covered: Any) -> None:
    """Carry the sums of one row from the phase before into ``phase``."""
    job = i64(address, FIELDS)
    length, first, last = job[LENGTH], job[FIRST], job[LAST]
    room, out = job[SUMS] + 16 * length * row, out_of(address, row)
    if phase == INSIDE:
        copy(room + 4 * length, out + 4 * first, length)
    else:
        begin = last - length
        copy(out + 4 * begin, room + 8 * length, covered - begin)


@inline
def finish(address: Any, phase: Any, row: Any, covered: Any) -> None:
    """Carry the sums of one row into the output, to the stretch's end."""
    job = i64(address, FIELDS)
    length, first, last = job[LENGTH], job[FIRST], job[LAST]
    room, out = job[SUMS] + 16 * length * row, out_of(address, row)
    if phase == SHORT:
        copy(room + 4 * length, out + 4 * first, last - first)
    elif phase == BEHIND:
        copy(room + 8 * length, out + 4 * (last - length), length)
    else:
        zero(out + 4 * covered, last - covered)
