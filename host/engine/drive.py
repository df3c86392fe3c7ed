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

__all__ = ["Drive", "InputEndedError", "Sink", "Source"]


class InputEndedError(MediaError):
    """An input ended before the length it declares, or before the others."""


class Source(Protocol):
    """Somewhere samples come from."""

    name: str

    def read(self, out: Array) -> int:
        """Fill ``out [channels, n]`` with the next samples; return how many, fewer than n only at the end."""
        ...


class Sink(Protocol):
    """Somewhere samples go."""

    def write(self, block: Array) -> None:
        """Take the next samples, ``[channels, n]``."""


@dataclass
class Drive:
    """One run of an executor over a programme.

    Attributes:
        executor: at its beginning.
        sources: one for each graph input.
        sinks: one for each graph output.
        length: samples in the programme; None until a source that does not know its length has ended.
        tails: let each output sound on for as long as its nodes declare.
        blocks: block lengths to use, for tests; by default, and when they end, the largest allowed.
        progress: called after each block with samples done and samples in all, 0 while that is not known.
        cancelled: asked before each block.
        zero_non_finite: replace NaN and infinity in the inputs by 0 and count them, instead of refusing.
    """

    executor: Executor
    sources: Mapping[str, Source]
    sinks: Mapping[str, Sink]
    length: int | None
    tails: bool = False
    blocks: Iterable[int] | None = None
    progress: Callable[[int, int], None] | None = None
    cancelled: Callable[[], bool] | None = None
    zero_non_finite: bool = False
    zeroed: int = 0

    def output_length(self, name: str) -> int | None:
        """Return the number of samples this output will have; None while that is not known."""
        if self.length is None:
            return None
        return self.length + (self.executor.plan.outputs[name].tail if self.tails else 0)

    def _total(self) -> int | None:
        """Return the samples to process until the latest output has its last; None while not known."""
        if self.length is None:
            return None
        signals = self.executor.plan.outputs
        tails = {name: signal.tail if self.tails else 0 for name, signal in signals.items()}
        return self.length + max(signal.latency + tails[name] for name, signal in signals.items())

    def run(self) -> None:
        """Process everything.

        Raises:
            Cancelled: ``cancelled()`` returned true.
            NodeError: a node failed or gave a non-finite sample.
            MediaError: an input holds a non-finite sample, or a source or sink failed.
        """
        most = self.executor.plan.settings.max_block
        cuts = iter(self.blocks or ())
        # Zero-length outputs and zero-length blocks are both fine.
        while (total := self._total()) is None or self.executor.position < total:
            if self.cancelled is not None and self.cancelled():
                raise Cancelled("cancelled; nothing was left behind")
            wanted = next(cuts, most)
            if wanted < 0:
                raise UnbraidError(f"a block of {wanted} samples cannot be")
            position = self.executor.position
            n = self.executor.room(wanted if total is None else min(wanted, total - position))
            self._fill(position, n)
            self.executor.process(n)
            self._drain(position, n)
            if self.progress is not None:
                total = self._total()
                done = position + n
                self.progress(done if total is None else min(done, total), total or 0)

    def _fill(self, position: int, n: int) -> None:
        known = self.length
        real = n if known is None else max(0, min(n, known - position))
        blocks = self.executor.inputs(n)
        if real:
            came = {name: self._read(name, block[:, :real], position) for name, block in blocks.items()}
            if min(came.values()) < real:
                self._end(position, came)
                real = min(came.values())
        for block in blocks.values():
            block[:, real:] = 0

    def _read(self, name: str, block: Array, position: int) -> int:
        came = self.sources[name].read(block)
        self._check_input(name, block[:, :came], position)
        return came

    def _end(self, position: int, came: Mapping[str, int]) -> None:
        """Note that the sources have ended; they must have done so together."""
        fewest, most = min(came, key=came.__getitem__), max(came, key=came.__getitem__)
        if self.length is not None or came[fewest] != came[most]:
            longer = f"before {self.sources[most].name}" if len(came) > 1 else f"of {self.length}"
            raise InputEndedError(
                f"{self.sources[fewest].name}: ends after {position + came[fewest]} samples, {longer}; "
                "inputs of one graph must have one length"
            )
        self.length = position + came[fewest]

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
            length = self.output_length(name)
            last = n if length is None else min(n, signal.latency + length - position)
            if last <= first:
                continue
            piece = block[:, first:last]
            bad = first_non_finite(piece)
            if bad >= 0:
                raise self._non_finite(name, position + first + bad - signal.latency)
            self.sinks[name].write(piece)

    def _non_finite(self, output: str, sample: int) -> NodeError:
        graph = self.executor.plan.graph
        wire = self.executor.plan.outputs[output].wire
        node = graph.nodes.get(wire.node)
        plugin, place = (node.card.id, node.place) if node else ("input", None)
        reason = f"its output {wire} holds a non-finite sample (made there or before)"
        return NodeError(wire.node, plugin, sample, reason, place)
