"""A checkpoint of another form becomes safetensors once, which load faster and without torch."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from .errors import ModelError
from .hashes import remember, remembered, sha256_of
from .safetensors_files import save_tensors
from .store import Store
from .tensors import Weights, load_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from .card import ModelCard, ModelFile

__all__ = ["converted_fault", "load_weights", "to_safetensors"]


def to_safetensors(card: ModelCard, name: str = "", store: Store | None = None) -> Path:
    """Return a model's file as safetensors, converting it if that was not done before.

    The copy stands in the store, in the folder of the file's version, and names the sha256 of the file it
    was made from in its header. One that changed since it was written is made again.

    Args:
        card: the model's.
        name: of one of its files; without a name its only one.
        store: where the files are; by default the user's store.

    Raises:
        ModelMissingError: the model is not here.
        ModelCorruptError: a file is not what the card says.
        CheckpointError: it cannot be read, or holds code.
        ModelError: the store cannot be written.
    """
    store, file, path = _found(card, name, store)
    if file.format == "safetensors":
        return path
    copy, note = _places(store, card, file)
    with suppress(OSError):
        if remembered(copy, note):
            return copy
    _keep(load_tensors(path, file.format, inside=file.inside), file, copy, note)
    return copy


def load_weights(card: ModelCard, name: str = "", store: Store | None = None) -> Weights:
    """Return the tensors of one file of a model, verified, by name.

    A file of another form than safetensors is converted at its first use; where the store cannot be
    written it is read as it is each time.

    Args:
        card: the model's.
        name: of one of its files; without a name its only one.
        store: where the files are; by default the user's store.

    Raises:
        ModelMissingError: the model is not here.
        ModelCorruptError: a file is not what the card says.
        CheckpointError: it cannot be read, or holds code.
    """
    store, file, path = _found(card, name, store)
    if file.format == "safetensors":
        return load_tensors(path, "safetensors")
    copy, note = _places(store, card, file)
    with suppress(OSError):
        if remembered(copy, note):
            return load_tensors(copy, "safetensors")
    weights = load_tensors(path, file.format, inside=file.inside)
    with suppress(ModelError):
        _keep(weights, file, copy, note)
    return weights


def converted_fault(card: ModelCard, file: ModelFile, store: Store) -> str:
    """Hash the converted copy of a file anew; remove one that changed, and return a line that says so.

    Returns:
        "" where the copy is whole, or there is none.
    """
    copy, note = _places(store, card, file)
    with suppress(OSError):
        kept = remembered(copy, note)
        if kept == sha256_of(copy):
            return ""
        copy.unlink()
        note.unlink(missing_ok=True)
        return f"{copy}: was damaged and has been removed; it is made again at its next use"
    return ""


def _places(store: Store, card: ModelCard, file: ModelFile) -> tuple[Path, Path]:
    folder = store.folder(card, file)
    where = f"{file.name}.{file.inside}" if file.inside else file.name
    copy = folder / f"{where}.converted.safetensors"
    return copy, folder / f"{copy.name}.seen.json"


def _keep(weights: Weights, file: ModelFile, copy: Path, note: Path) -> None:
    texts = {"source": file.name, "source_sha256": file.sha256, "inside": file.inside}
    save_tensors(copy, weights, texts)
    remember(copy, note, sha256_of(copy))


def _found(card: ModelCard, name: str, store: Store | None) -> tuple[Store, ModelFile, Path]:
    """Return the store, the file of that name on the card, and where it lies, verified."""
    store = Store() if store is None else store
    file = card.file(name)
    return store, file, store.find(card)[card.files.index(file)]
