"""Averages, minima and noise floors of powers over frames; smoothing of gains over frequency.

Arrays are float32 ``[channels, frames, bins]``. Objects carry their state from call to call: however the
frames are cut into calls, the bits are the same. They allocate when they are made (and an output, where
none is given). A power that is NaN or infinite counts as missing: the bin's state stays as it was, so one
broken frame does not poison those that follow.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array, check_count, check_number, check_output
from .errors import KernelError
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "MinimumStatistics",
    "MinimumTracker",
    "RecursiveAverage",
    "smooth_gains",
    "suppress_musical_noise",
]

_average = Kernel("smoothing.average", 7)
_minimum = Kernel("smoothing.minimum", 8)
_minimum_statistics = Kernel("smoothing.minimum_statistics", 7)
_post_filter = Kernel("smoothing.post_filter", 8)
_smooth = Kernel("smoothing.smooth", 6)

_SHAPES = {"rectangle": 0, "triangle": 1}
#: The most neighbours on one side; weights and their sums stay exact in float32.
_WIDEST = 4000


class RecursiveAverage:
    """One-pole average of each bin over frames, with one time constant for rise and one for fall.

    ``y[t] = x[t] + a (y[t-1] - x[t])`` with ``a = exp(-1 / (seconds * frame_rate))``, in float64: after
    that many seconds a step has covered 1 - 1/e of its way. Averages below 1e-30 become zero.

    Args:
        channels: rows of every call, from 1.
        bins: bins of every frame, from 1.
        frame_rate: frames per second, above 0 (the sampling rate over the hop).
        attack: seconds while a bin rises, from 0: no average.
        release: seconds while it falls, from 0.
        initial: the average before the first frame; None to start with the first frame itself.

    Raises:
        KernelError: an argument is out of its range.

    Example:
        >>> average = RecursiveAverage(1, 1, frame_rate=100, attack=0, release=0.01)
        >>> steps = np.array([[[1], [0], [0]]], np.float32)
        >>> average.process(steps).ravel().astype(float).round(4).tolist()
        [1.0, 0.3679, 0.1353]
    """

    def __init__(
        self,
        channels: int,
        bins: int,
        frame_rate: float,
        attack: float,
        release: float,
        *,
        initial: float | None = 0.0,
    ) -> None:
        self._channels = check_count("channels", channels, 1, 1 << 16)
        self._bins = check_count("bins", bins, 1, 1 << 24)
        rate = check_number("frame_rate", frame_rate, 1e-6, 1e9)
        seconds = [check_number("attack", attack, 0, 1e9), check_number("release", release, 0, 1e9)]
        self._initial = math.nan if initial is None else check_number("initial", initial, -1e38, 1e38)
        self._stays = np.array([math.exp(-1 / (s * rate)) if s * rate > 0 else 0.0 for s in seconds])
        self._state = aligned((self._channels, self._bins), np.float64)
        self.reset()

    def reset(self) -> None:
        """Forget every frame."""
        self._state[:] = self._initial

    def process(
        self, power: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the averages after each frame, ``[channels, frames, bins]`` as ``power``.

        A bin that is NaN or infinite keeps its average; it is NaN where there is none yet.

        Raises:
            KernelError: an array does not fit.
        """
        check_array("power", power, np.float32, (self._channels, None, self._bins))
        out = check_output("out", out, power.shape, power)
        at = address_of(self._state), address_of(self._stays)
        _average(address_of(power), address_of(out), *power.shape, *at)
        return out


