"""Where a job's outputs go: a template with few fields, filled so that nothing leaves the batch's folder."""

from __future__ import annotations

import re
import unicodedata
from array import array
from functools import lru_cache
from typing import TYPE_CHECKING

from ...contract.errors import Place, Problem, nearest
from ..job import OUTPUT, SUFFIX
from .errors import ManifestError, RefusedError
from .roots import ODD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..job import Job

__all__ = ["DEFAULT", "FIELDS", "Places", "Template", "check_outputs", "check_part", "safe"]

#: What each field of a template stands for.
FIELDS = {
    "folder": "the input's folder below its root",
    "input": "the input file's name without its ending",
    "title": "the job's title",
    "reel": "the reel, where film files are gathered",
    "graph": "the graph's name",
    "output": "the output's name, or what `outputs` makes of it",
    "ext": "the outputs' ending",
}
DEFAULT = "{folder}/{input}.{output}.{ext}"

_FIELD = re.compile(r"\{([^{}]*)\}")
# Besides what ODD holds: separators, and braces, which would be taken for fields once more.
_UNSAFE = re.compile(rf"[/\\{{}}]|{ODD.pattern}")
_SAFE = re.compile(r"[\w-][\w. -]*(?<! )", re.ASCII)  # most names, in one look
_LONGEST = 255
_OPEN = 70  # bytes kept for an output's name and its ending
_SHORT = (_LONGEST - _OPEN) // 4  # characters that are not too many, whatever they are
_PIECES = r"(\{(?!output|ext)[a-z]+\})"  # what is filled from data stands between the literals


def safe(value: str) -> str:
    """Return text from data as one plain name: no separators, no dots ahead, nothing that no screen shows.

    Example:
        >>> safe("../AC/DC: {live}"), safe("Ende.")
        ('_._AC_DC: _live_', 'Ende.')
    """
    if not _SAFE.fullmatch(value):
        value = _UNSAFE.sub("_", value.strip())
    return f"_{value[1:]}" if value[:1] == "." else value


def check_part(name: str) -> None:
    """Raise `RefusedError` unless a text may be part of a file's name as it is.

    Example:
        >>> check_part("DX")
        >>> check_part("a/b")
        Traceback (most recent call last):
        unbraid.host.jobs.manifest.errors.RefusedError: 'a/b' cannot be part of a file's name; leave out / and the like
    """  # noqa: E501 - an example's line
    if not name or safe(name) != name or len(name.encode()) > _OPEN - 6:
        raise RefusedError(f"{name!r:.80} cannot be part of a file's name", "leave out / and the like")


class Template:
    """How outputs are named, below the batch's folder.

    Args:
        text: folders and a name, with the fields of `FIELDS` in braces; ends in ``.{ext}``.

    Raises:
        RefusedError: it leads elsewhere, has unknown fields, or does not end in ``.{ext}``.

    Example:
        >>> Template("{title}/{title}_{output}.{ext}").place({"title": "Dune: One"})
        'Dune: One/Dune: One_{output}.{ext}'
    """

    def __init__(self, text: str) -> None:
        self.text = text
        _check(text)
        self._pieces = [(piece, _filled(piece)) for piece in re.split(_PIECES, text) if piece]

    def place(self, values: Mapping[str, str]) -> str:
        """Return the path with ``{output}`` and ``{ext}`` still open.

        Args:
            values: by field; those of which the job has none are empty; ``folder`` may hold ``/``.

        Raises:
            RefusedError: a value is missing, or a name becomes too long.
        """
        filled = [""] * len(self._pieces)
        for index, (text, field) in enumerate(self._pieces):
            if field == "folder":
                filled[index] = _safe_folder(values["folder"])
            elif field:
                filled[index] = value = safe(values[field])
                if not value:
                    message = f"name holds {{{field}}}, but the job has none"
                    raise RefusedError(message, f"give {field}, or another name")
            else:
                filled[index] = text
        made = "".join(filled).removeprefix("/")
        if len(made) > _SHORT:
            _measure(made)
        return made


def _filled(piece: str) -> str:
    """Return the field that a piece of a template stands for, if data fill it."""
    return piece[1:-1] if re.fullmatch(_PIECES, piece) else ""


@lru_cache(maxsize=64)
def _safe_folder(folder: str) -> str:
    return "/".join(safe(name) for name in folder.split("/") if name)


