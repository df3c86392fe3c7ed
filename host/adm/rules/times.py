"""Times: readable, blocks that tile their object to the tick, and a programme as long as its sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..block_parser import nanoseconds
from ..blocks import UNSAID, Said
from ..finding import error, in_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..elements import Channel, Element
    from ..finding import Finding, Subject

    Times = NDArray[np.int64]

__all__ = ["times"]

_TIMES = {"audioProgramme": ("start", "end"), "audioObject": ("start", "duration")}
_SECOND = 1_000_000_000
#: Times in samples are no whole nanoseconds.
_EXACT = 2
#: Dolby: blocks are not shorter than this.
_SHORTEST = 5_000_000
#: Share by which a programme may miss the length of its sound.
_MISSED = 0.002
_TICK = 10_000


def times(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with times of programmes, objects and blocks."""
    for kind, names in _TIMES.items():
        for element in subject.all(kind):
            for name in names:
                stated = element.attributes.get(name)
                if stated is not None and nanoseconds(stated) is None:
                    what = f"its {name} {stated!r} is no time"
                    yield error("time-form", element.place, what, "write it as HH:MM:SS.fffff")
    for element in subject.all("audioProgramme"):
        yield from _programme(subject, element)
    for element in subject.all("audioObject"):
        yield from _object(subject, element)
    owners = subject.owners()
    for channel in subject.channels_of("Objects"):
        owner = owners.get(channel.key)
        yield from _blocks(subject, channel, None if owner is None else _stated(owner, "duration"))


def _stated(element: Element, name: str) -> int | None:
    text = element.attributes.get(name)
    return None if text is None else nanoseconds(text)


def _programme(subject: Subject, element: Element) -> Iterator[Finding]:
    start, end = _stated(element, "start"), _stated(element, "end")
    if end is None or not subject.seconds:
        return
    lasts = (end - (start or 0)) / _SECOND
    if abs(lasts - subject.seconds) > max(_MISSED * subject.seconds, 2 * _TICK / _SECOND):
        what = f"lasts {lasts:.5f} s from start to end, but the sound {subject.seconds:.5f} s"
        yield error("programme-span", element.place, what, "let it be as long as the sound")


def _object(subject: Subject, element: Element) -> Iterator[Finding]:
    start, duration = _stated(element, "start") or 0, _stated(element, "duration")
    if duration is None or not subject.seconds:
        return
    beyond = (start + duration) / _SECOND - subject.seconds
    if beyond > max(_MISSED * subject.seconds, 2 * _TICK / _SECOND):
        what = f"sounds {beyond:.5f} s past the end of the sound"
        yield error("object-span", element.place, what, "let it end with the sound")


def _blocks(subject: Subject, channel: Channel, lasts: int | None) -> Iterator[Finding]:
    """Yield what is wrong with the times of a channel's blocks."""
    if not len(channel.blocks):
        return
    rtime, duration, moving = channel.blocks.times
    jumps = (channel.blocks.flags & Said.JUMPS) != 0
    several = len(rtime) > 1
    missing = (rtime == UNSAID) != (duration == UNSAID) if not several else (duration == UNSAID)
    missing[1:] |= rtime[1:] == UNSAID
    what = "does not say when it is, or how long"
    yield from in_blocks("error", "block-time", channel, missing, what, "give it rtime and duration")
    if missing.any():
        return
    begin = np.where(rtime == UNSAID, 0, rtime)
    if begin[0] != 0:
        first = np.arange(len(begin)) == 0
        what = f"the first block begins {begin[0] / _SECOND:.5f} s after its object"
        yield from in_blocks("error", "block-first", channel, first, what, "let it begin at 0")
    if (duration == UNSAID).all():
        return
    yield from _tiles(channel, begin, begin + duration)
    yield from _lengths(subject, channel, duration)
    long = jumps & (moving > duration + _EXACT)
    what = "its interpolationLength is longer than the block"
    yield from in_blocks("error", "block-move", channel, long, what, "shorten the move")
    end = int(begin[-1] + duration[-1])
    if lasts is not None and abs(end - lasts) > _EXACT:
        last = np.arange(len(begin)) == len(begin) - 1
        where = "before" if end < lasts else "after"
        what = f"ends {abs(end - lasts) / _SECOND:.5f} s {where} its object"
        yield from in_blocks("error", "block-end", channel, last, what, "let both end together")


def _tiles(channel: Channel, begin: Times, end: Times) -> Iterator[Finding]:
    follows = np.append(0, begin[1:] - end[:-1])
    order = np.append(False, begin[1:] < begin[:-1])
    what = "begins before the block that it follows"
    yield from in_blocks("error", "block-order", channel, order, what, "put blocks in the order of time")
    what = "begins before the last block ended"
    overlaps = (follows < -_EXACT) & ~order
    yield from in_blocks("error", "block-overlap", channel, overlaps, what, "end each where the next begins")
    what = "begins after the last block ended; no place is stated between them"
    yield from in_blocks(
        "error", "block-gap", channel, follows > _EXACT, what, "end each block where the next begins"
    )


def _lengths(subject: Subject, channel: Channel, duration: Times) -> Iterator[Finding]:
    what = "has no length"
    yield from in_blocks("error", "block-length", channel, duration == 0, what, "leave it out")
    if subject.dolby:
        short = (duration > 0) & (duration < _SHORTEST)
        what = "is shorter than 5 ms"
        yield from in_blocks("error", "block-length", channel, short, what, "merge it with its neighbour")
