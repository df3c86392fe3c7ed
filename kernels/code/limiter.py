"""The loop of a true-peak limiter: peaks of the key, the gain they need, delayed signals at that gain.

What the gain lacks to 1 is a whole number of 2^-30 and its two moving averages are sums of whole numbers. So
they do not drift, they are the same however the signal is cut, and where nothing needs limiting the gain
is exactly 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .memory import f32, f64, i32, i64, inline
from .true_peak import interpolate, loudest, take

__all__ = ["node"]

_FIELDS = 26
_UNIT = float(1 << 30)


@inline
def _key(state: Any, ins: Any, at: Any, count: Any, c: Any) -> Any:
    """Put a channel of the key, the sum of all signals, behind its history."""
    header = i64(state, _FIELDS)
    signals, channels = header[0], header[1]
    sources, row = i64(ins, signals * channels), header[15] + 1280 * c + 128
    if signals == 1:
        take(i32(sources[c] + 4 * at, count), i32(row, count))
        return
    total = f32(row, count)
    first = f32(sources[c] + 4 * at, count)
    for i in range(count):
        total[i] = first[i]
    for k in range(1, signals):
        other = f32(sources[k * channels + c] + 4 * at, count)
        for i in range(count):
            total[i] += other[i]
    take(i32(row, count), i32(row, count))


@inline
def _magnitudes(state: Any, row: Any, count: Any, limit: Any) -> Any:
    """Raise the key's magnitudes to those of a channel, where they may exceed the ceiling."""
    header = i64(state, _FIELDS)
    for at in range(0, 4 * count, 64):
        if loudest(row + 36 + at) > limit:
            words, found = i32(row + 80 + at, 16), i32(header[16] + at, 16)
            for k in range(16):
                found[k] = max(found[k], words[k] & np.int32(0x7FFFFFFF))
            interpolate(header[2], header[14], row + 36 + at, header[16] + at)
    history = i32(row, 320)
    for k in range(32):
        history[k] = history[count + k]


@inline
def _above(state: Any, count: Any) -> Any:
    """Whether any of these magnitudes exceeds the ceiling, or what float32 holds."""
    header = i64(state, _FIELDS)
    words, largest = i32(header[16], count), np.int32(0)
    for i in range(count):
        largest = max(largest, words[i])
    words[0], first = largest, words[0]
    above = not f32(header[16], 1)[0] <= f64(header[19], 1)[0]
    words[0] = first
    return above


@inline
def _need(magnitude: Any, ceiling: Any) -> Any:
    """What the gain must lack to 1 for this magnitude, with room for the rounding of gain and product."""
    if magnitude <= ceiling:
        return 0.0
    need = 1 - (1 - 1e-6) * ceiling / magnitude
    return need if need <= 1 else 1.0


@inline
def _held(state: Any, need: Any, now: Any) -> Any:
    """The largest need in the window: those that a later, larger one outlasts are dropped from the queue."""
    header = i64(state, _FIELDS)
    room = header[5] + 1
    times, needs = i64(header[20], room), f64(header[21], room)
    if header[12] > 0 and times[header[11]] <= now - header[5]:
        header[11] = (header[11] + 1) % room
        header[12] -= 1
    if need > 0:
        while header[12] > 0 and needs[(header[11] + header[12] - 1) % room] <= need:
            header[12] -= 1
        last = (header[11] + header[12]) % room
        times[last], needs[last] = now, need
        header[12] += 1
    return needs[header[11]] if header[12] > 0 else 0.0


@inline
def _smoothed(state: Any, lack: Any) -> Any:
    """Two moving averages one after the other, of a whole number of units."""
    header = i64(state, _FIELDS)
    first, second, sums = i64(header[22], header[6]), i64(header[23], header[7]), i64(header[24], 4)
    a, b = sums[2], sums[3]
    sums[0] += lack - first[a]
    first[a] = lack
    sums[1] += sums[0] - second[b]
    second[b] = sums[0]
    sums[2] = a + 1 if a + 1 < header[6] else 0
    sums[3] = b + 1 if b + 1 < header[7] else 0
    return sums[1] / (_UNIT * header[6] * header[7])


