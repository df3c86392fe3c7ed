"""The cache of object code: one file per kernel in a folder named after everything that shapes the code.

The folder's name is a hash of everything in `kernels.code` and `kernels.machine`, of the versions of
numba, llvmlite and Python, of the settings of numba that shape code, and of the CPU with its features.
So whatever changes, a callee in another file included, leads to a new folder, and nothing stale is ever
loaded. Files are written beside their place and renamed, so of processes that race the last one's file
stays, whole; each begins with a digest of its rest, so a damaged file is compiled again instead of
crashing the process. Folders are made private, and files that belong to another user are not loaded:
what is kept here is executed.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

__all__ = ["cache_folder", "load_object", "sources_hash", "store_object"]

_DIGEST = 32  # bytes of SHA-256
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


def _root() -> Path:
    """Where caches go: ``NUMBA_CACHE_DIR``, else ``XDG_CACHE_HOME``, else ``~/.cache``; never relative."""
    if folder := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(folder).absolute()
    # Its specification says to ignore a relative path.
    if (folder := os.environ.get("XDG_CACHE_HOME")) and Path(folder).is_absolute():
        return Path(folder)
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # neither HOME nor an entry for the user, as in many containers
        return Path(tempfile.gettempdir()) / f"cache-{os.geteuid()}"


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
    return _root() / "unbraid" / f"kernels-{sha.hexdigest()[:16]}"


def load_object(name: str) -> bytes | None:
    """Return the object code kept under this name, or None if there is none, or none to be trusted."""
    try:
        with (cache_folder() / f"{name}.o").open("rb") as file:
            owner, content = os.fstat(file.fileno()).st_uid, file.read()
    except OSError:
        return None
    if not _SOURCES or owner not in {0, os.geteuid()}:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def store_object(name: str, code: bytes) -> bool:
    """Keep object code under this name; return whether later processes will find it."""
    folder = cache_folder()
    try:
        if _sources_hash() != _SOURCES:
            return False  # edited since the folder got its name, so this code may not belong there
        _make_private(folder)
        handle, partial = tempfile.mkstemp(dir=folder, prefix=f".{name[:40]}-")
    except OSError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        Path(partial).replace(folder / f"{name}.o")
    except OSError:
        with suppress(OSError):
            Path(partial).unlink()
        return False
    return load_object(name) is not None


def _make_private(folder: Path) -> None:
    """Make a folder and those above it for this user alone; pathlib would do so for the last one only."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
