"""A file that stands under its name only when it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from typing import TYPE_CHECKING

from ..contract.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AtomicFile", "rename_to_free_name", "sync", "why_not"]


class AtomicFile:
    """Room for one file beside its final name; nothing stands under ``path`` until `commit`.

    Attributes:
        path: the final name.
        partial: the hidden name under which it is written; made, and empty.

    Raises:
        MediaError: the name is taken and ``overwrite`` is false, or nothing can be created there.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path, self._overwrite = path, overwrite
        if _taken(path) and not overwrite:
            raise MediaError(f"{path}: exists already; choose another folder, or pass --overwrite")
        # Path.is_dir raises for names that no file can have.
        if os.path.isdir(path) and not path.is_symlink():  # noqa: PTH112
            raise MediaError(f"{path}: is a folder; move it away, or choose another folder with -o")
        self._named = False
        self.partial = path.with_name(f".unbraid-{secrets.token_hex(8)}.partial")
        self._old, self._kept = self.partial.with_suffix(".replaced"), False
        try:
            os.close(os.open(self.partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MediaError(f"{path}: cannot be created: {reason}") from None

    def sync(self) -> None:
        """Wait until the disk holds what was written.

        Raises:
            MediaError: it does not.
        """
        try:
            sync(self.partial)
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be completed: {why_not(self.path, error)}") from None

    def commit(self) -> None:
        """Give the finished file its name.

        Raises:
            MediaError: another file took the name meanwhile and ``overwrite`` is false.
        """
        try:
            if self._overwrite:
                self._keep_old()
                self.partial.replace(self.path)
            else:
                rename_to_free_name(self.partial, self.path)
            self._named = True
            with contextlib.suppress(PermissionError):  # a drop folder, which may be written but not read
                sync(self.path.parent)
        except FileExistsError:
            raise MediaError(f"{self.path}: appeared while rendering; it was left as it is") from None
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be renamed into place: {error.strerror}") from None

    def _keep_old(self) -> None:
        """Give what is about to be replaced a hidden second name, where the file system has such."""
        with contextlib.suppress(OSError):
            os.link(self.path, self._old, follow_symlinks=False)
            self._kept = True

    def settle(self) -> None:
        """Let go of what `commit` replaced: everything that belongs together stands."""
        if self._kept:
            with contextlib.suppress(OSError):
                self._old.unlink(missing_ok=True)

    def abort(self) -> None:
        """Remove what was written, even if `commit` gave it its name, and bring back what it replaced."""
        with contextlib.suppress(OSError):
            self.partial.unlink(missing_ok=True)
        if self._named:
            with contextlib.suppress(OSError):
                if self._kept:
                    self._old.replace(self.path)
                else:
                    self.path.unlink(missing_ok=True)
        self.settle()


def why_not(path: Path, error: BaseException) -> str:
    """Return why a disk did not take a file: that it is full, which libraries do not say, or their words."""
    with contextlib.suppress(OSError):
        disk = os.statvfs(path.parent)
        if disk.f_bavail * disk.f_frsize < 1 << 17 or getattr(error, "errno", 0) == errno.ENOSPC:
            return "no space left on the disk; free some, or choose another folder with -o"
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).rstrip(".") or "the disk refused it"


def _taken(path: Path) -> bool:
    """Return whether something has this name; say at once when nothing could have it."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: cannot be created: {reason}") from None
    return True


def rename_to_free_name(source: Path, target: Path) -> None:
    """Rename, but never over a file: a hard link fails where the name exists, a rename does not.

    Raises:
        FileExistsError: it does.
        OSError: it cannot be renamed.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError from None
        source.rename(target)
    else:
        with contextlib.suppress(OSError):  # the file has its name; `abort` tries again
            source.unlink()


def sync(path: Path) -> None:
    """Wait until the disk holds a file, or the names in a folder.

    Raises:
        OSError: it does not.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
