"""The host: contract, graph, engine, files, command line. It imports kernels, never a plugin."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .contract.errors import Cancelled, GraphError, MediaError, NodeError, PluginError, UnbraidError
    from .engine.arrays import process
    from .engine.options import RenderOptions, RenderReport
    from .engine.render import render
    from .engine.stream import Stream, open_stream
    from .graph.graph import Graph
    from .jobs.start import batch
    from .registry import Registry

_HOME = {
    "Cancelled": "contract.errors",
    "Graph": "graph.graph",
    "GraphError": "contract.errors",
    "MediaError": "contract.errors",
    "NodeError": "contract.errors",
    "PluginError": "contract.errors",
    "Registry": "registry",
    "RenderOptions": "engine.options",
    "RenderReport": "engine.options",
    "Stream": "engine.stream",
    "UnbraidError": "contract.errors",
    "batch": "jobs.start",
    "open_stream": "engine.stream",
    "process": "engine.arrays",
    "render": "engine.render",
}
__all__ = [
    "Cancelled",
    "Graph",
    "GraphError",
    "MediaError",
    "NodeError",
    "PluginError",
    "Registry",
    "RenderOptions",
    "RenderReport",
    "Stream",
    "UnbraidError",
    "batch",
    "open_stream",
    "process",
    "render",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
