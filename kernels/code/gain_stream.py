"""A compiled node around a rule that gives gains of frames; see `kernels.gain_stream`.

A state is a header of int64 (`gain_stream_job`). Frames are those of `streams`; up to BLOCK of them are
handed to the rule at once, so that what it reads for every frame is read less often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import gain_stream_job as at
from .elementary import exponential, logarithm
from .job import CHANNELS, DONE, FIELDS, HOP, LENGTH, LOOKAHEAD, PENDING, TAKEN
from .memory import call_mask, f32, f64, i64, inline
from .streams import finish, give, keep, make_room, transform

__all__ = ["node"]


@inline
def _controls(state: Any, job_at: Any, frame: Any) -> Any:
    """Where the controls are that are in force at the middle of a frame."""
    head, job = i64(state, at.FIELDS), i64(job_at, FIELDS)
    middle = (frame + 1) * job[HOP] - job[LENGTH] // 2
    room, size = head[at.CHANGES], head[at.ROOM]
    while head[at.CURRENT] + 1 < head[at.COUNT]:
        following = room + 8 * at.CHANGE * ((head[at.CURRENT] + 1) % size)
        if f64(following, at.CHANGE)[at.SAMPLE] > middle:
            break
        head[at.CURRENT] += 1
    return room + 8 * at.CHANGE * (head[at.CURRENT] % size)


@inline
def _bend(gains: Any, n: Any, exponent: Any) -> Any:
    values = f32(gains, n)
    for i in range(n):
        values[i] = np.float32(exponential(exponent * logarithm(max(np.float64(values[i]), 1e-30))))
    return 0


@inline
def _limit(gains: Any, n: Any, strength: Any, floor: Any) -> Any:
    values, one = f32(gains, n), np.float32(1)
    for i in range(n):
        values[i] = one - strength * (one - max(values[i], floor))
    return 0


@inline
def _steer(state: Any, job_at: Any, first: Any, frames: Any) -> Any:
    """From the rule's gains of so many frames to those that are applied, in place."""
    head, job = i64(state, at.FIELDS), i64(job_at, FIELDS)
    n = head[at.BINS]
    exponent = f64(state + 8 * at.EXPONENT, 1)[0]
    for t in range(frames):
        control = f64(_controls(state, job_at, first + t), at.CHANGE)
        for c in range(job[CHANNELS]):
            gains = head[at.GAINS] + 4 * n * (c * frames + t)
            if exponent != 1.0:
                _bend(gains, n, exponent)
            _limit(gains, n, np.float32(control[at.STRENGTH]), np.float32(control[at.FLOOR]))
    return 0


def node(state: Any, ins: Any, outs: Any, n: Any) -> Any:
    """A compiled node: channels in, as many out; returns what the rule does."""
    head = i64(state, at.FIELDS)
    address, done, bins = head[at.JOB], 0, head[at.BINS]
    job = i64(address, FIELDS)
    channels = job[CHANNELS]
    sources, sinks = i64(ins, channels), i64(outs, channels)
    while done < n:
        m = min(n - done, head[at.BLOCK] * job[HOP] - job[TAKEN] % job[HOP])
        make_room(address, m)
        for c in range(channels):
            keep(address, c, sources[c] + 4 * done, m)
        frames = (job[TAKEN] + m) // job[HOP] - job[DONE]
        transform(address, m, head[at.SPECTRA], 8 * bins * frames, 8 * bins)
        if frames > 0:
            code = call_mask(head[at.RULE], head[at.RULE_STATE], head[at.SPECTRA], head[at.GAINS], frames)
            if code != 0:
                return code
            _steer(state, address, job[DONE] - job[PENDING] - job[LOOKAHEAD], frames)
            finish(address, 0, head[at.GAINS], 4 * bins * frames, 4 * bins)
        for c in range(channels):
            give(address, c, sinks[c] + 4 * done, m, job[TAKEN])
        done += m
    return 0
