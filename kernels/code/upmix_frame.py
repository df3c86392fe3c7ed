"""One frame of a stereo stem taken apart: averages, directions, objects that are followed, spectra out."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import upmix_job as at
from .memory import f32, f64, i64, inline

__all__ = ["decide", "split"]

_FAR = 9.0
_LEAST = 1e-20


@inline
def _average(state: Any, spectra: Any) -> Any:
    """Take a frame ``[2, bins]`` into the two averages in a row; rows 3 to 5 of the memory are the second."""
    head = i64(state, at.FIELDS)
    n = head[at.BINS]
    left, right = f32(spectra, 2 * n), f32(spectra + 8 * n, 2 * n)
    memory = f64(head[at.MEMORY], 6 * n)
    keep = f64(head[at.SETTINGS], at.SETTINGS_COUNT)[at.KEEP]
    take = 1 - keep
    for i in range(n):
        a, b = np.float64(left[2 * i]), np.float64(left[2 * i + 1])
        c, d = np.float64(right[2 * i]), np.float64(right[2 * i + 1])
        p11 = keep * memory[i] + take * (a * a + b * b)
        p22 = keep * memory[n + i] + take * (c * c + d * d)
        p12 = keep * memory[2 * n + i] + take * (a * c + b * d)
        # What has decayed to nothing would be slow to compute with.
        p11, p22 = p11 if p11 > 1e-60 else 0.0, p22 if p22 > 1e-60 else 0.0
        p12 = p12 if abs(p12) > 1e-60 else 0.0
        memory[i], memory[n + i], memory[2 * n + i] = p11, p22, p12
        p11 = keep * memory[3 * n + i] + take * p11
        p22 = keep * memory[4 * n + i] + take * p22
        p12 = keep * memory[5 * n + i] + take * p12
        memory[3 * n + i] = p11 if p11 > 1e-60 else 0.0
        memory[4 * n + i] = p22 if p22 > 1e-60 else 0.0
        memory[5 * n + i] = p12 if abs(p12) > 1e-60 else 0.0
    return 0


@inline
def _cues(state: Any) -> Any:
    """Read from the averages, three bins wide, how much has one direction, and which."""
    head = i64(state, at.FIELDS)
    n = head[at.BINS]
    memory = f64(head[at.MEMORY] + 24 * n, 3 * n)
    share, total = f64(head[at.CUES], n), f64(head[at.CUES] + 8 * n, n)
    cosine, sine = f64(head[at.CUES] + 16 * n, n), f64(head[at.CUES] + 24 * n, n)
    position = f64(head[at.CUES] + 32 * n, n)
    bias = f64(head[at.SETTINGS], at.SETTINGS_COUNT)[at.BIAS]
    b2 = bias * bias
    rest = 1 / (1 - b2)
    for i in range(n):
        below, above = max(i - 1, 0), min(i + 1, n - 1)
        p11 = 0.25 * memory[below] + 0.5 * memory[i] + 0.25 * memory[above]
        p22 = 0.25 * memory[n + below] + 0.5 * memory[n + i] + 0.25 * memory[n + above]
        p12 = 0.25 * memory[2 * n + below] + 0.5 * memory[2 * n + i] + 0.25 * memory[2 * n + above]
        power, tilt = p11 + p22, p11 - p22
        wide = np.sqrt(tilt * tilt + 4 * p12 * p12)
        whole = wide / max(power, _LEAST) if power > _LEAST else 0.0
        total[i] = power
        share[i] = np.sqrt(min(max((whole * whole - b2) * rest, 0.0), 1.0))
        turn = tilt / wide if wide > 0 else 0.0
        c = np.sqrt(max(1 + turn, 0.0) * 0.5)
        s = np.sqrt(max(1 - turn, 0.0) * 0.5)
        s = -s if p12 < 0 else s
        cosine[i], sine[i] = c, s
        both = s + c
        position[i] = (s - c) / both if both > 0.3 else _FAR
    return 0


@inline
def _count(state: Any) -> Any:
    """Fill the histogram of pan positions, and smooth it; return the sum of the roots of all powers."""
    head = i64(state, at.FIELDS)
    n, cells, edge = head[at.BINS], head[at.CELLS], f64(head[at.SETTINGS], at.SETTINGS_COUNT)[at.EDGE]
    share, total = f64(head[at.CUES], n), f64(head[at.CUES] + 8 * n, n)
    position = f64(head[at.CUES] + 32 * n, n)
    histogram, smooth = f64(head[at.HISTOGRAM], cells), f64(head[at.SMOOTH], cells)
    shape = f64(head[at.SHAPE], 7)
    for c in range(cells):
        histogram[c] = 0.0
    whole = 0.0
    for i in range(n):
        whole += np.sqrt(total[i])
        if abs(position[i]) < edge and share[i] > 0:
            weight = np.sqrt(share[i] * total[i]) * share[i]
            place = (position[i] / edge + 1) * 0.5 * (cells - 1)
            low = int(place)
            upper = (place - low) * weight
            histogram[low] += weight - upper
            histogram[low + 1] += upper
    for c in range(cells):
        value = 0.0
        for j in range(7):
            other = c + j - 3
            if 0 <= other < cells:
                value += shape[j] * histogram[other]
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
    _average(state, spectra)
    _cues(state)
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
def split(state: Any) -> Any:
    """Write the spectra of objects and ambience, ``[objects + 2, bins]``, of the frame just decided."""
    head = i64(state, at.FIELDS)
    n, count, slots = head[at.BINS], head[at.OBJECTS], head[at.LOOKAHEAD] + 1
    frame = head[at.FRAMES] - 1 - head[at.LOOKAHEAD]
    spectra = head[at.RING] + 16 * n * (frame % slots)
    left, right = f32(spectra, 2 * n), f32(spectra + 8 * n, 2 * n)
    share, position = f64(head[at.CUES], n), f64(head[at.CUES] + 32 * n, n)
    cosine, sine = f64(head[at.CUES] + 16 * n, n), f64(head[at.CUES] + 24 * n, n)
    positions, presence = f64(head[at.POSITIONS], count), f64(head[at.PRESENCE], count)
    narrow = 1 / f64(head[at.SETTINGS], at.SETTINGS_COUNT)[at.WIDTH]
    first, second = f32(head[at.OUT] + 8 * n * count, 2 * n), f32(head[at.OUT] + 8 * n * (count + 1), 2 * n)
    for i in range(n):
        along = (1 + share[i]) * 0.5
        less = 1 - np.sqrt((1 - share[i]) * 0.5 / along)
        c, s = cosine[i], sine[i]
        a, b = np.float64(left[2 * i]), np.float64(left[2 * i + 1])
        d, e = np.float64(right[2 * i]), np.float64(right[2 * i + 1])
        real, imaginary = less * (c * a + s * d), less * (c * b + s * e)
        first[2 * i], first[2 * i + 1] = np.float32(a - c * real), np.float32(b - c * imaginary)
        second[2 * i], second[2 * i + 1] = np.float32(d - s * real), np.float32(e - s * imaginary)
        covered, near = 0.0, 0.0
        for k in range(count):
            distance = (position[i] - positions[k]) * narrow
            covered = max(covered, presence[k] * min(max(2 - abs(distance), 0.0), 1.0))
            square = distance * distance
            near += presence[k] / (0.01 + square * square)
        whole = covered / max(near, 1e-12) * np.sqrt(share[i] / along)
        for k in range(count):
            distance = (position[i] - positions[k]) * narrow
            square = distance * distance
            mine = whole * presence[k] / (0.01 + square * square)
            lower, upper = (1 - positions[k]) * 0.5, (1 + positions[k]) * 0.5
            size = 1 / np.sqrt(lower * lower + upper * upper)
            g, h = mine * lower * size, mine * upper * size
            out = f32(head[at.OUT] + 8 * n * k, 2 * n)
            out[2 * i], out[2 * i + 1] = np.float32(g * a + h * d), np.float32(g * b + h * e)
    return 0
