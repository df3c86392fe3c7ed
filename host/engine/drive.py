"""The loop from sources to sinks: alignment, tails, automation cuts, progress, cancel.

The contract has no flush: after the input's end the loop feeds as many zeros as the outputs are late
(and, on request, sound on), and trims each output by its own latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ...kernels.pcm import first_non_finite
from ..contract.errors import Cancelled, MediaError, NodeError, UnbraidError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..contract.processor import Array
    from .executor import Executor

__all__ = ["Drive", "Sink", "Source"]


class Source(Protocol):
    """Somewhere samples come from."""

    name: str

    def read(self, out: Array) -> None:
        """Fill ``out [channels, n]`` with the next samples; raise if they are not there."""


class Sink(Protocol):
    """Somewhere samples go."""

    def write(self, block: Array) -> None:
        """Take the next samples, ``[channels, n]``."""


@dataclass
class Drive:
    """One run of an executor over a programme of known length.

    Attributes:
        executor: at its beginning.
        sources: one for each graph input.
        sinks: one for each graph output.
        length: samples in the programme.
        tails: let each output sound on for as long as its nodes declare.
        blocks: block lengths to use, for tests; by default, and when they end, the largest allowed.
        progress: called after each block with samples done and samples in all.
        cancelled: asked before each block.
        zero_non_finite: replace NaN and infinity in the inputs by 0 and count them, instead of refusing.
    """

    executor: Executor
    sources: Mapping[str, Source]
    sinks: Mapping[str, Sink]
    length: int
    tails: bool = False
    blocks: Iterable[int] | None = None
    progress: Callable[[int, int], None] | None = None
    cancelled: Callable[[], bool] | None = None
    zero_non_finite: bool = False
    zeroed: int = 0

    def output_length(self, name: str) -> int:
        """Return the number of samples this output will have."""
        return self.length + (self.executor.plan.outputs[name].tail if self.tails else 0)

    def run(self) -> None:
        """Process everything.

        Raises:
            Cancelled: ``cancelled()`` returned true.
            NodeError: a node failed or gave a non-finite sample.
            MediaError: an input holds a non-finite sample, or a source or sink failed.
        """
        signals = self.executor.plan.outputs
        total = max(signal.latency + self.output_length(name) for name, signal in signals.items())
        most = self.executor.plan.settings.max_block
        cuts = iter(self.blocks or ())
        # Zero-length outputs and zero-length blocks are both fine.
        while (position := self.executor.position) < total:
            if self.cancelled is not None and self.cancelled():
                raise Cancelled("cancelled; nothing was left behind")
            wanted = next(cuts, most)
            if wanted < 0:
                raise UnbraidError(f"a block of {wanted} samples cannot be")
            n = self.executor.room(min(wanted, total - position))
            self._fill(position, n)
            self.executor.process(n)
            self._drain(position, n)
            if self.progress is not None:
                self.progress(min(position + n, total), total)

    def _fill(self, position: int, n: int) -> None:
        real = max(0, min(n, self.length - position))
        for name, block in self.executor.inputs(n).items():
            if real:
                self.sources[name].read(block[:, :real])
                self._check_input(name, block[:, :real], position)
            block[:, real:] = 0

    def _check_input(self, name: str, block: Array, position: int) -> None:
        bad = first_non_finite(block)
        if bad < 0:
            return
        if not self.zero_non_finite:
            raise MediaError(
                f"{self.sources[name].name}: sample {position + bad} is not a finite number; "
                "repair the file, or render with --non-finite zero",
            )
        import numpy as np

        wrong = ~np.isfinite(block)
        self.zeroed += int(wrong.sum())
        block[wrong] = 0

    def _drain(self, position: int, n: int) -> None:
        for name, block in self.executor.outputs(n).items():
            signal = self.executor.plan.outputs[name]
            first = max(0, signal.latency - position)
            last = min(n, signal.latency + self.output_length(name) - position)
            if last <= first:
                continue
            piece = block[:, first:last]
            bad = first_non_finite(piece)
            if bad >= 0:
                raise self._non_finite(name, position + first + bad - signal.latency)
            self.sinks[name].write(piece)

    def _non_finite(self, output: str, sample: int) -> NodeError:
        graph = self.executor.plan.graph
        wire = graph.outputs[output][0]
        node = graph.nodes.get(wire.node)
        plugin, place = (node.card.id, node.place) if node else ("input", None)
        reason = f"its output {wire} holds a non-finite sample (made there or before)"
        return NodeError(wire.node, plugin, sample, reason, place)
