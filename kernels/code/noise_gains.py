"""Speech presence, noise power and log-spectral gain of each frame; see `kernels.noise_gains`.

A channel's state is a row of 8 float64, of which the first counts frames, and six rows of a value a bin: 0
noise power, 1 smoothed power, 2 power of the clean frame before over the noise, 3 average a priori SNR, 4
and 5 least smoothed power of this stretch of frames and of the one before. Loops stay small, so that LLVM
can check that their rows do not overlap, and vectorises them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementary import exponential, logarithm
from .memory import f32, f64, i64, inline
from .noise_functions import integral, ramp

__all__ = ["om_lsa"]

_MOST = 1e30  # powers from here on, and NaN, are missing
_LEAST = 1e-30
_SILENT = 1e-16  # mean power of a frame of digital silence
_GAMMA_MOST = 1e4
_STARTING = 12  # frames over which the first noise is averaged
_BROAD = 0.1  # share of the bins that must stand above the noise all along for it to have risen
_PAD = 64  # values before and behind the sums over bins, so at most that many neighbours


@inline
def _row(base: Any, k: Any, n: Any) -> Any:
    return f64(base + 8 * k * n, n)


@inline
def _power(x: Any, rows: Any, scratch: Any, n: Any) -> Any:
    """Power of each bin; where it is missing, the noise. Returns the sum."""
    source, noise, y = f32(x, 2 * n), _row(rows, 0, n), _row(scratch, 0, n)
    for i in range(n):
        re, im = np.float64(source[2 * i]), np.float64(source[2 * i + 1])
        value = re * re + im * im
        y[i] = value if value < _MOST else noise[i]
    whole = 0.0
    for i in range(n):
        whole += y[i]
    return whole


@inline
def _track(rows: Any, scratch: Any, n: Any, frame: Any, constants: Any) -> Any:
    """Noise power: what a bin shows counts as far as speech is not likely to be in it."""
    setting = f64(constants, 12)
    y, noise = _row(scratch, 0, n), _row(rows, 0, n)
    keep, odds, share = setting[0], 1.0 + setting[2], setting[2] / (1.0 + setting[2])
    trust = 1.0
    if frame < _STARTING:
        keep, trust = min(keep, frame / (frame + 1.0)), 0.5
    for i in range(n):
        old = noise[i]
        z = min(y[i] / max(old, _LEAST), 1e6) * share
        p = trust / (1.0 + odds * exponential(-z))
        noise[i] = max(old + (1.0 - keep) * (1.0 - p) * (y[i] - old), _LEAST)
    return 0


@inline
def _minima(rows: Any, scratch: Any, n: Any, frame: Any, constants: Any) -> Any:
    """Least smoothed power of this stretch of frames and the one before, into the second row of scratch."""
    setting = f64(constants, 12)
    y, smoothed, lowest, before = _row(scratch, 0, n), _row(rows, 1, n), _row(rows, 4, n), _row(rows, 5, n)
    least, keep = _row(scratch, 1, n), setting[1]
    if frame == 0:
        for i in range(n):
            smoothed[i] = y[i]
            lowest[i] = y[i]
    for i in range(n):
        smoothed[i] = keep * smoothed[i] + (1.0 - keep) * y[i]
    if frame % setting[11] == 0:
        for i in range(n):
            before[i] = lowest[i]
            lowest[i] = smoothed[i]
    for i in range(n):
        lowest[i] = min(lowest[i], smoothed[i])
    for i in range(n):
        least[i] = min(lowest[i], before[i])
    return 0


@inline
def _lift(rows: Any, scratch: Any, n: Any, constants: Any) -> Any:
    """Sound without a pause in many bins is noise, of twice the least smoothed power."""
    excess = f64(constants, 12)[3]
    noise, least, above = _row(rows, 0, n), _row(scratch, 1, n), 0.0
    for i in range(n):
        above += 1.0 if least[i] > excess * noise[i] else 0.0
    # A long vowel does so in its partials alone, and stays.
    if above > _BROAD * n:
        for i in range(n):
            noise[i] = 2.0 * least[i] if least[i] > excess * noise[i] else noise[i]
    return 0


@inline
def _prior(rows: Any, scratch: Any, n: Any, constants: Any) -> Any:
    """A posteriori SNR in place of the power, a priori SNR in place of the clean frame, and its average."""
    setting = f64(constants, 12)
    y, noise, past, mean = _row(scratch, 0, n), _row(rows, 0, n), _row(rows, 2, n), _row(rows, 3, n)
    weight, least, keep = setting[4], setting[5], setting[6]
    for i in range(n):
        y[i] = min(y[i] / noise[i], _GAMMA_MOST)
    for i in range(n):
        xi = weight * past[i] + (1.0 - weight) * max(y[i] - 1.0, 0.0)
        past[i] = max(xi, least)
    for i in range(n):
        mean[i] = keep * mean[i] + (1.0 - keep) * past[i]
    return 0


@inline
def _absence(rows: Any, scratch: Any, n: Any, wide: Any, constants: Any) -> Any:
    """A priori odds of a bin without speech, by the average SNR around it, near and far."""
    setting = f64(constants, 12)
    mean, odds = _row(rows, 3, n), _row(scratch, 1, n)
    sums = f64(scratch + 16 * n, n + 1 + 2 * _PAD)
    start, slope, most = setting[7], setting[8], setting[9]
    total = 0.0
    for i in range(_PAD):
        sums[i] = 0.0
    for i in range(n):
        sums[_PAD + i] = total
        total += mean[i]
    for i in range(_PAD + 1):
        sums[_PAD + n + i] = total
    # Neighbours beyond either end count as none.
    near, far = 1.0 / 3.0, 1.0 / (2.0 * wide + 1.0)
    above = f64(scratch + 16 * n + 8 * (_PAD + 2), n)
    below = f64(scratch + 16 * n + 8 * (_PAD - 1), n)
    for i in range(n):
        odds[i] = ramp((above[i] - below[i]) * near, start, slope)
    above = f64(scratch + 16 * n + 8 * (_PAD + 1 + wide), n)
    below = f64(scratch + 16 * n + 8 * (_PAD - wide), n)
    for i in range(n):
        q = min(1.0 - odds[i] * ramp((above[i] - below[i]) * far, start, slope), most)
        odds[i] = q / (1.0 - q)
    return 0


@inline
def _gain(rows: Any, scratch: Any, out: Any, n: Any, constants: Any) -> Any:
    """Log-spectral amplitude gain, raised to the probability of speech; the rest of it is the floor."""
    setting = f64(constants, 12)
    gamma, odds, past, gains = _row(scratch, 0, n), _row(scratch, 1, n), _row(rows, 2, n), f32(out, n)
    floor = setting[10]
    for i in range(n):
        xi = past[i]
        wiener = xi / (1.0 + xi)
        v = max(gamma[i] * wiener, 1e-12)
        decay = exponential(-v)
        level = min(logarithm(wiener) + 0.5 * integral(v, decay), 0.0)
        p = 1.0 / (1.0 + odds[i] * (1.0 + xi) * decay)
        past[i] = exponential(2.0 * level) * gamma[i]
        gains[i] = np.float32(exponential(floor + p * (level - floor)))
    return 0


def om_lsa(state: Any, x: Any, out: Any, frames: Any) -> Any:
    """Gains of complex64 spectra ``x [channels, frames, bins]`` into float32 ``out``, alike.

    A state is five addresses. Where the noise power goes too, float32, or 0. Header: int64 channels, bins,
    neighbours on each side. The channels' past. Setting: twelve float64: how much of the noise stays, and of
    the smoothed power, a priori SNR of speech, how far the least smoothed power may stand above noise, weight
    of the frame before, least a priori SNR, how much of its average stays, where presence begins and how
    steeply it rises with it, highest a priori absence, log of the lowest gain, frames of a stretch. Scratch:
    three rows and 129 values.
    """
    table = i64(state, 5)
    noise, past, setting, scratch = table[0], table[2], table[3], table[4]
    places = i64(table[1], 3)
    channels, n, wide = places[0], places[1], places[2]
    for c in range(channels):
        seen, rows = f64(past + 8 * c * (8 + 6 * n), 1), past + 8 * c * (8 + 6 * n) + 64
        for t in range(frames):
            at = c * frames + t
            power = _power(x + 8 * at * n, rows, scratch, n)
            # Digital silence tells nothing of the noise that comes back after it.
            if power > _SILENT * n:
                _track(rows, scratch, n, seen[0], setting)
                _minima(rows, scratch, n, seen[0], setting)
                _lift(rows, scratch, n, setting)
                seen[0] += 1.0
            _prior(rows, scratch, n, setting)
            _absence(rows, scratch, n, wide, setting)
            _gain(rows, scratch, out + 4 * at * n, n, setting)
            if noise:
                told, level = f32(noise + 4 * at * n, n), _row(rows, 0, n)
                for i in range(n):
                    told[i] = np.float32(min(level[i], 3e38))
    return 0
