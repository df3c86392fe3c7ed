"""Normalisation of loudness: the programme is measured whole, then every stem gets the same gain.

Sources: EBU R 128, 2023 (target and true-peak ceiling); ITU-R BS.1770-4 (loudness, true peak).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..host.contract.analysis_processor import AnalysisProcessor
from ..host.contract.compiled import Compiled
from ..host.contract.errors import PluginError
from ..kernels.errors import KernelError
from ..kernels.loudness import LoudnessMeter
from ..kernels.nodes import MixState
from ..kernels.true_peak import TruePeakMeter
from .loudness import NormalizeParams

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..host.contract.audio import Layout, Spec
    from ..host.contract.processor import Array

__all__ = ["Normalize"]


class Normalize(AnalysisProcessor[NormalizeParams]):
    """One gain for all stems, found from the loudness of their sum, or of one of them.

    The gain is the smallest of what the target asks for, what ``most`` allows, and what leaves the true peak
    of the stems' sum at the ceiling; stems whose layouts differ have no sum, so there each keeps to it.
    A programme without loudness (silent, or shorter than the 400 ms of a measurement) stays as it is.
    """

    def prepare(self, spec: Spec) -> None:
        """Allocate the meters.

        Raises:
            PluginError: the rate is beyond what loudness is measured at.
        """
        super().prepare(spec)
        layouts = [*spec.inputs.values()]
        measured = self.params.measure
        layout = layouts[0] if measured == "sum" else spec.inputs[measured]
        self._together = all(other == layouts[0] for other in layouts)
        try:
            self._meter = LoudnessMeter(layout.roles, spec.rate)
            peaks = layouts[:1] if self._together else layouts
            self._peaks = [TruePeakMeter(other.channels, spec.rate) for other in peaks]
        except KernelError as error:
            raise PluginError(str(error)) from None
        self._room = np.empty(layouts[0].channels * spec.max_block, np.float32)
        self._scale = MixState(_channels(spec.outputs.values()), np.ones(1, np.float32))
        self._found: dict[str, float | str] = {}

    def begin(self, number: int) -> None:  # noqa: ARG002 - there is one pass
        """Forget what was measured."""
        self._meter.reset()
        for meter in self._peaks:
            meter.reset()

    def analyse(self, ins: Mapping[str, Array]) -> None:
        """Measure the next samples."""
        stems = [*ins.values()]
        blocks = [self._sum(stems)] if self._together else stems
        self._meter.push(blocks[0] if self.params.measure == "sum" else ins[self.params.measure])
        for meter, block in zip(self._peaks, blocks, strict=True):
            meter.push(block)

    def _sum(self, stems: Sequence[Array]) -> Array:
        if len(stems) == 1:
            return stems[0]
        total = self._room[: stems[0].size].reshape(stems[0].shape)
        with np.errstate(all="ignore"):  # what is not finite, or overflows, counts as silence
            np.add(stems[0], stems[1], out=total)
            for stem in stems[2:]:
                total += stem
        return total

    def finish(self) -> None:
        """Find the gain."""
        peak = max(meter.true_peak for meter in self._peaks)
        level = self._meter.integrated
        gain, why = self._gain(level, peak)
        self._scale.gains[:] = 10 ** (gain / 20)
        found: dict[str, float | str] = {
            "loudness / LUFS": level,
            "loudness range / LU": self._meter.range,
            "true peak / dBTP": peak,
            "gain / dB": gain,
            "loudness after / LUFS": self._meter.integrated_after(gain),
            "gain limited by": why,
        }
        if any(role.isdecimal() for role in self._meter.roles):
            found["channels"] = "without names: each counts like a front one"
        self._found = {name: value for name, value in found.items() if value not in {-math.inf, math.inf, ""}}

    def _gain(self, level: float, peak: float) -> tuple[float, str]:
        """The gain in dB, and what kept it from reaching the target; nothing where it does."""
        if level == -math.inf:
            if self._meter.seconds < 0.4:
                return 0.0, "nothing: shorter than 400 ms"
            return 0.0, "nothing: silent, or below -70 LUFS throughout"
        gain = 0.0
        for _ in range(8):  # the gain may lift quiet passages over the gate at -70 LUFS, or take them below
            gain += self.params.target - self._meter.integrated_after(gain)
        limits = [
            (gain, ""),
            (self.params.most, f"most, {self.params.most:g} dB"),
            (self.params.ceiling - peak - 1e-5, f"ceiling, {self.params.ceiling:g} dBTP"),
        ]
        return min(limits)

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Scale each stem."""
        for name, out in outs.items():
            np.multiply(ins[name if self.params.stems else "in"], self._scale.gains[0], out=out)

    def compiled(self) -> Compiled | None:
        """Return the gain as compiled code, where every stem is asked for."""
        if len(self.spec.outputs) < len(self.spec.inputs):
            return None
        return Compiled(self._scale.function, self._scale.address, self._scale)

    def findings(self) -> Mapping[str, float | str]:
        """Return what was measured, the gain, and what limited it."""
        return dict(self._found)


def _channels(layouts: Iterable[Layout]) -> int:
    return sum(layout.channels for layout in layouts)
