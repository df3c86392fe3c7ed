"""The loop of loudness meters: K-weighted energies every 10 ms.

What is summed and when depends on absolute positions alone, so no result depends on how a signal was cut.
Samples that are not finite count as silence.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .memory import f64, i64, inline
from .true_peak import plus, wide

__all__ = ["energies"]

_types: Any = types
_room: Any = cgutils.alloca_once
_INT, _WORD, _FLOAT = ir.IntType(64), ir.IntType(32), ir.FloatType()


# Fused where the CPU can; of two products that meet only one, so that all copies of a loop round alike.


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
                wide(builder, builder.load(builder.gep(values, [_INT(k)])), doubles) for k in range(7)
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
                u = plus(builder, b0, x, z[0])
                s = builder.fadd(u, z[2])
                after = [
                    _minus(builder, plus(builder, b1, x, z[1]), a1, u),
                    _minus(builder, builder.fmul(b2, x), a2, u),
                    _minus(builder, plus(builder, minus_two, u, z[3]), c1, s),
                    _minus(builder, u, c2, s),
                    plus(builder, s, s, z[4]),
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
