"""A lock between processes: two that fetch one model do not write into one file."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import ModelFetchError
from .places import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["locked"]


@contextmanager
def locked(path: Path, waiting: Callable[[], object]) -> Iterator[None]:
    """Hold an advisory lock (flock) on ``path``, which is made and stays.

    It belongs to the open file, so it ends with the process however that ends. The file is not removed: a
    process that waits for it would hold a lock that nobody else sees.

    Args:
        path: the lock's file.
        waiting: called once if somebody else holds it.

    Raises:
        ModelFetchError: it cannot be made, or the file system knows no locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise ModelFetchError(f"{path.parent}: cannot be written: {error.strerror}; set {ROOT}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            reason = f"{path}: cannot be locked: {error.strerror}"
            raise ModelFetchError(f"{reason}; set {ROOT} to a folder on a local disk") from None
        yield
    finally:
        os.close(descriptor)
