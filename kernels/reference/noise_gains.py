"""Speech presence, noise power and log-spectral gain in float64, as their sources define them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

__all__ = ["om_lsa"]


def _window_mean(x: Array, half: int) -> Array:
    """Mean over ``2 half + 1`` bins, those beyond either end being zero."""
    mean: Array = np.convolve(x, np.ones(2 * half + 1), "full")[half : half + len(x)] / (2 * half + 1)
    return mean


def om_lsa(spectra: npt.NDArray[Any], settings: Array, wide: int) -> tuple[Array, Array]:
    """Gains and noise power ``[frames, bins]`` of one channel's spectra, alike.

    Noise: T. Gerkmann and R. Hendriks, IEEE TASLP 20 (4), 2012, equations 18, 22 and 8; instead of its cap
        on a
    presence that lasts, twice the minimum of the smoothed power over this stretch of frames and the one
    before is the noise, once a tenth of the bins stand ``excess`` times above theirs. Gain: I. Cohen and B.
    Berdugo, Signal Processing 81, 2001, equations 16, 13, 14, 32 and 23 to 29, with ramps that are linear
    in the SNR and without the frame's own. ``settings`` are those of `kernels.noise_gains.OmLsaSettings`,
    in their order.
    """
    from scipy.special import exp1

    keep, smooth, xi_1, excess, weight, xi_min, keep_mean, start, slope, q_max, log_floor, stretch = settings
    bins = spectra.shape[1]
    noise, smoothed = np.full(bins, 1e-30), np.zeros(bins)
    lowest, before = np.zeros(bins), np.zeros(bins)
    past, mean = np.zeros(bins), np.zeros(bins)
    gains, noises, seen = np.empty(spectra.shape), np.empty(spectra.shape), 0
    for t, frame in enumerate(spectra.astype(np.complex128)):
        with np.errstate(invalid="ignore", over="ignore"):
            y = frame.real**2 + frame.imag**2
        y = np.where(y < 1e30, y, noise)
        if y.mean() > 1e-16:
            z = np.minimum(y / noise, 1e6) * xi_1 / (1 + xi_1)
            starting = seen < 12
            p = (0.5 if starting else 1.0) / (1 + (1 + xi_1) * np.exp(-np.minimum(z, 600)))
            stays = min(keep, seen / (seen + 1)) if starting else keep
            noise = np.maximum(stays * noise + (1 - stays) * (p * noise + (1 - p) * y), 1e-30)
            if seen == 0:
                smoothed = lowest = before = y
            smoothed = smooth * smoothed + (1 - smooth) * y
            if seen % stretch == 0:
                before, lowest = lowest, smoothed
            lowest = np.minimum(lowest, smoothed)
            least = np.minimum(lowest, before)
            if (least > excess * noise).sum() > 0.1 * bins:
                noise = np.where(least > excess * noise, 2 * least, noise)
            seen += 1
        gamma = np.minimum(y / noise, 1e4)
        xi = np.maximum(weight * past + (1 - weight) * np.maximum(gamma - 1, 0), xi_min)
        mean = keep_mean * mean + (1 - keep_mean) * xi
        near, far = (np.clip((_window_mean(mean, w) - start) * slope, 0, 1) for w in (1, wide))
        q = np.minimum(1 - near * far, q_max)
        v = np.maximum(gamma * xi / (1 + xi), 1e-12)
        lsa = np.minimum(xi / (1 + xi) * np.exp(exp1(v) / 2), 1)
        p = 1 / (1 + q / (1 - q) * (1 + xi) * np.exp(-np.minimum(v, 600)))
        past = lsa**2 * gamma
        gains[t], noises[t] = lsa**p * np.exp(log_floor) ** (1 - p), noise
    return gains, noises
