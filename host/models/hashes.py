"""SHA-256 of files, computed once for each state of a file.

Hashing 300 MB at each start would cost a quarter of a second or more, so what was found is kept beside
the file in the store, with the length, times and inode for which it holds. A file that changes in any of
them is hashed again.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["known_sha256", "remember", "remembered", "sha256_of"]


class _Seen(msgspec.Struct):
    path: str
    state: tuple[int, ...]
    sha256: str


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hashing all of it.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_sha256(path: Path, note: Path) -> str:
    """Return the SHA-256 of ``path``, from ``note`` where that was written for the file as it is now.

    Raises:
        OSError: it cannot be read.
    """
    if found := remembered(path, note):
        return found
    state = _state(path)
    sha256 = sha256_of(path)
    if _state(path) == state:
        remember(path, note, sha256)
    return sha256


def remembered(path: Path, note: Path) -> str:
    """Return the SHA-256 that ``note`` holds for ``path`` as it is now; "" where it holds none.

    Raises:
        OSError: the file is not there.
    """
    state = _state(path)
    with suppress(OSError, msgspec.MsgspecError):
        seen = msgspec.json.decode(note.read_bytes(), type=_Seen)
        if (seen.path, seen.state) == (str(path), state):
            return seen.sha256
    return ""


def remember(path: Path, note: Path, sha256: str) -> None:
    """Keep the SHA-256 of ``path`` as it is now; a store that cannot be written goes without."""
    partial = note.with_name(f".{note.name}.{secrets.token_hex(4)}")
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(msgspec.json.encode(_Seen(str(path), _state(path), sha256)))
        partial.replace(note)
    with suppress(OSError):
        partial.unlink(missing_ok=True)


def _state(path: Path) -> tuple[int, ...]:
    found = os.stat(path)  # noqa: PTH116 - one spelling for all its fields
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
