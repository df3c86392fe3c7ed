"""A look at entry points from outside: how long each takes to load, what it imports, if it comes back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from .worker import Ended, Worker

__all__ = ["SLOW", "Look", "Point", "look"]

#: Seconds beyond which an import is told as slow.
SLOW = 0.5


@dataclass(frozen=True, slots=True)
class Point:
    """One entry point, or one object named ``module:object``.

    Attributes:
        name: of the entry point.
        package: the distribution that brings it.
        seconds: what it took to load and to ask its hooks, in an interpreter that has the host's own modules.
        heavy: the heavy packages it imported.
        trouble: "hung for 20 s at ..." when it never came back; else "".
    """

    name: str
    package: str
    seconds: float = 0.0
    heavy: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def slow(self) -> str:
        """What to tell of a slow import, with the remedy; "" when it is not."""
        if self.seconds <= SLOW:
            return ""
        because = f", importing {', '.join(self.heavy)}" if self.heavy else ""
        return (
            f"{self.name} (from {self.package}): slow import, {self.seconds:.1f} s{because}; every command "
            "waits for it: its author should name heavy code in the card's factory only"
        )


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: the points in order, and, once all were loaded, the registry as plain data.

    ``trouble`` says why there is no registry when that is the fault of no single point.
    """

    points: tuple[Point, ...] = ()
    trouble: str = ""
    registry: dict[str, Any] = field(default_factory=dict)


def look(homes: list[str] | None = None, *, seconds: float = 20.0) -> Look:
    """Load entry points in a fresh interpreter, one after another.

    Args:
        homes: objects to load, ``"module"`` or ``"module:object"``; by default every installed entry point.
        seconds: how long each may take. The first that takes longer, or ends the process, is the last.
    """
    worker = Worker("entry_child")
    points: list[Point] = []
    begun: Point | None = None
    try:
        answer = worker.ask({"homes": homes}, seconds)
        while True:
            if isinstance(answer, Ended):
                if begun is None:
                    return Look(tuple(points), str(answer))
                return Look((*points, replace(begun, trouble=str(answer))))
            if "registry" in answer:
                return Look(tuple(points), registry=answer["registry"])
            if "begin" in answer:
                begun = Point(answer["begin"], answer["package"])
            elif begun is not None:
                points.append(replace(begun, seconds=answer["seconds"], heavy=tuple(answer["heavy"])))
                begun = None
            answer = worker.hear(seconds)
    finally:
        worker.stop()
