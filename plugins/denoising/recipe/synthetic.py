"""Noises made by formula: what the packages lack is long and steady sound, from fans and rain to engines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .recordings import RATE

__all__ = ["NOISES", "decaying", "shaped", "synthesise"]

Signal = NDArray[np.float32]
Floats = NDArray[np.float64]
Random = np.random.Generator

_BLOCK = 30720  # 2^11 * 15: FFTs of its multiples are fast


def shaped(
    random: Random, noise: Floats, tilt: tuple[float, float] = (-8.0, 2.0), bumps: float = 6.0
) -> Floats:
    """Filter a signal by a smooth random curve: a tilt in dB an octave, and bumps every half octave."""
    spectrum = np.fft.rfft(noise)
    octaves = np.log2(np.fft.rfftfreq(len(noise), 1 / RATE).clip(30) / 1000)
    knots = np.linspace(-5.1, 4.6, 20)
    curve = knots * random.uniform(*tilt) + random.normal(0, bumps, 20)
    return np.fft.irfft(spectrum * 10 ** (np.interp(octaves, knots, curve) / 20), len(noise))


def band(random: Random, noise: Floats, low: float, high: float) -> Floats:
    """Keep what lies between two frequencies in Hz, with slopes of a third of an octave."""
    del random
    frequencies = np.fft.rfftfreq(len(noise), 1 / RATE).clip(1)
    rise = np.clip(np.log2(frequencies / low) * 3 + 1, 0, 1)
    fall = np.clip(1 - np.log2(frequencies / high) * 3, 0, 1)
    return np.fft.irfft(np.fft.rfft(noise) * rise * fall, len(noise))


def drift(random: Random, samples: int, seconds: float) -> Floats:
    """Return a smooth random curve about 0 with a deviation of 1, that turns about once in ``seconds``."""
    count = max(4, int(samples / RATE / seconds) + 3)
    points = random.normal(0, 1, count)
    at = np.linspace(0, count - 1.001, samples)
    low = at.astype(int)
    ease = (1 - np.cos(np.pi * (at - low))) / 2
    curve: Floats = points[low] * (1 - ease) + points[low + 1] * ease
    return curve


def normal(signal: Floats) -> Floats:
    """Return a signal with an RMS of 1."""
    scaled: Floats = signal / (np.sqrt(np.mean(signal**2)) + 1e-12)
    return scaled


def decaying(random: Random, seconds: float, low: float, high: float) -> Floats:
    """Return a burst of band noise that falls by 60 dB in ``seconds``."""
    samples = max(64, int(seconds * RATE))
    fall = 10 ** (-3 * np.arange(samples) / samples)
    return band(random, random.normal(0, 1, samples) * fall, low, high)


def scatter(random: Random, samples: int, rate: float, spread: float) -> Floats:
    """Return impulses at ``rate`` a second, of either sign, whose levels spread log-normally."""
    signal = np.zeros(samples)
    count = int(random.poisson(rate * samples / RATE)) + 1
    sizes = np.exp(random.normal(0, spread, count)) * random.choice((-1.0, 1.0), count)
    np.add.at(signal, random.integers(0, samples, count), sizes)
    return signal


def colour(random: Random, samples: int) -> Floats:
    """Noise of a random colour that slowly turns into another."""
    fade = (1 + np.tanh(2 * drift(random, samples, 4))) / 2
    return sum(
        (shaped(random, random.normal(0, 1, samples)) * part for part in (fade, 1 - fade)), np.zeros(samples)
    )


def bands(random: Random, samples: int) -> Floats:
    """One to three bands of noise, each with a life of its own."""
    total = np.zeros(samples)
    for _ in range(random.integers(1, 4)):
        low = 2 ** random.uniform(6, 12.5)
        part = normal(band(random, random.normal(0, 1, samples), low, low * 2 ** random.uniform(0.2, 3)))
        total += part * 10 ** (drift(random, samples, 3) * 0.2) * random.uniform(0.2, 1)
    return total + 0.05 * normal(shaped(random, random.normal(0, 1, samples)))


def stack(random: Random, pitch: Floats, count: int, fall: float) -> Floats:
    """Return harmonics over a moving pitch in Hz; ``fall`` is their slope in dB an octave."""
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    total = np.zeros(len(pitch))
    for number in range(1, count + 1):
        if number * pitch.max() > 20000:
            break
        level = 10 ** ((-fall * np.log2(number) + random.normal(0, 5)) / 20)
        total += level * np.sin(number * phase + random.uniform(0, 7))
    return total


def fan(random: Random, samples: int) -> Floats:
    """A fan: its blades pass at a steady rate, in the rush of the air they move."""
    pitch = random.uniform(60, 400) * (1 + 0.003 * drift(random, samples, 1))
    air = shaped(random, random.normal(0, 1, samples), (-7, -2), 4)
    beat = 1 + 0.2 * np.sin(2 * np.pi * np.cumsum(pitch / random.integers(3, 9)) / RATE)
    return normal(air) * beat + normal(stack(random, pitch, 14, 6)) * 10 ** (-random.uniform(3, 20) / 20)


def hum(random: Random, samples: int) -> Floats:
    """Mains hum with its harmonics, over a little hiss."""
    pitch = np.full(samples, random.choice((50.0, 60.0)) * random.uniform(0.999, 1.001))
    hiss = normal(shaped(random, random.normal(0, 1, samples), (-3, 1), 2))
    return normal(stack(random, pitch, 40, random.uniform(3, 10))) + hiss * 10 ** (
        -random.uniform(6, 30) / 20
    )


def rain(random: Random, samples: int) -> Floats:
    """Rain: dense drops in layers, near ones loud and few, far ones fine and many."""
    total = np.zeros(samples)
    for layer in range(3):
        drops = scatter(random, samples, 10 ** random.uniform(1.3 + layer, 2.2 + layer), 0.9)
        low = random.uniform(300, 2500)
        heard = band(random, drops, low, min(20000, low * random.uniform(3, 12)))
        kernel = decaying(random, random.uniform(0.003, 0.02), low, 18000)
        total += normal(_through(heard, kernel)) * random.uniform(0.3, 1)
    return normal(total) * (1 + 0.1 * drift(random, samples, 2)) + 0.2 * normal(colour(random, samples))


def keys(random: Random, samples: int) -> Floats:
    """Typing: strokes of two clicks each, in bursts, over a quiet room."""
    total = 10 ** (-random.uniform(30, 45) / 20) * normal(
        shaped(random, random.normal(0, 1, samples), (-6, -2), 3)
    )
    low, at = random.uniform(150, 1500), 0.0
    while at < samples / RATE - 0.3:
        for offset, size in ((0.0, 1.0), (random.uniform(0.04, 0.12), 0.5)):
            click = decaying(
                random,
                random.uniform(0.01, 0.06),
                low * random.uniform(0.8, 1.3),
                random.uniform(5000, 16000),
            )
            start = int((at + offset) * RATE)
            total[start : start + len(click)] += size * random.uniform(0.3, 1) * click[: samples - start]
        at += random.exponential(0.09) + 0.06 + (random.uniform(0.4, 2) if random.random() < 0.08 else 0)
    return total


def crackle(random: Random, samples: int) -> Floats:
    """Sparse clicks of very different size, as from vinyl, fire or a loose plug, over a hiss."""
    clicks = scatter(random, samples, 10 ** random.uniform(0.5, 2), 1.3)
    heard = _through(clicks, decaying(random, random.uniform(0.001, 0.015), 200, random.uniform(4000, 20000)))
    return normal(heard) + normal(shaped(random, random.normal(0, 1, samples))) * 10 ** (
        -random.uniform(8, 25) / 20
    )


def pulsing(random: Random, samples: int) -> Floats:
    """Noise whose level goes up and down, regularly or not, from slowly to 20 times a second."""
    rate = 2 ** random.uniform(-1, 4.3)
    if random.random() < 0.5:
        wave = np.sin(2 * np.pi * np.cumsum(rate * (1 + 0.1 * drift(random, samples, 1))) / RATE)
    else:
        wave = drift(random, samples, 0.6 / rate)
    return shaped(random, random.normal(0, 1, samples)) * 10 ** (wave * random.uniform(3, 12) / 20)


def engine(random: Random, samples: int) -> Floats:
    """An engine: many harmonics over a pitch that moves, and the noise that beats with it."""
    pitch = random.uniform(15, 90) * 2 ** (0.5 * drift(random, samples, random.uniform(2, 8)))
    sound = normal(stack(random, pitch, 50, random.uniform(2, 7)))
    fire = np.maximum(0, np.sin(2 * np.pi * np.cumsum(pitch * random.choice((1, 2))) / RATE)) ** 2
    rush = normal(shaped(random, random.normal(0, 1, samples), (-8, -3), 4) * (0.2 + fire))
    return sound + rush * 10 ** (-random.uniform(-6, 12) / 20)


def beeps(random: Random, samples: int) -> Floats:
    """Signal tones: one or two pitches, on and off, with harmonics, over a quiet room."""
    total = 10 ** (-random.uniform(25, 45) / 20) * normal(colour(random, samples))
    tones = 2 ** random.uniform(8.5, 12, random.integers(1, 4))
    at, length, gap = random.uniform(0, 0.5), random.uniform(0.05, 0.6), random.uniform(0.05, 1.5)
    while at < samples / RATE - 1:
        count = int(length * RATE)
        edge: Floats = np.clip(np.minimum(np.arange(count), np.arange(count)[::-1]) / 240, 0, 1)
        start = int(at * RATE)
        pitch = np.full(count, float(random.choice(tones)))
        total[start : start + count] += edge * stack(random, pitch, int(random.integers(1, 5)), 8)
        at += length + gap * random.uniform(0.9, 1.1)
    return total


def traffic(random: Random, samples: int) -> Floats:
    """A street: vehicles that come and go, over the city's rumble."""
    total = 0.3 * normal(shaped(random, random.normal(0, 1, samples), (-9, -5), 3))
    for _ in range(random.integers(3, 9)):
        centre, width = random.uniform(0, samples), random.uniform(0.5, 3) * RATE
        pass_by = 1 / (1 + ((np.arange(samples) - centre) / width) ** 2)
        total += (
            normal(shaped(random, random.normal(0, 1, samples), (-6, -2), 4))
            * pass_by**2
            * random.uniform(0.3, 1)
        )
    return total


