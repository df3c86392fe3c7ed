"""Looking at a plan: the content of its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph.view import Box, Edge, View

if TYPE_CHECKING:
    from .plan import Plan, Signal

__all__ = ["survey"]


def survey(plan: Plan) -> View:
    """Return boxes and edges of a prepared plan, with latency, rate and layout as they are."""
    graph = plan.graph
    steps = {step.name: step for step in plan.steps}
    boxes = [Box(name, "input") for name in graph.inputs]
    edges: list[Edge] = []

    def edge(signal: Signal, target: str, port: str) -> None:
        wire = signal.wire
        source = f"node:{wire.node}" if wire.port else f"input:{wire.node}"
        layout = str(signal.layout)
        edges.append(Edge(source, target, wire.port, port, layout, graph.rate, signal.latency, signal.held))

    for name, node in graph.nodes.items():
        rate = node.rate if node.rate != graph.rate else None
        box = Box(
            name,
            "node",
            node.card.id,
            steps[name].processor.latency,
            rate,
            node.card.passes_of(node.params),
            node.isolate is True,
        )
        boxes.append(box)
        for port, signal in steps[name].ins.items():
            edge(signal, box.key, port)
    for name, signal in plan.outputs.items():
        box = Box(name, "output")
        boxes.append(box)
        edge(signal, box.key, "")
    return View(
        f"{graph.source}, {graph.rate} Hz, latency {plan.latency} samples", tuple(boxes), tuple(edges)
    )
