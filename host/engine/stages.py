"""Stages: the passes in which nodes hear the whole programme, before the one that makes the outputs.

A node with ``passes`` on its card hears its inputs as they will be; so what lies before it must be able to
process, and everything is rendered anew for each pass. Nodes that do not depend on each other share a pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..contract.errors import NodeError
from ..guard import what_failed
from .executor import Executor
from .plan import Plan, assign_slots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..contract.processor import Array
    from .drive import Drive, Source
    from .plan import Signal, Step

__all__ = ["hear", "hearers"]


def hearers(plan: Plan) -> list[list[tuple[Step, int]]]:
    """Return, for every stage in order, the steps that hear the programme, each with its pass's number."""
    ready: dict[Signal, int] = {}  # the first stage in which a signal is what it will be
    stages: dict[int, list[tuple[Step, int]]] = {}
    for step in plan.steps:
        first = max((ready.get(signal, 0) for signal in step.ins.values()), default=0)
        node = plan.graph.nodes.get(step.name)
        passes = node.card.passes_of(node.params) if node is not None else 0
        for number in range(passes):
            stages.setdefault(first + number, []).append((step, number))
        for signal in step.outs.values():
            ready[signal] = first + passes
    return [stages[k] for k in range(len(stages))]


@dataclass
class _Hearer:
    """A step that hears: gathers a block from each of its inputs and hands them over together."""

    plan: Plan
    step: Step
    number: int
    heard: int = 0
    waiting: dict[str, Array] = field(default_factory=dict)

    def begin(self) -> None:
        self._call("begin", self.number)

    def take(self, port: str, block: Array) -> None:
        whole = np.ascontiguousarray(block)
        whole = whole.view()
        whole.flags.writeable = False
        self.waiting[port] = whole
        if len(self.waiting) == len(self.step.ins):
            # In the order of the card, whichever came first.
            ins = {name: self.waiting[name] for name in self.step.ins}
            self._call("analyse", MappingProxyType(ins))
            self.heard += block.shape[1]
            self.waiting.clear()

    def finish(self) -> None:
        self._call("finish")

    def _call(self, method: str, *arguments: object) -> None:
        processor: Any = self.step.processor
        try:
            getattr(processor, method)(*arguments)
        except (Exception, SystemExit) as error:
            node = self.plan.graph.nodes[self.step.name]
            reason = what_failed(f"{method}()", error)
            raise NodeError(node.name, node.card.id, self.heard, reason, node.place) from error


@dataclass(frozen=True, slots=True)
class _Ear:
    """The sink of one input of a hearer."""

    hearer: _Hearer
    port: str

    def write(self, block: Array) -> None:
        self.hearer.take(self.port, block)


def _stage_plan(plan: Plan, listening: list[_Hearer]) -> tuple[Plan, dict[str, _Ear]]:
    """Return the part of a plan that leads to the inputs of these steps, and where those inputs go."""
    ears = {
        f"{hearer.step.name}.{port}": (signal, _Ear(hearer, port))
        for hearer in listening
        for port, signal in hearer.step.ins.items()
    }
    needed = {signal for signal, _ in ears.values()}
    steps = []
    for step in reversed(plan.steps):
        if needed & set(step.outs.values()):
            steps.append(step)
            needed |= set(step.ins.values())
    part = Plan(plan.graph, plan.settings, plan.automation, inputs=plan.inputs)
    part.outputs = {name: signal for name, (signal, _) in ears.items()}
    part.steps = steps[::-1]
    assign_slots(part)
    return part, {name: ear for name, (_, ear) in ears.items()}


def hear(drive: Drive, rewind: Callable[[], Mapping[str, Source]]) -> None:
    """Run every pass that must come before the last one; leave ``drive`` at its beginning.

    Args:
        drive: what will make the outputs. It is given the length that was found, and the sources to read
            anew.
        rewind: goes back to the beginning of the sources.

    Raises:
        Cancelled, NodeError, MediaError: as `Drive.run`; also when a node fails to hear.
    """
    plan, report = drive.executor.plan, drive.progress
    stages = hearers(plan)

    for stage, listening in enumerate(stages):
        ready = [_Hearer(plan, step, number) for step, number in listening]
        part, sinks = _stage_plan(plan, ready)
        executor = Executor(part)
        executor.reset()
        one = replace(
            drive,
            executor=executor,
            sinks=sinks,
            tails=False,
            progress=_share(report, stage, len(stages)),
            length=drive.length,
        )
        for hearer in ready:
            hearer.begin()
        one.run()
        for hearer in ready:
            hearer.finish()
        drive.length, drive.sources = one.length, rewind()
    if stages:
        drive.executor.reset()
        drive.progress = _share(report, len(stages), len(stages))


def _share(
    report: Callable[[int, int], None] | None, stage: int, stages: int
) -> Callable[[int, int], None] | None:
    """Return the progress of one pass out of ``stages`` and the last, each counted as long as the others."""
    if report is None:
        return None
    return lambda done, total: report(stage * total + done, (stages + 1) * total)
