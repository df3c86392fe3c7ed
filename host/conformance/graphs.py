"""The plugin as the one node of a graph, for promises that the whole host keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..contract.errors import GraphError
from .check import NotApplicableError, PromiseBrokenError
from .driven import calling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..contract.processor import Array
    from ..graph.graph import Graph
    from .signals import Programme
    from .subject import Case, Subject

__all__ = ["graph_of", "run"]

NODE, THROUGH = "checked", "through"


def graph_of(subject: Subject, case: Case) -> Graph:
    """Return a graph of one node: every input from outside, every output an output."""
    from ..graph.graph import Graph

    graph = Graph()
    if any(layout.scene is not None for layout in case.inputs.values()):
        raise NotApplicableError("it takes a scene, and a graph's own inputs are channels")
    sources = [graph.input(f"input{k}", layout.name) for k, layout in enumerate(case.inputs.values())]
    if not sources:  # a graph is as long as its inputs, so it needs one
        graph.output(THROUGH, graph.input(THROUGH, "mono"))
    params = msgspec.to_builtins(case.params)
    graph.node(NODE, subject.card.id, *sources, device=subject.device, **params)
    for port in subject.card.ports_of(case.params).outputs:
        graph.output(port.name, f"{NODE}.{port.name}")
    return graph


def run(
    subject: Subject,
    programme: Programme,
    *,
    case: Case | None = None,
    rate: int | None = None,
    lanes: dict[str, list[tuple[str, Any]]] | None = None,
    curve: str = "linear",
    blocks: Iterable[int] | None = None,
) -> dict[str, Array]:
    """Return what the host makes of a programme with this plugin as its only node.

    Args:
        subject: the plugin.
        programme: for the case's inputs.
        case: by default the usual one.
        rate: of the graph in Hz; by default the case's.
        lanes: points of automation by parameter.
        curve: of the lanes.
        blocks: block lengths.
    """
    from ..engine.arrays import process

    case = case or subject.case
    graph = graph_of(subject, case)
    for name, points in (lanes or {}).items():
        graph.automate(NODE, name, points, curve=curve)
    inputs = {f"input{k}": data for k, data in enumerate(programme.ports.values())}
    if not inputs:
        inputs = {THROUGH: np.zeros((1, programme.samples), np.float32)}
    try:
        with calling("a graph of this node alone"):
            made = process(graph, inputs, rate=rate or case.rate, registry=subject.registry, blocks=blocks)
    except PromiseBrokenError as error:
        if isinstance(error.__cause__, GraphError):
            raise _unfit(error.__cause__) from None
        raise
    return {port.name: made[port.name] for port in subject.card.ports_of(case.params).outputs}


def _unfit(error: GraphError) -> PromiseBrokenError:
    """Return why a card cannot stand in a graph."""
    problem = error.problems[0]
    remedy = problem.remedy or "let the card's ports, layouts and residual fit together"
    return PromiseBrokenError(f"a graph cannot hold it: {problem.message}", remedy)
