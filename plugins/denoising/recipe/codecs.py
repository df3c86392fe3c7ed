"""What lossy codecs leave of a recording, without any codec at hand: coarse lines, missing bands, few levels.

Sources: Princen and Bradley, IEEE Trans. ASSP 34, 1986 (the lapped transform without aliasing that MP3, AAC
and Opus share); ITU-T G.711 (mu-law).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["coded"]

Signal = NDArray[np.float32]
_LINES = 512
#: Edges of bands in lines of 47 Hz, about a Bark each.
_EDGES = 0, 2, 4, 6, 8, 11, 14, 17, 20, 24, 29, 34, 40, 48, 58, 70, 86, 106, 132, 168, 216, 288, 384, 512
_MU = 255.0


def coded(random: np.random.Generator, signal: Signal) -> Signal:
    """Return a signal (48 kHz, ``[samples]``) as a codec drawn at random leaves it, aligned and as long."""
    if random.random() < 0.25:
        return _companded(signal, int(random.integers(6, 9)))
    return _transform_coded(signal, random.uniform(6, 18), random.uniform(0, 0.4), random.uniform(-60, -40))


def _companded(signal: Signal, bits: int) -> Signal:
    """Return a signal in so many bits on the logarithmic scale of G.711."""
    peak = float(np.abs(signal).max()) or 1.0
    bent = np.sign(signal) * np.log1p(_MU * np.abs(signal) / peak) / np.log1p(_MU)
    steps = 2.0 ** (bits - 1)
    held = np.round(bent * steps) / steps
    back: Signal = (np.sign(held) * peak * np.expm1(np.abs(held) * np.log1p(_MU)) / _MU).astype(np.float32)
    return back


def _transform_coded(signal: Signal, ratio: float, slope: float, floor: float) -> Signal:
    """Return a signal whose lapped transform was rounded band by band.

    Args:
        signal: ``[samples]``.
        ratio: dB from a band's level down to the error that rounding makes, in the lowest band.
        slope: dB by which the ratio falls from band to band.
        floor: bands so many dB below the loudest of their frame are left out.
    """
    basis = _basis()
    padded = np.pad(signal, (_LINES, 2 * _LINES))
    count = len(padded) // _LINES - 1
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * _LINES)[::_LINES][:count]
    lines = frames @ basis.T
    powers = np.add.reduceat(lines**2, _EDGES[:-1], axis=1) / np.diff(_EDGES)
    bands = np.arange(len(_EDGES) - 1)
    step = np.sqrt(12 * powers * 10 ** (-(ratio - slope * bands) / 10)).astype(np.float32)
    step[powers < powers.max(axis=1, keepdims=True) * 10 ** (floor / 10)] = np.inf
    wide = np.repeat(np.maximum(step, 1e-12), np.diff(_EDGES), axis=1)
    with np.errstate(invalid="ignore"):
        held = np.where(np.isinf(wide), 0, np.round(lines / wide) * wide)
    back = held @ basis
    out = np.zeros(len(padded), np.float32)
    out[: count * _LINES] += back[:, :_LINES].ravel()
    out[_LINES : (count + 1) * _LINES] += back[:, _LINES:].ravel()
    return out[_LINES : _LINES + len(signal)]


@cache
def _basis() -> Signal:
    """Return the windowed cosines of the transform, ``[lines, samples]``; their transpose takes it back."""
    time, line = np.arange(2 * _LINES) + 0.5, np.arange(_LINES) + 0.5
    window = np.sin(np.pi * time / (2 * _LINES))
    waves = np.cos(np.pi / _LINES * np.outer(line, time + _LINES / 2))
    basis: Signal = (np.sqrt(2 / _LINES) * waves * window).astype(np.float32)
    return basis
