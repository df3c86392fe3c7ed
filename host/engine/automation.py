"""Automation: lanes of parameter values in programme time, shifted to a node's stream time.

A lane steps unless it is linear; a linear lane takes a new value on an absolute grid of 64 samples of
programme time. Before its first point the node's own value holds, after the last the last.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..contract.params import Params
    from ..graph.check import CheckedLane

__all__ = ["GRID", "Automation", "Curve"]

GRID = 64


class Curve:
    """One lane as a function of programme time."""

    def __init__(self, lane: CheckedLane, default: Any) -> None:
        self.param, self._linear, self._default = lane.param, lane.linear, default
        self._times = [time for time, _ in lane.points]
        self._values = [value for _, value in lane.points]

    def value(self, sample: int) -> Any:
        """Return the value in force at this sample of programme time."""
        if self._linear:
            sample -= sample % GRID
        k = bisect_right(self._times, sample) - 1
        if k < 0:
            return self._default
        if not self._linear or k + 1 == len(self._times):
            return self._values[k]
        t0, t1, v0, v1 = self._times[k], self._times[k + 1], self._values[k], self._values[k + 1]
        return v0 + (v1 - v0) * ((sample - t0) / (t1 - t0))

    def next_change(self, sample: int) -> int | None:
        """Return the first later sample at which the value may change, or None."""
        if not self._linear:
            k = bisect_right(self._times, sample)
            return self._times[k] if k < len(self._times) else None
        first, last = (-(-time // GRID) * GRID for time in (self._times[0], self._times[-1]))
        following = (sample // GRID + 1) * GRID
        return None if following > last else max(following, first)


class _NodeLanes:
    def __init__(self, curves: list[Curve], params: Params, shift: int) -> None:
        self._curves, self._params, self._shift = curves, params, shift

    def params(self, position: int) -> Params:
        time = max(0, position - self._shift)
        values = {curve.param: curve.value(time) for curve in self._curves}
        return msgspec.structs.replace(self._params, **values)

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
            curve = Curve(lane, getattr(params[lane.node], lane.param))
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
