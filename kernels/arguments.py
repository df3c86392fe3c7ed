"""Checks of the arrays that callers hand to kernels: machine code would read past a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import KernelError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["check_array"]

#: An exact length, a name for any length of at least one, or None for any length.
Length = int | str | None


def check_array(
    name: str, array: object, dtype: npt.DTypeLike, shape: tuple[Length, ...], *, writable: bool = False
) -> npt.NDArray[Any]:
    """Return ``array`` if it is a C-contiguous NumPy array of this type and shape.

    Nothing is converted: a copy made in silence would be a cost, or an output that is never written.

    Args:
        name: what the caller knows it as.
        array: what was given.
        dtype: the only type accepted, in native byte order.
        shape: by axis a length, a name for any length of at least one, or None for any length.
        writable: the kernel writes to it.

    Raises:
        KernelError: it is something else.

    Example:
        >>> check_array("x", np.zeros((2, 3)), np.float32, (2, "samples"))
        Traceback (most recent call last):
        unbraid.kernels.errors.KernelError: x must be float32 [2, samples], not float64 [2, 3]
    """
    wanted = f"{np.dtype(dtype)} [{', '.join('any' if n is None else str(n) for n in shape)}]"
    if not isinstance(array, np.ndarray):
        raise KernelError(f"{name} must be a NumPy array, {wanted}, not {type(array).__name__}")
    seen = f"{array.dtype} [{', '.join(map(str, array.shape))}]"
    if array.dtype != np.dtype(dtype) or array.ndim != len(shape):
        raise KernelError(f"{name} must be {wanted}, not {seen}")
    for given, want in zip(array.shape, shape, strict=True):
        if given != want if isinstance(want, int) else isinstance(want, str) and given < 1:
            raise KernelError(f"{name} must be {wanted}, not {seen}")
    if not array.flags.c_contiguous:
        raise KernelError(f"{name} {seen} must be C-contiguous; pass numpy.ascontiguousarray({name})")
    if writable and not array.flags.writeable:
        raise KernelError(f"{name} {seen} must be writable")
    return array
