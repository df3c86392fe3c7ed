"""Noise out of speech without a model: noise power by speech presence, and the gain of log amplitudes.

The noise follows a bin as far as speech is not likely in it (T. Gerkmann and R. Hendriks, "Unbiased
MMSE-based noise power estimation with low complexity and low tracking delay", IEEE TASLP 20 (4), 2012).
Noise that rises at once would look like speech for ever; so where a tenth of all bins have not paused for
half a second, the noise is twice their least smoothed power (after R. Martin, IEEE TSAP 9 (5), 2001, in two
stretches). The gain is the optimally modified log-spectral amplitude estimate (I. Cohen and B. Berdugo,
"Speech enhancement for non-stationary noise environments", Signal Processing 81, 2001; Y. Ephraim and D.
Malah, IEEE TASSP 33 (2), 1985) on a decision-directed a priori SNR.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array, check_count, check_number, check_output
from .gain_rule import GainRule
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["OmLsa", "OmLsaSettings"]

_WIDEST = 62


class OmLsaSettings:
    """The constants of `OmLsa`, as the kernel and its reference take them.

    Args:
        frame_rate: frames per second, above 0.
        noise_seconds: time constant of the noise power where there is no speech.
        smooth_seconds: time constant of the smoothed power, whose minimum lifts the noise.
        speech_snr: a priori SNR of a bin with speech, linear.
        rise_seconds: what has not paused for twice this long is noise.
        excess: how far above the noise, as a ratio, the least smoothed power is before it becomes the noise.
        prior_seconds: time constant of the decision-directed rule.
        prior_floor: least a priori SNR, linear.
        mean_seconds: time constant of the a priori SNR's average, which decides where speech may be.
        presence_from: average a priori SNR at which speech becomes possible.
        presence_to: the same at which nothing speaks against it.
        most_absence: highest a priori probability of no speech.
        floor: gain where there is no speech, linear.

    Raises:
        KernelError: a setting is out of its range.
    """

    def __init__(  # noqa: PLR0913 - the method's constants, all but one by name
        self,
        frame_rate: float,
        *,
        noise_seconds: float = 0.08,
        smooth_seconds: float = 0.05,
        speech_snr: float = 10**1.5,
        rise_seconds: float = 0.4,
        excess: float = 8.0,
        prior_seconds: float = 0.17,
        prior_floor: float = 10**-2.5,
        mean_seconds: float = 0.045,
        presence_from: float = 0.1,
        presence_to: float = 0.3,
        most_absence: float = 0.95,
        floor: float = 0.03,
    ) -> None:
        rate = check_number("frame_rate", frame_rate, 1e-3, 1e6)
        seconds = {
            "noise_seconds": noise_seconds,
            "smooth_seconds": smooth_seconds,
            "prior_seconds": prior_seconds,
            "mean_seconds": mean_seconds,
        }
        keeps = {
            name: math.exp(-1 / (rate * check_number(name, value, 1e-6, 1e6)))
            for name, value in seconds.items()
        }
        start = check_number("presence_from", presence_from, 0, 1e3)
        stop = check_number("presence_to", presence_to, start + 1e-6, 1e4)
        self.values = np.array(
            [
                keeps["noise_seconds"],
                keeps["smooth_seconds"],
                check_number("speech_snr", speech_snr, 1, 1e4),
                check_number("excess", excess, 1, 1e6),
                keeps["prior_seconds"],
                check_number("prior_floor", prior_floor, 1e-6, 1),
                keeps["mean_seconds"],
                start,
                1 / (stop - start),
                check_number("most_absence", most_absence, 0, 0.999),
                math.log(check_number("floor", floor, 1e-6, 1)),
                max(1, round(check_number("rise_seconds", rise_seconds, 0, 1e6) * rate)),
            ]
        )


class OmLsa(GainRule):
    """Gains that take noise off speech, 0 to 1, frame by frame without look-ahead.

    However the frames are cut into calls, the bits are the same. Bins that are NaN, infinite or beyond 1e30
    in power count as noise; frames of digital silence leave the noise as it was. After a jump of the noise
    by 40 dB, up or down, the gains are back where they were within a second.

    Args:
        channels: rows of every call, from 1; each stands alone.
        bins: bins of every frame, from 1.
        settings: constants; see `OmLsaSettings`.
        wide: neighbours on each side that tell, with a bin, whether speech may be around, 1 to 62; 500 Hz.

    Raises:
        KernelError: an argument is out of its range.

    Example:
        >>> rule = OmLsa(1, 65, OmLsaSettings(frame_rate=100))
        >>> hiss = np.random.default_rng(0).standard_normal((1, 200, 65, 2)).astype(np.float32)
        >>> gains = rule.process(hiss.view(np.complex64)[..., 0])
        >>> bool(gains[:, 50:].mean() < 0.1)
        True
    """

    kernel = Kernel("noise_gains.om_lsa", 4)

    def __init__(self, channels: int, bins: int, settings: OmLsaSettings, *, wide: int = 15) -> None:
        super().__init__(channels, bins)
        header = np.array([channels, bins, check_count("wide", wide, 1, _WIDEST)], np.int64)
        self._state = aligned((self.channels, 8 + 6 * self.bins), np.float64)
        scratch = aligned(3 * self.bins + 129 + 8, np.float64)
        self._keep(0, header, self._state, settings.values, scratch)
        self.reset()

    def reset(self) -> None:
        """Forget every frame."""
        self._state[:] = 0
        self._state[:, 8 : 8 + self.bins] = 1e-30

    def process(
        self,
        spectra: npt.NDArray[np.complex64],
        out: npt.NDArray[np.float32] | None = None,
        *,
        noise: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the gains of the next frames.

        Args:
            spectra: complex64 ``[channels, frames, bins]``.
            out: float32 array of that shape for the gains.
            noise: float32 array of that shape for the noise power.

        Raises:
            KernelError: an array does not fit.
        """
        check_array("spectra", spectra, np.complex64, (self.channels, None, self.bins))
        out = check_output("out", out, spectra.shape, spectra)
        if noise is not None:
            check_output("noise", noise, spectra.shape, spectra, out)
        self._table[0] = 0 if noise is None else address_of(noise)
        self.kernel(self.state, address_of(spectra), address_of(out), spectra.shape[1])
        self._table[0] = 0
        return out
