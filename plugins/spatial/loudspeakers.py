"""A scene for loudspeakers, as a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...host.contract.audio import Layout
from ...host.contract.processor import BlockProcessor
from ...kernels.scene_render import SceneRender
from ..upmix import LoudspeakersParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...host.contract.audio import Spec
    from ...host.contract.processor import Array
    from ...host.contract.scene import SceneShape

__all__ = ["Loudspeakers", "render_of"]


def render_of(shape: SceneShape, layout: str, rate: int) -> SceneRender:
    """Return what renders a scene to a named layout at a rate in Hz."""
    beds = [Layout.parse(bed.layout).roles for bed in shape.beds]
    return SceneRender(beds, len(shape.objects), shape.ramp(rate), Layout.parse(layout).roles)


class Loudspeakers(BlockProcessor[LoudspeakersParams]):
    """Beds and objects to channels, without latency."""

    def prepare(self, spec: Spec) -> None:
        """Find the gains of the beds."""
        super().prepare(spec)
        shape = spec.inputs["in"].scene
        assert shape is not None  # noqa: S101 - the card refuses all else
        self._render = render_of(shape, self.params.layout, spec.rate)

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Render."""
        if "out" in outs:
            self._render.process(ins["in"], outs["out"])

    def reset(self) -> None:
        """Forget where objects were."""
        self._render.reset()
