"""Card of the plugin `model`: any model with a card, such as one that somebody exported themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec

from ..host.contract.card import PluginCard, same_layout
from ..host.contract.hooks import hookimpl
from ..host.contract.params import Params, ParamsError, param
from ..host.contract.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..host.contract.audio import Layout
    from ..host.models import Checkpoint, ModelCard

__all__ = ["ModelParams", "card_of", "per_channel", "unbraid_cards", "unbraid_describe_checkpoint"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_Share = Annotated[float, msgspec.Meta(ge=0, le=0.9)]


class ModelParams(Params, frozen=True):
    """Parameters of `model`. What is left out follows the model's card."""

    model: Annotated[str, param("id of a model; `unbraid models list` has them", fixed=True)] = ""
    segment: Annotated[
        float, param("length that the model hears at once; 0: its own", unit="s", ge=0, le=120, fixed=True)
    ] = 0.0
    overlap: Annotated[_Share | None, param("share of a segment that neighbours share", fixed=True)] = None
    batch: Annotated[
        int, param("segments that the model is given at once; a GPU likes more", ge=1, le=64, fixed=True)
    ] = 1
    residual: Annotated[
        str, param("name of a further output: the input minus all stems, to the sample", fixed=True)
    ] = ""


def card_of(params: ModelParams) -> ModelCard:
    """Return the card of the model that the parameters name.

    Raises:
        ParamsError: no model is named, or there is none of that name.
    """
    from .separators.architectures import chosen_card

    if not params.model:
        raise ParamsError(
            {
                "model": "model is not set: write model: ID; `unbraid models list` shows them, "
                "`unbraid models import FILE --card CARD.yaml` adds yours"
            }
        )
    return chosen_card(params.model)


def per_channel(card: ModelCard) -> bool:
    """Return whether a model of one channel is to be run on every channel by itself."""
    return card.channels == 1 and card.options.get("per_channel") is True


def _ports(params: ModelParams) -> Ports:
    if not params.model:  # so that the plugin can be listed; `_layouts` says what is missing
        return Ports((Port("in"),), (Port("out", "a stem; each model has its own"),))
    card = card_of(params)
    outputs = [Port(stem) for stem in card.stems]
    if params.residual:
        if not _NAME.fullmatch(params.residual) or params.residual in card.stems:
            fault = f"residual = {params.residual!r} must be a name other than {', '.join(card.stems)}"
            raise ParamsError({"residual": fault})
        outputs.append(Port(params.residual, "the input without all stems"))
    accepted = () if per_channel(card) else (card.layout,)
    return Ports((Port("in", "a mixture", accepted),), tuple(outputs))


def _layouts(params: ModelParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    from .separators.architectures import grid_of

    grid_of(card_of(params))  # a card that cannot be used is told before anything runs
    return same_layout(_ports(params), inputs)


def _rates(params: ModelParams) -> tuple[int, ...]:
    return (card_of(params).rate,) if params.model else ()


def _residual(params: ModelParams) -> str | None:
    return params.residual or None if params.model else None


@hookimpl
def unbraid_describe_checkpoint(checkpoint: Checkpoint) -> ModelCard | None:
    """Return a card for a checkpoint of a network that Unbraid knows."""
    from .separators.checkpoint_cards import card_for

    return card_for(checkpoint)


def _devices(params: ModelParams) -> tuple[str, ...]:
    from .separators.architectures import devices_of

    return devices_of(card_of(params)) if params.model else ("cpu", "cuda")


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the model plugin."""
    return [
        PluginCard(
            id="model",
            name="Model",
            version="0.1.0",
            licence="MIT; each model states its own",
            doc="Runs any model that has a card: ONNX, torch.export, and all that Unbraid knows.",
            factory="unbraid.plugins.model_runner:ModelRunner",
            params=ModelParams,
            ports_for=_ports,
            layouts_for=_layouts,
            residual_for=_residual,
            rates_for=_rates,
            devices=("cpu", "cuda"),
            devices_for=_devices,
            realtime=False,
        ),
    ]
