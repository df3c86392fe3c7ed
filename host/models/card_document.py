"""Reads a card as people write it, and tells everything that is wrong with it by line.

A card is one YAML 1.2 document::

    model: 1
    id: spleeter-2stems
    name: Spleeter, two stems
    architecture: spleeter
    rate: 44100
    layout: stereo
    stems: [vocals, accompaniment]
    licence: {code: MIT, weights: MIT}
    source: https://doi.org/10.21105/joss.02154
    files:
      - name: vocals.safetensors
        format: safetensors
        url: https://example.org/vocals.safetensors
        size: 39290900
        sha256: 0123...
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from ..contract.audio import Layout
from ..contract.errors import GraphError, Place, Problem, UnbraidError, nearest
from ..graph.yaml_reader import read
from ..graph.yaml_writer import write
from .card import FORMATS, Licence, ModelCard, ModelFile, PackageFile
from .errors import ModelCardError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..graph.yaml_reader import Parsed

    Spot = tuple[str | int, ...]

__all__ = ["VERSION", "parse_card", "read_card", "write_card"]

VERSION = 1
#: A card is short; whatever is longer is none.
_MOST_BYTES = 1 << 17
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_SIZE = 1 << 40

_TOP = ("model", *ModelCard.__struct_fields__)
_FILE = ModelFile.__struct_fields__


class _Reading:
    """Collects problems while a card is taken apart, so that all are told at once."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.problems: list[Problem] = []

    def problem(self, spot: Spot, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(self.parsed.place(spot), message, remedy))

    def mapping(self, value: Any, spot: Spot, known: tuple[str, ...] | None) -> dict[str, Any]:
        """Return ``value`` as a mapping; keys beyond ``known``, where it is given, are problems."""
        if not isinstance(value, dict):
            self.problem(spot, f"must be a mapping, not {value!r:.40}")
            return {}
        for key in value if known is not None else ():
            if key not in (known or ()):
                self.problem((*spot, key), f"unknown key {key!r}", nearest(key, known or ()))
        return value

    def items(self, value: Any, spot: Spot) -> list[Any]:
        if isinstance(value, list) and value:
            return value
        self.problem(spot, "must be a list of at least one")
        return []

    def text(self, holder: dict[str, Any], key: str, spot: Spot, *, default: str | None = None) -> str:
        """Return one line of text; without ``default`` it must be there."""
        value = holder.get(key)
        if value is None and default is not None:
            return default
        if value is None:
            self.problem(spot, f"has no {key}", f"write {key}: ...")
        elif not isinstance(value, str) or not value.strip() or len(value) > 2000:
            self.problem((*spot, key), f"must be text, not {value!r:.40}")
        else:
            return " ".join(value.split())
        return ""

    def matching(
        self, holder: dict[str, Any], key: str, spot: Spot, pattern: re.Pattern[str], rule: str
    ) -> str:
        text = self.text(holder, key, spot)
        if text and not pattern.fullmatch(text):
            self.problem((*spot, key), f"{text!r:.80} cannot be: {rule}")
        return text

    def number(self, holder: dict[str, Any], key: str, spot: Spot, most: int) -> int:
        value = holder.get(key)
        if type(value) is int and 1 <= value <= most:
            return value
        if value is None:
            self.problem(spot, f"has no {key}", f"write {key}: ...")
        else:
            self.problem((*spot, key), f"must be a whole number from 1 to {most}, not {value!r:.40}")
        return 0


def _web(reading: _Reading, holder: dict[str, Any], key: str, spot: Spot) -> str:
    """Return an address that is http or https, names a host, and holds no password."""
    text = reading.text(holder, key, spot, default="")
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
        good = good and parts.username is None and text.isascii() and " " not in text
    except ValueError:
        good = False
    if not good:
        reading.problem((*spot, key), f"{text!r:.80} is no address to fetch from", "write https://HOST/PATH")
    return text


def _package(reading: _Reading, value: Any, spot: Spot) -> PackageFile | None:
    if value is None:
        return None
    entry = reading.mapping(value, spot, PackageFile.__struct_fields__)
    distribution = reading.matching(entry, "distribution", spot, _DISTRIBUTION, "a name as pip knows it")
    path = reading.text(entry, "path", spot)
    if path.startswith("/") or "\\" in path or ".." in path.split("/"):
        remedy = "write it relative to where packages are installed"
        reading.problem((*spot, "path"), f"{path!r:.80} leaves the package", remedy)
    extra = entry.get("extra")
    extra = reading.matching(entry, "extra", spot, _DISTRIBUTION, "the name of an extra") if extra else ""
    return PackageFile(distribution, path, extra)


