"""Recurrent layers of a streaming network; see `neural_layers`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .code import neural_job as at
from .errors import KernelError
from .machine import Kernel
from .neural_layers import Layer, alone
from .neural_packing import Needs, Packed, Shape, as_weights, matrix

if TYPE_CHECKING:
    from .neural_layers import Records
    from .neural_packing import Wires

__all__ = ["FrequencyGru", "Gru", "GruWeights", "MinGru"]

_gru = Kernel("neural_elements.gru", 8)
_min_gru = Kernel("neural_elements.min_gru", 8)
_CANDIDATES = {"none": at.IDENTITY, "tanh": at.TANH, "shifted": at.SHIFTED}


def _sums(weight: Any, bias: Any) -> Packed:
    return matrix(weight[:, None], bias, np.ones(len(bias), np.float32))


@dataclass(frozen=True, eq=False)
class GruWeights:
    """The weights of a gated recurrent unit, gates in the order r, z, n as in ``torch.nn.GRU``.

    Attributes:
        weight_ih: ``[3 hidden, features]``.
        weight_hh: ``[3 hidden, hidden]``.
        bias_ih: ``[3 hidden]``, or None.
        bias_hh: the same.
    """

    weight_ih: Any
    weight_hh: Any
    bias_ih: Any = None
    bias_hh: Any = None

    def __post_init__(self) -> None:
        rows, hidden = as_weights("weight_hh", self.weight_hh, (None, None)).shape
        if rows != 3 * hidden:
            raise KernelError(f"weight_hh must have the shape [3 hidden, hidden], not [{rows}, {hidden}]")
        for name, shape in (
            ("weight_ih", (rows, None)),
            ("weight_hh", (rows, hidden)),
            ("bias_ih", (rows,)),
            ("bias_hh", (rows,)),
        ):
            value = getattr(self, name)
            value = np.zeros(rows, np.float32) if value is None else value
            object.__setattr__(self, name, as_weights(name, value, shape))

    @property
    def hidden(self) -> int:
        """Size of the state."""
        return int(self.weight_hh.shape[1])

    @property
    def features(self) -> int:
        """Features read."""
        return int(self.weight_ih.shape[1])

    @property
    def parameters(self) -> int:
        """How many numbers there are."""
        return self.size + int(self.bias_ih.size + self.bias_hh.size)

    @property
    def size(self) -> int:
        """Weights in both matrices."""
        return int(self.weight_ih.size + self.weight_hh.size)

    @cached_property
    def packed(self) -> tuple[Packed, Packed]:
        """The product with the input and that with the state; only n keeps its two biases apart."""
        bias, state_bias = self.bias_ih.copy(), self.bias_hh.copy()
        bias[: 2 * self.hidden] += state_bias[: 2 * self.hidden]
        state_bias[: 2 * self.hidden] = 0
        return _sums(self.weight_ih, bias), _sums(self.weight_hh, state_bias)

    def fields(self, wires: Wires) -> dict[int, int]:
        """Return the fields of the operation that uses them."""
        inner, outer = (wires.inside({at.KIND: at.LINEAR} | packed.fields()) for packed in self.packed)
        wires.kept.append(self.packed)
        return {at.STEP: _gru.address, at.INNER: inner, at.OUTER: outer, at.OUTS: self.hidden}


@dataclass(frozen=True, eq=False)
class Gru(Layer):
    """A gated recurrent unit over time; at every position a state of its own, with the same weights.

    ``n = tanh(W x + b + r (U h + c))``, ``h = (1 - z) n + z h``, as ``torch.nn.GRU`` of one layer.

    Attributes:
        weights: see `GruWeights`.
    """

    weights: GruWeights

    @property
    def parameters(self) -> int:
        """How many numbers there are."""
        return self.weights.parameters

    def shape(self, *shapes: Shape) -> Shape:
        """Return the state at every position."""
        return Shape(alone(self, shapes, self.weights.features).positions, self.weights.hidden)

    def keeps(self, shape: Shape) -> Needs:  # noqa: ARG002
        """Return the state before."""
        return Needs(history=1)

    def rooms(self, shape: Shape, rows: int) -> tuple[int, int]:
        """Return three sums a state."""
        sums = 3 * self.weights.hidden * max(rows, shape.positions)
        return sums, sums

    def records(self, wires: Wires) -> Records:
        """Return the one operation."""
        return [wires.record({at.KIND: at.GRU} | self.weights.fields(wires))]

    def multiply_adds(self, shape: Shape) -> int:
        """Return both matrices at every position."""
        return shape.positions * self.weights.size


@dataclass(frozen=True, eq=False)
class FrequencyGru(Layer):
    """A gated recurrent unit along the positions of each frame, up and, if given, down; no memory of time.

    Attributes:
        upward: weights of the pass from the first position to the last.
        downward: of the pass back, whose states follow the other's at every position; or None.
    """

    upward: GruWeights
    downward: GruWeights | None = None

    def __post_init__(self) -> None:
        down = self.downward
        if down is not None and (down.hidden, down.features) != (self.upward.hidden, self.upward.features):
            raise KernelError(
                f"FrequencyGru's passes must be alike: features and hidden are {self.upward.features} and "
                f"{self.upward.hidden} up, {down.features} and {down.hidden} down"
            )

    @property
    def parameters(self) -> int:
        """How many numbers there are."""
        return sum(weights.parameters for weights in self.passes)

    @property
    def passes(self) -> list[GruWeights]:
        """The weights of one or two passes."""
        return [self.upward] if self.downward is None else [self.upward, self.downward]

    def shape(self, *shapes: Shape) -> Shape:
        """Return the states of both passes at every position."""
        positions = alone(self, shapes, self.upward.features).positions
        return Shape(positions, self.upward.hidden * len(self.passes))

    def keeps(self, shape: Shape) -> Needs:
        """Return zeros as the states before the first position of each pass."""
        return Needs(0, shape.features, shape.features)

    def rooms(self, shape: Shape, rows: int) -> tuple[int, int]:  # noqa: ARG002
        """Return three sums a state."""
        return 3 * self.upward.hidden, 3 * self.upward.hidden * shape.positions

    def records(self, wires: Wires) -> Records:
        """Return an operation for each pass."""
        records = []
        for k, weights in enumerate(self.passes):
            fields = {at.KIND: at.FREQUENCY_GRU, at.CHOICE: 1 - 2 * k, at.OUT_OFFSET: 4 * k * weights.hidden}
            records.append(wires.record(weights.fields(wires) | fields))
        return records

    def multiply_adds(self, shape: Shape) -> int:
        """Return all matrices at every position."""
        return shape.positions * sum(weights.size for weights in self.passes)


@dataclass(frozen=True, eq=False)
class MinGru(Layer):
    """A recurrence whose gate and candidate hear the input alone: ``h = (1 - z) h + z c``.

    ``z = sigmoid(W x + b)``, ``c = g(V x + d)`` (Feng et al., Were RNNs All We Needed?, 2024). Every position
    has a state of its own.

    Attributes:
        weight_z: W, ``[hidden, features]``.
        weight_h: V, the same shape.
        bias_z: b, ``[hidden]``, or None.
        bias_h: d, the same.
        candidate: g: ``none``, ``tanh``, or ``shifted``, the paper's ``x + 1/2`` from 0 on, sigmoid below.
    """

    weight_z: Any
    weight_h: Any
    bias_z: Any = None
    bias_h: Any = None
    candidate: str = "none"

    def __post_init__(self) -> None:
        if self.candidate not in _CANDIDATES:
            raise KernelError(f"candidate must be one of {', '.join(_CANDIDATES)}, not {self.candidate!r}")
        shape = as_weights("weight_z", self.weight_z, (None, None)).shape
        for name, wanted in (
            ("weight_z", shape),
            ("weight_h", shape),
            ("bias_z", shape[:1]),
            ("bias_h", shape[:1]),
        ):
            value = getattr(self, name)
            value = np.zeros(wanted, np.float32) if value is None else value
            self._set(**{name: as_weights(name, value, wanted)})

    def shape(self, *shapes: Shape) -> Shape:
        """Return the state at every position."""
        return Shape(alone(self, shapes, self.weight_z.shape[1]).positions, len(self.weight_z))

    def keeps(self, shape: Shape) -> Needs:  # noqa: ARG002
        """Return the state before."""
        return Needs(history=1)

    def rooms(self, shape: Shape, rows: int) -> tuple[int, int]:
        """Return two sums a state."""
        return 0, 2 * len(self.weight_z) * max(rows, shape.positions)

    @cached_property
    def packed(self) -> Packed:
        """Both products as one."""
        both = np.concatenate([self.weight_z, self.weight_h])
        return _sums(both, np.concatenate([self.bias_z, self.bias_h]))

    def records(self, wires: Wires) -> Records:
        """Return the one operation."""
        inner = wires.inside({at.KIND: at.LINEAR} | self.packed.fields())
        fields = {at.KIND: at.MIN_GRU, at.STEP: _min_gru.address, at.INNER: inner}
        return [wires.record(fields | {at.CHOICE: _CANDIDATES[self.candidate]})]

    def multiply_adds(self, shape: Shape) -> int:
        """Return both matrices at every position."""
        return int(shape.positions * 2 * self.weight_z.size)
