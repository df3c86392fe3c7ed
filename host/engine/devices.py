"""Which devices this machine has, asked of the driver itself."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from ..contract.errors import PluginError

if TYPE_CHECKING:
    from ..contract.errors import Place

__all__ = ["cuda_devices", "require_device"]


def cuda_devices() -> int:
    """Return the number of CUDA devices; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def require_device(device: str, place: Place) -> None:
    """Raise unless the device is there; a missing device is never silently replaced.

    Raises:
        PluginError: names the place and the device.
    """
    if device == "cuda" and cuda_devices() == 0:
        raise PluginError(f"{place}: asks for device 'cuda', but this machine has none; write device: cpu")
