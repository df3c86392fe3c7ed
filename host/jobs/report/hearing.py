"""How loud finished outputs are, measured where the worker did not, and remembered by what they hold."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from ...contract.errors import MediaError, MediaRequestError
from ..job import FILM
from ..ledger import FOLDER
from ..task import Heard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..task import Output

__all__ = ["Hearing", "Loudness", "Memory", "hear", "verdict_of"]


class Loudness(msgspec.Struct, frozen=True, array_like=True):
    """How loud a file is; None where it is silent.

    Attributes:
        integrated: LUFS.
        range: LU.
        true_peak: dBTP.
        short_term: the largest of 3 s, LUFS.
    """

    integrated: float | None
    range: float | None
    true_peak: float | None
    short_term: float | None


def hear(path: Path, layout: str, rate: int) -> Loudness:
    """Measure an output; a scene is measured as it sounds on 5.1.

    Args:
        path: of the file.
        layout: its channels, or "scene: ...".
        rate: Hz; it and the layout count for samples without a header.

    Raises:
        MediaError: it cannot be read, or its loudness is not defined.
    """
    if layout.startswith("scene:"):
        from ...adm.loudness import RENDER
        from ...adm.reader import read_adm
        from ...adm.show import measured

        render = measured(read_adm(path), [RENDER])[RENDER]
        names = ("integratedLoudness", "loudnessRange", "maxTruePeak", "maxShortTerm")
        return Loudness(*(render.get(name) for name in names))
    from ....kernels.pcm import ENCODINGS
    from ...measures.file_loudness import measure_file
    from ...media.open_input import InputForm

    encoding = path.suffix[1:]
    found = measure_file(path, InputForm(encoding, rate, layout) if encoding in ENCODINGS else None)
    figures = (found.integrated, found.range, found.true_peak, found.maximum_short_term)
    return Loudness(*(value if abs(value) < float("inf") else None for value in figures))


def verdict_of(target: str, found: Loudness) -> str:
    """Return how an output misses a target, by name; "" where it does not, or there is none."""
    from ...measures.delivery import delivery

    if not target:
        return ""
    try:
        return delivery(target).verdict(found.integrated, found.true_peak, found.short_term)
    except MediaRequestError as error:
        return str(error)


class Memory:
    """Bytes by what they are and by the hash of the file that they are of, beside the ledger.

    It only saves work: where it cannot be read or written, it is empty.

    Args:
        folder: the batch's.
    """

    def __init__(self, folder: Path) -> None:
        self._base: sqlite3.Connection | None = None
        with suppress(sqlite3.Error):
            base = sqlite3.connect(folder / FOLDER / "report.sqlite", isolation_level=None, timeout=1.0)
            self._base = base
            base.execute("PRAGMA synchronous = OFF")
            columns = "kind TEXT, xxh128 TEXT, data BLOB, PRIMARY KEY (kind, xxh128)"
            base.execute(f"CREATE TABLE IF NOT EXISTS known ({columns})")

    def get(self, kind: str, xxh128: str) -> bytes | None:
        """Return what is known; None for nothing."""
        if self._base is not None:
            with suppress(sqlite3.Error):
                sql = "SELECT data FROM known WHERE kind = ? AND xxh128 = ?"
                found = self._base.execute(sql, (kind, xxh128)).fetchone()
                return None if found is None else bytes(found[0])
        return None

    def put(self, kind: str, xxh128: str, data: bytes) -> None:
        """Keep it."""
        if self._base is not None:
            with suppress(sqlite3.Error):
                self._base.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", (kind, xxh128, data))

    def close(self) -> None:
        """Let go."""
        if self._base is not None:
            self._base.close()


class Hearing:
    """Finds the loudness of outputs: as the worker measured it, as it is remembered, or now.

    Args:
        folder: the batch's.
        memory: of earlier reports.
        most: files to measure now; None for all.
        told: called with the number of files measured so far.

    Attributes:
        measured: files so far.
        left: outputs that are not measured, because there would have been too many.
        notes: why an output could not be measured, by its path.
    """

    def __init__(
        self, folder: Path, memory: Memory, most: int | None, told: Callable[[int], None] = lambda _: None
    ) -> None:
        self._folder, self._memory, self._most, self._told = folder, memory, most, told
        self._found: dict[str, Loudness] = {}
        self.measured, self.left = 0, 0
        self.notes: dict[str, str] = {}

    def listen(self, output: Output, target: str) -> str:
        """Hear an output whose file is there; return its verdict, or why it has none."""
        if output.heard is not None or output.name == FILM:
            return output.verdict
        found = self._found.get(output.xxh128) or self._remembered(output) or self._measured(output)
        if found is None:
            return self.notes.get(output.path, "")
        self._found[output.xxh128] = found
        return verdict_of(target, found)

    def _remembered(self, output: Output) -> Loudness | None:
        data = self._memory.get("loudness", output.xxh128)
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(data or b"", type=Loudness)
        return None

    def _measured(self, output: Output) -> Loudness | None:
        if self._most is not None and self.measured >= self._most:
            self.left += 1
            return None
        self.measured += 1
        self._told(self.measured)
        try:
            found = hear(self._folder / output.path, output.layout, output.rate)
        except MediaError as error:
            self.notes[output.path] = str(error)
            return None
        self._memory.put("loudness", output.xxh128, msgspec.json.encode(found))
        return found

    def heard(self, output: Output, target: str) -> Output:
        """Return an output with its loudness and verdict, as far as `listen` found them."""
        found = self._found.get(output.xxh128)
        if found is None or output.heard is not None or output.name == FILM:
            return output
        heard = Heard(found.integrated, found.range, found.true_peak)
        return msgspec.structs.replace(output, heard=heard, verdict=verdict_of(target, found))
