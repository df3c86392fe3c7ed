"""Loops of loudness meters: K-weighted energies every 10 ms, and peaks between samples.

What is summed and when depends on absolute positions alone, so no result depends on how a signal was cut.
Samples that are not finite count as silence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .memory import f64, i32, i64, inline

__all__ = ["energies", "peaks"]

_types: Any = types
_room: Any = cgutils.alloca_once
_INT, _WORD, _FLOAT = ir.IntType(64), ir.IntType(32), ir.FloatType()
_LANES, _VECTORS, _TAPS = 16, 2, 24
_ROW, _BITS = ir.VectorType(_FLOAT, _LANES), ir.VectorType(_WORD, _LANES)


def _wide(builder: Any, value: Any, kind: Any) -> Any:
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _WORD(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_WORD, kind.count), [0] * kind.count))


# Fused where the CPU can; of two products that meet only one, so that all copies of a loop round alike.


def _plus(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a b + c``."""
    return builder.fadd(builder.fmul(a, b, flags=["contract"]), c, flags=["contract"])


def _minus(builder: Any, c: Any, a: Any, b: Any) -> Any:
    """``c - a b``."""
    return builder.fsub(c, builder.fmul(a, b, flags=["contract"]), flags=["contract"])


# Energies


@inline
def _kept(value: Any) -> Any:
    # Decay into denormals would slow silence down by a factor of many.
    return value if 1e-30 < abs(value) < 1e300 else 0.0


def _weigher(lanes: int) -> Any:
    """An intrinsic: channels side by side in a vector through both biquads, their squares added to sums."""
    floats, doubles = ir.VectorType(_FLOAT, lanes), ir.VectorType(ir.DoubleType(), lanes)
    bits = ir.VectorType(_WORD, lanes)
    exponent, positive = ir.Constant(bits, [0x7F800000] * lanes), ir.Constant(bits, [0x7FFFFFFF] * lanes)
    zeros, minus_two = ir.Constant(floats, [0.0] * lanes), ir.Constant(doubles, [-2.0] * lanes)

    def block(builder: Any, rows: list[Any], index: Any) -> Any:
        """One sample of each channel, those that are not finite as 0."""
        x: Any = ir.Constant(floats, ir.Undefined)
        for k, row in enumerate(rows):
            x = builder.insert_element(x, builder.load(builder.gep(row, [index])), _WORD(k))
        finite = builder.icmp_signed("<", builder.and_(builder.bitcast(x, bits), positive), exponent)
        return builder.fpext(builder.select(finite, x, zeros), doubles)

    @intrinsic
    def weigh(typingctx: Any, rows: Any, coefficients: Any, memory: Any, n: Any) -> Any:
        word = _types.int64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            table = builder.inttoptr(args[0], _INT.as_pointer())
            starts = [builder.load(builder.gep(table, [_INT(k)])) for k in range(lanes)]
            rows = [builder.inttoptr(start, _FLOAT.as_pointer()) for start in starts]
            values = builder.inttoptr(args[1], ir.DoubleType().as_pointer())
            b0, b1, b2, a1, a2, c1, c2 = (
                _wide(builder, builder.load(builder.gep(values, [_INT(k)])), doubles) for k in range(7)
            )
            kept = builder.inttoptr(args[2], doubles.as_pointer())
            places = [builder.gep(kept, [_INT(k)]) for k in range(5)]
            rooms = [_room(builder, doubles) for _ in places]
            for place, room in zip(places, rooms, strict=True):
                value = builder.load(place)
                value.align = 8
                builder.store(value, room)
            with cgutils.for_range(builder, args[3]) as loop:
                x = block(builder, rows, loop.index)
                z = [builder.load(room) for room in rooms]
                u = _plus(builder, b0, x, z[0])
                s = builder.fadd(u, z[2])
                after = [
                    _minus(builder, _plus(builder, b1, x, z[1]), a1, u),
                    _minus(builder, builder.fmul(b2, x), a2, u),
                    _minus(builder, _plus(builder, minus_two, u, z[3]), c1, s),
                    _minus(builder, u, c2, s),
                    _plus(builder, s, s, z[4]),
                ]
                for value, room in zip(after, rooms, strict=True):
                    builder.store(value, room)
            for place, room in zip(places, rooms, strict=True):
                builder.store(builder.load(room), place).align = 8
            return context.get_dummy_value()

        return _types.void(word, word, word, word), codegen

    return weigh


_two: Any = _weigher(2)
_four: Any = _weigher(4)


@inline
def _start(slot: Any, rate: Any) -> Any:
    """The first sample of a slot of 10 ms; slots differ by a sample where the rate is no multiple of 100."""
    return slot * rate // 100


@inline
def _window(ring: Any, slot: Any, slots: Any, rate: Any) -> Any:
    """The mean square of the last ``slots`` slots; before the programme there was silence."""
    energies = f64(ring, 300)
    total = 0.0
    for k in range(slot - slots, slot):
        total += energies[k % 300]
    return total / (_start(slot, rate) - _start(slot - slots, rate))


