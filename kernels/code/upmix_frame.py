"""One frame of a stereo stem taken apart: averages, directions, objects that are followed, spectra out."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import upmix_job as at
from .memory import f32, f64, i64, inline
from .sums import copy

__all__ = ["decide", "split"]

_FAR = 9.0
_LEAST, _GONE = 1e-20, 1e-60


@inline
def _kept(value: Any) -> Any:
    """What has decayed to nothing would be slow to compute with."""
    return value if abs(value) > _GONE else 0.0


@inline
def _average(spectra: Any, memory: Any, n: Any, keep: Any) -> Any:
    """Take a frame ``[2, bins]`` into two averages in a row; rows 3 to 5 of the memory are the second."""
    row, take = 8 * n, 1 - keep
    left, right = f32(spectra, 2 * n), f32(spectra + row, 2 * n)
    for part in range(3):
        first, second = f64(memory + part * row, n), f64(memory + (3 + part) * row, n)
        x, y = (right if part == 1 else left), (left if part == 0 else right)
        for i in range(n):
            now = np.float64(x[2 * i]) * np.float64(y[2 * i])
            now += np.float64(x[2 * i + 1]) * np.float64(y[2 * i + 1])
            value = _kept(keep * first[i] + take * now)
            first[i] = value
            second[i] = _kept(keep * second[i] + take * value)
    return 0


@inline
def _wide(average: Any, out: Any, n: Any) -> None:
    """Average three bins; the first and last stand for their missing neighbours."""
    x, y = f64(average, n), f64(out, n)
    y[0] = 0.75 * x[0] + 0.25 * x[1]
    for i in range(1, n - 1):
        y[i] = 0.25 * x[i - 1] + 0.5 * x[i] + 0.25 * x[i + 1]
    y[n - 1] = 0.25 * x[n - 2] + 0.75 * x[n - 1]


@inline
def _cues(memory: Any, room: Any, n: Any, bias: Any) -> Any:
    """Read from averages, three bins wide, how much has one direction, and which, into rows of cues."""
    row = 8 * n
    for part in range(3):
        _wide(memory + (3 + part) * row, room + part * row, n)
    p11, p22, p12 = f64(room, n), f64(room + row, n), f64(room + 2 * row, n)
    cues = room + 3 * row
    share, root = f32(cues + at.SHARE * row, n), f32(cues + at.ROOT * row, n)
    cosine, sine = f32(cues + at.COSINE * row, n), f32(cues + at.SINE * row, n)
    position = f32(cues + at.POSITION * row, n)
    b2 = bias * bias
    rest = 1 / (1 - b2)
    for i in range(n):
        power, tilt, cross = p11[i] + p22[i], p11[i] - p22[i], p12[i]
        wide = np.sqrt(tilt * tilt + 4 * cross * cross)
        heard = power > _LEAST
        whole = wide / (power if heard else 1.0)
        squared = min(max((whole * whole - b2) * rest, 0.0), 1.0)
        share[i] = np.float32(np.sqrt(squared) if heard else 0.0)
        root[i] = np.float32(np.sqrt(power))
        turn = tilt / (wide if wide > 0 else 1.0)
        c = np.sqrt(max(1 + turn, 0.0) * 0.5)
        s = np.sqrt(max(1 - turn, 0.0) * 0.5)
        s = -s if cross < 0 else s
        cosine[i], sine[i] = np.float32(c), np.float32(s)
        both = s + c
        place = (s - c) / max(both, 0.3)
        position[i] = np.float32(place if both > 0.3 else _FAR)
    return 0


@inline
def _weigh(state: Any) -> Any:
    """Write each bin's place and weight in the histogram; return the sum of the roots of all powers."""
    head = i64(state, at.FIELDS)
    n, row = head[at.BINS], 8 * head[at.BINS]
    cues = head[at.QUICK_CUES] + 3 * row
    share, root = f32(cues + at.SHARE * row, n), f32(cues + at.ROOT * row, n)
    position = f32(cues + at.POSITION * row, n)
    places, weights = f32(cues + at.PLACES * row, n), f32(cues + at.WEIGHTS * row, n)
    edge = np.float32(f64(head[at.SETTINGS], at.SETTINGS_COUNT)[at.EDGE])
    scale, whole = np.float32(0.5 * (head[at.CELLS] - 1)), 0.0
    for i in range(n):
        inside = abs(position[i]) < edge
        places[i] = (position[i] / edge + np.float32(1)) * scale if inside else np.float32(0)
        weight = np.sqrt(share[i]) * root[i] * share[i]
        weights[i] = weight if inside else np.float32(0)
    for i in range(n):
        whole += np.float64(root[i])
    return whole


