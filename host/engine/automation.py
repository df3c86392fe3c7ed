"""Automation: the lanes of every node, in programme time, shifted to the node's stream time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.params import replaced
from ..graph.curve import Curve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..contract.params import Params
    from ..graph.check import CheckedLane

__all__ = ["Automation"]


class _NodeLanes:
    def __init__(self, curves: list[Curve], params: Params, shift: int) -> None:
        self._curves, self._params, self._shift = curves, params, shift

    def params(self, position: int) -> Params:
        time = max(0, position - self._shift)
        values = {curve.param: curve.value(time) for curve in self._curves}
        return replaced(self._params, values)

    def next_change(self, position: int) -> int | None:
        time = max(0, position - self._shift)
        changes = (curve.next_change(time) for curve in self._curves)
        return min((change + self._shift for change in changes if change is not None), default=None)


class Automation:
    """Every lane of a graph.

    Args:
        lanes: the checked lanes.
        params: each node's own parameters.
    """

    def __init__(self, lanes: Iterable[CheckedLane], params: Mapping[str, Params]) -> None:
        self._params = params
        self._curves: dict[str, list[Curve]] = {}
        for lane in lanes:
            own = getattr(params[lane.node], lane.param)
            curve = Curve(lane.param, lane.points, linear=lane.linear, default=own)
            self._curves.setdefault(lane.node, []).append(curve)
        self._nodes: dict[str, _NodeLanes] = {}

    def initial(self, node: str) -> Params:
        """Return the parameters a node starts with."""
        return _NodeLanes(self._curves.get(node, []), self._params[node], 0).params(0)

    def align(self, node: str, latency: int) -> None:
        """Tell by how many samples a node's input lags behind programme time."""
        if node in self._curves:
            self._nodes[node] = _NodeLanes(self._curves[node], self._params[node], latency)

    def next_change(self, position: int) -> int | None:
        """Return the next stream position after ``position`` at which any node changes."""
        changes = (lanes.next_change(position) for lanes in self._nodes.values())
        return min((change for change in changes if change is not None), default=None)

    def due(self, previous: int, position: int) -> dict[str, Params]:
        """Return the new parameters of the nodes that change after ``previous``, by ``position``."""
        found = {}
        for node, lanes in self._nodes.items():
            change = lanes.next_change(previous)
            if change is not None and change <= position:
                found[node] = lanes.params(position)
        return found
