"""What a scene measures when it is heard: loudness and true peak of a render."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...kernels.loudness import LoudnessMeter
from ...kernels.scene_render import SceneRender
from ..contract.audio import NAMED_LAYOUTS, Layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..contract.scene import SceneShape

__all__ = ["RENDER", "SceneLoudness", "figures_of"]

#: On which loudspeakers deliveries measure.
RENDER = "5.1"


class SceneLoudness:
    """Follows a scene's stream and measures it on the loudspeakers of a layout (ITU-R BS.1770-4, EBU R 128).

    Args:
        shape: of the scene.
        rate: Hz.
        layout: of the render.
    """

    def __init__(self, shape: SceneShape, rate: int, layout: str = RENDER) -> None:
        self.layout = Layout.parse(layout)
        beds = [NAMED_LAYOUTS[bed.layout] for bed in shape.beds]
        self._render = SceneRender(beds, len(shape.objects), shape.ramp(rate), self.layout.roles)
        self.meter = LoudnessMeter(self.layout.roles, rate)

    def push(self, block: NDArray[np.float32]) -> None:
        """Take the next samples of the stream."""
        self.meter.push(self._render.process(block))

    def figures(self) -> dict[str, float]:
        """Return what was measured; see `figures_of`."""
        return figures_of(self.meter)


def figures_of(meter: LoudnessMeter) -> dict[str, float]:
    """Return what ADM's loudnessMetadata holds, by its names; what cannot be measured is left out."""
    values = {
        "integratedLoudness": meter.integrated,
        "loudnessRange": meter.range,
        "maxTruePeak": meter.true_peak,
        "maxMomentary": meter.maximum_momentary,
        "maxShortTerm": meter.maximum_short_term,
    }
    return {name: round(value, 2) for name, value in values.items() if math.isfinite(value)}
