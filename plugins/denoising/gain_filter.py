"""Nodes around the classical cores: gains that need no weights, at any rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from .controls import CLASSICAL
from .gain_node import GainNode
from .parameters import FilterParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...kernels.gain_rule import GainRule
    from .controls import Preset

__all__ = ["ClassicalDenoiser", "ClassicalWindFilter"]

P = TypeVar("P", bound=FilterParams)


class ClassicalDenoiser(GainNode[P]):
    """Noise off speech by noise tracking and log-spectral gains; see `classical_noise`."""

    presets: ClassVar[Mapping[str, Preset]] = CLASSICAL

    def frames(self, rate: int) -> tuple[int, int]:
        """Return frames of about 30 ms, four over every sample."""
        from .classical_noise import frame_size

        return frame_size(rate)

    def rule(self, channels: int, rate: int) -> GainRule:
        """Return the rule for noise."""
        from .classical_noise import noise_rule

        return noise_rule(channels, rate)


class ClassicalWindFilter(GainNode[P]):
    """Wind off a recording by the gust band, and coherence between channels; see `classical_wind`."""

    presets: ClassVar[Mapping[str, Preset]] = CLASSICAL

    def frames(self, rate: int) -> tuple[int, int]:
        """Return frames of about 43 ms, four over every sample."""
        from .classical_wind import frame_size

        return frame_size(rate)

    def rule(self, channels: int, rate: int) -> GainRule:
        """Return the rule for wind."""
        from .classical_wind import wind_rule

        return wind_rule(channels, rate)
