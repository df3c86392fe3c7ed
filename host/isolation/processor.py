"""`IsolatedProcessor`: a processor whose code runs in a process of its own."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

from ..contract.errors import PluginError, one_line
from .messages import ANALYSE, PROCESS, Done, Found, Start
from .policy import Isolation
from .worker import ProcessEndedError, Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.audio import Spec
    from ..contract.card import PluginCard
    from ..contract.compiled import Compiled
    from ..contract.params import Params
    from ..contract.processor import Array
    from .exchange import Exchange

__all__ = ["IsolatedProcessor"]

_LONG = 10  # times the limit of a block, for calls that load or learn


class IsolatedProcessor:
    """Runs a plugin's processor in a child process, block by block, with the same bits and the same latency.

    The plugin's code is imported only there, at `prepare`. Blocks travel through shared memory. What the
    plugin raises is raised here with the same text. When its process crashes, ends, hangs or takes too much
    memory, `ProcessEndedError` tells how; then `reset` starts a new one, unless the plugin had learnt
    something from a pass over the programme, which is lost: the graph must be opened anew.

    What a plugin prints goes to standard error. This contains accidents, not malice: the child may do
    whatever the host may. In a live graph every block waits for two processes to be scheduled: expect 20 to
    150 us, and more on a busy machine.

    Args:
        card: of the plugin.
        params: to start with; their class must be importable in the child.
        limits: how long a block may take, and how much memory the process.

    Example:
        >>> from unbraid.host.contract import Layout, Spec
        >>> from unbraid.host.registry import Registry
        >>> import numpy as np
        >>> card, mono = Registry.discover().card("gain"), Layout.parse("mono")
        >>> node = IsolatedProcessor(card, card.params(gain=-6.0206))
        >>> node.prepare(Spec(48000, 4, {"in": mono}, {"out": mono}))
        >>> x, y = np.ones((1, 4), np.float32), np.empty((1, 4), np.float32)
        >>> node.process({"in": x}, {"out": y})
        >>> node.release()
        >>> y.round(3).tolist()
        [[0.5, 0.5, 0.5, 0.5]]
    """

    def __init__(self, card: PluginCard, params: Params, limits: Isolation | None = None) -> None:
        self._card, self._params = card, params
        self._limits = limits or Isolation()
        self.latency = self.tail = 0
        self._spec: Spec | None = None
        self._worker: Worker | None = None
        self._exchange: Exchange | None = None
        self._learnt = False

    def prepare(self, spec: Spec) -> None:
        """Start the process, and build and prepare the processor there.

        Raises:
            PluginError: the plugin cannot be built there, or its parameters cannot be sent.
            ProcessEndedError: the process ended.
        """
        self._let_go()
        self._spec, self._learnt = spec, False
        self._open(spec)

    def _open(self, spec: Spec) -> None:
        from ...kernels.errors import KernelError
        from ...kernels.threads import thread_count
        from .exchange import Exchange, open_memory, size_of

        try:
            threads = thread_count()
        except KernelError:  # the environment is at fault, and says so to the plugin
            threads = None
        card = self._card
        start = Start(card.id, card.factory, int(card.hears), self._packed(), spec, threads)
        memory = open_memory(size_of(spec))
        try:
            self._exchange = Exchange(memory, spec, writes="ins")
            self._worker = Worker(memory, self._exchange.words, self._limits)
        finally:
            os.close(memory)
        answer = self._worker.ask("prepare", start, patience=_LONG)
        if not isinstance(answer, Done):
            raise ProcessEndedError("its process sent something that is no answer to prepare()")
        self.latency, self.tail = answer.latency, answer.tail

    def _packed(self) -> bytes:
        kind = type(self._params)
        if kind.__module__ == "__main__":
            raise PluginError(
                f"its parameters' class {kind.__qualname__} is defined in the program itself, which "
                "a process of its own cannot import; move it to a module"
            )
        try:
            return pickle.dumps(self._params, pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            raise PluginError(
                f"its parameters cannot be sent to a process of its own ({one_line(error)}); "
                "define their class at the top of a module"
            ) from error

    def _running(self) -> tuple[Worker, Exchange]:
        if self._worker is None or self._exchange is None or not self._worker.alive:
            raise ProcessEndedError("its process has ended; reset or open anew")
        return self._worker, self._exchange

    def set(self, params: Params) -> None:
        """Send new parameters."""
        self._params = params
        if self._worker is not None and self._worker.alive:  # else they are for the next process
            self._worker.ask("set", self._packed())

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Copy the block over, let the child work on it, and copy what it made."""
        worker, exchange = self._running()
        n = next(iter(outs.values())).shape[1]
        blocks = exchange.blocks(n)
        for port, there in blocks.ins.items():
            there[:] = ins[port]
        worker.block(PROCESS, n)
        for port, there in blocks.outs.items():
            outs[port][:] = there

    def begin(self, number: int) -> None:
        """Begin a pass over the programme there."""
        self._learnt = True
        self._running()[0].ask("begin", number, patience=_LONG)

    def analyse(self, ins: Mapping[str, Array]) -> None:
        """Let the child hear the next samples."""
        worker, exchange = self._running()
        n = next(iter(ins.values())).shape[1]
        for port, there in exchange.blocks(n).ins.items():
            there[:] = ins[port]
        worker.block(ANALYSE, n)

    def finish(self) -> None:
        """End the pass there."""
        self._running()[0].ask("finish", patience=_LONG)

    def findings(self) -> Mapping[str, float | str]:
        """Return what the child found out."""
        answer = self._running()[0].ask("findings")
        return answer.findings if isinstance(answer, Found) else {}

    def reset(self) -> None:
        """Forget the signal; where the process has ended, start another.

        Raises:
            ProcessEndedError: what the plugin learnt of the programme went with its process.
            PluginError: in the new process it declares another latency.
        """
        if self._worker is not None and self._worker.alive:
            self._worker.ask("reset", patience=_LONG)
            return
        if self._learnt or self._spec is None:
            raise ProcessEndedError("its process ended with what it had learnt; open the graph anew")
        self._let_go()
        try:
            self._open_again(self._spec)
        except BaseException:  # the next reset starts another
            self._let_go()
            raise

    def _open_again(self, spec: Spec) -> None:
        before = self.latency
        self._open(spec)
        found, self.latency = self.latency, before
        if found != before:
            raise PluginError(f"in a new process its latency is {found}, not {before} as before")

    def release(self) -> None:
        """Let the processor release what it has, and end its process."""
        worker = self._worker
        try:
            if worker is not None and worker.alive:
                worker.release()
        finally:
            self._let_go()
            self._spec = None

    def _let_go(self) -> None:
        worker, exchange, self._worker, self._exchange = self._worker, self._exchange, None, None
        if worker is not None:
            worker.end()
        if exchange is not None:
            exchange.close()

    def compiled(self) -> Compiled | None:
        """Return None: an address there means nothing here."""
        return None
