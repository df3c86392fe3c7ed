"""The cache of object code: one file per kernel in a folder named after everything that shapes the code.

The folder's name is a hash of everything in `kernels.code` and `kernels.machine`, of the versions of
numba, llvmlite and Python, and of the CPU with its features. So whatever changes, a callee in another
file included, leads to a new folder, and nothing stale is ever loaded. Files are written beside their
place and renamed, so processes that race write the same bytes twice; each begins with a digest of its
rest, so a damaged file is compiled again instead of crashing the process.
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

__all__ = ["cache_folder", "load_object", "store_object"]

_DIGEST = 32  # bytes of SHA-256
_KERNELS = Path(__file__).resolve().parents[1]


def _root() -> Path:
    """Where caches go: ``NUMBA_CACHE_DIR``, else ``XDG_CACHE_HOME``, else ``~/.cache``."""
    if folder := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(folder)
    if folder := os.environ.get("XDG_CACHE_HOME"):
        return Path(folder)
    return Path("~/.cache").expanduser()


def _sources_hash() -> str:
    sha = hashlib.sha256()
    for path in sorted([*(_KERNELS / "code").rglob("*.py"), *(_KERNELS / "machine").rglob("*.py")]):
        sha.update(f"{path.relative_to(_KERNELS)}\0".encode())
        sha.update(path.read_bytes())
    return sha.hexdigest()


@cache
def cache_folder() -> Path:
    """Return the folder that holds this machine's kernels; it need not exist yet."""
    from .load import cpu

    sha = hashlib.sha256(_sources_hash().encode())
    for part in (version("numba"), version("llvmlite"), f"{sys.version_info[:2]}", *cpu()):
        sha.update(f"\0{part}".encode())
    return _root() / "unbraid" / f"kernels-{sha.hexdigest()[:16]}"


def load_object(name: str) -> bytes | None:
    """Return the object code kept under this name, or None if there is none or it is damaged."""
    try:
        content = (cache_folder() / f"{name}.o").read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def store_object(name: str, code: bytes) -> bool:
    """Keep object code under this name; return whether it could be written."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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
    return True
