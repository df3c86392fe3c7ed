"""The first thing that goes wrong in practice: an estimate that is early, late or turned over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .gauge import over_arrays
from .measured import Measured, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array

__all__ = ["Lag", "LagGauge", "best_lag"]

_REACH = 0.1  # seconds either way
_LEAST_LIKENESS, _LEAST_GAIN = 0.25, 0.1  # of a correlation, and dB of SDR, that are worth a word
_MOST = 100.0  # dB; beyond, rounding of the transforms decides


@dataclass(frozen=True, slots=True)
class Lag:
    """Where the estimate fits the reference best.

    Attributes:
        samples: how many samples the estimate is late; negative when it is early.
        inverted: it fits best with its polarity turned.
        sdr: what the SDR would be if it were moved and turned so, over what both cover then, dB, at most 100.
        rate: Hz.
    """

    samples: int
    inverted: bool
    sdr: float
    rate: int

    @property
    def note(self) -> str:
        """One sentence, or "" when nothing is to be said.

        Example:
            >>> Lag(480, inverted=False, sdr=31.25, rate=48000).note
            'the estimate is 480 samples (10.00 ms) late; moved, its SDR would be 31.2 dB'
        """
        if not self.samples and not self.inverted:
            return ""
        said, done = [], []
        if self.samples:
            count = abs(self.samples)
            where = "late" if self.samples > 0 else "early"
            plural = "" if count == 1 else "s"
            said.append(f"{count} sample{plural} ({1000 * count / self.rate:.2f} ms) {where}")
            done.append("moved")
        if self.inverted:
            said.append("inverted in polarity")
            done.append("turned")
        reached = "over 100 dB" if self.sdr >= _MOST else f"{self.sdr:.1f} dB"
        return f"the estimate is {' and '.join(said)}; {' and '.join(done)}, its SDR would be {reached}"


class LagGauge:
    """Correlates blocks of the reference with what stands around them in the estimate; see `best_lag`."""

    def __init__(self, rate: int, roles: Sequence[str]) -> None:
        self._rate, self._reach = rate, max(1, round(_REACH * rate))
        size = 1 << (4 * self._reach).bit_length()
        self._size, self._step = size, size - 2 * self._reach
        channels = len(roles)
        self._reference = np.zeros((channels, 0), np.float32)
        self._estimate = np.zeros((channels, self._reach), np.float32)
        self._spectrum = np.zeros(size // 2 + 1, np.complex128)
        self._energies = np.zeros(2)
        self._count = 0
        # What slides over an end: the reference's last samples and first ones, and the estimate's.
        self._ends = [np.zeros((channels, 0), np.float32) for _ in range(4)]

    def push(self, reference: Array, estimate: Array) -> None:
        """Take the next samples of both."""
        self._count += reference.shape[1]
        for k, block in enumerate((reference, estimate)):
            self._energies[k] += _energy(block)
            head, tail = self._ends[2 * k : 2 * k + 2]
            if head.shape[1] < self._reach:
                self._ends[2 * k] = np.concatenate([head, block], axis=1)[:, : self._reach]
            self._ends[2 * k + 1] = np.concatenate([tail, block], axis=1)[:, -self._reach :]
        self._reference = np.concatenate([self._reference, reference], axis=1)
        self._estimate = np.concatenate([self._estimate, estimate], axis=1)
        while self._estimate.shape[1] >= self._size:
            self._correlate()

    def _correlate(self) -> None:
        here = np.fft.rfft(self._reference[:, : self._step].astype(np.float64), self._size)
        around = np.fft.rfft(self._estimate[:, : self._size].astype(np.float64), self._size)
        self._spectrum += (here.conj() * around).sum(axis=0)
        self._reference = self._reference[:, self._step :]
        self._estimate = self._estimate[:, self._step :]

    def found(self) -> Lag:
        """Return where the estimate fits best; a lag of 0 where no other place is clearly better."""
        while self._reference.shape[1]:
            self._correlate()
        size, reach = self._size, self._reach
        # Place k of the inverse transform is the estimate's sample k - reach after the reference's.
        correlation = np.fft.irfft(self._spectrum, size)[: 2 * reach + 1]
        reach_here = min(reach, self._count // 2)
        inside = slice(reach - reach_here, reach + reach_here + 1)
        best = int(np.argmax(np.abs(correlation[inside]))) - reach_here
        peak = float(correlation[best + reach])
        likeness = abs(peak) / max(float(np.sqrt(self._energies.prod())), 1e-300)
        there, here = self._sdr(best, abs(peak)), self._sdr(0, float(correlation[reach]))
        if likeness < _LEAST_LIKENESS or there < here + _LEAST_GAIN:
            return Lag(0, inverted=False, sdr=here, rate=self._rate)
        return Lag(best, peak < 0, there, self._rate)

    def _sdr(self, lag: int, correlation: float) -> float:
        """Return the SDR over what both cover when the estimate is moved by a lag."""
        signal, estimate = self._energies.tolist()
        if lag:
            heads, tails = self._ends[::2], self._ends[1::2]
            late = lag > 0
            signal -= _energy(tails[0][:, -lag:] if late else heads[0][:, :-lag])
            estimate -= _energy(heads[1][:, :lag] if late else tails[1][:, lag:])
        error = signal + estimate - 2 * correlation
        return _MOST if error <= signal * 1e-10 else ratio(signal, error)

    def figures(self) -> dict[str, Measured]:
        """Return ``lag``, samples, with its sentence as the note."""
        lag = self.found()
        return {"lag": Measured(float(lag.samples), lag.note)}


def _energy(block: Array) -> float:
    return float(np.square(block, dtype=np.float64).sum())


def best_lag(reference: Array, estimate: Array, rate: int) -> Lag:
    """Return how late the estimate is, within 100 ms either way, by cross-correlation over all channels.

    A lag other than 0 is named only where the estimate would clearly gain by it: 0.1 dB of SDR, and a
    correlation of a quarter at least. Nothing is moved; the measures take both signals as they are.

    Args:
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.
        rate: Hz.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite.

    Example:
        >>> s = np.random.default_rng(0).uniform(-1, 1, (1, 8000)).astype(np.float32)
        >>> best_lag(s, np.roll(s, 7, axis=1), 8000).samples
        7
    """
    gauge = LagGauge(rate, [""] * len(reference))
    over_arrays(gauge, reference, estimate)
    return gauge.found()
