"""Sample loops between files and planar float32; ``stride`` is in bytes, between channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import f32, f64, i16, i32, inline, u8

__all__ = ["decode", "dither", "first_non_finite", "interleave", "pack", "quantise"]


@inline
def _largest(words: Any) -> Any:
    """The largest magnitude among float32 seen as integers, which sort as the numbers do."""
    largest = np.int32(0)
    for i in range(len(words)):
        magnitude = words[i] & np.int32(0x7FFFFFFF)
        largest = max(largest, magnitude)
    return largest


def first_non_finite(x: Any, channels: Any, n: Any, stride: Any) -> Any:
    """Index of the first sample of any channel that is NaN or infinite, or -1."""
    # The exponent is all ones in NaN and infinity alone. A maximum of integers runs in vectors, where a sum
    # of floats could not; only a block that has one is searched.
    earliest = n
    for c in range(channels):
        words = i32(x + c * stride, n)
        if _largest(words) >= 0x7F800000:
            for i in range(n):
                if (words[i] & 0x7FFFFFFF) >= 0x7F800000:
                    earliest = min(earliest, i)
                    break
    return earliest if earliest < n else -1


def interleave(x: Any, out: Any, channels: Any, n: Any, stride: Any) -> Any:
    """Planar to ``[n, channels]``."""
    target = f32(out, n * channels)
    for c in range(channels):
        row = f32(x + c * stride, n)
        for i in range(n):
            target[i * channels + c] = row[i]
    return 0


def quantise(x: Any, out: Any, channels: Any, n: Any, stride: Any, bits: Any) -> Any:
    """Planar to int32 ``[n, channels]`` with the value in the upper bits; the number clipped."""
    target = i32(out, n * channels)
    scale = np.float64(1 << (bits - 1))
    top, shift = scale - 1.0, 32 - bits
    clipped = 0
    for c in range(channels):
        row = f32(x + c * stride, n)
        for i in range(n):
            value = np.rint(np.float64(row[i]) * scale)
            clipped += (value > top) | (value < -scale)
            target[i * channels + c] = np.int32(np.int64(min(max(value, -scale), top)) << shift)
    return clipped


@inline
def _mixed(word: Any) -> Any:
    """Mix the bits of a 32-bit counter (the constants of Wellons' lowbias32); vector units do this."""
    word = np.uint32(word ^ (word >> np.uint32(16)))
    word = np.uint32(word * np.uint32(0x7FEB352D))
    word = np.uint32(word ^ (word >> np.uint32(15)))
    word = np.uint32(word * np.uint32(0x846CA68B))
    return np.uint32(word ^ (word >> np.uint32(16)))


@inline
def _dithered(row: Any, noise: Any, out: Any, channels: Any, c: Any, bits: Any) -> Any:
    scale = np.float64(1 << (bits - 1))
    top, shift = scale - 1.0, 32 - bits
    clipped = 0
    for i in range(len(row)):
        exact = np.float64(row[i]) * scale
        plain = np.rint(exact)
        value = np.rint(exact + np.float64(noise[i])) if plain != exact else plain
        # The plain value says whether the sample fits; noise alone must not make it clip.
        clipped += (plain > top) | (plain < -scale)
        out[i * channels + c] = np.int32(np.int64(min(max(value, -scale), top)) << shift)
    return clipped


@inline
def _fill_noise(noise: Any, key: Any, first: Any) -> None:
    """Triangular noise between -1 and 1 for each sample: the sum of two numbers made from its index."""
    for i in range(len(noise)):
        index = first + i
        high = _mixed(np.uint32(index >> 32) ^ key)
        one = _mixed(np.uint32(index) ^ high)
        other = _mixed(one + np.uint32(0x9E3779B9))
        total = np.float32(np.int32(one >> np.uint32(9))) + np.float32(np.int32(other >> np.uint32(9)))
        noise[i] = total * np.float32(2.0**-23) - np.float32(1)


def dither(  # noqa: PLR0913, PLR0917 - a kernel's arguments are words
    x: Any, out: Any, noise: Any, channels: Any, n: Any, stride: Any, bits: Any, first: Any, seed: Any
) -> Any:
    """As `quantise`, after adding triangular noise of two steps to samples that lie between two values.

    The noise is a function of seed, sample and channel alone: ``first`` is the index of sample 0. ``noise``
    is room for ``n`` float32.
    """
    target, room = i32(out, n * channels), f32(noise, n)
    clipped = 0
    for c in range(channels):
        key = _mixed(np.uint32(seed) ^ _mixed(np.uint32(c + 1)))
        _fill_noise(room, key, first)
        clipped += _dithered(f32(x + c * stride, n), room, target, channels, c, bits)
    return clipped


def pack(x: Any, out: Any, n: Any, bits: Any) -> Any:
    """The upper 16 or 24 bits of ``n`` int32, little-endian, side by side."""
    source = i32(x, n)
    if bits == 16:
        words = i16(out, n)
        for i in range(n):
            words[i] = np.int16(source[i] >> 16)
    else:
        target = u8(out, 3 * n)
        for i in range(n):
            value = source[i]
            target[3 * i] = np.uint8(value >> 8)
            target[3 * i + 1] = np.uint8(value >> 16)
            target[3 * i + 2] = np.uint8(value >> 24)
    return 0


@inline
def _from_octets(octets: Any, row: Any, channels: Any, c: Any) -> None:
    for i in range(len(row)):
        row[i] = (np.float32(octets[i * channels + c]) - np.float32(128)) * np.float32(2.0**-7)


@inline
def _from_triples(octets: Any, row: Any, channels: Any, c: Any) -> None:
    for i in range(len(row)):
        at = 3 * (i * channels + c)
        low = np.int32(octets[at]) << 8 | np.int32(octets[at + 1]) << 16
        row[i] = np.float32(np.int32(low | np.int32(octets[at + 2]) << 24)) * np.float32(2.0**-31)


@inline
def _scaled(values: Any, row: Any, channels: Any, c: Any, scale: Any) -> None:
    for i in range(len(row)):
        row[i] = np.float32(values[i * channels + c]) * np.float32(scale)


def decode(raw: Any, out: Any, channels: Any, n: Any, stride: Any, kind: Any) -> Any:
    """Little-endian interleaved samples to planar float32; ``kind`` is a number of `pcm.ENCODINGS`."""
    total = n * channels
    for c in range(channels):
        row = f32(out + c * stride, n)
        if kind == 0:
            _from_octets(u8(raw, total), row, channels, c)
        elif kind == 1:
            _scaled(i16(raw, total), row, channels, c, 2.0**-15)
        elif kind == 2:
            _from_triples(u8(raw, 3 * total), row, channels, c)
        elif kind == 3:
            _scaled(i32(raw, total), row, channels, c, 2.0**-31)
        elif kind == 4:
            _scaled(f32(raw, total), row, channels, c, 1.0)
        else:
            _scaled(f64(raw, total), row, channels, c, 1.0)
    return 0
