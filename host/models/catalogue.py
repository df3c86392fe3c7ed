"""Every model that is known: cards of installed packages and the user's own, which are data only."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from ..contract.errors import nearest, one_line
from ..registry import SWITCH, Fault, Registry
from .card_document import read_card
from .errors import ModelCardError, UnknownModelError
from .places import user_cards_folder

if TYPE_CHECKING:
    from pathlib import Path

    from .card import ModelCard

__all__ = ["YOURS", "Catalogue", "model_card"]

#: Where a card from the user's folder is said to come from.
YOURS = "your own cards"


@dataclass
class Catalogue:
    """Cards by id, and what could not be used.

    Attributes:
        cards: by id.
        origins: by id, the distribution that brings the card, or `YOURS`.
        places: by id, the card's file.
        faults: cards that are left out, each with its place, why, and what to do.

    Example:
        >>> catalogue = Catalogue()
        >>> catalogue.cards
        {}
    """

    cards: dict[str, ModelCard] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    places: dict[str, Path] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._twice: dict[str, list[Path]] = {}

    @classmethod
    def discover(cls, registry: Registry | None = None) -> Catalogue:
        """Read the cards that plugin packages name (hook ``unbraid_models``), then the user's folder.

        Args:
            registry: where the packages' hooks were asked; by default they are asked, once in a process for
                each ``sys.path``.
        """
        catalogue = cls()
        models = _packaged(os.environ.get(SWITCH, ""), *sys.path) if registry is None else registry.models
        for path, package in models.items():
            catalogue.add(path, package)
        if (own := user_cards_folder()).is_dir():
            catalogue.add(own, YOURS)
        return catalogue

    def add(self, path: Path, package: str) -> None:
        """Take a card's file, or every ``*.yaml`` of a folder; what is wrong with one becomes a fault."""
        try:
            files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        except OSError as error:
            self.faults.append(Fault(str(path), package, f"cannot be read: {one_line(error)}"))
            return
        for file in files:
            try:
                self._take(_read(file), file, package)
            except ModelCardError as error:
                self.faults += [
                    Fault(str(problem.place), package, problem.message, problem.remedy)
                    for problem in error.problems
                ]

    def _take(self, card: ModelCard, path: Path, package: str) -> None:
        if card.id not in self.cards and card.id not in self._twice:
            self.cards[card.id], self.origins[card.id], self.places[card.id] = card, package, path
            return
        if card.id in self.cards:
            del self.cards[card.id], self.origins[card.id]
            self._twice[card.id] = [self.places.pop(card.id)]
        self._twice[card.id].append(path)
        reason = f"model id {card.id!r} is also in {self._twice[card.id][0]}: none of them is used"
        self.faults.append(Fault(str(path), package, reason, "remove one, or uninstall what brings it"))

    def card(self, model: str) -> ModelCard:
        """Return the card with this id.

        Raises:
            UnknownModelError: there is none (the text offers the nearest), or several files bring it.
        """
        if model in self._twice:
            places = " and in ".join(str(path) for path in self._twice[model])
            raise UnknownModelError(f"model id {model!r} stands in {places}; remove one")
        if model not in self.cards:
            left = f" ({len(self.faults)} faults in cards: unbraid models list)" if self.faults else ""
            raise UnknownModelError(f"unknown model {model!r}; {nearest(model, self.cards)}{left}")
        return self.cards[model]


@lru_cache(maxsize=8)
def _packaged(*_: str) -> dict[Path, str]:
    return Registry.discover(only="unbraid_models").models


def _read(path: Path) -> ModelCard:
    """Read a card; one that has not changed since is not taken apart again."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return read_card(path)  # which says what is wrong
    return _read_state(path, found.st_mtime_ns, found.st_size, found.st_ino)


@lru_cache(maxsize=256)
def _read_state(path: Path, *_: int) -> ModelCard:
    return read_card(path)


def model_card(model: str) -> ModelCard:
    """Return the card of a model, as installed packages and the user's folder have it now.

    Light: it reads YAML, and loads no weights, so a plugin may ask while a graph is checked, and while its
    own card is made.

    Raises:
        UnknownModelError: as `Catalogue.card`.
    """
    return Catalogue.discover().card(model)
