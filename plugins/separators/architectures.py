"""Which module knows which architecture, and what a node's ``model`` parameter means."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from ...host.contract.errors import nearest, one_line
from ...host.contract.params import ParamsError
from ...host.models import ModelCardError, UnknownModelError, model_card
from .options import card_fault

if TYPE_CHECKING:
    from ...host.models import ModelCard
    from .separator import Architecture, Geometry

__all__ = ["ARCHITECTURES", "architecture_of", "chosen_card", "devices_of", "grid_of"]

#: Modules of this package by the name that cards use.
ARCHITECTURES = {
    "bs-roformer": "roformer",
    "center": "center",
    "conv-tasnet": "conv_tasnet",
    "demucs": "demucs",
    "dprnn": "dprnn",
    "mel-band-roformer": "roformer",
    "onnx": "onnx_model",
    "open-unmix": "open_unmix",
    "spleeter": "spleeter",
    "tonal": "tonal",
    "torch-export": "exported_model",
}
#: Those that have no networks.
_CLASSICAL = frozenset({"center", "tonal"})


def architecture_of(card: ModelCard) -> Architecture:
    """Return the module of a card's architecture.

    Raises:
        ModelCardError: none is known by that name.
    """
    if card.architecture not in ARCHITECTURES:
        message = f"unknown architecture {card.architecture!r}"
        raise card_fault(card, "architecture", message, nearest(card.architecture, ARCHITECTURES))
    return cast("Architecture", import_module(f".{ARCHITECTURES[card.architecture]}", __package__))


def devices_of(card: ModelCard) -> tuple[str, ...]:
    """Return where a model can run."""
    return ("cpu",) if card.architecture in _CLASSICAL else ("cpu", "cuda")


def grid_of(card: ModelCard) -> Geometry:
    """Return the geometry of a model, whose card its architecture finds good.

    Raises:
        ParamsError: the card is of no known architecture, or does not suit it.
    """
    try:
        return architecture_of(card).geometry(card)
    except ModelCardError as error:
        raise ParamsError({"model": f"model = {card.id!r}: {one_line(error)}"}) from None


def chosen_card(model: str) -> ModelCard:
    """Return the card that a node's parameter names.

    Raises:
        ParamsError: there is none; the text offers the nearest.
    """
    try:
        return model_card(model)
    except UnknownModelError as error:
        raise ParamsError({"model": f"model = {model!r}: {error}"}) from None
