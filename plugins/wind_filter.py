"""A classical wind filter: streaming masks from the signal centroid and a learnt wind spectrum.

After Nelke, Chatlani, Beaugeant and Vary, "Single microphone wind noise PSD estimation using signal
centroids", ICASSP 2014. Below about 90 Hz there is wind but no speech, so that band gives the level of
the gust in every frame; a spectral shape, learnt while wind blows, extrapolates it to all other bins.
Where a bin does not stand out of the extrapolation, the bin itself is the estimate (speech presence
probability: Gerkmann and Hendriks, IEEE TASLP 20, 2012). The gain is a Wiener gain on a
decision-directed a priori SNR (Ephraim and Malah, IEEE TASSP 32, 1984).

A bass line has a low band too. So the estimate counts only as far as the low band is noise: see `_Evidence`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..host.contract.stft_processor import StftProcessor
from .wind import WindParams

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..host.contract.audio import Spec

    Floats: TypeAlias = npt.NDArray[np.float64]
    Singles: TypeAlias = npt.NDArray[np.float32]
    Spectrum: TypeAlias = npt.NDArray[np.complex64]

__all__ = ["WindFilter"]

# Powers stay between these, so that no ratio of two leaves float32.
_POWER_MIN, _POWER_MAX = 1e-18, 1e18

_GUST_BAND = 15.0, 90.0  # Hz; below the pitch of speech
_TOP = 8000.0  # Hz; wind above is negligible, and the extrapolation falls faster
_LEARN_RATE = 2.8  # nats/s by which a band of the shape rises; it falls at 7/3 of that
_LEARN_QUANTILE = 0.3  # of a band's level over time: what is left when speech pauses
_QUANTILE_NORMAL = -0.524  # the same quantile of the normal distribution
_SHAPE_BELOW, _SHAPE_ABOVE = 4.0, 3.0  # nats by which the learnt shape may leave the nominal
_GUST_MS = 15.0  # time constant of the gust's level
_PSD_MS = 9.0  # time constant of the wind's spectrum
_PRIOR_MS = 75.0  # time constant of the a priori SNR: less gives musical noise
_SPEECH_SNR = 40.0  # a priori SNR of a bin that holds speech, as a ratio
_BIN_EXCESS = 3.0  # most by which one bin's wind exceeds its extrapolation, as a ratio
_OVER_HZ = 50.0, 120.0  # below the first there is no speech to lose
_OVER_LOW, _OVER_HIGH = 3.0, 1.3  # over-subtraction up to the first frequency and from the second


class _Bands:
    """Frequencies and the shape of wind for one frame size.

    Attributes:
        gust: the bins that tell the gust's level.
        starts: first bin of each band, the bands being single bins, then third-octaves, from bin 1 on.
        end: the bin behind the last band.
        bias: log of a band's `_LEARN_QUANTILE` over its mean, for noise.
        nominal: log power of ordinary wind by band: 1/f^2 above 60 Hz.
        over: over-subtraction by bin.
    """

    def __init__(self, rate: int, n_fft: int) -> None:
        bins = n_fft // 2 + 1
        self.hz = hz = np.arange(bins) * rate / n_fft
        starts = [1]
        while starts[-1] < bins - 1 and hz[starts[-1]] < _TOP:
            starts.append(max(starts[-1] + 1, round(starts[-1] * 2 ** (1 / 3))))
        self.starts = np.array([k for k in starts if k < bins])
        self.end = min(bins, round(starts[-2] * 2 ** (2 / 3)) + 1)
        edges = np.append(self.starts, max(self.end, self.starts[-1] + 1))
        self.counts = np.diff(edges).astype(np.float32)
        centres = np.sqrt(hz[edges[:-1]] * hz[edges[1:] - 1])
        self.gust = slice(1, 1 + max(2, int(((hz > _GUST_BAND[0]) & (hz < _GUST_BAND[1])).sum())))
        self.gust_bands = slice(0, self.gust.stop - 1)
        self.end = int(edges[-1])
        # Quantile of a mean of exponentials, i.e. of chi-square (Wilson and Hilferty, PNAS 17, 1931).
        spread = 2 / (9 * 2 * self.counts.astype(np.float64))
        self.bias = 3 * np.log(1 - spread + _QUANTILE_NORMAL * np.sqrt(spread))
        self.nominal = -np.log1p((centres / 60) ** 2)
        log_hz = np.log(np.maximum(hz, hz[1]))
        place = np.interp(log_hz, np.log(centres), np.arange(len(centres)))
        self._left = np.minimum(place.astype(int), len(centres) - 2)
        self._part = (place - self._left).astype(np.float32)
        self._cut = (-2 * np.maximum(log_hz - np.log(_TOP), 0)).astype(np.float32)
        over = np.interp(log_hz, np.log(_OVER_HZ), (_OVER_LOW, _OVER_HIGH))
        self.over = over.astype(np.float32)

    def levels(self, power: Singles) -> Floats:
        """Return log mean power by band ``[channels, bands]`` of ``power [channels, bins]``."""
        sums = np.add.reduceat(power[:, : self.end], self.starts, axis=1)
        return np.log((sums / self.counts).astype(np.float64))

    def spread(self, levels: Floats) -> Singles:
        """Return power by bin ``[channels, bins]``, log-linear between bands."""
        left = levels.astype(np.float32)
        step = np.diff(left, axis=1)
        spread: Singles = np.exp(left[:, self._left] + step[:, self._left] * self._part + self._cut)
        return spread


def _ramp(value: Floats, start: float, stop: float) -> Floats:
    """Return 0 at ``start``, 1 at ``stop``, linear between and constant outside."""
    return np.clip((value - start) / (stop - start), 0, 1)


class _Evidence:
    """Tells wind from other sound with a strong low band; energy-weighted over the last second.

    Five traits of the low band, each of which wind has, and which are multiplied:

    - noise: from one frame to the next but overlapping none, the gust bins' levels move independently,
      by the logistic distribution's variance pi^2/3 in nats^2. A held note's do not move; a decaying
      drum with noise moves more.
    - phase: its autocorrelation over one frame is small; that of a note is 1.
    - fill: no bin up to 600 Hz lies far below what the steepest wind (f^-3.5) would leave there; between
      the partials of a bass or above a kick drum there is less.
    - centroid: at times, the centroid of 15 to 1000 Hz is low (Nelke et al.); hiss keeps it high.
    - onset: its energy does not follow sudden rises, as that of a drum does.
    """

    _LAG = 4  # hops between frames that do not overlap
    _ONSET = 14  # hops, 150 ms: how long energy belongs to an onset

    def __init__(self, channels: int, bands: _Bands, hop_seconds: float) -> None:
        self._bands = bands
        hz = bands.hz
        # Two bins, as some rates have in the gust band, make too poor a variance.
        self._gust = slice(bands.gust.start, max(bands.gust.stop, bands.gust.start + 3))
        self._count = self._gust.stop - self._gust.start
        self._past = np.zeros((self._LAG, channels, self._count), np.complex128)
        self._rises = np.zeros((self._ONSET, channels))
        self._middle = slice(int(np.searchsorted(hz, 100)), int(np.searchsorted(hz, 600)))
        self._steepest = 3.5 * np.log(hz[self._middle] / 60)
        self._low = slice(1, int(np.searchsorted(hz, 1000)))
        self._keep = np.exp(-hop_seconds / 1.0)
        self._keep_phase = np.exp(-hop_seconds / 0.2)
        self._frame = 0
        self._product = np.zeros(channels, np.complex128)
        self._product_size = np.full(channels, 1e-20)
        self._energy, self._energy_both = np.full(channels, 1e-20), np.full(channels, 1e-20)
        self._noise, self._phase, self._fill, self._centroid, self._onset = np.zeros((5, channels))

    def update(self, X: Spectrum, power: Singles) -> Floats:
        """Take one frame ``[channels, bins]``; return how sure wind is, 0 to 1, ``[channels]``."""
        gust = X[:, self._gust].astype(np.complex128)
        slot = self._frame % self._LAG
        old = self._past[slot].copy()
        self._past[slot] = gust
        now, then = self._size(gust), self._size(old)
        self._energy *= self._keep
        self._energy += now.mean(axis=1)
        self._update_pair(gust * old.conj(), now, then)
        self._update_shape(power, now.mean(axis=1))
        self._frame += 1
        if self._frame <= self._LAG:
            return np.zeros(len(gust))
        noise = self._noise / self._energy_both
        phase = self._phase / self._energy_both
        return (
            _ramp(noise, 0.28, 0.48)
            * _ramp(noise, 1.7, 1.35)
            * _ramp(phase, 0.68, 0.52)
            * _ramp(self._fill / self._energy, -1.3, -0.75)
            * _ramp(self._centroid / self._energy, 0.05, 0.25)
            * _ramp(self._onset / self._energy, 0.7, 0.35)
        )

    @staticmethod
    def _size(gust: npt.NDArray[np.complex128]) -> Floats:
        return np.clip(gust.real**2 + gust.imag**2, _POWER_MIN, _POWER_MAX)

    def _update_pair(self, product: npt.NDArray[np.complex128], now: Floats, then: Floats) -> None:
        """Update what two frames tell: noise, phase, onset. The weaker frame weighs."""
        change = np.log(now) - np.log(then)
        change -= change.mean(axis=1, keepdims=True)
        moved = (change**2).sum(axis=1) / (self._count - 1) / (np.pi**2 / 3)
        self._product = self._keep_phase * self._product + product.sum(axis=1)
        self._product_size = self._keep_phase * self._product_size + np.abs(product).sum(axis=1)
        # One product agrees with itself: at the start, agreement says little.
        agreement = np.abs(self._product) / self._product_size * -np.expm1(-self._frame / 10)
        level, before = now.mean(axis=1), then.mean(axis=1)
        rise = np.log(level / before) if self._frame >= self._LAG else np.zeros(len(level))
        self._rises[self._frame % self._ONSET] = rise
        weight = np.minimum(level, before)
        self._energy_both = self._keep * self._energy_both + weight
        self._noise = self._keep * self._noise + weight * np.minimum(moved, 3)
        self._phase = self._keep * self._phase + weight * agreement
        self._onset = self._keep * self._onset + level * _ramp(self._rises.max(axis=0), 3.0, 4.5)

    def _update_shape(self, power: Singles, level: Floats) -> None:
        """Update what one frame's spectrum tells: fill, centroid."""
        missing = np.log(power[:, self._middle]) - np.log(level)[:, None] + self._steepest
        low = power[:, self._low].astype(np.float64)
        centroid = (low * self._bands.hz[self._low]).sum(axis=1) / low.sum(axis=1)
        self._fill = self._keep * self._fill + level * np.clip(missing, -6, 0).mean(axis=1)
        self._centroid = self._keep * self._centroid + level * _ramp(centroid, 380, 280)


