"""What takes the samples of an output, and what stands in front of such a thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array

__all__ = ["Around", "Writer"]


class Writer(Protocol):
    """An output that takes blocks."""

    @property
    def name(self) -> str:
        """For error texts."""
        ...

    @property
    def length(self) -> int | None:
        """Samples per channel written so far, or that will have been."""
        ...

    @property
    def subtype(self) -> str:
        """The sample format; may change in `finish` under ``on_clip="float"``."""
        ...

    @property
    def clipped(self) -> int:
        """Samples beyond full scale so far, in an integer format."""
        ...

    @property
    def warnings(self) -> list[str]:
        """Lines for the report."""
        ...

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples."""

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Complete the output, which must be as long as was asked."""

    def commit(self) -> None:
        """Give it its name."""

    def settle(self) -> None:
        """Let go of what `commit` replaced, once all that belongs together stands."""

    def abort(self) -> None:
        """Leave nothing, and bring back what was replaced."""


class Around:
    """A writer in front of another one: subclasses say what `write` and `finish` do before it."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    @property
    def name(self) -> str:
        """See `Writer`."""
        return self.writer.name

    @property
    def length(self) -> int | None:
        """See `Writer`."""
        return self.writer.length

    @property
    def subtype(self) -> str:
        """See `Writer`."""
        return self.writer.subtype

    @property
    def clipped(self) -> int:
        """See `Writer`."""
        return self.writer.clipped

    @property
    def warnings(self) -> list[str]:
        """See `Writer`."""
        return self.writer.warnings

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples."""
        self.writer.write(block)

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Finish the writer."""
        self.writer.finish(notes)

    def commit(self) -> None:
        """Commit the writer."""
        self.writer.commit()

    def settle(self) -> None:
        """Settle the writer."""
        self.writer.settle()

    def abort(self) -> None:
        """Abort the writer."""
        self.writer.abort()
