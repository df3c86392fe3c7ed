"""Sounds with gains that move: added to loudspeakers in stretches of straight lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import f32, i64

__all__ = ["add"]


def add(jobs: Any, count: Any, sounds: Any, outs: Any, speakers: Any) -> Any:
    """Add stretches of sounds to outputs.

    Args:
        jobs: int64 ``[count, 7]``: which sound; first sample of the stretch in the block; how many samples;
            how many of its line came before; samples of the line, 0 where gains stay; addresses of float32
            ``[speakers]`` gains at the line's beginning, and at its end or throughout.
        count: how many stretches.
        sounds: addresses of float32 samples of the block, one a sound.
        outs: addresses of float32 samples of the block, one a loudspeaker.
        speakers: how many.
    """
    inputs, sinks = sounds, i64(outs, speakers)
    for k in range(count):
        job = i64(jobs + 56 * k, 7)
        first, n, passed, line = job[1], job[2], job[3], job[4]
        x = f32(i64(inputs + 8 * job[0], 1)[0] + 4 * first, n)
        begin, end = f32(job[5], speakers), f32(job[6], speakers)
        for s in range(speakers):
            y = f32(sinks[s] + 4 * first, n)
            if line == 0:
                gain = end[s]
                if gain != np.float32(0):
                    for i in range(n):
                        y[i] += gain * x[i]
            elif begin[s] != np.float32(0) or end[s] != np.float32(0):
                base, slope = begin[s], (end[s] - begin[s]) / np.float32(line)
                for i in range(n):
                    y[i] += (base + slope * np.float32(passed + i)) * x[i]
    return 0
