"""The node `speakers`: a model over overlapping segments, its speakers kept in order from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..host.contract.segment_processor import SegmentProcessor
from .separators.architectures import architecture_of
from .speakers import SpeakersParams, speakers_card
from .speakers_order import best_order, mixture_consistent, mixture_level

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ..host.contract.audio import Spec
    from .separators.separator import Geometry, Separator

    Array = npt.NDArray[np.float32]

__all__ = ["Speakers"]


class Speakers(SegmentProcessor[SpeakersParams]):
    """Runs a model that separates speakers.

    Each segment is brought to the mixture's level by itself, and put in the order that goes on best from the
    segment before, where they overlap. The order is lost where nobody speaks for as long as the overlap:
    then who was speaker 1 may go on as speaker 2.
    """

    batch: ClassVar[int] = 1  # they come one by one, in order, live or not
    _model: Separator | None = None

    def prepare(self, spec: Spec) -> None:
        """Load the model and allocate the segments.

        Raises:
            ModelError: the model is not here, or is not what its card says.
            PluginError: what runs it is not installed, or a segment is too long for it.
        """
        self._card = speakers_card(self.params)
        architecture = architecture_of(self._card)
        self._grid: Geometry = architecture.geometry(self._card)
        self.stems = self._card.stems
        super().prepare(spec)
        self._model = architecture.load(self._card, spec.device)

    def geometry(self, spec: Spec) -> tuple[int, int, int]:
        """Return the segment that the model takes, the step between segments, and one in a batch."""
        segment = self._grid.samples(self.params.segment, spec.rate)
        return segment, max(1, round(segment * (1 - self.params.overlap))), self.batch

    def reset(self) -> None:
        """Start afresh with the present parameters; who was who is forgotten."""
        super().reset()
        self._past: tuple[int, Array] | None = None

    def separate(self, batch: Array) -> Array:
        """Return the speakers, in order."""
        assert self._model is not None  # noqa: S101 - prepare() comes first
        stems = self._model.separate(batch)[:, :, 0].copy()
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

    def findings(self) -> Mapping[str, float | str]:
        """Return the model with its licences."""
        return {"model": self._card.notice}

    def release(self) -> None:
        """Give back the segments and the model."""
        super().release()
        self._model = None
