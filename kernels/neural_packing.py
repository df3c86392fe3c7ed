"""Weights as the compiled layers read them, and the records that name them; see `code.neural_job`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .code import neural_job as at
from .errors import KernelError
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

__all__ = [
    "ACTIVATIONS",
    "Needs",
    "Packed",
    "Shape",
    "Wires",
    "as_weights",
    "depthwise",
    "matrix",
    "slopes_of",
]

#: What may follow a layer's sums.
ACTIVATIONS = ("none", "relu", "prelu", "tanh", "sigmoid")
_FUNCTIONS = {"tanh": at.TANH, "sigmoid": at.SIGMOID}

_multiply = Kernel("neural_matrix.multiply", 8)
_depthwise = Kernel("neural_matrix.depthwise", 8)
_activate = Kernel("neural_elements.activate", 8)


class Shape(NamedTuple):
    """One frame of a buffer: ``features`` values at each of ``positions``, features side by side."""

    positions: int
    features: int

    @property
    def values(self) -> int:
        """How many there are in all."""
        return self.positions * self.features


class Needs(NamedTuple):
    """What a layer must find around a frame: so many frames before it, so many zeros left and right of it."""

    history: int = 0
    left: int = 0
    right: int = 0

    def joined(self, other: Needs) -> Needs:
        """Return what satisfies both."""
        return Needs(*map(max, self, other))


@dataclass(frozen=True)
class Packed:
    """Weights of one sum of products, shared by all networks that use a layer."""

    kernel: Kernel
    taps: int
    run: int
    outs: int
    weights: Floats
    bias: Floats
    slopes: Floats

    def fields(self) -> dict[int, int]:
        """Return the fields of an operation that come from here."""
        return {
            at.STEP: self.kernel.address,
            at.TAPS: self.taps,
            at.RUN: self.run,
            at.OUTS: self.outs,
            at.WEIGHTS: address_of(self.weights),
            at.BIAS: address_of(self.bias),
            at.SLOPES: address_of(self.slopes),
        }


class Wires:
    """What a layer is connected to in one network: buffers, room to work in, and what it keeps alive.

    Attributes:
        sources: addresses of the records of the buffers it reads.
        shapes: their frames.
        target: address of the record of the buffer it writes.
        shape: its frame.
        rooms: addresses of room for sums over states and over inputs.
        kept: arrays whose addresses records hold.
    """

    def __init__(
        self, sources: list[int], shapes: list[Shape], target: int, shape: Shape, rooms: tuple[int, int]
    ) -> None:
        self.sources, self.shapes, self.target, self.shape, self.rooms = sources, shapes, target, shape, rooms
        self.kept: list[Any] = []

    def record(self, fields: dict[int, int]) -> npt.NDArray[np.int64]:
        """Return an operation from its fields and, where these do not say, from the connections."""
        known = {at.SOURCE: self.sources[0], at.TARGET: self.target, at.ROWS: self.shape.positions}
        known |= {at.X_STRIDE: 4 * self.shapes[0].features, at.OUT_STRIDE: 4 * self.shape.features}
        known |= {at.TIMES: 1, at.COLUMNS: 1, at.OUTS: self.shape.features}
        known |= {at.ROOM: self.rooms[0], at.SUMS: self.rooms[1]}
        record = np.zeros(at.OPERATION_FIELDS, np.int64)
        for field, value in (known | fields).items():
            record[field] = value
        return record

    def inside(self, fields: dict[int, int]) -> int:
        """Return the address of an operation that only another one calls."""
        self.kept.append(self.record(fields))
        return address_of(self.kept[-1])

    def activation(self, kind: str) -> list[npt.NDArray[np.int64]]:
        """Return the operation for a function that the sums do not apply themselves."""
        if kind not in _FUNCTIONS:
            return []
        fields = {at.KIND: at.ACTIVATE, at.STEP: _activate.address, at.CHOICE: _FUNCTIONS[kind]}
        return [self.record(fields)]


def as_weights(name: str, values: object, shape: tuple[int | None, ...]) -> Floats:
    """Return weights as float32 if they have this shape (None: any length of at least one) and are finite.

    Raises:
        KernelError: they are something else.
    """
    try:
        array = np.ascontiguousarray(values, np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise KernelError(f"{name} must be an array of float32: {error}") from None
    fits = array.ndim == len(shape) and all(
        n >= 1 if wanted is None else n == wanted for n, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise KernelError(f"{name} must have the shape [{wanted}], not {list(array.shape)}")
    if not np.isfinite(array).all():
        raise KernelError(f"{name} holds NaN or infinity")
    return array


def slopes_of(activation: str, slope: object, outs: int) -> Floats:
    """Return the factor below zero for each output: 1 without activation, 0 for relu, prelu's own.

    Raises:
        KernelError: there is no such activation, or prelu's slopes are not one or one for each output.
    """
    if activation not in ACTIVATIONS:
        raise KernelError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    if activation == "prelu":
        given = np.atleast_1d(np.asarray(slope, np.float32))
        return as_weights("slope", np.repeat(given, outs) if given.size == 1 else given, (outs,))
    return np.full(outs, 0.0 if activation == "relu" else 1.0, np.float32)


def _padded(values: Floats, multiple: int) -> Floats:
    padded = aligned(-(-len(values) // multiple) * multiple)
    padded[:] = 0
    padded[: len(values)] = values
    return padded


def matrix(weights: Floats, bias: Floats, slopes: Floats) -> Packed:
    """Pack weights ``[outputs, taps, run]`` into panels of 16 outputs, the last of 8 where that will do."""
    outs, taps, run = weights.shape
    rows = weights.reshape(outs, taps * run).T
    whole = (outs + at.LANES - 1) // at.PANEL
    parts = [rows[:, at.PANEL * k : at.PANEL * (k + 1)] for k in range(whole)]
    widths = [at.PANEL] * whole
    if outs > at.PANEL * whole:
        parts.append(rows[:, at.PANEL * whole :])
        widths.append(at.LANES)
    flat = [np.pad(p, ((0, 0), (0, w - p.shape[1]))).ravel() for p, w in zip(parts, widths, strict=True)]
    packed = _padded(np.concatenate(flat), at.PANEL)
    return Packed(_multiply, taps, run, outs, packed, _padded(bias, at.PANEL), _padded(slopes, at.PANEL))


def depthwise(weights: Floats, bias: Floats, slopes: Floats) -> Packed:
    """Pack weights ``[features, taps]`` into groups of eight features."""
    outs, taps = weights.shape
    groups = -(-outs // at.LANES)
    packed = aligned((groups, taps, at.LANES))
    packed[:] = 0
    for k in range(groups):
        part = weights[at.LANES * k : at.LANES * (k + 1)]
        packed[k, :, : len(part)] = part.T
    return Packed(_depthwise, taps, 1, outs, packed, _padded(bias, at.LANES), _padded(slopes, at.LANES))
