"""Files of machine code that outlive a process: private, whole or not there, and only ever loaded if sound.

Files are written beside their place and renamed, so of processes that race the last one's file stays, whole;
each begins with a digest of its rest, so a damaged file is compiled again instead of crashing the process.
Folders are made private, and files that belong to another user are not loaded: what is kept is executed.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["cache_root", "read_kept", "write_kept"]

_DIGEST = 32  # bytes of SHA-256


def cache_root() -> Path:
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


def read_kept(path: Path) -> bytes | None:
    """Return what is kept in a file, or None if there is none, or none to be trusted."""
    try:
        with path.open("rb") as file:
            owner, content = os.fstat(file.fileno()).st_uid, file.read()
    except OSError:
        return None
    if owner not in {0, os.geteuid()}:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def write_kept(path: Path, code: bytes) -> bool:
    """Keep machine code in a file; return whether later processes will find it."""
    try:
        _make_private(path.parent)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-")
    except OSError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        Path(partial).replace(path)
    except OSError:
        with suppress(OSError):
            Path(partial).unlink()
        return False
    return read_kept(path) is not None


def _make_private(folder: Path) -> None:
    """Make a folder and those above it for this user alone; pathlib would do so for the last one only."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
