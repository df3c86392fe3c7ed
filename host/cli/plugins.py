"""``unbraid plugins list``, ``unbraid plugins show ID`` and ``unbraid plugins check ID``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..conformance.finding import Report
    from ..contract.card import PluginCard

__all__ = ["command"]


@click.group("plugins")
def command() -> None:
    """List plugins, show one with its ports and parameters, or hold one to the contract."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(as_json: bool) -> None:
    """List every plugin found; sources that failed to load are named at the end."""
    from ..registry import Registry

    registry = Registry.discover()
    cards = sorted(registry.cards.values(), key=lambda card: card.id)
    if as_json:
        rows = [
            {"id": c.id, "name": c.name, "version": c.version, "licence": c.licence, "doc": c.doc,
             "package": registry.packages[c.id]}
            for c in cards
        ]  # fmt: skip
        click.echo(json.dumps({"plugins": rows, "faults": [str(fault) for fault in registry.faults]}))
        return
    width = max((len(card.id) for card in cards), default=0)
    for card in cards:
        package = registry.packages[card.id]
        origin = "" if package == "unbraid" else f"  [{package}]"
        click.echo(f"{card.id:<{width}}  {card.doc or card.name}{origin}")
    for fault in registry.faults:
        click.echo(f"not loaded: {fault}", err=True)


@command.command("show")
@click.argument("plugin", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_plugin(plugin: str, as_json: bool) -> None:
    """Show one plugin: ports, parameters with bounds and units, licence, where it runs."""
    from ..registry import Registry

    registry = Registry.discover()
    card = registry.card(plugin)
    data = card_data(card, registry.packages[plugin])
    click.echo(json.dumps(data, default=str) if as_json else _text(data))


@command.command("check")
@click.argument("plugins", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Check every plugin that is installed.")
@click.option(
    "--level", default="standard", show_default=True, metavar="LEVEL", help="quick, standard or strict."
)
@click.option("--only", multiple=True, metavar="CHECK", help="Run this check; may be given again.")
@click.option("--param", "settings", multiple=True, metavar="NAME=VALUE", help="Check with this parameter.")
@click.option(
    "--module", "modules", multiple=True, metavar="MODULE", help="A module with hooks that is not installed."
)
@click.option(
    "--limit",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long one check may take.",
)
@click.option(
    "--memory",
    type=click.FloatRange(min=0.1),
    default=4.0,
    show_default=True,
    metavar="GIB",
    help="How much memory the plugin may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also write JUnit XML."
)
def check_plugins(
    plugins: tuple[str, ...],
    everything: bool,
    level: str,
    as_json: bool,
    junit: Path | None,
    settings: tuple[str, ...],
    **terms: Any,
) -> int:
    """Hold plugins to the contract, each in a process of its own; exit 1 if one breaks it.

    A module is searched for in the current folder too, so a plugin can be checked while it is written:
    `unbraid plugins check gate --module gate`.
    """
    from ..conformance.finding import Level
    from ..conformance.reports import as_json as json_of
    from ..conformance.reports import as_junit

    if not plugins and not everything:
        raise click.UsageError("name a plugin, or give --all")
    terms |= {
        "level": Level.parse(level),
        "params": _params(settings),
        "memory": int(terms["memory"] * 2**30),
    }
    chosen = [*plugins, *(name for name in (_installed() if everything else ()) if name not in plugins)]
    reports = [_checked(plugin, terms, quiet=as_json) for plugin in chosen]
    if as_json:
        click.echo(json_of(reports))
    if junit is not None:
        junit.write_text(as_junit(reports), encoding="utf-8")
    return 0 if all(report.ok for report in reports) else 1


def _checked(plugin: str, terms: dict[str, Any], *, quiet: bool) -> Report:
    """Check one plugin, telling each finding as it is made."""
    from ..conformance.examination import check_plugin
    from ..conformance.reports import line, summary

    if quiet:
        return check_plugin(plugin, **terms)
    click.echo(plugin)
    report = check_plugin(plugin, **terms, told=lambda found: click.echo(line(found)))
    click.echo(summary(report))
    return report


def _params(settings: Iterable[str]) -> dict[str, Any]:
    """Read ``NAME=VALUE``; the value is YAML, as in a graph."""
    from ..graph.yaml_reader import read

    found = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--param {setting!r} must read NAME=VALUE")
        found[name] = read(text, f"--param {name}").value
    return found


def _installed() -> list[str]:
    """Return the ids of all plugins, found in a child process, since an import may hang."""
    from ..conformance.entry_points import look
    from ..contract.errors import PluginError

    looked = look()
    for point in looked.points:
        if point.trouble:
            raise PluginError(
                f"{point.name} (from {point.package}) {point.trouble}; "
                "uninstall it, or set UNBRAID_THIRD_PARTY=0"
            )
    if looked.trouble:
        raise PluginError(f"plugins could not be looked up: {looked.trouble}")
    plugins: list[str] = looked.registry["plugins"]
    return plugins


def card_data(card: PluginCard, package: str) -> dict[str, Any]:
    """Return a card as plain data, ports as they are for the default parameters."""
    from ..contract.params import describe

    bare = card.params()
    ports, residuals = card.ports_of(bare), card.residuals_of(bare)
    return {
        "id": card.id,
        "name": card.name,
        "version": card.version,
        "licence": card.licence,
        "package": package,
        "doc": card.doc,
        "rates": list(card.rates_of(bare)) or "any",
        "devices": list(card.devices),
        "realtime": card.realtime,
        "deterministic": card.deterministic,
        "ports_depend_on_parameters": card.ports_for is not None,
        "inputs": [{"name": p.name, "doc": p.doc, "layouts": list(p.layouts) or "any"} for p in ports.inputs],
        "outputs": [{"name": p.name, "doc": p.doc, "residual": p.name in residuals} for p in ports.outputs],
        "params": [
            {
                "name": info.name,
                "kind": info.kind,
                "default": info.default,
                "bounds": info.bounds,
                "unit": info.unit,
                "doc": info.doc,
                "automatable": info.automatable,
            }
            for info in describe(card.params)
        ],
    }


def _text(data: dict[str, Any]) -> str:
    lines = [f"{data['id']} {data['version']}: {data['name']} ({data['licence']}, from {data['package']})"]
    lines += [data["doc"]] if data["doc"] else []
    live = "files and live" if data["realtime"] else "files only"
    rates = data["rates"] if data["rates"] == "any" else ", ".join(f"{rate} Hz" for rate in data["rates"])
    lines.append(f"runs: {live}, rates {rates}, on {', '.join(data['devices'])}")
    if data["ports_depend_on_parameters"]:
        lines.append("ports depend on parameters; by default:")
    for port in data["inputs"]:
        layouts = port["layouts"] if port["layouts"] == "any" else " or ".join(port["layouts"])
        lines.append(f"  in   {port['name']}  ({layouts}) {port['doc']}".rstrip())
    for port in data["outputs"]:
        residual = "  (what the others leave of the input)" if port["residual"] else ""
        lines.append(f"  out  {port['name']}  {port['doc']}{residual}".rstrip())
    for info in data["params"]:
        fixed = "" if info["automatable"] else ", not automatable"
        doc = f": {info['doc']}" if info["doc"] else ""
        default = "left out" if info["default"] is None else info["default"]
        lines.append(f"  {info['name']} = {default}  ({info['bounds']}{fixed}){doc}")
    return "\n".join(lines)
