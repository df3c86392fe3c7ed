"""How well a bin's next frame is foretold by this one: near 1 for a steady tone, low for noise and blows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]

__all__ = ["coherence"]

#: Keeps silence from being divided by itself; far below the square of what 24 bits hold.
_TINY = np.float32(1e-25)
#: Pairs of frames that are summed: 2^3 and, for the surroundings, 2^5 of these sums.
_SHORT, _LONG = 3, 5
#: Bins likewise.
_NARROW, _WIDE = 3, 5


def coherence(spectrum: npt.NDArray[np.complex64]) -> tuple[Plane, Plane]:
    """Return the coherence of each bin with itself one frame later, and that of its surroundings, 0 to 1.

    ``|sum X[t + 1] X*[t]| / sum (|X[t + 1]|^2 + |X[t]|^2) / 2`` over channels, three bins and eight pairs of
    frames about t. A tone turns by one angle from frame to frame in all bins of its lobe, whatever its
    frequency, so its terms add up. The angles of noise differ: what its frames share by their overlap turns
    by a quarter more from each bin to the next, and cancels in part. For the surroundings, numerator and
    denominator are summed over 32 frames and five bins more.

    Args:
        spectrum: complex64 ``[channels, frames, bins]``.

    Returns:
        Two float32 ``[frames, bins]``.

    Example:
        >>> from unbraid.kernels.spectra import stft
        >>> tone = np.sin(2 * np.pi * 441 / 44100 * np.arange(44100), dtype=np.float32)[None]
        >>> noise = np.random.default_rng(0).standard_normal((1, 44100), dtype=np.float32)
        >>> [f"{coherence(stft(x, 4096, 1024))[1][20, 41]:.1f}" for x in (tone, noise)]
        ['1.0', '0.4']
    """
    _, frames, bins = spectrum.shape
    cross = np.zeros((frames, bins), np.complex64)
    power = np.zeros((frames, bins), np.float32)
    for one in spectrum:
        cross[:-1] += one[1:] * one[:-1].conj()
        square = np.square(one.real) + np.square(one.imag)
        square *= np.float32(0.5)
        power[:-1] += square[1:]
        power += square
    turned: Plane = np.abs(_over_frames(_over_bins(cross, _NARROW), _SHORT))
    power = _over_frames(_over_bins(power, _NARROW), _SHORT)
    power += _TINY
    own = np.asarray(turned / power, np.float32)
    around: Plane = _over_frames(_over_bins(turned, _WIDE), _LONG)
    around /= _over_frames(_over_bins(power, _WIDE), _LONG)
    return own, around


def _over_bins(x: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """Return sums of each bin and its neighbours; there is nothing beyond the ends."""
    padded = np.pad(x, [(0, 0), (count // 2, count // 2)])
    total = padded[:, : x.shape[1]].copy()
    for start in range(1, count):
        total += padded[:, start : start + x.shape[1]]
    return total


def _over_frames(x: npt.NDArray[Any], doublings: int) -> npt.NDArray[Any]:
    """Return sums of the 2^doublings frames about each: half of them before it."""
    count = 1 << doublings
    total = np.pad(x, [(count // 2, count // 2 - 1), (0, 0)])
    for k in range(doublings):
        total = total[: len(total) - (1 << k)] + total[1 << k :]
    return total
