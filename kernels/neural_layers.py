"""Layers of a streaming network: what they compute, from weights as torch keeps them.

A frame is ``[positions, features]``, features side by side: a convolution's frequencies are positions and its
channels are features; a plain vector has one position. Layers read the layer before them unless ``source``
names others (``"input"`` is the network's), and are known by their ``name``. They hold packed weights only,
so networks and threads may share them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_count
from .code import neural_job as at
from .errors import KernelError
from .machine import Kernel, address_of
from .neural_packing import Needs, Packed, Shape, as_weights, depthwise, matrix, slopes_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from .neural_packing import Floats, Wires

    Records = list[npt.NDArray[np.int64]]

__all__ = [
    "Add",
    "Concat",
    "Delay",
    "Dense",
    "Layer",
    "LayerNorm",
    "Multiply",
    "Reshape",
    "Scale",
    "alone",
]

_normalise = Kernel("neural_elements.normalise", 8)


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer(ABC):
    """What every layer is.

    Attributes:
        source: the layer or layers that it reads, by name; nothing for the layer before.
        name: by which others read it.
    """

    source: str | tuple[str, ...] = ""
    name: str = ""

    @abstractmethod
    def shape(self, *shapes: Shape) -> Shape:
        """Return the frame that comes out of frames like these; raises KernelError where they do not fit."""

    def needs(self, shape: Shape) -> Needs:  # noqa: ARG002
        """Return what it must find around the frames it reads."""
        return Needs()

    def keeps(self, shape: Shape) -> Needs:  # noqa: ARG002
        """Return what it must find around the frames it writes."""
        return Needs()

    def rooms(self, shape: Shape, rows: int) -> tuple[int, int]:  # noqa: ARG002
        """Return floats it works in, for states and inputs; ``rows`` are channels times frames of a call."""
        return 0, 0

    @abstractmethod
    def records(self, wires: Wires) -> Records:
        """Return its operations."""

    @property
    def parameters(self) -> int:
        """How many numbers it was given as arrays."""
        return sum(value.size for value in vars(self).values() if isinstance(value, np.ndarray))

    def multiply_adds(self, shape: Shape) -> int:  # noqa: ARG002
        """Return how many a frame takes; ``shape`` is that of what it writes."""
        return 0

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def alone(layer: Layer, shapes: tuple[Shape, ...], features: int | None = None) -> Shape:
    """Return the only frame that a layer reads.

    Raises:
        KernelError: there are several, or it has other features than the weights.
    """
    what = type(layer).__name__
    if len(shapes) != 1:
        raise KernelError(f"{what} reads one layer, not {len(shapes)}; put Concat or Add before it")
    if features is not None and shapes[0].features != features:
        raise KernelError(f"{what} has weights for {features} features, and reads {shapes[0].features}")
    return shapes[0]


def _bias(values: object, outs: int) -> Floats:
    return np.zeros(outs, np.float32) if values is None else as_weights("bias", values, (outs,))


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """``y = activation(W x + b)`` at every position, as ``torch.nn.Linear``.

    Attributes:
        weight: ``[outputs, features]``.
        bias: ``[outputs]``, or None.
        activation: ``none``, ``relu``, ``prelu``, ``tanh`` or ``sigmoid``.
        slope: prelu's, one or one for each output.

    Raises:
        KernelError: weights do not fit, or there is no such activation.

    Example:
        >>> Dense(np.ones((3, 2), np.float32)).shape(Shape(1, 2))
        Shape(positions=1, features=3)
    """

    weight: Any
    bias: Any = None
    activation: str = "none"
    slope: Any = 0.25

    def __post_init__(self) -> None:
        weight = as_weights("weight", self.weight, (None, None))
        outs = len(weight)
        self._set(weight=weight, bias=_bias(self.bias, outs))
        self._set(slope=slopes_of(self.activation, self.slope, outs))

    def shape(self, *shapes: Shape) -> Shape:
        """Return as many positions with the outputs as features."""
        return Shape(alone(self, shapes, self.weight.shape[1]).positions, len(self.weight))

    @cached_property
    def packed(self) -> Packed:
        """The weights in panels."""
        return matrix(self.weight[:, None], self.bias, self.slope)

    def records(self, wires: Wires) -> Records:
        """Return the product, and a function behind it."""
        product = wires.record({at.KIND: at.LINEAR} | self.packed.fields())
        return [product, *wires.activation(self.activation)]

    def multiply_adds(self, shape: Shape) -> int:
        """Return the size of the matrix at every position."""
        return int(shape.positions * self.weight.size)


@dataclass(frozen=True, eq=False)
class Scale(Layer):
    """``y = activation(w x + b)``, feature by feature: a normalisation by constants, or an activation alone.

    Attributes:
        weight: ``[features]``, or a number for all.
        bias: the same.
        activation: as of `Dense`.
        slope: prelu's, one or one for each feature.
    """

    weight: Any = 1.0
    bias: Any = 0.0
    activation: str = "none"
    slope: Any = 0.25

    def __post_init__(self) -> None:
        for name in ("weight", "bias"):
            values = np.atleast_1d(np.asarray(getattr(self, name), np.float32))
            self._set(**{name: as_weights(name, values, (None,))})
        slopes_of(self.activation, self.slope, np.size(self.slope))

    def shape(self, *shapes: Shape) -> Shape:
        """Return the same."""
        shape = alone(self, shapes)
        sizes = {len(self.weight), len(self.bias), np.size(self.slope)} - {1}
        if sizes - {shape.features}:
            raise KernelError(f"Scale has {sorted(sizes)} numbers, and reads {shape.features} features")
        return shape

    def records(self, wires: Wires) -> Records:
        """Return a product for each feature, and a function behind it."""
        n = wires.shape.features
        weight, bias = (np.ascontiguousarray(np.broadcast_to(v, n)) for v in (self.weight, self.bias))
        packed = depthwise(weight[:, None], bias, slopes_of(self.activation, self.slope, n))
        wires.kept.append(packed)
        product = wires.record({at.KIND: at.LINEAR} | packed.fields())
        return [product, *wires.activation(self.activation)]

    def multiply_adds(self, shape: Shape) -> int:
        """Return one a value."""
        return shape.values


@dataclass(frozen=True, eq=False)
class LayerNorm(Layer):
    """Features of every position to mean 0 and variance 1, times weight plus bias, as ``torch.nn.LayerNorm``.

    Attributes:
        weight: ``[features]``.
        bias: ``[features]``, or None.
        epsilon: added to the variance.
    """

    weight: Any
    bias: Any = None
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        weight = as_weights("weight", self.weight, (None,))
        self._set(weight=weight, bias=_bias(self.bias, len(weight)))

    def shape(self, *shapes: Shape) -> Shape:
        """Return the same."""
        return alone(self, shapes, len(self.weight))

    def records(self, wires: Wires) -> Records:
        """Return the one operation."""
        n = len(self.weight)
        # The kernel reads eight weights at a time.
        tables = [np.pad(values, (0, -n % at.LANES)) for values in (self.weight, self.bias)]
        tables.append(np.array([1 / n, self.epsilon], np.float32))
        wires.kept += tables
        names = (at.WEIGHTS, at.BIAS, at.SLOPES)
        fields = {name: address_of(table) for name, table in zip(names, tables, strict=True)}
        return [wires.record({at.KIND: at.NORM, at.STEP: _normalise.address} | fields)]

    def multiply_adds(self, shape: Shape) -> int:
        """Return three a value: two sums and the scale."""
        return 3 * shape.values


class _Pair(Layer):
    """Two layers of one shape, value by value."""

    choice = at.SUM

    def shape(self, *shapes: Shape) -> Shape:
        """Return the same."""
        if len(shapes) != 2 or shapes[0] != shapes[1]:
            given = " and ".join(str(list(shape)) for shape in shapes)
            raise KernelError(f"{type(self).__name__} reads two layers of one shape, not {given}")
        return shapes[0]

    def records(self, wires: Wires) -> Records:
        """Return the one operation."""
        return [wires.record({at.KIND: at.COMBINE, at.SECOND: wires.sources[1], at.CHOICE: self.choice})]


@dataclass(frozen=True, eq=False)
class Add(_Pair):
    """The sum of two layers of one shape; ``source`` names both."""


@dataclass(frozen=True, eq=False)
class Multiply(_Pair):
    """The product of two layers of one shape, value by value; ``source`` names both."""

    choice = at.PRODUCT


@dataclass(frozen=True, eq=False)
class Concat(Layer):
    """Features of several layers side by side at every position, in the order of ``source``."""

    def shape(self, *shapes: Shape) -> Shape:
        """Return all features."""
        if len({shape.positions for shape in shapes}) != 1:
            given = ", ".join(str(shape.positions) for shape in shapes)
            raise KernelError(f"Concat reads layers of as many positions each, not {given}")
        return Shape(shapes[0].positions, sum(shape.features for shape in shapes))

    def records(self, wires: Wires) -> Records:
        """Return a copy for each."""
        records, offset = [], 0
        for source, shape in zip(wires.sources, wires.shapes, strict=True):
            fields = {at.KIND: at.COPY, at.SOURCE: source, at.OUTS: shape.features, at.OUT_OFFSET: offset}
            records.append(wires.record(fields | {at.X_STRIDE: 4 * shape.features}))
            offset += 4 * shape.features
        return records


@dataclass(frozen=True, eq=False)
class Delay(Layer):
    """What was read ``frames`` frames ago; zeros before the first."""

    frames: int = 1

    def __post_init__(self) -> None:
        check_count("frames", self.frames)

    def shape(self, *shapes: Shape) -> Shape:
        """Return the same."""
        return alone(self, shapes)

    def needs(self, shape: Shape) -> Needs:  # noqa: ARG002
        """Return the frames that are late."""
        return Needs(history=self.frames)

    def records(self, wires: Wires) -> Records:
        """Return the copy."""
        return [wires.record({at.KIND: at.COPY, at.DILATION: self.frames})]


@dataclass(frozen=True, eq=False)
class Reshape(Layer):
    """The same values as so many positions and features; costs nothing.

    Values lie position by position, so flattening ``[positions, features]`` puts the features of the first
    position first. torch flattens ``[channels, frequencies]`` the other way round: `flat_weight` reorders the
    columns of the matrix behind.
    """

    positions: int = 1
    features: int = 1

    def shape(self, *shapes: Shape) -> Shape:
        """Return the shape asked for."""
        given, wanted = alone(self, shapes), Shape(self.positions, self.features)
        if given.values != wanted.values:
            raise KernelError(f"Reshape to {list(wanted)} does not hold the values of {list(given)}")
        return wanted

    def records(self, wires: Wires) -> Records:  # noqa: ARG002
        """Return nothing."""
        return []
