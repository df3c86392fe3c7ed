"""Masks and gains in float64, as their sources define them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

__all__ = [
    "decision_directed",
    "over_subtraction",
    "posterior_wiener_gain",
    "ratio_masks",
    "subtraction_gain",
    "wiener_gain",
]

_LEAST_NOISE = 1e-30  # the kernels' own: the papers assume that there is some


def ratio_masks(estimates: npt.NDArray[Any], exponent: float) -> Array:
    """``|S_k|^p / sum_j |S_j|^p`` over the first axis; equal shares where all are zero.

    A. Liutkus and R. Badeau, "Generalized Wiener filtering with fractional power spectrograms", ICASSP 2015,
    equation 3.
    """
    magnitudes = np.abs(estimates.astype(np.complex128))
    largest = magnitudes.max(axis=0)
    powers = (magnitudes / np.where(largest == 0, 1, largest)) ** exponent
    total = powers.sum(axis=0)
    shares: Array = np.where(total == 0, 1 / len(estimates), powers / np.where(total == 0, 1, total))
    return shares


def wiener_gain(prior_snr: npt.NDArray[Any], floor: float) -> Array:
    """``max(floor, xi / (1 + xi))``: Y. Ephraim and D. Malah, IEEE TASSP 32 (6), 1984, section III."""
    xi = np.maximum(prior_snr.astype(np.float64), 0)
    gain: Array = np.maximum(floor, xi / (1 + xi))
    return gain


def posterior_wiener_gain(power: npt.NDArray[Any], noise: npt.NDArray[Any], floor: float) -> Array:
    """The same of ``xi = max(power / noise - 1, 0)``: R. McAulay and M. Malpass, IEEE TASSP 28 (2), 1980."""
    gamma = power.astype(np.float64) / np.maximum(noise, _LEAST_NOISE)
    return wiener_gain(np.maximum(gamma - 1, 0), floor)


def decision_directed(
    power: npt.NDArray[Any], noise: npt.NDArray[Any], weight: float, prior_floor: float, gain_floor: float
) -> tuple[Array, Array]:
    """A priori SNR and Wiener gain by Ephraim and Malah, 1984, equations 51 and 53."""
    gamma = power.astype(np.float64) / np.maximum(noise, _LEAST_NOISE)
    prior, gains = np.empty(power.shape), np.empty(power.shape)
    past = np.ones((power.shape[0], power.shape[2]))
    for t in range(power.shape[1]):
        excess = np.maximum(gamma[:, t] - 1, 0)
        prior[:, t] = np.maximum(weight * past + (1 - weight) * excess, prior_floor)
        gains[:, t] = wiener_gain(prior[:, t], gain_floor)
        past = gains[:, t] ** 2 * gamma[:, t]
    return prior, gains


def over_subtraction(power: npt.NDArray[Any], noise: npt.NDArray[Any], at_0_db: float) -> Array:
    """Factors by the SNR of frames: M. Berouti, R. Schwartz and J. Makhoul, ICASSP 1979, figure 2."""
    noise = np.broadcast_to(noise, power.shape)
    snr = 10 * np.log10(power.sum(axis=2, dtype=np.float64) / noise.sum(axis=2, dtype=np.float64))
    # A line through a0 at 0 dB and 1 at 20 dB, level outside of -5 to 20 dB.
    factors: Array = np.interp(snr, [-5, 0, 20], [at_0_db + (at_0_db - 1) / 4, at_0_db, 1])
    return factors


def subtraction_gain(
    power: npt.NDArray[Any], noise: npt.NDArray[Any], factor: float | npt.NDArray[Any], floor: float
) -> Array:
    """``sqrt(max(P - a N, b N) / P)``, at most 1: Berouti, Schwartz and Makhoul, 1979, equation 3."""
    p = np.maximum(power.astype(np.float64), 1e-30)
    n = noise.astype(np.float64)
    a = np.asarray(factor, np.float64)
    left = np.maximum(p - (a[..., None] if a.ndim else a) * n, floor * n)
    return np.sqrt(np.minimum(left / p, 1))
