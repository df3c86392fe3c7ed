"""The CUDA driver's functions that kernels need, in the context that torch and CuPy use."""

from __future__ import annotations

import ctypes
import weakref
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from .errors import CudaError
from .libraries import driver_library

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

__all__ = ["Device", "Function", "device_of"]

# Attributes of devices and functions, by their numbers in cuda.h.
_MULTIPROCESSORS, _MAJOR, _MINOR, _MOST_SHARED = 16, 75, 76, 97
_DYNAMIC_SHARED = 8
_PLAIN_SHARED = 48 << 10  # bytes that a kernel may have without asking


def _call(name: str, *arguments: object) -> None:
    library = driver_library()
    code = getattr(library, name)(*arguments)
    if code:
        text = ctypes.c_char_p()
        library.cuGetErrorString(code, ctypes.byref(text))
        said = (text.value or b"unknown").decode()
        raise CudaError(f"{name}: {said} (CUDA error {code})")


class Device:
    """A device and its primary context, which is the one that torch and CuPy use.

    Attributes:
        ordinal: the device's number.
        multiprocessors: how many it has.
        capability: major and minor version.
        shared: bytes of shared memory that a block may have.
    """

    def __init__(self, ordinal: int) -> None:
        _call("cuInit", 0)
        handle = ctypes.c_int()
        _call("cuDeviceGet", ctypes.byref(handle), ordinal)
        self.ordinal, self._handle = ordinal, handle
        self.multiprocessors = self._attribute(_MULTIPROCESSORS)
        self.capability = self._attribute(_MAJOR), self._attribute(_MINOR)
        self.shared = self._attribute(_MOST_SHARED)
        self._context = ctypes.c_void_p()
        _call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), handle)

    def _attribute(self, number: int) -> int:
        value = ctypes.c_int()
        _call("cuDeviceGetAttribute", ctypes.byref(value), number, self._handle)
        return value.value

    def is_current(self) -> bool:
        """Return whether the device's context is this thread's already, as it mostly is."""
        found = ctypes.c_void_p()
        _call("cuCtxGetCurrent", ctypes.byref(found))
        return found.value == self._context.value

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the device's context this thread's, and the one before again afterwards."""
        if self.is_current():
            yield
            return
        _call("cuCtxPushCurrent_v2", self._context)
        try:
            yield
        finally:
            _call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))

    def functions(self, code: bytes, names: tuple[str, ...]) -> dict[str, Function]:
        """Load a module; return its kernels."""
        module = ctypes.c_void_p()
        with self.current():
            _call("cuModuleLoadData", ctypes.byref(module), code)
            return {name: Function(self, module, name) for name in names}

    def keep(self, values: npt.NDArray[np.float32]) -> Kept:
        """Copy values to the device."""
        return Kept(self, values)


class Kept:
    """Values in a device's memory for as long as this object lives.

    Attributes:
        address: where they are.
    """

    def __init__(self, device: Device, values: npt.NDArray[np.float32]) -> None:
        pointer = ctypes.c_uint64()
        with device.current():
            _call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(values.nbytes))
            weakref.finalize(self, _free, device, pointer).atexit = False
            source = ctypes.c_void_p(values.ctypes.data)
            _call("cuMemcpyHtoD_v2", pointer, source, ctypes.c_size_t(values.nbytes))
        self.address = pointer.value


def _free(device: Device, pointer: ctypes.c_uint64) -> None:
    with device.current():
        _call("cuMemFree_v2", pointer)


class Function:
    """A kernel on a device."""

    def __init__(self, device: Device, module: ctypes.c_void_p, name: str) -> None:
        self._device, self._handle = device, ctypes.c_void_p()
        self._allowed = _PLAIN_SHARED
        _call("cuModuleGetFunction", ctypes.byref(self._handle), module, name.encode())

    def resident(self, threads: int, shared: int) -> int:
        """Return how many blocks a multiprocessor holds at once."""
        count = ctypes.c_int()
        with self._device.current():
            self._allow(shared)
            _call(
                "cuOccupancyMaxActiveBlocksPerMultiprocessor",
                ctypes.byref(count),
                self._handle,
                threads,
                ctypes.c_size_t(shared),
            )
        return count.value

    def launch(self, stream: int, blocks: int, threads: int, shared: int, argument: Any) -> None:
        """Put the kernel on a stream, with one argument, a ctypes structure."""
        arguments = (ctypes.c_void_p * 1)(ctypes.addressof(argument))
        with self._device.current():
            self._allow(shared)
            _call(
                "cuLaunchKernel",
                self._handle,
                *(blocks, 1, 1, threads, 1, 1, shared),
                ctypes.c_void_p(stream),
                arguments,
                None,
            )

    def _allow(self, shared: int) -> None:
        if shared > self._allowed:
            _call("cuFuncSetAttribute", self._handle, _DYNAMIC_SHARED, shared)
            self._allowed = shared


@cache
def device_of(ordinal: int) -> Device:
    """Return a device, made once.

    Raises:
        CudaError: there is no driver or no such device.
    """
    return Device(ordinal)
