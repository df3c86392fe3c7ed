"""Sums of products for neural networks: rows of values times packed weights, outputs in the lanes.

Row m of the output is ``bias + sum over taps t and k of x_t[m][k] weights[t][k]``: a dense layer has one tap
and one row, a convolution a tap for every frame that it hears and a row for every place. All sums run over t
and k in order, so a row's bits do not depend on how many others a call holds.

Weights of `multiply` stand in panels of 16 outputs, a cache line for every t and k; the last panel is 8 wide
if that holds what is left. Tiles of rows and panels fill the 16 vector registers of AVX2.
"""

from __future__ import annotations

from typing import Any

from .emitted import Emitted
from .fft.access import INT
from .neural_job import BIAS, LANES, OUTS, PANEL, RUN, SLOPES, TAPS, WEIGHTS
from .neural_vectors import Vectors

__all__ = ["depthwise", "multiply"]

_VECTOR_BYTES, _LINE = 4 * LANES, 4 * PANEL
#: Rows of a tile, and how many panels it takes at once, most first: enough sums to hide their latency.
_TILES = {6: (1,), 4: (1,), 2: (2, 1), 1: (4, 2, 1)}
_MOST = 12
#: Rows of a tile of `depthwise`.
_DEEP = (8, 4, 2, 1)


class _Sums:
    """What both kernels share: rows that are read and written, sums that begin at the bias."""

    def __init__(self, builder: Any, operation: Any, arguments: tuple[Any, ...]) -> None:
        self.v, self.builder, self.at = Vectors(builder), builder, builder.add
        self.taps, self.rows, self.x_stride, self.out, self.out_stride = arguments
        self.count, self.run, self.outs, self.weights, self.bias, self.slopes = self.v.fields(
            operation, TAPS, RUN, OUTS, WEIGHTS, BIAS, SLOPES
        )
        self.room = self.v.room(_MOST)

    def times(self, a: Any, b: Any) -> Any:
        return self.builder.mul(a, INT(b) if isinstance(b, int) else b)

    def begin(self, column: Any, rows: int, vectors: int) -> None:
        """Set sums to the bias of the outputs from ``column`` (in bytes) on."""
        for i in range(vectors):
            bias = self.v.read(self.at(self.at(self.bias, column), INT(i * _VECTOR_BYTES)))
            for row in range(rows):
                self.builder.store(bias, self.room[row * vectors + i])

    def gather(self, place: int, x: Any, weight: Any) -> None:
        """Add a product to a sum."""
        room = self.room[place]
        self.builder.store(self.v.multiply_add(x, weight, self.builder.load(room)), room)

    def end(self, first: Any, column: Any, rows: int, vectors: int) -> None:
        """Scale what is not above zero by the outputs' slopes, and write."""
        zero = self.v.constant(0.0)
        left = self.builder.sub(self.outs, self.builder.sdiv(column, INT(4)))
        for row in range(rows):
            start = self.at(self.out, self.times(self.at(first, INT(row)), self.out_stride))
            for i in range(vectors):
                there = self.at(column, INT(i * _VECTOR_BYTES))
                value = self.builder.load(self.room[row * vectors + i])
                scaled = self.builder.fmul(value, self.v.read(self.at(self.slopes, there)))
                value = self.v.where(">", value, zero, value, scaled)
                if i < vectors - 1:
                    self.v.write(self.at(start, there), value)
                else:
                    few = self.builder.sub(left, INT(i * LANES))
                    self.v.write_some(self.at(start, there), value, few)

    def cut(self, sizes: tuple[int, ...]) -> Any:
        """Yield for each size of tile: the size, its first row, and how many such tiles there are."""
        first = INT(0)
        for size in sizes:
            tiles = self.builder.sdiv(self.builder.sub(self.rows, first), INT(size))
            yield size, first, tiles
            first = self.at(first, self.times(tiles, size))


