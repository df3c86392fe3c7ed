"""A ring of planar samples between one writing and one reading thread, without locks.

The state is three cache lines of int64: the frames ever written (the head, stored by the writer alone), the
frames ever read (the tail, stored by the reader alone), and the constants: capacity, channels, address of
the samples ``[channels, capacity]``. Each side releases its own count after it is done with the samples, and
acquires the other's before it touches any (C11 memory model, ISO/IEC 9899:2011, 5.1.2.4), so a side sees
only samples that the other has let go. The capacity is a power of two: a count's place is its lower bits.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .memory import f32, i64, inline

__all__ = ["load_acquire", "read", "readable", "store_release", "write"]

_types: Any = types
_WORD = ir.IntType(64)
#: Places in the state; eight words are a cache line.
_HEAD, _TAIL, _CAPACITY, _CHANNELS, _SAMPLES, _WORDS = 0, 8, 16, 17, 18, 24


@intrinsic
def _load_acquire(typingctx: Any, address: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.inttoptr(args[0], _WORD.as_pointer())
        return builder.load_atomic(place, ordering="acquire", align=8)

    return _types.int64(_types.int64), codegen


@intrinsic
def _store_release(typingctx: Any, address: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.inttoptr(args[0], _WORD.as_pointer())
        builder.store_atomic(args[1], place, ordering="release", align=8)
        return context.get_dummy_value()

    return _types.void(_types.int64, _types.int64), codegen


#: ``load_acquire(address)``: the int64 there, before anything that follows.
load_acquire: Any = _load_acquire
#: ``store_release(address, value)``: the int64 there, after everything before.
store_release: Any = _store_release


@inline
def _copy(source: Any, target: Any, n: Any) -> None:
    x, y = f32(source, n), f32(target, n)
    for i in range(n):
        y[i] = x[i]


@inline
def _within(n: Any, most: Any) -> Any:
    return max(0, min(n, most))


def write(state: Any, rows: Any, n: Any) -> Any:
    """Take up to ``n`` frames from the channels whose addresses stand at ``rows``; how many fitted.

    For the writing thread alone.
    """
    words = i64(state, _WORDS)
    head, capacity, channels = words[_HEAD], words[_CAPACITY], words[_CHANNELS]
    free = capacity - (head - load_acquire(state + 8 * _TAIL))
    count = _within(n, free)
    start = head & (capacity - 1)
    first, sources = _within(count, capacity - start), i64(rows, channels)
    for c in range(channels):
        ring = words[_SAMPLES] + 4 * c * capacity
        _copy(sources[c], ring + 4 * start, first)
        _copy(sources[c] + 4 * first, ring, count - first)
    store_release(state + 8 * _HEAD, head + count)
    return count


def read(state: Any, rows: Any, n: Any) -> Any:
    """Give up to ``n`` frames to the channels whose addresses stand at ``rows``; how many there were.

    For the reading thread alone.
    """
    words = i64(state, _WORDS)
    tail, capacity, channels = words[_TAIL], words[_CAPACITY], words[_CHANNELS]
    count = _within(n, load_acquire(state + 8 * _HEAD) - tail)
    start = tail & (capacity - 1)
    first, sinks = _within(count, capacity - start), i64(rows, channels)
    for c in range(channels):
        ring = words[_SAMPLES] + 4 * c * capacity
        _copy(ring + 4 * start, sinks[c], first)
        _copy(ring, sinks[c] + 4 * first, count - first)
    store_release(state + 8 * _TAIL, tail + count)
    return count


def readable(state: Any) -> Any:
    """Frames that wait; any thread may ask."""
    tail = load_acquire(state + 8 * _TAIL)
    # Between the two loads the other sides may both have moved on.
    return _within(load_acquire(state + 8 * _HEAD) - tail, i64(state, _WORDS)[_CAPACITY])
