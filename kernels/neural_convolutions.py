"""Convolutions over time and frequency as layers of a streaming network; see `neural_layers`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_count
from .code import neural_job as at
from .errors import KernelError
from .neural_layers import Layer, alone
from .neural_packing import Needs, Packed, Shape, as_weights, depthwise, matrix, slopes_of

if TYPE_CHECKING:
    from .neural_layers import Records
    from .neural_packing import Floats, Wires

__all__ = ["Conv", "ConvTranspose", "flat_weight"]


def flat_weight(weight: object, channels: int) -> Floats:
    """Return a matrix for our flat frames from one for torch's.

    Args:
        weight: ``[outputs, channels * frequencies]``, for flattened ``[channels, frequencies]``.
        channels: how many.

    Returns:
        ``[outputs, frequencies * channels]``: the columns in the order in which `Reshape` leaves a frame.

    Example:
        >>> flat_weight([[0, 1, 2, 3, 4, 5]], 2).tolist()
        [[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]]
    """
    array = as_weights("weight", weight, (None, None))
    if array.shape[1] % channels:
        raise KernelError(f"{array.shape[1]} columns are no multiple of {channels} channels")
    columns = array.reshape(len(array), channels, -1).swapaxes(1, 2)
    return np.ascontiguousarray(columns.reshape(len(array), -1))


class _Convolution(Layer):
    """What both share: groups of features, each a product of its own, or features each alone."""

    weight: Any
    bias: Any
    slope: Any
    activation: str
    groups: int

    @property
    @abstractmethod
    def ins(self) -> int:
        """Features read."""

    @property
    @abstractmethod
    def outs(self) -> int:
        """Features written."""

    def _check(self, outs: int) -> None:
        check_count("groups", self.groups)
        if outs % self.groups or self.ins % self.groups:
            raise KernelError(f"groups = {self.groups} must divide features {self.ins} and outputs {outs}")
        bias = np.zeros(outs, np.float32) if self.bias is None else as_weights("bias", self.bias, (outs,))
        self._set(bias=bias, slope=slopes_of(self.activation, self.slope, outs))

    def _packs(self, weight: Floats) -> list[Packed]:
        """Pack ``[outputs, features of a group, times, columns]``: all as one, by groups, or each alone."""
        outs, ins, times, columns = weight.shape
        if self.groups == 1:
            rows = weight.transpose(0, 2, 3, 1).reshape(outs, times, columns * ins)
            return [matrix(rows, self.bias, self.slope)]
        if self.groups == self.ins == outs:
            return [depthwise(weight.reshape(outs, -1), self.bias, self.slope)]
        rows = weight.transpose(0, 2, 3, 1).reshape(outs, times * columns, ins)
        size = outs // self.groups
        parts = [slice(k * size, (k + 1) * size) for k in range(self.groups)]
        return [matrix(rows[part], self.bias[part], self.slope[part]) for part in parts]

    def _sums(self, wires: Wires, packs: list[Packed], columns: int, fields: dict[int, int]) -> Records:
        """Return the operations of one packed kernel of so many columns; fields tell where rows are."""
        features = self.ins
        if self.groups > 1:
            fields = fields | {at.COLUMNS: columns, at.COLUMN_STRIDE: 4 * features}
        records = []
        for k, packed in enumerate(packs):
            ours = fields | packed.fields() | {at.KIND: at.LINEAR}
            ours[at.X_OFFSET] += 4 * k * features // len(packs)
            ours[at.OUT_OFFSET] = fields.get(at.OUT_OFFSET, 0) + 4 * k * packed.outs
            records.append(wires.record(ours))
        return records


@dataclass(frozen=True, eq=False)
class Conv(_Convolution):
    """A convolution over time and frequency, causal in time, as ``torch.nn.Conv2d`` over both.

    The last row of the kernel meets the present frame, those before it the past, zeros before the first.

    Attributes:
        weight: ``[outputs, features / groups, times, frequencies]``.
        bias: ``[outputs]``, or None. Batch normalisation must be folded in.
        stride: over frequency.
        padding: zeros below and above all frequencies, or a number for both.
        groups: as in torch; as many as features and outputs make it depthwise.
        dilation: frames between the kernel's rows.
        activation: as of `Dense`.
        slope: prelu's, one or one for each output.

    Raises:
        KernelError: weights do not fit, or an argument is out of range.

    Example:
        >>> Conv(np.ones((8, 2, 2, 3), np.float32), stride=2, padding=1).shape(Shape(64, 2))
        Shape(positions=32, features=8)
    """

    weight: Any
    bias: Any = None
    stride: int = 1
    padding: int | tuple[int, int] = 0
    groups: int = 1
    dilation: int = 1
    activation: str = "none"
    slope: Any = 0.25

    def __post_init__(self) -> None:
        weight = as_weights("weight", self.weight, (None, None, None, None))
        pads = self.padding if isinstance(self.padding, tuple) else (self.padding, self.padding)
        for name, value, least in (
            ("stride", self.stride, 1),
            ("dilation", self.dilation, 1),
            ("padding", pads[0], 0),
            ("padding", pads[-1], 0),
        ):
            check_count(name, value, least)
        self._set(weight=weight, padding=pads)
        self._check(len(weight))

    @property
    def ins(self) -> int:
        """Features read."""
        return int(self.weight.shape[1] * self.groups)

    @property
    def outs(self) -> int:
        """Features written."""
        return len(self.weight)

    @property
    def pads(self) -> tuple[int, int]:
        """Zeros below and above all frequencies."""
        assert isinstance(self.padding, tuple)  # noqa: S101 - set so
        return self.padding

    def shape(self, *shapes: Shape) -> Shape:
        """Return the positions where the kernel fits."""
        given, width = alone(self, shapes, self.ins).positions, self.weight.shape[3]
        room = given + sum(self.pads) - width
        if room < 0:
            raise KernelError(
                f"Conv's kernel of {width} does not fit {given} positions with padding {self.pads}"
            )
        return Shape(room // self.stride + 1, self.outs)

    def needs(self, shape: Shape) -> Needs:
        """Return past frames, and zeros for the padding."""
        left, right = (pad * shape.features for pad in self.pads)
        return Needs((self.weight.shape[2] - 1) * self.dilation, left, right)

    @cached_property
    def packed(self) -> list[Packed]:
        """The weights, by operation."""
        return self._packs(self.weight)

    def records(self, wires: Wires) -> Records:
        """Return an operation for every group, and a function behind them."""
        row = 4 * self.ins
        fields = {at.X_OFFSET: -self.pads[0] * row, at.X_STRIDE: self.stride * row}
        fields |= {at.TIMES: self.weight.shape[2], at.DILATION: self.dilation}
        records = self._sums(wires, self.packed, self.weight.shape[3], fields)
        return [*records, *wires.activation(self.activation)]

    def multiply_adds(self, shape: Shape) -> int:
        """Return the size of the kernel at every position."""
        return int(shape.positions * self.weight.size)


@dataclass(frozen=True, eq=False)
class ConvTranspose(_Convolution):
    """The transpose of a strided convolution over frequency, as ``torch.nn.ConvTranspose2d`` of one time.

    Attributes:
        weight: ``[features, outputs / groups, 1, frequencies]``.
        bias: ``[outputs]``, or None.
        stride: over frequency.
        padding: positions taken off both ends.
        output_padding: positions added above.
        groups: as in torch.
        activation: as of `Dense`.
        slope: prelu's, one or one for each output.

    Raises:
        KernelError: weights do not fit, or an argument is out of range.

    Example:
        >>> up = ConvTranspose(np.ones((8, 4, 1, 3), np.float32), padding=1, output_padding=1)
        >>> up.shape(Shape(32, 8))
        Shape(positions=64, features=4)
    """

    weight: Any
    bias: Any = None
    stride: int = 2
    padding: int = 0
    output_padding: int = 0
    groups: int = 1
    activation: str = "none"
    slope: Any = 0.25

    def __post_init__(self) -> None:
        self._set(weight=as_weights("weight", self.weight, (None, None, 1, None)))
        check_count("stride", self.stride)
        check_count("padding", self.padding, 0)
        check_count("output_padding", self.output_padding, 0)
        self._check(self.outs)

    @property
    def ins(self) -> int:
        """Features read."""
        return len(self.weight)

    @property
    def outs(self) -> int:
        """Features written."""
        return int(self.weight.shape[1] * self.groups)

    def shape(self, *shapes: Shape) -> Shape:
        """Return the positions that the transposed convolution reaches."""
        given = alone(self, shapes, self.ins).positions
        size = (given - 1) * self.stride - 2 * self.padding + self.weight.shape[3] + self.output_padding
        if size < 1:
            raise KernelError(
                f"ConvTranspose leaves nothing of {given} positions with padding {self.padding}"
            )
        return Shape(size, self.outs)

    def _phase(self, phase: int, positions: int) -> tuple[int, list[int], int]:
        """Return, of every stride-th output from ``phase`` on, what it takes.

        That is how many there are, the kernel's columns that reach them in the order of the inputs, and the
        first input of the first.
        """
        width, shift = self.weight.shape[3], phase + self.padding
        columns = [j for j in range(width - 1, -1, -1) if (j - shift) % self.stride == 0]
        rows = -(-(positions - phase) // self.stride)
        return rows, columns, (shift - columns[0]) // self.stride if columns else 0

    def needs(self, shape: Shape) -> Needs:
        """Return zeros for inputs below the first and above the last."""
        left = right = 0
        positions = self.shape(shape).positions
        for phase in range(self.stride):
            rows, columns, first = self._phase(phase, positions)
            if rows > 0:
                left = max(left, -first)
                right = max(right, rows - 1 + first + len(columns) - shape.positions)
        return Needs(0, left * shape.features, right * shape.features)

    @cached_property
    def packed(self) -> list[list[Packed]]:
        """The weights, by phase and operation."""
        ins, size, _, width = self.weight.shape
        grouped = self.weight.reshape(self.groups, ins // self.groups, size, width)
        weight = grouped.swapaxes(1, 2).reshape(self.outs, ins // self.groups, 1, width)
        return [self._packs(weight[..., self._phase(phase, 1)[1]]) for phase in range(self.stride)]

    def records(self, wires: Wires) -> Records:
        """Return operations for every phase and group, and a function behind them."""
        features, out, records = self.ins, 4 * wires.shape.features, []
        for phase in range(self.stride):
            rows, columns, first = self._phase(phase, wires.shape.positions)
            fields = {at.ROWS: rows, at.X_OFFSET: 4 * first * features, at.X_STRIDE: 4 * features}
            fields |= {at.OUT_OFFSET: phase * out, at.OUT_STRIDE: self.stride * out}
            if rows > 0:
                records += self._sums(wires, self.packed[phase], len(columns), fields)
        return [*records, *wires.activation(self.activation)]

    def multiply_adds(self, shape: Shape) -> int:
        """Return the kernel's columns that meet each output."""
        return int(shape.positions * self.weight.size // self.stride)
