"""The bands of a Mel-RoFormer: which bins of a spectrum each of its mel bands takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["mel_bands"]

# Slaney's scale: linear below 1 kHz, 27 logarithmic steps for each factor of 6.4 above.
_HZ_PER_MEL = 200.0 / 3
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_STEP = np.log(6.4) / 27.0


def mel_bands(rate: int, n_fft: int, bands: int) -> npt.NDArray[np.bool_]:
    """Return which bins lie under each triangle of a mel filter bank, ``[bands, bins]``.

    Neighbours overlap. The first bin belongs to the first band and the last to the last, which triangles
    alone would leave out.

    Args:
        rate: in Hz.
        n_fft: samples in a frame.
        bands: how many.

    Source: M. Slaney, "Auditory Toolbox, Version 2", Interval Research 1998-010 (the scale); J.-C. Wang,
    W.-T. Lu and M. Won, "Mel-Band RoFormer for Music Source Separation", ISMIR 2023 LBD (the bands).

    Example:
        >>> mel_bands(44100, 2048, 60).sum(axis=1)[[0, 20, 59]]
        array([  7,   9, 130])
    """
    top = _KNEE_MEL + np.log(rate / 2 / _KNEE_HZ) / _STEP if rate / 2 >= _KNEE_HZ else rate / 2 / _HZ_PER_MEL
    mels = np.linspace(0.0, top, bands + 2)
    hertz = _HZ_PER_MEL * mels
    above = mels >= _KNEE_MEL
    hertz[above] = _KNEE_HZ * np.exp(_STEP * (mels[above] - _KNEE_MEL))
    ramps = hertz[:, None] - np.fft.rfftfreq(n_fft, 1.0 / rate)
    widths = np.diff(hertz)[:, None]
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    inside: npt.NDArray[np.bool_] = np.minimum(rising, falling) > 0
    inside[0, 0] = inside[-1, -1] = True
    return inside
