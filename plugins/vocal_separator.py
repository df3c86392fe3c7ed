"""The node `vocals`: a model over overlapping segments, refined, with an exact accompaniment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..host.contract.errors import PluginError
from .separators.architectures import chosen_card
from .separators.model_node import ModelNode
from .separators.separator import Care, CarefulSeparator
from .vocals import VocalsParams, outputs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ..host.contract.audio import Spec
    from ..host.models import ModelCard

    Array = npt.NDArray[np.float32]

__all__ = ["Vocals"]


@dataclass(frozen=True, slots=True)
class _Effort:
    """What a quality stands for: the overlap of segments, grids that are averaged, and the care.

    An overlap of None is that of the model's authors.
    """

    overlap: float | None
    shifts: int
    care: Care


#: For models that can be heard with care, and for others.
_CAREFUL = {
    "fast": _Effort(0.03, 1, Care(refine=1, bleed=30)),
    "balanced": _Effort(0.125, 1, Care(refine=1, bleed=30)),
    "best": _Effort(0.125, 1, Care(refine=1, views=3, bleed=30)),
}
_PLAIN = {
    "fast": _Effort(0.1, 1, Care()),
    "balanced": _Effort(None, 1, Care()),
    "best": _Effort(None, 2, Care()),
}


class Vocals(ModelNode[VocalsParams]):
    """Runs a model of any architecture that Unbraid knows.

    Grids that are averaged are one grid of so many times as many segments: every sample lies in
    ``shifts`` times as many of them.
    """

    batch: ClassVar[int] = 1

    def chosen(self) -> ModelCard:
        """Return the card that the parameters name."""
        return chosen_card(self.params.model)

    def stems_for(self, spec: Spec) -> tuple[str, ...]:
        """Return the outputs that are connected, and find out how much care is to be taken.

        Raises:
            PluginError: a parameter asks for care that the model does not know.
        """
        self._effort = self._chosen_effort()
        return tuple(name for name in outputs_of(self.card.stems) if name in spec.outputs)

    def _chosen_effort(self) -> _Effort:
        params, grid = self.params, self.grid
        asked = {"refine": params.refine, "views": params.views, "bleed": params.bleed}
        for name, value in asked.items():
            if value is not None and not grid.views:
                raise PluginError(
                    f"{name} = {value:g}: the model {params.model} does not know it; leave it out"
                )
        usual = (_CAREFUL if grid.views else _PLAIN)[params.quality]
        care = Care(
            usual.care.refine if params.refine is None else params.refine,
            usual.care.views if params.views is None else params.views,
            usual.care.bleed if params.bleed is None else params.bleed,
        )
        overlap = grid.overlap if usual.overlap is None else usual.overlap
        return _Effort(
            overlap if params.overlap is None else params.overlap,
            usual.shifts if params.shifts is None else params.shifts,
            care,
        )

    def geometry(self, spec: Spec) -> tuple[int, int, int]:
        """Return the segment that the model takes, the step between segments, and one in a batch."""
        segment = self.grid.samples(self.params.segment, spec.rate)
        hop = round(segment * (1 - (self._effort.overlap or 0.0)) / self._effort.shifts)
        return segment, max(1, hop), 1

    def separate(self, batch: Array) -> Array:
        """Return the outputs that are connected."""
        import numpy as np

        channels = batch.shape[1]
        mixture = np.repeat(batch, 2, axis=1) if channels < self.card.channels else batch
        stems = self._separated(mixture)
        if channels < self.card.channels:
            stems = stems.mean(axis=2, keepdims=True)
        by_name = dict(zip(self.card.stems, np.moveaxis(stems, 1, 0), strict=True))
        if "accompaniment" not in by_name:
            rest = [stem for name, stem in by_name.items() if name != "vocals"]
            by_name["accompaniment"] = np.sum(rest, axis=0, dtype=np.float32)
        return np.stack([by_name[name] for name in self.stems], axis=1)

    def _separated(self, mixture: Array) -> Array:
        """Return the model's stems, each channel by itself where it takes one and there are two."""
        batch, channels, samples = mixture.shape
        if channels == self.card.channels:
            return self._made_carefully(mixture)
        alone = self._made_carefully(mixture.reshape(batch * channels, 1, samples))
        return alone.reshape(batch, channels, -1, samples).swapaxes(1, 2)

    def _made_carefully(self, mixture: Array) -> Array:
        if isinstance(self.model, CarefulSeparator):
            return self.model.separate_carefully(mixture, self._effort.care)
        return self.model.separate(mixture)

    def findings(self) -> Mapping[str, float | str]:
        """Return the model with its licences, and the segment that came nearest where one was asked for."""
        found = dict(super().findings())
        if self.params.segment:
            rate = self.card.rate
            found["segment / s"] = self.grid.samples(self.params.segment, rate) / rate
        return found
