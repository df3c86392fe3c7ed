"""``unbraid render GRAPH INPUT -o DIR``."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import GraphError, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..engine.options import RenderReport
    from ..graph.graph import Graph

__all__ = ["command"]


@click.command("render")
@click.argument("graph")
@click.argument("input_file", metavar="INPUT", required=False)
@click.option("-o", "--output", "folder", required=True, metavar="DIR", help="Folder for the outputs.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=FILE", help="A named input of the graph.")
@click.option("--set", "settings", multiple=True, metavar="NODE.PARAM=VALUE", help="Change a parameter.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("--tails", is_flag=True, help="Let outputs sound on past the input's end.")
@click.option("--format", "form", type=click.Choice(["wav", "flac"]), default="wav", show_default=True)
@click.option(
    "--subtype",
    type=click.Choice(["PCM_16", "PCM_24", "PCM_32", "FLOAT"]),
    help="Sample format of the outputs.  [default: the graph's, else the input's]",
)
@click.option(
    "--on-clip",
    type=click.Choice(["clip", "error"]),
    default="clip",
    show_default=True,
    help="What to do with samples beyond full scale in integer files; clips are counted and reported.",
)
@click.option(
    "--non-finite",
    type=click.Choice(["reject", "zero"]),
    default="reject",
    show_default=True,
    help="What to do with NaN and infinity in the input.",
)
@click.option(
    "--block", type=click.IntRange(1, 1 << 20), default=8192, show_default=True, help="Samples at a time."
)
@click.option("--seed", type=int, default=0, show_default=True, help="For plugins that draw random numbers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(
    graph: str,
    input_file: str | None,
    folder: str,
    inputs: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
    block: int,
    **options: Any,
) -> None:
    """Render GRAPH over INPUT: one file for each output, named INPUT.OUTPUT.wav, in DIR.

    GRAPH is a graph file or the name of a ready-made graph. Outputs have the input's rate and exactly its
    length, and appear only when all of them are complete.
    """
    from ..engine.options import RenderOptions
    from ..engine.render import render
    from ..engine.request import load_graph
    from ..registry import Registry

    registry = Registry.discover()
    loaded = load_graph(graph, registry)
    for setting in settings:
        apply_setting(loaded, setting)
    paths = _inputs(loaded, input_file, inputs)
    with _cancel_on_interrupt() as cancelled, _progress(paths, quiet=as_json) as progress:
        report = render(
            loaded,
            paths,
            folder,
            options=RenderOptions(max_block=block, **options),
            registry=registry,
            progress=progress,
            cancelled=cancelled,
        )
    if as_json:
        click.echo(json.dumps(as_data(report)))
    else:
        tell(report)


def apply_setting(graph: Graph, setting: str) -> None:
    """Apply ``node.param=value``; the value is read as in a graph file.

    Raises:
        click.UsageError: it does not read so.
        GraphError: there is no such node.
    """
    from ..graph.yaml_reader import read

    target, equals, text = setting.partition("=")
    node, dot, param = target.partition(".")
    if not (equals and dot and node and param):
        raise click.UsageError(f"--set {setting!r} must read NODE.PARAM=VALUE")
    value = read(text, f"--set {target}").value
    graph.set(node, param, value)


def _inputs(graph: Graph, first: str | None, named: tuple[str, ...]) -> dict[str, str]:
    paths: dict[str, str] = {}
    if first is not None:
        paths[next(iter(graph.document().inputs))] = first
    for entry in named:
        name, equals, path = entry.partition("=")
        if not equals:
            raise click.UsageError(f"--input {entry!r} must read NAME=FILE")
        if name in paths:
            raise click.UsageError(f"the input {name!r} is given twice")
        paths[name] = path
    if not paths:
        problem = Problem(Place(graph.source), "no input is given", "write unbraid render GRAPH INPUT -o DIR")
        raise GraphError([problem])
    return paths


@contextmanager
def _cancel_on_interrupt() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C ends the render cleanly after the present block; the second at once."""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    handlers = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _progress(paths: dict[str, str], *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar with speed and time left on a terminal; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    rate = _rate(next(iter(paths.values())))
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[speed]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("render", total=None, speed="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            text = "" if speed is None or rate is None else f"{speed / rate:.0f} times real time"
            bar.update(task, completed=done, total=total, speed=text)

        yield show


def _rate(path: str) -> int | None:
    """Return a file's sample rate in Hz; None for one that the render is about to refuse."""
    import soundfile

    try:
        return int(soundfile.info(path).samplerate)
    except (soundfile.SoundFileError, OSError, TypeError, ValueError):
        return None


def as_data(report: RenderReport) -> dict[str, Any]:
    """Return a report as plain data."""
    return {
        "graph": report.graph,
        "inputs": dict(report.inputs),
        "outputs": [
            {
                "name": output.name,
                "path": str(output.path),
                "rate": output.rate,
                "layout": output.layout,
                "length": output.length,
                "subtype": output.subtype,
                "clipped": output.clipped,
            }
            for output in report.outputs
        ],
        "programme_seconds": report.programme,
        "wall_seconds": report.seconds,
        "latency_samples": report.latency,
        "zeroed_samples": report.zeroed,
        "warnings": list(report.warnings),
    }


def tell(report: RenderReport) -> None:
    """Print what a render did."""
    for output in report.outputs:
        seconds = output.length / output.rate
        note = f", {output.clipped} samples clipped" if output.clipped else ""
        click.echo(f"{output.path}  {output.layout} {output.rate} Hz {output.subtype}, {seconds:.3f} s{note}")
    if report.zeroed:
        click.echo(f"{report.zeroed} non-finite input samples were replaced by zero", err=True)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    speed = report.programme / max(report.seconds, 1e-9)
    click.echo(
        f"{report.programme:.2f} s of programme in {report.seconds:.2f} s ({speed:.0f} times real time)"
    )
