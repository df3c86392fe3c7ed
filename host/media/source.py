"""What gives the samples of an input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..contract.audio import Layout
    from ..contract.processor import Array
    from .metadata import Metadata

__all__ = ["Source"]


class Source(Protocol):
    """A sound as blocks; see `PcmReader` for its attributes."""

    name: str
    rate: int
    layout: Layout
    length: int | None
    subtype: str
    form: str
    metadata: Metadata
    warnings: list[str]
    live: bool

    @property
    def salvaged(self) -> tuple[int | None, int] | None:
        """Samples declared and samples found, when fewer were found and taken."""
        ...

    def read(self, out: Array) -> int:
        """Fill ``out [channels, n]`` with the next samples; return how many, fewer only at the end."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
