"""Wind's evidence, spectrum and gain in float64, as plain loops; `kernels.noise_wind` has the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..noise_wind import WindTables

    Array = npt.NDArray[np.float64]

__all__ = ["wind_gains"]

_LAG, _ONSET = 4, 14


def _bounded(power: Array) -> Array:
    return np.clip(power, 1e-18, 1e18)


def _size(x: npt.NDArray[np.complex128]) -> Array:
    return _bounded(x.real**2 + x.imag**2)


def _evidence(x: npt.NDArray[np.complex128], tables: WindTables, keep: float, keep_phase: float) -> Array:
    """How sure wind is in each frame of ``x [frames, bins]``."""
    gust, power = x[:, 1 : 1 + tables.paired], _size(x)
    first, last = tables.fill
    rises, product, product_size = np.zeros(_ONSET), 0j, 1e-20
    energy, both, noise, phase, fill, centroid, onset = 1e-20, 1e-20, 0.0, 0.0, 0.0, 0.0, 0.0
    found = np.zeros(len(x))
    for t, now in enumerate(gust):
        old = gust[t - _LAG] if t >= _LAG else np.zeros_like(now)
        change = np.log(_size(now)) - np.log(_size(old))
        moved = np.var(change, ddof=1) / (np.pi**2 / 3)
        product = keep_phase * product + (now * old.conj()).sum()
        product_size = keep_phase * product_size + np.abs(now * old.conj()).sum()
        agreement = np.abs(product) / product_size * -np.expm1(-t / 10)
        level, before = _size(now).mean(), _size(old).mean()
        rises[t % _ONSET] = np.log(level / before) if t >= _LAG else 0
        weight = min(level, before)
        energy, both = keep * energy + level, keep * both + weight
        noise = keep * noise + weight * min(moved, 3)
        phase = keep * phase + weight * agreement
        onset = keep * onset + level * np.clip((rises.max() - 3) / 1.5, 0, 1)
        missing = np.log(power[t, first:last] / level) + tables.steepest[first:last]
        fill = keep * fill + level * np.clip(missing, -6, 0).mean()
        low = power[t, 1 : tables.low]
        middle = (low * tables.hz[1 : tables.low]).sum() / low.sum()
        centroid = keep * centroid + level * np.clip((380 - middle) / 100, 0, 1)
        if t >= _LAG:
            traits = [
                (noise / both - 0.28) / 0.2,
                (1.7 - noise / both) / 0.35,
                (0.68 - phase / both) / 0.16,
                (fill / energy + 1.3) / 0.55,
                (centroid / energy - 0.05) / 0.2,
                (0.7 - onset / energy) / 0.35,
            ]
            found[t] = np.prod(np.clip(traits, 0, 1))
    return found


def _spectra(power: Array, evidence: Array, tables: WindTables, settings: Array) -> Array:
    """The wind's power in each frame."""
    keep_level, up, down, below, above, snr, excess, keep = settings[2:10]
    shape, usual, gust = tables.usual.copy(), tables.usual, tables.gust
    level, psd = np.log(1e-18), np.full(tables.bins, 1e-18)
    out = np.empty_like(power)
    for t, frame in enumerate(power):
        sums = np.add.reduceat(frame[: tables.starts[-1]], tables.starts[:-1])
        levels = np.log(sums / np.diff(tables.starts))
        level += (1 - keep_level) * ((levels - shape)[:gust].mean() + 0.4 - level)
        expected = level + shape
        step = np.where(levels - tables.bias > expected, up, -down) * evidence[t]
        shape = np.clip(shape + step, usual - below, usual + above)
        shape -= (shape - usual)[:gust].mean()
        bins = expected[tables.left] + np.diff(expected)[tables.left] * tables.part + tables.cut
        wind = _bounded(np.exp(np.clip(bins, -60, 60)))
        speech = 1 / (1 + (1 + snr) * np.exp(-np.minimum(frame / wind * snr / (1 + snr), 60)))
        instant = speech * wind + (1 - speech) * np.minimum(frame, excess * wind)
        psd = keep * psd + (1 - keep) * instant
        out[t] = psd
    return out


def _averages(x: npt.NDArray[np.complex128], keep: float) -> tuple[Array, Array, npt.NDArray[np.complex128]]:
    """One-pole means of the powers of ``x [2, frames, bins]`` and of their product."""
    means = np.zeros((3, *x.shape[1:]), np.complex128)
    state = np.zeros((3, x.shape[2]), np.complex128)
    for t in range(x.shape[1]):
        now = np.stack([_size(x[0, t]), _size(x[1, t]), x[0, t] * x[1, t].conj()])
        state = keep * state + (1 - keep) * now
        means[:, t] = state
    return means[0].real, means[1].real, means[2]


def _correct(gains: Array, x: npt.NDArray[Any], trust: Array, tables: WindTables, settings: Array) -> None:
    """Correct a channel's gains ``[frames, bins]`` by ``x [2, frames, bins]``: it, the others' mean."""
    keep, bias, n = settings[11], settings[12], tables.compared
    own, other, cross = _averages(x[:, :, :n], keep)
    near = slice(1, 1 + tables.paired)
    shared = np.abs(cross[:, near]).sum(axis=1) / np.sqrt(own * other)[:, near].sum(axis=1)
    apart = 1 - np.maximum(shared - bias, 0) / (1 - bias)
    trust = trust * np.clip((apart - 0.15) / 0.3, 0, 1)
    summed: list[npt.NDArray[Any]] = [v[:, :-2] + v[:, 1:-1] + v[:, 2:] for v in (own, other, cross)]
    coherence = np.abs(summed[2]) / np.sqrt(summed[0] * summed[1])
    coherent = np.clip((coherence - bias) / (1 - bias), 0, 1)
    part = gains[:, 1 : n - 1]
    part += trust[:, None] * tables.fade[1 : n - 1] * (np.sqrt(part * coherent) - part)


def wind_gains(spectra: npt.NDArray[Any], tables: WindTables, settings: Array) -> tuple[Array, Array]:
    """Gains ``[channels, frames, bins]`` and evidence ``[channels, frames]`` of finite spectra.

    ``settings`` are those of `kernels.noise_wind.wind_settings`, in their order.
    """
    x = spectra.astype(np.complex128)
    keep_prior, strength = settings[10], settings[13]
    evidence = np.array([_evidence(channel, tables, settings[0], settings[1]) for channel in x])
    gains = np.empty(x.shape)
    for c, channel in enumerate(x):
        power = _size(channel)
        taken = strength * evidence[c][:, None] * tables.over * _spectra(power, evidence[c], tables, settings)
        clean = np.full(tables.bins, 1e-18)
        for t in range(len(channel)):
            fresh = np.maximum(power[t] - taken[t], 0)
            prior = keep_prior * clean + (1 - keep_prior) * fresh + 1e-20
            gains[c, t] = prior / (prior + taken[t])
            clean = gains[c, t] ** 2 * power[t]
    if len(x) > 1:
        trust = evidence.min(axis=0) * min(strength, 1.0)
        for c in range(len(x)):
            others = np.delete(x, c, axis=0).mean(axis=0)
            _correct(gains[c], np.stack([x[c], others]), trust, tables, settings)
    return gains, evidence
