"""Card of the denoiser, and the ready-made graphs around it."""

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

__all__ = ["DenoiseParams", "unbraid_cards", "unbraid_graphs"]

_PORTS = Ports(
    (Port("in", "speech in noise"),),
    (Port("speech", "the voices"), Port("noise", "everything else, to the sample")),
)


class DenoiseParams(Params, frozen=True):
    """Parameters of `denoise`."""

    model: Annotated[
        str,
        param(
            "default (learnt, 30 ms late), classical (no weights, any rate), deepfilternet3, rnnoise, or the "
            "id of a card with weights of your own",
            fixed=True,
        ),
    ] = "default"
    preset: Annotated[
        Literal["speech-safe", "balanced", "aggressive"],
        param("how much is risked for quiet: bends the gain, and sets how far it falls at most", fixed=True),
    ] = "balanced"
    strength: Annotated[float, param("from the input (0) to what the model makes of it (1)", ge=0, le=1)] = (
        1.0
    )
    limit: Annotated[
        float,
        param("most by which anything is turned down, if less than the preset's", unit="dB", ge=0, le=100),
    ] = 100.0


def _layouts(params: DenoiseParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    from .denoising.choice import check_model

    if params.model not in {"default", "classical"}:
        check_model(params.model, "denoise")  # what is not there is told before anything runs
    return same_layout(_PORTS, inputs)


def _rates(params: DenoiseParams) -> tuple[int, ...]:
    return () if params.model == "classical" else (48000,)


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
            layouts_for=_layouts,
            residual="noise",
            rates_for=_rates,
        ),
    ]


@hookimpl
def unbraid_graphs() -> dict[str, Path]:
    """Return the ready-made graphs for speech."""
    return {name: Path(__file__).parent / "graphs" / f"{name}.yaml" for name in ("denoise", "clean-dialogue")}
