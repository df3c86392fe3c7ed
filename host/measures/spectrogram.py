"""What a picture of a pair needs, gathered as the signals go by, in memory that does not grow much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .frames import HOP, N_FFT, Frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ..contract.processor import Array
    from .measured import Measured

__all__ = ["SILENCE", "Levels", "PairPicture", "Spectrogram"]

#: What silence is shown as, dB.
SILENCE = -200.0

_BANDS, _COLUMNS = 200, 720
_LOWEST = 40.0  # Hz
_FLOOR = 10 ** (SILENCE / 10)


class Spectrogram:
    """Mean powers in bands of equal width on a logarithmic axis, over stretches of time of equal length.

    When all columns are full, neighbours are joined and each stands for twice the time from then on, so any
    length fits.

    Attributes:
        edges: of the bands, Hz, one more than bands.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        top = rate / 2
        self.edges = np.geomspace(min(_LOWEST, top / 10), top, _BANDS + 1)
        bins = self.edges / rate * N_FFT
        self._low = np.minimum(np.round(bins[:-1]), N_FFT // 2).astype(np.int64)
        self._high = np.maximum(np.round(bins[1:]).astype(np.int64), self._low + 1)
        self._sums = np.zeros((_COLUMNS, _BANDS), np.float32)
        self._counts = np.zeros(_COLUMNS, np.int64)
        self._per, self._frames = 1, 0

    def push(self, power: npt.NDArray[Any]) -> None:
        """Take the next frames' powers, ``[frames, N_FFT // 2 + 1]``."""
        if not len(power):
            return
        total = np.zeros((len(power), power.shape[1] + 1))
        np.cumsum(power, axis=1, dtype=np.float64, out=total[:, 1:])
        bands = (total[:, self._high] - total[:, self._low]) / (self._high - self._low)
        while self._frames + len(power) > _COLUMNS * self._per:
            self._halve()
        at = (self._frames + np.arange(len(power))) // self._per
        np.add.at(self._sums, at, bands)
        np.add.at(self._counts, at, 1)
        self._frames += len(power)

    def _halve(self) -> None:
        for array in (self._sums, self._counts):
            joined = array[::2] + array[1::2]
            array[:] = 0
            array[: len(joined)] = joined
        self._per *= 2

    @property
    def seconds(self) -> tuple[float, float]:
        """Where the first and the last column begin and end."""
        start = (N_FFT - HOP) / 2 / self.rate
        columns = int(np.count_nonzero(self._counts))
        return start, start + columns * self._per * HOP / self.rate

    def levels(self) -> npt.NDArray[np.float64]:
        """Return ``[bands, columns]``, dB re a full-scale sine."""
        used = self._counts > 0
        means = self._sums[used] / self._counts[used, None]
        levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(means.T, _FLOOR, dtype=np.float64))
        return levels


class Levels:
    """The level of a signal in every 100 ms, over all channels."""

    def __init__(self, rate: int) -> None:
        self._step = max(1, round(rate / 10))
        self.step = self._step / rate
        self._held = np.zeros(0)
        self._means: list[npt.NDArray[np.float64]] = []

    def push(self, block: npt.NDArray[Any]) -> None:
        """Take the next samples, ``[channels, n]``."""
        held = np.concatenate([self._held, np.square(block, dtype=np.float64).mean(axis=0)])
        count = len(held) // self._step
        self._means.append(held[: count * self._step].reshape(count, self._step).mean(axis=1))
        self._held = held[count * self._step :]

    def levels(self) -> npt.NDArray[np.float64]:
        """Return the levels, dB re full scale (mean square), the last begun step included."""
        rest = [self._held.mean(keepdims=True)] if len(self._held) else []
        means = np.concatenate([*self._means, *rest])
        levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(means, _FLOOR))
        return levels


class PairPicture:
    """A gauge that keeps spectrograms of reference, estimate and error, and levels of reference and error."""

    def __init__(self, rate: int, roles: Sequence[str]) -> None:
        self._frames = [Frames(len(roles)), Frames(len(roles))]
        self.spectrograms = [Spectrogram(rate) for _ in range(3)]
        self.reference, self.error = Levels(rate), Levels(rate)

    def push(self, reference: Array, estimate: Array) -> None:
        """Take the next samples of both."""
        spectra = [
            frames.push(block) for frames, block in zip(self._frames, (reference, estimate), strict=True)
        ]
        for spectrogram, X in zip(self.spectrograms, (*spectra, spectra[0] - spectra[1]), strict=True):
            spectrogram.push((X.real * X.real + X.imag * X.imag).mean(axis=0))
        self.reference.push(reference)
        self.error.push(reference.astype(np.float64) - estimate)

    def figures(self) -> dict[str, Measured]:
        """Return nothing: it is for the eye."""
        return {}