class _WindSpectrum:
    """Tracks the power spectrum of wind: a gust's level times a learnt shape, refined by bin."""

    def __init__(self, channels: int, bands: _Bands, hop_seconds: float) -> None:
        self._bands = bands
        self._level = np.full(channels, np.log(_POWER_MIN))
        self._shape = np.repeat(bands.nominal[None], channels, axis=0)
        self._psd = np.full((channels, len(bands.hz)), _POWER_MIN, np.float32)
        self._up = _LEARN_RATE * hop_seconds
        self._keep_level = np.exp(-hop_seconds * 1000 / _GUST_MS)
        self._keep_psd = np.float32(np.exp(-hop_seconds * 1000 / _PSD_MS))

    def update(self, power: Singles, evidence: Floats) -> Singles:
        """Take one frame's power; return the wind's power, both ``[channels, bins]``."""
        bands = self._bands
        levels = bands.levels(power)
        gust = (levels - self._shape)[:, bands.gust_bands].mean(axis=1) + 0.4  # Jensen, in nats
        self._level = self._keep_level * self._level + (1 - self._keep_level) * gust
        expected = self._level[:, None] + self._shape
        self._learn(levels - bands.bias - expected, evidence)
        wind = np.clip(bands.spread(expected), _POWER_MIN, _POWER_MAX)
        # Likelihood of a bin with speech over one without, both complex Gaussian.
        ratio = np.minimum(power / wind * np.float32(_SPEECH_SNR / (1 + _SPEECH_SNR)), np.float32(60))
        speech = 1 / (1 + np.float32(1 + _SPEECH_SNR) * np.exp(-ratio))
        instant = np.minimum(power, np.float32(_BIN_EXCESS) * wind)
        instant += speech * (wind - instant)
        self._psd += (1 - self._keep_psd) * (instant - self._psd)
        return self._psd

    def _learn(self, deviation: Floats, evidence: Floats) -> None:
        """Move the shape towards a low quantile of what bands do over time, in steps of fixed size."""
        step = np.where(deviation > 0, 1.0, 1 - 1 / _LEARN_QUANTILE) * self._up
        nominal = self._bands.nominal
        self._shape += step * evidence[:, None]
        np.clip(self._shape, nominal - _SHAPE_BELOW, nominal + _SHAPE_ABOVE, out=self._shape)
        gust = self._bands.gust_bands
        self._shape -= (self._shape[:, gust].mean(axis=1) - nominal[gust].mean())[:, None]


