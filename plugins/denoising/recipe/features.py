"""What the networks hear of a frame: each band's level, and how far it stands above its own recent mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..features import FLOOR, KEEP, LEVEL, SPREAD, START

__all__ = ["features", "levels"]

Signal = NDArray[np.float32]


def levels(power: Signal) -> Signal:
    """Return decibels of powers relative to full scale."""
    found: Signal = np.float32(10) * np.log10(power + np.float32(FLOOR))
    return found


def features(power: Signal, start: Signal | None = None) -> Signal:
    """Return a network's input, ``[mixtures, frames, 2, bands]``, of powers ``[mixtures, frames, bands]``.

    Args:
        power: relative to full scale.
        start: mean levels before the first frame, ``[mixtures, bands]``; by default those of a fresh start.
    """
    level = levels(power)
    mean = np.full(level[:, 0].shape, START, np.float32) if start is None else start
    above = np.empty_like(level)
    for frame in range(level.shape[1]):
        mean = np.float32(KEEP) * mean + np.float32(1 - KEEP) * level[:, frame]
        above[:, frame] = level[:, frame] - mean
    return np.stack([above / np.float32(SPREAD), (level + np.float32(LEVEL)) / np.float32(SPREAD)], axis=2)
