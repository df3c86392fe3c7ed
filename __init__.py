"""Unbraid: a host for audio separation.

The names below load on first use (PEP 562), so ``import unbraid`` stays light.

Example:
    >>> import unbraid
    >>> graph = unbraid.Graph()
    >>> quiet = graph.node("quiet", "gain", graph.input("mix"), gain=-6.0)
    >>> graph.output("out", quiet)
    >>> import numpy as np
    >>> done = unbraid.process(graph, np.ones((2, 4), np.float32), rate=48000)
    >>> done["out"].shape
    (2, 4)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from .host import (
        Cancelled,
        Graph,
        GraphError,
        MediaError,
        NodeError,
        Registry,
        UnbraidError,
        batch,
        open_stream,
        process,
        render,
    )

__all__ = [
    "Cancelled",
    "Graph",
    "GraphError",
    "MediaError",
    "NodeError",
    "Registry",
    "UnbraidError",
    "__version__",
    "batch",
    "open_stream",
    "process",
    "render",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("unbraid")
    if name in __all__:
        return getattr(import_module(".host", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