def _check(text: str) -> None:
    _check_fields(text)
    if odd := ODD.search(text):
        raise RefusedError(f"{text!r:.80} holds the character U+{ord(odd[0]):04X}", "remove it")
    if text.startswith("/") or "\\" in text:
        raise RefusedError(
            f"{text!r:.80} is not a path below the batch's folder", "begin with a name, write / between"
        )
    if not text.endswith(f".{SUFFIX}") or text.count(SUFFIX) > 1:
        raise RefusedError(
            f"{text!r:.80} must end in .{SUFFIX}, and hold it once", f"write NAME.{{output}}.{SUFFIX}"
        )
    for part in text.split("/"):
        if part.startswith(".") or not part.strip():
            raise RefusedError(
                f"{text!r:.80} has a name that begins with a dot, or none", "write a plain name"
            )
        if "{folder}" in part and part != "{folder}":
            raise RefusedError("{folder} must stand by itself", "write {folder}/ ahead of a name")
    if text.endswith("{folder}") or "{folder}/" in text.partition("/")[2]:
        raise RefusedError("{folder} must stand ahead of the rest", "write {folder}/ at the beginning")


def _check_fields(text: str) -> None:
    for field in _FIELD.findall(text):
        if field not in FIELDS:
            raise RefusedError(f"unknown field {{{field:.40}}}", nearest(field[:40], FIELDS))
    if set(_FIELD.sub("", text)) & {"{", "}"}:
        raise RefusedError(f"{text!r:.80} has a brace without its other half", "write fields as {title}")


def _measure(place: str) -> None:
    for part in place.split("/"):
        length = len(part.replace(OUTPUT, "").replace(SUFFIX, "").encode())
        most = _LONGEST - (_OPEN if OUTPUT in part or SUFFIX in part else 0)
        if length > most:
            raise RefusedError(
                f"the name {part!r:.60} has {length} bytes, of at most {most}", "give a shorter name"
            )


class Places:
    """The places of jobs that were read, of which no two may be the same.

    Many disks do not tell case apart, or write accents in another way, so "Take" and "take" are the same. It
    keeps 86 bytes a place: 8.6 MB for 100,000.

    Example:
        >>> places = Places()
        >>> places.claim("a/Take.{output}.{ext}", 3), places.claim("a/take.{output}.{ext}", 9)
        (None, 3)
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._order, self._lines = array("q"), array("Q")

    def claim(self, place: str, line: int) -> int | None:
        """Take a place for the job in a line; return the line of the job that has it already."""
        one = hash(_folded(place))
        if one in self._hashes:
            return self._lines[self._order.index(one)]
        self._hashes.add(one)
        self._order.append(one)
        self._lines.append(line)
        return None


def _folded(path: str) -> str:
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()


def check_outputs(job: Job, names: Iterable[str], suffix: str = "wav", source: str = "manifest") -> None:
    """Check that a job's outputs get names of their own, once the graph says which there are.

    Args:
        job: with its place and the names of its outputs in files.
        names: of the graph's outputs.
        suffix: of the files.
        source: the manifest's name, for the error's text.

    Raises:
        ManifestError: two outputs would be one file, or a target is of an output that is not; names the job's
            line.

    Example:
        >>> from unbraid.host.jobs.job import Job
        >>> check_outputs(Job(place="a.{ext}", graph="g", inputs={}, line=7), ["x", "y"], source="m")
        Traceback (most recent call last):
        unbraid.host.jobs.manifest.errors.ManifestError: m:7: name: x and y would both be a.wav; write {output}
    """  # noqa: E501 - an example's line
    taken: dict[str, str] = {}
    names = list(names)
    for target in job.target:
        if target and target not in names:
            place = Place(source, job.line or None, f"target.{target}")
            raise ManifestError([Problem(place, "the graph has no such output", nearest(target, names))])
    for name in names:
        path = job.path(name, suffix)
        other = taken.setdefault(_folded(path), name)
        if other == name:
            continue
        apart = OUTPUT in job.place
        key, remedy = ("outputs", "give each its own") if apart else ("name", f"write {OUTPUT}")
        message = f"{other} and {name} would both be {path}"
        raise ManifestError([Problem(Place(source, job.line or None, key), message, remedy)])
