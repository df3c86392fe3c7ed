"""One attempt at a job, in a worker's process: hash, render, measure; nothing is named outside of staging."""

from __future__ import annotations

import os
import resource
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import MediaError, UnbraidError, one_line
from ..engine.render import render
from ..media.writer import suffix_of
from ..models.errors import ModelError
from ..registry import Registry
from .hashes import xxh128_of
from .job import FILM
from .manifest.naming import check_outputs
from .manifest.render_keys import render_options
from .manifest.roots import unmoved
from .recipe import graph_of, identity_of, machine, recipe_of
from .task import Done, Failed, Heard, Output, Progress, Seen, Unchanged, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine.options import OutputReport, RenderReport
    from ..graph.graph import Graph
    from .job import Job
    from .task import Outcome, Task

__all__ = ["Bench"]

_TEXT, _TRACE = 8_000, 16_000  # characters
_PAUSE = 0.2  # seconds between two words on how far a job is


class Bench:
    """Does one task after another; plugins, graphs and models stay loaded.

    Args:
        registry: plugins to use; by default all that are installed.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry or Registry.discover()

    def perform(self, task: Task, told: Callable[[Progress], None] = lambda _: None) -> Outcome:
        """Do a task; whatever goes wrong becomes an answer.

        Args:
            task: what to do.
            told: called now and then with how far it is.
        """
        attempt = _Attempt(task, self._registry, told)
        began = time.perf_counter()
        _forget_peak()
        try:
            return attempt.outcome()
        except UnbraidError as error:
            trace = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else ""
            kind, text = _kind(error), str(error)
        except BaseException as error:  # noqa: BLE001 - a stranger's code can raise anything
            trace = "".join(traceback.format_exception(error))
            kind, text = type(error).__name__, f"{one_line(error)}; the trace says where"
        return Failed(
            kind=_whole(kind),
            message=_whole(text if len(text) <= _TEXT else f"{text[:_TEXT]} ..."),
            trace=_whole(trace[-_TRACE:]),
            inputs=tuple(attempt.seen),
            recipe=attempt.recipe,
            seconds=time.perf_counter() - began,
            memory=_peak(),
        )


class _Attempt:
    """What is known of one attempt so far."""

    def __init__(self, task: Task, registry: Registry, told: Callable[[Progress], None]) -> None:
        self.task, self.registry, self.told = task, registry, told
        self.seen: list[Seen] = []
        self.recipe = ""
        self._next = 0.0

    def outcome(self) -> Outcome:
        """Return Done or Unchanged.

        Raises:
            UnbraidError: it cannot be done.
            Exception: from a plugin.
        """
        began, job = (time.perf_counter(), time.process_time()), self.task.job
        self._see(job)
        graph = graph_of(job, self.registry)
        self.recipe = recipe_of(job, graph, self.registry)
        here = machine()
        identity = identity_of(self.recipe, here, {seen.name: seen.xxh128 for seen in self.seen})
        if identity == self.task.expected:
            return Unchanged(identity=identity, recipe=self.recipe, inputs=tuple(self.seen))
        check_outputs(job, list(graph.document().outputs), self._suffix())
        if job.film and FILM in (*graph.document().outputs, *job.inputs, *job.stems):
            raise MediaError(f"{graph.source}: calls a sound {FILM}, as the film itself is; rename it")
        names = {name: self._room(name) for name in graph.document().outputs}
        report = self._render(graph, names)
        self._unchanged()
        outputs = [self._output(each) for each in report.outputs]
        warnings = list(report.warnings)
        if job.film:
            outputs.append(self._film(report, warnings))
        return Done(
            identity=identity,
            recipe=self.recipe,
            machine=here,
            inputs=tuple(self.seen),
            outputs=tuple(outputs),
            programme=report.programme,
            seconds=time.perf_counter() - began[0],
            cpu=time.process_time() - began[1],
            memory=_peak(),
            findings={node: dict(found) for node, found in report.findings.items()},
            warnings=tuple(warnings),
        )

    def _see(self, job: Job) -> None:
        """Hash what the job reads, where it is not known already."""
        known = {(seen.path, seen.state): seen.xxh128 for seen in self.task.known}
        for name, path in job.paths().items():
            if not unmoved(path):
                raise MediaError(f"{path}: leads elsewhere now, by a link; run the batch again")
            state = state_of(path)
            xxh128 = known.get((path, state))
            if xxh128 is None:
                try:
                    xxh128 = xxh128_of(path)
                except OSError as error:
                    raise MediaError(f"{path}: cannot be read: {error.strerror}") from None
            self.seen.append(Seen(name, path, state, xxh128))

    def _unchanged(self) -> None:
        for seen in self.seen:
            if state_of(seen.path) != seen.state:
                raise MediaError(
                    f"{seen.path}: changed while it was read; run the batch again when it is whole"
                )

    def _suffix(self) -> str:
        return suffix_of(self.task.job.options.get("form", "wav"))

    def _room(self, name: str) -> str:
        """Return where an output is made; its place must be free, or the job's own."""
        suffix = self._suffix()
        self._free(self.task.job.path(name, suffix))
        return str(Path(self.task.staging) / f"{name}.{suffix}")

    def _free(self, path: str) -> None:
        place = Path(self.task.folder) / path
        if os.path.realpath(place) in self.task.job.paths().values():
            raise MediaError(f"{place}: is read by the same job; choose another folder or name for outputs")
        if not self.task.overwrite and path not in self.task.own and os.path.lexists(place):
            raise MediaError(
                f"{place}: exists already, and is not this batch's; move it, or pass --overwrite"
            )

    def _render(self, graph: Graph, names: dict[str, str]) -> RenderReport:
        job = self.task.job
        inputs: dict[str, str] = {**job.inputs, **job.stems}
        if "" in inputs:
            inputs[next(iter(graph.document().inputs))] = inputs.pop("")
        Path(self.task.staging).mkdir(parents=True, exist_ok=True)
        options = replace(render_options(job.options), overwrite=True)
        return render(
            graph, inputs, to=names, options=options, registry=self.registry, progress=self._progress
        )

    def _progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PAUSE
            self.told(Progress(done, total))

    def _output(self, made: OutputReport) -> Output:
        job = self.task.job
        heard, verdict = self._judged(made, job.target_of(made.name))
        return Output(
            name=made.name,
            staged=made.path.name,
            path=job.path(made.name, self._suffix()),
            xxh128=_hash(made.path),
            bytes=made.path.stat().st_size,
            form=made.form,
            rate=made.rate,
            layout=made.layout,
            length=made.length,
            subtype=made.subtype,
            clipped=made.clipped,
            heard=heard,
            verdict=verdict,
        )

    def _judged(self, made: OutputReport, target: str) -> tuple[Heard | None, str]:
        """Measure an output, and hold it against its target; a loudness that is not defined is told."""
        if not target:
            return None, ""
        from .report.hearing import hear, verdict_of

        try:
            found = hear(made.path, made.layout, made.rate)
        except MediaError as error:
            return None, f"not held against {target}: {error}"
        return Heard(found.integrated, found.range, found.true_peak), verdict_of(target, found)

    def _film(self, report: RenderReport, warnings: list[str]) -> Output:
        """Put an output into a copy of the film."""
        from ..media.film.remux import remux

        job = self.task.job
        track = job.track or report.outputs[0].name
        sound = next((each for each in report.outputs if each.name == track), None)
        if sound is None:
            raise MediaError(f"{job.film}: the graph has no output {track!r} to put into it")
        suffix = Path(job.film).suffix.lstrip(".")
        self._free(job.path(FILM, suffix))
        out = Path(self.task.staging) / f"{FILM}.{suffix}"
        made = remux(job.film, sound.path, out, overwrite=True)
        self._unchanged()
        warnings += made.warnings
        return Output(
            name=FILM,
            staged=out.name,
            path=job.path(FILM, suffix),
            xxh128=_hash(out),
            bytes=out.stat().st_size,
            form=suffix.upper(),
            rate=sound.rate,
            layout=sound.layout,
            length=sound.length,
            subtype=made.codec,
        )


def _kind(error: BaseException) -> str:
    """Return the name of an error's type; of a node whose model is at fault, that of the model's."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ModelError):
        cause = cause.__cause__
    return type(cause or error).__name__


def _whole(text: str) -> str:
    """Return a stranger's text without halves of characters, which cannot be sent or written down."""
    return text.encode(errors="backslashreplace").decode()


def _hash(path: Path) -> str:
    try:
        return xxh128_of(path)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read again: {error.strerror}") from None


def _forget_peak() -> None:
    """Let the kernel count the most memory afresh, where it can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    """Return the most bytes held since then."""
    with suppress(OSError, ValueError, IndexError), Path("/proc/self/status").open("rb") as file:
        for line in file:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
