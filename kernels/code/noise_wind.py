"""Wind in speech: how sure it is, its spectrum, and the gain that takes it off; see `kernels.noise_wind`.

A channel's state is float64: scalars, the past of the gust bins, past rises, the bands' learnt shape, then
rows of a value a bin: the wind's power and the clean frame before; with several channels four rows more of
a value a bin compared: power of the channel, power of the others' mean, and their cross power.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementary import exponential, logarithm
from .memory import f32, f64, i64, inline
from .noise_functions import ramp

__all__ = ["GUST", "LAG", "ONSET", "SCALARS", "STATE", "wind"]

_LEAST, _MOST = 1e-18, 1e18  # powers stay between
LAG = 4  # hops between frames that do not overlap
ONSET = 14  # hops for which energy belongs to an onset
GUST = 8  # the most gust bins
SCALARS = 16
#: Float64 of a channel before its rows.
STATE = SCALARS + LAG * 2 * GUST + 16

# Scalars of a channel.
_FRAME, _ENERGY, _BOTH, _NOISE, _PHASE, _FILL, _CENTROID, _RISE = 0, 1, 2, 3, 4, 5, 6, 7
_RE, _IM, _SIZE, _LEVEL, _EVIDENCE = 8, 9, 10, 11, 12


@inline
def _between(value: Any) -> Any:
    return min(max(value, _LEAST), _MOST)


@inline
def _power(x: Any, scratch: Any, n: Any) -> Any:
    source, power = f32(x, 2 * n), f64(scratch, n)
    for i in range(n):
        re, im = np.float64(source[2 * i]), np.float64(source[2 * i + 1])
        value = re * re + im * im
        power[i] = _between(value) if value < np.inf else _LEAST
    return 0


@inline
def _finite(value: Any) -> Any:
    """The same; held within a range whose squares stay finite; 0 for NaN."""
    kept: Any = np.float64(value)
    return min(max(kept, -1e18), 1e18) if abs(kept) < np.inf else 0.0


@inline
def _pair(x: Any, state: Any, gust: Any, count: Any, constants: Any) -> Any:
    """What two frames of the gust bins tell: noise, phase, onset. Returns their level."""
    setting = f64(constants, 14)
    keep, keep_phase = setting[0], setting[1]
    scalar, rises = f64(state, SCALARS), f64(state + 8 * (STATE - 16), ONSET)
    frame = int(scalar[_FRAME])
    past = f64(state + 8 * (SCALARS + (frame % LAG) * 2 * GUST), 2 * GUST)
    source = f32(x, 2 * (gust + count))
    level, before, mean, square = 0.0, 0.0, 0.0, 0.0
    re_sum, im_sum, size_sum = 0.0, 0.0, 0.0
    for i in range(count):
        re, im = _finite(source[2 * (gust + i)]), _finite(source[2 * (gust + i) + 1])
        re_old, im_old = past[2 * i], past[2 * i + 1]
        now, then = _between(re * re + im * im), _between(re_old * re_old + im_old * im_old)
        change = logarithm(now) - logarithm(then)
        mean, square = mean + change, square + change * change
        level, before = level + now / count, before + then / count
        a, b = re * re_old + im * im_old, im * re_old - re * im_old
        re_sum, im_sum, size_sum = re_sum + a, im_sum + b, size_sum + np.sqrt(a * a + b * b)
        past[2 * i], past[2 * i + 1] = re, im
    moved = max(square - mean * mean / count, 0.0) / (count - 1) / (np.pi * np.pi / 3)
    scalar[_RE] = keep_phase * scalar[_RE] + re_sum
    scalar[_IM] = keep_phase * scalar[_IM] + im_sum
    scalar[_SIZE] = keep_phase * scalar[_SIZE] + size_sum
    agreed = np.sqrt(scalar[_RE] * scalar[_RE] + scalar[_IM] * scalar[_IM]) / scalar[_SIZE]
    # One product agrees with itself: at the start, agreement says little.
    agreed *= 1.0 - exponential(-0.1 * frame)
    rises[frame % ONSET] = logarithm(level) - logarithm(before) if frame >= LAG else 0.0
    highest = rises[0]
    for i in range(1, ONSET):
        highest = max(highest, rises[i])
    weight = min(level, before)
    scalar[_ENERGY] = keep * scalar[_ENERGY] + level
    scalar[_BOTH] = keep * scalar[_BOTH] + weight
    scalar[_NOISE] = keep * scalar[_NOISE] + weight * min(moved, 3.0)
    scalar[_PHASE] = keep * scalar[_PHASE] + weight * agreed
    scalar[_RISE] = keep * scalar[_RISE] + level * ramp(highest, 3.0, 1 / 1.5)
    return level


@inline
def _shape(scratch: Any, state: Any, level: Any, header: Any, tables: Any, n: Any, constants: Any) -> Any:
    """What one frame's spectrum tells: fill and centroid."""
    setting = f64(constants, 14)
    places = i64(header, 12)
    keep, scalar = setting[0], f64(state, SCALARS)
    power, hz, steepest = f64(scratch, n), f64(tables, n), f64(tables + 8 * n, n)
    start, stop, low = places[2], places[3], places[4]
    missing, log_level = 0.0, logarithm(level)
    for i in range(start, stop):
        lack = logarithm(power[i]) - log_level + steepest[i]
        missing += min(max(lack, -6.0), 0.0)
    moment, whole = 0.0, 0.0
    for i in range(1, low):
        moment += power[i] * hz[i]
        whole += power[i]
    scalar[_FILL] = keep * scalar[_FILL] + level * missing / (stop - start)
    scalar[_CENTROID] = keep * scalar[_CENTROID] + level * ramp(-moment / whole, -380.0, 1 / 100.0)
    return 0


