"""The loop over a neural network's operations: frames in, frames out; see `neural_job` for the tables.

Frames are worked on layer by layer, up to BLOCK at a time on a grid of that many, and every buffer is a ring
of frames in which such a group is in one piece. What is remembered of the past is in the buffers alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import neural_job as at
from .emitted import Emitted
from .neural_vectors import Vectors
from .neural_words import Word, Words

if TYPE_CHECKING:
    from .neural_words import Number

__all__ = ["run"]


class _Group:
    """Emits the work on one group of frames.

    Args:
        builder: llvmlite's IRBuilder.
        network: the network's table.
        first: the group's first frame.
        frames: how many.
    """

    def __init__(self, builder: Any, network: Word, first: Word, frames: Word) -> None:
        self.w, self.v, self.builder = Words(builder), Vectors(builder), builder
        self.channels, self.places = network[at.CHANNELS], network[at.PLACES]
        self.first, self.frames = first, frames

    def emit(self, op: Word) -> None:
        """Emit one operation, whatever its kind."""
        kind = op[at.KIND]
        for number, body in (
            (at.LINEAR, self._linear),
            (at.ACTIVATE, self._activate),
            (at.NORM, self._normalise),
            (at.COMBINE, self._combine),
            (at.COPY, self._copy),
            (at.GRU, self._gru),
            (at.FREQUENCY_GRU, self._frequency_gru),
            (at.MIN_GRU, self._min_gru),
        ):
            with self.w.when(kind.is_("==", number)):
                body(op)

    # Places

    def _slot(self, buffer: Word, channel: Number, frame: Word) -> Word:
        """Where a channel's frame begins; its number is never below zero, see `neural_job.BEGIN`."""
        slot = frame % buffer[at.SLOTS]
        return buffer[at.BASE] + buffer[at.CHANNEL] * channel + slot * buffer[at.SLOT]

    def _each(self) -> Any:
        return self.w.each(self.channels, self.first, self.frames)

    def _point(self, op: Word, channel: Number, frame: Word) -> None:
        """Write the addresses of an operation's taps."""
        columns = op[at.COLUMNS]
        with self.w.repeat(op[at.TIMES]) as i:
            past = (op[at.TIMES] - 1 - i) * op[at.DILATION]
            base = self._slot(op[at.SOURCE], channel, frame - past) + op[at.X_OFFSET]
            with self.w.repeat(columns) as j:
                self.places[i * columns + j] = base + j * op[at.COLUMN_STRIDE]

    # Sums of products

    def _sum(self, op: Word, rows: Number, x_stride: Word, out: Word, out_stride: Word) -> None:
        self.w.call(op[at.STEP], op, self.places, rows, x_stride, out, out_stride)

    def _linear(self, op: Word) -> None:
        with self.w.either(op[at.ROWS].is_("==", 1)) as (alone, many):
            with alone:
                self._project(op, None)
            with many, self._each() as (channel, frame):
                self._point(op, channel, frame)
                out = self._slot(op[at.TARGET], channel, frame) + op[at.OUT_OFFSET]
                self._sum(op, op[at.ROWS], op[at.X_STRIDE], out, op[at.OUT_STRIDE])

    def _project(self, op: Word, room: Word | None) -> None:
        """Emit frames of one row each, into ``room [frames, channels]`` or the operation's buffer.

        Rows of a call are frames where there are several, else channels.
        """
        w, source, width = self.w, op[at.SOURCE], 4 * op[at.OUTS]
        several = self.builder.and_(self.frames.is_(">", 1), op[at.TIMES].is_("==", 1))
        with w.either(several) as (frames, channels):
            with frames, w.repeat(self.channels) as channel:
                self._point(op, channel, self.first)
                if room is None:
                    out, stride = self._target(op, channel, self.first), op[at.TARGET][at.SLOT]
                else:
                    out, stride = room + channel * width, self.channels * width
                self._sum(op, self.frames, source[at.SLOT], out, stride)
            with channels, w.repeat(self.frames) as frame:
                self._point(op, 0, self.first + frame)
                if room is None:
                    out, stride = self._target(op, 0, self.first + frame), op[at.TARGET][at.CHANNEL]
                else:
                    out, stride = room + frame * self.channels * width, width
                self._sum(op, self.channels, source[at.CHANNEL], out, stride)

    def _target(self, op: Word, channel: Number, frame: Word) -> Word:
        return self._slot(op[at.TARGET], channel, frame) + op[at.OUT_OFFSET]

    # Recurrent layers

    def _gru_step(self, op: Word, sums: Word, h: Word, out: Word, stride: Word, rows: Number) -> None:
        """Emit one step of rows of states; ``sums`` are those over the input."""
        outer, state_sums = op[at.OUTER], op[at.ROOM]
        self.places[0] = h
        self.w.call(outer[at.STEP], outer, self.places, rows, stride, state_sums, 12 * op[at.OUTS])
        self.w.call(op[at.STEP], op, sums, state_sums, h, stride, out, stride, rows)

    def _gru(self, op: Word) -> None:
        inner, target, sums, size = op[at.INNER], op[at.TARGET], op[at.SUMS], 4 * op[at.OUTS]
        with self.w.either(op[at.ROWS].is_("==", 1)) as (alone, many):
            with alone:
                self._project(inner, sums)
                with self.w.repeat(self.frames) as frame:
                    h, out = (self._slot(target, 0, self.first + frame - past) for past in (1, 0))
                    here = sums + frame * self.channels * 3 * size
                    self._gru_step(op, here, h, out, target[at.CHANNEL], self.channels)
            with many, self._each() as (channel, frame):
                self._point(inner, channel, frame)
                self._sum(inner, op[at.ROWS], op[at.X_STRIDE], sums, 3 * size)
                h, out = (self._slot(target, channel, frame - past) for past in (1, 0))
                self._gru_step(op, sums, h, out, size, op[at.ROWS])

    def _frequency_gru(self, op: Word) -> None:
        """Emit a pass along the rows of each frame, up or down; the state before the first is the border."""
        sums, rows, stride, step = op[at.SUMS], op[at.ROWS], op[at.OUT_STRIDE], op[at.CHOICE]
        begin = self.w.select(step.is_(">", 0), self.w.word(0), rows - 1)
        with self._each() as (channel, frame):
            self._point(op[at.INNER], channel, frame)
            self._sum(op[at.INNER], rows, op[at.X_STRIDE], sums, 12 * op[at.OUTS])
            start = self._target(op, channel, frame)
            with self.w.repeat(rows) as i:
                row = begin + step * i
                out, h = (start + place * stride for place in (row, row - step))
                self._gru_step(op, sums + row * 12 * op[at.OUTS], h, out, stride, 1)

    def _min_gru(self, op: Word) -> None:
        inner, target, sums, size = op[at.INNER], op[at.TARGET], op[at.SUMS], 4 * op[at.OUTS]
        with self.w.either(op[at.ROWS].is_("==", 1)) as (alone, many):
            with alone:
                self._project(inner, sums)
                stride = target[at.CHANNEL]
                with self.w.repeat(self.frames) as frame:
                    h, out = (self._slot(target, 0, self.first + frame - past) for past in (1, 0))
                    here = sums + frame * self.channels * 2 * size
                    self.w.call(op[at.STEP], op, here, h, stride, out, stride, self.channels)
            with many, self._each() as (channel, frame):
                self._point(inner, channel, frame)
                self._sum(inner, op[at.ROWS], op[at.X_STRIDE], sums, 2 * size)
                h, out = (self._slot(target, channel, frame - past) for past in (1, 0))
                self.w.call(op[at.STEP], op, sums, h, size, out, size, op[at.ROWS])

    # Value by value

    def _activate(self, op: Word) -> None:
        with self._each() as (channel, frame):
            x = self._slot(op[at.TARGET], channel, frame)
            self.w.call(op[at.STEP], x, op[at.ROWS] * op[at.OUTS], op[at.CHOICE])

    def _normalise(self, op: Word) -> None:
        with self._each() as (channel, frame):
            x, out = (self._slot(op[field], channel, frame) for field in (at.SOURCE, at.TARGET))
            self.w.call(op[at.STEP], op, x, op[at.X_STRIDE], out, op[at.OUT_STRIDE], op[at.ROWS])

    def _combine(self, op: Word) -> None:
        v = self.v
        with self._each() as (channel, frame):
            a, b, out = (self._slot(op[field], channel, frame) for field in (at.SOURCE, at.SECOND, at.TARGET))
            for choice, combined in ((at.SUM, self.builder.fadd), (at.PRODUCT, self.builder.fmul)):

                def body(offset: Any, left: Any, combined: Any = combined) -> None:
                    values = [v.read(self.builder.add(x.value, offset)) for x in (a, b)]
                    v.write_some(self.builder.add(out.value, offset), combined(*values), left)

                with self.w.when(op[at.CHOICE].is_("==", choice)):
                    v.each_eight((op[at.ROWS] * op[at.OUTS]).value, body)

    def _copy(self, op: Word) -> None:
        """Emit the copy of OUTS values of every row, of the frame DILATION ago."""
        v = self.v
        with self._each() as (channel, frame):
            source = self._slot(op[at.SOURCE], channel, frame - op[at.DILATION]) + op[at.X_OFFSET]
            target = self._target(op, channel, frame)
            with self.w.repeat(op[at.ROWS]) as row:
                x, out = source + row * op[at.X_STRIDE], target + row * op[at.OUT_STRIDE]

                def body(offset: Any, left: Any, x: Word = x, out: Word = out) -> None:
                    v.write_some(
                        self.builder.add(out.value, offset), v.read(self.builder.add(x.value, offset)), left
                    )

                v.each_eight(op[at.OUTS].value, body)

    # In and out

    def move(
        self, buffer: Word, values: Word, outside: Word, channel: Word, frame: Word, *, inward: bool
    ) -> None:
        """Emit the copy between a buffer and the caller's array, whose strides are given."""
        with self.w.repeat(self.channels) as c, self.w.repeat(self.frames) as t:
            there, here = outside + c * channel + t * frame, self._slot(buffer, c, self.first + t)
            pair = (there, here) if inward else (here, there)
            self.w.copy(*pair, values)


def _run(builder: Any, *arguments: Any) -> None:
    network, x, x_channel, x_frame, y, y_channel, y_frame, frames = (Word(builder, a) for a in arguments)
    w, begin = Words(builder), network[at.POSITION]
    block = network[at.BLOCK]
    # The grid's groups that these frames touch; all but the first begin with it.
    groups = (begin % block + frames + block - 1) // block
    with w.repeat(groups):
        past = network[at.POSITION] - begin
        first = begin + past
        count = (frames - past).least(block - first % block)
        group = _Group(builder, network, first, count)
        group.move(network[at.X], network[at.X_VALUES], x + past * x_frame, x_channel, x_frame, inward=True)
        with w.repeat(network[at.OPERATIONS]) as number:
            group.emit(network[at.TABLE] + number * (8 * at.OPERATION_FIELDS))
        group.move(network[at.Y], network[at.Y_VALUES], y + past * y_frame, y_channel, y_frame, inward=False)
        network[at.POSITION] = first + count


#: ``(network, x, x channel, x frame, y, y channel, y frame, frames)``, strides in bytes: takes ``frames``
#: frames of every channel and writes what comes out for each.
run = Emitted(_run)
