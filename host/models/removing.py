"""Takes the files of a model out of the store: what was fetched, imported, converted, or came in part."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from .errors import ModelError
from .locks import locked
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["remove"]

_LOCK = ".lock"


def _silent(text: str) -> None:
    """Say nothing."""


def remove(model: str, store: Store | None = None, *, told: Callable[[str], object] = _silent) -> int:
    """Delete a model's folder in the store, every version of every file, and return the bytes that frees.

    Cards stay, and so do files that lie in installed packages. A process that is fetching the model is waited
    for. Its lock stays: whoever waits for it must find it.

    Args:
        model: the id, as a card has it; its card need not be known any more.
        store: where the files are; by default the user's store.
        told: called with a line where somebody is waited for.

    Raises:
        ModelError: something cannot be deleted.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from unbraid.host.models import Store, remove
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     remove("tiny", Store(Path(folder)))
        0
    """
    store = Store() if store is None else store
    folder = store.root / model
    if not folder.is_dir():
        return 0
    with locked(folder / _LOCK, lambda: told(f"another process is fetching {model}; waiting for it")):
        try:
            inside = [path for path in folder.iterdir() if path.name != _LOCK]
            freed = sum(_size(path) for path in inside)
            for path in inside:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        except OSError as error:
            raise ModelError(f"{error.filename or folder}: cannot be deleted: {error.strerror}") from None
    return freed


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; a link leads nowhere else."""
    total = 0
    with suppress(FileNotFoundError):
        total = 0 if path.is_dir() else path.lstat().st_size
    if path.is_dir() and not path.is_symlink():
        for folder, _, names in os.walk(path):
            for name in names:
                with suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
    return total