@inline
def _evidence(state: Any) -> Any:
    """How sure wind is, 0 to 1: the product of five traits, energy-weighted over the last second."""
    scalar = f64(state, SCALARS)
    scalar[_FRAME] += 1.0
    # Once a day's frames have come, the count must not lose its ones.
    if scalar[_FRAME] > 1e9:
        scalar[_FRAME] -= 28.0 * 30000000.0
    if scalar[_FRAME] <= LAG:
        scalar[_EVIDENCE] = 0.0
        return 0
    noise, phase = scalar[_NOISE] / scalar[_BOTH], scalar[_PHASE] / scalar[_BOTH]
    scalar[_EVIDENCE] = (
        ramp(noise, 0.28, 1 / 0.2)
        * ramp(-noise, -1.7, 1 / 0.35)
        * ramp(-phase, -0.68, 1 / 0.16)
        * ramp(scalar[_FILL] / scalar[_ENERGY], -1.3, 1 / 0.55)
        * ramp(scalar[_CENTROID] / scalar[_ENERGY], 0.05, 1 / 0.2)
        * ramp(-scalar[_RISE] / scalar[_ENERGY], -0.7, 1 / 0.35)
    )
    return 0


@inline
def _learn(scratch: Any, state: Any, bands: Any, gust: Any, nominal: Any, constants: Any) -> Any:
    """Follow the gust's level, and the shape of its spectrum towards a low quantile of what bands do.

    Leaves the log power expected by band behind the bands' levels.
    """
    setting = f64(constants, 14)
    scalar = f64(state, SCALARS)
    shape, usual, bias = f64(state + 8 * STATE, bands), f64(nominal, bands), f64(nominal + 8 * bands, bands)
    levels, expected = f64(scratch, bands), f64(scratch + 8 * bands, bands)
    level = 0.0
    for i in range(gust):
        level += (levels[i] - shape[i]) / gust
    # Jensen's inequality, in nats: the mean of logarithms lies below the logarithm of the mean.
    scalar[_LEVEL] += (1.0 - setting[2]) * (level + 0.4 - scalar[_LEVEL])
    for i in range(bands):
        expected[i] = scalar[_LEVEL] + shape[i]
    off = 0.0
    for i in range(bands):
        up = levels[i] - bias[i] - expected[i] > 0.0
        step = (setting[3] if up else -setting[4]) * scalar[_EVIDENCE]
        shape[i] = min(max(shape[i] + step, usual[i] - setting[5]), usual[i] + setting[6])
    for i in range(gust):
        off += (shape[i] - usual[i]) / gust
    for i in range(bands):
        shape[i] -= off
    return 0


@inline
def _levels(power_at: Any, scratch: Any, starts: Any, bands: Any, n: Any) -> Any:
    power, edge, levels = f64(power_at, n), i64(starts, bands + 1), f64(scratch, bands)
    for b in range(bands):
        whole = 0.0
        for i in range(edge[b], edge[b + 1]):
            whole += power[i]
        levels[b] = logarithm(whole / (edge[b + 1] - edge[b]))
    return 0


