"""A rate island: a processor that runs at its own rate inside a graph of another.

Input -> soxr -> processor -> soxr -> FIFO, as one processor with equal lengths. soxr's streams are
aligned in time and give the same bits however they are fed, but in bursts; so the FIFO begins with as
many zeros as the stream can ever lag, found by running each resampler once. The inner latency is
padded to a whole number of outer samples, so that the whole latency is an integer.

A lead-in of silence goes first: soxr gets the first samples of a stream wrong (up to 67 of them, by up
to 0.02 of full scale), because it drops the part of its filter that lies before the start.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import cache
from math import ceil, gcd
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kernels.fifo import Fifo
from ..contract.errors import PluginError
from ..guard import check_declared, declared, process_first
from ..media.resample import Resampler, lead_in, soxr_stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.audio import Spec
    from ..contract.compiled import Compiled
    from ..contract.params import Params
    from ..contract.processor import Array, Processor

__all__ = ["RateIsland", "round_trip_lag"]


def _resampler(source: int, target: int, channels: int) -> Any:
    return soxr_stream(source, target, channels, "HQ")


@cache
def _worst_lag(source: int, target: int) -> float:
    """Return the most output samples by which one resampler has fallen behind its input.

    Measured by feeding single samples until six times the lag has passed, or 32,768 samples.
    """
    stream, single = _resampler(source, target, 1), np.zeros((1, 1), np.float32)
    worst, fed, given = 0.0, 0, 0
    while fed < max(32768, 6 * worst * source / target):
        fed += 1
        given += len(stream.resample_chunk(single))
        worst = max(worst, fed * target / source - given)
    return worst


def round_trip_lag(outer: int, inner: int, pad: int) -> int:
    """Return a bound on how far outer -> inner -> outer falls behind its input, in outer samples.

    Counted after the lead-in, and with ``pad`` zeros at the inner rate given to the second resampler
    first. The bursts of the two beat against each other for minutes, so their worst lags are added
    instead of measured together; 8 samples cover what each still creeps after the measurement.
    """
    bound = _worst_lag(outer, inner) * outer / inner + _worst_lag(inner, outer)
    return max(0, ceil(bound) + 8 - lead_in(outer, inner) - pad * outer // inner)


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
        length = spec.length
        if length is not None:  # a lead-in goes before, and the resampler rings on as long
            length = ceil((length + 2 * lead_in(outer, inner)) * inner / outer)
        self._inner.prepare(replace(spec, rate=inner, max_block=self._inner_block, length=length))
        self._late = declared(self._inner, "latency")
        self._pad = -self._late % (inner // gcd(outer, inner))
        self._lag = round_trip_lag(outer, inner, self._pad)
        self._lead = lead_in(outer, inner)
        self.latency = self._lag + self._lead + (self._late + self._pad) * outer // inner
        # The resamplers ring after an end as they ring before an onset.
        self.tail = ceil(declared(self._inner, "tail") * outer / inner) + self._lead
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
        self._position = 0
        self._inner_position = -self._lead * inner // spec.rate
        self._begun, self._fresh = False, True
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
        middle = {port: self._take(port, block) for port, block in ins.items()}
        self._begun = True
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

    def _take(self, port: str, block: Array) -> Array:
        """Resample one block, after the lead-in when it is the first, to planar at the inner rate."""
        if not self._begun:
            block = np.pad(block, ((0, 0), (self._lead, 0)))
        frames = self._down[port].resample_chunk(np.ascontiguousarray(block.T))
        return np.ascontiguousarray(frames.T)

    def _next_cut(self, left: int) -> int:
        """Apply the parameter changes due now; return how far to the next one."""
        while self._changes and self._changes[0][0] <= self._inner_position:
            self._inner.set(self._changes.popleft()[1])
            check_declared(self._inner, self._late, "set()")
        to_change = self._changes[0][0] - self._inner_position if self._changes else left
        return min(left, self._inner_block, to_change)

    def _process_inner(self, pieces: dict[str, Array], size: int) -> None:
        ins = {port: np.ascontiguousarray(piece) for port, piece in pieces.items()}
        for block in ins.values():
            block.flags.writeable = False
        outs = {
            port: np.empty((layout.channels, size), np.float32) for port, layout in self._spec.outputs.items()
        }
        if self._fresh:
            process_first(self._inner, MappingProxyType(ins), MappingProxyType(outs))
            self._fresh = False
        else:
            self._inner.process(MappingProxyType(ins), MappingProxyType(outs))
        check_declared(self._inner, self._late, "process()")
        self._inner_position += size
        for port, block in outs.items():
            self._give(port, block)

    def begin(self, number: int) -> None:
        """Begin a pass of an inner processor that hears the programme first."""
        outer, inner = self._spec.rate, self._rate
        self._ears = {
            port: Resampler(outer, inner, layout.channels, f"input {port!r}")
            for port, layout in self._spec.inputs.items()
        }
        self._hearing().begin(number)

    def analyse(self, ins: Mapping[str, Array]) -> None:
        """Hand the programme over at the inner rate."""
        self._hand_over({port: self._ears[port].push(block) for port, block in ins.items()})

    def finish(self) -> None:
        """Hand over what the resamplers still hold, and end the pass."""
        self._hand_over({port: ear.finish() for port, ear in self._ears.items()})
        self._ears.clear()
        self._hearing().finish()

    def _hearing(self) -> Any:
        return self._inner

    def _hand_over(self, heard: Mapping[str, Array]) -> None:
        count = next(iter(heard.values())).shape[1]
        for start in range(0, count, self._inner_block):
            pieces = {port: b[:, start : start + self._inner_block].copy() for port, b in heard.items()}
            for piece in pieces.values():
                piece.flags.writeable = False
            self._hearing().analyse(MappingProxyType(pieces))

    def findings(self) -> Mapping[str, float | str]:
        """Return what the inner processor found out."""
        ask = getattr(self._inner, "findings", None)
        return {} if ask is None else ask()

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
