"""Between files and planar float32: interleaving, quantising, counting clips, finding NaN, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .machine import Kernel, address_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["first_non_finite", "interleave", "quantise"]

_first_non_finite = Kernel("pcm.first_non_finite", 4)
_interleave = Kernel("pcm.interleave", 5)
_quantise = Kernel("pcm.quantise", 6)


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


def quantise(x: npt.NDArray[np.float32], bits: int) -> tuple[npt.NDArray[np.int32], int]:
    """Round planar ``x [channels, samples]`` to ``bits``-bit integers, the nearest, ties to even.

    Full scale is ``2 ** (bits - 1)``, so integers read as float32 come back exactly (libsndfile's own
    float path truncates towards minus infinity instead of rounding).

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
    return out, _quantise(address_of(x), address_of(out), *shape, bits)
