"""`Graph`: a graph document made in Python or read from a file, as one object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.errors import GraphError, Place, Problem
from .document import Document, parse_document
from .yaml_reader import MAX_BYTES, Parsed, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..contract.audio import Layout
    from ..registry import Registry
    from .check import CheckedGraph

__all__ = ["Graph", "NodeHandle"]


@dataclass(frozen=True, slots=True)
class NodeHandle:
    """A node or input of a graph under construction; ``handle["port"]`` names one of its outputs."""

    name: str

    def __getitem__(self, port: str) -> str:
        return f"{self.name}.{port}"


class Graph:
    """A graph of nodes, from Python or from a document; the two are the same thing.

    Example:
        >>> graph = Graph()
        >>> mix = graph.input("mix", "stereo")
        >>> dewind = graph.node("dewind", "wind", mix, limit=24)
        >>> graph.output("dialogue", dewind["clean"])
        >>> sorted(graph.to_dict())
        ['inputs', 'nodes', 'outputs', 'unbraid']
        >>> graph == Graph.parse(graph.to_yaml())
        True
    """

    def __init__(self) -> None:
        self._parsed = Parsed({"unbraid": 1, "inputs": {}, "nodes": {}, "outputs": {}}, "graph")

    # Reading

    @classmethod
    def parse(cls, text: str, source: str = "graph") -> Graph:
        """Read a YAML or JSON document.

        Raises:
            GraphError: it is not well formed, or its form is not that of a graph.
        """
        return cls._of(read(text, source))

    @classmethod
    def load(cls, path: str | Path) -> Graph:
        """Read a graph file: ``.yaml``, ``.yml`` or ``.json``.

        Raises:
            GraphError: the file is missing, unreadable or not a graph.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            why = getattr(error, "strerror", None) or error
            raise _unreadable(path, f"cannot be read: {why}", "check the path and its rights") from None
        if len(data) > MAX_BYTES:
            raise _unreadable(path, f"has more than {MAX_BYTES} bytes", "is it really a graph file?")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise _unreadable(path, "is not UTF-8 text", "is it really a graph file?") from None
        return cls.parse(text, str(path))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], source: str = "graph") -> Graph:
        """Take the document as plain data, as `to_dict` gives it.

        Raises:
            GraphError: it is not plain data, or its form is not that of a graph.
        """
        try:
            plain = json.loads(json.dumps(value))
        except (TypeError, ValueError, RecursionError) as error:
            problem = Problem(Place(source), f"not plain data: {error}", "use dict, list, str, numbers")
            raise GraphError([problem]) from None
        return cls._of(Parsed(plain, source))

    @classmethod
    def _of(cls, parsed: Parsed) -> Graph:
        parse_document(parsed)
        graph = cls()
        graph._parsed = parsed
        return graph

    # Building

    def input(self, name: str = "mix", layout: str | None = None) -> NodeHandle:
        """Declare an input; without a layout it takes the file's."""
        self._section("inputs")[name] = layout
        return NodeHandle(name)

    def node(
        self,
        name: str,
        use: str,
        /,
        *sources: str | NodeHandle,
        device: str = "cpu",
        isolate: bool | None = None,
        **params: Any,
    ) -> NodeHandle:
        """Add a node of plugin ``use``, fed by ``sources`` in the order of its inputs.

        ``isolate`` runs it in a process of its own, or asks that it does not.
        """
        entry: dict[str, Any] = {"use": use}
        if sources:
            names = [_name(source) for source in sources]
            entry["from"] = names[0] if len(names) == 1 else names
        if params:
            entry["params"] = _plain(params)
        if device != "cpu":
            entry["device"] = device
        if isolate is not None:
            entry["isolate"] = isolate
        self._section("nodes")[name] = entry
        return NodeHandle(name)

    def output(self, name: str, source: str | NodeHandle, *, subtype: str | None = None) -> None:
        """Name a signal as an output of the graph; ``subtype`` asks for a sample format in its file."""
        entry: Any = _name(source)
        self._section("outputs")[name] = {"from": entry, "subtype": subtype} if subtype else entry

    def automate(
        self,
        node: str | NodeHandle,
        param: str,
        points: list[tuple[Any, Any]],
        *,
        curve: str = "step",
    ) -> None:
        """Give a parameter values over programme time: seconds, ``HH:MM:SS.mmm`` or ``N samples``."""
        lane = {"points": _plain(points), "curve": curve}
        self._section("automation")[f"{_name(node)}.{param}"] = lane

    def set(self, node: str, param: str, value: Any) -> None:
        """Change a parameter of an existing node.

        Raises:
            GraphError: there is no such node.
        """
        entry = self._entry(node)
        entry["params"] = {**(entry.get("params") or {}), param: _plain(value)}

    def feed(self, node: str, sources: Sequence[str]) -> None:
        """Lead other signals to an existing node, in the order of its inputs.

        Raises:
            GraphError: there is no such node.
        """
        self._entry(node)["from"] = list(sources)

    def rename_inputs(self, names: Sequence[str]) -> None:
        """Let the graph have these inputs, whose layouts are their files', in place of those it has."""
        self._parsed.value["inputs"] = dict.fromkeys(names)

    def place(self, node: str, device: str) -> None:
        """Let an existing node run on another device.

        Args:
            node: its name.
            device: "cpu" or "cuda".

        Raises:
            GraphError: there is no such node.
        """
        self._entry(node)["device"] = device

    def _entry(self, node: str) -> dict[str, Any]:
        entry: dict[str, Any] | None = self._section("nodes").get(node)
        if entry is None:
            from ..contract.errors import nearest

            place = Place(self.source, None, f"nodes.{node}")
            raise GraphError(
                [Problem(place, f"no node is named {node!r}", nearest(node, self._section("nodes")))]
            )
        return entry

    def _section(self, name: str) -> dict[str, Any]:
        if self._parsed.value.get(name) is None:  # absent, or written with nothing under it
            self._parsed.value[name] = {}
        section: dict[str, Any] = self._parsed.value[name]
        return section

    # Looking

    @property
    def source(self) -> str:
        """The file the graph came from, or "graph"."""
        return self._parsed.source

    def to_dict(self) -> dict[str, Any]:
        """Return the document as plain data."""
        data: dict[str, Any] = json.loads(json.dumps(self._parsed.value))
        return data

    def to_yaml(self) -> str:
        """Return the document as YAML."""
        from .yaml_writer import write

        return write(self.to_dict())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        raise TypeError("a Graph can change, so it cannot be a key")

    def document(self) -> Document:
        """Return the parsed document."""
        return parse_document(self._parsed)

    def check(self, registry: Registry, rate: int, layouts: Mapping[str, Layout]) -> CheckedGraph:
        """Validate against plugins, rate (Hz) and the inputs' layouts; see `unbraid.host.graph.check`."""
        from .check import check

        return check(self.document(), registry, rate, layouts)


def _plain(value: Any) -> Any:
    """Return ``value`` as a document could hold it: NumPy scalars and arrays become numbers and lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _name(source: str | NodeHandle) -> str:
    return source.name if isinstance(source, NodeHandle) else source


def _unreadable(path: Path, message: str, remedy: str) -> GraphError:
    return GraphError([Problem(Place(str(path)), message, remedy)])
