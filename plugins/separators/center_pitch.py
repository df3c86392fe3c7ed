"""The melody of a voice: the path of pitch that holds the most partials, and a comb for these."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .center_masks import TINY, local_mean

if TYPE_CHECKING:
    import numpy.typing as npt

    from .center_masks import Plane

__all__ = ["comb_mask", "melody"]

_PARTIALS = 12
#: Each further partial counts that much less.
_DECAY = 0.85
_CENTS = 25
#: What a step of 25 cents from a frame to the next costs, as a share of a typical salience; a leap costs 40.
_STEP_COST, _LEAP = 0.2, 40
#: Partials further up are not told apart.
_MOST_PARTIALS = 40


def melody(magnitudes: Plane, spacing: float, lowest: float, highest: float) -> npt.NDArray[np.float32]:
    """Return the fundamental of the leading voice in each frame, in Hz; there is always one.

    The salience of a pitch is the weighted sum of the (compressed) magnitudes at its partials, as A. Klapuri
    has it (ISMIR 2006); the path with the largest sum and the smallest leaps is found by the algorithm of
    Viterbi.

    Args:
        magnitudes: ``[frames, bins]`` from 0 Hz on, of what may be voice.
        spacing: Hz from a bin to the next.
        lowest: fundamental, in Hz.
        highest: likewise.

    Example:
        >>> import numpy as np
        >>> partials = np.zeros((10, 200), np.float32)
        >>> partials[:, 20:200:20] = 1
        >>> melody(partials, 10.0, 100, 400).round(-1).tolist()[:2]
        [200.0, 200.0]
    """
    weights, pitches = _partials(magnitudes.shape[1], spacing, lowest, highest)
    loudness = np.sqrt(magnitudes)
    peaks = np.maximum(loudness - local_mean(loudness, 20), 0)
    salience = peaks @ weights
    salience /= salience.max(axis=1).mean() + TINY
    return pitches[_path(salience)]


@lru_cache(maxsize=4)
def _partials(
    bins: int, spacing: float, lowest: float, highest: float
) -> tuple[Plane, npt.NDArray[np.float32]]:
    """Return the weight of each bin for each pitch, and the pitches."""
    count = int(1200 * np.log2(highest / lowest) / _CENTS) + 1
    pitches = lowest * 2 ** (np.arange(count) * (_CENTS / 1200))
    weights = np.zeros((bins, count), np.float32)
    for k in range(_PARTIALS):
        at = (k + 1) * pitches / spacing
        column = np.flatnonzero(at < bins - 1)
        below = at[column].astype(np.intp)
        share = at[column] - below
        weights[below, column] += _DECAY**k * (1 - share)
        weights[below + 1, column] += _DECAY**k * share
    return weights, pitches.astype(np.float32)


def _path(salience: Plane) -> npt.NDArray[np.intp]:
    frames, count = salience.shape
    steps = np.abs(np.arange(count)[:, None] - np.arange(count))
    cost = (_STEP_COST * np.minimum(steps, _LEAP)).astype(np.float32)
    came = np.empty((frames, count), np.intp)
    best, here = salience[0], np.arange(count)
    for t in range(1, frames):
        sums = best - cost  # rows: this frame's pitch, columns: the one before
        came[t] = sums.argmax(axis=1)
        best = sums[here, came[t]] + salience[t]
    path = np.empty(frames, np.intp)
    path[-1] = best.argmax()
    for t in range(frames - 1, 0, -1):
        path[t - 1] = came[t, path[t]]
    return path


def comb_mask(pitch: npt.NDArray[np.float32], bins: Plane, spacing: float, floor: float) -> Plane:
    """Return a comb about the partials of a pitch, ``[frames, bins]``.

    Teeth are Gaussian, one and a half bins wide and one hundredth of their frequency more, for vibrato.

    Args:
        pitch: of each frame, in Hz.
        bins: their frequencies in Hz.
        spacing: Hz from a bin to the next.
        floor: what is let through between the teeth, for breath, consonants and other voices.
    """
    pitch = pitch[:, None]
    tooth = np.clip(np.round(bins / pitch), 1, _MOST_PARTIALS) * pitch
    away = (bins - tooth) / (np.float32(1.5 * spacing) + np.float32(0.01) * tooth)
    return np.float32(floor) + np.float32(1 - floor) * np.exp(-np.square(away))
