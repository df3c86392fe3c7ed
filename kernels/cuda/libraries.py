"""Finds the two libraries of CUDA that kernels need: the driver's, and the compiler NVRTC."""

from __future__ import annotations

import ctypes
import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CudaError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["driver_library", "nvrtc_library"]

_SONAMES = tuple(Path(name) for name in ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"))


@cache
def driver_library() -> ctypes.CDLL:
    """Return the driver's library, libcuda.

    Raises:
        CudaError: there is none.
    """
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise CudaError(f"no CUDA driver: {error}; install NVIDIA's driver") from None


@cache
def nvrtc_library() -> ctypes.CDLL:
    """Return NVIDIA's run-time compiler, from a package, from torch, from a toolkit or from the system.

    The newest whose code the driver runs: that of its own major version, or of one before.

    Raises:
        CudaError: there is none.
    """
    most = _driver_major()
    for path in [*_packaged(), *_of_toolkits(), *_SONAMES]:
        if (_version(path) or [0])[0] > most:
            continue
        try:
            return ctypes.CDLL(str(path))
        except OSError:
            continue
    raise CudaError(
        "NVIDIA's compiler libnvrtc is not installed, or newer than the driver: pip install nvidia-cuda-nvrtc"
    )


def _driver_major() -> int:
    """The newest version of CUDA that the driver runs; without a driver any."""
    try:
        library, version = driver_library(), ctypes.c_int()
    except CudaError:
        return 1 << 30
    return version.value // 1000 if library.cuDriverGetVersion(ctypes.byref(version)) == 0 else 1 << 30


def _version(path: Path) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", path.name.partition(".so")[2])]


def _packaged() -> list[Path]:
    """What packages hold: ``nvidia/cu13/lib`` in nvidia-cuda-nvrtc, ``nvidia/cuda_nvrtc/lib`` before."""
    folders = [*_folders("nvidia", "*/lib"), *_folders("torch", "lib")]
    return _newest_first(path for folder in folders for path in folder.glob("libnvrtc*.so*"))


def _of_toolkits() -> list[Path]:
    roots = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    return _newest_first(path for root in roots if root for path in Path(root, "lib64").glob("libnvrtc.so*"))


def _folders(package: str, pattern: str) -> Iterator[Path]:
    spec = find_spec(package)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        yield from Path(place).glob(pattern)


def _newest_first(paths: Iterator[Path]) -> list[Path]:
    """Sort by version, and leave out the compiler's own parts and copies of it for static linking."""
    kept = [path for path in paths if re.match(r"libnvrtc(-[0-9a-f]+)?\.so", path.name)]
    return sorted(kept, key=_version, reverse=True)