@inline
def _blend(state: Any, whole: Any, keep: Any) -> Any:
    """Average a frame's histogram and its sum over time, twice in a row; return the averaged sum."""
    head = i64(state, at.FIELDS)
    cells = head[at.CELLS]
    now = f64(head[at.HISTOGRAM], 3 * cells + 3)
    now[cells] = whole
    for stage in range(2):
        before, after = stage * (cells + 1), (stage + 1) * (cells + 1)
        for c in range(cells + 1):
            now[after + c] = _kept(keep * now[after + c] + (1 - keep) * now[before + c])
    return now[3 * cells + 2]


@inline
def _count(state: Any) -> Any:
    """Fill the histogram of pan positions, and smooth it; return the sum of the roots of all powers."""
    head = i64(state, at.FIELDS)
    n, row, cells = head[at.BINS], 8 * head[at.BINS], head[at.CELLS]
    cues = head[at.QUICK_CUES] + 3 * row
    places, weights = f32(cues + at.PLACES * row, n), f32(cues + at.WEIGHTS * row, n)
    histogram, smooth = f64(head[at.HISTOGRAM], 3 * cells + 3), f64(head[at.SMOOTH], cells)
    shape = f64(head[at.SHAPE], 7)
    whole = _weigh(state)
    for c in range(cells):
        histogram[c] = 0.0
    for i in range(n):
        if weights[i] > np.float32(0):
            low = int(places[i])
            weight = np.float64(weights[i])
            upper = (np.float64(places[i]) - low) * weight
            histogram[low] += weight - upper
            histogram[low + 1] += upper
    settings = f64(head[at.SETTINGS], at.SETTINGS_COUNT)
    whole = _blend(state, whole, settings[at.KEEP])
    for c in range(cells):
        value = 0.0
        for j in range(7):
            other = c + j - 3
            if 0 <= other < cells:
                value += shape[j] * histogram[2 * cells + 2 + other]
        smooth[c] = value
    return whole


@inline
def _nearest(state: Any, place: Any, taken: Any, still: Any, most: Any) -> Any:
    """Which object that is not taken, and sounds (0) or is silent (1), is next to a place; -1 for none."""
    head = i64(state, at.FIELDS)
    positions, silent = f64(head[at.POSITIONS], head[at.OBJECTS]), i64(head[at.SILENT], head[at.OBJECTS])
    pause = f64(head[at.SETTINGS], at.SETTINGS_COUNT)[at.PAUSE]
    found, least = -1, most
    for k in range(head[at.OBJECTS]):
        distance = abs(positions[k] - place)
        fits = (taken >> k) & 1 == 0 and (silent[k] >= pause) == (still == 1)
        if fits and (distance < least or (found < 0 and distance <= most)):
            found, least = k, distance
    return found


@inline
def _free(state: Any, taken: Any) -> Any:
    """Which object has been silent longest, and long enough to be given another place; -1 for none."""
    head = i64(state, at.FIELDS)
    silent = i64(head[at.SILENT], head[at.OBJECTS])
    patience = f64(head[at.SETTINGS], at.SETTINGS_COUNT)[at.PATIENCE]
    found = -1
    for k in range(head[at.OBJECTS]):
        if (taken >> k) & 1 == 0 and silent[k] >= patience and (found < 0 or silent[k] > silent[found]):
            found = k
    return found


