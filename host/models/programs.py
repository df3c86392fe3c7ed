"""Files that hold a network with its weights: whether they are whole, and one load for all who use them.

They are data to us as well: what reads them runs nothing that they bring but the operators of its own engine.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, TypeVar

from .cache import loaded_once
from .errors import CheckpointError
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path
    from typing import BinaryIO

    from .card import Format, ModelCard

__all__ = ["PROGRAMS", "check_program", "load_program"]

T = TypeVar("T")

#: The formats that hold a network, or a part of one that its file names: ``onnx-data``, an ONNX model's
#: external data.
PROGRAMS: tuple[Format, ...] = ("onnx", "onnx-data", "torch-export")

_GRAPH_FIELD = 7  # of onnx.ModelProto


def load_program(
    card: ModelCard,
    build: Callable[[ModelCard, list[Path]], T],
    *variant: Hashable,
    store: Store | None = None,
) -> T:
    """Return what ``build`` makes of a model's files, shared by all in the process who ask for the same.

    As `load_network`, for files that are read by an engine of their own.

    Args:
        card: the model's.
        build: takes the card and its verified files in the card's order.
        variant: what else shapes the result, such as the device.
        store: where the files are; by default the user's store.

    Raises:
        ModelMissingError: the model is not here; there is no fallback.
        ModelCorruptError: a file is not what the card says.
        CheckpointError: from ``build``.
    """
    store = Store() if store is None else store
    made = f"{build.__module__}.{build.__qualname__}"
    hashes = tuple(file.sha256 for file in card.files)
    return loaded_once((card.id, hashes, made, variant), lambda: build(card, store.find(card)))


def check_program(path: Path, form: Format) -> None:
    """Raise unless a file is a whole one of its format, as far as that is known without an engine.

    Args:
        path: the file.
        form: one of `PROGRAMS`.

    Raises:
        CheckpointError: it cannot be read, is cut short or of another format.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "tiny.onnx"
        ...     _ = path.write_bytes(b"no model")
        ...     try:
        ...         check_program(path, "onnx")
        ...     except CheckpointError as error:
        ...         print(str(error).rpartition("/")[2])
        tiny.onnx: is no whole ONNX model; fetch or copy it again
    """
    try:
        with path.open("rb") as file:
            if form == "onnx" and _GRAPH_FIELD not in _fields(file, path.stat().st_size):
                raise CheckpointError(f"{path}: is no whole ONNX model; fetch or copy it again")
            if form == "torch-export":
                _check_archive(file, path)
            if form == "onnx-data" and not file.read(1):
                raise CheckpointError(f"{path}: is empty; fetch or copy it again")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None


def _fields(file: BinaryIO, size: int) -> set[int]:
    """Return the top fields with contents; none where the protocol buffer does not end with the file."""
    found = set()
    while file.tell() < size:
        key = _varint(file)
        value = _varint(file)
        kind = key & 7
        if key < 8 or value < 0 or kind not in {0, 2}:  # fields count from 1; ModelProto has no other kinds
            return set()
        if kind == 2:
            if value > size - file.tell():
                return set()
            file.seek(value, 1)
            found.add(key >> 3)
    return found


def _varint(file: BinaryIO) -> int:
    """Return the next variable-length integer; -1 where the file ends in it or it is none."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return -1
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    return -1


def _check_archive(file: BinaryIO, path: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            whole = any(name.endswith("/archive_format") for name in archive.namelist())
            whole = whole and archive.testzip() is None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
        whole = False
    if not whole:
        raise CheckpointError(f"{path}: is no whole archive of torch.export.save; fetch or copy it again")
