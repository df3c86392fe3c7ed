"""A bank of filters: many cascades of biquads at once, sixteen side by side in the lanes of vectors.

A lane is one filter of one channel. A recurrence waits for its own last result, and sixteen of them fill
the wait. Sections run one after the other over a chunk of samples, each with coefficients and memory in
registers. Chunks end at absolute multiples of 64 samples, so nothing depends on how the signal was cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .memory import f32, f64, i64, inline

__all__ = ["bank"]

_types: Any = types
_room: Any = cgutils.alloca_once
_INT, _INDEX, _DOUBLE, _FLOAT = ir.IntType(64), ir.IntType(32), ir.DoubleType(), ir.FloatType()
_LANES, _TILE, _CHUNK = 16, 8, 64
_VECTOR = ir.VectorType(_DOUBLE, _LANES)
_ROW, _HALF = ir.VectorType(_FLOAT, _TILE), ir.VectorType(_DOUBLE, _TILE)


def _load(builder: Any, base: Any, at: Any) -> Any:
    value = builder.load(builder.gep(base, [at]))
    value.align = 4
    return value


def _store(builder: Any, value: Any, base: Any, at: Any) -> None:
    builder.store(value, builder.gep(base, [at])).align = 4


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def _section(typingctx: Any, chunk: Any, coefficients: Any, memory: Any, n: Any) -> Any:
    """Sixteen biquads over ``chunk [n, 16]`` in place: transposed direct form II."""
    word = _types.int64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        chunk, coefficients, memory = (_pointer(builder, address, _VECTOR) for address in args[:3])
        b0, b1, b2, a1, a2 = (_load(builder, coefficients, _INT(k)) for k in range(5))
        z1, z2 = _room(builder, _VECTOR), _room(builder, _VECTOR)
        for k, place in enumerate((z1, z2)):
            builder.store(_load(builder, memory, _INT(k)), place)
        with cgutils.for_range(builder, args[3]) as loop:
            x = _load(builder, chunk, loop.index)
            y = builder.fadd(builder.fmul(b0, x), builder.load(z1))
            turned = builder.fsub(builder.fmul(b1, x), builder.fmul(a1, y))
            builder.store(builder.fadd(turned, builder.load(z2)), z1)
            builder.store(builder.fsub(builder.fmul(b2, x), builder.fmul(a2, y)), z2)
            _store(builder, y, chunk, loop.index)
        for k, place in enumerate((z1, z2)):
            _store(builder, builder.load(place), memory, _INT(k))
        return context.get_dummy_value()

    return _types.void(word, word, word, word), codegen


section: Any = _section


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Eight vectors of eight, rows to columns: blocks off the diagonal change places, halves first."""
    rows = [*rows]
    for size in (4, 2, 1):
        kept = [j if not j & size else _TILE + j - size for j in range(_TILE)]
        moved = [j + size if not j & size else _TILE + j for j in range(_TILE)]
        for i in (i for i in range(_TILE) if not i & size):
            a, b = rows[i], rows[i + size]
            for target, lanes in ((i, kept), (i + size, moved)):
                rows[target] = builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INDEX, _TILE), lanes))
    return rows


def _mover(*, inwards: bool) -> Any:
    """An intrinsic: eight samples of eight rows to eight half vectors of a chunk, or back."""

    @intrinsic
    def move(typingctx: Any, rows: Any, offset: Any, chunk: Any) -> Any:
        word = _types.int64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            table, chunk = _pointer(builder, args[0], _INT), _pointer(builder, args[2], _HALF)
            starts = []
            for j in range(_TILE):
                address = builder.add(_load(builder, table, _INT(j)), args[1])
                starts.append(_pointer(builder, address, _ROW))
            places = [_INT(2 * i) for i in range(_TILE)]
            if inwards:
                columns = _transposed(builder, [_load(builder, start, _INT(0)) for start in starts])
                for column, place in zip(columns, places, strict=True):
                    _store(builder, builder.fpext(column, _HALF), chunk, place)
            else:
                columns = [builder.fptrunc(_load(builder, chunk, place), _ROW) for place in places]
                for row, start in zip(_transposed(builder, columns), starts, strict=True):
                    _store(builder, row, start, _INT(0))
            return context.get_dummy_value()

        return _types.void(word, word, word), codegen

    return move


_move_in: Any = _mover(inwards=True)
_move_out: Any = _mover(inwards=False)


# Half of the rows at a time: sixteen that lie a power of two apart would crowd each other out of the cache.


@inline
def _fill(chunk: Any, rows: Any, offset: Any, n: Any) -> None:
    """``n`` samples of sixteen rows, from ``offset`` bytes on, to ``chunk [n, 16]``."""
    values, whole = f64(chunk, 16 * n), n // 8 * 8
    for half in range(2):
        for i in range(0, whole, 8):
            _move_in(rows + 64 * half, offset + 4 * i, chunk + 128 * i + 64 * half)
    for lane in range(16):
        x = f32(i64(rows, 16)[lane] + offset, n)
        for i in range(whole, n):
            values[16 * i + lane] = np.float64(x[i])


@inline
def _empty(chunk: Any, rows: Any, offset: Any, n: Any) -> None:
    """The same, back."""
    values, whole = f64(chunk, 16 * n), n // 8 * 8
    for half in range(2):
        for i in range(0, whole, 8):
            _move_out(rows + 64 * half, offset + 4 * i, chunk + 128 * i + 64 * half)
    for lane in range(16):
        y = f32(i64(rows, 16)[lane] + offset, n)
        for i in range(whole, n):
            y[i] = np.float32(values[16 * i + lane])


@inline
def _flush(address: Any, n: Any) -> None:
    # Decay into denormals would slow silence down by a factor of many; NaN and infinity end here too.
    memory = f64(address, n)
    for i in range(n):
        memory[i] = memory[i] if 1e-30 < abs(memory[i]) < 1e300 else 0.0


def bank(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Filter ``channels`` rows into ``lanes`` rows; lane l takes channel l % channels.

    The state is channels, lanes, sections, the position within a chunk, and the addresses of the coefficients
    ``[groups, sections, 5, 16]``, of the memory ``[groups, sections, 2, 16]``, of a chunk ``[64, 16]`` and of
    two tables ``[16]`` of rows. Where lanes end within a group, its last filter is there again and again:
    it writes the same samples to the same row.
    """
    header = i64(state, 8)
    channels, lanes, sections, position = header[0], header[1], header[2], header[3]
    chunk, tables = header[6], header[7]
    sources, sinks, rows = i64(ins, channels), i64(outs, lanes), i64(tables, 32)
    for first in range(0, lanes, 16):
        for k in range(16):
            lane = min(first + k, lanes - 1)
            rows[k], rows[16 + k] = sources[lane % channels], sinks[lane]
        coefficients, memory = header[4] + first * sections * 40, header[5] + first * sections * 16
        done = 0
        while done < n:
            count = min(n - done, 64 - (position + done) % 64)
            _fill(chunk, tables, 4 * done, count)
            for s in range(sections):
                section(chunk, coefficients + 640 * s, memory + 256 * s, count)
            _empty(chunk, tables + 128, 4 * done, count)
            done += count
            if (position + done) % 64 == 0:
                _flush(memory, 32 * sections)
    header[3] = (position + n) % 64
    return 0
