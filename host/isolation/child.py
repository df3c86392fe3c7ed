"""The other side: what runs in the process of an isolated node. It begins and ends with the host's will."""

from __future__ import annotations

import io
import os
import pickle
import socket
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from ...kernels.program import CompiledCallError, Program
from ...kernels.threads import use_threads
from ..contract.card import PluginCard
from ..contract.errors import PluginError, UnbraidError, one_line
from ..guard import check_declared, check_methods, compiled_form, declared, process_first
from ..registry import Registry
from .exchange import Exchange
from .lifeline import die_with_host, leave_the_end_to_the_host
from .messages import (
    ANALYSE,
    DONE,
    LENGTH,
    REQUEST,
    RING,
    TURN,
    WHAT,
    Answer,
    Done,
    Found,
    Start,
    failed,
    pack_answer,
    receive,
    unpack_request,
)
from .spin import Spin

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..contract.compiled import Compiled
    from ..contract.params import Params

__all__ = ["main"]

_MOST_REQUEST = 1 << 30
_PROGRAMS = 64


def _loaded(params: bytes) -> Params:
    """Return the parameters that came.

    Raises:
        PluginError: their class cannot be imported here.
    """
    try:
        found: Params = pickle.loads(params)  # noqa: S301 - from the parent
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        raise PluginError(
            f"its parameters cannot be loaded in a process of its own ({one_line(error)}); "
            "define their class in a module that can be imported"
        ) from error
    return found


class _Node:
    """One processor, called as the executor would call it."""

    def __init__(self, start: Start, exchange: Exchange) -> None:
        self.start, self.exchange = start, exchange
        card = PluginCard(
            id=start.plugin,
            name=start.plugin,
            version="",
            licence="",
            factory=start.factory,
            passes=start.passes,
        )
        self.processor: Any = Registry().build(card, _loaded(start.params))
        check_methods(self.processor, card)
        self.latency = self.tail = 0
        self.compiled: Compiled | None = None
        self.programs: dict[int, Program] = {}
        self.fresh = True

    def prepare(self) -> Done:
        self.processor.prepare(self.start.spec)
        self.latency = declared(self.processor, "latency")
        self.tail = declared(self.processor, "tail")
        self.compiled = compiled_form(self.processor, self.start.plugin)
        return self.done()

    def done(self) -> Done:
        return Done(self.latency, self.tail)

    def process(self, n: int) -> None:
        if self.compiled is not None:
            self.run(self.compiled, n)
            return
        blocks = self.exchange.blocks(n)
        if self.fresh:
            process_first(self.processor, blocks.ins, blocks.outs)
            self.fresh = n == 0
        else:
            self.processor.process(blocks.ins, blocks.outs)
        if self.processor.latency != self.latency:
            check_declared(self.processor, self.latency, "process()")

    def analyse(self, n: int) -> None:
        self.processor.analyse(self.exchange.blocks(n).ins)

    def run(self, compiled: Compiled, n: int) -> None:
        """Call the compiled form at its address, as a run of such nodes does."""
        program = self.programs.get(n)
        if program is None:
            blocks = self.exchange.blocks(n)
            if len(self.programs) >= _PROGRAMS:
                self.programs.clear()
            program = Program([(compiled, [*blocks.ins.values()], [*blocks.outs.values()])])
            self.programs[n] = program
        try:
            program.run(n)
        except CompiledCallError as error:
            raise UnbraidError(f"its compiled function returned {error.code}") from None

    def set(self, params: bytes) -> Answer:
        self.processor.set(_loaded(params))
        check_declared(self.processor, self.latency, "set()")
        return self.done()

    def reset(self, _: object) -> Answer:
        self.processor.reset()
        self.fresh = True
        return self.done()

    def begin(self, number: int) -> Answer:
        self.processor.begin(number)
        return self.done()

    def finish(self, _: object) -> Answer:
        self.processor.finish()
        return self.done()

    def findings(self, _: object) -> Answer:
        ask = getattr(self.processor, "findings", None)
        found = {} if ask is None else ask()
        return Found({str(k): v if isinstance(v, str) else float(v) for k, v in found.items()})

    def release(self, _: object) -> Answer:
        self.processor.release()
        return self.done()


class _HostGoneError(BaseException):
    """There is nobody left to answer to."""


class _Server:
    """Does what the host rings for: works on a block in the shared memory, or answers a waiting request."""

    def __init__(self, control: int, go: int, bell: int, memory: int) -> None:
        self.control = socket.socket(fileno=control)
        self.go, self.bell, self.memory = go, bell, memory
        self.node: _Node | None = None
        self.call = ""

    def serve(self) -> None:
        """Serve until the processor is released."""
        os.read(self.go, 8)
        start: Start = self.message()[1]
        with ExitStack() as stack:
            if start.threads is not None:
                stack.enter_context(use_threads(start.threads))
            exchange = Exchange(self.memory, start.spec, writes="outs")
            words, turn = exchange.words, 1
            spin = Spin(words, TURN)
            self.answer(lambda: self.prepare(start, exchange))
            while self.call != "release":
                turn += 1
                if not spin.sees(turn):
                    os.read(self.go, 8)
                    while words[TURN] != turn:  # it rang for a turn that was seen
                        os.read(self.go, 8)
                if words[WHAT] == REQUEST:
                    self.answer(self.request)
                else:
                    self.block(words)

    def block(self, words: memoryview[int]) -> None:
        """Work on the block in the shared memory: ring when it is done, send a message when it failed."""
        assert self.node is not None  # noqa: S101 - the host prepares before it sends blocks
        n = words[LENGTH]
        try:
            if words[WHAT] == ANALYSE:
                self.node.analyse(n)
            else:
                self.node.process(n)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a stranger's code can raise anything
            self.control.sendall(pack_answer(failed(error)))
        else:
            words[DONE] = words[TURN]
            os.write(self.bell, RING)

    def prepare(self, start: Start, exchange: Exchange) -> Answer:
        self.node = _Node(start, exchange)
        return self.node.prepare()

    def request(self) -> Answer:
        """Do what the waiting request asks for."""
        self.call, argument = self.message()
        if self.node is None:  # it could not be built, and is released
            return Done()
        method: Callable[[Any], Answer] = getattr(self.node, self.call)
        return method(argument)

    def message(self) -> tuple[str, Any]:
        data = receive(self.control, _MOST_REQUEST)
        if data is None:
            raise _HostGoneError
        return unpack_request(data)

    def answer(self, method: Callable[[], Answer]) -> None:
        """Send what a method returns or raises."""
        try:
            answer = method()
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the same
            answer = failed(error)
        self.control.sendall(pack_answer(answer))


def main(files: list[int]) -> None:
    """Serve one processor.

    Args:
        files: descriptors: the socket of messages, the bells of the host and of the child, the shared memory,
            and a pipe whose other end the host holds.
    """
    control, go, bell, memory, line = files
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a plugin prints must not go when it crashes
        sys.stdout.reconfigure(line_buffering=True)
    for file in files:
        os.set_inheritable(file, False)  # noqa: FBT003 - the standard library's signature
    leave_the_end_to_the_host()
    die_with_host(line)
    with suppress(BrokenPipeError, ConnectionResetError, _HostGoneError):
        _Server(control, go, bell, memory).serve()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # The processor is released. To take the interpreter apart, or to wait for threads, serves nobody.
    os._exit(0)
