"""``unbraid graph check`` and ``unbraid graph draw``."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contract.audio import Layout
from ..contract.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..graph.graph import Graph
    from ..registry import Registry

__all__ = ["command"]


@click.group("graph")
def command() -> None:
    """Check or draw a graph."""


def _terms(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say over what the graph would run."""
    options = (
        click.argument("graph"),
        click.option("--input", "input_file", metavar="FILE", help="Take rate and layout from this file."),
        click.option(
            "--rate", type=click.IntRange(1, 1_000_000), default=48_000, show_default=True, help="Hz."
        ),
        click.option(
            "--layout",
            default="stereo",
            show_default=True,
            help="Layout of inputs that declare none: mono, stereo, 5.1 ... or discrete:N.",
        ),
        click.option(
            "--set", "settings", multiple=True, metavar="NODE.PARAM=VALUE", help="Change a parameter."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _load(graph: str, settings: tuple[str, ...]) -> tuple[Graph, Registry]:
    from ..engine.request import load_graph
    from ..registry import Registry
    from .render import apply_setting

    registry = Registry.discover()
    loaded = load_graph(graph, registry)
    for setting in settings:
        apply_setting(loaded, setting)
    return loaded, registry


def _over(loaded: Graph, input_file: str | None, rate: int, layout: str) -> tuple[int, dict[str, Layout]]:
    """Return the rate and the layout of every input."""
    actual = Layout.parse(layout)
    if input_file is not None:
        from contextlib import closing

        from ..media.open_input import open_input

        with closing(open_input(input_file)) as source:
            rate, actual = source.rate, source.layout
    layouts = {name: declared or actual for name, declared in loaded.document().inputs.items()}
    if input_file is not None:
        layouts[next(iter(layouts))] = actual
    return rate, layouts


@command.command("check")
@_terms
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check_graph(
    graph: str,
    settings: tuple[str, ...],
    as_json: bool,
    **terms: Any,
) -> None:
    """Validate GRAPH completely: names, ports, layouts, rates, parameters, cycles, unused nodes.

    No plugin is built and no sample is read. Every problem is told with its file and line.
    """
    loaded, registry = _load(graph, settings)
    rate, layouts = _over(loaded, **terms)
    checked = loaded.check(registry, rate, layouts)
    if as_json:
        nodes = {name: node.card.id for name, node in checked.nodes.items()}
        click.echo(json.dumps({"graph": checked.source, "rate": rate, "order": nodes, "problems": []}))
    else:
        over = ", ".join(f"{name} {layout}" for name, layout in checked.inputs.items())
        click.echo(f"{checked.source}: good, {len(checked.nodes)} nodes over {over} at {rate} Hz")


@command.command("draw")
@_terms
@click.option("-o", "--output", metavar="FILE", help="Write SVG here instead of text to the terminal.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def draw_graph(
    graph: str, settings: tuple[str, ...], output: str | None, overwrite: bool, **terms: Any
) -> None:
    """Draw GRAPH with the layout, rate and latency of every edge, as text or as SVG (-o FILE.svg)."""
    from ..engine.plan import Settings, build_plan
    from ..engine.survey import survey
    from ..graph.draw import to_svg, to_text

    loaded, registry = _load(graph, settings)
    rate, layouts = _over(loaded, **terms)
    plan = build_plan(loaded.check(registry, rate, layouts), registry, Settings())
    view = survey(plan)
    plan.release()
    if output is None:
        click.echo(to_text(view))
        return
    picture = to_svg(view)
    try:
        with Path(output).open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(picture)
    except FileExistsError:
        raise MediaError(f"{output}: exists already; choose another name, or pass --overwrite") from None
    except (OSError, ValueError) as error:
        if not overwrite:  # what a full disk left of it
            with contextlib.suppress(OSError, ValueError):
                Path(output).unlink()
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{output}: cannot be written: {reason}") from None
    click.echo(output)
