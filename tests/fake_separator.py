"""An architecture that exists for the tests: every stem is the mixture times a number from the card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.host.models import ModelCard, loaded_once
from unbraid.plugins.separators.options import Options, read_options
from unbraid.plugins.separators.separator import Geometry

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FakeOptions", "Scales", "geometry", "load"]

#: How often weights were loaded, and what every call got.
LOADED: list[str] = []
CALLS: list[tuple[int, ...]] = []


class FakeOptions(Options, frozen=True):
    """Factors of the stems, and the segment in samples."""

    scales: tuple[float, ...]
    segment: int = 1000
    most: int = 0


class Scales:
    """The model."""

    def __init__(self, scales: tuple[float, ...]) -> None:
        self._scales = np.array(scales, np.float32)

    def separate(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return each stem as its share of the mixture."""
        CALLS.append(batch.shape)
        made: npt.NDArray[np.float32] = batch[:, None] * self._scales[:, None, None]
        return made


def geometry(card: ModelCard) -> Geometry:
    """Return what the card says."""
    options = read_options(card, FakeOptions)
    return Geometry(options.segment, 0.25, 100, options.most)


def load(card: ModelCard, device: str) -> Any:
    """Return the model, once a process."""

    def build() -> Scales:
        LOADED.append(card.id)
        return Scales(read_options(card, FakeOptions).scales)

    return loaded_once((card.id, device), build)