@inline
def _gains(state: Any, count: Any) -> Any:
    """Find the gains of the next samples."""
    header = i64(state, _FIELDS)
    settings, gains = f64(header[19], 4), f32(header[17], count)
    magnitudes = f32(header[16], count)
    for i in range(count):
        now = header[10] + i
        hold = _held(state, _need(np.float64(magnitudes[i]), settings[0]), now)
        fallen = settings[2] * settings[1]
        settings[2] = max(hold, fallen if fallen > 1e-6 else 0.0)
        lack = np.int64(math.ceil(settings[2] * _UNIT))
        header[13] = 0 if lack > 0 else header[13] + 1
        short = min(_smoothed(state, lack), 1.0)
        settings[3] = max(settings[3], short)
        gains[i] = np.float32(1 - short)


@inline
def _plain(x: Any, y: Any, ring: Any) -> Any:
    for i in range(len(x)):
        late = ring[i]
        ring[i] = x[i]
        y[i] = late


@inline
def _scaled(x: Any, y: Any, ring: Any, gains: Any) -> Any:
    for i in range(len(x)):
        late = ring[i]
        ring[i] = x[i]
        y[i] = gains[i] * late


@inline
def _late(state: Any, x: Any, y: Any, ring: Any, count: Any, limited: Any) -> Any:
    """Delay a channel, at its gain."""
    header = i64(state, _FIELDS)
    length, place, done = header[4], header[9], 0
    while done < count:
        run = min(count - done, length - place)
        a, b, c = f32(x + 4 * done, run), f32(y + 4 * done, run), f32(ring + 4 * place, run)
        if limited:
            _scaled(a, b, c, f32(header[17] + 4 * done, run))
        else:
            _plain(a, b, c)
        done += run
        place = (place + run) % length


@inline
def _piece(state: Any, ins: Any, outs: Any, at: Any, count: Any) -> Any:
    """Limit up to 256 samples."""
    header = i64(state, _FIELDS)
    channels, outputs = header[1], header[3]
    magnitudes = i32(header[16], 256)
    for k in range(-(-count // 16) * 16):
        magnitudes[k] = 0
    for c in range(channels):
        _key(state, ins, at, count, c)
        _magnitudes(state, header[15] + 1280 * c, count, header[8])
    settled = header[12] == 0 and header[13] >= header[6] + header[7]
    limited = not settled or _above(state, count)
    if limited:
        _gains(state, count)
    sources, sinks, order = (
        i64(ins, header[0] * channels),
        i64(outs, outputs * channels),
        i64(header[18], outputs),
    )
    for k in range(outputs):
        for c in range(channels):
            which = order[k] * channels + c
            ring = header[25] + 4 * which * header[4]
            _late(state, sources[which] + 4 * at, sinks[k * channels + c] + 4 * at, ring, count, limited)
    header[9] = (header[9] + count) % header[4]
    header[10] += count


def node(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Limit ``signals`` signals of ``channels`` channels by one gain, so that their sum keeps to the ceiling.

    The state is signals, channels, oversampling, outputs, latency, samples of the window, of the first and
    of the second average, the magnitude of samples, as bits, up to which nothing between them exceeds the
    ceiling; place in the rings, samples so far, first and number of needs in the queue, samples since the
    last lack; and the addresses of: coefficients, rows ``[channels, 320]`` of the key, magnitudes ``[256]``
    as bits, gains ``[256]``, the signal of each output, settings ``[4]``: ceiling, what a lack keeps from one
    sample to the next, the lack, the largest so far; times and needs of the queue, what is in the first and
    in the second average, the sums of both and their places, and rings ``[signals, channels, latency]``.
    """
    done = 0
    while done < n:
        count = min(n - done, 256)
        _piece(state, ins, outs, done, count)
        done += count
    return 0