class MinimumTracker:
    """Exact minimum of each bin over the last ``length`` frames, at a cost that does not grow with it.

    The frames are cut into blocks of ``length``; a window is the end of one block and the beginning of
    the next, whose minima are kept: three comparisons a value (M. van Herk, Pattern Recognition Letters
    13 (7), 1992; J. Gil and M. Werman, IEEE PAMI 15 (5), 1993). The last frame of a block prepares the
    next one, so it costs about ``length`` times more than the others.

    Args:
        channels: rows of every call, from 1.
        bins: bins of every frame, from 1.
        length: frames of the window, from 1; before so many were seen, it begins at the first.

    Raises:
        KernelError: an argument is out of its range.

    Example:
        >>> tracker = MinimumTracker(1, 1, length=3)
        >>> power = np.array([4, 2, 5, 6, 7, 9], np.float32)
        >>> tracker.process(power.reshape(1, -1, 1)).ravel().tolist()
        [4.0, 2.0, 2.0, 2.0, 5.0, 6.0]
    """

    def __init__(self, channels: int, bins: int, length: int) -> None:
        self._channels = check_count("channels", channels, 1, 1 << 16)
        self._bins = check_count("bins", bins, 1, 1 << 24)
        self._length = check_count("length", length, 1, 1 << 20)
        self._position = np.zeros(1, np.int64)
        self._state = aligned((self._channels, self._length + 1, self._bins))
        self.reset()

    def reset(self) -> None:
        """Forget every frame."""
        self._position[:] = 0
        self._state[:] = np.inf

    def process(
        self, power: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the minima up to each frame, ``[channels, frames, bins]`` as ``power``.

        NaN and infinity are never the minimum; it is infinite where a window holds nothing else.

        Raises:
            KernelError: an array does not fit.
        """
        check_array("power", power, np.float32, (self._channels, None, self._bins))
        out = check_output("out", out, power.shape, power)
        at = self._length, address_of(self._position), address_of(self._state)
        _minimum(address_of(power), address_of(out), *power.shape, *at)
        return out


#: Mean of the minimum of D values, by D: R. Martin, Signal Processing 86, 2006, table 5 (beyond 160 frames
#: wider than table III of the paper of 2001); between entries it is linear in 1 / sqrt(D).
_FRAMES = np.array([1, 2, 5, 8, 10, 15, 20, 30, 40, 60, 80, 120, 140, 160, 180, 220, 260, 300])
_MINIMA = (
    np.array([0, 260, 480, 580, 610, 668, 705, 762, 800, 841, 865, 890, 900, 910, 920, 930, 935, 940]) / 1000
)


def _bias(frames: int) -> tuple[float, float]:
    """Slope and pole of equation 17 in the inverse degrees of freedom: ``1 + slope q / (1 - pole q)``."""
    m = float(np.interp(-1 / math.sqrt(frames), -1 / np.sqrt(_FRAMES), _MINIMA))
    return 2 * (frames - 1) * (1 - m), 2 * m


class MinimumStatistics:
    """Power spectral density of noise under speech or music, from the minima of a smoothed power.

    R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics",
    IEEE Trans. Speech and Audio Processing 9 (5), 2001: smoothing by equations 4 and 9 to 12, bias
    compensation by 17 and 20 to 23, sub-windows and local minima by figure 5. Its constants hold at 62.5
    frames a second and are converted to the time they mean at other rates. The inverse degrees of freedom
    are at least 1/14 over the number of frames seen, as in M. Brookes' VOICEBOX.

    Stationary noise is found within about 10 % after a window; noise that grows is followed after a window
    at the latest. Powers are those of an STFT at full scale 1; averages below 1e-30 become zero.

    Args:
        channels: rows of every call, from 1.
        bins: bins of every frame, from 1.
        frame_rate: frames per second (the sampling rate over the hop), 1 to 10000.
        window: seconds of signal whose minimum is taken, above 0 to 100; rounded to whole sub-windows.
        sub_windows: parts of the window, 1 to 100: how often minima are renewed. A part has at least four
            frames, if need be by having fewer parts.

    Raises:
        KernelError: an argument is out of its range.

    Example:
        >>> noise = np.random.default_rng(0).exponential(2, (1, 400, 129)).astype(np.float32)
        >>> floor = MinimumStatistics(1, 129, frame_rate=62.5).process(noise)
        >>> bool(1.8 < floor[0, 150:].mean() < 2.2)
        True
    """

    def __init__(
        self, channels: int, bins: int, frame_rate: float, *, window: float = 1.536, sub_windows: int = 8
    ) -> None:
        self._channels = check_count("channels", channels, 1, 1 << 16)
        self._bins = check_count("bins", bins, 1, 1 << 24)
        rate = check_number("frame_rate", frame_rate, 1, 1e4)
        seconds, parts = (
            check_number("window", window, 1e-3, 100),
            check_count("sub_windows", sub_windows, 1, 100),
        )
        length = round(seconds * rate / parts)
        if length < 4:
            length, parts = 4, max(round(seconds * rate / 4), 1)
        self._start = np.array([length, 0, 0, length, parts, self._channels, self._bins], np.int64)
        frame = 62.5 / rate  # of the paper's
        slopes = [slope ** (length * frame / 12) for slope in (8, 4, 2, 1.2)]
        limits = [0.7**frame, 0.96**frame, 0.3**frame, 0.8**frame, -frame / 4]
        self._parameters = np.array([*limits, *_bias(length * parts), *_bias(length), *slopes])
        self._header = self._start.copy()
        self._state = aligned((self._channels, 8 + (8 + parts) * self._bins), np.float64)
        self._scratch = aligned(64 + 4 * self._bins, np.float64)
        self.reset()

    @property
    def window_frames(self) -> int:
        """Frames of the window after rounding."""
        return int(self._start[3] * self._start[4])

    def reset(self) -> None:
        """Forget every frame."""
        self._header[:] = self._start
        self._state[:] = 0

    def process(
        self, power: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the noise's power after each frame, ``[channels, frames, bins]`` as ``power``.

        Raises:
            KernelError: an array does not fit.
        """
        check_array("power", power, np.float32, (self._channels, None, self._bins))
        out = check_output("out", out, power.shape, power)
        at = [address_of(a) for a in (self._header, self._state, self._parameters, self._scratch)]
        _minimum_statistics(address_of(power), address_of(out), power.shape[1], *at)
        return out


def smooth_gains(
    gains: npt.NDArray[np.float32],
    half_width: int,
    *,
    weights: str = "rectangle",
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return each gain's weighted mean over the bins within ``half_width`` of it.

    At either end the mean is over the bins that exist, so a constant stays a constant. Frames do not
    touch each other; NaN and infinity reach as far as the weights do.

    Args:
        gains: float32 ``[channels, frames, bins]``.
        half_width: neighbours on either side, 0 to 4000.
        weights: ``rectangle``, a moving average, or ``triangle``, falling to zero just outside.
        out: where to put the result.

    Raises:
        KernelError: an argument does not fit.

    Example:
        >>> smooth_gains(np.array([[[0, 0, 4, 0, 0]]], np.float32), 1, weights="triangle").tolist()
        [[[0.0, 1.0, 2.0, 1.0, 0.0]]]
    """
    check_array("gains", gains, np.float32, ("channels", None, "bins"))
    half = check_count("half_width", half_width, 0, _WIDEST)
    if weights not in _SHAPES:
        raise KernelError(f"weights must be one of {', '.join(_SHAPES)}, not {weights!r}")
    out = check_output("out", out, gains.shape, gains)
    channels, frames, bins = gains.shape
    _smooth(address_of(gains), address_of(out), channels * frames, bins, half, _SHAPES[weights])
    return out


def suppress_musical_noise(
    gains: npt.NDArray[np.float32],
    power: npt.NDArray[np.float32],
    *,
    threshold: float = 0.4,
    half_width: int = 10,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return gains smoothed over frequency in those frames of which they leave little.

    T. Esch and P. Vary, "Efficient musical noise suppression for speech enhancement systems", ICASSP 2009:
    where the gains keep less than ``threshold`` of a frame's power, they become a moving average over
    ``2 round(half_width (1 - kept / threshold)) + 1`` bins. Lone peaks, which would ring as musical noise,
    are spread out; frames with a clear signal stay as they are. At either end the mean is over the bins
    that exist.

    Args:
        gains: float32 ``[channels, frames, bins]``.
        power: of the spectrum that they are meant for, the same shape.
        threshold: share of the power, above 0 to 1.
        half_width: the most neighbours on either side, 0 to 4000; meant for the resolution at hand.
        out: where to put the result.

    Raises:
        KernelError: an argument does not fit.

    Example:
        >>> gains = np.array([[[0, 0, 0.5, 0, 0]]], np.float32)
        >>> suppress_musical_noise(gains, np.ones_like(gains), half_width=1).astype(float).round(3).tolist()
        [[[0.0, 0.167, 0.167, 0.167, 0.0]]]
    """
    check_array("gains", gains, np.float32, ("channels", None, "bins"))
    check_array("power", power, np.float32, gains.shape)
    setting = np.array([check_number("threshold", threshold, 1e-6, 1)])
    half = check_count("half_width", half_width, 0, _WIDEST)
    out = check_output("out", out, gains.shape, gains, power)
    channels, frames, bins = gains.shape
    scratch = aligned(64 + 2 * bins, np.float64)
    arrays = address_of(gains), address_of(power), address_of(out)
    _post_filter(*arrays, channels * frames, bins, address_of(setting), half, address_of(scratch))
    return out
