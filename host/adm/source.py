"""The sound of an ADM file in the order of a scene's tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from ..media.open_input import open_input

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..contract.processor import Array
    from .container import Container

__all__ = ["TrackSource"]


class TrackSource:
    """Gives samples block by block; close it, or use it with ``with``.

    Args:
        path: of the file.
        container: its chunks.
        tracks: channels of the file, from 0, in the order in which they are given.

    Attributes:
        rate: Hz.
        length: samples per channel.
        subtype: sample format.
        metadata: what the file says beside its sound and its ADM.

    Raises:
        MediaError: the file cannot be read, or holds less than it declares.
    """

    def __init__(self, path: Path, container: Container, tracks: Sequence[int]) -> None:
        self._source = open_input(path)
        self.rate, self.length = self._source.rate, self._source.length or 0
        self.subtype, self.metadata = self._source.subtype, self._source.metadata
        # A file with a channel mask comes in the order of our layouts, not in its own.
        order = None if container.format is None else container.format.order.give
        self._rows = [track if order is None else order[track] for track in tracks]
        channels = self._source.layout.channels
        self._in_order = self._rows == [*range(channels)]
        self._all = np.empty((channels, 0), np.float32)

    def read(self, out: Array) -> int:
        """Fill ``out [tracks, n]`` with the next samples; return how many, fewer only at the end."""
        if self._in_order:
            return self._source.read(out)
        if self._all.shape[1] < out.shape[1]:
            self._all = np.empty((len(self._all), out.shape[1]), np.float32)
        count = self._source.read(self._all[:, : out.shape[1]])
        out[:, :count] = self._all[self._rows, :count]
        return count

    def blocks(self, size: int = 4096) -> Iterator[Array]:
        """Yield all that follows in blocks ``[tracks, size]``; the last one may be shorter."""
        while True:
            block = np.empty((len(self._rows), size), np.float32)
            count = self.read(block)
            if count:
                yield block if count == size else np.ascontiguousarray(block[:, :count])
            if count < size:
                return

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
