"""How far a listener would hear the estimate from the target: the disturbance of PESQ, as a loss.

After ITU-T P.862 and P.862.2 (Rix, Beerends, Hollier, Hekstra, ICASSP 2001) as Martin-Donas et al. made a
loss of it (IEEE Signal Processing Letters 25, 2018): loudness in half-Bark bands, what is added weighs more
than what is missing, loud moments more than long ones. It leaves out what P.862 does for telephone lines:
alignment in time, and long-term equalisation, which would forgive a lost octave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..bands import BANDS, EDGES, FRAME, RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["disturbance"]

_SPEECH_HZ = 325.0, 3250.0  # where P.862 measures levels
_TOP = 8000.0  # Hz: P.862.2 hears no more
_STEP = 0.45  # Bark, the narrowest group of bands
_LOUD = 1.8e9  # mean power there that P.862.2 brings speech to (1e7, and 9 dB of its pre-filter)
_GAMMA, _SCALE = 0.23, 0.1866  # Zwicker's exponent and P.862's calibration
_SYMMETRIC, _ASYMMETRIC = 0.1, 0.0309  # weights of the two disturbances in P.862's score
_MOMENT, _EVERY = 32, 16  # frames: 320 ms, half overlapped


def _bark(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the critical-band rate (Schroeder, Atal, Hall, JASA 66, 1979)."""
    return np.asarray(7 * np.arcsinh(hz / 650))


_HZ = np.maximum(np.array(EDGES) - 0.5, 0) * RATE / FRAME  # where bands begin


def _bounds() -> NDArray[np.int64]:
    """Return the first band of each group, and one more; voices lie above the first band."""
    last = int(np.searchsorted(_HZ, _TOP))
    starts = [1]
    for band in range(2, last):
        if _bark(_HZ[band]) - _bark(_HZ[starts[-1]]) >= _STEP:
            starts.append(band)
    return np.array([*starts, last])


def _single(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))


def _quiet(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power that is just heard (Terhardt, Hearing Research 1, 1979)."""
    khz = hz / 1000
    level = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
    return np.asarray(10 ** (level / 10))


_BOUNDS = _bounds()
_RATES = _bark(_HZ[_BOUNDS])
_MIDDLES = (_RATES[:-1] + _RATES[1:]) / 2
_WIDTH = _single(np.diff(_RATES))
_QUIET = _single(_quiet(650 * np.sinh(_MIDDLES / 7)))
_EXPONENT = _single(_GAMMA * np.clip(6 / (_MIDDLES + 2), 1, 2) ** 0.15)
_GROUP = np.searchsorted(_BOUNDS, np.arange(BANDS), side="right") - 1
_LIE = _single(_GROUP[:, None] == np.arange(len(_WIDTH))) * (_STEP / _WIDTH)
_SPEECH = _single((_HZ[:-1] > _SPEECH_HZ[0]) & (_HZ[1:] < _SPEECH_HZ[1]))


def disturbance(gains: Tensor, mixture: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Return the points of P.862's score that the estimate loses, for each mixture ``[mixtures]``.

    Args:
        gains: ``[mixtures, frames, bands]``, 0 to 1.
        mixture: powers, of the same shape.
        target: powers, of the same shape, and not silent.
        weights: of bands that count, ``[mixtures, 1, bands]``.
    """
    loud = _LOUD / ((target * _SPEECH).sum(2).mean(1) + 1e-9)[:, None, None]
    wanted = (target * loud * (weights > 0)) @ _LIE
    found = (gains**2 * mixture * loud * (weights > 0)) @ _LIE
    found = found * _slow_gain(wanted, found)
    heard, true = _loudness(found), _loudness(wanted)
    apart = heard - true
    size = (apart.abs() - 0.25 * torch.minimum(heard, true)).clamp_min(0)
    more = ((found.detach() + 50) / (wanted + 50)) ** 1.2
    more = torch.where(more < 3, torch.zeros_like(more), more.clamp_max(12))
    whole = _WIDTH.sum()
    symmetric = torch.sqrt(whole * _STEP * (size**2 * _WIDTH).sum(2) + 1e-6)
    asymmetric = (size * more * _WIDTH).sum(2)
    level = ((wanted.sum(2) + 1e5) / 1e7) ** 0.04
    return _SYMMETRIC * _over_time(symmetric / level) + _ASYMMETRIC * _over_time(asymmetric / level)


def _slow_gain(wanted: Tensor, found: Tensor) -> Tensor:
    """Return the gain that P.862 forgives, ``[mixtures, frames, 1]``."""
    ratio = (wanted.sum(2) + 5e3) / (found.detach().sum(2) + 5e3)
    before = torch.cat([ratio[:, :1], ratio[:, :-1]], 1)
    return (0.8 * ratio + 0.2 * before).clamp(3e-4, 5)[:, :, None]


def _loudness(power: Tensor) -> Tensor:
    """Return Zwicker's loudness, sone per Bark, as P.862 has it."""
    grown = (0.5 + 0.5 * power / _QUIET) ** _EXPONENT - 1
    return _SCALE * (2 * _QUIET) ** _EXPONENT * grown.clamp_min(0)


def _over_time(values: Tensor) -> Tensor:
    """Return the mean of order two over moments of the means of order six within, ``[mixtures]``."""
    moments = values.clamp_max(45).unfold(1, min(_MOMENT, values.shape[1]), _EVERY)
    return torch.sqrt(((moments**6).mean(2) + 1e-9).pow(1 / 3).mean(1))
