"""Complete validation of a document against the plugins' cards: nothing is built, no sample is read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..contract.errors import (
    GraphError,
    LayoutRefusedError,
    PluginError,
    Problem,
    UnbraidError,
    nearest,
)
from ..contract.params import Params, ParamsError, convert, convert_one, describe, replaced
from .curve import Curve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..contract.audio import Layout
    from ..contract.card import PluginCard
    from ..contract.errors import Place
    from ..contract.ports import Ports
    from ..registry import Registry
    from .document import Document, Lane, NodeEntry, Source
    from .yaml_reader import Path

__all__ = ["CheckedGraph", "CheckedLane", "CheckedNode", "Wire", "check"]


MIN_RATE, MAX_RATE = 1_000, 1_536_000


@dataclass(frozen=True, slots=True)
class Wire:
    """A resolved source: a graph input (``port`` is "") or an output port of a node."""

    node: str
    port: str

    def __str__(self) -> str:
        return f"{self.node}.{self.port}" if self.port else self.node


@dataclass(frozen=True, slots=True)
class CheckedNode:
    """A node whose every part is known to fit."""

    name: str
    card: PluginCard
    params: Params
    ports: Ports
    sources: dict[str, Wire]
    inputs: dict[str, Layout]
    outputs: dict[str, Layout]
    wanted: tuple[str, ...]
    rate: int
    device: str
    place: Place = field(compare=False)
    isolate: bool | None = None


@dataclass(frozen=True, slots=True)
class CheckedLane:
    """Automation of one parameter: checked values at samples of programme time."""

    node: str
    param: str
    points: tuple[tuple[int, Any], ...]
    linear: bool


@dataclass(frozen=True, slots=True)
class CheckedGraph:
    """A valid graph: nodes in an order in which each comes after its sources."""

    source: str
    rate: int
    inputs: dict[str, Layout]
    nodes: dict[str, CheckedNode]
    outputs: dict[str, tuple[Wire, str | None]]
    lanes: tuple[CheckedLane, ...]

    def layout(self, wire: Wire) -> Layout:
        """Return the layout of a source."""
        return self.nodes[wire.node].outputs[wire.port] if wire.port else self.inputs[wire.node]


class _Checker:
    def __init__(self, document: Document, registry: Registry, rate: int) -> None:
        self.document, self.registry, self.rate = document, registry, rate
        self.problems: list[Problem] = []
        self.cards: dict[str, PluginCard] = {}
        self.params: dict[str, Params] = {}
        self.ports: dict[str, Ports] = {}
        self.rates: dict[str, int] = {}
        self.wires: dict[str, dict[str, Wire]] = {}
        self.layouts: dict[Wire, Layout] = {}

    def problem(self, path: Path, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(self.document.parsed.place(path), message, remedy))

    def raise_if_any(self) -> None:
        if self.problems:
            raise GraphError(self.problems)

    # Pass 1: each node by itself.

    def node_alone(self, node: NodeEntry) -> None:
        """Find a node's card, convert its parameters, ask for its ports."""
        path = ("nodes", node.name)
        try:
            card = self.registry.card(node.use)
        except PluginError as error:
            self.problem((*path, "use"), str(error))
            return
        try:
            params = convert(card.params, node.params)
            ports, rate = card.ports_of(params), self.rate_of(card, params)
            card.residuals_of(params)
            devices = card.devices_of(params)
        except ParamsError as error:
            self.params_faults(node.name, error)
            return
        except UnbraidError as error:
            self.problem((*path, "use"), str(error))
            return
        if node.device not in devices:
            so = " with these parameters" if node.device in card.devices else ""
            self.problem(
                (*path, "device"),
                f"plugin {card.id!r} does not run on {node.device!r}{so}",
                f"it runs on {' or '.join(devices)}",
            )
        self.cards[node.name], self.params[node.name], self.ports[node.name] = card, params, ports
        self.rates[node.name] = rate

    def params_faults(self, node: str, error: ParamsError) -> None:
        """Note what is wrong with a node's parameters, each at its own place."""
        for name, fault in error.faults.items():
            self.problem(("nodes", node, "params", *([name] if name else [])), f"node {node!r}: {fault}")

    # Pass 2: wires.

    def resolve(self, source: Source) -> Wire | None:
        """Return the wire a source names, or None after noting why there is none."""
        if source.node in self.document.inputs:
            if source.port is not None:
                message = f"the input {source.node!r} has no outputs to choose from"
                self.problem(source.path, message, f"write {source.node}")
            return Wire(source.node, "")
        if source.node not in self.document.nodes:
            known = [*self.document.inputs, *self.document.nodes]
            self.problem(
                source.path, f"no node or input is named {source.node!r}", nearest(source.node, known)
            )
        elif source.node in self.ports:  # else that node has a problem of its own
            return self.resolve_port(source)
        return None

    def resolve_port(self, source: Source) -> Wire | None:
        """Return the wire of a node's named or only output, or None after noting why there is none."""
        names = [port.name for port in self.ports[source.node].outputs]
        if source.port in names:
            return Wire(source.node, source.port)
        if source.port is not None:
            message = f"{source.node!r} ({self.cards[source.node].id}) has no output {source.port!r}"
            self.problem(source.path, message, nearest(source.port, names))
        elif len(names) == 1:
            return Wire(source.node, names[0])
        else:
            remedy = f"write one of {', '.join(f'{source.node}.{name}' for name in names)}"
            self.problem(source.path, f"{source.node!r} has {len(names)} outputs", remedy)
        return None

    def node_wires(self, node: NodeEntry) -> None:
        """Resolve what feeds each input of a node, given by position or by name."""
        if node.name not in self.ports:
            return
        path = ("nodes", node.name, "from")
        names = [port.name for port in self.ports[node.name].inputs]
        if isinstance(node.sources, dict):
            given = node.sources
            for name in given:
                if name not in names:
                    self.problem((*path, name), f"{node.name!r} has no input {name!r}", nearest(name, names))
        else:
            given = dict(zip(names, node.sources, strict=False))
            if len(node.sources) > len(names):
                title = f"{node.name!r} ({self.cards[node.name].id})"
                message = f"{title} has {len(names)} inputs, {len(node.sources)} given"
                self.problem(path, message, f"inputs: {', '.join(names) or 'none'}")
        missing = [name for name in names if name not in given]
        if missing:
            message = (
                f"{node.name!r} ({self.cards[node.name].id}): nothing feeds its input {', '.join(missing)}"
            )
            self.problem(path, message, "write from: NODE.OUTPUT")
        wires = {name: self.resolve(given[name]) for name in names if name in given}
        self.wires[node.name] = {name: wire for name, wire in wires.items() if wire is not None}

    # Pass 3: order.

    def order(self) -> Iterable[str]:
        waiting = {
            name: {wire.node for wire in wires.values() if wire.port} for name, wires in self.wires.items()
        }
        order = _sort(waiting, [name for name, needs in waiting.items() if not needs])
        stuck = {name: needs for name, needs in waiting.items() if needs}
        while stuck:
            cycle = _cycle(stuck)
            self.problem(("nodes", cycle[0]), f"cycle: {' -> '.join(cycle)}", "a signal cannot feed itself")
            free = _sort(stuck, cycle)
            stuck = {name: needs for name, needs in stuck.items() if name not in free}
        return order

    def unused(self, wanted: Mapping[str, Wire]) -> None:
        """Report nodes and inputs from which no output can be reached."""
        used: set[str] = set()
        walk = [wire.node for wire in wanted.values()]
        while walk:
            name = walk.pop()
            if name not in used:
                used.add(name)
                walk.extend(wire.node for wire in self.wires.get(name, {}).values())
        for name in self.document.nodes:
            if name not in used:
                self.problem(("nodes", name), f"node {name!r} reaches no output", "connect it or delete it")
        for name in self.document.inputs:
            if name not in used:
                message = f"nothing that reaches an output reads the input {name!r}"
                self.problem(("inputs", name), message, "connect it or delete it")

    # Pass 4: layouts and rates, in order.

    def node_layouts(self, name: str) -> dict[str, Layout] | None:
        """Return the layouts of a node's inputs and note those of its outputs."""
        card, path = self.cards[name], ("nodes", name)
        inputs = {port: self.layouts[wire] for port, wire in self.wires[name].items() if wire in self.layouts}
        if len(inputs) < len(self.ports[name].inputs):
            return None  # it lacks a source, or its source has a problem of its own
        try:
            outputs = card.layouts_of(self.params[name], inputs)
        except LayoutRefusedError as error:
            remedy = "`split` takes a layout apart, `join` puts one together"
            self.problem(path, f"node {name!r} ({card.id}): {error}", remedy)
            return None
        except ParamsError as error:
            self.params_faults(name, error)
            return None
        except UnbraidError as error:
            self.problem(path, f"node {name!r} ({card.id}): {error}", "this is a fault of the plugin")
            return None
        main = next(iter(inputs.values()), None)
        if card.residuals_of(self.params[name]) and any(layout != main for layout in outputs.values()):
            self.problem(path, f"plugin {card.id!r} forms a residual but changes the layout")
            return None
        for port, layout in outputs.items():
            self.layouts[Wire(name, port)] = layout
        return inputs

    def rate_of(self, card: PluginCard, params: Params) -> int:
        """Choose the rate a plugin runs at: the graph's, else the next higher, else its highest."""
        rates = card.rates_of(params)
        if not rates or self.rate in rates:
            return self.rate
        return min((rate for rate in rates if rate > self.rate), default=max(rates))

    def lane(self, lane: Lane) -> CheckedLane | None:
        """Check that a lane's parameter exists and can be automated as asked."""
        node, path = lane.node, lane.path
        if node not in self.document.nodes:
            self.problem(path, f"no node is named {node!r}", nearest(node, self.document.nodes))
            return None
        if node not in self.params:
            return None
        infos = {info.name: info for info in describe(self.cards[node].params)}
        if lane.param not in infos:
            self.problem(path, f"node {node!r} has no parameter {lane.param!r}", nearest(lane.param, infos))
            return None
        info = infos[lane.param]
        if not info.automatable:
            why = "it is fixed while audio runs" if info.fixed else f"its kind is {info.kind}"
            self.problem(path, f"{lane.param!r} cannot be automated: {why}")
            return None
        if lane.curve == "linear" and info.kind != "number":
            message = f"the curve of {lane.param!r} cannot be linear: its kind is {info.kind}"
            self.problem((*path, "curve"), message, "use curve: step")
            return None
        return CheckedLane(node, lane.param, self.lane_points(lane), lane.curve == "linear")

    def lane_points(self, lane: Lane) -> tuple[tuple[int, Any], ...]:
        node, path = lane.node, lane.points_path
        points: list[tuple[int, Any]] = []
        for i, (moment, value) in enumerate(lane.points):
            sample = moment.sample(self.rate)
            if points and sample <= points[-1][0]:
                self.problem((*path, i), "points must come in order of time, each at a sample of its own")
            try:
                points.append((sample, convert_one(self.cards[node].params, lane.param, value)))
            except ParamsError as error:
                self.problem((*path, i), f"node {node!r}: {error}")
        return tuple(points)

    def lanes_together(self, lanes: Iterable[CheckedLane]) -> None:
        """Check every combination of values that the lanes of one node ever reach."""
        by_node: dict[str, list[Curve]] = {}
        for lane in lanes:
            own = getattr(self.params[lane.node], lane.param)
            curve = Curve(lane.param, lane.points, linear=lane.linear, default=own)
            by_node.setdefault(lane.node, []).append(curve)
        for node, curves in by_node.items():
            for sample in sorted({0, *(sample for curve in curves for sample in curve.changes())}):
                try:
                    replaced(self.params[node], {curve.param: curve.value(sample) for curve in curves})
                except ParamsError as error:
                    path = ("automation", f"{node}.{curves[0].param}")
                    self.problem(path, f"node {node!r} at sample {sample}: {error}")


