"""Between files and planar float32: interleaving, quantising, counting clips, finding NaN, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, types

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["first_non_finite", "interleave", "quantise"]

_F2, _F2W = types.Array(types.float32, 2, "A", readonly=True), types.float32[:, ::1]


@njit([types.int64(_F2)], cache=True, nogil=True)
def _first_non_finite(x: Any) -> Any:
    # The exponent is all ones in NaN and infinity alone; x - x is NaN there and 0 elsewhere, so a sum
    # tells without a branch per sample, and only a block that has one is searched.
    earliest = x.shape[1]
    for c in range(x.shape[0]):
        total = np.float32(0)
        for i in range(x.shape[1]):
            total += x[c, i] - x[c, i]
        if total != 0:
            for i in range(x.shape[1]):
                if x[c, i] - x[c, i] != 0:
                    earliest = min(earliest, i)
                    break
    return earliest if earliest < x.shape[1] else -1


@njit([types.void(_F2, _F2W)], cache=True, nogil=True)
def _interleave(x: Any, out: Any) -> None:
    for c in range(x.shape[0]):
        for i in range(x.shape[1]):
            out[i, c] = x[c, i]


@njit([types.int64(_F2, types.int32[:, ::1], types.int64)], cache=True, nogil=True)
def _quantise(x: Any, out: Any, bits: Any) -> Any:
    scale = np.float64(1 << (bits - 1))
    top, shift = scale - 1.0, 32 - bits
    clipped = 0
    for c in range(x.shape[0]):
        for i in range(x.shape[1]):
            value = np.rint(np.float64(x[c, i]) * scale)
            clipped += (value > top) | (value < -scale)
            out[i, c] = np.int32(np.int64(min(max(value, -scale), top)) << shift)
    return clipped


def first_non_finite(x: npt.NDArray[np.float32]) -> int:
    """Return the index of the first sample (of any channel) that is NaN or infinite, or -1.

    Example:
        >>> first_non_finite(np.array([[0, 1, np.nan], [0, np.inf, 0]], np.float32))
        1
    """
    return int(_first_non_finite(x))


def interleave(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return planar ``x [channels, samples]`` as ``[samples, channels]``."""
    out = np.empty(x.shape[::-1], np.float32)
    _interleave(x, out)
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
    return out, int(_quantise(x, out, bits))
