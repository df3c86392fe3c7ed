"""Takes checkpoints that are here already into the store, under a card that is known or a new one."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import msgspec

from ..contract.errors import Place, Problem
from .card_document import read_card, write_card
from .errors import CheckpointError, ModelCardError, ModelCorruptError, ModelError
from .hashes import remember, sha256_of
from .places import user_cards_folder
from .programs import PROGRAMS, check_program
from .settled import whole_file
from .store import Store, megabytes
from .tensors import load_tensors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .card import ModelCard, ModelFile
    from .catalogue import Catalogue

__all__ = ["import_files", "import_with_card"]

_CHUNK = 1 << 20


def import_files(sources: Sequence[Path], card: ModelCard, store: Store | None = None) -> list[Path]:
    """Copy files into the store, each as the file of the card whose sha256 it has.

    Args:
        sources: files under any names.
        card: says their sha256.
        store: where to; by default the user's store.

    Returns:
        Where they lie now, in the order of ``sources``.

    Raises:
        ModelCorruptError: a file is none of the card's.
        ModelError: one cannot be read or written.
    """
    store = Store() if store is None else store
    return [_copy(source, _same(source, card), card, store) for source in sources]


def import_with_card(
    sources: Sequence[Path], card_path: Path, catalogue: Catalogue, store: Store | None = None
) -> ModelCard:
    """Copy files into the store under a card of the user's, which joins the catalogue.

    Where the card states no sha256 and size for a file, they are measured; such a file must hold tensors
    that can be loaded, or be a whole network, so that nothing broken gets a card.

    Args:
        sources: the files; one whose card states no sha256 is found by its name, or is the only one.
        card_path: the card.
        catalogue: in which its id must be free.
        store: where to; by default the user's store.

    Returns:
        The card with every sha256, as it was written into the user's folder.

    Raises:
        ModelCardError: the card is wrong, its id is taken, or a file of it is neither stated nor given.
        ModelCorruptError: a file is none of the card's.
        CheckpointError: a file cannot be loaded.
        ModelError: something cannot be read or written.
    """
    store = Store() if store is None else store
    card = read_card(card_path, measured=False)
    matched = _matched(sources, card, card_path)
    files = tuple(_measured(file, matched.get(file.name), card_path) for file in card.files)
    card = msgspec.structs.replace(card, files=files)
    target = user_cards_folder() / f"{card.id}.yaml"
    known = catalogue.cards.get(card.id)
    if known not in (None, card) or (known is None and target.exists()):
        where = catalogue.places.get(card.id, target)
        message = f"the id {card.id!r} is taken by {where}"
        raise ModelCardError([Problem(Place(str(card_path), None, "id"), message, "give it another id")])
    for file in card.files:
        if file.name in matched:
            _copy(matched[file.name], file, card, store)
    if known is None:
        with whole_file(target) as partial:
            partial.write_text(write_card(card), encoding="utf-8")
    return card


def _same(source: Path, card: ModelCard) -> ModelFile:
    sha256, size = _hashed(source)
    for file in card.files:
        if file.sha256 == sha256:
            return file
    stated = ", ".join(f"{file.name} ({megabytes(file.size)}) {file.sha256}" for file in card.files)
    raise ModelCorruptError(
        f"{source}: is none of the files of {card.id}: its sha256 is {sha256} ({megabytes(size)}), "
        f"the card says {stated}"
    )


def _matched(sources: Sequence[Path], card: ModelCard, card_path: Path) -> dict[str, Path]:
    """Return which source is which file of the card, by the file's name in the card."""
    found: dict[str, Path] = {}
    stated = {file.sha256: file.name for file in card.files if file.sha256}
    unstated = [file.name for file in card.files if not file.sha256]
    for source in sources:
        name = stated.get(_hashed(source)[0])
        if name is None and source.name in unstated:
            name = source.name
        if name is None and len(unstated) == 1 and unstated[0] not in found:
            name = unstated[0]
        if name is None or name in found:
            names = ", ".join(file.name for file in card.files)
            raise ModelCorruptError(f"{source}: is none of the files of {card_path}, or one twice: {names}")
        found[name] = source
    return found


def _measured(file: ModelFile, source: Path | None, card_path: Path) -> ModelFile:
    if file.sha256 and file.size:
        return file
    if source is None:
        problem = Problem(
            Place(str(card_path)), f"states no sha256 and size of {file.name}", "give the file too"
        )
        raise ModelCardError([problem])
    if file.format in PROGRAMS:
        check_program(source, file.format)
    else:
        load_tensors(source, file.format, inside=file.inside)
    sha256, size = _hashed(source)
    return msgspec.structs.replace(file, sha256=sha256, size=size)


def _hashed(source: Path) -> tuple[str, int]:
    try:
        return sha256_of(source), source.stat().st_size
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(f"{source}: cannot be read: {reason}") from None


def _copy(source: Path, file: ModelFile, card: ModelCard, store: Store) -> Path:
    path = store.path(card, file)
    try:
        with source.open("rb") as incoming, whole_file(path) as partial:
            with partial.open("wb") as outgoing:
                shutil.copyfileobj(incoming, outgoing, _CHUNK)
            with partial.open("rb") as written:
                if hashlib.file_digest(written, "sha256").hexdigest() != file.sha256:
                    raise ModelCorruptError(f"{source}: changed while it was copied; import it again")
    except ModelError:
        raise
    except OSError as error:
        raise CheckpointError(f"{source}: cannot be read: {error.strerror}") from None
    remember(path, store.note(card, file), file.sha256)
    return path
