"""Nodes around trained networks: their gains in bands, applied to the spectrum one frame later."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from .bands import EDGES, FRAME, FULL_SCALE, HOP
from .choice import card_of, shipped
from .controls import LEARNT
from .features import FLOOR, KEEP, LEVEL, SPREAD, START
from .gain_node import GainNode
from .parameters import FilterParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...host.contract.audio import Spec
    from ...kernels.gain_rule import GainRule
    from .controls import Preset

__all__ = ["LearntDenoiser", "LearntWindFilter"]

P = TypeVar("P", bound=FilterParams)

#: Powers above this count as it: 40 dB over full scale, where nothing was learnt.
_LOUDEST = 1e4
_MOST = 16  # channels of one network


class _BandFilter(GainNode[P]):
    """Runs a trained network at 48 kHz: every channel by itself, one frame of look-ahead."""

    presets: ClassVar[Mapping[str, Preset]] = LEARNT
    lookahead: ClassVar[int] = 1

    task: ClassVar[str]

    def prepare(self, spec: Spec) -> None:
        """Load the network.

        Raises:
            ModelError: the weights are not here, or not what they should be.
        """
        from ...host.models import load_tensors, load_weights

        model = self.params.model
        if model == "default":
            self._card, path = shipped(self.task)
            self._weights = load_tensors(path, "safetensors")
        else:
            self._card, self._weights = model, load_weights(card_of(model, self.task))
        super().prepare(spec)

    def frames(self, rate: int) -> tuple[int, int]:  # noqa: ARG002 - the card lets the host resample
        """Return what the networks were trained with."""
        return FRAME, HOP

    def rule(self, channels: int, rate: int) -> GainRule:  # noqa: ARG002
        """Return networks for so many channels, with their ears."""
        from ...kernels.band_gains import BandGains
        from ...kernels.band_levels import BandLevels
        from .band_network import band_network

        groups = [min(_MOST, channels - first) for first in range(0, channels, _MOST)]
        levels = BandLevels(
            channels,
            EDGES,
            scale=1 / FULL_SCALE,
            floor=FLOOR,
            keep=KEEP,
            start=START,
            shift=LEVEL,
            unit=SPREAD,
            most=_LOUDEST * FULL_SCALE,
        )
        return BandGains(levels, [band_network(self._weights, count) for count in groups])

    def findings(self) -> Mapping[str, float | str]:
        """Return the model with its licences."""
        from ...host.models import model_card

        return {"model": model_card(self._card).notice}


class LearntDenoiser(_BandFilter[P]):
    """Noise off speech by a network."""

    task = "denoise"


class LearntWindFilter(_BandFilter[P]):
    """Wind off a recording by a network."""

    task = "dewind"
