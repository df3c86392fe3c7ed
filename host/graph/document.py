"""The graph as a document: what a person wrote, with its places, not yet checked against plugins."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..contract.audio import Layout
from ..contract.errors import GraphError, Problem, UnbraidError, nearest
from .times import Moment, parse_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .yaml_reader import Parsed, Path

__all__ = ["SUBTYPES", "Document", "Lane", "NodeEntry", "OutputEntry", "Source", "parse_document"]

VERSION = 1
SUBTYPES = ("PCM_16", "PCM_24", "PCM_32", "FLOAT")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a signal comes from: a node's port, a node's only output, or a graph input."""

    node: str
    port: str | None
    path: Path

    def __str__(self) -> str:
        return self.node if self.port is None else f"{self.node}.{self.port}"


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """A node as written. ``sources`` is by position (a tuple) or by input port (a dict).

    ``isolate`` says whether it runs in a process of its own; None where nothing is written.
    """

    name: str
    use: str
    sources: tuple[Source, ...] | dict[str, Source]
    params: Mapping[str, Any]
    device: str = "cpu"
    isolate: bool | None = None


@dataclass(frozen=True, slots=True)
class OutputEntry:
    """A graph output as written, and the sample format asked for its file."""

    name: str
    source: Source
    subtype: str | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """Automation of one parameter: points in programme time."""

    node: str
    param: str
    points: tuple[tuple[Moment, Any], ...]
    path: Path
    points_path: Path
    curve: Literal["step", "linear"] = "step"


@dataclass(slots=True)
class Document:
    """A parsed graph document. ``inputs`` holds None where the file decides the layout."""

    parsed: Parsed
    inputs: dict[str, Layout | None] = field(default_factory=dict)
    nodes: dict[str, NodeEntry] = field(default_factory=dict)
    outputs: dict[str, OutputEntry] = field(default_factory=dict)
    lanes: list[Lane] = field(default_factory=list)


