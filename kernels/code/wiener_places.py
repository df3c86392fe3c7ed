"""Where the multichannel Wiener filter finds what: addresses in arrays and in scratch, and ways between.

Scratch is laid out as `covariances` has it. What is common to the stems comes first: x by channel, the
solution by channel, the mixture's covariance, two spare pairs, then the gains, a row by channel. A model by
stem follows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .covariances import PAIR, ROW, estimate, model_bytes, triangle
from .memory import f32, f64, i64, inline
from .wiener_task import (
    BINS,
    CHANNELS,
    FIELDS,
    LANES,
    STEMS,
    V_STEP,
    X_STEP,
    Y_STEP,
    V,
    X,
    Y,
)

__all__ = [
    "common_bytes",
    "expect",
    "gains_of",
    "load",
    "magnitude_at",
    "mixture_at",
    "model_of",
    "read",
    "spare",
    "store",
]


# Scratch


@inline
def common_bytes(channels: Any) -> Any:
    """Size of what is common to the stems."""
    return (2 * channels + triangle(channels) + 2) * PAIR + channels * ROW


@inline
def spare(channels: Any, work: Any) -> Any:
    """Two pairs behind the mixture's covariance."""
    return work + (2 * channels + triangle(channels)) * PAIR


@inline
def gains_of(channels: Any, c: Any, work: Any) -> Any:
    """A channel's gains."""
    return work + common_bytes(channels) - (channels - c) * ROW


@inline
def model_of(task: Any, j: Any, work: Any) -> Any:
    """A stem's model."""
    channels = i64(task, FIELDS)[CHANNELS]
    return work + common_bytes(channels) + j * model_bytes(channels)


# Arrays: the bins from ``first`` on in frame t


@inline
def mixture_at(task: Any, c: Any, t: Any, first: Any) -> Any:
    """Of the mixture."""
    h = i64(task, FIELDS)
    return h[X] + c * h[X_STEP] + (t * h[BINS] + first) * 8


@inline
def magnitude_at(task: Any, j: Any, c: Any, t: Any, first: Any) -> Any:
    """Of a stem's magnitudes."""
    h = i64(task, FIELDS)
    return h[V] + (j * h[CHANNELS] + c) * h[V_STEP] + (t * h[BINS] + first) * 4


@inline
def _spectrum_at(task: Any, j: Any, c: Any, t: Any, first: Any) -> Any:
    h = i64(task, FIELDS)
    return h[Y] + (j * h[CHANNELS] + c) * h[Y_STEP] + (t * h[BINS] + first) * 8


# The next frame is thousands of bins on, which no prefetcher guesses: whoever reads or writes some bins asks
# for those of the next. There need be none, for asking never fails.

_types: Any = types


def _line(write: int) -> Any:
    @intrinsic
    def ask(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
            builder.call(function, [builder.inttoptr(args[0], byte), word(write), word(3), word(1)])
            return context.get_dummy_value()

        return _types.void(_types.int64), codegen

    return ask


_to_read, _to_write = _line(0), _line(1)


@inline
def expect(address: Any, size: Any) -> None:
    """Ask for memory to be read soon."""
    for at in range(address, address + size, 64):
        _to_read(at)


@inline
def _expect_to_write(address: Any, size: Any) -> None:
    for at in range(address, address + size, 64):
        _to_write(at)


# Between the two


@inline
def read(source: Any, target: Any, n: Any) -> None:
    """complex64 into a pair."""
    z, w = f32(source, 2 * n), f64(target, 2 * LANES)
    for i in range(n):
        w[i] = z[2 * i]
        w[LANES + i] = z[2 * i + 1]


@inline
def _write(source: Any, target: Any, n: Any) -> None:
    w, z = f64(source, 2 * LANES), f32(target, 2 * n)
    for i in range(n):
        z[2 * i] = np.float32(w[i])
        z[2 * i + 1] = np.float32(w[LANES + i])


@inline
def load(task: Any, t: Any, first: Any, n: Any, work: Any) -> None:
    """All stems' spectra into their models."""
    h = i64(task, FIELDS)
    for j in range(h[STEMS]):
        y = estimate(model_of(task, j, work), h[CHANNELS])
        for c in range(h[CHANNELS]):
            expect(_spectrum_at(task, j, c, t + 1, first), 8 * n)
            read(_spectrum_at(task, j, c, t, first), y + c * PAIR, n)


@inline
def store(task: Any, t: Any, first: Any, n: Any, work: Any) -> None:
    """All stems' spectra out of their models."""
    h = i64(task, FIELDS)
    for j in range(h[STEMS]):
        y = estimate(model_of(task, j, work), h[CHANNELS])
        for c in range(h[CHANNELS]):
            _expect_to_write(_spectrum_at(task, j, c, t + 1, first), 8 * n)
            _write(y + c * PAIR, _spectrum_at(task, j, c, t, first), n)
