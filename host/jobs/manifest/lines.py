"""Manifests of a line a job, JSON Lines and CSV, read as a stream."""

from __future__ import annotations

import csv
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ...contract.errors import nearest
from ...graph.yaml_reader import scalar
from .keys import KEYS
from .render_keys import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from .errors import Faults

__all__ = ["MAX_LINE", "Entry", "csv_entries", "json_entries"]

#: Bytes of a line.
MAX_LINE = 1 << 20

#: The line of a job, and its keys and values.
Entry = tuple[int, list[tuple[str, Any]]]

# Columns of a mapping: their key, and what stands behind the dot.
_PREFIXES = {
    "input": "input",
    "stem": "stems",
    "set": "settings",
    "option": "options",
    "device": "devices",
    "target": "target",
    "output": "outputs",
}
_MAPPINGS = ("stems", "settings", "options", "outputs")
_SCALARS = frozenset({"settings", "options", "priority", "timeout", *OPTIONS} - {"track"})
_COLUMNS = (*(key for key in KEYS if key not in _MAPPINGS), *(key for key in OPTIONS if key not in KEYS))


def _texts(file: BinaryIO, faults: Faults) -> Iterator[str]:
    """Yield lines with their ends; stop, with a problem, at one that is too long or not UTF-8."""
    line = 0
    while chunk := file.readline(MAX_LINE + 1):
        line += 1
        if len(chunk) > MAX_LINE:
            faults.line = line
            faults.add((), f"the line is longer than {MAX_LINE} bytes", "write a job a line")
            return
        try:
            text = chunk.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            faults.line = line
            faults.add((), f"byte {error.start + 1} of the line is not UTF-8", "save the file as UTF-8")
            return
        yield text


def json_entries(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of JSON Lines with their lines, from 1; what is wrong goes to the faults."""
    decode = msgspec.json.Decoder().decode
    for line, text in enumerate(_texts(file, faults), 1):
        if text.isspace():
            continue
        try:
            value = decode(text)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            faults.line = line
            faults.add((), *_not_json(text, error))
            continue
        if not isinstance(value, dict):
            faults.line = line
            faults.add((), f"holds {value!r:.40}, not an object", 'write {"input": "FILE"}')
            continue
        yield line, value


def _not_json(text: str, error: Exception) -> tuple[str, str]:
    if not text.endswith("\n") and "truncated" in str(error):
        return "the last line breaks off", "copy the whole file"
    if isinstance(error, RecursionError):
        return "is nested too deep", "write a flat object"
    return f"is not JSON: {error}", 'write {"input": "FILE"} on a line of its own'


def csv_entries(file: BinaryIO, faults: Faults) -> Iterator[Entry]:
    """Yield the rows of a CSV file as keys and values, with the lines at which they begin.

    The header names the columns; commas, semicolons or tabs stand between them, as there. A cell without text
    gives nothing.
    """
    texts = _texts(file, faults)
    first = next(texts, "")
    rows = csv.reader(chain([first], texts), delimiter=_delimiter(first), strict=True)
    columns: list[_Column] | None = None
    line = 1
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            faults.line = line
            faults.add((), f"is not CSV: {error}", "close every quote, and double those inside")
            return
        if row is None:
            return
        if columns is None:
            columns = _columns(row, faults)
            if columns is None:
                return
        elif row:
            if len(row) == len(columns):
                yield line, _pairs(columns, row)
            else:
                faults.line = line
                faults.add(
                    (),
                    f"has {len(row)} cells under {len(columns)} columns",
                    "write one for each, quoted if need be",
                )
        line = rows.line_num + 1


def _delimiter(header: str) -> str:
    """Return what stands between the columns: whichever of three the header has most of."""
    return max(",;\t", key=header.count)


class _Column(NamedTuple):
    key: str
    name: str | None
    is_scalar: bool


def _columns(header: list[str], faults: Faults) -> list[_Column] | None:
    """Return what the columns mean; None, with problems, where one means nothing."""
    names = [name.strip() for name in header]
    faults.line, before = 1, faults.found
    columns: list[_Column] = []
    spelt: dict[tuple[str | int, ...], str] = {}
    for index, name in enumerate(names):
        key, dot, rest = name.partition(".")
        key = _PREFIXES[key] if dot and key in _PREFIXES else name
        if (
            not (dot and rest and key != name)
            and name not in _COLUMNS
            and name.replace("_", "-") not in OPTIONS
        ):
            known = [*_COLUMNS, *(f"{prefix}.NAME" for prefix in _PREFIXES)]
            faults.add((), f"unknown column {name!r:.80}", nearest(name[:80], known))
        elif name in names[:index]:
            faults.add((), f"the column {name!r:.80} stands twice", "remove one")
        if key != name:
            spelt[key, rest] = name
        columns.append(_Column(key, rest if key != name else None, key.replace("_", "-") in _SCALARS))
    faults.spelt = spelt
    return columns if faults.found == before else None


def _pairs(columns: list[_Column], row: list[str]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for (key, name, is_scalar), cell in zip(columns, row, strict=True):
        if cell:
            value = _scalar(cell) if is_scalar else cell
            pairs.append((key, value if name is None else {name: value}))
    return pairs


@lru_cache(maxsize=256)
def _scalar(cell: str) -> Any:
    return scalar(cell.strip())
