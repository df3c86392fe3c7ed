"""Between files and planar float32: interleaving, quantising, counting clips, finding NaN, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .machine import Kernel, address_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ENCODINGS", "decode", "encoded", "first_non_finite", "interleave", "quantise"]

_first_non_finite = Kernel("pcm.first_non_finite", 4)
_interleave = Kernel("pcm.interleave", 5)
_quantise = Kernel("pcm.quantise", 6)
_dither = Kernel("pcm.dither", 9)
_pack = Kernel("pcm.pack", 4)
_decode = Kernel("pcm.decode", 6)

#: Sample encodings by name, as ffmpeg names them, with the bytes of one sample; all little-endian.
ENCODINGS = {"u8": 1, "s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4, "f64le": 8}
_KINDS = {name: kind for kind, name in enumerate(ENCODINGS)}


def _planar(x: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], tuple[int, int, int]]:
    """Return the block with samples side by side in each channel, and its channels, samples, stride."""
    if x.dtype != np.float32 or x.ndim != 2:
        raise ValueError(f"a block is float32 [channels, samples], not {x.dtype} {x.shape}")
    if x.shape[1] > 1 and x.strides[1] != x.itemsize:
        x = np.ascontiguousarray(x)
    return x, (x.shape[0], x.shape[1], x.strides[0])


def first_non_finite(x: npt.NDArray[np.float32]) -> int:
    """Return the index of the first sample (of any channel) that is NaN or infinite, or -1.

    Example:
        >>> first_non_finite(np.array([[0, 1, np.nan], [0, np.inf, 0]], np.float32))
        1
    """
    x, shape = _planar(x)
    return _first_non_finite(address_of(x), *shape)


def interleave(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return planar ``x [channels, samples]`` as ``[samples, channels]``."""
    out = np.empty(x.shape[::-1], np.float32)
    x, shape = _planar(x)
    _interleave(address_of(x), address_of(out), *shape)
    return out


def quantise(
    x: npt.NDArray[np.float32], bits: int, *, dither: tuple[int, int] | None = None
) -> tuple[npt.NDArray[np.int32], int]:
    """Round planar ``x [channels, samples]`` to ``bits``-bit integers, the nearest, ties to even.

    Full scale is ``2 ** (bits - 1)``, so integers read as float32 come back exactly (libsndfile's own
    float path truncates towards minus infinity instead of rounding).

    Args:
        x: the samples.
        bits: 2 to 32.
        dither: a seed and the index of the first sample: adds triangular noise of two steps (TPDF) before
            rounding, which makes the error's mean and power independent of the signal (Lipshitz, Wannamaker,
            Vanderkooy, JAES 1992). Samples that are exactly one of the integers pass as they are, so
            silence stays silence. The noise depends on seed, index and channel alone.

    Returns:
        The values in the upper bits of int32, ``[samples, channels]``, and the number of samples that
        did not fit and were clipped.

    Example:
        >>> values, clipped = quantise(np.array([[0.5, -1.0, 1.0]], np.float32), 16)
        >>> (values >> 16).ravel().tolist(), clipped
        ([16384, -32768, 32767], 1)
    """
    out = np.empty(x.shape[::-1], np.int32)
    x, shape = _planar(x)
    if dither is not None:
        seed, first = dither
        noise = np.empty(shape[1], np.float32)
        return out, _dither(address_of(x), address_of(out), address_of(noise), *shape, bits, first, seed)
    return out, _quantise(address_of(x), address_of(out), *shape, bits)


def encoded(values: npt.NDArray[np.int32], bits: int) -> npt.NDArray[np.uint8]:
    """Return what `quantise` gave as the bytes of a little-endian file of 16, 24 or 32 bits.

    Example:
        >>> encoded(np.array([[1 << 16]], np.int32), 16).tolist()
        [1, 0]
    """
    if bits == 32:
        return np.ascontiguousarray(values, "<i4").reshape(-1).view(np.uint8)
    if bits not in {16, 24}:
        raise ValueError(f"files hold 16, 24 or 32 bits, not {bits}")
    out = np.empty(values.size * bits // 8, np.uint8)
    values = np.ascontiguousarray(values)
    _pack(address_of(values), address_of(out), values.size, bits)
    return out


def decode(raw: npt.NDArray[np.uint8], encoding: str, out: npt.NDArray[np.float32]) -> None:
    """Turn interleaved bytes into planar ``out [channels, samples]``; integers scale to within [-1, 1).

    Args:
        raw: at least as many bytes as ``out`` needs, side by side.
        encoding: a name of `ENCODINGS`. 8-bit samples are unsigned, as in WAVE.
        out: its samples must stand side by side in each channel.

    Example:
        >>> out = np.empty((2, 1), np.float32)
        >>> decode(np.array([0, 0x40, 0, 0xC0], np.uint8), "s16le", out)
        >>> out.tolist()
        [[0.5], [-0.5]]
    """
    channels, n = out.shape
    strided = n > 1 and out.strides[1] != out.itemsize
    if out.dtype != np.float32 or strided or raw.dtype != np.uint8 or not raw.flags.c_contiguous:
        raise ValueError("decode takes bytes side by side, and float32 rows of samples side by side")
    if raw.size < channels * n * ENCODINGS[encoding]:
        raise ValueError(f"{raw.size} bytes do not hold {channels} x {n} samples of {encoding}")
    _decode(address_of(raw), address_of(out), channels, n, out.strides[0], _KINDS[encoding])