def _file(reading: _Reading, value: Any, spot: Spot, *, measured: bool) -> ModelFile:
    entry = reading.mapping(value, spot, _FILE)
    name = reading.matching(
        entry, "name", spot, _FILE_NAME, "letters, digits, and . _ + -, at most 128, a letter or digit first"
    )
    form = reading.text(entry, "format", spot)
    if form and form not in FORMATS:
        reading.problem((*spot, "format"), f"unknown format {form!r:.40}", nearest(form, FORMATS))
    sha256, size = "", 0
    if measured or entry.get("sha256") is not None:
        sha256 = reading.matching(entry, "sha256", spot, _SHA256, "64 of the digits 0-9 and a-f")
    if measured or entry.get("size") is not None:
        size = reading.number(entry, "size", spot, _MOST_SIZE)
    url, package = (
        _web(reading, entry, "url", spot),
        _package(reading, entry.get("package"), (*spot, "package")),
    )
    if url and package:
        reading.problem((*spot, "package"), "stands beside a url", "keep the one it comes from")
    inside = reading.text(entry, "inside", spot, default="")
    return ModelFile(name, form, sha256, size, url, package, inside)  # type: ignore[arg-type]


def _files(reading: _Reading, value: Any, *, measured: bool) -> tuple[ModelFile, ...]:
    files = []
    seen: set[str] = set()
    if value == []:  # a method that needs no weights
        return ()
    for i, item in enumerate(reading.items(value, ("files",))):
        file = _file(reading, item, ("files", i), measured=measured)
        if file.name and file.name.lower() in seen:
            reading.problem(("files", i, "name"), f"{file.name!r} stands twice", "rename one")
        seen.add(file.name.lower())
        files.append(file)
    return tuple(files)


def _layout(reading: _Reading, top: dict[str, Any]) -> str:
    if "layout" not in top:
        reading.problem((), "has no layout", "write layout: stereo")
        return ""
    try:
        return str(Layout.parse(str(top["layout"])))
    except UnbraidError as error:
        reading.problem(("layout",), str(error))
        return ""


def _stems(reading: _Reading, value: Any) -> tuple[str, ...]:
    stems: list[str] = []
    for i, stem in enumerate(reading.items(value, ("stems",))):
        if not isinstance(stem, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", stem):
            reading.problem(("stems", i), f"{stem!r:.40} is not a name", "use letters, digits, _ and -")
        elif stem in stems:
            reading.problem(("stems", i), f"{stem!r} stands twice", "a stem has one name")
        else:
            stems.append(stem)
    return tuple(stems)


def _licence(reading: _Reading, value: Any) -> Licence:
    if value is None:
        reading.problem((), "has no licence", "write licence: {code: ..., weights: ...}")
        return Licence("", "")
    entry = reading.mapping(value, ("licence",), Licence.__struct_fields__)
    return Licence(*(reading.text(entry, key, ("licence",)) for key in ("code", "weights")))


def parse_card(text: str, source: str, *, measured: bool = True) -> ModelCard:
    """Take a card's text apart.

    Args:
        text: the document.
        source: its name in error texts, usually the file's path.
        measured: whether every file must state its sha256 and size, as every card in use must.

    Raises:
        ModelCardError: with everything that is wrong: form, unknown keys, kinds, names, addresses.
    """
    if len(text) > _MOST_BYTES:
        problem = Problem(Place(source), f"has {len(text)} characters", "a card is short: is this one?")
        raise ModelCardError([problem])
    try:
        reading = _Reading(read(text, source))
    except GraphError as error:
        raise ModelCardError(error.problems) from None
    if not isinstance(reading.parsed.value, dict):
        remedy = f"begin it with model: {VERSION}"
        raise ModelCardError([Problem(Place(source, 1), "is no card", remedy)])
    top = reading.mapping(reading.parsed.value, (), _TOP)
    if type(top.get("model")) is not int or top["model"] != VERSION:
        stated = f"version {top['model']!r:.40}" if "model" in top else "no version"
        reading.problem(("model",), f"states {stated}", f"begin the card with model: {VERSION}")
    options = reading.mapping(top.get("options") or {}, ("options",), None)
    rule = "lower-case letters, digits, and . _ -, at most 64"
    word: Callable[..., str] = reading.text
    card = ModelCard(
        id=reading.matching(top, "id", (), _ID, rule),
        name=word(top, "name", ()),
        architecture=reading.matching(top, "architecture", (), _ID, rule),
        rate=reading.number(top, "rate", (), 768_000),
        layout=_layout(reading, top),
        stems=_stems(reading, top.get("stems")),
        files=_files(reading, top.get("files"), measured=measured),
        licence=_licence(reading, top.get("licence")),
        doc=word(top, "doc", (), default=""),
        options=options,
        source=word(top, "source", (), default=""),
        homepage=_web(reading, top, "homepage", ()),
    )
    if reading.problems:
        raise ModelCardError(reading.problems)
    return card


def read_card(path: Path, *, measured: bool = True) -> ModelCard:
    """Read a card from a file; see `parse_card`.

    Raises:
        ModelCardError: the file cannot be read, is no text, or is no good card.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            text = " " * (_MOST_BYTES + 1)
        else:
            text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ModelCardError([Problem(Place(str(path)), "is not UTF-8 text")]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelCardError([Problem(Place(str(path)), f"cannot be read: {reason}")]) from None
    return parse_card(text, str(path), measured=measured)


def write_card(card: ModelCard) -> str:
    """Return a card as the YAML document that `parse_card` reads back the same."""
    plain = msgspec.to_builtins(card)
    plain["files"] = [{key: value for key, value in file.items() if value} for file in plain["files"]]
    return write({"model": VERSION, **{key: value for key, value in plain.items() if value}})
