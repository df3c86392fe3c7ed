"""A graph as a picture's content: boxes and edges with latency, rate and layout, no audio inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Box", "Edge", "View"]


@dataclass(frozen=True, slots=True)
class Box:
    """An input, a node or an output.

    ``rate`` is given where it is not the graph's (a rate island); ``passes`` is how often a node hears the
    whole programme before it processes it; ``isolated`` says that the graph asks for a process of its own.
    """

    name: str
    kind: Literal["input", "node", "output"]
    plugin: str = ""
    latency: int = 0
    rate: int | None = None
    passes: int = 0
    isolated: bool = False

    @property
    def key(self) -> str:
        """A name unique in the view; an output may share a node's name."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Edge:
    """A signal from one box to another.

    Attributes:
        source: key of the box it leaves.
        target: key of the box it enters.
        source_port: "" for a graph input.
        target_port: "" for a graph output.
        layout: name of the channel layout.
        rate: Hz.
        latency: samples by which it is late on arrival.
        held: how many of them are a delay that lines it up with a later branch.
    """

    source: str
    target: str
    source_port: str
    target_port: str
    layout: str
    rate: int
    latency: int
    held: int = 0

    @property
    def label(self) -> str:
        """Layout, rate and latency in one line."""
        held = f" ({self.held} held)" if self.held else ""
        return f"{self.layout} {self.rate} Hz +{self.latency}{held}"


@dataclass(frozen=True, slots=True)
class View:
    """Boxes, each after its sources, and the edges between them."""

    title: str
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
