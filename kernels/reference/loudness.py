"""Oracle of `kernels.loudness`: BS.1770-4, EBU Tech 3341 and 3342 word for word, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .filterbank import filtered

__all__ = ["TABLES", "energies", "gated", "loudness", "loudness_range", "prototype", "true_peak", "windows"]

Array = np.ndarray[Any, np.dtype[Any]]

#: BS.1770-4, tables 1 and 2: b0 b1 b2 a1 a2 at 48 kHz.
TABLES = np.array(
    [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
)


def prototype(frequencies: Array, rate: float) -> Array:
    """The analogue K-weighting, where the bilinear transform of each section puts these frequencies."""
    warped = 1j * np.tan(np.pi * frequencies / rate)
    s = warped / math.tan(math.pi * 1681.974450955533 / rate)
    q, gain = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    shelf = (gain * s**2 + gain**0.4996667741545416 * s / q + 1) / (s**2 + s / q + 1)
    k = math.tan(math.pi * 38.13547087602444 / rate)
    s, q = warped / k, 0.5003270373238773
    high = s**2 / (s**2 + s / q + 1) * (1 + k / q + k**2)  # BS.1770 leaves its numerator at 1 -2 1
    weighting: Array = shelf * high
    return weighting


def energies(x: Array, weights: list[float], coefficients: Array) -> Array:
    """The weighted square of every sample, summed over channels, ``[n]``."""
    total = np.zeros(x.shape[1])
    for row, weight in zip(x, weights, strict=True):
        total += weight * filtered(row, coefficients) ** 2
    return total


def windows(squares: Array, rate: int, tenths: int, per_second: int = 10) -> Array:
    """Mean squares of windows of ``tenths`` times 100 ms, within the programme, so many a second."""
    steps = tenths * per_second // 10
    edges = [k * rate // per_second for k in range(len(squares) * per_second // rate + 2)]
    whole = [edge for edge in edges if edge <= len(squares)]
    means = [squares[low:high].mean() for low, high in zip(whole, whole[steps:], strict=False)]
    return np.array(means)


def loudness(mean_square: float) -> float:
    """LUFS of a mean square."""
    return -0.691 + 10 * math.log10(mean_square) if mean_square > 0 else -math.inf


def gated(blocks: Array) -> float:
    """Integrated loudness of blocks of 400 ms: the two gates of BS.1770-4, annex 1, equations 4 to 7."""
    levels = np.array([loudness(block) for block in blocks])
    heard = blocks[levels > -70]
    if not len(heard):
        return -math.inf
    threshold = max(loudness(heard.mean()) - 10, -70)
    return loudness(blocks[levels > threshold].mean())


def loudness_range(blocks: Array) -> float:
    """LRA of blocks of 3 s: Tech 3342, section 3."""
    levels = np.array([loudness(block) for block in blocks])
    heard = levels[levels >= -70]
    if not len(heard):
        return 0.0
    level = 10 * math.log10(np.mean(10 ** (heard / 10)))
    heard = np.sort(heard[heard >= level - 20])
    low, high = (heard[math.floor((len(heard) - 1) * share / 100 + 0.5)] for share in (10, 95))
    return float(high - low)


def true_peak(x: Array, factor: int) -> float:
    """The largest magnitude after zeros are put between samples and a windowed sinc takes out the images."""
    t = np.arange(-12 * factor, 12 * factor + 1) / factor
    response = np.sinc(t) * np.kaiser(len(t), 5.65)
    stuffed = np.zeros((x.shape[0], x.shape[1] * factor))
    stuffed[:, ::factor] = x
    return max(float(np.abs(np.convolve(row, response)).max()) for row in stuffed)
