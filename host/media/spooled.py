"""A pipe that can be heard again: what it gave is kept in a file that nobody else sees."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import numpy as np

from ..contract.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.processor import Array
    from .source import Source

__all__ = ["Spooled"]


class Spooled:
    """A source that keeps what it gives as float32, 4 bytes a sample and channel, for the next time.

    Args:
        source: gives its samples once.
        folder: where the file goes; it has no name there and is gone when closed, or when the program ends.

    Raises:
        MediaError: the folder cannot hold a file.
    """

    def __init__(self, source: Source, folder: Path) -> None:
        self._source, self._folder = source, folder
        self.name, self.layout, self.rate = source.name, source.layout, source.rate
        self.subtype, self.form, self.metadata = source.subtype, source.form, source.metadata
        self.length, self.live, self.warnings = source.length, source.live, source.warnings
        self._kept: int | None = None
        try:
            self._file = tempfile.TemporaryFile(prefix="unbraid-", suffix=".spool", dir=folder)  # noqa: SIM115
        except OSError as error:
            raise self._fault(error) from None

    def _fault(self, error: OSError) -> MediaError:
        return MediaError(
            f"{self.name}: cannot be spooled to {self._folder}: {error.strerror}; give --spool another folder"
        )

    @property
    def salvaged(self) -> tuple[int | None, int] | None:
        """See `PcmReader`."""
        return self._source.salvaged

    def read(self, out: Array) -> int:
        """Fill ``out [channels, n]`` with the next samples; return how many, fewer only at the end."""
        try:
            return self._record(out) if self._kept is None else self._repeat(out)
        except OSError as error:
            raise self._fault(error) from None

    def _record(self, out: Array) -> int:
        count = self._source.read(out)
        self._file.write(out[:, :count].T.tobytes())
        return count

    def _repeat(self, out: Array) -> int:
        channels = self.layout.channels
        data = np.frombuffer(self._file.read(4 * channels * out.shape[1]), np.float32).reshape(-1, channels)
        out[:, : len(data)] = data.T
        return len(data)

    def rewind(self) -> None:
        """Go back to the beginning; what was not read before is not there."""
        try:
            if self._kept is None:
                self._kept = self.length = self._file.tell() // (4 * self.layout.channels)
                self.live = False
            self._file.seek(0)
        except OSError as error:
            raise self._fault(error) from None

    def close(self) -> None:
        """Close the source, and let the file go."""
        self._file.close()
        self._source.close()
