"""The upmix as a node: `kernels.upmix` takes each stem apart; here they become one scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...host.contract.audio import NAMED_LAYOUTS
from ...host.contract.errors import PluginError
from ...host.contract.processor import BlockProcessor
from ...host.contract.scene import MOVE
from ...kernels.panner import Panner
from ...kernels.threads import run_jobs
from ...kernels.upmix import MonoUpmix, SideChannels, StemUpmix, UpmixRule
from ..upmix import UpmixParams, kind_of, stays_in_front, stems_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...host.contract.audio import Spec
    from ...host.contract.processor import Array

__all__ = ["RATES", "Upmix"]

#: Rates at which a hundredth of a second is a whole frame step.
RATES = (44100, 48000, 88200, 96000, 192000)
_STEPS = 300
_FADES = 0.35  # seconds in which the decorrelators fall by 80 dB


class Upmix(BlockProcessor[UpmixParams]):
    """Stems to a scene's stream: the bed or beds, then the objects of one stem after the other."""

    def prepare(self, spec: Spec) -> None:
        """Build one upmix for each stem.

        Raises:
            PluginError: the rate is none of `RATES`.
        """
        super().prepare(spec)
        if spec.rate not in RATES:
            rates = ", ".join(map(str, RATES))
            raise PluginError(f"upmix runs at {rates} Hz, not {spec.rate} Hz; give stems of such a rate")
        names, params = stems_of(self.params), self.params
        kinds = params.kinds or tuple(kind_of(name) for name in names)
        roles = NAMED_LAYOUTS[params.bed]
        table, sides = _gains(), _sides(params)
        hop, ramp = spec.rate // 100, round(MOVE * spec.rate)
        rule = UpmixRule(objects=params.objects)
        self._stems: dict[str, StemUpmix | MonoUpmix] = {}
        for name, kind in zip(names, kinds, strict=True):
            mono = name in spec.inputs and spec.inputs[name].channels == 1
            self._stems[name] = (
                MonoUpmix(hop, rule)
                if mono
                else StemUpmix(
                    hop, table, len(roles), sides, ramp=ramp, rule=rule, pinned=stays_in_front(name, kind)
                )
            )
        self.latency = next(iter(self._stems.values())).latency
        self.tail = round(_FADES * spec.rate)
        self._bed = len(roles)
        self._rooms = {name: np.empty((len(roles), spec.max_block), np.float32) for name in names}

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Take every stem apart, side by side, and put them together in their order."""
        if "scene" not in outs:
            return
        out = outs["scene"]
        shared = self.params.beds == "shared"
        n, row, jobs = out.shape[1], self._bed * (1 if shared else len(self._stems)), []
        for number, (name, stem) in enumerate(self._stems.items()):
            if shared and number:  # side by side with the others, so in a room of its own until then
                bed = self._rooms[name].reshape(-1)[: self._bed * n].reshape(self._bed, n)
            else:
                bed = out[number * self._bed : (number + 1) * self._bed]
            bed[:] = 0
            jobs.append((stem, ins[name], bed, out[row : row + 5 * stem.objects]))
            row += 5 * stem.objects
        run_jobs(len(jobs), lambda: lambda number: _run(*jobs[number]))
        if shared:
            for _, _, bed, _ in jobs[1:]:
                out[: self._bed] += bed

    def reset(self) -> None:
        """Forget the signal."""
        for stem in self._stems.values():
            stem.reset()


def _run(stem: StemUpmix | MonoUpmix, block: Array, bed: Array, objects: Array) -> None:
    stem.process(np.ascontiguousarray(block), bed, objects)


def _gains() -> Any:
    """Return what an object adds to two loudspeakers, by tenths of a degree from the right to the left."""
    azimuth = np.arange(-_STEPS, _STEPS + 1) * 30 / _STEPS
    still = np.zeros_like(azimuth)
    return np.ascontiguousarray(Panner(("L", "R")).objects(np.stack([azimuth, still, still + 1, still], 1)))


def _sides(params: UpmixParams) -> SideChannels:
    """Return where a bed's ambience goes, and what that adds to two loudspeakers."""
    roles = NAMED_LAYOUTS[params.bed]
    left = [at for at, role in enumerate(roles) if role[0] == "L" and role not in {"L", "LFE"}]
    right = [roles.index("R" + roles[at][1:]) for at in left]
    high = [roles[at][1] == "t" for at in left]
    around, above = high.count(False), high.count(True)
    powers = tuple(params.height / above if up else params.surround / around for up in high)
    fold = Panner(("L", "R")).bed(roles)[left].astype(np.float64)
    return SideChannels(tuple(left), tuple(right), fold, powers)
