"""What a recording is worth: its active level, its floor, its clipping, and where its spectrum ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Worth", "active_level", "band_edge", "frame_levels", "measure", "trim"]

Signal = NDArray[np.float32]

_FRAMES = 50  # a second: 20 ms each
_RANGE = 20.0  # dB under the loud frames that still count as active
_SILENCE = -95.0  # dBFS: below it a frame holds no recorded floor, only zeros or dither


@dataclass(frozen=True, slots=True)
class Worth:
    """What was measured of one recording.

    Attributes:
        level: active level in dBFS (power of a full-scale square wave is 0).
        floor: level of the quietest twentieth of the frames that are not digital silence, dBFS.
        clipped: share of samples at the recording's own peak, 0..1; 0 when the peak is under 0.3.
        band: Hz up to which there is content.
        active: seconds of active frames.
        peak: greatest absolute sample.
    """

    level: float
    floor: float
    clipped: float
    band: float
    active: float
    peak: float

    @property
    def range(self) -> float:
        """Active level above the floor, in dB."""
        return self.level - self.floor


def frame_levels(signal: Signal, rate: int) -> NDArray[np.float64]:
    """Return the power of each whole 20 ms frame of a mono signal, in dBFS.

    Example:
        >>> frame_levels(np.full(960, 0.1, np.float32), 48000).round(1).tolist()
        [-20.0]
    """
    length = rate // _FRAMES
    frames = signal[: len(signal) // length * length].reshape(-1, length).astype(np.float64)
    return np.asarray(10 * np.log10(np.mean(frames**2, axis=1) + 1e-12))


def active_level(levels: NDArray[np.float64]) -> tuple[float, NDArray[np.bool_]]:
    """Return the mean power of the active frames in dBFS, and which frames are active.

    Active are the frames within 20 dB of the 95th percentile: a simple form of the active speech level of
    ITU-T P.56, which has a margin of 15.9 dB below the level itself.
    """
    active = levels > np.percentile(levels, 95) - _RANGE
    return float(10 * np.log10(np.mean(10 ** (levels[active] / 10)))), active


def band_edge(signal: Signal, rate: int, depth: float = 65.0) -> float:
    """Return the frequency in Hz above which a signal's loud moments hold nothing.

    The 95th percentile over time of each bin, smoothed over 300 Hz, is compared with its greatest value:
    ``depth`` dB below it nothing counts as content. Recordings that were cut off at a lower rate end there.
    """
    size = 1024 if rate > 30000 else 512
    count = len(signal) // size
    if count < 2:
        return rate / 2
    frames = signal[: count * size].reshape(count, size) * np.hanning(size)
    power = np.percentile(np.abs(np.fft.rfft(frames, axis=1)) ** 2, 95, axis=0)
    width = max(3, int(300 * size / rate))
    smooth = 10 * np.log10(np.convolve(power, np.ones(width) / width, "same") + 1e-14)
    last = np.nonzero(smooth > smooth.max() - depth)[0][-1] - width // 2  # what the smoothing has spread
    return float(min(rate / 2, max(1, last) * rate / size))


def measure(channels: Signal, rate: int) -> Worth | None:
    """Measure a recording [channels, samples]; None when there is too little of it to say anything.

    Example:
        >>> tone = np.sin(np.arange(48000) * 0.1).astype(np.float32)[None]
        >>> round(measure(tone, 48000).level)
        -3
    """
    if channels.shape[1] < rate * 0.12:
        return None
    peak = float(np.abs(channels).max())
    mono = channels.mean(axis=0)
    mono = mono - mono.mean()
    levels = frame_levels(mono, rate)
    level, active = active_level(levels)
    if peak < 1e-4 or level < -80:
        return None
    live = levels[frame_levels(channels.mean(axis=0), rate) > _SILENCE]  # as recorded: a mean hides silence
    at_peak = float((np.abs(channels) >= 0.985 * peak).mean(axis=1).max())
    return Worth(
        level=level,
        floor=float(np.percentile(live, 5)),
        clipped=at_peak if peak > 0.3 else 0.0,
        band=band_edge(mono, rate),
        active=float(active.sum()) / _FRAMES,
        peak=peak,
    )


def trim(signal: Signal, rate: int, keep: float = 0.2) -> Signal:
    """Cut leading and trailing silence of a mono signal down to ``keep`` seconds.

    Silence is what lies more than 40 dB below the active level.
    """
    levels = frame_levels(signal, rate)
    level, _ = active_level(levels)
    loud = np.nonzero(levels > level - 40)[0]
    length, margin = rate // _FRAMES, int(keep * rate)
    return signal[max(0, loud[0] * length - margin) : (loud[-1] + 1) * length + margin]
