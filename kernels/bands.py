"""Bands of hearing over the bins of a real FFT: energies of bands, and gains of bands spread over bins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_array, check_count, check_number
from .errors import KernelError
from .machine import Kernel, address_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Curve = Callable[[npt.ArrayLike], npt.NDArray[np.float64]]

__all__ = ["BARK", "ERB", "MEL_HTK", "MEL_SLANEY", "Bands", "Scale", "erb_width"]

_energies_of_power = Kernel("bands.energies_of_power", 4)
_energies_of_spectrum = Kernel("bands.energies_of_spectrum", 4)
_interpolate = Kernel("bands.interpolate", 4)


@dataclass(frozen=True)
class Scale:
    """A frequency scale of hearing.

    Attributes:
        name: of the scale.
        from_hz: Hz to the scale's unit, increasing; arrays of any shape.
        to_hz: the inverse.
    """

    name: str
    from_hz: Curve
    to_hz: Curve


def _erb_from_hz(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return 21.4 * np.log10(1 + 0.00437 * np.asarray(hz, np.float64))


def _erb_to_hz(erb: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.expm1(np.asarray(erb, np.float64) * (math.log(10) / 21.4)) / 0.00437


def _slaney_from_hz(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    hz = np.asarray(hz, np.float64)
    logarithmic = 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / math.log(6.4)
    return np.where(hz < 1000, 3 * hz / 200, logarithmic)


def _slaney_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    mel = np.asarray(mel, np.float64)
    return np.where(mel < 15, 200 * mel / 3, 1000 * 6.4 ** ((np.maximum(mel, 15) - 15) / 27))


def _htk_from_hz(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return 2595 * np.log10(1 + np.asarray(hz, np.float64) / 700)


def _htk_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return 700 * np.expm1(np.asarray(mel, np.float64) * (math.log(10) / 2595))


def _bark_from_hz(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    hz = np.asarray(hz, np.float64)
    z = 26.81 * hz / (1960 + hz) - 0.53
    bark: npt.NDArray[np.float64] = z + 0.15 * np.maximum(2 - z, 0) + 0.22 * np.maximum(z - 20.1, 0)
    return bark


def _bark_to_hz(bark: npt.ArrayLike) -> npt.NDArray[np.float64]:
    bark = np.asarray(bark, np.float64)
    z = np.where(bark < 2, (bark - 0.3) / 0.85, np.where(bark > 20.1, (bark + 4.422) / 1.22, bark))
    return 1960 * (z + 0.53) / (26.28 - z)


#: ERB-rate, 21.4 log10(4.37 f / kHz + 1) (Glasberg and Moore, Hearing Research 47, 1990, eq. 4).
ERB = Scale("ERB", _erb_from_hz, _erb_to_hz)
#: Mel of Slaney's Auditory Toolbox (Interval Research 1998-010): 3 f / 200 below 1 kHz, then logarithmic.
MEL_SLANEY = Scale("mel (Slaney)", _slaney_from_hz, _slaney_to_hz)
#: Mel of HTK, 2595 log10(1 + f / 700) (O'Shaughnessy, Speech Communication, 1987, p. 150).
MEL_HTK = Scale("mel (HTK)", _htk_from_hz, _htk_to_hz)
#: Bark, 26.81 f / (1960 + f) - 0.53 with its corrections below 2 and above 20.1 (Traunmüller, JASA 88,
#: 1990). From 200 Hz to 6.7 kHz within 0.05 of the critical bands of Zwicker, on which ISO 532-1 rests.
BARK = Scale("Bark", _bark_from_hz, _bark_to_hz)


def erb_width(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the equivalent rectangular bandwidth of the auditory filter at a frequency, both in Hz.

    24.7 (4.37 f / kHz + 1) (Glasberg and Moore, Hearing Research 47, 1990, eq. 3).

    Example:
        >>> round(float(erb_width(1000)), 1)
        132.6
    """
    return 24.7 * (1 + 0.00437 * np.asarray(hz, np.float64))


