"""A rate island: a processor that runs at its own rate inside a graph of another.

Input -> soxr -> processor -> soxr -> FIFO, as one processor with equal lengths. soxr's streams are
aligned in time and give the same bits however they are fed, but in bursts; so the FIFO begins with as
many zeros as the stream can ever lag, found by running it once at prepare. The inner latency is
padded to a whole number of outer samples, so that the whole latency is an integer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from math import ceil, gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kernels.fifo import Fifo
from ..contract.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.audio import Spec
    from ..contract.compiled import Compiled
    from ..contract.params import Params
    from ..contract.processor import Array, Processor

__all__ = ["RateIsland", "round_trip_lag"]

QUALITY = "HQ"


def _resampler(source: int, target: int, channels: int) -> Any:
    from soxr import ResampleStream

    return ResampleStream(source, target, channels, dtype="float32", quality=QUALITY)


def round_trip_lag(outer: int, inner: int, pad: int) -> int:
    """Return the most samples by which outer -> inner -> outer has ever fallen behind its input.

    ``pad`` zeros at the inner rate enter between the two resamplers first. The lag is the maximum over
    every length, measured by feeding single samples until six times the maximum has passed (bursts
    repeat long before), or 32,768 samples.
    """
    down, up = _resampler(outer, inner, 1), _resampler(inner, outer, 1)
    single = np.zeros((1, 1), np.float32)
    given = len(up.resample_chunk(np.zeros((pad, 1), np.float32)))
    lag = fed = 0
    while fed < max(32768, 6 * lag):
        fed += 1
        middle = down.resample_chunk(single)
        if len(middle):
            given += len(up.resample_chunk(middle))
        lag = max(lag, fed - given)
    return lag


class RateIsland:
    """Wraps ``inner`` so that it runs at ``rate`` Hz wherever the graph runs."""

    def __init__(self, inner: Processor, rate: int) -> None:
        self._inner, self._rate = inner, rate
        self.latency = self.tail = 0

    def prepare(self, spec: Spec) -> None:
        """Prepare the inner processor at its rate and measure the resamplers' lag."""
        outer, inner = spec.rate, self._rate
        # One push can make the first resampler give a burst; the inner processor sees it in pieces.
        self._inner_block = max(64, ceil(spec.max_block * inner / outer))
        length = None if spec.length is None else ceil(spec.length * inner / outer)
        self._inner.prepare(replace(spec, rate=inner, max_block=self._inner_block, length=length))
        step = inner // gcd(outer, inner)
        self._pad = -self._inner.latency % step
        self._lag = round_trip_lag(outer, inner, self._pad)
        self.latency = self._lag + (self._inner.latency + self._pad) * outer // inner
        self.tail = ceil(self._inner.tail * outer / inner)
        self._spec = spec
        self._start()

    def _start(self) -> None:
        spec, inner = self._spec, self._rate
        self._down = {p: _resampler(spec.rate, inner, layout.channels) for p, layout in spec.inputs.items()}
        self._up = {p: _resampler(inner, spec.rate, layout.channels) for p, layout in spec.outputs.items()}
        self._out = {p: Fifo(layout.channels) for p, layout in spec.outputs.items()}
        for port, fifo in self._out.items():
            channels = spec.outputs[port].channels
            fifo.push(np.zeros((channels, self._lag), np.float32))
            self._give(port, np.zeros((channels, self._pad), np.float32))
        self._position = self._inner_position = 0
        self._changes: deque[tuple[int, Params]] = deque()

    def _give(self, port: str, block: Array) -> None:
        if block.shape[1]:
            frames = self._up[port].resample_chunk(np.ascontiguousarray(block.T))
            self._out[port].push(frames.T)

    def set(self, params: Params) -> None:
        """Keep the parameters for the inner sample that belongs to this moment."""
        at = -(-self._position * self._rate // self._spec.rate)
        if self._changes and self._changes[-1][0] == at:
            self._changes.pop()
        self._changes.append((at, params))

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Resample in, process what came, resample out, give what is due."""
        n = next(iter((*ins.values(), *outs.values()))).shape[1]
        if n == 0:
            return
        middle = {
            port: np.ascontiguousarray(self._down[port].resample_chunk(np.ascontiguousarray(block.T)).T)
            for port, block in ins.items()
        }
        self._position += n
        count = next(iter(middle.values())).shape[1]
        start = 0
        while start < count:
            size = self._next_cut(count - start)
            self._process_inner(
                {port: block[:, start : start + size] for port, block in middle.items()}, size
            )
            start += size
        for port, out in outs.items():
            if not self._out[port].pull(out):
                raise PluginError(
                    f"the resampler between {self._spec.rate} and {self._rate} Hz lagged more than "
                    f"{self._lag} samples, which it never did when measured",
                )

    def _next_cut(self, left: int) -> int:
        """Apply the parameter changes due now; return how far to the next one."""
        while self._changes and self._changes[0][0] <= self._inner_position:
            self._inner.set(self._changes.popleft()[1])
        to_change = self._changes[0][0] - self._inner_position if self._changes else left
        return min(left, self._inner_block, to_change)

    def _process_inner(self, pieces: dict[str, Array], size: int) -> None:
        ins = {port: np.ascontiguousarray(piece) for port, piece in pieces.items()}
        for block in ins.values():
            block.flags.writeable = False
        outs = {
            port: np.empty((layout.channels, size), np.float32) for port, layout in self._spec.outputs.items()
        }
        self._inner.process(ins, outs)
        self._inner_position += size
        for port, block in outs.items():
            self._give(port, block)

    def reset(self) -> None:
        """Start afresh with the newest parameters."""
        if self._changes:
            self._inner.set(self._changes[-1][1])
        self._inner.reset()
        self._start()

    def release(self) -> None:
        """Release the inner processor and the resamplers."""
        self._inner.release()
        self._down, self._up, self._out = {}, {}, {}

    def compiled(self) -> Compiled | None:
        """Return None: soxr is called from Python."""
        return None
