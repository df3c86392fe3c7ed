"""A network with its weights, loaded once in a process however many nodes use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .cache import loaded_once
from .convert import load_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .card import ModelCard
    from .store import Store
    from .tensors import Weights

__all__ = ["load_network"]

T = TypeVar("T")


def load_network(
    card: ModelCard,
    build: Callable[[ModelCard, list[Weights]], T],
    *variant: Hashable,
    store: Store | None = None,
) -> T:
    """Return what ``build`` makes of a model's weights, shared by all who ask for the same.

    The weights are verified. Nobody may change what is shared: ``build`` brings a network to its device and
    into evaluation mode, and ``variant`` names the device.

    Args:
        card: the model's.
        build: takes the card and the weights of its files in the card's order.
        variant: what else shapes the result, such as the device and the type.
        store: where the files are; by default the user's store.

    Raises:
        ModelMissingError: the model is not here; there is no fallback.
        ModelCorruptError: a file is not what the card says.
        CheckpointError: a file cannot be read, or does not fit (see `check_keys`).

    Example:
        In a plugin::

            def network(self):
                card = model_card(self.params.model)
                return load_network(card, build_unet, self.spec.device)
    """
    made = f"{build.__module__}.{build.__qualname__}"
    hashes = tuple(file.sha256 for file in card.files)
    return loaded_once(
        (card.id, hashes, made, variant),
        lambda: build(card, [load_weights(card, file.name, store) for file in card.files]),
    )
