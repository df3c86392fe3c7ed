"""A graph over files: `render`."""

from __future__ import annotations

import contextlib
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import MediaError
from ..media.reader import FileReader
from ..media.writer import FileWriter
from ..registry import Registry
from .drive import Drive
from .options import OutputReport, RenderOptions, RenderReport
from .plan import Settings
from .request import inputs_by_name, load_graph, ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..graph.check import CheckedGraph
    from ..graph.graph import Graph

__all__ = ["render"]


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
        """Open a writer for every output, in a folder that is made if it is missing."""
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
    paths = inputs_by_name(loaded, inputs)
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
    report = _report(loaded.source, files, drive, time.perf_counter() - started, warnings)
    complaints = registry.notify("unbraid_render_finished", report=report)
    return replace(report, warnings=(*report.warnings, *complaints))


def _report(graph: str, files: _Files, drive: Drive, seconds: float, warnings: list[str]) -> RenderReport:
    first = next(iter(files.readers.values()))
    return RenderReport(
        graph=graph,
        inputs={name: reader.name for name, reader in files.readers.items()},
        outputs=tuple(
            OutputReport(name, w.path, w.rate, str(w.layout), w.length, w.subtype, w.clipped)
            for name, w in files.writers.items()
        ),
        programme=first.length / first.rate,
        seconds=seconds,
        latency=drive.executor.plan.latency,
        zeroed=drive.zeroed,
        warnings=tuple(warnings),
    )


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
    executor = ready(checked, registry, settings)
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
