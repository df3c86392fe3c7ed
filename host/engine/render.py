"""A graph over files and pipes: `render`."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import Cancelled, plain
from ..isolation.policy import Isolation
from ..registry import Registry
from .drive import Drive, InputEndedError
from .inputs import Fitting, Inputs
from .options import RenderOptions, RenderReport
from .outputs import Outputs
from .plan import Settings
from .request import inputs_by_name, load_graph, ready
from .stages import hear

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..graph.check import CheckedGraph
    from ..graph.graph import Graph
    from ..media.source import Source

__all__ = ["render"]


def render(
    graph: Graph | str | Path,
    inputs: str | Path | Mapping[str, str | Path],
    folder: str | Path | None = None,
    *,
    to: Mapping[str, str | Path] | None = None,
    options: RenderOptions | None = None,
    registry: Registry | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> RenderReport:
    """Render a graph over files and pipes: one file an output, named ``INPUT.OUTPUT.wav``, in ``folder``.

    Each output has the input's rate (unless another is asked for) and exactly its length, aligned to the
    sample. Files appear under their names only when every one is complete; on any error or cancel nothing is
    left. What left through a pipe cannot be taken back.

    Args:
        graph: a `Graph`, a graph file, or the name of a ready-made graph.
        inputs: one path for the graph's first input, or paths by input name; ``-`` is standard input, and a
            FIFO is read as it comes.
        folder: where outputs go; made if missing. ``-`` is standard output: one WAV stream, with the channels
            of several outputs side by side.
        to: files, FIFOs or ``-`` for single outputs, by name.
        options: see `RenderOptions`.
        registry: plugins to use; by default all that are installed.
        progress: called with samples done and samples in all, 0 while that is not known.
        cancelled: asked before each block and while a pipe is waited for. True ends the render with
            `Cancelled`; but when an input is a pipe from a program, it ends the input there, and the outputs
            are completed.

    Raises:
        GraphError: the graph cannot run over these inputs; lists every reason.
        MediaError: a file cannot be read or written.
        ReaderGoneError: whoever read an output through a pipe has closed it.
        NodeError: a node failed.
        Cancelled: ``cancelled()`` returned true.
    """
    options = options or RenderOptions()
    registry = registry or Registry.discover()
    loaded = load_graph(graph, registry)
    paths = inputs_by_name(loaded, inputs)
    started = time.perf_counter()
    warnings = [f"plugin not loaded: {fault}" for fault in registry.faults]
    warnings += registry.notify(
        "unbraid_render_started",
        graph=loaded.source,
        inputs={name: str(path) for name, path in paths.items()},
    )
    asked = cancelled or (lambda: False)
    files, outputs = Inputs(), None
    ending = _Ending(files, asked)
    try:
        with ExitStack() as stack:
            stack.callback(files.close)
            fitting = Fitting(options.resample, options.graph_rate, options.line_up)
            files.open(paths, options.source, fitting=fitting, stop=asked)
            drive, checked = _prepare(loaded, files, registry, options, stack, warnings)
            drive.progress, drive.cancelled = progress, ending.cancelled
            outputs = Outputs(checked, drive, files, options, ending.cancelled)
            outputs.open(folder, to or {})
            hear(drive, ending.again)
            drive.sinks = outputs.sinks
            drive.run()
            files.must_be_as_before()
            files.must_have_given(drive.length)
            findings = drive.executor.plan.findings(warnings)
            outputs.commit(files.notes())
    except BaseException as error:
        if outputs is not None:
            outputs.abort()
        told = ending.told(error)
        registry.notify("unbraid_render_failed", error=told)
        if told is error:
            raise
        raise told from error
    report = _report(loaded.source, files, drive, outputs, warnings, findings)
    report = replace(report, seconds=time.perf_counter() - started, interrupted=ending.interrupted)
    complaints = registry.notify("unbraid_render_finished", report=report)
    return replace(report, warnings=(*report.warnings, *complaints))


class _Ending:
    """What a request to stop means: a live input ends there and all comes out; all else is given up."""

    def __init__(self, files: Inputs, asked: Callable[[], bool]) -> None:
        self._files, self._asked, self._ended = files, asked, False

    @property
    def interrupted(self) -> bool:
        """Whether a live input was told to end."""
        return self._ended or (self._files.live and self._asked())

    def cancelled(self) -> bool:
        """Return whether the render is given up."""
        return not self.interrupted and self._asked()

    def again(self) -> dict[str, Source]:
        """Rewind the inputs; what was live has ended by then, on request or by itself."""
        self._ended = self.interrupted
        return self._files.rewind()

    def told(self, error: BaseException) -> BaseException:
        """Return the error to tell: that an input was ended before its declared length is not its fault."""
        if isinstance(error, InputEndedError) and self.interrupted:
            name = self._files.first.name
            return Cancelled(
                f"{name}: was ended before it was as long as it declares; nothing was left behind"
            )
        return error


def _report(
    graph: str,
    files: Inputs,
    drive: Drive,
    outputs: Outputs,
    warnings: list[str],
    findings: Mapping[str, Mapping[str, float | str]],
) -> RenderReport:
    """Return what was done; how long it took and how it ended is for the caller to say."""
    length = drive.length or 0
    lines = (*warnings, *files.warnings(), *outputs.warnings)
    return RenderReport(
        graph=graph,
        inputs=files.reports(length),
        outputs=outputs.reports(),
        programme=length / outputs.checked.rate,
        seconds=0.0,
        latency=drive.executor.plan.latency,
        zeroed=drive.zeroed,
        findings=findings,
        interrupted=False,
        warnings=tuple(plain(line) for line in lines),
    )


def _prepare(
    graph: Graph,
    files: Inputs,
    registry: Registry,
    options: RenderOptions,
    stack: ExitStack,
    warnings: list[str],
) -> tuple[Drive, CheckedGraph]:
    layouts = {name: source.layout for name, source in files.sources.items()}
    checked = graph.check(registry, files.first.rate, layouts)
    hearing = [node.name for node in checked.nodes.values() if node.card.passes_of(node.params)]
    if hearing:
        files.keep(options.spool, hearing)
    length = None if options.tails else files.length
    settings = Settings(
        max_block=options.max_block,
        seed=options.seed,
        length=length,
        isolate=Isolation.of(options.isolate),
    )
    executor = ready(checked, registry, settings)
    stack.callback(lambda: warnings.extend(executor.close()))
    drive = Drive(
        executor,
        files.sources,
        {},
        files.length,
        tails=options.tails,
        zero_non_finite=options.non_finite == "zero",
    )
    return drive, checked
