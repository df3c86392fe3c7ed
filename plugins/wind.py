"""Card of the wind filter, and the ready-made graph around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from ..host.contract.card import PluginCard, same_layout
from ..host.contract.hooks import hookimpl
from ..host.contract.params import Params, param
from ..host.contract.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..host.contract.audio import Layout

__all__ = ["WindParams", "unbraid_cards", "unbraid_graphs"]

_PORTS = Ports((Port("in"),), (Port("clean", "the recording without wind"), Port("wind", "the wind")))


class WindParams(Params, frozen=True):
    """Parameters of `wind`."""

    model: Annotated[
        str,
        param(
            "default (learnt, 30 ms late), classical (no weights, any rate, 43 ms), or the id of a card with "
            "weights of your own",
            fixed=True,
        ),
    ] = "default"
    preset: Annotated[
        Literal["speech-safe", "balanced", "aggressive"],
        param("how much is risked for calm: bends the gain, and sets how far it falls at most", fixed=True),
    ] = "balanced"
    strength: Annotated[float, param("from the input (0) to what the model makes of it (1)", ge=0, le=1)] = (
        1.0
    )
    limit: Annotated[
        float, param("most by which wind is turned down, if less than the preset's", unit="dB", ge=0, le=100)
    ] = 100.0


def _layouts(params: WindParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    from .denoising.choice import check_model

    if params.model not in {"default", "classical"}:
        check_model(params.model, "dewind")
    return same_layout(_PORTS, inputs)


def _rates(params: WindParams) -> tuple[int, ...]:
    return () if params.model == "classical" else (48000,)


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
            layouts_for=_layouts,
            residual="wind",
            rates_for=_rates,
        ),
    ]


@hookimpl
def unbraid_graphs() -> dict[str, Path]:
    """Return the ready-made graphs that need nothing but built-in plugins."""
    return {"dewind": Path(__file__).parent / "graphs" / "dewind.yaml"}
