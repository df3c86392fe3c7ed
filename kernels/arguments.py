"""Checks of the arrays that callers hand to kernels: machine code would read past a wrong one."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .errors import KernelError
from .machine import aligned

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "CudaArray",
    "check_array",
    "check_count",
    "check_number",
    "check_output",
    "described",
    "is_float32",
    "on_cuda",
]

_FLOAT32 = np.dtype(np.float32)


class CudaArray(Protocol):
    """An array that may lie on a CUDA device: a torch tensor, a CuPy array."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...


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
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == len(shape)
    if not fits or not all(map(_length_fits, array.shape, shape)):  # type: ignore[attr-defined]
        lengths = ", ".join("any" if n is None else str(n) for n in shape)
        raise KernelError(f"{name} must be {np.dtype(dtype)} [{lengths}], not {described(array)}")
    assert isinstance(array, np.ndarray)  # noqa: S101 - seen above
    if not array.flags.c_contiguous:
        raise KernelError(f"{name} {described(array)} must be C-contiguous; use numpy.ascontiguousarray")
    if writable and not array.flags.writeable:
        raise KernelError(f"{name} {described(array)} must be writable")
    return array


def _length_fits(given: int, wanted: Length) -> bool:
    return given == wanted if isinstance(wanted, int) else wanted is None or given >= 1


def described(array: object) -> str:
    """Return type and shape, for messages.

    Example:
        >>> described(np.zeros((2, 3))), described(None)
        ('float64 [2, 3]', 'NoneType')
    """
    return f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__


def is_float32(array: object, shape: tuple[int, ...]) -> bool:
    """Return whether this is a float32 array of this shape, of any layout; cheap enough for every block."""
    return isinstance(array, np.ndarray) and array.dtype == _FLOAT32 and array.shape == shape


def check_count(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """Return ``value`` as an int if it is an integer of at least ``least`` and at most ``most``.

    Raises:
        KernelError: it is something else; True and False are no counts.

    Example:
        >>> check_count("bands", 0)
        Traceback (most recent call last):
        unbraid.kernels.errors.KernelError: bands must be an integer of at least 1, not 0
    """
    fits = not isinstance(value, bool) and isinstance(value, int | np.integer)
    if not fits or value < least or (most is not None and value > most):  # type: ignore[operator]
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise KernelError(f"{name} must be an integer {bounds}, not {value!r}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def check_number(name: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
    """Return ``value`` as a float if it is a finite real number from ``low`` to ``high``.

    Raises:
        KernelError: it is something else.

    Example:
        >>> check_number("floor", 1.5, 0, 1)
        Traceback (most recent call last):
        unbraid.kernels.errors.KernelError: floor must be a number from 0 to 1, not 1.5
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    number = float(value) if real else math.nan  # type: ignore[arg-type]
    if not (math.isfinite(number) and low <= number <= high):
        rule = (
            "a finite number"
            if math.isinf(low) and math.isinf(high)
            else f"a number from {low:g} to {high:g}"
        )
        raise KernelError(f"{name} must be {rule}, not {value!r}")
    return number


def check_output(
    name: str, out: object, shape: tuple[int, ...], *inputs: npt.NDArray[Any]
) -> npt.NDArray[np.float32]:
    """Return ``out`` if a kernel can write float32 of this shape to it, or a new array for None.

    Raises:
        KernelError: it has another type or shape, is read-only or shares memory with an input.
    """
    if out is None:
        return aligned(shape)
    checked = check_array(name, out, np.float32, shape, writable=True)
    if any(np.may_share_memory(checked, array) for array in inputs):
        raise KernelError(f"{name} shares memory with an input; kernels do not work in place")
    return checked


def on_cuda(array: object, width: int | None) -> bool:
    """Return whether an array is of a kind that lives on CUDA devices: a torch tensor, a CuPy array.

    Raises:
        KernelError: it is, but ``width`` asks for vectors of the CPU.
    """
    if isinstance(array, np.ndarray) or not hasattr(type(array), "__cuda_array_interface__"):
        return False
    if width is not None:
        raise KernelError("width is for NumPy arrays; leave it out for arrays on CUDA devices")
    return True
