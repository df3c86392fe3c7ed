"""Compiled nodes, as functions of the one C signature in `program`, with their state blocks.

A state block is a header of int64 (counts and addresses) beside the arrays it points to; the Python
object that owns both must live as long as the node. Every loop is a plain recurrence over absolute
samples, so results do not depend on how the signal was cut into blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numba import carray, cfunc  # type: ignore[attr-defined]  # carray is missing from its __all__

from .program import NODE, pointer_f32, pointer_f64

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "BiquadState",
    "CopyState",
    "DelayState",
    "MixState",
    "NodeState",
    "SubtractState",
    "biquad",
    "copy",
    "delay",
    "mix",
    "subtract",
]


@cfunc(NODE, cache=True)
def mix(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Sum ``inputs`` signals of ``channels`` channels, each with its gain."""
    header = carray(state, (3,), np.int64)
    channels, inputs = header[0], header[1]
    gains = carray(pointer_f32(header[2]), (inputs,))
    for c in range(channels):
        y = carray(outs[c], (n,))
        first, x = gains[0], carray(ins[c], (n,))
        for i in range(n):
            y[i] = first * x[i]
        for k in range(1, inputs):
            gain, x = gains[k], carray(ins[k * channels + c], (n,))
            for i in range(n):
                y[i] += gain * x[i]
    return np.int32(0)


@cfunc(NODE, cache=True)
def subtract(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """First signal minus every other, in order."""
    header = carray(state, (2,), np.int64)
    channels, inputs = header[0], header[1]
    for c in range(channels):
        y, x = carray(outs[c], (n,)), carray(ins[c], (n,))
        for i in range(n):
            y[i] = x[i]
        for k in range(1, inputs):
            other = carray(ins[k * channels + c], (n,))
            for i in range(n):
                y[i] -= other[i]
    return np.int32(0)


@cfunc(NODE, cache=True)
def copy(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Copy channel ``map[c]`` of the inputs to output channel c."""
    header = carray(state, (2,), np.int64)
    channels = header[0]
    order = carray(pointer_f64(header[1]), (channels,))
    for c in range(channels):
        y, x = carray(outs[c], (n,)), carray(ins[np.int64(order[c])], (n,))
        for i in range(n):
            y[i] = x[i]
    return np.int32(0)


@cfunc(NODE, cache=True)
def delay(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Delay every channel by ``length`` samples through a ring."""
    header = carray(state, (4,), np.int64)
    channels, length, start = header[0], header[1], header[2]
    rings = carray(pointer_f32(header[3]), (channels * length,))
    for c in range(channels):
        x, y = carray(ins[c], (n,)), carray(outs[c], (n,))
        base, at = c * length, start
        for i in range(n):
            y[i] = rings[base + at]
            rings[base + at] = x[i]
            at += 1
            if at == length:
                at = 0
    header[2] = (start + n) % length
    return np.int32(0)


@cfunc(NODE, cache=True)
def biquad(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Cascade of biquads per channel, transposed direct form II in float64, flushed below 1e-30."""
    header = carray(state, (4,), np.int64)
    channels, sections = header[0], header[1]
    coefficients = carray(pointer_f64(header[2]), (sections * 5,))
    memory = carray(pointer_f64(header[3]), (channels * sections * 2,))
    for c in range(channels):
        x, y = carray(ins[c], (n,)), carray(outs[c], (n,))
        base = c * sections * 2
        for i in range(n):
            value = np.float64(x[i])
            for s in range(sections):
                k, at = s * 5, base + s * 2
                result = coefficients[k] * value + memory[at]
                z1 = coefficients[k + 1] * value - coefficients[k + 3] * result + memory[at + 1]
                z2 = coefficients[k + 2] * value - coefficients[k + 4] * result
                # Decay into denormals would slow silence down by a factor of many.
                memory[at] = z1 if abs(z1) > 1e-30 else 0.0
                memory[at + 1] = z2 if abs(z2) > 1e-30 else 0.0
                value = result
            y[i] = np.float32(value)
    return np.int32(0)


class NodeState:
    """A compiled function with its state: a header of int64 and the arrays whose addresses it holds."""

    kernel: ClassVar[Any]

    def __init__(self, *fields: int | npt.NDArray[Any]) -> None:
        self.arrays = [field for field in fields if isinstance(field, np.ndarray)]
        values = [field.ctypes.data if isinstance(field, np.ndarray) else field for field in fields]
        self.header = np.array(values, np.int64)

    @property
    def function(self) -> int:
        """The address of the compiled function."""
        return int(self.kernel.address)

    @property
    def address(self) -> int:
        """The address to hand to the compiled function as its state."""
        return int(self.header.ctypes.data)

    def reset(self) -> None:
        """Forget the signal; nothing to do for a function without memory."""


class MixState(NodeState):
    """State of `mix`; ``gains`` are linear, one an input, and may be rewritten between calls."""

    kernel = mix

    def __init__(self, channels: int, gains: npt.NDArray[np.float32]) -> None:
        self.gains = np.array(gains, np.float32)
        super().__init__(channels, len(gains), self.gains)


class SubtractState(NodeState):
    """State of `subtract`."""

    kernel = subtract

    def __init__(self, channels: int, inputs: int) -> None:
        super().__init__(channels, inputs)


class CopyState(NodeState):
    """State of `copy`: ``order[c]`` is the input channel that output channel c repeats."""

    kernel = copy

    def __init__(self, order: list[int]) -> None:
        super().__init__(len(order), np.array(order, np.float64))


class DelayState(NodeState):
    """State of `delay`; ``length`` is at least 1 sample."""

    kernel = delay

    def __init__(self, channels: int, length: int) -> None:
        self.rings = np.zeros(channels * length, np.float32)
        super().__init__(channels, length, 0, self.rings)

    def reset(self) -> None:
        """Fill the rings with silence."""
        self.rings[:] = 0
        self.header[2] = 0


class BiquadState(NodeState):
    """State of `biquad`; ``coefficients [sections, 5]`` are b0 b1 b2 a1 a2 with a0 = 1."""

    kernel = biquad

    def __init__(self, channels: int, coefficients: npt.NDArray[np.float64]) -> None:
        self.coefficients = np.array(coefficients, np.float64)
        sections = len(coefficients)
        self.memory = np.zeros(channels * sections * 2)
        super().__init__(channels, sections, self.coefficients, self.memory)

    def reset(self) -> None:
        """Forget the signal."""
        self.memory[:] = 0
