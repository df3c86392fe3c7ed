"""Card of the denoiser, and the ready-made graphs around it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..host.contract.card import PluginCard
from ..host.contract.hooks import hookimpl
from ..host.contract.params import param
from ..host.contract.ports import Port, Ports
from .denoising.parameters import FilterParams, layouts_for, rates_for

__all__ = ["DenoiseParams", "unbraid_cards", "unbraid_graphs"]

_PORTS = Ports(
    (Port("in", "speech in noise"),),
    (Port("speech", "the voices"), Port("noise", "everything else, to the sample")),
)


class DenoiseParams(FilterParams, frozen=True):
    """Parameters of `denoise`."""

    model: Annotated[
        str,
        param(
            "default (learnt, 30 ms late), classical (no weights, any rate), deepfilternet3, rnnoise, or the "
            "id of a card with weights of your own",
            fixed=True,
        ),
    ] = "default"


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the denoiser."""
    return [
        PluginCard(
            id="denoise",
            name="Denoiser",
            version="0.1.0",
            licence="MIT; each model states its own",
            doc="Takes noise off speech; what it takes off comes out as `noise`.",
            factory="unbraid.plugins.denoising.choice:denoiser",
            params=DenoiseParams,
            ports=_PORTS,
            layouts_for=layouts_for("denoise", _PORTS),
            residual="noise",
            rates_for=rates_for,
        ),
    ]


@hookimpl
def unbraid_graphs() -> dict[str, Path]:
    """Return the ready-made graphs for speech."""
    return {name: Path(__file__).parent / "graphs" / f"{name}.yaml" for name in ("denoise", "clean-dialogue")}
