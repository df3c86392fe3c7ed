"""Cross-fades, and signals cut into overlapping segments and put together again.

Segment k of length S at hop H covers samples ``[k H, k H + S)`` of the signal, from k = 0; the last one
reaches to the signal's end or beyond it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from .arguments import check_array, check_count
from .errors import KernelError
from .machine import Kernel, address_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "Fade",
    "SegmentCutter",
    "SegmentOverlap",
    "crossfade",
    "fade_curves",
    "segment_count",
    "segment_window",
]

#: ``linear``: amplitudes sum to one. ``equal-power``: the roots of ``linear``. ``root-hann``: a quarter of
#: a cosine and of a sine. The squares of the last two sum to one.
Fade = Literal["linear", "equal-power", "root-hann"]

_mix = Kernel("crossfade.mix", 6)
_add = Kernel("crossfade.add", 4)
_finish = Kernel("crossfade.finish", 2)


def fade_curves(shape: Fade, n: int) -> npt.NDArray[np.float64]:
    """Return the falling and the rising gain of a fade over ``n`` samples, ``[2, n]``, read-only.

    Sample i stands at (i + 1/2) / n of the way, so each curve is the other one backwards.

    Raises:
        KernelError: the shape is unknown or ``n`` negative.

    Example:
        >>> fade_curves("linear", 2).tolist()
        [[0.75, 0.25], [0.25, 0.75]]
    """
    if shape not in get_args(Fade):
        raise KernelError(f"shape must be one of {', '.join(get_args(Fade))}, not {shape!r}")
    return _curves(shape, check_count("n", n, 0))


@lru_cache(maxsize=16)
def _curves(shape: Fade, n: int) -> npt.NDArray[np.float64]:
    way = (np.arange(n) + 0.5) / max(n, 1)
    curves = np.empty((2, n))
    if shape == "linear":
        curves[:] = 1 - way, way
    elif shape == "equal-power":
        np.sqrt([1 - way, way], out=curves)
    else:
        curves[:] = np.cos(np.pi / 2 * way), np.sin(np.pi / 2 * way)
    curves.flags.writeable = False
    return curves


def crossfade(
    tail: npt.NDArray[np.float32],
    head: npt.NDArray[np.float32],
    shape: Fade = "linear",
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Fade from one piece to another over their whole length, float32 ``[channels, n]``.

    ``linear`` suits pieces that are alike, and gives equal ones back to the bit; the others keep the
    power of pieces that have nothing in common.

    Args:
        tail: what fades out, float32 ``[channels, n]``.
        head: what fades in, float32 ``[channels, n]``.
        shape: of the fade.
        out: where to put the result; may be ``tail`` or ``head`` itself.

    Raises:
        KernelError: the shape is unknown, or an array has another type, shape or layout.

    Example:
        >>> crossfade(np.ones((1, 4), np.float32), np.zeros((1, 4), np.float32)).tolist()
        [[0.875, 0.625, 0.375, 0.125]]
    """
    check_array("tail", tail, np.float32, ("channels", None))
    check_array("head", head, np.float32, tail.shape)
    if out is None:
        out = np.empty_like(tail)
    check_array("out", out, np.float32, tail.shape, writable=True)
    if any(np.may_share_memory(out, piece) and out is not piece for piece in (tail, head)):
        raise KernelError("out must be tail, head, or share no memory with them")
    curves = fade_curves(shape, tail.shape[1])
    _mix(address_of(tail), address_of(head), address_of(out), *tail.shape, address_of(curves))
    return out


