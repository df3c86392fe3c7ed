"""What a caller names, made definite: which graph, which input is which, an executor that is ready."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.errors import GraphError, Place, Problem, UnbraidError
from ..contract.params import convert
from ..graph.graph import Graph
from .executor import Executor
from .plan import Settings, build_plan

if TYPE_CHECKING:
    from ..contract.card import PluginCard
    from ..graph.check import CheckedGraph
    from ..graph.document import NodeEntry
    from ..registry import Registry

__all__ = ["inputs_by_name", "load_graph", "place_nodes", "ready"]


def load_graph(graph: Graph | str | Path, registry: Registry) -> Graph:
    """Return the graph object, the graph in that file, or the ready-made graph of that name."""
    if isinstance(graph, Graph):
        return graph
    if not isinstance(graph, str | Path):
        raise UnbraidError(
            f"a graph is a Graph, a file or a name, not {type(graph).__name__}; see Graph.from_dict"
        )
    # os.path answers "no" for names that no file can have, where Path raises.
    if str(graph) in registry.graphs and not os.path.isfile(graph):  # noqa: PTH113
        return Graph.load(registry.graphs[str(graph)])
    if "\0" in str(graph) or (not os.path.exists(graph) and Path(graph).suffix == ""):  # noqa: PTH110
        known = ", ".join(sorted(registry.graphs)) or "none"
        place = Place(str(graph).replace("\0", "\\0"))
        problem = Problem(place, "is neither a file nor a ready-made graph", f"ready-made: {known}")
        raise GraphError([problem])
    return Graph.load(graph)


def inputs_by_name(graph: Graph, inputs: Any) -> dict[str, Any]:
    """Return inputs by name; a single one belongs to the graph's first input."""
    names = list(graph.document().inputs)
    given = inputs if isinstance(inputs, Mapping) else {names[0]: inputs}
    missing = [name for name in names if name not in given]
    if missing:
        place = Place(graph.source, None, "inputs")
        problem = Problem(place, f"the input {', '.join(missing)} is not given", "pass --input NAME=FILE")
        raise GraphError([problem])
    return {name: given[name] for name in [*names, *(name for name in given if name not in names)]}


def place_nodes(graph: Graph, device: str, registry: Registry) -> None:
    """Let every node run on a device whose plugin can.

    Raises:
        GraphError: none can.
    """
    able = [
        entry.name
        for entry in graph.document().nodes.values()
        if entry.use in registry.cards and device in _devices(registry.cards[entry.use], entry)
    ]
    if not able:
        place = Place(graph.source, None, "nodes")
        problem = Problem(place, f"device {device}: no node of this graph runs there", "leave it out")
        raise GraphError([problem])
    for name in able:
        graph.place(name, device)


def _devices(card: PluginCard, entry: NodeEntry) -> tuple[str, ...]:
    """Return where a node can run; where its parameters cannot be, the check of the graph will tell."""
    try:
        return card.devices_of(convert(card.params, entry.params))
    except UnbraidError:
        return card.devices


def ready(checked: CheckedGraph, registry: Registry, settings: Settings) -> Executor:
    """Return an executor of the graph at its beginning; whoever asks for it closes it."""
    plan = build_plan(checked, registry, settings)
    try:
        return Executor(plan)
    except MemoryError:
        plan.release()
        block = settings.max_block
        raise UnbraidError(f"there is no memory for blocks of {block} samples; choose shorter ones") from None
    except BaseException:
        plan.release()
        raise