class Bands:
    """Bands over the ``n_fft // 2 + 1`` bins of a real FFT; each bin's weights sum to one.

    Make one with `triangular` or `rectangular`. It holds tables only, so threads may share it.

    Attributes:
        bins: how many there are.
        bands: how many there are.
        centres: centre of each band in Hz, ``[bands]``.
        widths: sum of each band's weights, in bins, ``[bands]``; energies / widths are mean powers.
    """

    def __init__(
        self, edges: list[int], shares: npt.NDArray[np.float64], centres: npt.NDArray[np.float64]
    ) -> None:
        self.bins, self.bands, self.centres = len(shares), len(centres), centres
        self._triangles = len(edges) - 1 - self.bands
        self._edges, self._shares = np.array(edges, np.int64), shares.astype(np.float32)
        tables = [address_of(self._edges), address_of(self._shares)]
        self._header = np.array([self.bins, self.bands, *tables, self._triangles], np.int64)
        self._state = address_of(self._header)
        self.widths = self.matrix().sum(axis=0)

    @classmethod
    def triangular(
        cls,
        scale: Scale,
        rate: float,
        n_fft: int,
        bands: int,
        *,
        low: float = 0.0,
        high: float | None = None,
        minimum: float = 1.0,
    ) -> Bands:
        """Return triangles whose feet stand at their neighbours' centres, straight lines over Hz.

        Centres are spaced evenly on the scale from ``low`` to ``high``; the outermost bands keep their
        weight of one to 0 Hz and to half the rate. Where centres would come closer than ``minimum``
        bins, they are moved up, so no band is empty.

        Args:
            scale: `ERB`, `MEL_SLANEY`, `MEL_HTK`, `BARK` or one of your own.
            rate: Hz.
            n_fft: samples in a frame, at least 2.
            bands: how many, at least 1.
            low: centre of the first band, Hz.
            high: centre of the last band, Hz; by default half the rate.
            minimum: bins between centres, at least 1.

        Raises:
            KernelError: an argument is out of range, or the bands do not fit into the bins.

        Example:
            >>> bands = Bands.triangular(ERB, 48000, 1024, 24)
            >>> energies = bands.energies(np.ones((1, 1, 513), np.float32))
            >>> round(float(energies.sum()))
            513
        """
        _check_layout(rate, n_fft, bands, minimum)
        high = rate / 2 if high is None else check_number("high", high)
        if not 0 <= check_number("low", low) < high <= rate / 2:
            raise KernelError(f"low {low} and high {high} must be 0 <= low < high <= rate / 2 = {rate / 2}")
        ends = scale.from_hz([low, high])
        hz = scale.to_hz(np.linspace(ends[0], ends[1], bands))
        centres = _spread(hz * n_fft / rate, minimum)
        top = n_fft // 2
        if centres[-1] > n_fft / 2 + 1e-6:
            raise KernelError(
                f"bands = {bands} do not fit into n_fft = {n_fft}: with centres {minimum} bins apart "
                f"the last is at {centres[-1] * rate / n_fft:.0f} Hz; use fewer bands or a longer frame"
            )
        centres[-1] = min(centres[-1], n_fft / 2)
        edges = [0, *(math.ceil(centre) for centre in centres), top + 1]
        shares = np.zeros(top + 1)
        for k in range(1, bands):
            inside = np.arange(edges[k], edges[k + 1])
            shares[inside] = (inside - centres[k - 1]) / (centres[k] - centres[k - 1])
        return cls(edges, shares, np.asarray(centres) * rate / n_fft)

    @classmethod
    def rectangular(cls, scale: Scale, rate: float, n_fft: int, bands: int, *, minimum: int = 1) -> Bands:
        """Return bands that share no bin, edges spaced evenly on the scale from 0 Hz to half the rate.

        Edges are rounded to bins; a band narrower than ``minimum`` bins pushes its upper edge up. This is
        how DeepFilterNet lays its bands (Schröter et al., ICASSP 2022; ``erb_fb`` of its libDF), with
        constants of the ERB-rate that can round an edge to the bin beside.

        Raises:
            KernelError: an argument is out of range, or the bands do not fit into the bins.

        Example:
            >>> Bands.rectangular(ERB, 48000, 960, 32, minimum=2).widths[:15].astype(int).tolist()
            [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 5, 5]
        """
        _check_layout(rate, n_fft, bands, minimum)
        bins = n_fft // 2 + 1
        top = float(scale.from_hz(rate / 2))
        hz = scale.to_hz(np.linspace(float(scale.from_hz(0.0)), top, bands + 1)[1:-1])
        rounded = np.floor(hz * n_fft / rate + 0.5)
        edges = [0, *(int(edge) for edge in _spread(np.array([0.0, *rounded]), int(minimum))[1:]), bins]
        if edges[-1] - edges[-2] < minimum:
            raise KernelError(
                f"bands = {bands} do not fit into n_fft = {n_fft}: of {bins} bins {edges[-1] - edges[-2]} "
                f"are left for the last; use fewer bands or a longer frame"
            )
        centres = (np.array(edges[:-1]) + np.array(edges[1:]) - 1) / 2
        return cls(edges, np.zeros(bins), centres * rate / n_fft)

    def matrix(self) -> npt.NDArray[np.float64]:
        """Return the weights as a dense matrix, ``[bins, bands]``."""
        weights = np.zeros((self.bins, self.bands))
        for k in range(len(self._edges) - 1):
            inside = np.arange(self._edges[k], self._edges[k + 1])
            weights[inside, min(k, self.bands - 1)] += self._shares[inside]
            weights[inside, max(k - self._triangles, 0)] += 1 - self._shares[inside].astype(np.float64)
        return weights

    def energies(
        self,
        spectrum: npt.NDArray[np.complex64] | npt.NDArray[np.float32],
        out: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return each band's weighted sum of powers, float32 ``[channels, frames, bands]``.

        A bin that is not finite makes NaN of the bands on its two sides and of no other.

        Args:
            spectrum: complex64 spectra, or float32 powers, ``[channels, frames, bins]``.
            out: where to put the result.

        Raises:
            KernelError: an array has another type, shape or layout.
        """
        powers = getattr(spectrum, "dtype", None) == np.float32
        dtype: type[Any] = np.float32 if powers else np.complex64
        check_array("spectrum", spectrum, dtype, (None, None, self.bins))
        out = _output(out, (*spectrum.shape[:2], self.bands), spectrum)
        kernel = _energies_of_power if powers else _energies_of_spectrum
        kernel(self._state, address_of(spectrum), address_of(out), out.shape[0] * out.shape[1])
        return out

    def interpolate(
        self, gains: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the gain of each bin, its bands' gains by weight, float32 ``[channels, frames, bins]``.

        Where neighbours have equal gains, bins have exactly that gain. A gain that is not finite makes NaN
        of the bins in reach of its band.

        Args:
            gains: float32 ``[channels, frames, bands]``.
            out: where to put the result.

        Raises:
            KernelError: an array has another type, shape or layout.
        """
        check_array("gains", gains, np.float32, (None, None, self.bands))
        out = _output(out, (*gains.shape[:2], self.bins), gains)
        _interpolate(self._state, address_of(gains), address_of(out), out.shape[0] * out.shape[1])
        return out


def _check_layout(rate: float, n_fft: int, bands: int, minimum: float) -> None:
    check_count("n_fft", n_fft, 2)
    check_count("bands", bands, 1)
    if check_number("rate", rate) <= 0:
        raise KernelError(f"rate must be a positive number of Hz, not {rate}")
    if check_number("minimum", minimum) < 1:
        raise KernelError(f"minimum must be at least 1 bin, not {minimum}")


def _spread(positions: npt.NDArray[np.float64], minimum: float) -> list[float]:
    """Move positions up until each is at least ``minimum`` above the one before."""
    spread = [float(positions[0])]
    for position in positions[1:]:
        spread.append(max(float(position), spread[-1] + minimum))
    return spread


def _output(
    out: npt.NDArray[np.float32] | None, shape: tuple[int, int, int], source: npt.NDArray[Any]
) -> npt.NDArray[np.float32]:
    if out is None:
        return np.empty(shape, np.float32)
    check_array("out", out, np.float32, shape, writable=True)
    if np.may_share_memory(out, source):
        raise KernelError("out must not share memory with the input")
    return out
