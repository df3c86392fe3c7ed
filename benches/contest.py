"""A contest: the same work done by several contestants, one of which is the peer that ratios refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

__all__ = ["Contest"]


@dataclass(frozen=True)
class Contest:
    """One piece of work.

    Attributes:
        title: what is done.
        peer: the contestant whose time is divided by the others'.
        names: every contestant, the peer first.
        open: prepares the work; inside, each contestant is a function without arguments.
        turns: how often each takes its turn, one after the other.
        calls: how many calls one turn holds.
    """

    title: str
    peer: str
    names: tuple[str, ...]
    open: Callable[[], AbstractContextManager[dict[str, Callable[[], object]]]]
    turns: int = 9
    calls: int = 1
