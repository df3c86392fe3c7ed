"""What a check finds, and what it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from .links import Link, links
from .refusals import type_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .container import Container
    from .elements import Channel, Document, Element

__all__ = ["Finding", "Level", "Subject", "error", "in_blocks", "warning"]

#: How bad a finding is.
Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        rule: that is broken, ``object-count``.
        level: ``error`` where the file breaks what its profile demands; ``warning`` where programs differ.
        place: where, as an element and its line, or a chunk.
        message: what.
        remedy: what to do.
    """

    rule: str
    level: Level
    place: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.level}: {self.rule}: {self.place}: {self.message}; {self.remedy}"


def error(rule: str, place: str, message: str, remedy: str) -> Finding:
    """Return a finding that makes a file unfit."""
    return Finding(rule, "error", place, message, remedy)


def warning(rule: str, place: str, message: str, remedy: str) -> Finding:
    """Return a finding that some program may stumble over."""
    return Finding(rule, "warning", place, message, remedy)


def in_blocks(
    level: Level, rule: str, channel: Channel, bad: NDArray[np.bool_], message: str, remedy: str
) -> Iterator[Finding]:
    """Yield one finding for all blocks of a channel that break a rule, at the place of the first.

    Args:
        level: of the finding.
        rule: that is broken.
        channel: whose blocks.
        bad: ``[blocks]``, which break it.
        message: with ``{}`` for the first one's index, where wanted.
        remedy: what to do.
    """
    found = np.flatnonzero(bad)
    if not len(found):
        return
    more = f" (and {len(found) - 1} more blocks)" if len(found) > 1 else ""
    yield Finding(rule, level, channel.block_place(int(found[0])), message + more, remedy)


@dataclass(frozen=True)
class Subject:
    """A file that is checked.

    Attributes:
        container: its chunks.
        document: its ADM.
        profile: whose rules apply.
    """

    container: Container
    document: Document
    profile: str

    @property
    def dolby(self) -> bool:
        """Whether Dolby's rules apply."""
        return self.profile == "dolby"

    @property
    def rate(self) -> int:
        """Hz of the sound; 0 where nothing says."""
        return 0 if self.container.format is None else self.container.format.rate

    @property
    def seconds(self) -> float:
        """How long the sound is."""
        return self.container.frames / self.rate if self.rate else 0.0

    @cached_property
    def links(self) -> dict[str, Link]:
        """What every audioTrackUID leads to."""
        return links(self.container, self.document)

    def all(self, kind: str) -> list[Element]:
        """Return the elements of a kind."""
        return self.document.elements[kind]

    def channels_of(self, kind: str) -> list[Channel]:
        """Return the channels of a type: ``Objects`` or ``DirectSpeakers``."""
        return [channel for channel in self.document.channels if type_of(channel) == kind]

    def objects_of(self, kind: str) -> list[tuple[Element, Element]]:
        """Return the audioObjects whose pack is of a type, with their packs."""
        found = []
        for element in self.all("audioObject"):
            packs = self.document.linked(element, "audioPackFormat")
            found += [(element, pack) for pack in packs[:1] if type_of(pack) == kind]
        return found

    def owners(self) -> dict[str, Element]:
        """Return the audioObject that each channel belongs to, by the channel's key."""
        found: dict[str, Element] = {}
        for element in self.all("audioObject"):
            for pack in self.document.linked(element, "audioPackFormat"):
                for key in pack.refs("audioChannelFormat"):
                    found.setdefault(key, element)
        return found
