"""Reads a checkpoint's tensors as NumPy arrays, running nothing that the file brings.

Three forms are known, and nothing else is tried: a card says which one a file has. Files that hold the
network itself are no checkpoints; see `programs`.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

from .errors import CheckpointError
from .programs import PROGRAMS

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from .card import Format

__all__ = ["Weights", "load_notes", "load_tensors"]


class Weights(dict[str, "npt.NDArray[Any]"]):
    """Tensors by name. A dictionary that `loaded_once` can keep without keeping it alive."""

    __slots__ = ("__weakref__",)


def load_tensors(path: Path, form: Format, *, inside: str = "") -> Weights:
    """Return the tensors of a checkpoint as C-contiguous arrays of the file's types.

    bfloat16, which NumPy does not know, comes as float32, which holds it exactly.

    Args:
        path: the file.
        form: ``safetensors``; ``torch`` (``torch.save``, read with ``weights_only=True``; needs torch); or
            ``numpy-pickle``, a pickle of NumPy arrays, bare or as ``torch.save`` puts it into a zip.
        inside: the key (dotted) of the mapping that holds the tensors, such as ``state_dict``; "" where
            they are at the top.

    Raises:
        CheckpointError: the file is cut short, is of another form, names code, or holds something else than
            tensors there.

    Example:
        >>> import tempfile, numpy as np
        >>> from pathlib import Path
        >>> from unbraid.host.models import load_tensors, save_tensors
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "w.safetensors"
        ...     save_tensors(path, {"bias": np.zeros(3, np.float32)})
        ...     load_tensors(path, "safetensors")["bias"].shape
        (3,)
    """
    try:
        if form == "safetensors":
            from .safetensors_files import read_safetensors

            found: Any = read_safetensors(path)
        elif form == "torch":
            from .torch_files import read_torch

            found = read_torch(path)
        elif form in PROGRAMS:
            raise CheckpointError(f"{path}: is of the format {form}, which holds more than tensors by name")
        else:
            from .pickled_arrays import read_pickle

            found = read_pickle(_pickle_of(path), str(path))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None
    return Weights(_arrays(_within(found, inside, path), path))


def load_notes(path: Path, form: Format) -> dict[str, Any]:
    """Return what a checkpoint says beside its tensors, such as the arguments of its network.

    Of safetensors these are the texts of the header; of ``torch.save`` all entries at the top, in which a
    class is a text, its dotted name (see `torch_files`). A ``numpy-pickle`` has none.

    Args:
        path: the file.
        form: as for `load_tensors`.

    Raises:
        CheckpointError: as `load_tensors`.

    Example:
        >>> import tempfile, numpy as np
        >>> from pathlib import Path
        >>> from unbraid.host.models import load_notes, save_tensors
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "w.safetensors"
        ...     save_tensors(path, {"bias": np.zeros(3, np.float32)}, {"klass": "Tiny"})
        ...     load_notes(path, "safetensors")
        {'klass': 'Tiny'}
    """
    try:
        if form == "safetensors":
            from .safetensors_files import read_header

            return dict(read_header(path).texts)
        if form == "torch":
            from .torch_files import read_torch

            found = read_torch(path)
            return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None
    return {}


def _pickle_of(path: Path) -> bytes:
    """Return the pickle in a file: all of it, or the ``data.pkl`` that ``torch.save`` puts into a zip."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            file.seek(0)
            return file.read()
    try:
        with zipfile.ZipFile(path) as archive:
            inner = [one for one in archive.infolist() if one.filename.rpartition("/")[2] == "data.pkl"]
            if len(inner) != 1:
                raise CheckpointError(f"{path}: is a zip without a data.pkl: no checkpoint of torch.save")
            # torch.save compresses nothing; what is compressed might unfold to any size.
            if inner[0].compress_type != zipfile.ZIP_STORED or inner[0].file_size > path.stat().st_size:
                raise CheckpointError(f"{path}: its data.pkl is compressed, which torch.save never does")
            return archive.read(inner[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        told = " ".join(str(error).split())
        raise CheckpointError(f"{path}: is no whole zip: {told:.120}; fetch or copy it again") from None


def _within(found: Any, inside: str, path: Path) -> dict[Any, Any]:
    for key in filter(None, inside.split(".")):
        if not isinstance(found, dict) or key not in found:
            raise CheckpointError(f"{path}: has no {inside!r}; {_offer(found)}")
        found = found[key]
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: holds a {type(found).__name__}, not tensors by name")
    return found


def _arrays(found: dict[Any, Any], path: Path) -> dict[str, npt.NDArray[Any]]:
    import numpy as np

    if not found:
        raise CheckpointError(f"{path}: holds no tensors")
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, np.ndarray):
            kind = type(value).__name__
            raise CheckpointError(f"{path}: {key!r:.80} is a {kind}, not a tensor; {_offer(found)}")
    return dict(found)


def _offer(found: Any) -> str:
    """Return a remedy that names the mappings inside, one of which may hold the tensors."""
    inner = (
        [str(key) for key, value in found.items() if isinstance(value, dict)]
        if isinstance(found, dict)
        else []
    )
    if not inner:
        return "this is no checkpoint of tensors alone"
    return f"say in the card where they are, as in inside: {inner[0]} (mappings: {', '.join(inner[:6])})"
