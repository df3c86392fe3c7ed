"""Stems by name: a graph over one input becomes one over several, where its nodes take any number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.errors import GraphError, Place, Problem
from ..contract.params import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..registry import Registry
    from .graph import Graph

__all__ = ["spread_stems"]


def spread_stems(graph: Graph, names: Sequence[str], registry: Registry) -> None:
    """Replace a graph's one input by several, and lead them to the nodes it led to.

    Each of these must have a parameter ``stems``, as those of `upmix` and `normalize` do: it gets the names.

    Args:
        graph: is changed.
        names: of the stems.
        registry: knows the nodes' parameters.

    Raises:
        GraphError: the graph has several inputs already, or leads its input to a node that takes no stems.
    """
    document = graph.document()
    inputs = list(document.inputs)
    if len(inputs) != 1:
        raise _problem(
            graph, "inputs", f"has the inputs {', '.join(inputs)} already", "give them with --input"
        )
    fed, cards = False, registry.cards
    for node in document.nodes.values():
        sources = node.sources.values() if isinstance(node.sources, dict) else node.sources
        if inputs[0] not in {source.node for source in sources}:
            continue
        takes = node.use in cards and any(each.name == "stems" for each in describe(cards[node.use].params))
        if not takes or len(sources) != 1:
            raise _problem(
                graph,
                f"nodes.{node.name}",
                f"the node {node.name!r} ({node.use}) takes no stems",
                "give one INPUT",
            )
        graph.feed(node.name, names)
        graph.set(node.name, "stems", list(names))
        fed = True
    if not fed:
        raise _problem(graph, "inputs", f"leads its input {inputs[0]!r} to no node that takes stems", "")
    graph.rename_inputs(names)


def _problem(graph: Graph, path: str, message: str, remedy: str) -> GraphError:
    return GraphError([Problem(Place(graph.source, None, path), message, remedy)])