def energies(state: Any, x: Any, stride: Any, n: Any) -> Any:
    """Weigh and square ``n`` samples of each channel, ``stride`` bytes apart.

    The state is groups of channels, channels of a group (2 or 4), rate, position, slot, and the addresses
    of: channels ``[groups, width]``, their weights, coefficients ``[7]``, what the filters remember and the
    sum of this slot ``[groups, 5, width]``, energies of the last 300 slots, energies of every 100 ms so far
    with room for this block's, figures ``[5]``: mean squares of 400 ms and of 3 s, the largest of each, and
    the energy of this 100 ms; and room for the addresses of a group's channels.
    """
    header = i64(state, 13)
    groups, width, rate = header[0], header[1], header[2]
    lanes = groups * width
    channels, weights, rows = i64(header[5], lanes), f64(header[6], lanes), i64(header[12], width)
    memory, ring, figures = f64(header[8], 5 * lanes), f64(header[9], 300), f64(header[11], 5)
    done = 0
    while done < n:
        end = _start(header[4] + 1, rate)
        count = min(n - done, end - header[3])
        for group in range(groups):
            for k in range(width):
                rows[k] = x + 4 * done + channels[width * group + k] * stride
            place = header[8] + 40 * width * group
            if width == 2:
                _two(header[12], header[7], place, count)
            else:
                _four(header[12], header[7], place, count)
        header[3] += count
        done += count
        if header[3] == end:
            energy = 0.0
            for lane in range(lanes):
                at = 5 * width * (lane // width) + lane % width
                energy += weights[lane] * memory[at + 4 * width]
                memory[at + 4 * width] = 0.0
                for k in range(4):
                    memory[at + k * width] = _kept(memory[at + k * width])
            ring[header[4] % 300] = energy
            figures[4] += energy
            header[4] += 1
            slot = header[4]
            if slot % 10 == 0:
                f64(header[10], slot // 10)[slot // 10 - 1] = figures[4]
                figures[4] = 0.0
            figures[0] = _window(header[9], slot, 40, rate)
            figures[1] = _window(header[9], slot, 300, rate)
            figures[2] = max(figures[2], figures[0])
            figures[3] = max(figures[3], figures[1])
    return 0


# Peaks: magnitudes as integers, which sort as the numbers do


def _interpolator(phases: int) -> Any:
    """An intrinsic: the largest magnitude in each lane of a row's samples between samples."""

    @intrinsic
    def between(typingctx: Any, coefficients: Any, row: Any, n: Any, lanes: Any) -> Any:
        word = _types.int64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            table = builder.inttoptr(args[0], _FLOAT.as_pointer())
            samples = builder.inttoptr(args[1], _FLOAT.as_pointer())
            place = builder.inttoptr(args[3], _BITS.as_pointer())
            largest = _room(builder, _BITS)
            builder.store(ir.Constant(_BITS, [0] * _LANES), largest)
            mask = ir.Constant(_BITS, [0x7FFFFFFF] * _LANES)
            rounds = builder.udiv(args[2], _INT(_LANES * _VECTORS))
            with cgutils.for_range(builder, rounds) as loop:
                start = builder.mul(loop.index, _INT(_LANES * _VECTORS))
                sums: list[Any] = [ir.Constant(_ROW, [0.0] * _LANES)] * (phases * _VECTORS)
                for tap in range(_TAPS):
                    vectors = []
                    for k in range(_VECTORS):
                        at = builder.gep(samples, [builder.add(start, _INT(tap + _LANES * k))])
                        vectors.append(builder.load(builder.bitcast(at, _ROW.as_pointer())))
                        vectors[-1].align = 4
                    for phase in range(phases):
                        value = builder.load(builder.gep(table, [_INT(phases * tap + phase)]))
                        wide = _wide(builder, value, _ROW)
                        for k in range(_VECTORS):
                            which = _VECTORS * phase + k
                            sums[which] = _plus(builder, wide, vectors[k], sums[which])
                for total in sums:
                    bits = builder.and_(builder.bitcast(total, _BITS), mask)
                    before = builder.load(largest)
                    more = builder.icmp_signed(">", bits, before)
                    builder.store(builder.select(more, bits, before), largest)
            builder.store(builder.load(largest), place).align = 4
            return context.get_dummy_value()

        return _types.void(word, word, word, word), codegen

    return between


_three: Any = _interpolator(3)
_one: Any = _interpolator(1)


@inline
def _take(words: Any, row: Any) -> Any:
    """Copy samples, those that are not finite as 0; return the largest magnitude."""
    largest = np.int32(0)
    for i in range(len(words)):
        magnitude = words[i] & np.int32(0x7FFFFFFF)
        finite = magnitude < np.int32(0x7F800000)
        row[i] = words[i] if finite else np.int32(0)
        largest = max(largest, magnitude if finite else np.int32(0))
    return largest


def peaks(state: Any, x: Any, stride: Any, n: Any) -> Any:
    """Find the peaks of ``n`` samples of each channel, at samples and between them.

    The state is channels, oversampling (4, 2 or 1), samples in the chunk, and the addresses of: coefficients
    ``[24, oversampling - 1]``, rows of 32 samples before a chunk and its 256, the largest magnitudes as bits
    ``[channels, 2]``, at samples and between, and room for 16 more. Only whole chunks are interpolated.
    """
    header = i64(state, 7)
    channels, factor = header[0], header[1]
    crests, lanes = i32(header[5], 2 * channels), i32(header[6], 16)
    done = 0
    while done < n:
        fill = header[2]
        count = min(n - done, 256 - fill)
        for c in range(channels):
            words = i32(x + c * stride + 4 * done, count)
            row = i32(header[4] + 1152 * c + 4 * (32 + fill), count)
            crests[2 * c] = max(crests[2 * c], _take(words, row))
        done += count
        header[2] = (fill + count) % 256
        if header[2] == 0 and factor > 1:
            for c in range(channels):
                start = header[4] + 1152 * c
                if factor == 4:
                    _three(header[3], start + 36, 256, header[6])
                else:
                    _one(header[3], start + 36, 256, header[6])
                for k in range(16):
                    crests[2 * c + 1] = max(crests[2 * c + 1], lanes[k])
                row = i32(start, 288)
                for k in range(32):
                    row[k] = row[256 + k]
    return 0
