"""The executor: runs a plan block by block.

For each block length it binds the plan once (views of the shared buffers, pointer tables of compiled
runs) and keeps the binding, so that a steady stream allocates nothing here.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ...kernels.program import CompiledCallError, Program
from ..contract.errors import NodeError, UnbraidError, one_line
from ..guard import check_declared, process_first, what_failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.params import Params
    from ..contract.processor import Array, Processor
    from .plan import Plan, Signal, Step

__all__ = ["Executor"]

_BINDINGS = 64


@dataclass(slots=True)
class _Call:
    """One processor called from Python."""

    step: Step
    processor: Processor
    ins: Mapping[str, Array]
    outs: Mapping[str, Array]


@dataclass(slots=True)
class _Run:
    """Compiled steps called one after another without the interpreter."""

    steps: list[Step]
    program: Program


@dataclass(slots=True)
class _Binding:
    work: list[_Call | _Run]
    inputs: dict[str, Array]
    outputs: dict[str, Array]


class Executor:
    """Runs one plan from its beginning; owns its buffers. Close it to release the processors.

    Attributes:
        plan: what is run.
        position: samples processed so far.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.position = 0
        self._applied = 0
        self._failure: NodeError | None = None
        self._closed = False
        self._nodes = {step.name: step for step in plan.steps if step.name in plan.graph.nodes}
        self._slots = [np.zeros(max(1, size * plan.settings.max_block), np.float32) for size in plan.slots]
        self._bindings: OrderedDict[int, _Binding] = OrderedDict()

    def _view(self, signal: Signal, n: int) -> Array:
        channels = signal.layout.channels
        return self._slots[self.plan.slot[signal]][: channels * n].reshape(channels, n)

    def _read_only(self, signal: Signal, n: int) -> Array:
        view = self._view(signal, n)
        view.flags.writeable = False
        return view

    def _bind(self, n: int) -> _Binding:
        work: list[_Call | _Run] = []
        compiled: list[Step] = []
        for step in self.plan.steps:
            if step.compiled is not None:
                compiled.append(step)
                continue
            if compiled:
                work.append(self._bind_run(compiled, n))
                compiled = []
            ins = {port: self._read_only(signal, n) for port, signal in step.ins.items()}
            outs = {port: self._view(signal, n) for port, signal in step.outs.items()}
            # Behind proxies: an author who writes outs["out"] = y instead of outs["out"][:] = y hears of it.
            work.append(_Call(step, step.processor, MappingProxyType(ins), MappingProxyType(outs)))
        if compiled:
            work.append(self._bind_run(compiled, n))
        return _Binding(
            work,
            {name: self._view(signal, n) for name, signal in self.plan.inputs.items()},
            {name: self._read_only(signal, n) for name, signal in self.plan.outputs.items()},
        )

    def _bind_run(self, steps: list[Step], n: int) -> _Run:
        calls = []
        for step in steps:
            assert step.compiled is not None  # noqa: S101 - the caller sorted them
            sources = [self._view(signal, n) for signal in step.ins.values()]
            sinks = [self._view(signal, n) for signal in step.outs.values()]
            calls.append((step.compiled, sources, sinks))
        return _Run(list(steps), Program(calls))

    def binding(self, n: int) -> _Binding:
        """Return the binding for blocks of ``n`` samples, newest 64 kept."""
        found = self._bindings.get(n)
        if found is None:
            found = self._bindings[n] = self._bind(n)
            if len(self._bindings) > _BINDINGS:
                self._bindings.popitem(last=False)
        else:
            self._bindings.move_to_end(n)
        return found

    def inputs(self, n: int) -> dict[str, Array]:
        """Return the writable input blocks, ``[channels, n]``, to fill before `process`."""
        return self.binding(n).inputs

    def outputs(self, n: int) -> dict[str, Array]:
        """Return the output blocks after `process`; valid until the next call."""
        return self.binding(n).outputs

    def room(self, wanted: int) -> int:
        """Return how many samples, at most ``wanted``, can be processed before parameters change."""
        change = self.plan.automation.next_change(self.position)
        limit = min(wanted, self.plan.settings.max_block)
        return limit if change is None else min(limit, change - self.position)

    def process(self, n: int) -> None:
        """Run one block of ``n <= room(n)`` samples from `inputs` to `outputs`.

        Raises:
            NodeError: a processor raised, or a compiled one returned non-zero.
            UnbraidError: the executor is closed, or failed before and was not reset.
        """
        if self._closed:
            raise UnbraidError("this stream is closed; open another")
        if self._failure is not None:
            raise UnbraidError(f"this stream has failed ({self._failure}); reset it or open another")
        try:
            if self.position != self._applied:
                self._automate()
            for item in self.binding(n).work:
                if isinstance(item, _Call):
                    self._call(item)
                else:
                    self._run(item, n)
        except NodeError as error:
            self._failure = error
            raise
        self.position += n

    def _call(self, item: _Call) -> None:
        step, processor = item.step, item.processor
        try:
            if self.position:
                processor.process(item.ins, item.outs)
            else:
                process_first(processor, item.ins, item.outs)
            if processor.latency != step.latency:
                check_declared(processor, step.latency, "process()")
        except (Exception, SystemExit) as error:
            raise self._failed(step, one_line(error)) from error

    def _run(self, item: _Run, n: int) -> None:
        try:
            item.program.run(n)
        except CompiledCallError as error:
            reason = f"its compiled function returned {error.code}"
            raise self._failed(item.steps[error.row], reason) from None

    def _automate(self) -> None:
        for name, params in self.plan.automation.due(self._applied, self.position).items():
            if name in self._nodes:  # a stage runs some of them
                self._set(self._nodes[name], params)
        self._applied = self.position

    def _set(self, step: Step, params: Params) -> None:
        try:
            step.processor.set(params)
            check_declared(step.processor, step.latency, "set()")
        except (Exception, SystemExit) as error:
            raise self._failed(step, f"set() failed: {one_line(error)}") from error

    def _failed(self, step: Step, reason: str) -> NodeError:
        node = self.plan.graph.nodes.get(step.name)
        sample = max(0, self.position - step.latency_in)
        return NodeError(step.name, step.plugin, sample, reason, node.place if node else None)

    def reset(self) -> None:
        """Go back to the beginning: every processor as freshly prepared, parameters as at the start.

        Raises:
            NodeError: a processor's ``set()`` or ``reset()`` raised.
            UnbraidError: the executor is closed.
        """
        if self._closed:
            raise UnbraidError("this stream is closed; open another")
        self.position = self._applied = 0
        for step in self.plan.steps:
            if step.name in self._nodes:
                self._set(step, self.plan.automation.initial(step.name))
            try:
                step.processor.reset()
            except (Exception, SystemExit) as error:
                raise self._failed(step, what_failed("reset()", error)) from error
        self._failure = None

    def close(self) -> list[str]:
        """Release every processor, once; return one line for each that raised."""
        self._closed = True
        self._bindings.clear()
        return self.plan.release()
