"""Rendering: a graph over files, over arrays, or block by block."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from ..contract.audio import Layout
from ..contract.errors import GraphError, MediaError, Place, Problem, UnbraidError
from ..graph.graph import Graph
from ..media.reader import FileReader
from ..media.writer import FileWriter
from ..registry import Registry
from .drive import Drive
from .executor import Executor
from .plan import Settings, build_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..contract.processor import Array
    from ..graph.check import CheckedGraph

__all__ = [
    "OutputReport",
    "RenderOptions",
    "RenderReport",
    "Stream",
    "load_graph",
    "open_stream",
    "process",
    "render",
]

_CHOICES = {"form": ("wav", "flac"), "on_clip": ("clip", "error"), "non_finite": ("reject", "zero")}


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a render treats its files.

    Attributes:
        overwrite: replace outputs that exist.
        tails: let outputs sound on past the input's end.
        form: "wav" or "flac".
        subtype: PCM_16, PCM_24, PCM_32 or FLOAT for every output; by default the graph's, else the input's.
        on_clip: "clip" counts and reports samples beyond full scale in integer files, "error" refuses them.
        non_finite: "reject" refuses NaN and infinity in the input, "zero" replaces and counts them.
        max_block: samples processed at a time.
        seed: for plugins that draw random numbers.
    """

    overwrite: bool = False
    tails: bool = False
    form: Literal["wav", "flac"] = "wav"
    subtype: str | None = None
    on_clip: Literal["clip", "error"] = "clip"
    non_finite: Literal["reject", "zero"] = "reject"
    max_block: int = 8192
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UnbraidError(f"{name} is {getattr(self, name)!r}, not {' or '.join(allowed)}")
        _check_block(self.max_block)


def _check_block(max_block: int) -> None:
    if max_block < 1:
        raise UnbraidError(f"max_block is {max_block}, but a block holds at least one sample")


@dataclass(frozen=True, slots=True)
class OutputReport:
    """One finished file."""

    name: str
    path: Path
    rate: int
    layout: str
    length: int
    subtype: str
    clipped: int


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What a render did. ``seconds`` is wall time, ``programme`` the input's length in seconds."""

    graph: str
    inputs: Mapping[str, str]
    outputs: tuple[OutputReport, ...]
    programme: float
    seconds: float
    latency: int
    zeroed: int
    warnings: tuple[str, ...]


def load_graph(graph: Graph | str | Path, registry: Registry) -> Graph:
    """Return the graph object, the graph in that file, or the ready-made graph of that name."""
    if isinstance(graph, Graph):
        return graph
    # os.path answers "no" for names that no file can have, where Path raises.
    if str(graph) in registry.graphs and not os.path.isfile(graph):  # noqa: PTH113
        return Graph.load(registry.graphs[str(graph)])
    if "\0" in str(graph) or (not os.path.exists(graph) and Path(graph).suffix == ""):  # noqa: PTH110
        known = ", ".join(sorted(registry.graphs)) or "none"
        place = Place(str(graph).replace("\0", "\\0"))
        problem = Problem(place, "is neither a file nor a ready-made graph", f"ready-made: {known}")
        raise GraphError([problem])
    return Graph.load(graph)


