"""Delay and Butterworth filters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..host.contract.compiled_processor import CompiledProcessor
from ..host.contract.errors import PluginError
from ..kernels import nodes
from .basics import DelayParams, FilterParams

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..host.contract.audio import Spec

__all__ = ["Delay", "HighPass", "LowPass", "butterworth"]


class Delay(CompiledProcessor[DelayParams]):
    """The signal, later."""

    def prepare(self, spec: Spec) -> None:
        """Allocate the rings."""
        super().prepare(spec)
        channels = spec.inputs["in"].channels
        samples = round(self.params.time * spec.rate / 1000) + self.params.samples
        self.tail = samples
        self.state = nodes.DelayState(channels, samples) if samples else nodes.CopyState([*range(channels)])


def butterworth(
    kind: Literal["highpass", "lowpass"], order: int, frequency: float, rate: int
) -> npt.NDArray[np.float64]:
    """Return a Butterworth filter as sections ``[n, 5]``: b0 b1 b2 a1 a2, a0 = 1.

    Bilinear transform with the corner prewarped, one section per pole pair (Oppenheim and Schafer,
    Discrete-Time Signal Processing, ch. 7).

    Args:
        kind: which side passes.
        order: 1, or an even number.
        frequency: the -3 dB corner in Hz, below half the rate.
        rate: Hz.
    """
    warped = math.tan(math.pi * frequency / rate)
    sections = []
    if order == 1:
        a1 = (warped - 1) / (warped + 1)
        b = 1 / (warped + 1) if kind == "highpass" else warped / (warped + 1)
        sections.append([b, -b if kind == "highpass" else b, 0.0, a1, 0.0])
    for k in range(order // 2):
        damping = 2 * math.sin(math.pi * (2 * k + 1) / (2 * order))
        a0 = 1 + damping * warped + warped**2
        b, sign = (1 / a0, -2.0) if kind == "highpass" else (warped**2 / a0, 2.0)
        a1, a2 = 2 * (warped**2 - 1) / a0, (1 - damping * warped + warped**2) / a0
        sections.append([b, sign * b, b, a1, a2])
    return np.array(sections)


def _decay(sections: npt.NDArray[np.float64]) -> int:
    """Return the samples after which the slowest pole has fallen by 120 dB."""
    radius = max(abs(np.roots([1.0, *section[3:]])).max() for section in sections)
    return 0 if radius <= 0 else math.ceil(math.log(1e-6) / math.log(min(radius, 1 - 1e-9)))


class _Butterworth(CompiledProcessor[FilterParams]):
    kind: Literal["highpass", "lowpass"]

    def _sections(self, params: FilterParams) -> npt.NDArray[np.float64]:
        if params.frequency >= self.spec.rate / 2:
            raise PluginError(
                f"frequency {params.frequency:g} Hz is not below half the rate of {self.spec.rate} Hz",
            )
        return butterworth(self.kind, params.slope // 6, params.frequency, self.spec.rate)

    def prepare(self, spec: Spec) -> None:
        """Design the filter and allocate its state."""
        super().prepare(spec)
        sections = self._sections(self.params)
        self.tail = _decay(sections)
        self.state = self._biquads = nodes.BiquadState(spec.inputs["in"].channels, sections)

    def set(self, params: FilterParams) -> None:
        """Take a new corner; the state goes on, so that a moving corner does not click."""
        super().set(params)
        if hasattr(self, "_biquads"):
            self._biquads.coefficients[:] = self._sections(params)


class HighPass(_Butterworth):
    """Butterworth high-pass."""

    kind = "highpass"


class LowPass(_Butterworth):
    """Butterworth low-pass."""

    kind = "lowpass"