@inline
def _spread(expected_at: Any, target: Any, left_at: Any, part_at: Any, bands: Any, n: Any) -> Any:
    """From bands to bins, log-linear between them, falling faster above the last."""
    expected, left, wind = f64(expected_at, bands), i64(left_at, n), f64(target, n)
    part, cut = f64(part_at, n), f64(part_at + 8 * n, n)
    for i in range(n):
        k = left[i]
        wind[i] = expected[k] + (expected[k + 1] - expected[k]) * part[i] + cut[i]
    for i in range(n):
        wind[i] = _between(exponential(min(max(wind[i], -60.0), 60.0)))
    return 0


@inline
def _refine(scratch: Any, psd_at: Any, n: Any, constants: Any) -> Any:
    """The wind's power by bin: a bin that does not stand out of the extrapolation is the estimate itself."""
    setting = f64(constants, 14)
    power, wind, psd = f64(scratch, n), f64(scratch + 8 * n, n), f64(psd_at, n)
    snr, excess, take = setting[7], setting[8], 1.0 - setting[9]
    share = snr / (1.0 + snr)
    for i in range(n):
        # Likelihood of a bin with speech over one without, both complex Gaussian.
        ratio = min(power[i] / wind[i] * share, 60.0)
        speech = 1.0 / (1.0 + (1.0 + snr) * exponential(-ratio))
        instant = min(power[i], excess * wind[i])
        instant += speech * (wind[i] - instant)
        psd[i] += take * (instant - psd[i])
    return 0


@inline
def _gain(
    scratch: Any, psd_at: Any, clean_at: Any, over_at: Any, out: Any, n: Any, amount: Any, keep: Any
) -> Any:
    """Wiener gain of a decision-directed a priori SNR."""
    power, psd, clean = f64(scratch, n), f64(psd_at, n), f64(clean_at, n)
    taken, over, gains = f64(scratch + 8 * n, n), f64(over_at, n), f32(out, n)
    for i in range(n):
        taken[i] = amount * over[i] * psd[i]
    for i in range(n):
        fresh = max(power[i] - taken[i], 0.0)
        prior = keep * clean[i] + (1.0 - keep) * fresh + 1e-20
        gain = prior / (prior + taken[i])
        clean[i] = gain * gain * power[i]
        gains[i] = np.float32(gain)
    return 0


@inline
def _shared(x: Any, c: Any, channels: Any, step: Any, rows: Any, low: Any, keep: Any) -> Any:
    """Average powers of a channel and of the mean of the others, and their cross power, up to bin ``low``."""
    own, other = f64(rows, low), f64(rows + 8 * low, low)
    re, im = f64(rows + 16 * low, low), f64(rows + 24 * low, low)
    take, part = 1.0 - keep, 1.0 / (channels - 1)
    source = f32(x + c * step, 2 * low)
    for i in range(low):
        a, b, u, v = _finite(source[2 * i]), _finite(source[2 * i + 1]), 0.0, 0.0
        for k in range(channels):
            if k != c:
                beside = f32(x + k * step, 2 * low)
                u += part * _finite(beside[2 * i])
                v += part * _finite(beside[2 * i + 1])
        own[i] = keep * own[i] + take * _between(a * a + b * b)
        other[i] = keep * other[i] + take * _between(u * u + v * v)
        re[i] = keep * re[i] + take * (a * u + b * v)
        im[i] = keep * im[i] + take * (b * u - a * v)
    return 0


@inline
def _incoherent(rows: Any, low: Any, first: Any, last: Any, bias: Any) -> Any:
    """Share of the gust bins' power that the other channels do not have, 0 to 1."""
    own, other = f64(rows, low), f64(rows + 8 * low, low)
    re, im = f64(rows + 16 * low, low), f64(rows + 24 * low, low)
    whole, shared = 0.0, 0.0
    for i in range(first, last):
        whole += np.sqrt(own[i] * other[i])
        shared += np.sqrt(re[i] * re[i] + im[i] * im[i])
    return 1.0 - max(shared / whole - bias, 0.0) / (1.0 - bias)


