"""Small streaming networks as compiled code: frames in, frames out, one call for a frame or for many.

Layers are in `neural_layers`, `neural_convolutions` and `neural_recurrent`. A frame passes them all without
the interpreter; weights are read where the layers keep them; all memory of the past is in the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .arguments import check_array, check_count
from .code import neural_job as at
from .errors import KernelError
from .machine import Kernel, address_of, aligned
from .neural_layers import Layer, Reshape
from .neural_packing import Needs, Shape, Wires

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

__all__ = ["Network"]

_run = Kernel("neural.run", 8)
_LINE = 16  # floats of a cache line
#: Vectors of eight may read beyond what they write.
_SLACK = 16


class _Buffer:
    """A ring of frames for every channel, with zeros around each frame."""

    def __init__(self, shape: Shape, needs: Needs) -> None:
        self.shape, self.needs = shape, needs
        self.record = np.zeros(at.BUFFER_FIELDS, np.int64)
        self.address = address_of(self.record)

    def lay(self, channels: int, block: int) -> tuple[int, int]:
        """Set strides; return how many floats it takes, and where the first frame begins."""
        left = -(-self.needs.left // _LINE) * _LINE
        slot = -(-(left + self.shape.values + self.needs.right + _SLACK) // _LINE) * _LINE
        slots = block * (1 + -(-self.needs.history // block))
        self.record[at.SLOTS], self.record[at.SLOT] = slots, 4 * slot
        self.record[at.CHANNEL] = 4 * slot * slots
        return slot * slots * channels + _LINE, left


class _View(NamedTuple):
    """A buffer seen in a shape."""

    buffer: _Buffer
    shape: Shape


class _Link(NamedTuple):
    """A layer with what it reads and what it writes."""

    layer: Layer
    read: list[_View]
    written: _View


class Network:
    """A network of layers, for so many channels that share its weights and nothing else.

    Frames are float32 ``[positions, features]``, flat. The bits of a channel's output depend on its own
    input alone: not on the other channels, on how frames were cut into calls, or on ``block``.

    Args:
        inputs: positions and features of a frame that comes in; a number is the features of one position.
        layers: in the order of work. Each reads the one before it or those that its ``source`` names.
        channels: 1 to 16.
        block: frames that `run` takes through each layer at a time, 1 to 64; more read weights that exceed
            the cache less often, and take more memory for what is between layers.

    Attributes:
        inputs: shape of a frame in.
        outputs: shape of a frame out, the last layer's.
        channels: how many.
        parameters: how many numbers the layers were given.
        multiply_adds: how many one frame of a channel takes.

    Raises:
        KernelError: layers do not fit each other; the message names the layer.

    Example:
        >>> from unbraid.kernels.neural_layers import Dense
        >>> net = Network(2, [Dense(np.eye(2), activation="relu"), Dense(np.ones((1, 2)))])
        >>> net.step(np.array([[3, -1]], np.float32)).tolist()
        [[3.0]]
    """

    def __init__(
        self,
        inputs: int | tuple[int, int],
        layers: Iterable[Layer],
        channels: int = 1,
        block: int = 1,
    ) -> None:
        self.layers = tuple(layers)
        self.channels = check_count("channels", channels, 1, 16)
        self._block = check_count("block", block, 1, 64)
        given = inputs if isinstance(inputs, tuple) else (1, inputs)
        self.inputs = Shape(*(check_count("inputs", n) for n in given))
        if not self.layers:
            raise KernelError("a network needs at least one layer")
        self._links = _linked(self.layers, self.inputs)
        self.outputs = self._links[-1].written.shape
        self.parameters = sum(layer.parameters for layer in self.layers)
        self.multiply_adds = sum(link.layer.multiply_adds(link.written.shape) for link in self._links)
        self._memory = self._allocate()
        self._kept: list[Any] = []
        self._table = self._compile()
        self._state = self._header()
        self.address, self.state = _run.address, address_of(self._state)
        self._call: Any = _run.function
        self.reset()

    # Making

    def _buffers(self) -> list[_Buffer]:
        """Every buffer once, in the order of work."""
        views = [view for link in self._links for view in (*link.read, link.written)]
        return list({id(view.buffer): view.buffer for view in views}.values())

    def _allocate(self) -> Floats:
        buffers = self._buffers()
        sizes = [buffer.lay(self.channels, self._block) for buffer in buffers]
        memory = aligned(sum(size for size, _ in sizes))
        start = address_of(memory)
        for buffer, (size, left) in zip(buffers, sizes, strict=True):
            buffer.record[at.BASE] = start + 4 * left
            start += 4 * size
        return memory

    def _compile(self) -> npt.NDArray[np.int64]:
        """Return the table of operations."""
        rows = self.channels * self._block
        wanted = [link.layer.rooms(link.written.shape, rows) for link in self._links]
        rooms = [aligned(max(sizes) + _SLACK) for sizes in zip(*wanted, strict=True)]
        self._kept += rooms
        table = []
        for layer, read, written in self._links:
            wires = Wires(
                [view.buffer.address for view in read],
                [view.shape for view in read],
                written.buffer.address,
                written.shape,
                (address_of(rooms[0]), address_of(rooms[1])),
            )
            table += layer.records(wires)
            self._kept.append(wires)
        return np.array(table, np.int64).reshape(-1, at.OPERATION_FIELDS)

    def _header(self) -> npt.NDArray[np.int64]:
        table = self._table
        places = np.zeros(max([1, *(table[:, at.TIMES] * table[:, at.COLUMNS])]), np.int64)
        self._kept.append(places)
        header = np.zeros(at.NETWORK_FIELDS, np.int64)
        header[at.CHANNELS], header[at.BLOCK] = self.channels, self._block
        header[at.OPERATIONS], header[at.TABLE] = len(table), address_of(table)
        header[at.X], header[at.X_VALUES] = self._links[0].read[0].buffer.address, self.inputs.values
        header[at.Y], header[at.Y_VALUES] = self._links[-1].written.buffer.address, self.outputs.values
        header[at.PLACES] = address_of(places)
        return header

    # Work

    def reset(self) -> None:
        """Forget the past: what follows is what a new network would give."""
        self._memory[:] = 0
        self._state[at.POSITION] = at.BEGIN * self._block

    def step(self, x: Floats, out: Floats | None = None) -> Floats:
        """Take one frame of every channel and return what comes out for it.

        Args:
            x: float32 ``[channels, values]``, the values of ``inputs`` position by position.
            out: where to write, float32 ``[channels, values of outputs]``; a new array for None.

        Raises:
            KernelError: an array has another type or shape, or ``out`` shares memory with ``x``.
        """
        check_array("x", x, np.float32, (self.channels, self.inputs.values))
        return self._advance(x, (self.channels, self.outputs.values), out, 1)

    def run(self, x: Floats, out: Floats | None = None) -> Floats:
        """Take many frames: float32 ``[channels, frames, values]`` to the same of what comes out.

        The bits are those of `step`, frame by frame.

        Raises:
            KernelError: an array has another type or shape, or ``out`` shares memory with ``x``.
        """
        check_array("x", x, np.float32, (self.channels, None, self.inputs.values))
        return self._advance(x, (self.channels, x.shape[1], self.outputs.values), out, x.shape[1])

    def _advance(self, x: Floats, shape: tuple[int, ...], out: Floats | None, frames: int) -> Floats:
        y = aligned(shape) if out is None else check_array("out", out, np.float32, shape, writable=True)
        source, target = address_of(x), address_of(y)
        if source < target + y.nbytes and target < source + x.nbytes:
            raise KernelError("out shares memory with x; kernels do not work in place")
        x_frame, y_frame = 4 * self.inputs.values, 4 * self.outputs.values
        sides = source, frames * x_frame, x_frame, target, frames * y_frame, y_frame
        self._call(self.state, *sides, frames)
        return y


def _linked(layers: tuple[Layer, ...], inputs: Shape) -> list[_Link]:
    """Find what each layer reads, and what has to be around that.

    Raises:
        KernelError: see `Network`.
    """
    last = _View(_Buffer(inputs, Needs()), inputs)
    known, links = {"input": last}, list[_Link]()
    for number, layer in enumerate(layers):
        where = f"layer {number} ({type(layer).__name__}{' ' + layer.name if layer.name else ''})"
        names = (layer.source,) if isinstance(layer.source, str) else layer.source
        missing = [name for name in names if name and name not in known]
        if missing or not names:
            wanted = repr(missing[0]) if missing else "nothing"
            raise KernelError(f"{where} reads {wanted}; before it there are {', '.join(known)}")
        if layer.name in known:
            raise KernelError(f"{where}: this name is taken")
        read = [known[name] if name else last for name in names]
        try:
            shape = layer.shape(*(view.shape for view in read))
        except KernelError as error:
            raise KernelError(f"{where}: {error}") from None
        for view in read:
            view.buffer.needs = view.buffer.needs.joined(layer.needs(view.shape))
            if view.buffer.needs.history > at.BEGIN:
                raise KernelError(
                    f"{where} hears {view.buffer.needs.history} frames back, more than {at.BEGIN}"
                )
        buffer = read[0].buffer if isinstance(layer, Reshape) else _Buffer(shape, layer.keeps(shape))
        last = _View(buffer, shape)
        links.append(_Link(layer, read, last))
        if layer.name:
            known[layer.name] = last
    return links
