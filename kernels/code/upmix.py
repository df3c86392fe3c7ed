"""A stereo stem in: objects with their places, and a bed that makes the whole fold down to what came in.

Frames lie as in `streams`. Everything that leaves is LATENCY late. A step is a hop: with each, an object's
place may change, and its gains in the fold-down move to the new ones within RAMP samples. What is put
anywhere but into the first two channels of the bed is taken out of these again by what it would add to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import upmix_job as at
from .job import DONE, FIELDS, HOP, TAKEN, WORK
from .memory import f32, f64, i64, inline
from .steps import pack, sort
from .streams import ahead, back, give, keep, make_room
from .sums import copy, zero
from .upmix_frame import decide, split

__all__ = ["centre", "stem"]


@inline
def _frames(state: Any) -> Any:
    """Take apart every frame that the samples just kept have completed."""
    head = i64(state, at.FIELDS)
    address, n, rows = head[at.JOB], head[at.BINS], head[at.OBJECTS] + 2
    job = i64(address, FIELDS)
    first = job[DONE]
    job[DONE] = job[TAKEN] // job[HOP]
    for k in range(first, job[DONE]):
        ahead(address, k, 0, 2, job[WORK])
        sort(address, 2, job[WORK], head[at.SPECTRA], head[at.SPECTRA] + 8 * n)
        decide(state, head[at.SPECTRA])
        old = k - head[at.LOOKAHEAD]
        if old < 0:
            continue
        split(state)
        for row in range(0, rows, 2):  # a last one by itself goes with the row of zeros behind it
            out = head[at.OUT] + 8 * n * row
            pack(address, 2, out, out + 8 * n, job[WORK])
            back(address, old, row, 2, job[WORK])
    return 0


@inline
def _wound(state: Any, source: Any, channel: Any, target: Any, n: Any, begin: Any) -> None:
    """Keep ``n`` samples of the input from sample ``begin`` on, and write those LATENCY before."""
    head = i64(state, at.FIELDS)
    size = head[at.KEPT_SIZE]
    ring = f32(head[at.KEPT] + 4 * size * channel, size)
    x, y = f32(source, n), f32(target, n)
    write, read = begin % size, (begin - head[at.LATENCY]) % size
    for i in range(n):
        ring[write] = x[i]
        y[i] = ring[read]
        write = write + 1 if write + 1 < size else 0
        read = read + 1 if read + 1 < size else 0


@inline
def _wanted(state: Any, position: Any) -> Any:
    """Number of the step of TABLE whose pan position is nearest; BORDERS lie between them, and fall."""
    head = i64(state, at.FIELDS)
    most = head[at.STEP_COUNT]
    borders, low, high = f64(head[at.BORDERS], 2 * most), 0, 2 * most
    while low < high:
        middle = (low + high) // 2
        if position < borders[middle]:
            low = middle + 1
        else:
            high = middle
    return low - most


@inline
def _step(state: Any, k: Any, frame: Any) -> Any:
    """Decide where object k is said to be from the next sample on: number of a step of TABLE."""
    head = i64(state, at.FIELDS)
    count = head[at.OBJECTS]
    steps, moving = i64(head[at.STEPS], count), i64(head[at.MOVING], count)
    if frame < 0:
        return steps[k]
    wanted = _wanted(state, f64(head[at.TRACK] + 8 * count * (frame % head[at.TRACKED]), count)[k])
    away = abs(wanted - steps[k])
    # A still source jitters by less than it would take to set off; one that is off is followed closely.
    if moving[k] == 0 and away > head[at.SETS_OFF]:
        moving[k] = 1
    elif moving[k] == 1 and away < head[at.SETTLES]:
        moving[k] = 0
    return wanted if moving[k] == 1 and away >= head[at.TREAD] else steps[k]


@inline
def _move(state: Any, frame: Any) -> Any:
    """Begin a step: from now on gains lead to where each object is said to be."""
    head = i64(state, at.FIELDS)
    count, most = head[at.OBJECTS], head[at.STEP_COUNT]
    steps, table = i64(head[at.STEPS], count), f32(head[at.TABLE], 2 * (2 * most + 1))
    gains = f32(head[at.GAINS], 4 * count)  # had, and has
    for k in range(count):
        steps[k] = _step(state, k, frame)
        place = steps[k] + most
        for side in range(2):
            has = table[2 * place + side]
            # At the very beginning an object does not move: it is there.
            gains[4 * k + side] = gains[4 * k + 2 + side] if frame > 1 else has
            gains[4 * k + 2 + side] = has
    head[at.SINCE] = 0
    return 0


@inline
def _objects(state: Any, outs: Any, n: Any) -> Any:
    """Write objects and their places, and take what they add to the fold-down out of the first two rows."""
    head = i64(state, at.FIELDS)
    count, most, piece = head[at.OBJECTS], head[at.STEP_COUNT], 4 * head[at.PIECE]
    steps, gains, sinks = i64(head[at.STEPS], count), f32(head[at.GAINS], 4 * count), i64(outs, 5 * count)
    since, ramp = head[at.SINCE], head[at.RAMP]
    still = max(0, min(n, ramp - since))
    for k in range(count):
        x = f32(head[at.ROWS] + (2 + k) * piece, n)
        copy(head[at.ROWS] + (2 + k) * piece, sinks[5 * k], n)
        azimuth, up = f32(sinks[5 * k + 1], n), f32(sinks[5 * k + 2], n)
        far, wide = f32(sinks[5 * k + 3], n), f32(sinks[5 * k + 4], n)
        angle = np.float32(30.0 * steps[k] / most)
        for i in range(n):
            azimuth[i], up[i], far[i], wide[i] = angle, np.float32(0), np.float32(1), np.float32(0)
        for side in range(2):
            y = f32(head[at.ROWS] + side * piece, n)
            had, has = gains[4 * k + side], gains[4 * k + 2 + side]
            slope = (has - had) / np.float32(ramp)
            for i in range(still):
                y[i] -= (had + slope * np.float32(since + i)) * x[i]
            for i in range(still, n):
                y[i] -= has * x[i]
    return 0


@inline
def _blur(state: Any, number: Any, x: Any, n: Any, begin: Any) -> None:
    """Run one section of an allpass in place: Schroeder's, a delay with feedback and feedforward."""
    head = i64(state, at.FIELDS)
    delay = i64(head[at.DELAYS], 2 * (number + 1))[2 * number]
    address = i64(head[at.DELAYS], 2 * (number + 1))[2 * number + 1]
    g = f32(head[at.FEEDBACK], number + 1)[number]
    ring, done = f32(address, delay), 0
    while done < n:
        place = (begin + done) % delay
        m = min(n - done, delay - place)
        y = f32(x + 4 * done, m)
        for i in range(m):
            old = ring[place + i]
            new = y[i] + g * old
            y[i] = old - g * new
            ring[place + i] = new if abs(new) > np.float32(1e-20) else np.float32(0)
        done += m


