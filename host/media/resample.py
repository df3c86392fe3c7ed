"""Changing the rate of a sound: soxr, aligned to the sample, of a known length.

soxr gives the same bits however a stream is cut, but gets a stream's first samples wrong (up to 67 of
them, by up to 0.02 of full scale), because it drops the part of its filter that lies before the start.
So silence goes first and last, and is taken off again: what comes out is soxr's one-shot result from within
silence.
"""

from __future__ import annotations

from math import ceil, gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.errors import MediaError
from .sink import Around

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array
    from .metadata import Metadata
    from .sink import Writer
    from .source import Source

__all__ = [
    "HIGHEST",
    "LOWEST",
    "Resampled",
    "ResampledWriter",
    "Resampler",
    "lead_in",
    "resampled_length",
    "soxr_stream",
]

_LEAD = 256
LOWEST, HIGHEST = 1_000, 1_536_000


def soxr_stream(source: int, target: int, channels: int, quality: str) -> Any:
    """Return one of soxr's streaming resamplers for float32."""
    from soxr import ResampleStream

    return ResampleStream(source, target, channels, dtype="float32", quality=quality)


def lead_in(outer: int, inner: int) -> int:
    """Return the samples of silence to begin with: a whole number at both rates, at least 256 at each."""
    step = outer // gcd(outer, inner)
    return step * ceil(_LEAD / min(step, inner // gcd(outer, inner)))


def resampled_length(length: int, source: int, target: int) -> int:
    """Return the samples that cover the same time, the last one begun.

    Example:
        >>> resampled_length(48001, 48000, 44100)
        44101
    """
    return -(-length * target // source)


class Resampler:
    """One stream from one rate to another.

    Args:
        source: Hz.
        target: Hz.
        channels: how many.
        name: for error texts.

    Raises:
        MediaError: a rate is outside 1,000 to 1,536,000 Hz.
    """

    def __init__(self, source: int, target: int, channels: int, name: str) -> None:
        for rate in (source, target):
            if not LOWEST <= rate <= HIGHEST:
                raise MediaError(
                    f"{name}: cannot be resampled from {source} to {target} Hz; "
                    f"rates are {LOWEST} to {HIGHEST} Hz"
                )
        self._source, self._target = source, target
        self._stream = soxr_stream(source, target, channels, "VHQ")
        self._channels = channels
        self._taken = self._given = 0
        self._lead = lead_in(source, target)
        self._drop = self._lead * target // source
        self._feed(np.zeros((channels, self._lead), np.float32))

    def _feed(self, block: Array, *, last: bool = False) -> Array:
        frames = self._stream.resample_chunk(np.ascontiguousarray(block.T), last=last)
        out = np.ascontiguousarray(frames.T)
        dropped = min(self._drop, out.shape[1])
        self._drop -= dropped
        return out[:, dropped:]

    def push(self, block: Array) -> Array:
        """Take ``[channels, n]`` samples; return those that are ready at the other rate."""
        self._taken += block.shape[1]
        out = self._feed(block)
        self._given += out.shape[1]
        return out

    def finish(self, length: int | None = None) -> Array:
        """Return the rest, so that the whole has ``length`` samples; by default `resampled_length`."""
        whole = resampled_length(self._taken, self._source, self._target) if length is None else length
        left = max(0, whole - self._given)
        out = self._feed(np.zeros((self._channels, self._lead), np.float32), last=True)
        return out[:, :left]


class Resampled:
    """A source at another rate.

    Args:
        source: what to resample.
        rate: Hz.
        length: of another signal; taken for this one's where it is a sample more or less, since programs
            round the length of a resampled sound up, down or to the nearest.
    """

    def __init__(self, source: Source, rate: int, length: int | None = None) -> None:
        self._source = source
        self.name, self.layout, self.rate = source.name, source.layout, rate
        self.subtype, self.form, self.metadata = source.subtype, source.form, _moved(source, rate)
        self.length = None if source.length is None else resampled_length(source.length, source.rate, rate)
        if self.length is not None and length is not None and abs(self.length - length) <= 1:
            self.length = length
        self.warnings, self.live = source.warnings, source.live
        channels = source.layout.channels
        self._resampler = Resampler(source.rate, rate, channels, source.name)
        self._in = np.empty((channels, 8192), np.float32)
        self._held = np.empty((channels, 0), np.float32)
        self._ended = False

    @property
    def salvaged(self) -> tuple[int | None, int] | None:
        """See `PcmReader`; in samples of the file."""
        return self._source.salvaged

    def read(self, out: Array) -> int:
        """Fill ``out [channels, n]`` with the next samples; return how many, fewer than n only at the end."""
        n, done = out.shape[1], 0
        while done < n and (self._held.shape[1] or not self._ended):
            if not self._held.shape[1]:
                self._held = self._next()
            count = min(n - done, self._held.shape[1])
            out[:, done : done + count] = self._held[:, :count]
            self._held = self._held[:, count:]
            done += count
        return done

    def _next(self) -> Array:
        count = self._source.read(self._in)
        ready = self._resampler.push(self._in[:, :count]) if count else self._held
        if count == self._in.shape[1]:
            return ready
        self._ended = True
        return np.concatenate([ready, self._resampler.finish(self.length)], axis=1)

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def _moved(source: Source, rate: int) -> Metadata:
    """Return what the source says, in samples of the new rate."""
    return source.metadata.at_rate(source.rate, rate)


class ResampledWriter(Around):
    """A writer that takes blocks at the graph's rate, for an output at another."""

    def __init__(self, writer: Writer, source: int, target: int, channels: int) -> None:
        super().__init__(writer)
        self._resampler = Resampler(source, target, channels, writer.name)

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples at the graph's rate."""
        ready = self._resampler.push(block)
        if ready.shape[1]:
            self.writer.write(ready)

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Write what is still under way, then finish the writer."""
        rest = self._resampler.finish()
        if rest.shape[1]:
            self.writer.write(rest)
        self.writer.finish(notes)