@inline
def _peaks(state: Any, whole: Any) -> Any:
    """Write the places of the largest peaks behind the histogram's shape; how many."""
    head = i64(state, at.FIELDS)
    cells, settings = head[at.CELLS], f64(head[at.SETTINGS], at.SETTINGS_COUNT)
    smooth, places = f64(head[at.SMOOTH], cells), f64(head[at.SHAPE] + 56, head[at.OBJECTS])
    edge, largest = settings[at.EDGE], 0.0
    for c in range(cells):
        largest = max(largest, smooth[c])
    found, ceiling, before = 0, np.inf, -1
    while found < head[at.OBJECTS]:
        top = -1
        for c in range(cells):
            value = smooth[c]
            left = smooth[c - 1] if c > 0 else 0.0
            right = smooth[c + 1] if c + 1 < cells else 0.0
            is_peak = value > 0 and value > left and value >= right
            behind = value < ceiling or (value == ceiling and c > before)
            if is_peak and behind and (top < 0 or value > smooth[top]):
                top = c
        if top < 0 or smooth[top] < max(settings[at.LEAST] * largest, settings[at.PRESENT] * whole):
            break
        ceiling, before = smooth[top], top
        weight, moment = 0.0, 0.0
        for c in range(max(0, top - 3), min(cells, top + 4)):
            weight += smooth[c]
            moment += smooth[c] * (2 * edge * c / (cells - 1) - edge)
        place = min(max(moment / weight, -1.0), 1.0)
        apart = True
        for j in range(found):
            apart = apart and abs(place - places[j]) >= settings[at.APART]
        if apart:
            places[found] = place
            found += 1
    return found


@inline
def _follow(state: Any, whole: Any) -> Any:
    """Lead every object to the peak next to it; give places that are left to objects that are free."""
    head = i64(state, at.FIELDS)
    count, settings = head[at.OBJECTS], f64(head[at.SETTINGS], at.SETTINGS_COUNT)
    positions, presence = f64(head[at.POSITIONS], count), f64(head[at.PRESENCE], count)
    silent, places = i64(head[at.SILENT], count), f64(head[at.SHAPE] + 56, count)
    found, taken, done = _peaks(state, whole), 0, 0
    for j in range(found):
        k = _nearest(state, places[j], taken, 0, settings[at.APART])
        if k >= 0:
            positions[k] += 0.5 * (places[j] - positions[k])
            taken |= 1 << k
            done |= 1 << j
    for j in range(found):
        if (done >> j) & 1 == 0:
            k = _nearest(state, places[j], taken, 1, settings[at.APART] / 2)
            k = k if k >= 0 else _free(state, taken)
            if k >= 0:
                positions[k] = places[j]
                taken |= 1 << k
    for k in range(count):
        there = (taken >> k) & 1 == 1
        silent[k] = 0 if there else silent[k] + 1
        presence[k] = min(max(presence[k] + (0.1 if there else -0.05), 0.0), 1.0)
    return 0


@inline
def decide(state: Any, spectra: Any) -> Any:
    """Take the newest frame ``[2, bins]``, and note where the objects of the frame LOOKAHEAD before are."""
    head = i64(state, at.FIELDS)
    n, count, slots = head[at.BINS], head[at.OBJECTS], head[at.LOOKAHEAD] + 1
    source = f32(spectra, 4 * n)
    kept = f32(head[at.RING] + 16 * n * (head[at.FRAMES] % slots), 4 * n)
    for i in range(4 * n):
        kept[i] = source[i]
    settings = f64(head[at.SETTINGS], at.SETTINGS_COUNT)
    _average(spectra, head[at.MEMORY], n, settings[at.KEEP])
    _cues(head[at.MEMORY], head[at.CUES], n, settings[at.BIAS])
    _average(spectra, head[at.QUICK], n, settings[at.QUICK_KEEP])
    _cues(head[at.QUICK], head[at.QUICK_CUES], n, 0.0)
    copy(
        head[at.QUICK_CUES] + 8 * n * (3 + at.POSITION),
        head[at.PLACED] + 4 * n * (head[at.FRAMES] % slots),
        n,
    )
    positions, presence = f64(head[at.POSITIONS], count), f64(head[at.PRESENCE], count)
    if head[at.PINNED] == 1:
        positions[0], presence[0] = 0.0, 1.0
    else:
        _follow(state, _count(state))
    frame = head[at.FRAMES] - head[at.LOOKAHEAD]
    if frame >= 0:
        track = f64(head[at.TRACK] + 8 * count * (frame % head[at.TRACKED]), count)
        for k in range(count):
            track[k] = positions[k]
    head[at.FRAMES] += 1
    return 0


