"""One lane of automation as a function of programme time.

A lane steps unless it is linear; a linear lane takes a new value on an absolute grid of 64 samples of
programme time. Before its first point the node's own value holds, after the last the last.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

__all__ = ["GRID", "Curve"]

GRID = 64


class Curve:
    """Values of one parameter over time.

    Args:
        param: its name.
        points: (sample, value), in order of time.
        linear: move in straight lines between the points.
        default: the value before the first point.

    Example:
        >>> fade = Curve("gain", ((0, 0.0), (128, -6.0)), linear=True, default=0.0)
        >>> [fade.value(sample) for sample in (0, 63, 64, 128, 9999)]
        [0.0, 0.0, -3.0, -6.0, -6.0]
    """

    def __init__(
        self, param: str, points: tuple[tuple[int, Any], ...], *, linear: bool, default: Any
    ) -> None:
        self.param, self._linear, self._default = param, linear, default
        self.times = [time for time, _ in points]
        self._values = [value for _, value in points]

    def value(self, sample: int) -> Any:
        """Return the value in force at this sample of programme time."""
        if self._linear:
            sample -= sample % GRID
        k = bisect_right(self.times, sample) - 1
        if k < 0:
            return self._default
        if not self._linear or k + 1 == len(self.times):
            return self._values[k]
        t0, t1, v0, v1 = self.times[k], self.times[k + 1], self._values[k], self._values[k + 1]
        return v0 + (v1 - v0) * ((sample - t0) / (t1 - t0))

    def next_change(self, sample: int) -> int | None:
        """Return the first later sample at which the value may change, or None."""
        if not self._linear:
            k = bisect_right(self.times, sample)
            return self.times[k] if k < len(self.times) else None
        first, last = (-(-time // GRID) * GRID for time in (self.times[0], self.times[-1]))
        following = (sample // GRID + 1) * GRID
        return None if following > last else max(following, first)

    def changes(self) -> list[int]:
        """Return the samples at which a value given by a point comes into force."""
        return [-(-time // GRID) * GRID if self._linear else time for time in self.times]
