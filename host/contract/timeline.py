"""Parameters over the samples of one stream, for processors whose frames or segments straddle changes."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from .params import Params
from .processor import BlockProcessor

__all__ = ["TimedProcessor", "Timeline"]

P = TypeVar("P", bound=Params)


class Timeline(Generic[P]):
    """Which parameters are in force at which sample. It forgets what lies before the last sample asked for.

    Example:
        >>> timeline = Timeline("soft")
        >>> timeline.set(100, "loud")
        >>> timeline.at(99), timeline.next_change(99), timeline.at(100)
        ('soft', 100, 'loud')
    """

    def __init__(self, params: P) -> None:
        self._changes: deque[tuple[int, P]] = deque([(0, params)])

    @property
    def newest(self) -> P:
        """The parameters set last."""
        return self._changes[-1][1]

    def set(self, sample: int, params: P) -> None:
        """Put parameters in force from ``sample`` on; never earlier than a change before."""
        if self._changes[-1][0] == sample:
            self._changes.pop()
        self._changes.append((sample, params))

    def at(self, sample: int) -> P:
        """Return the parameters at ``sample``, the first ones for what lies before them; ask in order."""
        while len(self._changes) > 1 and self._changes[1][0] <= sample:
            self._changes.popleft()
        return self._changes[0][1]

    def next_change(self, sample: int) -> int | None:
        """Return the first change after ``sample`` that is known."""
        return next((at for at, _ in self._changes if at > sample), None)


class TimedProcessor(BlockProcessor[P]):
    """Base of processors that look back at parameters: frames and segments use those at their centre."""

    _timeline: Timeline[P]
    _position: int

    def rewind(self) -> None:
        """Go back to sample 0, with the newest parameters."""
        self.params = self._timeline.newest if hasattr(self, "_timeline") else self.params
        self._timeline, self._position = Timeline(self.params), 0

    def set(self, params: P) -> None:
        """Note the parameters from the next sample on."""
        if hasattr(self, "_timeline"):
            self._timeline.set(self._position, params)
        else:  # not prepared yet
            self.params = params
