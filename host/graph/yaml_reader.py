"""A YAML 1.2 reader that keeps line numbers and cannot be made to work hard.

It walks ruamel.yaml's event stream without recursion, resolves plain scalars by the core schema of
YAML 1.2.2 (section 10.3.2: so an unquoted 00:00:10.000 stays text), takes no tags, refuses duplicate
keys, and limits size, depth, and what aliases may unfold to. An alias gives a copy; ``<<`` is a key like
any other, as YAML 1.2 knows no merging. JSON is read by the same rules.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..contract.errors import GraphError, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "REFUSED", "Parsed", "read", "scalar"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 50_000

Path = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
# Control characters, line separators that are none in YAML 1.2, and halves of surrogate pairs.
REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_WORDS: dict[str, Any] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(slots=True)
class Parsed:
    """Plain data, and the 1-based line of every key and item by its path."""

    value: Any
    source: str
    lines: dict[Path, int] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Return where ``path`` stands; its nearest ancestor when it is not in the document."""
        line = None
        for end in range(len(path), -1, -1):
            line = self.lines.get(path[:end])
            if line is not None:
                break
        return Place(self.source, line, dotted(path))


def dotted(path: Iterable[str | int]) -> str:
    """Join a path as people write it: ``nodes.bed.from[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def scalar(text: str) -> Any:
    """Resolve a plain scalar by YAML 1.2's core schema.

    Example:
        >>> [scalar(text) for text in ("10", "-6.5", "true", "00:00:10.000", "no", "1e3")]
        [10, -6.5, True, '00:00:10.000', 'no', 1000.0]
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= 64 and _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    infinite = _INFINITE.fullmatch(text)
    return float(f"{infinite[1]}inf") if infinite else text


@dataclass(slots=True)
class _Open:
    """A collection still being read; a mapping waits for the value of ``key``."""

    value: Any
    path: Path
    key: Any = None
    has_key: bool = False
    anchor: str | None = None
    size: int = 1
    depth: int = 1


class _Builder:
    def __init__(self, source: str) -> None:
        self.parsed = Parsed(None, source)
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int, int]] = {}  # value, size, depth
        self.values = 0
        self.line = 1
        self.begun = False

    def fail(self, line: int, message: str, remedy: str = "") -> GraphError:
        return GraphError([Problem(Place(self.parsed.source, line), message, remedy)])

    def path_of_next(self) -> Path:
        if not self.stack:
            return ()
        top = self.stack[-1]
        return (*top.path, top.key if isinstance(top.value, dict) else len(top.value))

    def count(self, line: int, size: int) -> None:
        self.values += size
        if self.values > MAX_VALUES:
            raise self.fail(line, f"more than {MAX_VALUES} values once aliases are unfolded", "write less")
        for frame in self.stack:
            frame.size += size

    def put(self, value: Any, line: int, size: int = 1, depth: int = 0) -> None:
        """Place a finished value: as the document, an item, a mapping's next key or that key's value."""
        self.count(line, size)
        self.fits(line, depth)
        if not self.stack:
            self.parsed.value = value
            return
        top = self.stack[-1]
        top.depth = max(top.depth, depth + 1)
        if isinstance(top.value, list):
            self.parsed.lines.setdefault(self.path_of_next(), line)
            top.value.append(value)
        elif top.has_key:
            top.value[top.key] = value
            top.has_key = False
        else:
            self.take_key(top, value, line)

    def take_key(self, top: _Open, key: Any, line: int) -> None:
        if not isinstance(key, str | int | float) or isinstance(key, bool):
            raise self.fail(line, f"a key must be a name, not {key!r:.40}")
        key = str(key)
        if key in top.value:
            raise self.fail(line, f"the key {key!r} stands twice in one mapping", "remove one")
        top.key, top.has_key = key, True
        self.parsed.lines[(*top.path, key)] = line

    def fits(self, line: int, depth: int) -> None:
        if len(self.stack) + depth > MAX_DEPTH:
            raise self.fail(line, f"nested deeper than {MAX_DEPTH} levels", "make it flatter")

    def open(self, value: Any, line: int, anchor: str | None) -> None:
        self.fits(line, 1)
        if self.stack and isinstance(self.stack[-1].value, dict) and not self.stack[-1].has_key:
            raise self.fail(line, "a key must be a name, not a collection")
        path = self.path_of_next()
        self.parsed.lines.setdefault(path, line)
        self.stack.append(_Open(value, path, anchor=anchor))

    def close(self, line: int) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.anchors[done.anchor] = (done.value, done.size, done.depth)
        self.values -= done.size - 1
        for frame in self.stack:
            frame.size -= done.size - 1
        self.put(done.value, line, done.size, done.depth)

    def alias(self, anchor: str, line: int) -> None:
        if anchor not in self.anchors:
            message = f"the alias *{anchor:.40} names no finished anchor"
            raise self.fail(line, message, "define it above")
        value, size, depth = self.anchors[anchor]
        self.put(deepcopy(value), line, size, depth)

    def scalar(self, event: Any, line: int) -> None:
        try:  # an escape may spell a character as two surrogates, as JSON does
            text = event.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self.fail(line, "half a surrogate pair is no character", "write both halves") from None
        value = scalar(text) if event.implicit[0] else text
        if event.anchor:
            self.anchors[event.anchor] = (value, 1, 0)
        self.put(value, line)

    def event(self, event: Any) -> None:
        """Take one of ruamel's events."""
        kind = type(event).__name__
        line = self.line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if getattr(event, "tag", None) is not None and str(event.tag) != "!":
            raise self.fail(line, f"the tag {event.tag!s:.80} is not allowed", "write plain values")
        if kind == "MappingStartEvent":
            self.open({}, line, event.anchor)
        elif kind == "SequenceStartEvent":
            self.open([], line, event.anchor)
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self.close(line)
        elif kind == "ScalarEvent":
            self.scalar(event, line)
        elif kind == "AliasEvent":
            self.alias(event.anchor, line)
        elif kind == "DocumentStartEvent":
            if self.begun:
                raise self.fail(line, "a second document begins", "keep one in a file")
            self.begun = True


def _refuse(builder: _Builder, text: str) -> None:
    """Refuse what is too long or holds characters that have no place in a document."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise builder.fail(1, f"the document has {size} bytes, more than {MAX_BYTES}", "a graph is short")
    if refused := REFUSED.search(text):
        line = len(re.findall(r"\r\n?|\n", text[: refused.start()])) + 1
        message = f"the character U+{ord(refused[0]):04X} is not allowed"
        raise builder.fail(line, message, "remove it, or write it as an escape in double quotes")


def read(text: str, source: str) -> Parsed:
    """Read one YAML 1.2 or JSON document.

    Args:
        text: the document.
        source: its name in error texts, usually the file's path.

    Raises:
        GraphError: it is malformed, or exceeds `MAX_BYTES`, `MAX_DEPTH` or `MAX_VALUES`.
    """
    from ruamel.yaml import YAML

    builder = _Builder(source)
    _refuse(builder, text)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.event(event)
    except GraphError:
        raise
    except Exception as error:  # noqa: BLE001 - besides YAMLError, ruamel lets int() and chr() fail
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or " ".join(str(error).split())
        line = mark.line + 1 if mark is not None else builder.line
        raise builder.fail(
            line, f"not valid YAML: {what:.200}", "check indentation, quotes and brackets"
        ) from None
    return builder.parsed
