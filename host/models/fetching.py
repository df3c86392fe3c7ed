"""Fetches a model: each of its files whole, hashed, and only then under its name."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from .errors import ModelCorruptError, ModelFetchError, ModelMissingError, OfflineError
from .hashes import remember, sha256_of
from .locks import locked
from .places import OFFLINE, is_offline
from .settled import settle
from .store import Store, megabytes
from .transfer import Patience, transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .card import ModelCard, ModelFile
    from .transfer import Progress

__all__ = ["fetch"]


def _no_progress(name: str, done: int, size: int) -> None:
    """Show nothing."""


def _silent(text: str) -> None:
    """Say nothing."""


def fetch(
    card: ModelCard,
    store: Store | None = None,
    *,
    force: bool = False,
    offline: bool = False,
    progress: Progress = _no_progress,
    told: Callable[[str], object] = _silent,
    patience: Patience | None = None,
) -> list[Path]:
    """Bring a model's files here, and return them in the card's order.

    What is here and whole is left alone. A file is written as ``NAME.partial``, which a later call goes on
    with; it gets its name once its sha256 fits. Another process that fetches the same model is waited for.

    Args:
        card: the model's.
        store: where to keep it; by default the user's store.
        force: fetches again what is here.
        offline: opens no connection; so does the environment variable ``UNBRAID_OFFLINE=1``.
        progress: called with a file's name, the bytes that are here, and its length.
        told: called with lines that may interest a person.
        patience: how long to wait and how often to try.

    Raises:
        OfflineError: something is missing, and the network is switched off.
        ModelFetchError: a file cannot be fetched; what came of it stays for the next time.
        ModelCorruptError: the server's file has another sha256; it was deleted.
        ModelMissingError: a file is to come with a package or to be imported.
    """
    store = Store() if store is None else store
    with suppress(ModelMissingError, ModelCorruptError):
        if not force:
            return store.find(card)
    offline = offline or is_offline()
    missing = [file for file in card.files if _wanted(store, card, file, force=force)]
    if missing and offline:
        names = ", ".join(file.name for file in missing)
        raise OfflineError(
            f"model {card.id}: offline, so {names} cannot be fetched; unset {OFFLINE} or leave out "
            f"--offline, or copy it here and: unbraid models import FILE --like {card.id}"
        )
    if missing:
        root = store.root / card.id
        with locked(root / ".lock", lambda: told(f"another process is fetching {card.id}; waiting for it")):
            for file in missing:
                # Whoever held the lock may have brought it.
                if force or _wanted(store, card, file, force=False):
                    _bring(card, file, store, progress, patience or Patience())
    return store.find(card)


def _wanted(store: Store, card: ModelCard, file: ModelFile, *, force: bool) -> bool:
    return bool(file.url) and (force or store.verdict(card, file).state != "here")


def _bring(card: ModelCard, file: ModelFile, store: Store, progress: Progress, patience: Patience) -> None:
    path = store.path(card, file)
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        resumed = partial.exists()
    except OSError as error:
        raise ModelFetchError(f"{path.parent}: cannot be written: {error.strerror}") from None
    transfer(file.url, partial, file.size, progress=progress, patience=patience)
    sha256 = _hash(partial)
    if sha256 != file.sha256 and resumed:
        # The beginning may be from another time, which a server without validators does not tell.
        partial.unlink()
        transfer(file.url, partial, file.size, progress=progress, patience=patience)
        sha256 = _hash(partial)
    if sha256 != file.sha256:
        partial.unlink()
        raise ModelCorruptError(
            f"{file.url}: what came ({megabytes(file.size)}) has the sha256 {sha256}, the card says "
            f"{file.sha256}; it was deleted: the file on the server is not the card's"
        )
    try:
        settle(partial, path)
    except OSError as error:
        raise ModelFetchError(f"{path}: cannot get its name: {error.strerror}") from None
    partial.with_name(f"{partial.name}.version").unlink(missing_ok=True)
    remember(path, store.note(card, file), sha256)


def _hash(partial: Path) -> str:
    try:
        return sha256_of(partial)
    except OSError as error:
        raise ModelFetchError(f"{partial}: cannot be read again: {error.strerror}") from None
