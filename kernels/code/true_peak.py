"""Loops that find peaks between samples: the interpolating FIR of true peak, and the meter around it.

Magnitudes are handled as integers, which sort as the numbers do. The FIR is skipped where even the sum of
its magnitudes cannot lift the samples at hand above what is asked for; so results do not depend on where
it is. Samples that are not finite count as silence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .memory import f32, i32, i64, inline

__all__ = ["interpolate", "loudest", "peaks", "plus", "take", "wide"]

_types: Any = types
_INT, _WORD, _FLOAT = ir.IntType(64), ir.IntType(32), ir.FloatType()
_LANES, _VECTORS, _PAIRS = 8, 2, 12
_ROW, _BITS = ir.VectorType(_FLOAT, _LANES), ir.VectorType(_WORD, _LANES)


def wide(builder: Any, value: Any, kind: Any) -> Any:
    """A vector of this kind with the value in every lane."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _WORD(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_WORD, kind.count), [0] * kind.count))


def plus(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a b + c``, fused where the CPU can; one product alone meets a sum, so all copies round alike."""
    return builder.fadd(builder.fmul(a, b, flags=["contract"]), c, flags=["contract"])


def _interpolator(factor: int) -> Any:
    """An intrinsic: raise 16 magnitudes to those of the signal between each sample and the next.

    Phases p and factor - p hold the same taps in opposite order, so both come from one sum over the even
    parts of the taps and one over the odd ones.
    """
    pairs = factor // 2 - 1

    def halves(builder: Any, samples: Any, start: Any, tap: int) -> tuple[Any, Any]:
        """Sums and differences of the samples that are weighed alike."""
        both = []
        for offset in (tap, 2 * _PAIRS - 1 - tap):
            at = builder.gep(samples, [builder.add(start, _INT(offset))])
            both.append(builder.load(builder.bitcast(at, _ROW.as_pointer())))
            both[-1].align = 4
        return builder.fadd(*both), builder.fsub(*both)

    def vector(builder: Any, table: Any, samples: Any, start: Any) -> Any:
        """The largest magnitudes of eight samples' phases."""
        sums: list[Any] = [ir.Constant(_ROW, [0.0] * _LANES)] * (factor - 1)
        for tap in range(_PAIRS):
            even, odd = halves(builder, samples, start, tap)
            for which in range(factor - 1):
                value = builder.load(builder.gep(table, [_INT((factor - 1) * tap + which)]))
                half = odd if pairs <= which < 2 * pairs else even
                sums[which] = plus(builder, wide(builder, value, _ROW), half, sums[which])
        found = [sums[-1]]
        for a, b in zip(sums[:pairs], sums[pairs : 2 * pairs], strict=True):
            found += [builder.fadd(a, b), builder.fsub(a, b)]
        mask, largest = ir.Constant(_BITS, [0x7FFFFFFF] * _LANES), ir.Constant(_BITS, [0] * _LANES)
        for value in found:
            bits = builder.and_(builder.bitcast(value, _BITS), mask)
            largest = builder.select(builder.icmp_signed(">", bits, largest), bits, largest)
        return largest

    @intrinsic
    def between(typingctx: Any, coefficients: Any, row: Any, out: Any) -> Any:
        word = _types.int64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            table = builder.inttoptr(args[0], _FLOAT.as_pointer())
            samples = builder.inttoptr(args[1], _FLOAT.as_pointer())
            with cgutils.for_range(builder, _INT(_VECTORS)) as loop:
                start = builder.mul(loop.index, _INT(_LANES))
                found = vector(builder, table, samples, start)
                place = builder.gep(builder.inttoptr(args[2], _WORD.as_pointer()), [start])
                place = builder.bitcast(place, _BITS.as_pointer())
                before = builder.load(place)
                before.align = 4
                more = builder.icmp_signed(">", found, before)
                builder.store(builder.select(more, found, before), place).align = 4
            return context.get_dummy_value()

        return _types.void(word, word, word), codegen

    return between


_eight: Any = _interpolator(8)
_four: Any = _interpolator(4)
_two: Any = _interpolator(2)


@inline
def interpolate(factor: Any, table: Any, row: Any, out: Any) -> Any:
    """Raise 16 magnitudes at ``out`` to those between samples 11 and 12, 12 and 13, ... 26 and 27 of a row.

    ``table [12, factor - 1]`` holds the even and the odd parts of the taps, see `kernels.true_peak`; the row
    is 39 samples.
    """
    if factor == 8:
        _eight(table, row, out)
    elif factor == 4:
        _four(table, row, out)
    elif factor == 2:
        _two(table, row, out)


@inline
def loudest(row: Any) -> Any:
    """The largest magnitude of 40 samples, the last of which lies beyond an interpolation's reach."""
    words = i32(row, 40)
    largest = np.int32(0)
    for i in range(40):
        largest = max(largest, words[i] & np.int32(0x7FFFFFFF))
    return largest


@inline
def take(words: Any, row: Any) -> Any:
    """Copy samples, those that are not finite as 0; return the largest magnitude."""
    largest = np.int32(0)
    for i in range(len(words)):
        magnitude = words[i] & np.int32(0x7FFFFFFF)
        finite = magnitude < np.int32(0x7F800000)
        row[i] = words[i] if finite else np.int32(0)
        largest = max(largest, magnitude if finite else np.int32(0))
    return largest


@inline
def _limit(state: Any, c: Any) -> Any:
    """How large samples must be, as bits, for what lies between them to raise a channel's peak."""
    header = i64(state, 8)
    f32(header[6], 1)[0] = f32(header[5], 2 * header[0])[2 * c + 1] / f32(header[7], 1)[0]
    return i32(header[6], 1)[0]


@inline
def _raise(crest: Any, found: Any) -> Any:
    """Raise a peak to the largest of 16 magnitudes, which become 0."""
    largest, magnitudes = i32(crest, 1), i32(found, 16)
    for k in range(16):
        largest[0] = max(largest[0], magnitudes[k])
        magnitudes[k] = 0


@inline
def _between(state: Any, c: Any) -> Any:
    """Interpolate a channel's whole chunk, wherever that may raise its peak."""
    header = i64(state, 8)
    limit, start = _limit(state, c), header[4] + 1152 * c + 36
    i32(header[6], 1)[0] = 0
    for at in range(0, 1024, 64):
        if loudest(start + at) > limit:
            interpolate(header[1], header[3], start + at, header[6])
            _raise(header[5] + 8 * c + 4, header[6])
    history = i32(start - 36, 288)
    for k in range(32):
        history[k] = history[256 + k]


def peaks(state: Any, x: Any, stride: Any, n: Any) -> Any:
    """Find the peaks of ``n`` samples of each channel, ``stride`` bytes apart.

    The state is channels, oversampling (8, 4, 2 or 1), samples in the chunk, and the addresses of:
    coefficients ``[12, oversampling - 1]``, rows of 32 samples before a chunk and its 256, the largest
    magnitudes as bits ``[channels, 2]``, of samples alone and of all, room for 16 more, and the factor by
    which interpolation can exceed samples. Only whole chunks are interpolated.
    """
    header = i64(state, 8)
    channels, factor = header[0], header[1]
    crests = i32(header[5], 2 * channels)
    done = 0
    while done < n:
        fill = header[2]
        count = min(n - done, 256 - fill)
        for c in range(channels):
            words = i32(x + c * stride + 4 * done, count)
            row = i32(header[4] + 1152 * c + 4 * (32 + fill), count)
            found = take(words, row)
            crests[2 * c] = max(crests[2 * c], found)
            crests[2 * c + 1] = max(crests[2 * c + 1], found)
        done += count
        header[2] = (fill + count) % 256
        if header[2] == 0 and factor > 1:
            for c in range(channels):
                _between(state, c)
    return 0
