"""Arrays on CUDA devices, torch's and CuPy's: what they are, where, on which stream, new ones of a kind."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import KernelError

__all__ = ["Place", "View", "place_of", "view", "written"]


@dataclass(frozen=True)
class View:
    """Where an array's values are.

    Attributes:
        address: of the first value.
        shape: lengths of its axes.
        size: bytes of its values.
    """

    address: int
    shape: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class Place:
    """Where a call's arrays are, and whose.

    Attributes:
        library: "torch" or "cupy".
        ordinal: number of the device.
    """

    library: str
    ordinal: int

    @property
    def stream(self) -> int:
        """The stream that the caller's library puts work on now."""
        module: Any = sys.modules[self.library]
        if self.library == "torch":
            return int(module.cuda.current_stream(self.ordinal).cuda_stream)
        with module.cuda.Device(self.ordinal):
            return int(module.cuda.get_current_stream().ptr)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return a new array, its values undefined."""
        module: Any = sys.modules[self.library]
        if self.library == "torch":
            return module.empty(shape, dtype=getattr(module, dtype), device=_torch_device(self.ordinal))
        with module.cuda.Device(self.ordinal):
            return module.empty(shape, dtype)


@cache
def _torch_device(ordinal: int) -> Any:
    return sys.modules["torch"].device("cuda", ordinal)


def place_of(name: str, array: object) -> Place:
    """Return where an array is, and whose it is.

    Raises:
        KernelError: it is on no CUDA device, or neither torch's nor CuPy's.
    """
    library, known = _library(array), array
    anything: Any = known
    if library == "torch":
        if not anything.is_cuda:
            raise KernelError(
                f"{name} is a torch tensor on {anything.device}; move it with .cuda(), or .numpy()"
            )
        return Place(library, anything.device.index)
    if library == "cupy":
        return Place(library, anything.device.id)
    raise KernelError(
        f"{name} must be a torch tensor or a CuPy array to be worked on by CUDA, not {type(array).__name__}"
    )


def view(
    name: str,
    array: object,
    place: Place,
    dtype: str,
    shape: tuple[int | str, ...],
    *,
    writable: bool = False,
) -> View:
    """Return where an array's values are, if it is what kernels work on; nothing is converted.

    Args:
        name: what the caller knows it as.
        array: what was given.
        place: where it must be.
        dtype: the only type accepted.
        shape: by axis a length, or a name for any length of at least one.
        writable: the kernel writes to it.

    Raises:
        KernelError: it is something else or elsewhere.
    """
    found = place_of(name, array)
    anything: Any = array
    lengths = tuple(anything.shape)
    if anything.dtype != _dtype(found.library, dtype) or not _fits(lengths, shape):
        wanted, given = ", ".join(map(str, shape)), str(anything.dtype).removeprefix("torch.")
        raise KernelError(f"{name} must be {dtype} [{wanted}], not {given} {list(lengths)}")
    if found != place:
        raise KernelError(
            f"{name} is {found.library}'s on device {found.ordinal}, but x is {place.library}'s on device "
            f"{place.ordinal}; bring them together first"
        )
    if found.library == "torch":
        return View(_torch_address(name, anything, writable=writable), lengths, int(anything.nbytes))
    if not anything.flags.c_contiguous:
        raise KernelError(f"{name} must be C-contiguous; use cupy.ascontiguousarray")
    return View(int(anything.data.ptr), lengths, int(anything.nbytes))


@cache
def _dtype(library: str, name: str) -> Any:
    return getattr(sys.modules[library], name)


def _fits(lengths: tuple[int, ...], shape: tuple[int | str, ...]) -> bool:
    if lengths == shape:
        return 0 not in shape
    return len(lengths) == len(shape) and all(
        a == b if isinstance(b, int) else a >= 1 for a, b in zip(lengths, shape, strict=True)
    )


def _torch_address(name: str, tensor: Any, *, writable: bool) -> int:
    if not tensor.is_contiguous():
        raise KernelError(f"{name} must be contiguous; use .contiguous()")
    if tensor.is_conj() or tensor.is_neg():
        raise KernelError(
            f"{name} is conjugated or negated but for its values; use .resolve_conj().resolve_neg()"
        )
    if tensor.requires_grad and (writable or sys.modules["torch"].is_grad_enabled()):
        raise KernelError(
            f"{name} requires a gradient, which kernels do not give; use .detach() or torch.no_grad()"
        )
    return int(tensor.data_ptr())


def written(
    name: str, out: object, place: Place, dtype: str, shape: tuple[int, ...], *inputs: View
) -> tuple[Any, View]:
    """Return ``out``, or a new array for None, and where its values are.

    Raises:
        KernelError: it has another type or shape, is elsewhere or shares memory with an input.
    """
    array = place.empty(shape, dtype) if out is None else out
    found = view(name, array, place, dtype, shape, writable=True)
    for given in inputs:
        if found.address < given.address + given.size and given.address < found.address + found.size:
            raise KernelError(f"{name} shares memory with an input; kernels do not work in place")
    return array, found


def _library(array: Any) -> str:
    kind: Any = type(array)
    return _library_of(kind)


@cache
def _library_of(kind: type[Any]) -> str:
    roots = [base.__module__.partition(".")[0] for base in kind.__mro__]
    return next((root for root in roots if root in {"torch", "cupy"}), "")
