"""Addresses of arrays, and arrays at aligned addresses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ._signatures import ffi as _typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["address_of", "aligned", "pointer_to", "row_addresses"]

ffi: Any = _typed  # its annotations lack arrays
_WORD = ffi.typeof("int64_t")

_LINE = 64  # bytes of a cache line, and of the widest vector


def address_of(array: npt.NDArray[Any]) -> int:
    """Return the address of an array's first element."""
    if array.flags.c_contiguous:  # twice as fast
        return int(ffi.cast(_WORD, ffi.from_buffer(array)))
    return int(array.__array_interface__["data"][0])


def pointer_to(array: npt.NDArray[Any]) -> Any:
    """Return a pointer to an array's first element, for kernels that take pointers."""
    if array.flags.c_contiguous:
        return ffi.from_buffer(array)
    return ffi.cast("void *", address_of(array))


def row_addresses(blocks: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.int64]:
    """Return the address of every channel of every ``[channels, n]`` block, in order."""
    rows = [address_of(block) + np.arange(block.shape[0]) * block.strides[0] for block in blocks]
    return np.concatenate(rows, dtype=np.int64) if rows else np.empty(0, np.int64)


def aligned(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """Return an uninitialised C-contiguous array whose first element begins a cache line.

    Vectors of 64 bytes that straddle two lines cost twice.

    Example:
        >>> aligned((3, 5)).__array_interface__["data"][0] % 64
        0
    """
    shape = shape if isinstance(shape, tuple) else (shape,)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + _LINE, np.uint8)
    start = -address_of(memory) % _LINE
    return memory[start : start + size].view(dtype).reshape(shape)
