"""Oracle of `kernels.stereo`: formulas as their papers state them, on complex128."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["averages", "coherence", "faller", "panning_index"]

Array = np.ndarray[Any, np.dtype[Any]]


def averages(spectra: Array, forgetting: float) -> tuple[Array, Array, Array]:
    """P11, P22, P12 ``[frames, bins]`` of spectra ``[2, frames, bins]`` (Avendano and Jot, JAES 52, 2004)."""
    left, right = spectra.astype(np.complex128)
    products = [abs(left) ** 2, abs(right) ** 2, left * right.conj()]
    means = []
    for product in products:
        mean = np.zeros_like(product)
        for t in range(len(product)):
            before = mean[t - 1] if t else 0
            mean[t] = forgetting * before + (1 - forgetting) * product[t]
        means.append(mean)
    return means[0], means[1], means[2]


def coherence(p11: float, p22: float, p12: complex) -> float:
    """Avendano and Jot's inter-channel coherence, not squared."""
    return abs(p12) / math.sqrt(p11 * p22)


def panning_index(p11: float, p22: float, p12: complex) -> float:
    """Avendano, WASPAA 2003: similarity, partial similarities, ambiguity resolved by their difference."""
    similarity = 2 * abs(p12) / (p11 + p22)
    difference = abs(p12) / p11 - abs(p12) / p22
    return (1 - similarity) * math.copysign(1.0, difference) if difference else 0.0


def faller(p1: float, p2: float, p12: complex) -> tuple[float, float, float]:
    """P_S, A and P_N of Faller, JAES 54, 2006, from powers and normalised cross-correlation."""
    phi = abs(p12) / math.sqrt(p1 * p2)
    b = p2 - p1 + math.sqrt((p1 - p2) ** 2 + 4 * p1 * p2 * phi**2)
    c = phi * math.sqrt(p1 * p2)
    return 2 * c**2 / b, b / (2 * c), p1 - 2 * c**2 / b
