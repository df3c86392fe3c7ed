"""Checkpoints of ``torch.save``, read by torch itself with ``weights_only=True``."""

from __future__ import annotations

import re
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

from .errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_torch"]

#: torch's words for a name that it does not run.
_REFUSED = re.compile(r"GLOBAL ([\w.]*\w)")
_SAFE = (2, 6)


def read_torch(path: Path) -> Any:
    """Return what ``torch.save`` wrote, with NumPy arrays in place of tensors.

    Raises:
        CheckpointError: torch is not installed, is too old to be safe, or refuses the file.
        OSError: it cannot be read.
    """
    try:
        import torch
    except ImportError:
        raise CheckpointError(f"{path}: needs torch: pip install 'unbraid[models]'") from None
    version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if version < _SAFE:  # CVE-2025-32434
        raise CheckpointError(f"{path}: torch {torch.__version__} cannot load it safely; install torch 2.8")
    _check_zip(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about forms that are refused right after
            found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file makes torch raise anything
        raise CheckpointError(_told(path, error)) from None
    return _arrays(found, torch, path)


def _check_zip(path: Path) -> None:
    """Refuse a zip that would unfold to more than it holds; torch.save compresses nothing."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise CheckpointError(f"{path}: is no whole zip: {error}; fetch or copy it again") from None
    if sum(one.file_size for one in members) > path.stat().st_size:
        raise CheckpointError(f"{path}: is compressed, which torch.save never does: refused")


def _told(path: Path, error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    refused = _REFUSED.search(text)
    if "weights_only" in text.lower() and refused:
        return f"{path}: refused: it names {refused[1]}, which is no tensor; it was not run"
    if "weights_only" in text.lower() or "unpickl" in text.lower():
        return f"{path}: refused: it holds more than tensors; it was not run"
    return f"{path}: is no whole checkpoint of torch.save: {text:.160}; fetch or copy it again"


def _arrays(found: Any, torch: Any, path: Path) -> Any:
    if isinstance(found, dict):
        return {key: _arrays(value, torch, path) for key, value in found.items()}
    if not isinstance(found, torch.Tensor):
        return found
    if found.layout != torch.strided or found.is_quantized:
        raise CheckpointError(f"{path}: holds a tensor that is sparse or quantized, which is not supported")
    plain = found.detach().to("cpu").resolve_conj().resolve_neg()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).contiguous().numpy()
