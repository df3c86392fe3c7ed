"""A scene made ready for a file: one gain for all of it, found from a render (ITU-R BS.1770)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...host.contract.analysis_processor import AnalysisProcessor
from ...host.contract.audio import Layout
from ...host.contract.errors import PluginError
from ...kernels.errors import KernelError
from ...kernels.loudness import LoudnessMeter
from ..upmix import AdmParams
from .loudspeakers import render_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...host.contract.audio import Spec
    from ...host.contract.processor import Array
    from ...host.contract.scene import SceneShape

__all__ = ["TARGETS", "Adm", "Target"]

_RENDER = "5.1"


@dataclass(frozen=True)
class Target:
    """What a delivery asks for, measured on the 5.1 render.

    Attributes:
        loudness: LUFS.
        ceiling: the most true peak, dBTP.
        dialogue: measure the dialogue's objects alone, where there are any.
    """

    loudness: float
    ceiling: float
    dialogue: bool = False


#: Sources: EBU R 128 (2023); Netflix Sound Mix Specifications (dialogue-gated, peaks of the 5.1); Apple Music
#: Spatial Audio deliveries.
TARGETS = {
    "ebu-r128": Target(-23.0, -1.0),
    "netflix": Target(-27.0, -2.0, dialogue=True),
    "atmos-music": Target(-18.0, -1.0),
}


class Adm(AnalysisProcessor[AdmParams]):
    """The scene as it came, or with one gain for all of it."""

    def prepare(self, spec: Spec) -> None:
        """Prepare to measure, where there is a target.

        Raises:
            PluginError: the rate is beyond what loudness is measured at.
        """
        super().prepare(spec)
        shape = spec.inputs["in"].scene
        assert shape is not None  # noqa: S101 - the card refuses all else
        self._shape, self._gain = shape, np.float32(1)
        self._target = TARGETS.get(self.params.target)
        self._found: dict[str, float | str] = {}
        if self._target is not None:
            self._prepare_meters(shape, spec.rate)

    def _prepare_meters(self, shape: SceneShape, rate: int) -> None:
        roles = Layout.parse(_RENDER).roles
        spoken = {number for number, each in enumerate(shape.contents) if each.kind == "dialogue"}
        self._spoken = [
            row for row, each in zip(shape.object_rows, shape.objects, strict=True) if each.content in spoken
        ]
        self._alone = self._target is not None and self._target.dialogue and bool(self._spoken)
        try:
            self._meter, self._voice = LoudnessMeter(roles, rate), LoudnessMeter(roles, rate)
        except KernelError as error:
            raise PluginError(str(error)) from None
        self._render, self._voices = render_of(shape, _RENDER, rate), render_of(shape, _RENDER, rate)

    def begin(self, number: int) -> None:  # noqa: ARG002 - there is one pass
        """Forget what was measured."""
        for part in (self._meter, self._voice, self._render, self._voices):
            part.reset()

    def analyse(self, ins: Mapping[str, Array]) -> None:
        """Measure the render of the next samples."""
        block = ins["in"]
        self._meter.push(self._render.process(block))
        if self._alone:
            voices = block.copy()
            voices[[row for row in self._shape.track_rows if row not in self._spoken]] = 0
            self._voice.push(self._voices.process(voices))

    def finish(self) -> None:
        """Find the gain."""
        target = self._target
        assert target is not None  # noqa: S101 - without a target there is no pass
        meter = self._voice if self._alone else self._meter
        level, peak = meter.integrated, self._meter.true_peak
        wanted, most = target.loudness - level, target.ceiling - peak - 1e-5
        gain = min(wanted, most) if math.isfinite(level) else 0.0
        self._gain = np.float32(10 ** (gain / 20))
        of = "dialogue" if self._alone else "5.1"
        found = {f"loudness of {of} / LUFS": level, "true peak / dBTP": peak, "gain / dB": gain}
        self._found = {name: value for name, value in found.items() if math.isfinite(value)}
        if math.isfinite(level) and most < wanted:
            self._found["gain limited by"] = f"true peak, {target.ceiling:g} dBTP"

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Copy the scene; its sound with the gain."""
        if "scene" not in outs:
            return
        out = outs["scene"]
        out[:] = ins["in"]
        if self._gain != 1:
            for row in self._shape.track_rows:
                out[row] *= self._gain

    def findings(self) -> Mapping[str, float | str]:
        """Return what was measured, and the gain."""
        return dict(self._found)
