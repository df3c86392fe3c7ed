"""Sums of bins into bands, and gains of bands spread over bins.

The state of a layout is a header of int64: bins, bands, the addresses of ``edges`` and ``shares``, and 1 for
triangles or 0 for rectangles. Bins ``edges[k]`` to ``edges[k + 1] - 1`` are segment k. With triangles there
are ``bands + 1`` segments, and segment k lies between the centres of bands k - 1 and k, which get 1 - share
and share of each bin; the outermost segments belong to the outermost bands alone. A rectangle is a segment.
Where a segment belongs to one band the shares are 0.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .memory import f32, i64, inline

__all__ = ["energies_of_power", "energies_of_spectrum", "interpolate"]

_types: Any = types
_room: Any = cgutils.alloca_once
_LANES = 8
_FLOAT, _INT, _INDEX = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, _LANES)


def _load(builder: Any, address: Any, first: Any, lanes: int) -> Any:
    pointer = builder.gep(builder.inttoptr(address, _FLOAT.as_pointer()), [first])
    vector = builder.load(builder.bitcast(pointer, ir.VectorType(_FLOAT, lanes).as_pointer()))
    vector.align = 4
    return vector


def _powers(builder: Any, address: Any, first: Any, *, spectrum: bool) -> Any:
    """The powers of eight bins from ``first`` on: as they stand there, or of a spectrum's complex values."""
    if not spectrum:
        return _load(builder, address, first, _LANES)
    pairs = _load(builder, address, builder.mul(first, _INT(2)), 2 * _LANES)
    squares = []
    for offset in (0, 1):
        mask = ir.Constant(ir.VectorType(_INDEX, _LANES), [2 * j + offset for j in range(_LANES)])
        part = builder.shuffle_vector(pairs, pairs, mask)
        squares.append(builder.fmul(part, part))
    return builder.fadd(*squares)


def _folded(builder: Any, vector: Any) -> Any:
    """The sum of eight lanes, one half on the other: the same order of additions on every CPU."""
    for half in (4, 2, 1):
        low, high = (
            builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_INDEX, half), [*lanes]))
            for lanes in (range(half), range(half, 2 * half))
        )
        vector = builder.fadd(low, high)
    return builder.extract_element(vector, _INDEX(0))


def _eights(*, spectrum: bool) -> Any:
    """An intrinsic: the two sums of `_splitter` over ``groups`` times eight bins, in eight lanes."""

    @intrinsic
    def eights(typingctx: Any, x: Any, shares: Any, first: Any, groups: Any) -> Any:
        word = _types.int64
        signature = _types.UniTuple(_types.float32, 2)(word, word, word, word)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, shares, first, groups = args
            below, above = _room(builder, _VECTOR), _room(builder, _VECTOR)
            for place in (below, above):
                builder.store(ir.Constant(_VECTOR, [0.0] * _LANES), place)
            with cgutils.for_range(builder, groups) as loop:
                at = builder.add(first, builder.mul(loop.index, _INT(_LANES)))
                power = _powers(builder, x, at, spectrum=spectrum)
                part = builder.fmul(_load(builder, shares, at, _LANES), power)
                builder.store(builder.fadd(builder.load(above), part), above)
                builder.store(builder.fadd(builder.load(below), builder.fsub(power, part)), below)
            sums = [_folded(builder, builder.load(place)) for place in (below, above)]
            return context.make_tuple(builder, signature.return_type, sums)

        return signature, codegen

    return eights


@inline
def _power_as_given(x: Any, i: Any) -> Any:
    return f32(x, i + 1)[i]


@inline
def _power_of_spectrum(x: Any, i: Any) -> Any:
    values = f32(x, 2 * i + 2)
    return values[2 * i] * values[2 * i] + values[2 * i + 1] * values[2 * i + 1]


def _splitter(eights: Any, power_at: Any) -> Any:
    @inline
    def split(x: Any, shares: Any, first: Any, stop: Any) -> Any:
        """Sums of (1 - share) p and share p over bins ``first`` to ``stop - 1``."""
        groups = (stop - first) // 8
        below, above = eights(x, shares, first, groups)
        share = f32(shares, stop)
        for i in range(first + 8 * groups, stop):
            power = power_at(x, i)
            part = share[i] * power
            above += part
            below += power - part
        return below, above

    return split


def _energies(split: Any, size: int) -> Any:
    """The kernel ``(state, x, out, rows)``; a bin of ``x`` takes ``size`` bytes."""

    def energies(state: Any, x: Any, out: Any, rows: Any) -> Any:
        header = i64(state, 5)
        bins, bands, shares, triangles = header[0], header[1], header[3], header[4]
        edges = i64(header[2], bands + triangles + 1)
        for row in range(rows):
            source, target = x + row * bins * size, f32(out + row * bands * 4, bands)
            for k in range(bands):
                below, above = split(source, shares, edges[k], edges[k + 1])
                if triangles == 1 and k > 0:
                    target[k - 1] += below
                    target[k] = above
                else:
                    target[k] = below
            if triangles == 1:
                below, above = split(source, shares, edges[bands], edges[bands + 1])
                target[bands - 1] += below
        return 0

    return energies


energies_of_power = _energies(_splitter(_eights(spectrum=False), _power_as_given), 4)
energies_of_spectrum = _energies(_splitter(_eights(spectrum=True), _power_of_spectrum), 8)


def _everywhere(builder: Any, value: Any) -> Any:
    """``value`` in all eight lanes."""
    vector = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, _INDEX(0))
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_INDEX, _LANES), [0] * _LANES))


@intrinsic
def _eight_gains(typingctx: Any, out: Any, shares: Any, first: Any, low: Any, step: Any) -> Any:
    signature = _types.void(_types.int64, _types.int64, _types.int64, _types.float32, _types.float32)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        out, shares, first, low, step = args
        low, step = (_everywhere(builder, value) for value in (low, step))
        share = _load(builder, shares, first, _LANES)
        pointer = builder.gep(builder.inttoptr(out, _FLOAT.as_pointer()), [first])
        place = builder.bitcast(pointer, _VECTOR.as_pointer())
        builder.store(builder.fadd(low, builder.fmul(share, step)), place).align = 4
        return context.get_dummy_value()

    return signature, codegen


eight_gains: Any = _eight_gains


def interpolate(state: Any, gains: Any, out: Any, rows: Any) -> Any:
    """Gains ``[rows, bands]`` to ``[rows, bins]``: straight lines between centres, or steps."""
    header = i64(state, 5)
    bins, bands, triangles = header[0], header[1], header[4]
    edges, shares = i64(header[2], bands + triangles + 1), f32(header[3], bins)
    for row in range(rows):
        place = out + row * bins * 4
        gain, target = f32(gains + row * bands * 4, bands), f32(place, bins)
        for k in range(bands + triangles):
            low, high = gain[max(k - triangles, 0)], gain[min(k, bands - 1)]
            i, stop, step = edges[k], edges[k + 1], high - low
            # Eight at a time reach into the next segment, which then writes its own over them.
            while i < stop and i + 8 <= bins:
                eight_gains(place, header[3], i, low, step)
                i += 8
            for j in range(i, stop):
                target[j] = low + shares[j] * step
    return 0
