"""Files that stand under their names only when the disk holds all of them."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from .errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["flush", "settle", "whole_file", "why_not"]


def flush(path: Path) -> None:
    """Wait until the disk holds a file's bytes, or a folder's names.

    Raises:
        OSError: it does not.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle(partial: Path, path: Path) -> None:
    """Give a finished file its name, over whatever has it.

    Raises:
        OSError: the disk did not take it.
    """
    flush(partial)
    partial.replace(path)
    with suppress(OSError):  # some network file systems cannot
        flush(path.parent)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a hidden name beside ``path`` to write to; at the end of the block it becomes ``path``.

    An error inside leaves nothing behind and ``path`` as it was.

    Raises:
        ModelError: the disk did not take the file.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        settle(partial, path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {why_not(error)}") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def why_not(error: object) -> str:
    """Return why the disk did not take something, and what to do when it is full."""
    if getattr(error, "errno", 0) in {errno.ENOSPC, errno.EDQUOT}:
        return "no space left on the disk; free some, or set UNBRAID_MODELS to another folder"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
