"""A worker's place on a node of a cluster: it owns one `Slot`, whose process does the work."""

from __future__ import annotations

import os
import socket
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .child import ANSWERS, TASKS
from .slot import Slot
from .task import Lost, Outcome, Progress

if TYPE_CHECKING:
    from .slot import Terms
    from .task import Task

__all__ = ["Actor", "Greeting", "greeting", "packed_task", "unpacked_outcome"]

_PATIENCE = 5.0  # seconds for a shared folder to show what another machine has written
_ENCODE = msgspec.msgpack.Encoder().encode


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """What a place is like; plain data, so that other versions can be told apart.

    Attributes:
        node: the cluster's id of its node; "" where there is no cluster.
        host: name of the machine.
        process: id of the actor's process there.
        version: of this package.
        sources: hash of the compiled kernels' sources.
        sees: whether the batch's folder is the driver's.
    """

    node: str
    host: str
    process: int
    version: str
    sources: str
    sees: bool = True


def greeting(node: str = "", *, sees: bool = True) -> Greeting:
    """Return what this process's place is like.

    Example:
        >>> greeting().process == os.getpid()
        True
    """
    from ...kernels.machine import sources_hash

    return Greeting(
        node=node,
        host=socket.gethostname(),
        process=os.getpid(),
        version=version("unbraid"),
        sources=sources_hash(),
        sees=sees,
    )


class Actor:
    """Does one task at a time, in a process that is ended with it.

    The cluster calls its methods from several threads at once, so that it answers while it works. No
    plugin's code runs in its own process: what a job does wrong meets the slot's process, as on one machine.

    Args:
        terms: of the process.
        token: a file in the batch's folder that the driver wrote, and what it holds.
    """

    def __init__(self, terms: Terms, token: tuple[str, str]) -> None:
        self._slot, self._token = Slot(terms), token
        self._said: Progress | None = None

    def greet(self) -> bytes:
        """Return a packed `Greeting`, when the folder is seen, or after a few seconds."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        return _ENCODE(greeting(node, sees=self._sees()))

    def _sees(self) -> bool:
        path, text = self._token
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return Path(path).read_text(encoding="ascii") == text
            except (OSError, ValueError):
                if time.monotonic() > deadline:
                    return False
            time.sleep(0.1)

    def run(self, task: bytes) -> bytes:
        """Do a packed `Task`; return the packed outcome."""
        self._said = None
        outcome: Outcome
        try:
            outcome = self._slot.run(TASKS.decode(task), self._hear)
        except Exception as error:  # noqa: BLE001 - an error of ours would not tell the driver of which job
            outcome = Lost(kind="crash", message=f"its worker cannot be used: {error}")
        return _ENCODE(outcome)

    def _hear(self, said: Progress) -> None:
        self._said = said

    def progress(self) -> tuple[int, int] | None:
        """Return how far the task is, in samples of how many; None before it has said so."""
        said = self._said
        return None if said is None else (said.done, said.total)

    def stay(self) -> None:
        """Never return: whoever waits for this hears of the actor's death, whether it works or not."""
        threading.Event().wait()

    def end(self) -> None:
        """End the process, whatever it does, and return when it is gone; no other is started."""
        self._slot.cancel()


def packed_task(task: Task) -> bytes:
    """Return a task as `Actor.run` takes it."""
    return _ENCODE(task)


def unpacked_outcome(data: bytes) -> Outcome:
    """Return what `Actor.run` returned."""
    outcome = ANSWERS.decode(data)
    assert isinstance(outcome, Outcome)  # noqa: S101 - the slot returns no other
    return outcome
