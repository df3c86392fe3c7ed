"""Averages, minima and noise floors in float64, as their sources define them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

__all__ = [
    "minimum",
    "minimum_statistics",
    "recursive_average",
    "smooth_gains",
    "suppress_musical_noise",
]


def smooth_gains(gains: npt.NDArray[Any], weights: npt.NDArray[Any]) -> Array:
    """Mean over the last axis with odd-length ``weights`` around each bin, over the bins that exist."""
    inside = np.convolve(np.ones(gains.shape[-1]), weights, "full")
    half = len(weights) // 2
    rows = [np.convolve(row, weights, "full") / inside for row in gains.reshape(-1, gains.shape[-1])]
    return np.array(rows)[:, half : half + gains.shape[-1]].reshape(gains.shape)


def suppress_musical_noise(
    gains: npt.NDArray[Any], power: npt.NDArray[Any], threshold: float, half_width: int
) -> Array:
    """T. Esch and P. Vary, "Efficient musical noise suppression", ICASSP 2009, section 3.

    The share ``zeta`` of the power that the gains leave decides on a window of ``N`` bins:
    ``N = 2 round(half_width (1 - zeta / threshold)) + 1`` below the threshold, 1 from there on.
    """
    out = gains.astype(np.float64)
    for at in np.ndindex(gains.shape[:-1]):
        y, g = power[at].astype(np.float64), gains[at].astype(np.float64)
        zeta = (g**2 * y).sum() / y.sum() if y.sum() else 1.0
        if zeta < threshold:
            half = math.floor((1 - zeta / threshold) * half_width + 0.5)
            out[at] = smooth_gains(g, np.ones(2 * half + 1))
    return out


def recursive_average(x: npt.NDArray[Any], rise: float, fall: float, initial: float | None) -> Array:
    """``y[t] = a y[t-1] + (1 - a) x[t]`` over axis 1, a being ``rise`` where x is above y, else ``fall``."""
    x = x.astype(np.float64)
    out = np.empty_like(x)
    y = x[:, 0] if initial is None else np.full_like(x[:, 0], initial)
    for t in range(x.shape[1]):
        a = np.where(x[:, t] > y, rise, fall)
        y = out[:, t] = a * y + (1 - a) * x[:, t]
    return out


def minimum(x: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """Minimum of the last ``length`` frames, axis 1."""
    frames = [x[:, max(0, t + 1 - length) : t + 1].min(axis=1) for t in range(x.shape[1])]
    return np.stack(frames, axis=1)


#: (D, M(D)): R. Martin, "Bias compensation methods for minimum statistics noise power spectral density
#: estimation", Signal Processing 86, 2006, table 5.
_MEAN_OF_MINIMUM = {
    1: 0.0,
    2: 0.26,
    5: 0.48,
    8: 0.58,
    10: 0.61,
    15: 0.668,
    20: 0.705,
    30: 0.762,
    40: 0.8,
    60: 0.841,
    80: 0.865,
    120: 0.89,
    140: 0.9,
    160: 0.91,
    180: 0.92,
    220: 0.93,
    260: 0.935,
    300: 0.94,
}


def _m(d: int) -> float:
    lower = max(k for k in _MEAN_OF_MINIMUM if k <= d)
    if lower in {d, 300}:
        return _MEAN_OF_MINIMUM[lower]
    upper = min(k for k in _MEAN_OF_MINIMUM if k > d)
    at = (1 / math.sqrt(lower) - 1 / math.sqrt(d)) / (1 / math.sqrt(lower) - 1 / math.sqrt(upper))
    return _MEAN_OF_MINIMUM[lower] + at * (_MEAN_OF_MINIMUM[upper] - _MEAN_OF_MINIMUM[lower])


def _b_min(q_inverse: Array, d: int) -> Array:
    """Equation 17 of Martin, 2001."""
    q_tilde = (1 / q_inverse - 2 * _m(d)) / (1 - _m(d))
    return 1 + (d - 1) * 2 / q_tilde


def minimum_statistics(power: npt.NDArray[Any], frame_rate: float, u: int, v: int) -> Array:
    """Noise power of one channel ``[frames, bins]`` with ``u`` sub-windows of ``v`` frames.

    R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics",
    IEEE Trans. Speech and Audio Processing 9 (5), 2001; names and numbers of equations are the paper's.
    Three things are not in it: constants hold for 16 ms and are raised to the power of the frame's length
    over that; denominators are at least 1e-30; and 1 / Q_eq is at least 1 / (14 frames seen), which is from
    M. Brookes, VOICEBOX, ``estnoisem``.
    """
    y2 = power.astype(np.float64)
    frame = 1 / (frame_rate * 0.016)
    alpha_c, sigma2 = 1.0, y2[0].copy()
    p, p_mean, p2_mean, p_min_u = y2[0].copy(), y2[0].copy(), y2[0] ** 2, y2[0].copy()
    actmin, actmin_sub = np.full_like(p, np.inf), np.full_like(p, np.inf)
    stored: list[Array] = []
    lmin_flag = np.zeros(p.shape, bool)
    subwc, out = v, np.empty_like(y2)
    for t, y in enumerate(y2):
        alpha_c_tilde = 1 / (1 + (p.sum() / max(y.sum(), 1e-30) - 1) ** 2)  # (9)
        alpha_c = 0.7**frame * alpha_c + (1 - 0.7**frame) * max(alpha_c_tilde, 0.7**frame)  # (10)
        alpha = 0.96**frame * alpha_c / (1 + (p / np.maximum(sigma2, 1e-30) - 1) ** 2)  # (11)
        snr = p.sum() / max(sigma2.sum(), 1e-30)
        alpha = np.maximum(
            alpha, min(0.3**frame, snr ** (-0.016 * frame / 0.064)) if snr else 0.3**frame
        )  # (12)
        p = alpha * p + (1 - alpha) * y  # (4)
        beta = np.minimum(alpha**2, 0.8**frame)
        p_mean = beta * p_mean + (1 - beta) * p  # (20)
        p2_mean = beta * p2_mean + (1 - beta) * p**2  # (21)
        variance = p2_mean - p_mean**2  # (22)
        q_inverse = np.minimum(variance / (2 * np.maximum(sigma2, 1e-30) ** 2), 0.5)  # (23)
        q_inverse = np.maximum(q_inverse, 1 / (14 * (t + 1)))
        q_mean = q_inverse.mean()
        b_c = 1 + 2.12 * math.sqrt(q_mean)
        k_mod = p * _b_min(q_inverse, u * v) * b_c < actmin
        actmin = np.where(k_mod, p * _b_min(q_inverse, u * v) * b_c, actmin)
        actmin_sub = np.where(k_mod, p * _b_min(q_inverse, v) * b_c, actmin_sub)
        if subwc == v:
            lmin_flag &= ~k_mod
            stored = [*stored, actmin][-u:]
            p_min_u = np.min(stored, axis=0)
            limits = [(0.03, 8), (0.05, 4), (0.06, 2), (math.inf, 1.2)]
            slope = next(s for limit, s in limits if q_mean < limit) ** (v * frame / 12)
            chosen = lmin_flag & (actmin_sub < slope * p_min_u) & (actmin_sub > p_min_u)
            p_min_u = np.where(chosen, actmin_sub, p_min_u)
            stored = [np.where(chosen, actmin_sub, old) for old in stored]
            lmin_flag[:] = False
            subwc = 1
            actmin, actmin_sub = np.full_like(p, np.inf), np.full_like(p, np.inf)
        else:
            if subwc > 1:
                lmin_flag |= k_mod
                sigma2 = p_min_u = np.minimum(actmin_sub, p_min_u)
            subwc += 1
        out[t] = sigma2
    return out
