"""`SegmentProcessor`: the author separates segments, the host owns the grid, overlap, batches and latency."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .errors import PluginError, one_line
from .params import Params
from .timeline import TimedProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ...kernels.crossfade import Fade
    from .audio import Spec
    from .processor import Array

__all__ = ["SegmentProcessor"]

P = TypeVar("P", bound=Params)


class SegmentProcessor(TimedProcessor[P]):
    """Base for models that take a stretch of sound and give its stems: one input, overlapping segments.

    The author writes `separate`. Segment k covers samples ``[k hop, k hop + segment)`` of what comes in, from
    the first sample on, whatever the blocks. Segments are handed over in batches of one fixed size, the last
    one padded with zeros, because a model's rounding depends on the size of its batch; so the output has the
    same bits for any cut of the signal, over files and over pipes. Where segments overlap they are
    cross-faded by weights that sum to one: a model that gives its input back is not heard. Digital silence is
    not handed over, it stays silence; nor is what lies past the programme's end.

    The latency is ``segment - 1 + (batch - 1) hop`` samples; a model may sound on for one segment. In a live
    graph the batch is 1, and the result differs from that over files by no more than the model's own rounding
    (about 1e-5 for convolutions in float32). Memory does not depend on the programme's length.

    Attributes:
        segment: samples in a segment, at the rate in the spec. `geometry` chooses for other rates or
            parameters.
        hop: samples between the starts of segments, at most ``segment``.
        batch: segments in a batch, except live.
        fade: how overlapping segments are weighted; see `unbraid.kernels.crossfade.fade_curves`.
        stems: all the stems that `separate` gives, in order, whichever are connected; empty: the connected
            outputs in the card's order, which suits models of one stem. `prepare` may set it before it calls
            this one.
        batch_params: while `separate` runs, each segment's parameters: those in force at its centre.
        batch_starts: while `separate` runs, each segment's first sample, counted from the first that came in.

    Example:
        >>> class Half(SegmentProcessor[Params]):
        ...     segment, hop = 44100, 33075
        ...     def separate(self, batch):
        ...         return 0.5 * batch[:, None]  # one stem
    """

    segment: ClassVar[int] = 441_000
    hop: ClassVar[int] = 330_750
    batch: ClassVar[int] = 4
    fade: ClassVar[Fade] = "linear"
    stems: tuple[str, ...] = ()

    @abstractmethod
    def separate(self, batch: npt.NDArray[np.float32]) -> Any:
        """Return the stems of every segment, float32 ``[batch, stems, channels, samples]``.

        Each segment by itself: the host relies on it that one does not change another's stems.

        Args:
            batch: float32 ``[batch, channels, samples]``, the author's own until the call returns.
        """

    def geometry(self, spec: Spec) -> tuple[int, int, int]:  # noqa: ARG002 - authors may use it
        """Return ``(segment, hop, batch)`` for these terms; the host makes the batch 1 when they are live."""
        return self.segment, self.hop, self.batch

    def prepare(self, spec: Spec) -> None:
        """Allocate the segments. Override to load a model, and call this first."""
        super().prepare(spec)
        if len(spec.inputs) != 1:
            raise PluginError(f"a SegmentProcessor has exactly one input, not {len(spec.inputs)}")
        self._length, self._hop, batch = self.geometry(spec)
        self._batch_size = 1 if spec.realtime else batch
        whole = all(isinstance(size, int) for size in (self._length, self._hop, batch))
        if not (whole and 1 <= self._hop <= self._length and batch >= 1):
            raise PluginError(
                f"segment {self._length}, hop {self._hop}, batch {batch}: "
                "these must be whole numbers, 1 <= hop <= segment and batch >= 1"
            )
        self._order = self.stems or tuple(spec.outputs)
        unknown = [name for name in spec.outputs if name not in self._order]
        if unknown:
            raise PluginError(f"stems names {', '.join(self.stems)}, but not the output {', '.join(unknown)}")
        if len({layout.channels for layout in spec.outputs.values()}) > 1:
            raise PluginError("the outputs of a SegmentProcessor have one number of channels")
        self.latency, self.tail = self._length - 1 + (self._batch_size - 1) * self._hop, self._length
        self.reset()

    def reset(self) -> None:
        """Start afresh with the present parameters."""
        import numpy as np

        from ...kernels.crossfade import SegmentCutter, SegmentOverlap
        from ...kernels.fifo import Fifo

        self.rewind()
        (layout,) = self.spec.inputs.values()
        self._cutter = SegmentCutter(layout.channels, self._length, self._hop)
        self._batch = np.zeros((self._batch_size, layout.channels, self._length), np.float32)
        self._cut = self._held = 0
        self.batch_params: tuple[P, ...] = ()
        self.batch_starts: tuple[int, ...] = ()
        self._overlaps, self._ready = {}, {}
        for name, out in self.spec.outputs.items():
            self._overlaps[name] = SegmentOverlap(out.channels, self._length, self._hop, self.fade)
            self._ready[name] = Fifo(out.channels, 2 * (self.latency + self._batch_size * self._hop))
            self._ready[name].push(np.zeros((out.channels, self.latency), np.float32))

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Take one block; separate when a batch is full; give what is due."""
        (block,) = ins.values()
        n = block.shape[1]
        self._position += n
        for first in range(0, n, self._hop):  # so that a piece completes one segment at most
            piece = block if n <= self._hop else block[:, first : first + self._hop].copy()
            done = self._held + self._cutter.completes(piece.shape[1])
            self._cutter.push(piece, out=self._batch[self._held : done])
            if done > self._held:
                self._took_one()
        for name, out in outs.items():
            self._ready[name].pull(out)

    def release(self) -> None:
        """Give back the segments."""
        self._overlaps, self._ready = {}, {}

    def _took_one(self) -> None:
        """Note where the segment that has come lies; hand over the batch when it is full."""
        start = self._cut * self._hop
        self.batch_starts += (start,)
        self.batch_params += (self._timeline.at(start + self._length // 2),)
        self._cut, self._held = self._cut + 1, self._held + 1
        if self._held == self._batch_size:
            self._separate()
            self._held, self.batch_starts, self.batch_params = 0, (), ()

    def _separate(self) -> None:
        """Hand over the batch and fade what comes back into the outputs."""
        import numpy as np

        end = self.spec.length
        silent = [
            not segment.any() or (end is not None and start >= end)
            for segment, start in zip(self._batch, self.batch_starts, strict=True)
        ]
        stems = None
        if not all(silent):
            self.params = self.batch_params[0]
            stems = self._checked(self.separate(self._batch))
            self.params = self._timeline.newest
        for name, layout in self.spec.outputs.items():
            if stems is None:
                stem = np.zeros((self._batch_size, layout.channels, self._length), np.float32)
            else:
                stem = np.ascontiguousarray(stems[:, self._order.index(name)])
                if any(silent):
                    stem = stem.copy()
                    stem[silent] = 0
            self._ready[name].push(self._overlaps[name].push(stem))

    def _checked(self, given: Any) -> npt.NDArray[np.float32]:
        """Return what `separate` gave as an array, if it has the right shape."""
        import numpy as np

        try:
            stems = np.asarray(given, np.float32)
        except (
            TypeError,
            ValueError,
            RuntimeError,
        ) as error:  # RuntimeError: a tensor that wants its gradient
            raise PluginError(f"separate() gave no array of numbers: {one_line(error)}") from None
        channels = next(iter(self.spec.outputs.values())).channels
        want = (self._batch_size, len(self._order), channels, self._length)
        if stems.shape != want:
            raise PluginError(
                f"separate() gave {list(stems.shape)}; it must be [batch, stems, channels, samples] = "
                f"{list(want)}, stems in the order {', '.join(self._order)}"
                f"{'' if self.stems else '; where the model has more, name them all: stems = (...)'}"
            )
        return stems
