"""Ports: the named ends of a plugin, where signals enter and leave."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Port", "Ports"]


@dataclass(frozen=True, slots=True)
class Port:
    """One port.

    Attributes:
        name: as written in a graph: ``node.name``.
        doc: one line on what the signal is.
        layouts: the names of layouts an input accepts; empty means any.
    """

    name: str
    doc: str = ""
    layouts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ports:
    """The inputs and outputs of a plugin for one set of parameters."""

    inputs: tuple[Port, ...] = (Port("in"),)
    outputs: tuple[Port, ...] = (Port("out"),)
