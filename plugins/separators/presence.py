"""Where nobody seems to sing: how far the vocals may be turned down there, so that less of a band leaks in.

A model that hears instruments alone claims some of them: a little in every frame, without certainty, and all
over the spectrum. Voices have more power, or clearer masks, or power in fewer bins. The numbers were found on
36 mixtures with voices and 32 passages without any, so that mixtures lose nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

__all__ = ["absence"]

#: Below, in dB of presence, vocals are turned down, by so many dB for each.
_THRESHOLD, _SLOPE = -7.0, 6.0
#: Weight of certainty against power, and the certainty (log odds) of a mask that counts neither way.
_SURE, _NEITHER = 4.0, 1.73
#: Weight of sparseness, and the bins that hold the power (as a logarithm) that count neither way.
_SPARSE, _BINS = 4.0, 4.5
#: Seconds of the averages, of the wait before and after a voice, and of the fade.
_AVERAGE, _WAIT, _FADE = 2.0, 1.5, 1.0


def absence(share: Array, magnitudes: Array, frame_rate: float, most: float) -> npt.NDArray[np.float64]:
    """Return by how much the vocals of each frame are to be turned down, in dB, ``[frames]``.

    Args:
        share: of the vocals in every bin's power, 0 to 1, ``[channels, frames, bins]``.
        magnitudes: of the mixture, of that shape.
        frame_rate: frames in a second.
        most: the largest attenuation in dB.

    Example:
        >>> ones = np.ones((1, 400, 8), np.float32)
        >>> round(float(absence(0.9 * ones, ones, 43.0, 30.0).max())) # a voice throughout
        0
        >>> round(float(absence(0.05 * ones, ones, 43.0, 30.0).min())) # nobody
        30
    """
    average = _hann(_AVERAGE * frame_rate)
    amplitude = share * magnitudes
    square = np.square(amplitude)
    voice = _smooth(_sums(square), average)
    rest = _smooth(_sums(np.square(magnitudes - amplitude)), average)
    certain = _smooth(_sums(square * share), average)
    tiny = 1e-12 * max(float(voice.max() + rest.max()), 1e-30)
    level = 10 * np.log10((voice + tiny) / (voice + rest + tiny))
    clearness = certain / (voice + tiny)
    odds = np.log((clearness + 1e-3) / (1.001 - clearness))
    spread = np.log(np.square(_smooth(_sums(amplitude), average)) / (voice + tiny) + 1)
    presence = level + _SURE * (odds - _NEITHER) + _SPARSE * (_BINS - spread)
    reach = round(_WAIT * frame_rate)
    padded = np.pad(presence, reach, mode="edge")
    nearby = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    return _smooth(np.clip(_SLOPE * (_THRESHOLD - nearby), 0, most), _hann(_FADE * frame_rate))


def _sums(plane: Array) -> npt.NDArray[np.float64]:
    sums: npt.NDArray[np.float64] = plane.sum(axis=(0, 2), dtype=np.float64)
    return sums


def _hann(frames: float) -> npt.NDArray[np.float64]:
    window: npt.NDArray[np.float64] = np.hanning(max(1, round(frames)) + 2)[1:-1]
    window /= window.sum()
    return window


def _smooth(x: npt.NDArray[np.float64], window: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    before = len(window) // 2
    padded = np.pad(x, (before, len(window) - 1 - before), mode="edge")
    return np.convolve(padded, window, mode="valid")
