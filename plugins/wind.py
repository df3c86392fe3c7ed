"""Card of the wind filter, and the ready-made graph around it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..host.contract.card import PluginCard
from ..host.contract.hooks import hookimpl
from ..host.contract.params import Params, param
from ..host.contract.ports import Port, Ports

__all__ = ["WindParams", "unbraid_cards", "unbraid_graphs"]


class WindParams(Params, frozen=True):
    """Parameters of `wind`."""

    depth: Annotated[float, param("most by which wind is turned down", unit="dB", ge=0, le=60)] = 24.0
    strength: Annotated[float, param("how much of the estimated wind is taken off; 1 is all", ge=0, le=4)] = (
        1.0
    )


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the wind filter."""
    return [
        PluginCard(
            id="wind",
            name="Wind filter",
            version="0.1.0",
            licence="MIT",
            doc="Takes wind noise off speech; what it takes off comes out as `wind`.",
            factory="unbraid.plugins.wind_filter:WindFilter",
            params=WindParams,
            ports=Ports(
                (Port("in"),), (Port("clean", "the recording without wind"), Port("wind", "the wind"))
            ),
            residual="wind",
        ),
    ]


@hookimpl
def unbraid_graphs() -> dict[str, Path]:
    """Return the ready-made graphs that need nothing but built-in plugins."""
    return {"dewind": Path(__file__).parent / "graphs" / "dewind.yaml"}
