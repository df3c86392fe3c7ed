"""Card of the plugin `speakers`, and the cards of the models that it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from ..host.contract.card import PluginCard
from ..host.contract.errors import LayoutRefusedError
from ..host.contract.hooks import hookimpl
from ..host.contract.params import Params, ParamsError, param
from ..host.contract.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..host.contract.audio import Layout
    from ..host.models import ModelCard

__all__ = ["MOST_SPEAKERS", "SpeakersParams", "speakers_card", "unbraid_cards", "unbraid_models"]

#: The model of a bare `speakers`, how many it separates and its rate, so that to list plugins reads no cards.
_USUAL = "convtasnet-libri2mix-16k"
_USUAL_SPEAKERS, _USUAL_RATE = 2, 16000
#: Every order of so many can be tried in each segment.
MOST_SPEAKERS = 6


class SpeakersParams(Params, frozen=True):
    """Parameters of `speakers`."""

    model: Annotated[str, param("a model's id; see `unbraid models list`", fixed=True)] = _USUAL
    segment: Annotated[
        float, param("length that the model hears at once; 0: its own", unit="s", ge=0, le=120, fixed=True)
    ] = 0.0
    overlap: Annotated[
        float,
        param(
            "share of a segment that neighbours share, and are put in order by", ge=0.1, le=0.9, fixed=True
        ),
    ] = 0.5
    level: Annotated[
        Literal["mixture", "model"],
        param("speakers as loud as they are in the mixture, or at whatever scale the model has"),
    ] = "mixture"
    consistent: Annotated[
        bool, param("what speakers lack of the mixture is spread over them, so that they sum to it")
    ] = False


def speakers_card(params: SpeakersParams) -> ModelCard:
    """Return the card of the model, which must separate speakers.

    Raises:
        ParamsError: there is no such model, or it is no model of speakers in mono.
    """
    from .separators.architectures import chosen_card

    card = chosen_card(params.model)
    if card.channels != 1 or card.stems != _names(len(card.stems)) or len(card.stems) > MOST_SPEAKERS:
        raise ParamsError(
            {
                "model": f"model = {params.model!r} gives {', '.join(card.stems)} ({card.layout}): it must "
                f"take mono and give speaker_1 to at most speaker_{MOST_SPEAKERS}; for music see `vocals`, "
                "for anything else `model`"
            }
        )
    return card


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"speaker_{speaker + 1}" for speaker in range(count))


def _ports(params: SpeakersParams) -> Ports:
    count = _USUAL_SPEAKERS if params.model == _USUAL else len(speakers_card(params).stems)
    speakers = tuple(Port(name, "one of the voices, the same throughout") for name in _names(count))
    rest = Port("rest", "what the speakers leave of the input: noise, music, what is above the model's rate")
    return Ports((Port("in", "voices that talk at once, mono"),), (*speakers, rest))


def _rates(params: SpeakersParams) -> tuple[int, ...]:
    return (_USUAL_RATE if params.model == _USUAL else speakers_card(params).rate,)


def _layouts(params: SpeakersParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    if inputs["in"].channels != 1:
        raise LayoutRefusedError(
            f"its input 'in' takes mono, not {inputs['in']}: put a `split` before it and take one part"
        )
    return {port.name: inputs["in"] for port in _ports(params).outputs}


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the speakers plugin."""
    return [
        PluginCard(
            id="speakers",
            name="Speakers",
            version="0.1.0",
            licence="MIT; each model states its own",
            doc="Separates people who talk at once, by a model, each in a stem of their own throughout.",
            factory="unbraid.plugins.speakers_node:Speakers",
            params=SpeakersParams,
            ports_for=_ports,
            layouts_for=_layouts,
            residual="rest",
            rates_for=_rates,
            devices=("cpu", "cuda"),
            realtime=False,
        ),
    ]


@hookimpl
def unbraid_models() -> list[Path]:
    """Return where the cards of published models are."""
    return [Path(__file__).parent / "models"]
