"""Noises made from recordings: many voices at once, and short effects repeated in a room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .recordings import RATE

__all__ = ["ambience", "babble", "in_room", "repeated", "room_tail"]

Signal = NDArray[np.float32]
Random = np.random.Generator
Draw = Callable[[Random], Signal]

_BLOCK = 30720  # 2^11 * 15: FFTs of its multiples are fast
_RMS = 10 ** (-30 / 20)


def room_tail(random: Random, rt60: float) -> Signal:
    """Return a diffuse reverberation tail of unit energy: noise that falls by 60 dB in ``rt60`` seconds.

    High frequencies fall faster, as air and soft walls make them.

    Example:
        >>> tail = room_tail(np.random.default_rng(1), 0.3)
        >>> round(float(np.sum(tail**2)), 3), tail.shape
        (1.0, (14400,))
    """
    samples = int(rt60 * RATE)
    noise = random.normal(0, 1, samples)
    dull = np.convolve(noise, np.full(6, 1 / 6), "same") * np.sqrt(6)
    time = np.arange(samples) / samples
    tail = (noise * (1 - time) ** 2 + dull * time) * 10 ** (-3 * time)
    tail[: int(0.002 * RATE)] = 0.0  # the first reflection comes from a wall, not from the mouth
    unit: Signal = (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)
    return unit


def in_room(dry: Signal, tail: Signal, ratio: float) -> Signal:
    """Return a sound with its reverberation, of the same length.

    Args:
        dry: mono samples.
        tail: unit energy, see `room_tail`.
        ratio: direct to reverberant energy in dB.

    Example:
        >>> in_room(np.ones(100, np.float32), np.ones(1, np.float32), 0.0)[:2].tolist()
        [2.0, 2.0]
    """
    size = -(-(len(dry) + len(tail)) // _BLOCK) * _BLOCK
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(tail, size), size)[: len(dry)]
    return (dry + 10 ** (-ratio / 20) * wet).astype(np.float32)


def babble(random: Random, samples: int, draw: Draw) -> Signal:
    """Return 6 to 20 voices at different levels, some backwards, in one room; RMS -30 dBFS.

    Args:
        random: source of every choice.
        samples: length.
        draw: returns a random piece of speech.
    """
    total = np.zeros(samples, np.float32)
    for _ in range(random.integers(6, 21)):
        level = np.float32(10 ** (random.uniform(-12, 0) / 20))
        at = -int(random.integers(0, RATE))
        while at < samples:
            piece = draw(random)
            if random.random() < 0.3:
                piece = piece[::-1]
            _add(total, piece * level, at)
            at += len(piece) + int(random.exponential(0.2) * RATE)
    return _levelled(in_room(total, room_tail(random, random.uniform(0.3, 0.9)), random.uniform(-3, 6)))


def ambience(random: Random, samples: int, draw: Draw) -> Signal:
    """Return one to four effects, each repeated, in a room; RMS -30 dBFS."""
    total = np.zeros(samples, np.float32)
    for _ in range(random.integers(1, 5)):
        total += repeated(random, samples, draw(random)) * np.float32(10 ** (random.uniform(-9, 0) / 20))
    if random.random() < 0.6:
        total = in_room(total, room_tail(random, random.uniform(0.2, 1.2)), random.uniform(-3, 9))
    return _levelled(total)


def repeated(random: Random, samples: int, piece: Signal) -> Signal:
    """Return a piece over and over with cross-fades: without a gap when it is long, else perhaps with gaps.

    Example:
        >>> repeated(np.random.default_rng(0), 9, np.ones(300, np.float32)).shape
        (9,)
    """
    total = np.zeros(samples, np.float32)
    fade = min(len(piece) // 3, int(0.25 * RATE))
    ramp = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32))
    piece = np.concatenate(
        [piece[:fade] * ramp, piece[fade : len(piece) - fade], piece[len(piece) - fade :] * ramp[::-1]]
    )
    steady = random.random() < 0.5 or len(piece) > 2 * RATE
    at = -int(random.integers(0, len(piece)))
    while at < samples:
        _add(total, piece * np.float32(random.uniform(0.7, 1)), at)
        at += len(piece) - fade + (0 if steady else int(random.exponential(0.6) * RATE))
    return total


def _add(total: Signal, piece: Signal, at: int) -> None:
    """Add a piece at a place that may lie partly outside."""
    start, end = max(0, at), min(len(total), at + len(piece))
    if end > start:
        total[start:end] += piece[start - at : end - at]


def _levelled(signal: Signal) -> Signal:
    power = float(np.mean(signal.astype(np.float64) ** 2))
    levelled: Signal = np.clip(signal * (_RMS / np.sqrt(power + 1e-15)), -0.9, 0.9).astype(np.float32)
    return levelled