def _sort(waiting: Mapping[str, set[str]], free: Iterable[str]) -> dict[str, None]:
    """Return what can go once ``free`` have gone, in order, and take it off what the others wait for."""
    readers: dict[str, list[str]] = {}
    for name, needs in waiting.items():
        for need in needs:
            readers.setdefault(need, []).append(name)
    order = dict.fromkeys(free)
    queue = deque(order)
    while queue:
        name = queue.popleft()
        for reader in readers.get(name, ()):
            waiting[reader].discard(name)
            if not waiting[reader] and reader not in order:
                order[reader] = None
                queue.append(reader)
    return order


def _cycle(stuck: Mapping[str, set[str]]) -> list[str]:
    """Return one cycle, downstream, first node repeated at the end."""
    trail = [next(name for name in stuck)]
    while True:
        before = next(need for need in sorted(stuck[trail[-1]]) if need in stuck)
        if before in trail:
            return [before, *reversed(trail[trail.index(before) :])]
        trail.append(before)


def check(document: Document, registry: Registry, rate: int, layouts: Mapping[str, Layout]) -> CheckedGraph:
    """Validate everything that can be known before a sample is read.

    Args:
        document: the parsed graph.
        registry: where plugins' cards are found.
        rate: the sample rate of the inputs in Hz.
        layouts: the layout of each input as its file has it; where the document declares one with
            the same number of channels, the document's names hold.

    Raises:
        GraphError: with every problem found, in order of lines.
    """
    checker = _Checker(document, registry, rate)
    if not MIN_RATE <= rate <= MAX_RATE:
        remedy = f"rates from {MIN_RATE} to {MAX_RATE} Hz can be processed"
        checker.problem((), f"the inputs' rate is {rate} Hz", remedy)
        checker.raise_if_any()
    for name, declared in document.inputs.items():
        actual = layouts.get(name, declared)
        if actual is None:
            message = f"the input {name!r} is not given and declares no layout"
            checker.problem(("inputs", name), message, f"give it a file, or write {name}: stereo")
        elif declared is not None and declared.channels != actual.channels:
            given = f"{actual} ({actual.channels} channels)"
            message = f"the input {name!r} is declared {declared}, but {given} is given"
            checker.problem(("inputs", name), message, "give another file or change the declaration")
        else:
            checker.layouts[Wire(name, "")] = declared or actual
    for name in layouts:
        if name not in document.inputs:
            remedy = nearest(name, document.inputs)
            checker.problem(("inputs",), f"the graph has no input {name!r}", remedy)
    for node in document.nodes.values():
        checker.node_alone(node)
    before = len(checker.problems)
    for node in document.nodes.values():
        checker.node_wires(node)
    found = {name: checker.resolve(output.source) for name, output in document.outputs.items()}
    wanted = {name: wire for name, wire in found.items() if wire is not None}
    if len(checker.ports) == len(document.nodes) and len(checker.problems) == before:
        checker.unused(wanted)  # else a name misspelt would make another node look unused
    order = checker.order()
    inputs = {name: checker.node_layouts(name) for name in order}
    lanes = [checker.lane(lane) for lane in document.lanes]
    checker.raise_if_any()
    checker.lanes_together(lane for lane in lanes if lane is not None)
    checker.raise_if_any()
    return _assemble(checker, order, inputs, wanted, lanes)


