"""Where tasks are done: what the driver of a batch asks of workers here or on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .task import Outcome, Progress, Task

__all__ = ["Began", "Ended", "Event", "Executor", "Moved"]


@dataclass(frozen=True)
class Began:
    """A worker took a task."""

    number: int
    worker: str


@dataclass(frozen=True)
class Moved:
    """A task has come further."""

    number: int
    progress: Progress


@dataclass(frozen=True)
class Ended:
    """A task has an outcome."""

    number: int
    worker: str
    outcome: Outcome


Event = Began | Moved | Ended


class Executor(Protocol):
    """Workers, each doing one task at a time; called from one thread.

    Attributes:
        slots: how many tasks it does at once; more or fewer as machines come and go.
        one_machine: whether all are done by this machine's processor.
    """

    slots: int
    one_machine: bool

    def submit(self, task: Task) -> None:
        """Take a task; it waits here while all workers are busy."""

    def events(self, seconds: float) -> Sequence[Event]:
        """Return what has happened, after at most this time if that is nothing."""
        ...

    def withdraw(self) -> list[int]:
        """Return the numbers of tasks that no worker took, and forget them."""
        ...

    def close(self) -> None:
        """End all workers at once, whatever they do."""
