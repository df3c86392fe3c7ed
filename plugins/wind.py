"""Card of the wind filter, and the ready-made graph around it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..host.contract.card import PluginCard
from ..host.contract.hooks import hookimpl
from ..host.contract.params import param
from ..host.contract.ports import Port, Ports
from .denoising.parameters import FilterParams, layouts_for, rates_for

__all__ = ["WindParams", "unbraid_cards", "unbraid_graphs"]

_PORTS = Ports((Port("in"),), (Port("clean", "the recording without wind"), Port("wind", "the wind")))


class WindParams(FilterParams, frozen=True):
    """Parameters of `wind`."""

    model: Annotated[
        str,
        param(
            "default (learnt, 30 ms late), classical (no weights, any rate, 43 ms), or the id of a card with "
            "weights of your own",
            fixed=True,
        ),
    ] = "default"


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the wind filter."""
    return [
        PluginCard(
            id="wind",
            name="Wind filter",
            version="0.2.0",
            licence="MIT; each model states its own",
            doc="Takes wind noise off a recording; what it takes off comes out as `wind`.",
            factory="unbraid.plugins.denoising.choice:wind_filter",
            params=WindParams,
            ports=_PORTS,
            layouts_for=layouts_for("dewind", _PORTS),
            residual="wind",
            rates_for=rates_for,
        ),
    ]


@hookimpl
def unbraid_graphs() -> dict[str, Path]:
    """Return the ready-made graphs that need nothing but built-in plugins."""
    return {"dewind": Path(__file__).parent / "graphs" / "dewind.yaml"}