class _Multiply(_Sums):
    def emit(self) -> None:
        whole = self.builder.sdiv(self.at(self.outs, INT(LANES - 1)), INT(PANEL))
        rest = self.builder.icmp_signed(">", self.outs, self.times(whole, PANEL))
        for rows, first, tiles in self.cut(tuple(_TILES)):
            with self.builder.if_then(self.builder.icmp_signed(">", tiles, INT(0))):
                panel = INT(0)
                for size in _TILES[rows]:
                    groups = self.builder.sdiv(self.builder.sub(whole, panel), INT(size))
                    with self.v.repeat(groups) as group:
                        here = self.at(panel, self.times(group, size))
                        self._column(here, rows, 2 * size, first, tiles)
                    panel = self.at(panel, self.times(groups, size))
                with self.builder.if_then(rest):
                    self._column(whole, rows, 1, first, tiles)

    def _column(self, panel: Any, rows: int, vectors: int, first: Any, tiles: Any) -> None:
        with self.v.repeat(tiles) as tile:
            self._tile(panel, self.at(first, self.times(tile, rows)), rows, vectors)

    def _tile(self, panel: Any, first: Any, rows: int, vectors: int) -> None:
        column, line = self.times(panel, _LINE), min(vectors, 2) * _VECTOR_BYTES
        size = self.times(self.times(self.count, self.run), _LINE)  # bytes of a panel
        weights = self.at(self.weights, self.times(panel, size))
        self.begin(column, rows, vectors)
        with self.v.repeat(self.count) as tap:
            x = self.v.fields(self.at(self.taps, self.times(tap, 8)), 0)[0]
            x = self.at(x, self.times(first, self.x_stride))
            start = self.at(weights, self.times(self.times(tap, self.run), line))
            with self.v.repeat(self.run) as k:
                here = self.at(start, self.times(k, line))
                loaded = [self._weight(here, i, size) for i in range(vectors)]
                for row in range(rows):
                    place = self.at(self.at(x, self.times(k, 4)), self.times(self.x_stride, row))
                    value = self.v.repeated(place)
                    for i in range(vectors):
                        self.gather(row * vectors + i, value, loaded[i])
        self.end(first, column, rows, vectors)

    def _weight(self, here: Any, i: int, size: Any) -> Any:
        place = self.at(here, self.times(size, i // 2)) if i > 1 else here
        return self.v.read(self.at(place, INT(i % 2 * _VECTOR_BYTES)))


class _Depthwise(_Sums):
    def emit(self) -> None:
        groups = self.builder.sdiv(self.at(self.outs, INT(LANES - 1)), INT(LANES))
        with self.v.repeat(groups) as group:
            column = self.times(group, _VECTOR_BYTES)
            for rows, first, tiles in self.cut(_DEEP):
                with self.v.repeat(tiles) as tile:
                    self._tile(column, self.at(first, self.times(tile, rows)), rows)

    def _tile(self, column: Any, first: Any, rows: int) -> None:
        weights = self.at(self.weights, self.times(column, self.count))
        self.begin(column, rows, 1)
        with self.v.repeat(self.count) as tap:
            x = self.v.fields(self.at(self.taps, self.times(tap, 8)), 0)[0]
            x = self.at(self.at(x, column), self.times(first, self.x_stride))
            weight = self.v.read(self.at(weights, self.times(tap, _VECTOR_BYTES)))
            for row in range(rows):
                self.gather(row, self.v.read(self.at(x, self.times(self.x_stride, row))), weight)
        self.end(first, column, rows, 1)


def _multiply(builder: Any, operation: Any, *arguments: Any) -> None:
    _Multiply(builder, operation, arguments[:5]).emit()


def _depthwise(builder: Any, operation: Any, *arguments: Any) -> None:
    _Depthwise(builder, operation, arguments[:5]).emit()


#: ``(operation, tap addresses, rows, x stride, out, out stride, 0, 0)``: see the module.
multiply = Emitted(_multiply)
#: The same where output c hears channel c alone: weights ``[eights of channels, taps, 8]``.
depthwise = Emitted(_depthwise)
