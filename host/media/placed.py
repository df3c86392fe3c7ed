"""Sounds lined up by their timecode: silence before and behind, so that all begin and end together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..contract.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.processor import Array
    from .source import Source

__all__ = ["Placed", "line_up", "starts_of"]


class Placed:
    """A source with silence around it.

    Args:
        source: of a known length.
        lead: samples of silence before it.
        length: samples in all.
        start: time reference of the first of them.
    """

    def __init__(self, source: Source, lead: int, length: int, start: int) -> None:
        self._source, self._lead, self._whole = source, lead, length
        self.length: int | None = length
        self.name, self.rate, self.layout, self.subtype = (
            source.name,
            source.rate,
            source.layout,
            source.subtype,
        )
        self.form, self.warnings, self.live = source.form, source.warnings, source.live
        bext = source.metadata.bext
        assert bext is not None  # noqa: S101 - `line_up` asks for it
        # Cue points and iXML count from the sound's own beginning.
        self.metadata = replace(
            source.metadata, bext=replace(bext, time_reference=start), ixml=None, cue=None, adtl=None
        )
        self._done = 0

    @property
    def salvaged(self) -> tuple[int | None, int] | None:
        """What the source says."""
        return self._source.salvaged

    def read(self, out: Array) -> int:
        """See `Source`."""
        wanted: int = min(out.shape[1], self._whole - self._done)
        filled = min(max(self._lead - self._done, 0), wanted)
        out[:, :filled] = 0
        if filled < wanted:
            filled += self._source.read(out[:, filled:wanted])
        out[:, filled:wanted] = 0
        self._done += wanted
        return wanted

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def starts_of(sources: Mapping[str, Source]) -> dict[str, int]:
    """Return the time references of the sources that state one."""
    found = {name: source.metadata.bext for name, source in sources.items()}
    return {name: bext.time_reference for name, bext in found.items() if bext is not None}


def line_up(sources: Mapping[str, Source]) -> dict[str, Source]:
    """Return sources of one rate that begin and end together.

    Raises:
        MediaError: one says neither when it begins nor how long it is.
    """
    starts = starts_of(sources)
    for name, source in sources.items():
        if name not in starts:
            raise MediaError(
                f"{source.name}: does not say when it begins (bext), so it cannot be lined up with the "
                "others; write a time reference into it, or leave out --line-up"
            )
        if source.length is None:
            raise MediaError(f"{source.name}: does not say how long it is; give a file to line up")
    first = min(starts.values())
    length = max(starts[name] - first + (source.length or 0) for name, source in sources.items())
    return {name: Placed(source, starts[name] - first, length, first) for name, source in sources.items()}