@inline
def _compare(gains_at: Any, rows: Any, low: Any, trust: Any, fade_at: Any, bias: Any) -> Any:
    """Move the gain towards its geometric mean with the root of the coherence, which is a Wiener gain too."""
    own, other = f64(rows, low), f64(rows + 8 * low, low)
    re, im, fade = f64(rows + 16 * low, low), f64(rows + 24 * low, low), f64(fade_at, low)
    gains = f32(gains_at, low)
    for i in range(1, low - 1):
        u, v = re[i - 1] + re[i] + re[i + 1], im[i - 1] + im[i] + im[i + 1]
        powers = (own[i - 1] + own[i] + own[i + 1]) * (other[i - 1] + other[i] + other[i + 1])
        shared = min(max(np.sqrt((u * u + v * v) / powers) - bias, 0.0) / (1.0 - bias), 1.0)
        gain = np.float64(gains[i])
        gains[i] = np.float32(gain + trust * fade[i] * (np.sqrt(gain * shared) - gain))
    return 0


@inline
def _estimate(frame: Any, mine: Any, header: Any, tables: Any, constants: Any, scratch: Any) -> Any:
    """Take a channel's frame: evidence, and the wind's power by this channel alone."""
    places = i64(header, 12)
    n, gust, count, bands = places[1], places[5], places[6], places[7]
    expected, nominal, starts = scratch + 16 * n, tables + 48 * n, places[9]
    _power(frame, scratch, n)
    level = _pair(frame, mine, 1, count, constants)
    _shape(scratch, mine, level, header, tables, n, constants)
    _evidence(mine)
    _levels(scratch, expected, starts, bands, n)
    _learn(expected, mine, bands, gust, nominal, constants)
    _spread(expected + 8 * bands, scratch + 8 * n, places[10], tables + 16 * n, bands, n)
    _refine(scratch, mine + 8 * (STATE + bands), n, constants)
    return 0


@inline
def _together(  # noqa: PLR0913, PLR0917 - addresses, as all here
    x: Any, c: Any, mine: Any, gains: Any, trust: Any, frames: Any, header: Any, tables: Any, constants: Any
) -> Any:
    """Compare a channel with the others, and correct its gains."""
    places, setting = i64(header, 12), f64(constants, 14)
    channels, n, bands, low = places[0], places[1], places[7], places[8]
    pair = mine + 8 * (STATE + bands + 2 * n)
    _shared(x, c, channels, 8 * frames * n, pair, low, setting[11])
    apart = _incoherent(pair, low, 1, 1 + places[6], setting[12])
    _compare(gains, pair, low, trust * ramp(apart, 0.15, 1 / 0.3), tables + 40 * n, setting[12])
    return 0


def wind(rule: Any, x: Any, out: Any, frames: Any) -> Any:
    """Gains of complex64 spectra ``x [channels, frames, bins]`` into float32 ``out``, alike.

    A rule is six addresses. Where the evidence goes, float32 ``[channels, frames]``, or 0. Header: int64
    channels, bins, first and last bin of the fill, last of the centroid, gust bands, gust bins, bands, bins
    compared between channels, addresses of the bands' first bins and of each bin's band, float64 of a
    channel's state. The channels' states. Tables: rows of a value a bin: Hz, steepest wind, place between two
    bands, fall above the last, over-subtraction, weight of the comparison; then the bands' usual shape and
    bias. Setting: see `kernels.noise_wind`. Scratch: two rows and two values a band.
    """
    table = i64(rule, 6)
    told, header, state, tables, setting, scratch = table[0], table[1], table[2], table[3], table[4], table[5]
    places, numbers = i64(header, 12), f64(setting, 14)
    channels, n, bands, size = places[0], places[1], places[7], places[11]
    for t in range(frames):
        least = 1.0
        for c in range(channels):
            mine = state + 8 * c * size
            _estimate(x + 8 * (c * frames + t) * n, mine, header, tables, setting, scratch)
            found = f64(mine, SCALARS)[_EVIDENCE]
            least = min(least, found)
            if told:
                f32(told + 4 * (c * frames + t), 1)[0] = np.float32(found)
        for c in range(channels):
            mine, at = state + 8 * c * size, c * frames + t
            psd = mine + 8 * (STATE + bands)
            _power(x + 8 * at * n, scratch, n)
            amount = numbers[13] * f64(mine, SCALARS)[_EVIDENCE]
            gains = out + 4 * at * n
            _gain(scratch, psd, psd + 8 * n, tables + 32 * n, gains, n, amount, numbers[10])
            if channels > 1:
                trust = least * min(numbers[13], 1.0)
                _together(x + 8 * t * n, c, mine, gains, trust, frames, header, tables, setting)
    return 0
