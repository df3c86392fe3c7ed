"""The host's end of a child process: starts it, talks to it, waits for it, ends it, and says how it ended."""

from __future__ import annotations

import os
import select
import socket
import time
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec

from ..contract.errors import PluginError, UnbraidError
from .limits import held, most_memory
from .messages import (
    DONE,
    LENGTH,
    REQUEST,
    RING,
    TURN,
    WHAT,
    Answer,
    Failed,
    pack_request,
    receive,
    unpack_answer,
)
from .spawn import end_group, exit_of, how_it_ended, spawn
from .spin import Spin

if TYPE_CHECKING:
    import subprocess

    from .policy import Isolation

__all__ = ["ProcessEndedError", "RaisedElsewhereError", "Worker"]

_GLANCE = 10  # ms between two looks at a child that is waited for
_LOOK = 0.1  # seconds between two looks at its memory
_PATIENCE = 5.0  # seconds for a child to end by itself once it was asked to


class ProcessEndedError(UnbraidError):
    """An isolated node's process ended, or had to be ended; the text says how."""


class RaisedElsewhereError(Exception):
    """What a plugin raised in its own process; its subclasses carry the names of the types there."""


class Worker:
    """One child process.

    Args:
        memory: descriptor of the memory shared with it.
        words: the first shared words.
        limits: how long and how much.

    Raises:
        ProcessEndedError: the process cannot be started.
    """

    def __init__(self, memory: int, words: memoryview[int], limits: Isolation) -> None:
        self._words, self._seconds = words, limits.seconds
        self._turn, self._spin = 0, Spin(words, DONE)
        self._memory = limits.memory or most_memory()
        self._looked = 0.0
        with ExitStack() as stack:
            try:
                self._start(memory, stack)
            except OSError as error:
                why = error.strerror or error
                raise ProcessEndedError(f"its process cannot be started: {why}") from error
            self._end = weakref.finalize(self, _end, self._process, stack.pop_all(), os.getpid())

    def _start(self, memory: int, stack: ExitStack) -> None:
        self._control, theirs = socket.socketpair()
        stack.callback(self._control.close)
        self._go, self._bell = os.eventfd(0), os.eventfd(0)
        stack.callback(os.close, self._go)
        stack.callback(os.close, self._bell)
        line, hold = os.pipe()
        stack.callback(os.close, hold)
        with theirs:
            try:
                files = [theirs.fileno(), self._go, self._bell, memory, line]
                self._process = spawn(f"{__package__}.child", files)
            finally:
                os.close(line)
        self._control.settimeout(self._seconds)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._poll.register(self._control.fileno(), select.POLLIN)

    @property
    def alive(self) -> bool:
        """Whether the process has not been ended."""
        return self._end.alive

    def ask(self, call: str, argument: Any = None, *, patience: float = 1.0) -> Answer:
        """Call a method there and return the answer; it may take ``patience`` times the limit.

        Raises:
            ProcessEndedError: the process ended, or was ended because it took too long or too much.
            UnbraidError, RaisedElsewhereError: the method raised.
        """
        try:
            self._begin(REQUEST)
            self._send(pack_request(call, argument))
            self._wait(self._seconds * patience, f"{call}()")
            answer = self._answer()
        except BaseException:  # whatever it was, the two are out of step
            self.end()
            raise
        return _checked(answer)

    def block(self, what: int, n: int) -> None:
        """Let it work on the block in the shared memory.

        Raises:
            ProcessEndedError, UnbraidError, RaisedElsewhereError: as in `ask`.
        """
        try:
            self._words[LENGTH] = n
            self._begin(what)
            os.write(self._go, RING)
            if self._spin.sees(self._turn) or self._wait(self._seconds, "a block"):
                return
            answer = self._answer()
        except BaseException:
            self.end()
            raise
        _checked(answer)

    def release(self) -> None:
        """Let the processor release what it holds, and the process end by itself where it can.

        Raises:
            ProcessEndedError, UnbraidError, RaisedElsewhereError: as in `ask`.
        """
        try:
            self.ask("release")
        finally:
            if self.alive:
                self._ended(_PATIENCE)
                self.end()

    def end(self) -> None:
        """End the process and all it started, and give back what belongs to it; again does nothing."""
        self._end()

    def _begin(self, what: int) -> None:
        self._turn += 1
        self._words[WHAT] = what
        self._words[TURN] = self._turn

    def _send(self, data: bytes) -> None:
        try:
            os.write(self._go, RING)
            self._control.sendall(data, socket.MSG_NOSIGNAL)
        except TimeoutError:
            raise self._hung(self._seconds, "a message") from None
        except OSError:
            raise self._gone() from None

    def _wait(self, seconds: float, what: str) -> bool:
        """Wait; return whether the block is done, else there is a message, or nobody to send one."""
        began = time.monotonic()
        self._look()
        while True:
            for file, _ in self._poll.poll(_GLANCE):
                if file != self._bell:
                    return self._words[DONE] == self._turn
                os.read(file, 8)  # it may have rung for blocks that were seen to be done
                if self._words[DONE] == self._turn:
                    return True
                break
            else:
                self._look()
                if self._ended(0):  # what it started may hold its end of the socket open
                    raise self._gone()
                if time.monotonic() - began > seconds:
                    raise self._hung(seconds, what)

    def _answer(self) -> Answer:
        try:
            data = receive(self._control)
            if data is not None:
                return unpack_answer(data)
        except TimeoutError:
            raise self._hung(self._seconds, "an answer") from None
        except (ValueError, msgspec.DecodeError):
            raise ProcessEndedError("its process sent something that is no answer, and was ended") from None
        except OSError:  # reset: it ended with a request unread
            pass
        raise self._gone()

    def _look(self) -> None:
        """Raise when the child holds too much memory, now and then."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        if held(self._process.pid, self._memory) > self._memory:
            most = self._memory / (1 << 20)
            raise ProcessEndedError(
                f"its process held more than {most:.0f} MiB of memory and was ended; "
                "where it needs more, raise --isolate-memory"
            )

    def _hung(self, seconds: float, what: str) -> ProcessEndedError:
        return ProcessEndedError(
            f"it took longer than {seconds:g} s for {what}, and its process was ended; "
            "where it needs more, raise --isolate-seconds"
        )

    def _ended(self, seconds: float) -> bool:
        """Return whether the process has ended, at the latest after this time; it is not reaped."""
        deadline = time.monotonic() + seconds
        while exit_of(self._process) is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.001)
        return True

    def _gone(self) -> ProcessEndedError:
        """Return how the process ended."""
        if not self._ended(1.0):
            return ProcessEndedError("it closed its connection to the host, and its process was ended")
        return ProcessEndedError(how_it_ended(exit_of(self._process)))


def _checked(answer: Answer) -> Answer:
    """Return an answer; raise what was raised in the child, such that `one_line` says the same as there."""
    if not isinstance(answer, Failed):
        return answer
    error: Exception
    if answer.ours:
        error = (PluginError if answer.kind == "PluginError" else UnbraidError)(answer.text)
    else:
        kind = answer.kind if answer.kind.isidentifier() else "Exception"
        error = type(kind, (RaisedElsewhereError,), {})(answer.text)
    error.add_note(f"In the node's own process:\n{answer.trace}")
    raise error


def _end(process: subprocess.Popen[bytes], files: ExitStack, owner: int) -> None:
    if os.getpid() != owner:  # a fork of the host has a copy of this, not a child
        return
    with files:
        end_group(process)
