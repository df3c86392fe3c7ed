"""The plan: a checked graph as prepared processors in order, with delays, residuals and buffers.

Parallel paths are lined up to the sample: where a node's inputs have different latencies, the early
ones pass a delay first. Steps are ordered so that compiled ones stand together, and buffers are handed
on as soon as their last reader is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..contract.audio import Layout, Spec
from ..contract.errors import NodeError, PluginError, one_line
from ..graph.check import Wire
from ..guard import check_methods, compiled_form, declared, findings, prepare
from ..isolation.policy import Isolation
from .automation import Automation
from .devices import require_device
from .island import RateIsland
from .steps import AlignDelay, Residual

if TYPE_CHECKING:
    from ..contract.compiled import Compiled
    from ..contract.processor import Processor
    from ..graph.check import CheckedGraph, CheckedNode
    from ..registry import Registry

__all__ = ["Plan", "Settings", "Signal", "Step", "assign_slots", "build_plan"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a graph is run: block size in samples, seed, deadline, length where known, who is isolated."""

    max_block: int = 8192
    seed: int = 0
    realtime: bool = False
    length: int | None = None
    isolate: Isolation = Isolation()  # noqa: RUF009 - frozen


@dataclass(eq=False, slots=True)
class Signal:
    """What flows on one edge.

    Attributes:
        wire: where in the graph it comes from.
        layout: its channels.
        latency: samples by which it lags behind programme time.
        tail: samples for which it may sound on after the programme's end.
        held: how many samples of its latency are a delay that lines it up with a later branch.
    """

    wire: Wire
    layout: Layout
    latency: int = 0
    tail: int = 0
    held: int = 0


@dataclass(eq=False, slots=True)
class Step:
    """One prepared processor and the signals it reads and writes, by port in the card's order."""

    name: str
    plugin: str
    processor: Processor
    ins: dict[str, Signal]
    outs: dict[str, Signal]
    latency: int = 0
    compiled: Compiled | None = None

    @property
    def latency_in(self) -> int:
        """Samples by which the step's input lags behind programme time."""
        return max((signal.latency for signal in self.ins.values()), default=0)


@dataclass(slots=True)
class Plan:
    """What the executor runs.

    ``built`` lists every node's processor for release; ``slot`` gives each signal's buffer, ``slots`` each
    shared buffer's size in channels.
    """

    graph: CheckedGraph
    settings: Settings
    automation: Automation
    inputs: dict[str, Signal] = field(default_factory=dict)
    outputs: dict[str, Signal] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    built: list[tuple[str, Processor]] = field(default_factory=list)
    slot: dict[Signal, int] = field(default_factory=dict)
    slots: list[int] = field(default_factory=list)

    @property
    def latency(self) -> int:
        """The latency of the latest output, in samples."""
        return max(signal.latency for signal in self.outputs.values())

    def findings(self, complaints: list[str]) -> dict[str, dict[str, float | str]]:
        """Return what the nodes found out, by node; those that found nothing are left out.

        What a node fails to tell is not worth a finished render: it is one line more in ``complaints``.
        """
        found = {}
        for step in self.steps:
            node = self.graph.nodes.get(step.name)
            try:
                found[step.name] = {} if node is None else findings(step.processor, node)
            except NodeError as error:
                complaints.append(str(error))
        return {name: each for name, each in found.items() if each}

    def release(self) -> list[str]:
        """Release every processor; return one line for each that raised."""
        complaints = []
        while self.built:
            title, processor = self.built.pop()
            try:
                processor.release()
            except Exception as error:  # noqa: BLE001 - the others must still be released
                complaints.append(f"{title} failed to release: {one_line(error)}")
        return complaints


