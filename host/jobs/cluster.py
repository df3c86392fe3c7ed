"""Workers on a cluster: Ray's actors, each with a supervised process on its node."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .actor import Actor, Greeting, greeting, packed_task, unpacked_outcome
from .connection import ClusterError, Connection, room, shared_token
from .executor import Began, Ended, Moved
from .task import Done, Lost, Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .executor import Event
    from .slot import Terms
    from .task import Outcome, Task

__all__ = ["ClusterError", "RayExecutor"]

_LOOK = 2.0  # seconds between two looks at the cluster's nodes
_GLANCE = 0.25  # the same, while it is open why a worker is gone
_POLL = 1.0  # seconds between two questions to a worker how far it is
_DEAD, _AWAY = 2.0, 30.0  # seconds to learn that a worker's node went: it is dead, or cannot be reached
_NOBODY = 300.0  # seconds without any node that has room
_TRIES = 5  # workers beyond a whole set of them that die, one after another, before they have begun
_END = 8.0  # seconds for workers to end
_GREETINGS = msgspec.msgpack.Decoder(Greeting)


@dataclass(eq=False)
class _Worker:
    """The driver's end of one actor.

    Attributes:
        number: from 1, new for each actor.
        actor: Ray's handle.
        calls: that have not ended, by name of the method.
        node: Ray's id of its node; place is that in words, and name the worker's own.
        task: that it does.
        poll: when it is asked again how far it is.
        said: what it answered.
    """

    number: int
    actor: Any
    calls: dict[str, Any]
    node: str = ""
    place: str = ""
    task: Task | None = None
    poll: float = math.inf
    said: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return f"{self.place} worker {self.number}"

    @property
    def ready(self) -> bool:
        return "greet" not in self.calls


@dataclass(frozen=True)
class _Missing:
    """A task whose worker is gone; why that is shows within moments."""

    worker: _Worker
    task: Task
    why: str
    until: float


class RayExecutor:
    """Actors of a Ray cluster; see `Executor`.

    Who tries again: Ray neither restarts an actor nor repeats a call. Every death comes here and becomes an
    outcome, so that the ledger alone counts a job's crashes, and a job that kills its workers ends in
    quarantine; another actor takes the place of a dead one, wherever the cluster has room. The death of a
    whole node makes its jobs "gone" instead of "crash": it is not their fault.

    The machine that the driver runs on must be a node of the cluster. A program that has called ``ray.init``
    itself keeps its connection, whatever ``address`` says.

    Args:
        address: "auto" for the cluster that this machine is in, "host:port", or "local" or "" for a cluster
            of this machine alone, which ends with the executor.
        terms: limits of each worker; its threads and, where given, its memory are asked of the cluster.
        folder: of the batch, on storage that all nodes see under the same path.
        workers: how many; None for as many as the cluster has room for, also after nodes join.
        gpus: GPUs of each worker: 0 for none, which hides them; a fraction shares one; else a whole number.

    Attributes:
        slots: how many tasks it does at once, as of now.
        one_machine: whether it is a cluster of this machine alone.

    Raises:
        ClusterError: Ray is not installed, no cluster answers there, it has no room for a worker, or
            ``gpus`` is neither a fraction nor whole. From `events`: a node has another version of this
            package, or does not see the folder; or no worker can be started.

    Example:
        >>> executor = RayExecutor("auto", Terms(threads=4), folder=Path("out"), gpus=0.5)  # doctest: +SKIP
    """

    def __init__(
        self, address: str, terms: Terms, *, folder: Path, workers: int | None = None, gpus: float = 0.0
    ) -> None:
        if not gpus >= 0 or (gpus > 1 and gpus != int(gpus)):
            raise ClusterError(f"gpus is {gpus:g}; give a fraction of one, or a whole number")
        needs: dict[str, float] = {"CPU": terms.threads}
        needs |= {"GPU": gpus} if gpus else {}
        needs |= {"memory": terms.memory} if terms.memory else {}
        self._terms = terms if gpus else _without_gpus(terms)
        self._count = workers
        self._tasks: deque[Task] = deque()
        self._events: list[Event] = []
        self._workers: list[_Worker] = []
        self._missing: list[_Missing] = []
        self._nodes: dict[str, dict[str, Any]] = {}
        self._alone, self._looked = time.monotonic(), -math.inf
        self._started = self._failed = self._submitted = 0
        self.slots, self._here = 1, greeting()
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100 - links may be meant
        self._cluster = Connection(address, needs, workers or 1)
        self.one_machine = self._cluster.own
        try:
            self._token = shared_token(self._folder)
            self._actors = self._cluster.actors(Actor)
            self._begin()
        except BaseException:
            self.close()
            raise

    # Workers

    def _begin(self) -> None:
        self._look()
        if not self._workers or (self.one_machine and not self._room()):
            raise ClusterError(
                f"no node of the cluster has {self._cluster.wanted()} for a worker; ask for less, or give a "
                "number of workers to wait for"
            )

    def _room(self) -> int:
        return room(self._nodes.values(), self._cluster.needs)

    def _look(self) -> None:
        """Look at the nodes; start workers where there is room, and wait for some where there is none."""
        now = self._looked = time.monotonic()
        self._nodes = self._cluster.nodes()
        most = self._room()
        wanted = most if self._count is None else self._count
        for worker in [each for each in self._workers if not each.ready]:
            if len(self._workers) > wanted:
                self._leave(worker)
        while len(self._workers) < wanted:
            self._start()
        self.slots = max(1, wanted)
        if most:
            self._alone = now
        elif now - self._alone > _NOBODY:
            raise ClusterError(f"for {_NOBODY:g} s no node of the cluster had {self._cluster.wanted()}")

    def _start(self) -> None:
        self._started += 1
        actor = self._actors.remote(self._terms, self._token)
        calls = {"stay": actor.stay.remote(), "greet": actor.greet.remote()}
        self._workers.append(_Worker(self._started, actor, calls))

    def _leave(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self._cluster.kill(worker.actor)

    # Tasks

    def submit(self, task: Task) -> None:
        """See `Executor`."""
        self._submitted += 1
        # A node that the cluster has given up may still be at work: no two attempts share a folder.
        self._tasks.append(msgspec.structs.replace(task, staging=f"{task.staging}/{self._submitted}"))
        self._assign()

    def _assign(self) -> None:
        for worker in self._workers:
            if not self._tasks:
                return
            if worker.ready and worker.task is None:
                task = worker.task = self._tasks.popleft()
                worker.calls["run"] = worker.actor.run.remote(packed_task(task))
                worker.poll, worker.said = time.monotonic() + _POLL, None
                self._events.append(Began(task.number, worker.name))

    def withdraw(self) -> list[int]:
        """See `Executor`."""
        numbers = [task.number for task in self._tasks]
        self._tasks.clear()
        return numbers

    def events(self, seconds: float) -> Sequence[Event]:
        """See `Executor`.

        Raises:
            ClusterError: the cluster cannot be used as it is, see there.
        """
        until = time.monotonic() + seconds
        while True:
            if time.monotonic() - self._looked > (_GLANCE if self._missing else _LOOK):
                self._look()
            self._judge()
            self._poll()
            left = until - time.monotonic()
            self._wait(0.0 if self._events else min(_GLANCE, max(0.0, left)))
            self._assign()
            if self._events or left <= 0:
                found, self._events = self._events, []
                return found

    def _poll(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.task is not None and now >= worker.poll and "progress" not in worker.calls:
                worker.calls["progress"] = worker.actor.progress.remote()

    def _wait(self, seconds: float) -> None:
        """Hear what has come of calls."""
        ray = self._cluster.ray
        calls = {call: (worker, name) for worker in self._workers for name, call in worker.calls.items()}
        if not calls:
            time.sleep(seconds)
            return
        ready, _ = ray.wait([*calls], num_returns=1, timeout=seconds)
        if ready:
            ready, _ = ray.wait([*calls], num_returns=len(calls), timeout=0)
        for call in ready:
            worker, name = calls[call]
            if worker not in self._workers:  # another of its calls told of its death
                continue
            try:
                found = ray.get(call)
            except ray.exceptions.RayError as error:
                self._died(worker, error)
            else:
                del worker.calls[name]
                self._hear(worker, name, found)

    def _hear(self, worker: _Worker, name: str, found: Any) -> None:
        if name == "greet":
            self._welcome(worker, _GREETINGS.decode(found))
        elif name == "run":
            task, worker.task = worker.task, None
            assert task is not None  # noqa: S101 - it ran
            self._end(worker, task, _settled(worker, task, unpacked_outcome(found)))
        elif name == "progress":
            worker.poll = time.monotonic() + _POLL
            if worker.task is not None and found is not None and found != worker.said:
                worker.said = found
                self._events.append(Moved(worker.task.number, Progress(*found)))

    def _welcome(self, worker: _Worker, said: Greeting) -> None:
        """Take a worker whose place is as the driver's.

        Raises:
            ClusterError: it is not.
        """
        here, place = self._here, f"node {said.host} ({said.node[:8]})"
        if (said.version, said.sources) != (here.version, here.sources):
            raise ClusterError(
                f"{place}: has unbraid {said.version} (kernels {said.sources[:8]}), and the driver "
                f"{here.version} ({here.sources[:8]}); install one version everywhere"
            )
        if not said.sees:
            raise ClusterError(
                f"{place}: does not see {self._folder} as the driver does; put it on storage that all nodes "
                "share, under the same path"
            )
        worker.node, worker.place = said.node, place
        self._failed = 0

    def _end(self, worker: _Worker, task: Task, outcome: Outcome) -> None:
        self._events.append(Ended(task.number, worker.name, outcome))

    # Deaths

    def _died(self, worker: _Worker, error: Exception) -> None:
        """An actor is gone: its task is missing until it is clear why; another is started."""
        errors = self._cluster.ray.exceptions
        self._leave(worker)
        self._looked = -math.inf
        if not worker.ready:
            self._failed += 1
            if getattr(error, "actor_init_failed", False) or self._failed > self.slots + _TRIES:
                said = " ".join(str(error).split())[-400:]
                raise ClusterError(f"no worker can be started on a node: {said}") from error
        if worker.task is not None:
            wait, why = _DEAD, "was ended from outside; Ray's logs there may say by whom"
            if isinstance(error, errors.OutOfMemoryError):
                why = (
                    "was ended by Ray, for the node ran out of memory; give --memory, so that fewer share it"
                )
            elif not isinstance(error, errors.ActorDiedError):
                wait, why = _AWAY, "cannot be reached any more"
            self._missing.append(_Missing(worker, worker.task, why, time.monotonic() + wait))

    def _judge(self) -> None:
        """Tell the death of a node from that of a worker."""
        left = []
        for each in self._missing:
            worker = each.worker
            if worker.node not in self._nodes:
                lost = Lost(kind="gone", message=f"{worker.place} went away while it ran there")
                self._end(worker, each.task, lost)
            elif time.monotonic() >= each.until:
                lost = Lost(kind="crash", message=f"its worker on {worker.place} {each.why}")
                self._end(worker, each.task, lost)
            else:
                left.append(each)
        self._missing = left

    def close(self) -> None:
        """See `Executor`. Actors end their processes first, so that nothing writes when this returns."""
        self._tasks.clear()
        workers, self._workers = self._workers, []
        with suppress(Exception):
            self._cluster.wait([worker.actor.end.remote() for worker in workers if worker.ready], _END)
        for worker in workers:
            self._cluster.kill(worker.actor)
        self._cluster.wait([worker.calls["stay"] for worker in workers], _END)
        self._cluster.close()
        with suppress(OSError, AttributeError):
            Path(self._token[0]).unlink()


def _settled(worker: _Worker, task: Task, outcome: Outcome) -> Outcome:
    """Return an outcome as the driver understands it, who knows one folder for all attempts at a job."""
    if isinstance(outcome, Done):
        folder = Path(task.staging).name
        outputs = [
            msgspec.structs.replace(output, staged=f"{folder}/{output.staged}") for output in outcome.outputs
        ]
        return msgspec.structs.replace(outcome, outputs=tuple(outputs))
    if isinstance(outcome, Lost) and outcome.kind == "start":
        return msgspec.structs.replace(outcome, message=f"{worker.place}: {outcome.message}")
    return outcome


def _without_gpus(terms: Terms) -> Terms:
    """Hide GPUs that the cluster has not given."""
    return replace(terms, environment=(("CUDA_VISIBLE_DEVICES", ""), *terms.environment))
