"""What nodes around a model share: its card, its geometry, when it loads, and what the report says of it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

from ...host.contract.errors import PluginError
from ...host.contract.params import Params
from ...host.contract.segment_processor import SegmentProcessor
from .architectures import architecture_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...host.contract.audio import Spec
    from ...host.models import ModelCard
    from .separator import Geometry, Separator

__all__ = ["ModelNode"]

P = TypeVar("P", bound=Params)


class ModelNode(SegmentProcessor[P]):
    """A node that runs one model over overlapping segments.

    Attributes:
        card: the model's, from prepare on.
        grid: its geometry.
    """

    card: ModelCard
    grid: Geometry
    _model: Separator | None = None

    @abstractmethod
    def chosen(self) -> ModelCard:
        """Return the card that the parameters name."""

    def stems_for(self, spec: Spec) -> tuple[str, ...]:  # noqa: ARG002 - nodes may use it
        """Return what `separate` gives: by default the model's stems."""
        return self.card.stems

    def prepare(self, spec: Spec) -> None:
        """Load the model and allocate the segments.

        Raises:
            ModelError: the model is not here, or is not what its card says.
            PluginError: what runs it is not installed, or it takes other segments.
        """
        self.card = self.chosen()
        architecture = architecture_of(self.card)
        self.grid = architecture.geometry(self.card)
        self.stems = self.stems_for(spec)
        super().prepare(spec)
        self._model = architecture.load(self.card, spec.device)

    @property
    def model(self) -> Separator:
        """The model.

        Raises:
            PluginError: it is not loaded.
        """
        if self._model is None:
            raise PluginError("prepare() comes first")
        return self._model

    def findings(self) -> Mapping[str, float | str]:
        """Return the model with its licences."""
        return {"model": self.card.notice}

    def release(self) -> None:
        """Give back the segments and the model."""
        super().release()
        self._model = None
