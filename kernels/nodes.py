"""Compiled nodes with their state blocks; `code.nodes` holds the loops.

A state block is a header of int64 (counts and addresses) beside the arrays it points to; the Python
object that owns both must live as long as the node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .machine import Kernel, address_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["BiquadState", "CopyState", "DelayState", "MixState", "NodeState", "SubtractState"]


class NodeState:
    """A compiled function with its state: a header of int64 and the arrays whose addresses it holds."""

    kernel: ClassVar[Kernel]

    def __init__(self, *fields: int | npt.NDArray[Any]) -> None:
        self.arrays = [field for field in fields if isinstance(field, np.ndarray)]
        values = [address_of(field) if isinstance(field, np.ndarray) else field for field in fields]
        self.header = np.array(values, np.int64)
        self._address = address_of(self.header)

    @property
    def function(self) -> int:
        """The address of the compiled function."""
        return self.kernel.address

    @property
    def address(self) -> int:
        """The address to hand to the compiled function as its state."""
        return self._address

    def reset(self) -> None:
        """Forget the signal; nothing to do for a function without memory."""


class MixState(NodeState):
    """A sum of inputs; ``gains`` are linear, one an input, and may be rewritten between calls."""

    kernel = Kernel("nodes.mix", 4)

    def __init__(self, channels: int, gains: npt.NDArray[np.float32]) -> None:
        self.gains = np.array(gains, np.float32)
        super().__init__(channels, len(gains), self.gains)


class SubtractState(NodeState):
    """The first input minus the others."""

    kernel = Kernel("nodes.subtract", 4)

    def __init__(self, channels: int, inputs: int) -> None:
        super().__init__(channels, inputs)


class CopyState(NodeState):
    """Channels in another order: ``order[c]`` is the input channel that output channel c repeats."""

    kernel = Kernel("nodes.copy", 4)

    def __init__(self, order: list[int]) -> None:
        super().__init__(len(order), np.array(order, np.int64))


class DelayState(NodeState):
    """A delay; ``length`` is at least 1 sample."""

    kernel = Kernel("nodes.delay", 4)

    def __init__(self, channels: int, length: int) -> None:
        self.rings = np.zeros(channels * length, np.float32)
        super().__init__(channels, length, 0, self.rings)

    def reset(self) -> None:
        """Fill the rings with silence."""
        self.rings[:] = 0
        self.header[2] = 0


class BiquadState(NodeState):
    """A cascade of biquads, in float64; ``coefficients [sections, 5]`` are b0 b1 b2 a1 a2 with a0 = 1."""

    kernel = Kernel("nodes.biquad", 4)

    def __init__(self, channels: int, coefficients: npt.NDArray[np.float64]) -> None:
        self.coefficients = np.array(coefficients, np.float64)
        sections = len(coefficients)
        self.memory = np.zeros(channels * sections * 2)
        super().__init__(channels, sections, self.coefficients, self.memory)

    def reset(self) -> None:
        """Forget the signal."""
        self.memory[:] = 0
