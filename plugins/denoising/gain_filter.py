"""Nodes around the classical cores: gains that need no weights, at any rate."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from ...host.contract.stft_processor import StftProcessor
from .classical_noise import ClassicalNoise
from .classical_wind import ClassicalWind
from .controls import CLASSICAL, applied
from .parameters import FilterParams

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ...host.contract.audio import Spec

__all__ = ["ClassicalDenoiser", "ClassicalWindFilter"]

P = TypeVar("P", bound=FilterParams)


class _Core(Protocol):
    """A rule that gives gains of frames: `ClassicalNoise`, `ClassicalWind`."""

    n_fft: int
    hop: int

    def gains(self, X: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]: ...


class _GainFilter(StftProcessor[P]):
    """Runs a core's gains, as strong and as far down as the parameters say."""

    output: ClassVar[str]

    @abstractmethod
    def core(self, channels: int, rate: int) -> _Core:
        """Return a fresh core."""

    def geometry(self, rate: int) -> tuple[int, int]:
        """Return the core's frames."""
        core = self.core(1, rate)
        return core.n_fft, core.hop

    def start(self, spec: Spec) -> None:
        """Forget the signal."""
        (layout,) = spec.inputs.values()
        self._core = self.core(layout.channels, spec.rate)

    def masks(self, X: npt.NDArray[np.complex64]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the gains, ``[channels, frames, bins]``."""
        import numpy as np

        gains = self._core.gains(np.ascontiguousarray(X))
        controls = self.params
        preset = CLASSICAL[controls.preset]
        limit = min(preset.limit, controls.limit)
        return {self.output: applied(gains, controls.strength, limit, exponent=preset.exponent, out=gains)}


class ClassicalDenoiser(_GainFilter[P]):
    """Noise off speech by noise tracking and log-spectral gains; see `ClassicalNoise`."""

    output = "speech"

    def core(self, channels: int, rate: int) -> ClassicalNoise:
        """Return the core for noise."""
        return ClassicalNoise(channels, rate)


class ClassicalWindFilter(_GainFilter[P]):
    """Wind off a recording by the gust band, and coherence between channels; see `ClassicalWind`."""

    output = "clean"

    def core(self, channels: int, rate: int) -> ClassicalWind:
        """Return the core for wind."""
        return ClassicalWind(channels, rate)