@inline
def _around(state: Any, outs: Any, n: Any, begin: Any) -> Any:
    """Add each side's ambience to its channels, and take what that adds to the fold-down out of the rows."""
    head = i64(state, at.FIELDS)
    piece, width, sections = 4 * head[at.PIECE], head[at.SIDES], head[at.SECTIONS]
    channels, sinks = i64(head[at.CHANNELS], 2 * width), i64(outs, head[at.BED])
    matrix, fold = f32(head[at.MATRIX], width * (width + 1)), f32(head[at.FOLD], 4 * width)
    room = head[at.ROWS] + (head[at.OBJECTS] + 4) * piece
    left, right = f32(head[at.ROWS], n), f32(head[at.ROWS] + piece, n)
    for side in range(2):
        ambience = head[at.ROWS] + (2 + head[at.OBJECTS] + side) * piece
        for part in range(width + 1):
            copy(ambience, room, n)
            if part > 0:
                for s in range(sections):
                    _blur(state, (side * width + part - 1) * sections + s, room, n, begin)
            x = f32(room, n)
            for c in range(width):
                weight = matrix[c * (width + 1) + part]
                y = f32(sinks[channels[side * width + c]], n)
                to_left, to_right = (
                    weight * fold[2 * (side * width + c)],
                    weight * fold[2 * (side * width + c) + 1],
                )
                for i in range(n):
                    y[i] += weight * x[i]
                    left[i] -= to_left * x[i]
                    right[i] -= to_right * x[i]
    return 0


@inline
def _piece(state: Any, sources: Any, outs: Any, objects: Any, n: Any) -> Any:
    """Run ``n`` samples that lie in one step."""
    head = i64(state, at.FIELDS)
    address, piece = head[at.JOB], 4 * head[at.PIECE]
    job, ins = i64(address, FIELDS), i64(sources, 2)
    begin = job[TAKEN]
    make_room(address, n)
    for c in range(2):
        keep(address, c, ins[c], n)
        _wound(state, ins[c], c, head[at.ROWS] + c * piece, n, begin)
    job[TAKEN] += n
    _frames(state)
    for row in range(head[at.OBJECTS] + 2):
        give(address, row, head[at.ROWS] + (2 + row) * piece, n, job[TAKEN])
    passed = begin - head[at.LATENCY]
    if passed % job[HOP] == 0:
        _move(state, passed // job[HOP] + 1)
    _objects(state, objects, n)
    head[at.SINCE] += n
    _around(state, outs, n, begin)
    sinks = i64(outs, 2)
    for side in range(2):
        x, y = f32(head[at.ROWS] + side * piece, n), f32(sinks[side], n)
        for i in range(n):
            y[i] += x[i]
    return 0


def stem(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Take the next samples of a stem.

    Args:
        state: the header of `upmix_job`.
        ins: addresses of the two channels.
        outs: addresses of the bed's channels, to which the stem is added, then of five rows for each object.
        n: how many samples.
    """
    head = i64(state, at.FIELDS)
    job = i64(head[at.JOB], FIELDS)
    rows, moved = (
        head[at.BED] + 5 * head[at.OBJECTS],
        i64(head[at.AT], 2 + head[at.BED] + 5 * head[at.OBJECTS]),
    )
    sources, sinks, done = i64(ins, 2), i64(outs, rows), 0
    while done < n:
        # Steps begin where the output has passed a multiple of a hop.
        behind = (job[TAKEN] - head[at.LATENCY]) % job[HOP]
        m = min(n - done, job[HOP] - behind)
        for c in range(2):
            moved[c] = sources[c] + 4 * done
        for r in range(rows):
            moved[2 + r] = sinks[r] + 4 * done
        _piece(state, head[at.AT], head[at.AT] + 16, head[at.AT] + 16 + 8 * head[at.BED], m)
        done += m
    return 0


def centre(ring: Any, size: Any, begin: Any, source: Any, outs: Any, n: Any) -> Any:
    """A mono stem as one object in front, ``size`` samples late.

    Args:
        ring: float32 ``[size]``.
        size: samples.
        begin: samples that came before.
        source: the samples.
        outs: addresses of five rows.
        n: how many samples.
    """
    sinks, held = i64(outs, 5), f32(ring, size)
    x, y, place = f32(source, n), f32(sinks[0], n), begin % size
    far = f32(sinks[3], n)
    for i in range(n):
        y[i] = held[place]
        held[place] = x[i]
        place = place + 1 if place + 1 < size else 0
        far[i] = np.float32(1)
    for row in (1, 2, 4):
        zero(sinks[row], n)
    return 0
