"""Reads what a model's card says to its architecture, as a typed struct."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from ...host.contract.errors import Place, Problem
from ...host.models import ModelCardError

if TYPE_CHECKING:
    from ...host.models import ModelCard

__all__ = ["Options", "card_fault", "read_options"]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every architecture's options: ``class MyOptions(Options, frozen=True)``."""


O = TypeVar("O", bound=Options)  # noqa: E741 - it stands for Options


def read_options(card: ModelCard, kind: type[O]) -> O:
    """Return a card's options as ``kind``.

    Raises:
        ModelCardError: one is missing, unknown or of the wrong type.
    """
    try:
        return msgspec.convert(card.options, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(kind.__struct_fields__)
        remedy = f"an architecture {card.architecture!r} knows {known}" if known else "leave options out"
        raise card_fault(card, "options", str(error), remedy) from None


def card_fault(card: ModelCard, key: str, message: str, remedy: str = "") -> ModelCardError:
    """Return the error that one key of a card deserves."""
    return ModelCardError([Problem(Place(f"model card {card.id}", None, key), message, remedy)])