@inline
def _shares(state: Any) -> Any:
    """Write how much of each bin belongs to which object, and what scales all of them."""
    head = i64(state, at.FIELDS)
    n, row, count = head[at.BINS], 8 * head[at.BINS], head[at.OBJECTS]
    cues = head[at.CUES] + 3 * row
    # The place comes from short averages, which are less late than the others.
    frame = head[at.FRAMES] - 1 - head[at.LOOKAHEAD] + head[at.LAG]
    share = f32(cues + at.SHARE * row, n)
    position = f32(head[at.PLACED] + 4 * n * (frame % (head[at.LOOKAHEAD] + 1)), n)
    near, covered = f32(cues + at.PLACES * row, n), f32(cues + at.WEIGHTS * row, n)
    positions, presence = f64(head[at.POSITIONS], count), f64(head[at.PRESENCE], count)
    narrow = np.float32(1 / f64(head[at.SETTINGS], at.SETTINGS_COUNT)[at.WIDTH])
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    for i in range(n):
        near[i], covered[i] = np.float32(1e-12), zero
    for k in range(count):
        mine = f32(cues + (at.MINE + k) * row, n)
        place, there = np.float32(positions[k]), np.float32(presence[k])
        for i in range(n):
            distance = (position[i] - place) * narrow
            square = distance * distance
            value = there / (np.float32(0.01) + square * square)
            mine[i] = value
            near[i] += value
            covered[i] = max(covered[i], there * min(max(two - abs(distance), zero), one))
    for i in range(n):
        along = (one + share[i]) * np.float32(0.5)
        covered[i] = covered[i] / near[i] * np.sqrt(share[i] / along)
    return 0


@inline
def _ambience(state: Any, spectra: Any) -> Any:
    """Write the ambience, ``[2, bins]``: what has one direction, only as loud as what has none."""
    head = i64(state, at.FIELDS)
    n, row = head[at.BINS], 8 * head[at.BINS]
    cues, count = head[at.CUES] + 3 * row, head[at.OBJECTS]
    share = f32(cues + at.SHARE * row, n)
    cosine, sine = f32(cues + at.COSINE * row, n), f32(cues + at.SINE * row, n)
    left, right = f32(spectra, 2 * n), f32(spectra + row, 2 * n)
    first, second = f32(head[at.OUT] + row * count, 2 * n), f32(head[at.OUT] + row * (count + 1), 2 * n)
    one = np.float32(1)
    for i in range(n):
        less = one - np.sqrt((one - share[i]) / (one + share[i]))
        c, s = cosine[i], sine[i]
        real = less * (c * left[2 * i] + s * right[2 * i])
        imaginary = less * (c * left[2 * i + 1] + s * right[2 * i + 1])
        first[2 * i], first[2 * i + 1] = left[2 * i] - c * real, left[2 * i + 1] - c * imaginary
        second[2 * i], second[2 * i + 1] = right[2 * i] - s * real, right[2 * i + 1] - s * imaginary
    return 0


@inline
def split(state: Any) -> Any:
    """Write the spectra of objects and ambience, ``[objects + 2, bins]``, of the frame just decided."""
    head = i64(state, at.FIELDS)
    n, row, count, slots = head[at.BINS], 8 * head[at.BINS], head[at.OBJECTS], head[at.LOOKAHEAD] + 1
    frame = head[at.FRAMES] - 1 - head[at.LOOKAHEAD]
    spectra = head[at.RING] + 2 * row * (frame % slots)
    left, right = f32(spectra, 2 * n), f32(spectra + row, 2 * n)
    cues, positions = head[at.CUES] + 3 * row, f64(head[at.POSITIONS], count)
    _shares(state)
    _ambience(state, spectra)
    scale = f32(cues + at.WEIGHTS * row, n)
    for k in range(count):
        lower, upper = (1 - positions[k]) * 0.5, (1 + positions[k]) * 0.5
        size = 1 / np.sqrt(lower * lower + upper * upper)
        g, h = np.float32(lower * size), np.float32(upper * size)
        mine, out = f32(cues + (at.MINE + k) * row, n), f32(head[at.OUT] + row * k, 2 * n)
        for i in range(n):
            gain = scale[i] * mine[i]
            out[2 * i] = gain * (g * left[2 * i] + h * right[2 * i])
            out[2 * i + 1] = gain * (g * left[2 * i + 1] + h * right[2 * i + 1])
    return 0