class _Reading:
    """Collects problems while the document is taken apart, so that all are told at once."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.problems: list[Problem] = []

    def problem(self, path: Path, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(self.parsed.place(path), message, remedy))

    def mapping(self, value: Any, path: Path, known: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return ``value`` as a mapping without its unknown keys."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problem(path, f"must be a mapping, not {_kind(value)}")
            return {}
        if not known:
            return value
        for key in value:
            if key not in known:
                self.problem((*path, key), f"unknown key {key!r}", nearest(key, known))
        return {key: item for key, item in value.items() if key in known}

    def name(self, name: str, path: Path) -> None:
        if not _NAME.fullmatch(name):
            self.problem(path, f"{name!r} is not a name", "use letters, digits, _ and -, at most 64")

    def text(self, value: Any, path: Path, default: str = "") -> str:
        if isinstance(value, str) and value:
            return value
        self.problem(path, f"must be a name, not {_kind(value)}")
        return default

    def choice(self, value: Any, path: Path) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        self.problem(path, f"must be true or false, not {_kind(value)}")
        return None

    def source(self, value: Any, path: Path) -> Source:
        node, dot, port = self.text(value, path).partition(".")
        return Source(node, port if dot else None, path)

    def sources(self, value: Any, path: Path) -> tuple[Source, ...] | dict[str, Source]:
        if isinstance(value, dict):
            return {port: self.source(item, (*path, port)) for port, item in value.items()}
        if isinstance(value, list):
            return tuple(self.source(item, (*path, i)) for i, item in enumerate(value))
        return (self.source(value, path),)

    def inputs(self, value: Any) -> dict[str, Layout | None]:
        found: dict[str, Layout | None] = {}
        for name, layout in self.mapping(value, ("inputs",)).items():
            path = ("inputs", name)
            self.name(name, path)
            try:
                found[name] = None if layout is None else Layout.parse(str(layout))
            except UnbraidError as error:
                self.problem(path, str(error))
        return found or {"mix": None}

    def node(self, name: str, value: Any) -> NodeEntry | None:
        """Take one node's entry apart."""
        path = ("nodes", name)
        self.name(name, path)
        entry = self.mapping(value, path, ("use", "from", "params", "device", "isolate"))
        if "use" not in entry:
            self.problem(path, "has no `use`", "write use: PLUGIN")
            return None
        return NodeEntry(
            name=name,
            use=self.text(entry["use"], (*path, "use")),
            sources=self.sources(entry["from"], (*path, "from")) if "from" in entry else (),
            params=self.mapping(entry.get("params"), (*path, "params")),
            device=self.text(entry.get("device", "cpu"), (*path, "device"), "cpu"),
            isolate=self.choice(entry.get("isolate"), (*path, "isolate")),
        )

    def output(self, name: str, value: Any) -> OutputEntry | None:
        """Take one output's entry apart: a source, or a mapping with one."""
        path = ("outputs", name)
        self.name(name, path)
        if not isinstance(value, dict):
            return OutputEntry(name, self.source(value, path))
        entry = self.mapping(value, path, ("from", "subtype"))
        if "from" not in entry:
            self.problem(path, "has no `from`", "write from: NODE.OUTPUT")
            return None
        subtype = entry.get("subtype")
        if subtype is not None and subtype not in SUBTYPES:
            self.problem((*path, "subtype"), f"unknown subtype {subtype!r}", nearest(str(subtype), SUBTYPES))
            subtype = None
        return OutputEntry(name, self.source(entry["from"], (*path, "from")), subtype)

    def lane(self, target: str, value: Any) -> Lane | None:
        """Take one automation entry apart: a list of points, or a mapping with them."""
        path: Path = ("automation", target)
        node, dot, param = target.partition(".")
        if not dot:
            self.problem(path, f"{target!r} must read node.param")
            return None
        points, points_path = value, path
        curve: Any = "step"
        if isinstance(value, dict):
            entry = self.mapping(value, path, ("points", "curve"))
            points, curve = entry.get("points"), entry.get("curve", "step")
            points_path = (*path, "points")
        if curve not in ("step", "linear"):
            self.problem((*path, "curve"), f"unknown curve {curve!r}", "known: linear, step")
            curve = "step"
        if not isinstance(points, list) or not points:
            self.problem(points_path, "must be a list of [time, value] points")
            return None
        return Lane(node, param, self.points(points, points_path), path, points_path, curve)

    def points(self, points: list[Any], path: Path) -> tuple[tuple[Moment, Any], ...]:
        found = []
        for i, point in enumerate(points):
            if not isinstance(point, list) or len(point) != 2:
                self.problem((*path, i), "a point must read [time, value]")
                continue
            try:
                found.append((parse_moment(point[0]), point[1]))
            except ValueError as error:
                self.problem((*path, i), str(error))
        return tuple(found)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true/false", int: "a number"}
    return f"{names.get(type(value), 'a number')} ({value!r:.40})"


def parse_document(parsed: Parsed) -> Document:
    """Take plain data apart into a `Document`.

    Raises:
        GraphError: with every problem of form: unknown keys, wrong kinds, bad names, times, layouts.
    """
    reading = _Reading(parsed)
    top = reading.mapping(parsed.value, (), ("unbraid", "inputs", "nodes", "outputs", "automation"))
    _check_version(reading, top.get("unbraid"))
    document = Document(parsed, inputs=reading.inputs(top.get("inputs")))

    def entries(section: str) -> Iterable[tuple[str, Any]]:
        return reading.mapping(top.get(section), (section,)).items()

    for name, value in entries("nodes"):
        if name in document.inputs:
            reading.problem(("nodes", name), f"a node and an input are both named {name!r}", "rename one")
        if (node := reading.node(name, value)) is not None:
            document.nodes[name] = node
    outputs = (reading.output(name, value) for name, value in entries("outputs"))
    document.outputs = {output.name: output for output in outputs if output is not None}
    if not top.get("outputs"):
        reading.problem((), "has no outputs", "write outputs: {NAME: NODE.OUTPUT}")
    lanes = (reading.lane(target, value) for target, value in entries("automation"))
    document.lanes = [lane for lane in lanes if lane is not None]
    if reading.problems:
        raise GraphError(reading.problems)
    return document


def _check_version(reading: _Reading, version: object) -> None:
    if type(version) is not int or version != VERSION:  # true and 1.0 equal 1
        stated = "no version" if version is None else f"version {version!r}"
        reading.problem(("unbraid",), f"states {stated}", f"begin the document with unbraid: {VERSION}")
