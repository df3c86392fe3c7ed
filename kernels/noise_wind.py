"""Wind out of speech: how sure it is, its spectrum by a learnt shape, and what several channels share.

After C. Nelke, N. Chatlani, C. Beaugeant and P. Vary, "Single microphone wind noise PSD estimation using
signal centroids", ICASSP 2014. Below about 90 Hz there is wind but no speech, so that band gives the level
of the gust in every frame; a spectral shape, learnt while wind blows, extrapolates it to all other bins.
Where a bin does not stand out of the extrapolation, the bin itself is the estimate (speech presence
probability: Gerkmann and Hendriks, IEEE TASLP 20, 2012). The gain is a Wiener gain on a decision-directed a
priori SNR (Ephraim and Malah, IEEE TASSP 32, 1984).

Wind at two microphones has nothing in common, speech has (C. Nelke and P. Vary, "Dual microphone wind noise
reduction by exploiting the complex coherence", ITG 2014). So where all channels show wind, and their gusts
are not alike, the gain is, up to 1.5 kHz (fading out to 3), the geometric mean of the above and of the root
of the coherence between a channel and the mean of the others; for one talker and wind of equal strength,
that root is the Wiener gain.

A bass line has a low band too. So the estimate counts only as far as the low band is noise, by five traits of
the last second, each of which wind has, and which are multiplied:

- noise: from one frame to the next but overlapping none, the gust bins' levels move independently, by the
  logistic distribution's variance pi^2/3 in nats^2. A held note's do not move; a decaying drum with noise
  moves more.
- phase: its autocorrelation over one frame is small; that of a note is 1.
- fill: no bin up to 600 Hz lies far below what the steepest wind (f^-3.5) would leave there; between the
  partials of a bass or above a kick drum there is less.
- centroid: at times, the centroid of 15 to 1000 Hz is low; hiss keeps it high.
- onset: its energy does not follow sudden rises, as that of a drum does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .arguments import check_array, check_count, check_number, check_output
from .errors import KernelError
from .gain_rule import GainRule
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float64]

__all__ = ["WindGains", "WindTables", "wind_settings"]

# Of `code.noise_wind`: float64 of a channel before its rows, and where two of its scalars are.
_STATE, _FILLED = 96, (1, 2, 10)
_LEVEL = 11

_POWER_MIN = 1e-18
_GUST_BAND = 15.0, 90.0  # Hz; below the pitch of speech
_TOP = 8000.0  # Hz; wind above is negligible, and the extrapolation falls faster
_QUANTILE = 0.3  # of a band's level over time: what is left when speech pauses
_QUANTILE_NORMAL = -0.524  # the same quantile of the normal distribution
_LEARN_RATE = 2.8  # nats/s by which a band of the shape rises; it falls at 7/3 of that
_OVER_HZ = 50.0, 120.0  # below the first there is no speech to lose
_OVER = 3.0, 1.3  # over-subtraction up to the first frequency and from the second
_COMPARED = 1500.0, 3000.0  # Hz up to which channels are compared in full, and at all


class WindTables:
    """Frequencies and the shape of wind for one frame size.

    Args:
        rate: samples per second.
        n_fft: samples in a frame, about 43 ms of them.

    Attributes:
        bins: of a frame.
        hz: frequency by bin.
        starts: first bin of each band, the bands being single bins, then third-octaves, from bin 1 on; and
            the bin behind the last.
        gust: how many bands, from the first on, tell the gust's level.
        paired: how many bins, from bin 1 on, tell whether it is noise.
        bias: by band, log of the `_QUANTILE` of noise over its mean.
        usual: log power of ordinary wind by band: 1/f^2 above 60 Hz.
        left: by bin, the band whose centre is not above it.
        part: by bin, how far it is on its way to the next, in log frequency.
        cut: by bin, the fall of the log power above the last band.
        over: over-subtraction by bin.
        fade: weight of the comparison between channels by bin.
        steepest: log power by bin that the steepest wind loses, f^-3.5 above 60 Hz.
        fill: bins from 100 to 600 Hz, the first and the one behind the last.
        low: bins up to 1 kHz.
        compared: bins up to where the comparison counts.

    Raises:
        KernelError: frames are too short to tell wind.
    """

    def __init__(self, rate: int, n_fft: int) -> None:
        check_count("rate", rate)
        check_count("n_fft", n_fft, 64, 1 << 20)
        self.bins = bins = n_fft // 2 + 1
        self.hz = hz = np.arange(bins) * rate / n_fft
        starts = [1]
        while starts[-1] < bins - 1 and hz[starts[-1]] < _TOP:
            starts.append(max(starts[-1] + 1, round(starts[-1] * 2 ** (1 / 3))))
        inside = [k for k in starts if k < bins]
        end = min(bins, round(starts[-2] * 2 ** (2 / 3)) + 1)
        self.starts = edges = np.append(inside, max(end, inside[-1] + 1)).astype(np.int64)
        self.gust = max(2, int(((hz > _GUST_BAND[0]) & (hz < _GUST_BAND[1])).sum()))
        # Two bins, as some rates have in the gust band, make too poor a variance.
        self.paired = max(self.gust, 3)
        self.fill = int(np.searchsorted(hz, 100)), int(np.searchsorted(hz, 600))
        self.low = int(np.searchsorted(hz, 1000))
        if self.paired > 8 or self.fill[1] - self.fill[0] < 4 or len(inside) < 8:
            raise KernelError(f"frames of {n_fft} samples at {rate} Hz do not tell wind; 43 ms do")
        self.compared = min(bins, int(np.searchsorted(hz, _COMPARED[1])) + 1)
        # Quantile of a mean of exponentials, i.e. of chi-square (Wilson and Hilferty, PNAS 17, 1931).
        spread = 2 / (9 * 2 * np.diff(edges).astype(np.float64))
        self.bias: Floats = 3 * np.log(1 - spread + _QUANTILE_NORMAL * np.sqrt(spread))
        centres = np.sqrt(hz[edges[:-1]] * hz[edges[1:] - 1])
        self.usual: Floats = -np.log1p((centres / 60) ** 2)
        log_hz = np.log(np.maximum(hz, hz[1]))
        place = np.interp(log_hz, np.log(centres), np.arange(len(centres)))
        self.left = np.minimum(place.astype(np.int64), len(centres) - 2)
        self.part: Floats = place - self.left
        self.cut: Floats = -2 * np.maximum(log_hz - np.log(_TOP), 0)
        self.over: Floats = np.interp(log_hz, np.log(_OVER_HZ), _OVER)
        self.fade: Floats = np.interp(hz, _COMPARED, (1, 0))
        self.steepest: Floats = 3.5 * np.log(np.maximum(hz, hz[1]) / 60)


def wind_settings(hop_seconds: float, strength: float = 1.0) -> Floats:
    """Return the constants of the method, in the order in which the kernel and its reference take them.

    Args:
        hop_seconds: time between frames.
        strength: how much of the estimated wind is taken off, 0 to 4; 1 is all.

    Raises:
        KernelError: an argument is out of its range.
    """
    hop = check_number("hop_seconds", hop_seconds, 1e-5, 1)
    up = _LEARN_RATE * hop
    return np.array(
        [
            np.exp(-hop / 1.0),  # evidence
            np.exp(-hop / 0.2),  # its phase
            np.exp(-hop / 0.015),  # the gust's level
            up,
            up * (1 / _QUANTILE - 1),
            4.0,  # nats by which the learnt shape may fall below the usual
            3.0,  # and rise above it
            40.0,  # a priori SNR of a bin that holds speech, as a ratio
            3.0,  # most by which one bin's wind exceeds its extrapolation, as a ratio
            np.exp(-hop / 0.009),  # the wind's spectrum
            np.exp(-hop / 0.1),  # the a priori SNR: less gives musical noise
            np.exp(-hop / 0.08),  # powers compared between channels
            0.3,  # root of the coherence that independent noise shows over that time
            check_number("strength", strength, 0, 4),
        ]
    )


class WindGains(GainRule):
    """Gains that take wind off speech, 0 to 1, frame by frame without look-ahead.

    However the frames are cut into calls, the bits are the same. Bins that are NaN or infinite count as
    silent.

    Args:
        channels: rows of every call, from 1.
        tables: of the frames.
        hop_seconds: time between frames.

    Raises:
        KernelError: an argument is out of its range.

    Example:
        >>> rule = WindGains(1, WindTables(48000, 2048), 512 / 48000)
        >>> rule.process(np.ones((1, 3, 1025), np.complex64)).min().item()
        1.0
    """

    kernel = Kernel("noise_wind.wind", 4)

    def __init__(self, channels: int, tables: WindTables, hop_seconds: float) -> None:
        super().__init__(channels, tables.bins)
        bands, n = len(tables.usual), tables.bins
        self._bands, self._settings = bands, wind_settings(hop_seconds)
        rows = (tables.hz, tables.steepest, tables.part, tables.cut, tables.over, tables.fade)
        rows_of_bins = np.concatenate([*rows, tables.usual, tables.bias])
        self._usual = tables.usual
        compared = tables.compared if channels > 1 else 0
        size = -(-(_STATE + bands + 2 * n + 4 * compared) // 8) * 8
        self._state = aligned((self.channels, size), np.float64)
        scratch = aligned(2 * n + 2 * bands, np.float64)
        self._indices = tables.starts.copy(), tables.left.copy()
        places = [self.channels, n, *tables.fill, tables.low, tables.gust, tables.paired, bands, compared]
        places += [*(address_of(a) for a in self._indices), size]
        header = np.array(places, np.int64)
        self._keep(0, header, self._state, rows_of_bins, self._settings, scratch)
        self.reset()

    def reset(self) -> None:
        """Forget every frame, and the shape of the wind."""
        first = _STATE + self._bands
        self._state[:] = 0
        self._state[:, _FILLED] = 1e-20
        self._state[:, _LEVEL] = np.log(_POWER_MIN)
        self._state[:, _STATE:first] = self._usual
        self._state[:, first:] = _POWER_MIN
        self._state[:, first + 2 * self.bins :] = 0

    def process(
        self,
        spectra: npt.NDArray[np.complex64],
        out: npt.NDArray[np.float32] | None = None,
        *,
        strength: float = 1.0,
        evidence: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the gains of the next frames.

        Args:
            spectra: complex64 ``[channels, frames, bins]``.
            out: float32 array of that shape for the gains.
            strength: how much of the estimated wind is taken off, 0 to 4; 1 is all.
            evidence: float32 ``[channels, frames]`` for how sure wind is, 0 to 1.

        Raises:
            KernelError: an array does not fit, or the strength is out of its range.
        """
        check_array("spectra", spectra, np.complex64, (self.channels, None, self.bins))
        out = check_output("out", out, spectra.shape, spectra)
        if evidence is not None:
            check_output("evidence", evidence, spectra.shape[:2], spectra, out)
        self._settings[-1] = check_number("strength", strength, 0, 4)
        self._table[0] = 0 if evidence is None else address_of(evidence)
        self.kernel(self.state, address_of(spectra), address_of(out), spectra.shape[1])
        self._table[0] = 0
        return out