@dataclass
class _Files:
    """Readers and writers of one render; leaves nothing behind unless committed."""

    readers: dict[str, FileReader] = field(default_factory=dict)
    writers: dict[str, FileWriter] = field(default_factory=dict)
    made_folders: list[Path] = field(default_factory=list)

    def open_inputs(self, inputs: Mapping[str, str | Path]) -> None:
        for name, path in inputs.items():
            self.readers[name] = FileReader(path)
        first, *others = self.readers.values()
        for other in others:
            for what, unit in (("rate", "Hz"), ("length", "samples")):
                mine, its = getattr(first, what), getattr(other, what)
                if mine != its:
                    raise MediaError(
                        f"{other.name}: its {what} is {its} {unit}, that of {first.name} is {mine}; "
                        "inputs of one graph must agree",
                    )

    def open_outputs(self, checked: CheckedGraph, drive: Drive, folder: Path, options: RenderOptions) -> None:
        first = next(iter(self.readers.values()))
        self._make(folder)
        for name, (wire, asked) in checked.outputs.items():
            path = folder / f"{first.path.stem}.{name}.{options.form}"
            for reader in self.readers.values():
                if _same(path, reader.path):
                    raise MediaError(f"{path}: is an input of this render; choose another folder with -o")
            self.writers[name] = FileWriter(
                path,
                rate=checked.rate,
                layout=checked.layout(wire),
                length=drive.output_length(name),
                subtype=options.subtype or asked or first.subtype,
                overwrite=options.overwrite,
                on_clip=options.on_clip,
            )

    def _make(self, folder: Path) -> None:
        try:
            missing = [place for place in (folder, *folder.parents) if not place.exists()]
            for place in reversed(missing):
                place.mkdir()
                self.made_folders.append(place)
        except OSError as error:
            raise MediaError(f"{folder}: cannot be made: {error.strerror}") from None
        except ValueError as error:
            raise MediaError(f"{str(folder)!r} is not a folder's name: {error}") from None
        if not folder.is_dir():
            raise MediaError(f"{folder}: is a file; give -o a folder")

    def commit(self) -> None:
        for writer in self.writers.values():
            writer.finish()
        for writer in self.writers.values():
            writer.commit()

    def abort(self) -> None:
        for writer in self.writers.values():
            writer.abort()
        with contextlib.suppress(OSError):  # somebody put a file there meanwhile
            for folder in reversed(self.made_folders):
                folder.rmdir()

    def close(self) -> None:
        for reader in self.readers.values():
            reader.close()