def together(random: Random, samples: int) -> Floats:
    """Two of the others at once."""
    first, second = random.choice(_SINGLE, 2, replace=False)
    ratio = 10 ** (random.uniform(-12, 0) / 20)
    return normal(NOISES[first](random, samples)) + ratio * normal(NOISES[second](random, samples))


#: Every kind of noise by name; each takes a generator and a number of samples.
NOISES: dict[str, Callable[[Random, int], Floats]] = {
    "colour": colour, "bands": bands, "fan": fan, "hum": hum, "rain": rain, "keys": keys, "crackle": crackle,
    "pulsing": pulsing, "engine": engine, "beeps": beeps, "traffic": traffic, "together": together,
}  # fmt: skip
_SINGLE = [name for name in NOISES if name != "together"]


def synthesise(name: str, seed: int, samples: int) -> Signal:
    """Return a noise of a kind, at an RMS near -30 dBFS; the same seed gives the same noise.

    Args:
        name: one of `NOISES`.
        seed: any whole number from 0.
        samples: its length at 48 kHz; half a second at least.

    Example:
        >>> synthesise("hum", 3, 48000).shape
        (48000,)
    """
    random = np.random.default_rng([seed, *name.encode()])
    signal = normal(NOISES[name](random, samples)) * 10 ** (-30 / 20)
    return np.clip(signal, -0.9, 0.9).astype(np.float32)


def _through(signal: Floats, kernel: Floats) -> Floats:
    """Convolve, and keep the length."""
    size = -(-(len(signal) + len(kernel)) // _BLOCK) * _BLOCK
    return np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(kernel, size), size)[: len(signal)]
