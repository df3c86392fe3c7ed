"""The node `speakers`: a model over overlapping segments, its speakers kept in order from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .separators.model_node import ModelNode
from .speakers import SpeakersParams, speakers_card
from .speakers_order import best_order, mixture_consistent, mixture_level

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..host.contract.audio import Spec
    from ..host.models import ModelCard

    Array = npt.NDArray[np.float32]

__all__ = ["Speakers"]


class Speakers(ModelNode[SpeakersParams]):
    """Runs a model that separates speakers.

    Each segment is brought to the mixture's level by itself, and put in the order that goes on best from the
    segment before, where they overlap. The order is lost where nobody speaks for as long as the overlap:
    then who was speaker 1 may go on as speaker 2.
    """

    batch: ClassVar[int] = 1  # they come one by one, in order, live or not

    def chosen(self) -> ModelCard:
        """Return the card that the parameters name."""
        return speakers_card(self.params)

    def geometry(self, spec: Spec) -> tuple[int, int, int]:
        """Return the segment that the model takes, the step between segments, and one in a batch."""
        segment = self.grid.samples(self.params.segment, spec.rate)
        return segment, max(1, round(segment * (1 - self.params.overlap))), self.batch

    def reset(self) -> None:
        """Start afresh with the present parameters; who was who is forgotten."""
        super().reset()
        self._past: tuple[int, Array] | None = None

    def separate(self, batch: Array) -> Array:
        """Return the speakers, in order."""
        stems = self.model.separate(batch)[:, :, 0].copy()
        for speakers, mixture, start, params in zip(
            stems, batch[:, 0], self.batch_starts, self.batch_params, strict=True
        ):
            if params.level == "mixture":
                speakers[:] = mixture_level(speakers, mixture)
            speakers[:] = speakers[list(self._order_of(speakers, start))]
            self._past = start, speakers.copy()
            if params.consistent:
                speakers[:] = mixture_consistent(speakers, mixture)
        return stems[:, :, None]

    def _order_of(self, speakers: Array, start: int) -> tuple[int, ...]:
        """Return the order of a segment's speakers that goes on from the segment before."""
        length = speakers.shape[1]
        if self._past is None or start - self._past[0] >= length:
            return tuple(range(len(speakers)))
        begun, past = self._past
        shared = length - (start - begun)
        return best_order(past[:, -shared:], speakers[:, :shared])