def render(
    graph: Graph | str | Path,
    inputs: str | Path | Mapping[str, str | Path],
    folder: str | Path,
    *,
    options: RenderOptions | None = None,
    registry: Registry | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> RenderReport:
    """Render a graph over files: one file an output, named ``INPUT.OUTPUT.wav``, in ``folder``.

    Each output has the input's rate and exactly its length, aligned to the sample. Files appear under
    their names only when every one is complete; on any error or cancel nothing is left.

    Args:
        graph: a `Graph`, a graph file, or the name of a ready-made graph.
        inputs: one path for the graph's first input, or paths by input name.
        folder: where outputs go; made if missing.
        options: see `RenderOptions`.
        registry: plugins to use; by default all that are installed.
        progress: called with samples done and samples in all.
        cancelled: asked before each block; true ends the render with `Cancelled`.

    Raises:
        GraphError: the graph cannot run over these inputs; lists every reason.
        MediaError: a file cannot be read or written.
        NodeError: a node failed.
        Cancelled: ``cancelled()`` returned true.
    """
    options = options or RenderOptions()
    registry = registry or Registry.discover()
    loaded = load_graph(graph, registry)
    paths = _by_name(loaded, inputs)
    started = time.perf_counter()
    warnings = [f"plugin not loaded: {fault}" for fault in registry.faults]
    warnings += registry.notify(
        "unbraid_render_started",
        graph=loaded.source,
        inputs={name: str(path) for name, path in paths.items()},
    )
    files = _Files()
    try:
        with ExitStack() as stack:
            stack.callback(files.close)
            files.open_inputs(paths)
            drive, checked = _prepare(loaded, files, registry, options, stack, warnings)
            drive.progress, drive.cancelled = progress, cancelled
            files.open_outputs(checked, drive, Path(folder), options)
            drive.sinks = files.writers
            drive.run()
            files.commit()
    except BaseException as error:
        files.abort()
        registry.notify("unbraid_render_failed", error=error)
        raise
    first = next(iter(files.readers.values()))
    report = RenderReport(
        graph=loaded.source,
        inputs={name: str(path) for name, path in paths.items()},
        outputs=tuple(
            OutputReport(name, w.path, w.rate, str(w.layout), w.length, w.subtype, w.clipped)
            for name, w in files.writers.items()
        ),
        programme=first.length / first.rate,
        seconds=time.perf_counter() - started,
        latency=drive.executor.plan.latency,
        zeroed=drive.zeroed,
        warnings=tuple(warnings),
    )
    complaints = registry.notify("unbraid_render_finished", report=report)
    return replace(report, warnings=(*report.warnings, *complaints))


def _same(path: Path, other: Path) -> bool:
    """Return whether two names lead to one file; a name that leads nowhere is nobody's."""
    try:
        return path.samefile(other)
    except OSError:
        return False


def _prepare(
    graph: Graph,
    files: _Files,
    registry: Registry,
    options: RenderOptions,
    stack: ExitStack,
    warnings: list[str],
) -> tuple[Drive, CheckedGraph]:
    first = next(iter(files.readers.values()))
    layouts = {name: reader.layout for name, reader in files.readers.items()}
    checked = graph.check(registry, first.rate, layouts)
    settings = Settings(max_block=options.max_block, seed=options.seed, length=first.length)
    executor = Executor(build_plan(checked, registry, settings))
    stack.callback(lambda: warnings.extend(executor.close()))
    drive = Drive(
        executor,
        files.readers,
        {},
        first.length,
        tails=options.tails,
        zero_non_finite=options.non_finite == "zero",
    )
    return drive, checked


def _by_name(graph: Graph, inputs: Any) -> dict[str, Any]:
    """Return inputs by name; a single one belongs to the graph's first input."""
    names = list(graph.document().inputs)
    given = inputs if isinstance(inputs, Mapping) else {names[0]: inputs}
    missing = [name for name in names if name not in given]
    if missing:
        place = Place(graph.source, None, "inputs")
        problem = Problem(place, f"the input {', '.join(missing)} is not given", "pass --input NAME=FILE")
        raise GraphError([problem])
    return {name: given[name] for name in [*names, *(name for name in given if name not in names)]}


class _ArraySource:
    def __init__(self, name: str, data: Array) -> None:
        self.name, self._data, self._at = f"input {name!r}", data, 0

    def read(self, out: Array) -> None:
        out[:] = self._data[:, self._at : self._at + out.shape[1]]
        self._at += out.shape[1]


class _ArraySink:
    def __init__(self, channels: int, length: int) -> None:
        self.data, self._at = np.empty((channels, length), np.float32), 0

    def write(self, block: Array) -> None:
        self.data[:, self._at : self._at + block.shape[1]] = block
        self._at += block.shape[1]


def process(
    graph: Graph | str | Path,
    inputs: Array | Mapping[str, Array],
    *,
    rate: int,
    options: RenderOptions | None = None,
    registry: Registry | None = None,
    blocks: Iterable[int] | None = None,
) -> dict[str, Array]:
    """Run a graph over arrays.

    Args:
        graph: a `Graph`, a graph file, or the name of a ready-made graph.
        inputs: float32 ``[channels, samples]`` for the first input, or such arrays by input name.
        rate: Hz.
        options: ``tails``, ``non_finite``, ``max_block`` and ``seed`` apply.
        registry: plugins to use; by default all that are installed.
        blocks: block lengths to cut the signal into; the output does not depend on them.

    Returns:
        By output: float32 ``[channels, samples]``, aligned with the input and of its length.

    Raises:
        GraphError: the graph cannot run over these inputs.
        NodeError: a node failed.
        UnbraidError: an array is not float32 ``[channels, samples]``, or lengths differ.
    """
    options = options or RenderOptions()
    registry = registry or Registry.discover()
    loaded = load_graph(graph, registry)
    arrays: dict[str, Array] = _by_name(loaded, inputs)
    for name, data in arrays.items():
        _check_array(name, data)
    length = _common_length(arrays)
    checked = loaded.check(
        registry, rate, {name: Layout.of_channels(len(data)) for name, data in arrays.items()}
    )
    settings = Settings(max_block=options.max_block, seed=options.seed, length=length)
    executor = Executor(build_plan(checked, registry, settings))
    try:
        sources = {name: _ArraySource(name, data) for name, data in arrays.items()}
        drive = Drive(executor, sources, {}, length, tails=options.tails, blocks=blocks)
        drive.zero_non_finite = options.non_finite == "zero"
        sinks = {
            name: _ArraySink(checked.layout(wire).channels, drive.output_length(name))
            for name, (wire, _) in checked.outputs.items()
        }
        drive.sinks = sinks
        drive.run()
    finally:
        executor.close()
    return {name: sink.data for name, sink in sinks.items()}


def _common_length(arrays: Mapping[str, Array]) -> int:
    first, *others = (data.shape[1] for data in arrays.values())
    if any(length != first for length in others):
        raise UnbraidError("inputs of one graph must have one length")
    return int(first)


def _check_array(name: str, data: Any) -> None:
    if not isinstance(data, np.ndarray) or data.dtype != np.float32 or data.ndim != 2 or not data.shape[0]:
        seen = f"{data.dtype} {list(data.shape)}" if isinstance(data, np.ndarray) else type(data).__name__
        raise UnbraidError(f"input {name!r} must be float32 [channels, samples], not {seen}")


class Stream:
    """A graph run block by block: equal lengths in and out, every output ``latency`` samples late.

    Example:
        >>> graph = Graph()
        >>> graph.output("out", graph.node("half", "gain", graph.input("mix", "mono"), gain=-6.0206))
        >>> with open_stream(graph, rate=48000) as stream:
        ...     block = stream.process({"mix": np.ones((1, 5), np.float32)})
        >>> block["out"].round(3).tolist()
        [[0.5, 0.5, 0.5, 0.5, 0.5]]
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.latency = {name: signal.latency for name, signal in executor.plan.outputs.items()}

    def process(self, ins: Mapping[str, Array]) -> dict[str, Array]:
        """Process one block of any length: float32 ``[channels, n]`` by input; return by output.

        Raises:
            NodeError: a node failed.
            UnbraidError: an array has the wrong type or shape.
        """
        n = self._check(ins)
        signals = self._executor.plan.outputs
        outs = {name: np.empty((signal.layout.channels, n), np.float32) for name, signal in signals.items()}
        at = 0
        while at < n:
            size = self._executor.room(n - at)
            for name, block in self._executor.inputs(size).items():
                block[:] = ins[name][:, at : at + size]
            self._executor.process(size)
            for name, block in self._executor.outputs(size).items():
                outs[name][:, at : at + size] = block
            at += size
        return outs

    def _check(self, ins: Mapping[str, Array]) -> int:
        """Return the length of a block, once it is known to fit."""
        inputs = self._executor.plan.inputs
        if ins.keys() != inputs.keys():
            raise UnbraidError(f"the inputs are {', '.join(inputs)}, but {', '.join(ins) or 'none'} given")
        for name, data in ins.items():
            _check_array(name, data)
            layout = inputs[name].layout
            if len(data) != layout.channels:
                raise UnbraidError(f"input {name!r} is {layout}, but {len(data)} channels are given")
        return _common_length(ins)

    def reset(self) -> None:
        """Go back to the beginning, as if freshly opened."""
        self._executor.reset()

    def close(self) -> None:
        """Release every processor."""
        self._executor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_stream(
    graph: Graph | str | Path,
    *,
    rate: int,
    layouts: Mapping[str, str] | None = None,
    max_block: int = 8192,
    seed: int = 0,
    realtime: bool = False,
    registry: Registry | None = None,
) -> Stream:
    """Prepare a graph for block-by-block use.

    Args:
        graph: a `Graph`, a graph file, or the name of a ready-made graph.
        rate: Hz.
        layouts: the layout of each input that does not declare one.
        max_block: longest block handed to a plugin; longer ones are cut.
        seed: for plugins that draw random numbers.
        realtime: refuse plugins that cannot meet deadlines.
        registry: plugins to use; by default all that are installed.

    Raises:
        GraphError: the graph cannot run so.
    """
    _check_block(max_block)
    registry = registry or Registry.discover()
    loaded = load_graph(graph, registry)
    checked = loaded.check(registry, rate, {k: Layout.parse(v) for k, v in (layouts or {}).items()})
    if realtime:
        late = [node for node in checked.nodes.values() if not node.card.realtime]
        if late:
            raise GraphError(
                [
                    Problem(
                        Place(loaded.source, None, f"nodes.{node.name}"), f"{node.card.id!r} cannot run live"
                    )
                    for node in late
                ],
            )
    settings = Settings(max_block=max_block, seed=seed, realtime=realtime)
    return Stream(Executor(build_plan(checked, registry, settings)))
