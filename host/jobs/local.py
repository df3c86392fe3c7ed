"""Workers on this machine: processes, each behind a thread that waits for it."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from .executor import Began, Ended, Moved
from .slot import Slot
from .task import Lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .executor import Event
    from .slot import Terms
    from .task import Task

__all__ = ["LocalExecutor"]


class LocalExecutor:
    """Processes of this machine; see `Executor`.

    Args:
        workers: how many.
        terms: their limits.
    """

    one_machine = True

    def __init__(self, workers: int, terms: Terms) -> None:
        self.slots = workers
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._slots = [Slot(terms, f"worker {number + 1}") for number in range(workers)]
        self._threads = [
            threading.Thread(target=self._serve, args=(slot,), name=slot.name, daemon=True)
            for slot in self._slots
        ]
        for thread in self._threads:
            thread.start()

    def _serve(self, slot: Slot) -> None:
        while (task := self._tasks.get()) is not None:
            number = task.number
            self._events.put(Began(number, slot.name))
            try:
                outcome = slot.run(task, lambda said, number=number: self._events.put(Moved(number, said)))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - the driver must hear of it, or it waits for ever
                outcome = Lost(kind="crash", message=f"its worker cannot be used: {error}")
            self._events.put(Ended(number, slot.name, outcome))
        slot.end()

    def submit(self, task: Task) -> None:
        """See `Executor`."""
        self._tasks.put(task)

    def events(self, seconds: float) -> Sequence[Event]:
        """See `Executor`."""
        found: list[Event] = []
        try:
            found.append(self._events.get(timeout=seconds))
            while True:
                found.append(self._events.get_nowait())
        except queue.Empty:
            return found

    def withdraw(self) -> list[int]:
        """See `Executor`."""
        numbers = list[int]()
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return numbers
            if task is not None:
                numbers.append(task.number)

    def close(self) -> None:
        """See `Executor`."""
        self.withdraw()
        for slot in self._slots:
            slot.cancel()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(timeout=10)