class WindFilter(StftProcessor[WindParams]):
    """Wind filter: each channel on its own, frame by frame, without look-ahead."""

    def geometry(self, rate: int) -> tuple[int, int]:
        """Return frames of about 43 ms, a power of two."""
        n_fft = 1 << round(np.log2(rate * 2048 / 48000))
        return n_fft, n_fft // 4

    def start(self, spec: Spec) -> None:
        """Forget the wind and the speech."""
        n_fft, hop = self.geometry(spec.rate)
        (layout,) = spec.inputs.values()
        self._bands = _Bands(spec.rate, n_fft)
        self._evidence = _Evidence(layout.channels, self._bands, hop / spec.rate)
        self._wind = _WindSpectrum(layout.channels, self._bands, hop / spec.rate)
        self._clean = np.full((layout.channels, n_fft // 2 + 1), _POWER_MIN, np.float32)
        self._keep_prior = np.float32(np.exp(-hop / spec.rate * 1000 / _PRIOR_MS))

    def masks(self, X: npt.NDArray[np.complex64]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the mask of `clean`, ``[channels, frames, bins]``, between ``depth`` and 1."""
        clean = np.empty(X.shape, np.float32)
        for frame in range(X.shape[1]):
            # A contiguous copy: NumPy's vector loops must not see how many frames came.
            clean[:, frame] = self._gain(X[:, frame].copy())
        return {"clean": clean}

    def _gain(self, X: Spectrum) -> Singles:
        """Return the gain of one frame, ``[channels, bins]``."""
        with np.errstate(over="ignore"):
            power = np.clip(X.real**2 + X.imag**2, np.float32(_POWER_MIN), np.float32(_POWER_MAX))
        evidence = self._evidence.update(X, power)
        wind = self._wind.update(power, evidence)
        taken = (self.params.strength * evidence).astype(np.float32)[:, None] * self._bands.over * wind
        fresh = np.maximum(power - taken, 0)
        prior = self._keep_prior * self._clean + (1 - self._keep_prior) * fresh + np.float32(1e-20)
        gain: Singles = prior / (prior + taken)
        self._clean = gain**2 * power
        floored: Singles = np.maximum(gain, np.float32(10 ** (-self.params.depth / 20)))
        return floored
