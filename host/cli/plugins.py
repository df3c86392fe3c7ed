"""``unbraid plugins list`` and ``unbraid plugins show ID``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..contract.card import PluginCard

__all__ = ["command"]


@click.group("plugins")
def command() -> None:
    """List plugins, or show one with its ports and parameters."""


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


def card_data(card: PluginCard, package: str) -> dict[str, Any]:
    """Return a card as plain data, ports as they are for the default parameters."""
    from ..contract.params import describe

    ports = card.ports_of(card.params())
    return {
        "id": card.id,
        "name": card.name,
        "version": card.version,
        "licence": card.licence,
        "package": package,
        "doc": card.doc,
        "rates": list(card.rates) or "any",
        "devices": list(card.devices),
        "realtime": card.realtime,
        "deterministic": card.deterministic,
        "ports_depend_on_parameters": card.ports_for is not None,
        "inputs": [{"name": p.name, "doc": p.doc, "layouts": list(p.layouts) or "any"} for p in ports.inputs],
        "outputs": [
            {"name": p.name, "doc": p.doc, "residual": p.name == card.residual} for p in ports.outputs
        ],
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
        lines.append(f"  {info['name']} = {info['default']}  ({info['bounds']}{fixed}){doc}")
    return "\n".join(lines)
