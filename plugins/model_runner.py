"""The node `model`: a model over overlapping segments, its stems as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..host.contract.errors import PluginError
from ..host.contract.segment_processor import SegmentProcessor
from .model import ModelParams, card_of
from .separators.architectures import architecture_of
from .separators.waveform_model import WaveformSeparator

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ..host.contract.audio import Spec
    from ..kernels.crossfade import Fade
    from .separators.separator import Geometry, Separator

__all__ = ["ModelRunner"]


class ModelRunner(SegmentProcessor[ModelParams]):
    """Runs a model of any architecture that Unbraid knows."""

    fade: ClassVar[Fade] = "linear"
    _model: Separator | None = None

    def prepare(self, spec: Spec) -> None:
        """Load the model and allocate the segments.

        Raises:
            ModelError: the model is not here, or is not what its card says.
            PluginError: no model is named, what runs it is not installed, or it takes other segments.
        """
        self._card = card_of(self.params)
        architecture = architecture_of(self._card)
        self._grid: Geometry = architecture.geometry(self._card)
        self.stems = self._card.stems
        super().prepare(spec)
        self._model = architecture.load(self._card, spec.device)
        if isinstance(self._model, WaveformSeparator):
            self._model.require(self._grid.samples(self.params.segment, spec.rate))

    def geometry(self, spec: Spec) -> tuple[int, int, int]:
        """Return the segment and its step as the parameters or the card say, and the batch."""
        segment = self._grid.samples(self.params.segment, spec.rate)
        overlap = self._grid.overlap if self.params.overlap is None else self.params.overlap
        return segment, max(1, round(segment * (1 - overlap))), self.params.batch

    def separate(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return all the stems of the model."""
        if self._model is None:
            raise PluginError("prepare() comes first")
        return self._model.separate(batch)

    def findings(self) -> Mapping[str, float | str]:
        """Return the model with its licences."""
        return {"model": self._card.notice}

    def release(self) -> None:
        """Give back the segments and the model."""
        super().release()
        self._model = None
