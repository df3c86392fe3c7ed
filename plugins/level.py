"""Levels: gain, mix, subtract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..host.contract.compiled_processor import CompiledProcessor
from ..host.contract.params import Params
from ..kernels import nodes
from .basics import GainParams, MixParams

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ..host.contract.audio import Spec

__all__ = ["Gain", "Mix", "Subtract"]


def _linear(decibels: Sequence[float]) -> npt.NDArray[np.float32]:
    return np.asarray([10.0 ** (level / 20.0) for level in decibels], np.float32)


class Gain(CompiledProcessor[GainParams]):
    """One signal at another level."""

    def prepare(self, spec: Spec) -> None:
        """Allocate the state."""
        super().prepare(spec)
        self.state = self._mix = nodes.MixState(spec.inputs["in"].channels, _linear([self.params.gain]))

    def set(self, params: GainParams) -> None:
        """Take a new level."""
        super().set(params)
        if hasattr(self, "_mix"):
            self._mix.gains[:] = _linear([params.gain])


class Mix(CompiledProcessor[MixParams]):
    """The sum of several signals."""

    def prepare(self, spec: Spec) -> None:
        """Allocate the state."""
        super().prepare(spec)
        channels = next(iter(spec.inputs.values())).channels
        self.state = nodes.MixState(channels, _linear(self.params.gains))


class Subtract(CompiledProcessor[Params]):
    """The first signal minus the second."""

    def prepare(self, spec: Spec) -> None:
        """Allocate the state."""
        super().prepare(spec)
        self.state = nodes.SubtractState(spec.inputs["in"].channels, 2)
