"""Wind at a microphone, simulated: gusts whose level, flutter and colour follow the wind's speed.

After D. Mirabilii, A. Lodermeyer, F. Czwielong, S. Becker and E. Habets, "Simulating wind noise with airflow
speed-dependent characteristics", IWAENC 2022. The numbers below are the regressions that the authors publish
with their SC-Wind-Noise-Generator (https://github.com/audiolabs/SC-Wind-Noise-Generator, copyright 2023
Friedrich-Alexander-Universitaet Erlangen-Nuernberg, MIT licence); the code is not theirs. Everything is at
48 kHz, where they were measured.

What differs: a speed and a rumble can be asked for; the short-term variance keeps a mean of 1, since the
regression of its constant term falls below zero from 8 to 16 m/s; frames of the filter overlap after it, not
before, so that it rings on across their ends; and the result has an RMS of 0.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float64]
    Singles: TypeAlias = npt.NDArray[np.float32]

__all__ = ["RATE", "overload", "simulate_wind", "wind_filter"]

#: Samples per second of what is simulated.
RATE = 48000

_STEP = 64  # samples between values of the speed and of the short-term gain
_FRAME, _HOP = 2048, 1024  # of the colouring filter
_RMS = 0.1
_SPEED = 2.0, 18.0  # m/s within which the regressions hold
_WEIBULL_SHAPE, _WEIBULL_SCALE = 2.0, 2.0  # of the draws; the second in m/s
_POINT_SECONDS = 10.0  # a gustiness of 5 is five draws in this time
_FLUCTUATION, _FLUCTUATION_SECONDS = 10.0, 0.1  # m/s a sample before smoothing, and the smoother's length
_GAIN_DB = 8.00071114414022, -220.332082908370  # dB by m/s, and at 0 m/s
_ONE = np.ones(1)
_SHELF = 120.0  # Hz; wind falls from here on at the latest, so below it must not be flat
_MOST_PERSISTENCE = 0.98  # of the short-term variance, where the regressions would let it grow for ever

# Polynomials of the speed in m/s, the highest power first.
_ALPHA = (
    -2.73244444508231e-05,
    0.00141129711949206,
    -0.0274652794467908,
    0.257613241095714,
    -0.139824587447063,
)
_BETA = -9.75160902595897e-05, 0.00464300106846736, -0.0871968755558256, 0.651013973757802
_LINE_FREQUENCIES = (
    (
        -2.63412497797108e-06,
        9.50240139044154e-05,
        -0.000699199223507821,
        0.0106849674771013,
        -0.000966851130291645,
    ),
    (5.93162248595821e-05, -0.00271741166649528, 0.0428714179385289, -0.234688122194936, 0.541693139684727),
    (0.000215613938043173, -0.0103783584000284, 0.177250839818556, -1.21337646113093, 3.24796925730457),
    (-0.000149723789407121, 0.00483963669507075, -0.0329542145779793, -0.168053225019258, 2.54984352038733),
    (-0.000213703084399375, 0.00931864887930701, -0.129910107562929, 0.568371362156217, 1.86097523205089),
)


def simulate_wind(
    samples: int,
    seed: int,
    *,
    speed: float | None = None,
    gustiness: float | None = None,
    rumble: float | None = None,
) -> Singles:
    """Return wind noise of one microphone at 48 kHz, RMS 0.1; peaks may exceed 1.

    Args:
        samples: how many, at least 1.
        seed: of the random numbers; the same gives the same wind.
        speed: mean speed in m/s, held within 2 to 18, where the measurements lie; by default one is drawn
            (Weibull of scale 7 m/s). It shapes colour and flutter; the level is set afterwards.
        gustiness: changes of speed in 10 s, 1 (steady) to 10; by default one is drawn.
        rumble: dB by which the lowest frequencies are raised above those of the published filter, which is
            flat below some 100 Hz while outdoor wind is not (first-order shelf at 120 Hz); 0 to 18, by
            default one is drawn.

    Returns:
        float32 ``[samples]``.

    Raises:
        ValueError: there is no sample to make, or the gustiness is below 1.

    Example:
        >>> simulate_wind(48000, seed=1, speed=6).shape
        (48000,)
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, not {samples}")
    rng = np.random.default_rng(seed)
    drawn = 7.0 * rng.weibull(_WEIBULL_SHAPE), rng.uniform(2, 10), rng.uniform(0, 18)
    mean = float(np.clip(drawn[0] if speed is None else speed, *_SPEED))
    changes = drawn[1] if gustiness is None else gustiness
    if changes < 1:
        raise ValueError(f"gustiness must be at least 1, not {gustiness}")
    frames = samples // _HOP + 3
    profile = _speeds(frames * _HOP // _STEP + 1, mean, changes, rng)
    level = 10 ** (np.polyval(_GAIN_DB, profile - mean) / 20)
    gain = np.repeat(level, _STEP).reshape(-1, _STEP)
    gain += (np.append(level[1:], level[-1]) - level)[:, None] * (np.arange(_STEP) / _STEP)
    gain *= _flutter(np.clip(profile, *_SPEED), rng)
    source = gain.ravel()[: frames * _HOP] * rng.standard_normal(frames * _HOP)
    wind = _colour(source, profile, frames)[_HOP : _HOP + samples]
    wind = _deepen(wind, drawn[2] if rumble is None else rumble)
    wind *= _RMS / max(float(np.sqrt(np.mean(wind**2))), 1e-30)
    return wind.astype(np.float32)


def overload(x: Singles, level: float, *, hardness: float = 0.5, corner: float = 40.0) -> Singles:
    """Return a signal as an overloaded microphone gives it, at the level it had.

    The capsule's vent takes off the lowest sounds (first-order high-pass); its preamplifier saturates,
    ``x / (1 + |x|^p)^(1/p)``; the converter clips.

    Args:
        x: float32 ``[samples]`` or ``[channels, samples]`` at 48 kHz: everything that the microphone hears.
        level: dB by which the loudest 0.1 % of the samples stand above the point of saturation; from -20 on,
            where hardly anything changes.
        hardness: 0 (tape-like, p = 1.5) to 1 (a clipper, p = 20).
        corner: of the high-pass in Hz.

    Example:
        >>> round(float(np.abs(overload(simulate_wind(48000, seed=1), 12)).max()), 1)
        0.1
    """
    from scipy.signal import lfilter

    c = np.tan(np.pi * corner / RATE)
    heard = lfilter([1 / (1 + c), -1 / (1 + c)], [1, (c - 1) / (1 + c)], x.astype(np.float64), axis=-1)
    # Not np.quantile, whose sort would take most of the time.
    size = np.abs(heard).ravel()
    place = min(size.size - 1, int(0.999 * size.size))
    loud = max(float(np.partition(size, place)[place]), 1e-12)
    unit = loud * 10 ** (-level / 20)
    p = 1.5 * (20 / 1.5) ** hardness
    driven = np.clip(heard / unit, -1e6, 1e6)
    soft = driven / (1 + np.abs(driven) ** p) ** (1 / p)
    taken: Singles = (np.clip(soft, -0.95, 0.95) * unit).astype(np.float32)
    return taken


def wind_filter(speed: npt.ArrayLike) -> Floats:
    """Return the all-pole filters of wind of these speeds: ``[..., 6]``, the first coefficient 1.

    Their line spectral frequencies w1 to w5 in rad are polynomials of the speed: the roots on the unit circle
    of ``P = A(z) + z^-6 A(1/z)`` (w1, w3, w5) and of ``Q = A(z) - z^-6 A(1/z)`` (w2, w4, and 1 and -1), whose
    mean is A (F. Itakura, JASA 57, 1975). As an order of 5 has it, the spectrum is flat below some 100 Hz.

    Args:
        speed: m/s, held within 2 to 18; of any shape.

    Example:
        >>> wind_filter(6.0).round(2).tolist()
        [1.0, -2.58, 1.9, 0.07, -0.5, 0.11]
    """
    v = np.clip(np.asarray(speed, np.float64), *_SPEED)
    even = np.ones((*v.shape, 1))
    odd = np.broadcast_to([1.0, 0.0, -1.0], (*v.shape, 3))
    for k, row in enumerate(_LINE_FREQUENCIES):
        cosine = np.cos(np.polyval(row, v))[..., None]
        if k % 2 == 0:
            even = _with_pair(even, cosine)
        else:
            odd = _with_pair(odd, cosine)
    mean: Floats = (even + odd)[..., :-1] / 2
    return mean


def _with_pair(polynomial: Floats, cosine: Floats) -> Floats:
    """Multiply by ``1 - 2 cos(w) z^-1 + z^-2``."""
    product = np.zeros((*polynomial.shape[:-1], polynomial.shape[-1] + 2))
    product[..., :-2] += polynomial
    product[..., 1:-1] -= 2 * cosine * polynomial
    product[..., 2:] += polynomial
    return product


def _speeds(count: int, mean: float, changes: float, rng: np.random.Generator) -> Floats:
    """Speed in m/s every `_STEP` samples: draws, joined by half cosines, and a fluctuation."""
    seconds = count * _STEP / RATE
    points = max(2, int(np.ceil(changes * seconds / _POINT_SECONDS)) + 1)
    draws: Floats = _WEIBULL_SCALE * rng.weibull(_WEIBULL_SHAPE, points) if changes > 1 else np.zeros(points)
    draws -= _WEIBULL_SCALE * np.sqrt(np.pi) / 2 if changes > 1 else 0.0
    place = np.arange(count) * _STEP / RATE * changes / _POINT_SECONDS
    left = np.minimum(place.astype(int), points - 2)
    part: Floats = (1 - np.cos(np.pi * np.minimum(place - left, 1))) / 2
    # The Hann window that smooths, at the coarser step: of the same length, to the same deviation.
    window: Floats = np.hanning(int(_FLUCTUATION_SECONDS * RATE / _STEP) + 2)[1:-1]
    deviation = _FLUCTUATION * np.sqrt(1.5 / (_FLUCTUATION_SECONDS * RATE))
    window *= deviation / np.sqrt((window**2).sum())
    fluctuation: Floats = np.convolve(rng.standard_normal(count + len(window) - 1), window, "valid")
    speeds: Floats = mean + draws[left] * (1 - part) + draws[left + 1] * part + fluctuation
    return speeds


def _flutter(profile: Floats, rng: np.random.Generator) -> Floats:
    """Short-term gain ``[steps, _STEP]``: the root of a GARCH(1, 1) series, overlapping Hann windows."""
    alpha = np.maximum(np.polyval(_ALPHA, profile), 0)
    beta = np.maximum(np.polyval(_BETA, profile), 0)
    shrink = np.minimum(1, _MOST_PERSISTENCE / np.maximum(alpha + beta, 1e-9))
    alpha, beta = alpha * shrink, beta * shrink
    draws = rng.standard_normal(len(profile))
    series = np.empty(len(profile))
    variance, square = 1.0, 1.0
    for k, (a, b, draw) in enumerate(zip(alpha.tolist(), beta.tolist(), draws.tolist(), strict=True)):
        variance = (1 - a - b) + a * square + b * variance
        square = variance * draw * draw
        series[k] = square
    gains = series**0.25
    rise = (1 - np.cos(np.pi * np.arange(_STEP) / _STEP)) / 2
    flutter: Floats = gains[:, None] + (np.append(gains[1:], gains[-1]) - gains)[:, None] * rise
    return flutter


def _colour(source: Floats, profile: Floats, frames: int) -> Floats:
    """Filter each frame by the speed in its middle; overlap-add what comes out."""
    from scipy.signal import lfilter

    window = (1 - np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)) / 2
    padded = np.concatenate([np.zeros(_FRAME), source, np.zeros(_FRAME)])
    out = np.zeros(len(source) + _FRAME)
    middles = np.minimum((np.arange(frames) + 1) * _HOP // _STEP, len(profile) - 1)
    for start, filter_ in zip(range(0, frames * _HOP, _HOP), wind_filter(profile[middles]), strict=True):
        # With half a frame's time before it, so that the filter is in swing.
        filtered = lfilter(_ONE, filter_, padded[start + _HOP : start + 2 * _FRAME])
        out[start : start + _FRAME] += window * filtered[_HOP:]
    return out


def _deepen(wind: Floats, decibels: float) -> Floats:
    """Raise what lies below `_SHELF` by a first-order shelf."""
    from scipy.signal import lfilter

    top, bottom = np.tan(np.pi * _SHELF / RATE), np.tan(np.pi * _SHELF / RATE) * 10 ** (-decibels / 20)
    deeper: Floats = lfilter([1 + top, top - 1], [1 + bottom, bottom - 1], wind)
    return deeper