def _assemble(
    checker: _Checker,
    order: Iterable[str],
    inputs: Mapping[str, dict[str, Layout] | None],
    wanted: Mapping[str, Wire],
    lanes: list[CheckedLane | None],
) -> CheckedGraph:
    document = checker.document
    read = {wire for wires in checker.wires.values() for wire in wires.values()} | set(wanted.values())
    nodes = {}
    for name in order:
        card, ports = checker.cards[name], checker.ports[name]
        outputs = {port.name: checker.layouts[Wire(name, port.name)] for port in ports.outputs}
        nodes[name] = CheckedNode(
            name=name,
            card=card,
            params=checker.params[name],
            ports=ports,
            sources=checker.wires[name],
            inputs=inputs[name] or {},
            outputs=outputs,
            wanted=tuple(port for port in outputs if Wire(name, port) in read),
            rate=checker.rates[name],
            device=document.nodes[name].device,
            place=document.parsed.place(("nodes", name)),
            isolate=document.nodes[name].isolate,
        )
    return CheckedGraph(
        source=document.parsed.source,
        rate=checker.rate,
        inputs={name: checker.layouts[Wire(name, "")] for name in document.inputs},
        nodes=nodes,
        outputs={name: (wire, document.outputs[name].subtype) for name, wire in wanted.items()},
        lanes=tuple(lane for lane in lanes if lane is not None),
    )