class _Builder:
    def __init__(self, graph: CheckedGraph, registry: Registry, settings: Settings) -> None:
        self.registry, self.settings, self.graph = registry, settings, graph
        automation = Automation(graph.lanes, {name: node.params for name, node in graph.nodes.items()})
        self.plan = Plan(graph, settings, automation)
        self.signals: dict[Wire, Signal] = {}
        self.delays: dict[tuple[Signal, int], Signal] = {}

    def spec(self, ins: dict[str, Signal], outs: dict[str, Layout], device: str = "cpu") -> Spec:
        late = max((signal.latency for signal in ins.values()), default=0)
        return Spec(
            rate=self.graph.rate,
            max_block=self.settings.max_block,
            inputs={port: signal.layout for port, signal in ins.items()},
            outputs=outs,
            device=device,
            seed=self.settings.seed,
            realtime=self.settings.realtime,
            length=None if self.settings.length is None else self.settings.length + late,
        )

    def add(self, step: Step) -> None:
        step.compiled = compiled_form(step.processor, step.plugin)
        self.plan.steps.append(step)

    def delayed(self, signal: Signal, samples: int) -> Signal:
        """Return ``signal`` held back by ``samples``; the same delay is made only once."""
        if samples == 0:
            return signal
        if (signal, samples) not in self.delays:
            late = replace(signal, latency=signal.latency + samples, held=signal.held + samples)
            processor = AlignDelay(samples)
            processor.prepare(self.spec({"in": signal}, {"out": signal.layout}))
            self.add(Step(f"{signal.wire} delayed", "host:delay", processor, {"in": signal}, {"out": late}))
            self.delays[signal, samples] = late
        return self.delays[signal, samples]

    def aligned(self, signals: dict[str, Signal]) -> dict[str, Signal]:
        latest = max((signal.latency for signal in signals.values()), default=0)
        return {port: self.delayed(signal, latest - signal.latency) for port, signal in signals.items()}

    def node(self, node: CheckedNode) -> None:
        """Add a node: delays on its early inputs, its processor, and the residuals that are wanted."""
        sources = {port.name: self.signals[node.sources[port.name]] for port in node.ports.inputs}
        ins = self.aligned(sources)
        residuals = node.card.residuals_of(node.params)
        formed = {name: parts for name, parts in residuals.items() if name in node.wanted}
        asked = {*node.wanted, *(part for parts in formed.values() for part in parts)}
        names = [name for name in node.outputs if name not in residuals and name in asked]
        processor, latency, tail = self.prepared(node, ins, {name: node.outputs[name] for name in names})
        late = max((signal.latency for signal in ins.values()), default=0) + latency
        tail += max((signal.tail for signal in ins.values()), default=0)
        outs = {name: Signal(Wire(node.name, name), node.outputs[name], late, tail) for name in names}
        self.add(Step(node.name, node.card.id, processor, ins, outs, latency))
        self.plan.automation.align(node.name, late - latency)
        self.signals.update({signal.wire: signal for signal in outs.values()})
        for name, parts in formed.items():
            self.residual(node, name, ins, {part: outs[part] for part in parts}, latency)

    def residual(
        self,
        node: CheckedNode,
        name: str,
        ins: dict[str, Signal],
        outs: dict[str, Signal],
        latency: int,
    ) -> None:
        """Add the step that forms what a separator left over: the late input minus its other outputs."""
        whole = self.delayed(next(iter(ins.values())), latency)
        parts = {"in": whole, **{f"minus {port}": signal for port, signal in outs.items()}}
        tail = max(signal.tail for signal in parts.values())
        rest = Signal(Wire(node.name, name), node.outputs[name], whole.latency, tail)
        processor = Residual()
        processor.prepare(self.spec(parts, {"out": rest.layout}))
        self.add(Step(str(rest.wire), "host:residual", processor, parts, {"out": rest}))
        self.signals[rest.wire] = rest

    def prepared(
        self,
        node: CheckedNode,
        ins: dict[str, Signal],
        outs: dict[str, Layout],
    ) -> tuple[Processor, int, int]:
        """Return the node's processor, ready to run, with its latency and tail."""
        require_device(node.device, node.place)
        processor = self.constructed(node)
        if node.rate != self.graph.rate:
            processor = RateIsland(processor, node.rate)
        self.plan.built.append((f"node {node.name!r} ({node.card.id})", processor))
        prepare(processor, self.spec(ins, outs, node.device), node)
        try:
            return processor, declared(processor, "latency"), declared(processor, "tail")
        except PluginError as error:
            raise PluginError(f"{node.place}: node {node.name!r} ({node.card.id}): {error}") from None

    def constructed(self, node: CheckedNode) -> Processor:
        """Return the node's processor as its factory gives it, or one that will run it in its own process."""
        params, isolation = self.plan.automation.initial(node.name), self.settings.isolate
        if isolation.wanted(node, self.registry.packages):
            from ..isolation.processor import IsolatedProcessor

            return IsolatedProcessor(node.card, params, isolation)
        processor = self.registry.build(node.card, params)
        check_methods(processor, node.card)
        return processor


def _grouped(steps: list[Step]) -> list[Step]:
    """Reorder, sources before readers, so that compiled steps stand together in long runs."""
    waiting = list(steps)
    written: set[Signal] = {signal for step in steps for signal in step.outs.values()}
    order: list[Step] = []
    while waiting:
        ready = [step for step in waiting if not written & set(step.ins.values())]
        like_last = bool(order) and order[-1].compiled is not None
        same = (step for step in ready if (step.compiled is not None) == like_last)
        chosen = next(same, ready[0])
        order.append(chosen)
        waiting.remove(chosen)
        written.difference_update(chosen.outs.values())
    return order


def assign_slots(plan: Plan) -> None:
    """Give every signal a buffer, reusing one as soon as its last reader is done."""
    last: dict[Signal, int] = {}
    for at, step in enumerate(plan.steps):
        for signal in (*step.outs.values(), *step.ins.values()):
            last[signal] = at
    kept = set(plan.outputs.values())
    free: list[int] = []

    def take(signal: Signal) -> None:
        if free:
            free.sort(key=lambda slot: plan.slots[slot])
            fits = (slot for slot in free if plan.slots[slot] >= signal.layout.channels)
            slot = next(fits, free[-1])
            free.remove(slot)
            plan.slots[slot] = max(plan.slots[slot], signal.layout.channels)
        else:
            slot = len(plan.slots)
            plan.slots.append(signal.layout.channels)
        plan.slot[signal] = slot

    for signal in plan.inputs.values():
        take(signal)
    for at, step in enumerate(plan.steps):
        for signal in step.outs.values():
            take(signal)
        touched = dict.fromkeys((*step.ins.values(), *step.outs.values()))
        free += [plan.slot[signal] for signal in touched if last[signal] == at and signal not in kept]


def build_plan(graph: CheckedGraph, registry: Registry, settings: Settings) -> Plan:
    """Build and prepare every processor and lay out the run.

    Raises:
        PluginError: a plugin's code cannot be loaded, or declares nonsense.
        NodeError: a processor's ``prepare()`` failed.
    """
    builder = _Builder(graph, registry, settings)
    plan = builder.plan
    try:
        for name, layout in graph.inputs.items():
            plan.inputs[name] = builder.signals[Wire(name, "")] = Signal(Wire(name, ""), layout)
        for node in graph.nodes.values():
            builder.node(node)
        plan.outputs = {name: builder.signals[wire] for name, (wire, _) in graph.outputs.items()}
        plan.steps = _grouped(plan.steps)
        assign_slots(plan)
    except BaseException:
        plan.release()
        raise
    return plan
