"""Tells by its bytes in which of the known forms a checkpoint is."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from .errors import CheckpointError
from .programs import check_program

if TYPE_CHECKING:
    from pathlib import Path

    from .card import Format

__all__ = ["form_of"]

_HEAD = 32
#: What ``torch.save`` wrote first of all before it wrote zips: a number, pickled.
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def form_of(path: Path) -> Format:
    """Return the form of a checkpoint, as far as its first bytes and names of a zip tell.

    That a file is whole is not looked at, but for ONNX, which has no mark of its own.

    Args:
        path: the file.

    Raises:
        CheckpointError: it cannot be read, is a zip cut short, or is of no form that is known.

    Example:
        >>> import tempfile, numpy as np
        >>> from pathlib import Path
        >>> from unbraid.host.models import save_tensors
        >>> from unbraid.host.models.checkpoint_forms import form_of
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "weights.bin"
        ...     save_tensors(path, {"bias": np.zeros(3, np.float32)})
        ...     form_of(path)
        'safetensors'
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(b"PK"):
            return _zipped(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None
    if head[8:9] == b"{":
        return "safetensors"
    if head.startswith(b"\x80"):
        return "torch" if _TORCH_MAGIC in head else "numpy-pickle"
    try:
        check_program(path, "onnx")
    except CheckpointError:
        known = "safetensors, torch.save, torch.export, ONNX, a pickle of arrays"
        raise CheckpointError(
            f"{path}: is no checkpoint of a known form ({known}), or is cut short"
        ) from None
    return "onnx"


def _zipped(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise CheckpointError(f"{path}: is no whole zip: {error}; fetch or copy it again") from None
    if "archive_format" in names:
        return "torch-export"
    if "data.pkl" in names and "constants.pkl" not in names:
        return "torch"
    what = "it is TorchScript, which holds code" if "constants.pkl" in names else "it is some other zip"
    raise CheckpointError(f"{path}: {what}; export the model with torch.export, or save its state_dict")
