"""Card of the plugin `vocals`, the cards of the models that it runs, and the graphs around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from ..host.contract.card import PluginCard, same_layout
from ..host.contract.hooks import hookimpl
from ..host.contract.params import Params, ParamsError, param
from ..host.contract.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..host.contract.audio import Layout
    from ..host.models import ModelCard

__all__ = ["VocalsParams", "outputs_of", "unbraid_cards", "unbraid_graphs", "unbraid_models"]

_HERE = Path(__file__).parent
#: The model of a bare `vocals`, with its stems and rate, so that to list plugins reads no card.
_USUAL, _USUAL_STEMS, _USUAL_RATE = "spleeter-2stems", ("vocals", "accompaniment"), 44100


_Share = Annotated[float, msgspec.Meta(ge=0, le=0.8)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=8)]
_Views = Annotated[int, msgspec.Meta(ge=1, le=4)]
_Decibel = Annotated[float, msgspec.Meta(ge=0, le=60)]
_Steps = Annotated[int, msgspec.Meta(ge=0, le=5)]


class VocalsParams(Params, frozen=True):
    """Parameters of `vocals`. What is left out follows the quality, or the model."""

    model: Annotated[str, param("a model's id; see `unbraid models list`", fixed=True)] = _USUAL
    quality: Annotated[
        Literal["fast", "balanced", "best"],
        param(
            "sets what is left out below; best takes 3 times as long with Spleeter, twice with others",
            fixed=True,
        ),
    ] = "balanced"
    accompaniment: Annotated[
        Literal["residual", "model"],
        param("what vocals leave of the input, to the sample; or what the model says", fixed=True),
    ] = "residual"
    segment: Annotated[
        float, param("length that the model hears at once; 0: its own", unit="s", ge=0, le=60, fixed=True)
    ] = 0.0
    overlap: Annotated[_Share | None, param("share of a segment that neighbours share", fixed=True)] = None
    shifts: Annotated[
        _Count | None, param("displaced grids of segments, averaged; n take n times as long", fixed=True)
    ] = None
    refine: Annotated[
        _Steps | None, param("steps of the multichannel Wiener filter; Spleeter's only", fixed=True)
    ] = None
    views: Annotated[
        _Views | None,
        param("pitches it is heard at, averaged; n take n times as long; Spleeter's only", fixed=True),
    ] = None
    bleed: Annotated[
        _Decibel | None,
        param("most by which vocals are turned down where nobody sings; Spleeter's only", fixed=True),
    ] = None


def _card(params: VocalsParams) -> ModelCard:
    """Return the card of the model, which must know vocals.

    Raises:
        ParamsError: there is no such model, or it gives no vocals.
    """
    from .separators.architectures import chosen_card

    card = chosen_card(params.model)
    if "vocals" not in card.stems or card.channels > 2:
        stems = ", ".join(card.stems)
        fault = f"model = {params.model!r} gives {stems} ({card.layout}): no vocals of mono or stereo"
        raise ParamsError({"model": fault})
    return card


def _stems(params: VocalsParams) -> tuple[str, ...]:
    return _USUAL_STEMS if params.model == _USUAL else _card(params).stems


def outputs_of(stems: tuple[str, ...]) -> tuple[str, ...]:
    """Return the plugin's outputs with a model: vocals, accompaniment, then what else the model gives."""
    return ("vocals", "accompaniment", *(name for name in stems if name not in {"vocals", "accompaniment"}))


def _ports(params: VocalsParams) -> Ports:
    docs = {"vocals": "the voices", "accompaniment": "everything else"}
    outputs = tuple(Port(name, docs.get(name, "")) for name in outputs_of(_stems(params)))
    return Ports((Port("in", "a mixture", ("mono", "stereo")),), outputs)


def _residuals(params: VocalsParams) -> dict[str, tuple[str, ...]]:
    if params.accompaniment == "model":
        return {}
    stems = _stems(params)
    found: dict[str, tuple[str, ...]] = {"accompaniment": ("vocals",)}
    if "other" in stems:
        found["other"] = tuple(stem for stem in stems if stem not in {"other", "accompaniment"})
    return found


def _layouts(params: VocalsParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    from .separators.architectures import grid_of

    if params.model != _USUAL:
        grid_of(_card(params))  # a card that cannot be used is told before anything runs
    return same_layout(_ports(params), inputs)


def _rates(params: VocalsParams) -> tuple[int, ...]:
    return (_USUAL_RATE if params.model == _USUAL else _card(params).rate,)


def _devices(params: VocalsParams) -> tuple[str, ...]:
    from .separators.architectures import devices_of

    return ("cpu", "cuda") if params.model == _USUAL else devices_of(_card(params))


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the vocals plugin."""
    return [
        PluginCard(
            id="vocals",
            name="Vocals",
            version="0.1.0",
            licence="MIT; each model states its own",
            doc="Takes voices out of music by a model; with four stems also drums, bass, other.",
            factory="unbraid.plugins.vocal_separator:Vocals",
            params=VocalsParams,
            ports_for=_ports,
            layouts_for=_layouts,
            residual_for=_residuals,
            rates_for=_rates,
            devices=("cpu", "cuda"),
            devices_for=_devices,
            realtime=False,
        ),
    ]


@hookimpl
def unbraid_graphs() -> dict[str, Path]:
    """Return the ready-made graphs around vocals."""
    names = ("vocals", "karaoke", "stems", "dialogue-music-effects", "dialogue-music-effects-5.1")
    return {name: _HERE / "graphs" / f"{name}.yaml" for name in names}


@hookimpl
def unbraid_models() -> list[Path]:
    """Return where the cards of published models are."""
    return [_HERE / "models"]
