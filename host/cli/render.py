"""``unbraid render GRAPH INPUT -o DIR``."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import GraphError, Place, Problem
from .interrupt import cancel_on_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..engine.options import RenderOptions, RenderReport
    from ..graph.graph import Graph
    from ..registry import Registry

__all__ = ["command"]


_RATES = click.IntRange(1_000, 1_536_000)
_SEEDS = click.IntRange(0, (1 << 63) - 1)


@click.command("render")
@click.argument("graph")
@click.argument("input_file", metavar="INPUT", required=False)
@click.option(
    "-o", "--output", "folder", metavar="DIR", help="Folder for the outputs; - for standard output."
)
@click.option("--to", "named", multiple=True, metavar="NAME=FILE", help="A file, FIFO or - for one output.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=FILE", help="A named input of the graph.")
@click.option(
    "--stem",
    "stems",
    multiple=True,
    metavar="NAME=FILE",
    help="A stem, for graphs whose nodes take any number of them.",
)
@click.option("--set", "settings", multiple=True, metavar="NODE.PARAM=VALUE", help="Change a parameter.")
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="[NODE=]DEVICE",
    help="cpu or cuda, for one node, or for every node whose plugin runs there.",
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("--tails", is_flag=True, help="Let outputs sound on past the input's end.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["wav", "flac", "rf64", "bw64", "s16le", "s24le", "s32le", "f32le"]),
    default="wav",
    show_default=True,
    help="What outputs are; the last four are samples without a header.",
)
@click.option(
    "--subtype",
    type=click.Choice(["PCM_16", "PCM_24", "PCM_32", "FLOAT"]),
    help="Sample format of the outputs.  [default: the graph's, else the input's]",
)
@click.option(
    "--output-rate", type=click.IntRange(1_000, 1_536_000), metavar="HZ", help="Rate of the outputs."
)
@click.option(
    "--dither",
    type=click.Choice(["tpdf", "none"]),
    default="tpdf",
    show_default=True,
    help="Noise before rounding to 16 bits.",
)
@click.option(
    "--on-clip",
    type=click.Choice(["clip", "error", "float"]),
    default="clip",
    show_default=True,
    help="What to do with samples beyond full scale in integer files: hold and count them, refuse them, or "
    "write the file as FLOAT.",
)
@click.option(
    "--non-finite",
    type=click.Choice(["reject", "zero"]),
    default="reject",
    show_default=True,
    help="What to do with NaN and infinity in the input.",
)
@click.option("--resample", is_flag=True, help="Bring inputs of other rates to the first one's.")
@click.option(
    "--graph-rate", type=_RATES, metavar="HZ", help="Rate of the graph, to which every input is brought."
)
@click.option(
    "--line-up",
    is_flag=True,
    help="Let inputs begin where their time references say, with silence before and behind.",
)
@click.option("--salvage", is_flag=True, help="Take what a damaged input still holds, and record it.")
@click.option(
    "--spool", metavar="DIR", help="Folder to keep a pipe's sound in, for graphs that must hear it twice."
)
@click.option("--track", type=click.IntRange(1), metavar="N", help="Which sound of a film, from 1.")
@click.option(
    "--raw",
    type=click.Choice(["u8", "s16le", "s24le", "s32le", "f32le", "f64le"]),
    help="The input is samples without a header; needs --rate and --channels.",
)
@click.option("--rate", type=click.IntRange(1, 1_536_000), metavar="HZ", help="Rate of a raw input.")
@click.option("--channels", metavar="N|LAYOUT", help="Channels of a raw input: a number, or 5.1, 7.1 ...")
@click.option(
    "--block", type=click.IntRange(1, 1 << 20), default=8192, show_default=True, help="Samples at a time."
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 63) - 1),
    default=0,
    show_default=True,
    help="For plugins that draw random numbers.",
)
@click.option(
    "--isolate",
    type=click.Choice(["asked", "third-party", "all"]),
    default="asked",
    show_default=True,
    help="Which nodes run in processes of their own: those that say `isolate: true`, also every plugin that "
    "is not Unbraid's, or all.",
)
@click.option(
    "--isolate-seconds",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="S",
    help="Longest time an isolated node may take for a block.",
)
@click.option(
    "--isolate-memory",
    type=click.IntRange(1),
    metavar="MIB",
    help="Most memory for each isolated node.  [default: three quarters of the machine's]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(
    graph: str,
    input_file: str | None,
    folder: str | None,
    inputs: tuple[str, ...],
    stems: tuple[str, ...],
    settings: tuple[str, ...],
    named: tuple[str, ...],
    devices: tuple[str, ...],
    **options: Any,
) -> int:
    """Render GRAPH over INPUT: one file for each output, named INPUT.OUTPUT.wav, in DIR.

    GRAPH is a graph file or the name of a ready-made graph. INPUT is a sound file, a film, or - for standard
    input. Outputs have the input's rate and exactly its length, and appear only when all are complete.
    With -o - they leave through standard output as they are made; messages go to standard error then.
    """
    from ..engine.render import render
    from ..engine.request import load_graph
    from ..graph.stems import spread_stems
    from ..registry import Registry

    as_json = options.pop("as_json")
    places = _pairs("--to", named)
    to_stderr = not {"-", "/dev/stdout", "/dev/fd/1"}.isdisjoint({folder, *places.values()})
    with ExitStack() as stack:
        stdout = stack.enter_context(_kept_clean()) if as_json or to_stderr else 1
        registry = Registry.discover()
        loaded = load_graph(graph, registry)
        named_stems = _pairs("--stem", stems)
        if named_stems:
            spread_stems(loaded, list(named_stems), registry)
        for setting in settings:
            apply_setting(loaded, setting)
        for device in devices:
            _place(loaded, device, registry)
        paths = _inputs(loaded, input_file, inputs, named_stems)
        if not as_json:
            _tell_of_first_time()
        cancelled = stack.enter_context(cancel_on_interrupt())
        progress = stack.enter_context(_progress(quiet=as_json))
        report = render(
            loaded,
            paths,
            folder,
            to=places,
            options=replace(_options(options), stdout=stdout),
            registry=registry,
            progress=progress,
            cancelled=cancelled,
        )
    if as_json:
        click.echo(json.dumps(as_data(report)), err=to_stderr)
    else:
        tell(report, err=to_stderr)
    return 128 + signal.SIGINT if report.interrupted else 0


def _options(given: dict[str, Any]) -> RenderOptions:
    from ..engine.options import RenderOptions
    from ..isolation.policy import Isolation
    from ..media.open_input import InputForm

    source = InputForm(
        raw=given.pop("raw"),
        rate=given.pop("rate"),
        channels=given.pop("channels"),
        track=given.pop("track"),
        salvage=given.pop("salvage"),
    )
    memory = given.pop("isolate_memory")
    isolation = Isolation(
        policy=given.pop("isolate"),
        seconds=given.pop("isolate_seconds"),
        memory=None if memory is None else memory << 20,
    )
    return RenderOptions(max_block=given.pop("block"), source=source, isolate=isolation, **given)


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


def _place(graph: Graph, text: str, registry: Registry) -> None:
    """Apply ``NODE=DEVICE``, or ``DEVICE`` to every node whose plugin runs there.

    Raises:
        GraphError: no node's plugin runs there, or there is no such node.
    """
    from ..engine.request import place_nodes

    node, _, device = text.rpartition("=")
    if node:
        graph.place(node, device)
    else:
        place_nodes(graph, device, registry)


def _inputs(graph: Graph, first: str | None, named: tuple[str, ...], stems: dict[str, str]) -> dict[str, str]:
    paths = dict(stems)
    if first is not None and stems:
        raise click.UsageError("give either INPUT or --stem, not both")
    if first is not None:
        paths[next(iter(graph.document().inputs))] = first
    for name, path in _pairs("--input", named).items():
        if name in paths:
            raise click.UsageError(f"the input {name!r} is given twice")
        paths[name] = path
    if not paths:
        problem = Problem(Place(graph.source), "no input is given", "write unbraid render GRAPH INPUT -o DIR")
        raise GraphError([problem])
    return paths


def _pairs(option: str, entries: tuple[str, ...]) -> dict[str, str]:
    """Return what ``NAME=FILE`` entries say."""
    pairs: dict[str, str] = {}
    for entry in entries:
        name, equals, path = entry.partition("=")
        if not (equals and name and path):
            raise click.UsageError(f"{option} {entry!r} must read NAME=FILE")
        if name in pairs:
            raise click.UsageError(f"{option} names {name!r} twice")
        pairs[name] = path
    return pairs


@contextmanager
def _kept_clean() -> Iterator[int]:
    """Give the descriptor of standard output for sound or JSON alone; what else is printed goes to stderr."""
    if sys.stdout is not None:
        sys.stdout.flush()
    own = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield own
    finally:
        os.dup2(own, 1)
        os.close(own)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar with time left on a terminal; nothing elsewhere."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("render", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def as_data(report: RenderReport) -> dict[str, Any]:
    """Return a report as plain data."""
    return {
        "graph": report.graph,
        "inputs": {
            name: {
                "path": source.path,
                "format": source.form,
                "rate": source.rate,
                "layout": source.layout,
                "length": source.length,
                "subtype": source.subtype,
                "salvaged": None
                if source.salvaged is None
                else {"declared": source.salvaged[0], "taken": source.salvaged[1]},
                "metadata": source.metadata.as_data(),
            }
            for name, source in report.inputs.items()
        },
        "outputs": [
            {
                "name": output.name,
                "path": str(output.path),
                "format": output.form,
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
        "findings": {
            node: {name: _plain(value) for name, value in found.items()}
            for node, found in report.findings.items()
        },
        "interrupted": report.interrupted,
        "warnings": list(report.warnings),
    }


def tell(report: RenderReport, *, err: bool = False) -> None:
    """Print what a render did; on standard error where the sound itself takes standard output."""
    for output in report.outputs:
        seconds = output.length / output.rate
        samples = "sample" if output.clipped == 1 else "samples"
        note = f", {output.clipped} {samples} clipped" if output.clipped else ""
        text = f"{output.path}  {output.layout} {output.rate} Hz {output.subtype}, {seconds:.3f} s{note}"
        click.echo(text, err=err)
    for node, found in report.findings.items():
        said = ", ".join(f"{name} {_shown(value)}" for name, value in found.items())
        click.echo(f"{node}: {said}", err=err)
    if report.zeroed:
        click.echo(f"{report.zeroed} non-finite input samples were replaced by zero", err=True)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if report.interrupted:
        click.echo("interrupted: the input was ended there, and the outputs are complete up to it", err=True)
    speed = report.programme / max(report.seconds, 1e-9)
    shown = f"{speed:.0f}" if speed >= 10 else f"{speed:.2g}"
    text = f"{report.programme:.2f} s of programme in {report.seconds:.2f} s ({shown} times real time)"
    click.echo(text + _compiled(), err=err)


def _compiled() -> str:
    """Return how long it took to compile kernels, where that was long."""
    from ...kernels.machine import compilations

    seconds = sum(made.seconds for made in compilations())
    if seconds < 2:
        return ""
    return f"; {seconds:.0f} s of it to compile kernels, once (`unbraid warmup` does so beforehand)"


def _tell_of_first_time() -> None:
    """Say why a first render takes long, before it does."""
    from ...kernels.machine import cache_folder

    if not cache_folder().is_dir():
        click.echo("the first time, kernels are compiled for this machine: that may take a minute", err=True)


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}"


def _plain(value: float | str) -> float | str:
    """Return a value that JSON can hold: what is not finite becomes text."""
    return value if isinstance(value, str) or math.isfinite(value) else str(value)
