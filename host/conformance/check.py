"""A check is data: an id, the promise it holds a plugin to, the lowest level it runs at, one function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..contract.errors import UnbraidError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .finding import Level
    from .subject import Subject

__all__ = [
    "CUTS",
    "FINITE",
    "REPEATS",
    "Advice",
    "Check",
    "NotApplicableError",
    "NotReadyError",
    "PromiseBrokenError",
    "RefusedError",
]


#: What a check needs that compares two runs: output that repeats, and is there.
REPEATS = ("seed", "outputs")
#: What it needs where the two are cut into other blocks as well.
CUTS = (*REPEATS, "cuts")
#: What a check needs that measures levels.
FINITE = ("outputs", "finite")


@dataclass(frozen=True, slots=True)
class Advice:
    """What a check returns when no promise is broken, but the author should know something."""

    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the contract.

    Attributes:
        id: short, for reports.
        promise: one line, true of every plugin that passes.
        level: the lowest level it runs at.
        run: returns what was seen, or `Advice`; raises `PromiseBrokenError` or `NotApplicableError`.
        needs: ids of earlier checks; where one of them has failed, this one cannot tell anything.
    """

    id: str
    promise: str
    level: Level
    run: Callable[[Subject], str | Advice]
    needs: tuple[str, ...] = ()


class PromiseBrokenError(UnbraidError):
    """The plugin breaks the contract. ``remedy`` says what its author can do."""

    def __init__(self, message: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(message)


class RefusedError(PromiseBrokenError):
    """The plugin refused these terms with a `PluginError`; a check that tries many terms allows it."""


class NotApplicableError(UnbraidError):
    """The check has nothing to look at in this plugin; the text says why."""


class NotReadyError(NotApplicableError):
    """The plugin cannot run as it is, and is not to blame: a model's files or a parameter are missing."""
