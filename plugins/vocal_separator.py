"""The node `vocals`: a model over overlapping segments, refined, with an exact accompaniment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..host.contract.errors import PluginError
from ..host.contract.segment_processor import SegmentProcessor
from .separators.architectures import architecture_of, chosen_card
from .separators.separator import Care, CarefulSeparator
from .vocals import VocalsParams, outputs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ..host.contract.audio import Spec
    from ..kernels.crossfade import Fade
    from .separators.separator import Geometry, Separator

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


class Vocals(SegmentProcessor[VocalsParams]):
    """Runs a model of any architecture that Unbraid knows.

    Grids that are averaged are one grid of so many times as many segments: every sample lies in
    ``shifts`` times as many of them.
    """

    batch: ClassVar[int] = 1
    _model: Separator | None = None
    fade: ClassVar[Fade] = "linear"

    def prepare(self, spec: Spec) -> None:
        """Load the model and allocate the segments.

        Raises:
            ModelError: the model is not here, or is not what its card says.
            PluginError: what runs it is not installed, or a segment is too long for it.
        """
        self._card = chosen_card(self.params.model)
        architecture = architecture_of(self._card)
        self._grid: Geometry = architecture.geometry(self._card)
        self._effort = self._chosen_effort()
        self._made = tuple(name for name in outputs_of(self._card.stems) if name in spec.outputs)
        self.stems = self._made
        super().prepare(spec)
        self._model = architecture.load(self._card, spec.device)

    def _chosen_effort(self) -> _Effort:
        params, grid = self.params, self._grid
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
        segment = self._grid.samples(self.params.segment, spec.rate)
        hop = round(segment * (1 - (self._effort.overlap or 0.0)) / self._effort.shifts)
        return segment, max(1, hop), 1

    def separate(self, batch: Array) -> Array:
        """Return the outputs that are connected."""
        import numpy as np

        channels = batch.shape[1]
        mixture = np.repeat(batch, 2, axis=1) if channels < self._card.channels else batch
        stems = self._separated(mixture)
        if channels < self._card.channels:
            stems = stems.mean(axis=2, keepdims=True)
        by_name = dict(zip(self._card.stems, np.moveaxis(stems, 1, 0), strict=True))
        if "accompaniment" not in by_name:
            rest = [stem for name, stem in by_name.items() if name != "vocals"]
            by_name["accompaniment"] = np.sum(rest, axis=0, dtype=np.float32)
        return np.stack([by_name[name] for name in self._made], axis=1)

    def _separated(self, mixture: Array) -> Array:
        """Return the model's stems, each channel by itself where it takes one and there are two."""
        batch, channels, samples = mixture.shape
        if channels == self._card.channels:
            return self._made_carefully(mixture)
        alone = self._made_carefully(mixture.reshape(batch * channels, 1, samples))
        return alone.reshape(batch, channels, -1, samples).swapaxes(1, 2)

    def _made_carefully(self, mixture: Array) -> Array:
        assert self._model is not None  # noqa: S101 - prepare() comes first
        if isinstance(self._model, CarefulSeparator):
            return self._model.separate_carefully(mixture, self._effort.care)
        return self._model.separate(mixture)

    def findings(self) -> Mapping[str, float | str]:
        """Return the model with its licences, and the segment that came nearest where one was asked for."""
        found: dict[str, float | str] = {"model": self._card.notice}
        if self.params.segment:
            rate = self._card.rate
            found["segment / s"] = self._grid.samples(self.params.segment, rate) / rate
        return found

    def release(self) -> None:
        """Give back the segments and the model."""
        super().release()
        self._model = None
