"""How a bank is kept: recordings end to end in one flat file, and a list that says what lies where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .recordings import RATE

__all__ = ["Bank", "Piece", "write_bank"]

Signal = NDArray[np.float32]


@dataclass(slots=True)
class Piece:
    """One recording of a bank; ``start`` and ``length`` in samples at 48 kHz, ``band`` in Hz."""

    package: str
    file: str
    licence: str
    kind: str
    band: float
    speaker: str = ""
    cleaned: bool = False
    start: int = 0
    length: int = 0


def write_bank(path: Path, pieces: Iterable[tuple[Piece, Signal]], **more: Any) -> int:
    """Write a bank as ``PATH.i16`` and ``PATH.json``, aside first; return how many samples it has.

    The list is renamed last: a bank whose list is there is whole.
    """
    aside, listed, at = path.with_name(path.name + ".i16.part"), [], 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with aside.open("wb") as sink:
        for piece, signal in pieces:
            sink.write(np.round(np.clip(signal, -1, 1) * 32767).astype("<i2").tobytes())
            piece.start, piece.length = at, len(signal)
            at += len(signal)
            listed.append(asdict(piece))
    words = path.with_suffix(".json.part")
    words.write_text(json.dumps({"rate": RATE, "pieces": listed, **more}, indent=0, ensure_ascii=False))
    aside.rename(path.with_suffix(".i16"))
    words.rename(path.with_suffix(".json"))
    return at


class Bank:
    """A bank that was written: its pieces, and the samples of each as float32 in -1..1.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "clicks")
        >>> write_bank(path, [(Piece("box", "one.wav", "CC0", "effect", 24000), np.ones(3, np.float32))])
        3
        >>> bank = Bank(path)
        >>> bank.pieces[0].file, bank[0].tolist()
        ('one.wav', [1.0, 1.0, 1.0])
    """

    def __init__(self, path: Path) -> None:
        words = json.loads(path.with_suffix(".json").read_text())
        self.pieces = [Piece(**listed) for listed in words["pieces"]]
        self._samples: Any = np.memmap(path.with_suffix(".i16"), "<i2", "r") if self.pieces else []

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, index: int) -> Signal:
        piece = self.pieces[index]
        part = self._samples[piece.start : piece.start + piece.length]
        return np.asarray(part, np.float32) / np.float32(32767)

    def __iter__(self) -> Iterator[tuple[Piece, Signal]]:
        """Yield copies of the pieces, so that a new bank can move them."""
        return ((replace(piece), self[index]) for index, piece in enumerate(self.pieces))
