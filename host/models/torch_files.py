"""Checkpoints of ``torch.save``, read by torch itself with ``weights_only=True``.

Some published checkpoints name the class of their network, and numbers of its training, beside the tensors.
The few names of `CLASSES` come as `Named` texts, fractions as such, and NumPy's numbers as `Unread`: nothing
is imported or called for them. Every other name is refused.
"""

from __future__ import annotations

import errno
import re
import threading
import warnings
import zipfile
from fractions import Fraction
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from .errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

__all__ = ["CLASSES", "Named", "read_torch"]

#: Classes that published checkpoints name as the network's own.
CLASSES = (
    "demucs.demucs.Demucs",
    "demucs.hdemucs.HDemucs",
    "demucs.htdemucs.HTDemucs",
)
#: What notes on the training of the same files are made of.
_NUMBERS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")
#: torch's words for a name that it does not run.
_REFUSED = re.compile(r"GLOBAL ([\w.]*\w)")
_SAFE = (2, 6)
#: What torch lets a file name is a setting of the process.
_TURN = threading.Lock()


class Named(str):
    """The name of a class that a checkpoint refers to. Nothing stands behind it."""

    __slots__ = ()

    def __new__(cls, *parts: Any) -> Self:
        """Make a name; refuse what a file does to make an object of the class (pickle's NEWOBJ).

        Raises:
            UnpicklingError: the class is a name itself.
        """
        asked: object = cls
        if isinstance(asked, Named):
            raise UnpicklingError(f"GLOBAL {asked} was made")
        return super().__new__(cls, *parts)

    def __call__(self, *_: object) -> Any:
        """Refuse what a file does to make an object of the class (pickle's REDUCE).

        Raises:
            UnpicklingError: always.
        """
        raise UnpicklingError(f"GLOBAL {self} was called")


class Unread:
    """A number of NumPy's in a checkpoint's notes: it is no tensor, and is not made."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def _fraction(*parts: object) -> Fraction:
    """Return a fraction of moderate numbers; ``Fraction`` itself would work out any power of ten."""
    found = re.fullmatch(
        r"(-?[0-9]{1,9})(?:/([1-9][0-9]{0,8}))?", "/".join(f"{part!s:.20}" for part in parts)
    )
    if found is None:
        raise UnpicklingError("GLOBAL fractions.Fraction was called")
    return Fraction(int(found[1]), int(found[2] or 1))


def read_torch(path: Path) -> Any:
    """Return what ``torch.save`` wrote, with NumPy arrays in place of tensors.

    A class comes as `Named`, a number of NumPy's as `Unread`.

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
        with _TURN, warnings.catch_warnings(), torch.serialization.safe_globals(_inert()):
            warnings.simplefilter("ignore")  # about forms that are refused right after
            found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # The file is open to us (see `_check_zip`): what it says of itself led torch to no place in it.
        raise CheckpointError(_told(path, ValueError("it leads beyond its end"))) from None
    except Exception as error:  # noqa: BLE001 - a damaged file makes torch raise anything
        raise CheckpointError(_told(path, error)) from None
    return _arrays(found, torch, path)


def _inert() -> list[Any]:
    """Return what stands in for each name that a checkpoint may hold beside tensors."""
    classes = [(Named(name), name) for name in CLASSES]
    return [*classes, *((Unread, name) for name in _NUMBERS), (_fraction, "fractions.Fraction")]


def _check_zip(path: Path) -> None:
    """Refuse a zip that is cut short, or would unfold to more than it holds; torch.save compresses nothing.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4)
    try:
        if not zipfile.is_zipfile(path):
            if start and b"PK\x03\x04".startswith(start):
                raise zipfile.BadZipFile("its end is missing")  # noqa: TRY301 - told with the others
            return
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise CheckpointError(f"{path}: is no whole zip: {error}; fetch or copy it again") from None
    if sum(one.file_size for one in members) > path.stat().st_size:
        if all(one.compress_type == zipfile.ZIP_STORED for one in members):
            raise CheckpointError(f"{path}: is no whole zip: a part is missing; fetch or copy it again")
        raise CheckpointError(f"{path}: is compressed, which torch.save never does: refused")


def _told(path: Path, error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    refused = _REFUSED.search(text)
    if "weights_only" in text.lower() and refused:
        return f"{path}: refused: it names {refused[1]}, which is no tensor; it was not run"
    if "weights_only" in text.lower() or "unpickl" in text.lower():
        return f"{path}: refused: it holds more than tensors; it was not run"
    text = text.partition(". ")[0]  # torch goes on about itself
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
