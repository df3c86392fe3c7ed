"""The host's end of one worker process: gives it tasks, and ends it when it takes too long or too much."""

from __future__ import annotations

import math
import os
import select
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ..isolation.limits import held, most_memory
from ..isolation.messages import receive
from ..isolation.spawn import end_group, exit_of, how_it_ended, spawn
from .child import ANSWERS, packed
from .task import Lost, Progress, Ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from .task import Outcome, Task

__all__ = ["Slot", "Terms"]

_GLANCE, _REST = 0.05, 0.5  # seconds between two looks at its memory, at least and at most
_PACE = 4 << 30  # bytes that a thread may newly hold in a second: the system has to clear them
_GRACE = 1.0  # seconds for a process whose socket closed to be gone
_STALL = 60.0  # seconds for the rest of a message that began
_LINES = 40
_PRINTED = 1 << 24  # bytes that a worker may print before they are forgotten
_TRIES = 4
#: What every library that has threads of its own reads when it is loaded.
_THREADS: tuple[str, ...] = (
    "UNBRAID_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Terms:
    """What every worker of a batch is held to.

    Attributes:
        threads: that each may use.
        memory: bytes that each may hold; None for three quarters of the machine's.
        seconds: that a job may take unless it says otherwise; None for no limit.
        environment: variables of the workers' own.
    """

    threads: int = 1
    memory: int | None = None
    seconds: float | None = None
    environment: tuple[tuple[str, str], ...] = ()


class Slot:
    """Room for one worker, started when it is needed and again when it died.

    Args:
        terms: its limits.
        name: for the ledger.
    """

    def __init__(self, terms: Terms, name: str = "") -> None:
        self.name, self._terms = name, terms
        self._memory = terms.memory or most_memory()
        self._process: subprocess.Popen[bytes] | None = None
        self._talk: socket.socket | None = None
        self._hold = -1
        self._said: Any = None
        self._cancelled = False

    def run(self, task: Task, told: Callable[[Progress], None] = lambda _: None) -> Outcome:
        """Let the worker do a task, and return what came of it, whatever that is.

        Args:
            task: what to do.
            told: called with how far it is.
        """
        used = self._lives()
        outcome = self._attempt(task, told)
        if used and isinstance(outcome, Lost) and outcome.kind == "memory":
            # What earlier tasks left in the process is not this one's fault.
            outcome = self._attempt(task, told)
        return outcome

    def _lives(self) -> bool:
        """Return whether a worker is there; one that died after its last answer is put away, unblamed."""
        if self._process is not None and exit_of(self._process) is not None:
            self.end()
        return self._process is not None

    def _attempt(self, task: Task, told: Callable[[Progress], None]) -> Outcome:
        began = time.monotonic()
        try:
            if self._process is None:
                if why := self._started():
                    return Lost(kind="cancelled" if self._cancelled else "start", message=why)
                began = time.monotonic()  # the start is not the task's
            assert self._talk is not None  # noqa: S101 - just started
            self._hush()
            self._talk.sendall(packed(task), socket.MSG_NOSIGNAL)
            outcome = self._wait(task, told, began)
        except OSError as error:
            outcome = self._crashed(error.strerror or str(error))
        except BaseException:  # it is out of step
            self.end()
            raise
        if isinstance(outcome, Lost):
            outcome.seconds = time.monotonic() - began
            self.end()
        return outcome

    def cancel(self) -> None:
        """End the worker from another thread; its task comes back as lost, and it takes no other."""
        self._cancelled = True
        if (process := self._process) is not None:
            end_group(process)

    def end(self) -> None:
        """End the worker, and give back what belongs to it; again does nothing."""
        process, self._process = self._process, None
        if self._talk is not None:
            self._talk.close()
            self._talk = None
        if self._hold >= 0:
            os.close(self._hold)
            self._hold = -1
        if process is not None:
            end_group(process)
        if self._said is not None:
            self._said.close()
            self._said = None

    def _started(self) -> str:
        """Start a worker, again if it is killed meanwhile; return why none could be, or ""."""
        why = ""
        for _ in range(_TRIES):
            if self._cancelled:
                break
            try:
                self._start()
            except OSError as error:  # no room for its files, or for another process
                self.end()
                return (
                    f"no worker can be started: {error.filename or 'its process'}: {error.strerror or error}"
                )
            assert self._talk is not None  # noqa: S101 - just started
            with suppress(OSError, ValueError, msgspec.DecodeError):
                data = receive(self._talk)
                if data is not None and isinstance(ANSWERS.decode(data), Ready) and not self._cancelled:
                    return self._too_large()
            lost = self._crashed()
            why = " ".join(f"no worker can be started: {lost.message}; {lost.trace}".split()[-200:])
            self.end()
        return why or "the batch was ended"

    def _too_large(self) -> str:
        """Return what is wrong where a worker holds more than it may before it has done anything."""
        assert self._process is not None  # noqa: S101 - just started
        if (found := held(self._process.pid, self._memory)) <= self._memory:
            return ""
        self.end()
        return (
            f"no worker can be started: it holds {found >> 20} MiB before its first job, of "
            f"{self._memory >> 20} that it may; raise --memory, or take fewer workers"
        )

    def _start(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._talk, theirs = socket.socketpair()
        self._talk.settimeout(_STALL)
        threads = str(self._terms.threads)
        environment = dict.fromkeys(_THREADS, threads)
        # Read when torch is loaded: its threads would wait by spinning, and beside others stop one another.
        environment["OMP_WAIT_POLICY"] = "passive"
        environment.update(self._terms.environment)
        with theirs:
            line, self._hold = os.pipe()
            try:
                module = f"{__package__}.child"
                files = [theirs.fileno(), line]
                self._process = spawn(module, files, messages=self._said.fileno(), environment=environment)
            finally:
                os.close(line)

    def _wait(self, task: Task, told: Callable[[Progress], None], began: float) -> Outcome:
        talk, process = self._talk, self._process
        assert talk is not None and process is not None  # noqa: S101, PT018 - it runs
        seconds = task.seconds or self._terms.seconds
        until = began + seconds if seconds is not None else math.inf
        rest = _GLANCE
        while True:
            if select.select([talk], [], [], max(0, min(rest, until - time.monotonic())))[0]:
                try:
                    data = receive(talk, 1 << 28)
                    if data is None:
                        return self._crashed()
                    answer = ANSWERS.decode(data)
                except (ValueError, msgspec.DecodeError):
                    return self._crashed("it sent something that is no answer")
                if isinstance(answer, Progress):
                    told(answer)
                elif not isinstance(answer, Ready):
                    return answer
            elif exit_of(process) is not None:  # what it started may hold its end of the socket open
                return self._crashed()
            self._hush(_PRINTED)
            room = self._memory - held(process.pid, self._memory)
            rest = min(max(room / (_PACE * self._terms.threads), _GLANCE), _REST)
            if room < 0:
                most = self._memory / (1 << 20)
                return self._lost(
                    "memory",
                    f"its process held more than {most:.0f} MiB and was ended; raise --memory, or take fewer "
                    "workers, and retry it",
                )
            if time.monotonic() > until:
                return self._lost(
                    "hang",
                    f"it took longer than {seconds:g} s, and its process was ended; raise the timeout, and "
                    "retry it",
                )

    def _crashed(self, why: str = "") -> Lost:
        """Return how the process ended."""
        process = self._process
        if self._cancelled:
            return Lost(kind="cancelled", message="the batch was ended")
        if process is None:
            return self._lost("crash", f"its process cannot be started: {why}")
        deadline = time.monotonic() + _GRACE
        while (end := exit_of(process)) is None:
            if time.monotonic() > deadline:
                return self._lost("crash", f"{why or 'it closed its connection'}, and its process was ended")
            time.sleep(0.001)
        return self._lost("crash", how_it_ended(end))

    def _hush(self, most: int = 0) -> None:
        """Forget what was printed, over earlier tasks or by one that prints without end."""
        if self._said is not None:
            with suppress(OSError):
                if os.fstat(self._said.fileno()).st_size <= most:
                    return
                os.ftruncate(self._said.fileno(), 0)
                os.lseek(self._said.fileno(), 0, os.SEEK_SET)

    def _lost(self, kind: str, message: str) -> Lost:
        return Lost(kind=kind, message=message, trace=self._last_words())

    def _last_words(self) -> str:
        """Return the last lines that the worker printed."""
        if self._said is None:
            return ""
        with suppress(OSError):
            size = os.fstat(self._said.fileno()).st_size
            text = os.pread(self._said.fileno(), 16384, max(0, size - 16384)).decode("utf-8", "replace")
            return "\n".join(text.splitlines()[-_LINES:])
        return ""
