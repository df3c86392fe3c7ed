"""The node `model`: a model over overlapping segments, its stems as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import ModelParams, card_of
from .separators.model_node import ModelNode
from .separators.waveform_model import WaveformSeparator

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..host.contract.audio import Spec
    from ..host.models import ModelCard

__all__ = ["ModelRunner"]


class ModelRunner(ModelNode[ModelParams]):
    """Runs a model of any architecture that Unbraid knows."""

    def chosen(self) -> ModelCard:
        """Return the card that the parameters name."""
        return card_of(self.params)

    def prepare(self, spec: Spec) -> None:
        """Load the model, and see that it takes such segments.

        Raises:
            ModelError: the model is not here, or is not what its card says.
            PluginError: no model is named, what runs it is not installed, or it takes other segments.
        """
        super().prepare(spec)
        if isinstance(self.model, WaveformSeparator):
            self.model.require(self.grid.samples(self.params.segment, spec.rate))

    def geometry(self, spec: Spec) -> tuple[int, int, int]:
        """Return the segment and its step as the parameters or the card say, and the batch."""
        segment = self.grid.samples(self.params.segment, spec.rate)
        overlap = self.grid.overlap if self.params.overlap is None else self.params.overlap
        return segment, max(1, round(segment * (1 - overlap))), self.params.batch

    def separate(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return all the stems of the model."""
        return self.model.separate(batch)
