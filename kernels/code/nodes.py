"""Bodies of compiled nodes: ``(state, ins, outs, n)``, see `kernels.program` for the signature.

Every loop is a plain recurrence over absolute samples, so results do not depend on how the signal was
cut into blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import f32, f64, i64

__all__ = ["biquad", "copy", "delay", "mix", "subtract"]


def mix(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Sum ``inputs`` signals of ``channels`` channels, each with its gain."""
    header = i64(state, 3)
    channels, inputs = header[0], header[1]
    gains, sources, sinks = f32(header[2], inputs), i64(ins, channels * inputs), i64(outs, channels)
    for c in range(channels):
        y, x, first = f32(sinks[c], n), f32(sources[c], n), gains[0]
        for i in range(n):
            y[i] = first * x[i]
        for k in range(1, inputs):
            gain, x = gains[k], f32(sources[k * channels + c], n)
            for i in range(n):
                y[i] += gain * x[i]
    return 0


def subtract(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """First signal minus every other, in order."""
    header = i64(state, 2)
    channels, inputs = header[0], header[1]
    sources, sinks = i64(ins, channels * inputs), i64(outs, channels)
    for c in range(channels):
        y, x = f32(sinks[c], n), f32(sources[c], n)
        for i in range(n):
            y[i] = x[i]
        for k in range(1, inputs):
            other = f32(sources[k * channels + c], n)
            for i in range(n):
                y[i] -= other[i]
    return 0


def copy(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Copy channel ``order[c]`` of the inputs to output channel c."""
    header = i64(state, 2)
    channels = header[0]
    order, sinks = i64(header[1], channels), i64(outs, channels)
    for c in range(channels):
        y, x = f32(sinks[c], n), f32(i64(ins, order[c] + 1)[order[c]], n)
        for i in range(n):
            y[i] = x[i]
    return 0


def delay(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Delay every channel by ``length`` samples through a ring."""
    header = i64(state, 4)
    channels, length, start = header[0], header[1], header[2]
    rings, sources, sinks = f32(header[3], channels * length), i64(ins, channels), i64(outs, channels)
    for c in range(channels):
        x, y = f32(sources[c], n), f32(sinks[c], n)
        base, at = c * length, start
        for i in range(n):
            y[i] = rings[base + at]
            rings[base + at] = x[i]
            at += 1
            if at == length:
                at = 0
    header[2] = (start + n) % length
    return 0


def biquad(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """Cascade of biquads per channel, transposed direct form II in float64, flushed below 1e-30."""
    header = i64(state, 4)
    channels, sections = header[0], header[1]
    coefficients, memory = f64(header[2], sections * 5), f64(header[3], channels * sections * 2)
    sources, sinks = i64(ins, channels), i64(outs, channels)
    for c in range(channels):
        x, y = f32(sources[c], n), f32(sinks[c], n)
        base = c * sections * 2
        for i in range(n):
            value = np.float64(x[i])
            for s in range(sections):
                k, at = s * 5, base + s * 2
                result = coefficients[k] * value + memory[at]
                z1 = coefficients[k + 1] * value - coefficients[k + 3] * result + memory[at + 1]
                z2 = coefficients[k + 2] * value - coefficients[k + 4] * result
                # Decay into denormals would slow silence down by a factor of many.
                memory[at] = z1 if abs(z1) > 1e-30 else 0.0
                memory[at + 1] = z2 if abs(z2) > 1e-30 else 0.0
                value = result
            y[i] = np.float32(value)
    return 0
