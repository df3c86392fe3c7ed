"""The cache of object code: one file per kernel in a folder named after everything that shapes the code.

The folder's name is a hash of everything in `kernels.code` and `kernels.machine`, of the versions of
numba, llvmlite and Python, of the settings of numba that shape code, and of the CPU with its features.
So whatever changes, a callee in another file included, leads to a new folder, and nothing stale is ever
loaded. How files are kept is told in `kept`.
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from .kept import cache_root, read_kept, write_kept

__all__ = ["cache_folder", "load_object", "sources_hash", "store_object"]

#: Environment variables that change what numba compiles.
_SETTINGS = (
    "NUMBA_BOUNDSCHECK",
    "NUMBA_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "NUMBA_DEBUGINFO",
    "NUMBA_DISABLE_INTEL_SVML",
    "NUMBA_ENABLE_AVX",
    "NUMBA_ENABLE_PROFILING",
    "NUMBA_LOOP_VECTORIZE",
    "NUMBA_OPT",
    "NUMBA_SLP_VECTORIZE",
)
_KERNELS = Path(__file__).resolve().parents[1]


def _sources_hash() -> str:
    """Hash every source; empty where there are none, as in a frozen program."""
    found = [*(_KERNELS / "code").rglob("*.py"), *(_KERNELS / "machine").rglob("*.py")]
    sources = sorted(path for path in found if path.is_file())  # Emacs' locks are dangling links
    sha = hashlib.sha256()
    for path in sources:
        sha.update(f"{path.relative_to(_KERNELS)}\0".encode())
        sha.update(path.read_bytes())
    return sha.hexdigest() if sources else ""


#: Taken at import, so that a process whose sources are edited later does not mistake old code for new.
_SOURCES = _sources_hash()


def sources_hash() -> str:
    """Return a hash of what makes kernels, as it was when this process began; "" in a frozen program."""
    return _SOURCES


@cache
def cache_folder() -> Path:
    """Return the folder that holds this machine's kernels; it need not exist yet."""
    from .load import cpu

    sha = hashlib.sha256(_SOURCES.encode())
    settings = [f"{name}={os.environ.get(name, '')}" for name in _SETTINGS]
    for part in (version("numba"), version("llvmlite"), f"{sys.version_info[:2]}", *cpu(), *settings):
        sha.update(f"\0{part}".encode())
    return cache_root() / "unbraid" / f"kernels-{sha.hexdigest()[:16]}"


def load_object(name: str) -> bytes | None:
    """Return the object code kept under this name, or None if there is none, or none to be trusted."""
    return read_kept(cache_folder() / f"{name}.o") if _SOURCES else None


def store_object(name: str, code: bytes) -> bool:
    """Keep object code under this name; return whether later processes will find it."""
    try:
        if _sources_hash() != _SOURCES:
            return False  # edited since the folder got its name, so this code may not belong there
    except OSError:
        return False
    return bool(_SOURCES) and write_kept(cache_folder() / f"{name}.o", code)