def segment_count(samples: int, length: int, hop: int) -> int:
    """Return how many segments cover a signal.

    Raises:
        KernelError: ``samples`` is negative, or not 1 <= hop <= length.

    Example:
        >>> segment_count(0, 8, 4), segment_count(5, 8, 4), segment_count(9, 8, 4)
        (0, 1, 2)
    """
    _check_grid(length, hop)
    check_count("samples", samples, 0)
    return 0 if samples == 0 else 1 + max(0, -((length - samples) // hop))


def segment_window(length: int, hop: int, shape: Fade = "linear") -> npt.NDArray[np.float64]:
    """Return weights of a segment, ``[length]``: a rise, ones, a fall.

    Rise and fall take ``length - hop`` samples, the overlap, or half the length if that is less.

    Raises:
        KernelError: the shape is unknown, or not 1 <= hop <= length.

    Example:
        >>> segment_window(6, 4).tolist()
        [0.25, 0.75, 1.0, 1.0, 0.75, 0.25]
    """
    _check_grid(length, hop)
    n = min(length - hop, length // 2)
    falling, rising = fade_curves(shape, n)
    return np.concatenate([rising, np.ones(length - 2 * n), falling])


class SegmentCutter:
    """A stream into segments, whatever its blocks; the remainder is padded with zeros at the end.

    Args:
        channels: rows of every block.
        length: samples of a segment, S.
        hop: samples between the starts of segments, H, at most S.

    Raises:
        KernelError: an argument is out of range.

    Example:
        >>> cutter = SegmentCutter(channels=1, length=4, hop=3)
        >>> cutter.push(np.arange(5, dtype=np.float32)[None]).tolist()
        [[[0.0, 1.0, 2.0, 3.0]]]
        >>> cutter.finish().tolist()
        [[[3.0, 4.0, 0.0, 0.0]]]
    """

    def __init__(self, channels: int, length: int, hop: int) -> None:
        _check_grid(length, hop)
        self.channels, self.length, self.hop = check_count("channels", channels, 1), int(length), int(hop)

        # What the next segment has so far, and how much of it stands in the segment before.
        self._start = np.empty((self.channels, self.length), np.float32)
        self._held = self._overlap = 0

    def reset(self) -> None:
        """Forget the signal."""
        self._held = self._overlap = 0

    def completes(self, n: int) -> int:
        """Return how many segments the next ``n`` samples will complete."""
        return max(0, (self._held + n - self.length) // self.hop + 1)

    def push(
        self, block: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Take float32 ``[channels, n]``; return the segments it completes, ``[count, channels, length]``.

        Args:
            block: the next samples.
            out: where to put the segments, as many as `completes` says.

        Raises:
            KernelError: an array has another type, shape or layout.
        """
        check_array("block", block, np.float32, (self.channels, None))
        shape = (self.completes(block.shape[1]), self.channels, self.length)
        if out is None:
            out = np.empty(shape, np.float32)
        check_array("out", out, np.float32, shape, writable=True)
        if np.may_share_memory(out, block):
            raise KernelError("out must not share memory with block")
        for k, segment in enumerate(out):
            self._copy(block, k * self.hop, segment)
        rest = len(out) * self.hop
        held = self._held + block.shape[1] - rest
        self._copy(block, rest, self._start[:, :held])
        self._held, self._overlap = held, self.length - self.hop if len(out) else self._overlap
        return out

    def _copy(self, block: npt.NDArray[np.float32], first: int, out: npt.NDArray[np.float32]) -> None:
        """Fill ``out`` with samples from the one ``first`` behind the next segment's start on."""
        old = min(max(self._held - first, 0), out.shape[1])
        out[:, :old] = self._start[:, first : first + old]
        begin = first + old - self._held
        out[:, old:] = block[:, begin : begin + out.shape[1] - old]

    def finish(self) -> npt.NDArray[np.float32]:
        """Return the last segment, padded with zeros, ``[1, channels, length]``, or none; then start anew."""
        segments = np.zeros((int(self._held > self._overlap), self.channels, self.length), np.float32)
        segments[:, :, : self._held] = self._start[:, : self._held]
        self.reset()
        return segments


class SegmentOverlap:
    """Segments that overlap, of a model for instance, into one signal: their weighted mean.

    Each sample is ``sum_k w y_k / sum_k w`` over the segments that hold it, so weights sum to one
    everywhere, in the first and the last segment too, for any window. Where the segments agree, their value
    comes back to the bit. A sample that is not finite harms no other. Memory is one segment.

    Args:
        channels: of every segment.
        length: samples of a segment, S.
        hop: samples between the starts of segments, H, at most S.
        window: weights: a fade (see `segment_window`), or float64 ``[length]``, each above 1e-12 times the
            greatest.

    Raises:
        KernelError: an argument is out of range.

    Example:
        >>> overlap = SegmentOverlap(channels=1, length=4, hop=2)
        >>> ones = np.ones((3, 1, 4), np.float32)
        >>> overlap.push(ones).tolist(), overlap.finish().tolist()
        ([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]], [[1.0, 1.0]])
    """

    def __init__(
        self, channels: int, length: int, hop: int, window: Fade | npt.NDArray[np.float64] = "linear"
    ) -> None:
        _check_grid(length, hop)
        weights = segment_window(length, hop, window) if isinstance(window, str) else window
        check_array("window", weights, np.float64, (length,))
        if not (np.isfinite(weights).all() and weights.min() > 1e-12 * weights.max()):
            raise KernelError(
                f"window must be finite and above 1e-12 times its maximum, not {weights.min()} to "
                f"{weights.max()}: some samples have no other weight"
            )
        self.channels, self.length, self.hop = check_count("channels", channels, 1), int(length), int(hop)
        self.window = weights / weights.max()
        self._sums, self._weights = np.zeros((channels, length)), np.zeros(length)
        addresses = [address_of(array) for array in (self.window, self._sums, self._weights)]
        self._header = np.array([channels, length, hop, *addresses], np.int64)
        self._state, self._begun = address_of(self._header), False

    def push(
        self, segments: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Take the next segments in order; return the samples they finish, ``[channels, count hop]``.

        However segments are cut into calls, the bits are the same.

        Args:
            segments: float32 ``[count, channels, length]``.
            out: where to put the result.

        Raises:
            KernelError: an array has another type, shape or layout.
        """
        check_array("segments", segments, np.float32, (None, self.channels, self.length))
        count = segments.shape[0]
        out = self._output(out, count * self.hop)
        if np.may_share_memory(out, segments):
            raise KernelError("out must not share memory with segments")
        _add(self._state, address_of(segments), address_of(out), count)
        self._begun = self._begun or count > 0
        return out

    def finish(self, out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
        """Return the rest of the last segment, ``[channels, length - hop]``; then start anew.

        Without any segment there is none: ``[channels, 0]``.

        Raises:
            KernelError: ``out`` has another type, shape or layout.
        """
        out = self._output(out, self.length - self.hop if self._begun else 0)
        if out.size:
            _finish(self._state, address_of(out))
        self.reset()
        return out

    def reset(self) -> None:
        """Forget the signal."""
        self._sums[:] = 0
        self._weights[:] = 0
        self._begun = False

    def _output(self, out: npt.NDArray[np.float32] | None, n: int) -> npt.NDArray[np.float32]:
        if out is None:
            return np.empty((self.channels, n), np.float32)
        check_array("out", out, np.float32, (self.channels, n), writable=True)
        return out


def _check_grid(length: int, hop: int) -> None:
    if check_count("hop", hop, 1) > check_count("length", length, 1):
        raise KernelError(f"hop {hop} and length {length} must be 1 <= hop <= length")
