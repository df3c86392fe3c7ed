"""Dolby Atmos Master ADM Profile: blocks of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..blocks import UNSAID, Said
from ..finding import in_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..blocks import Odd
    from ..elements import Channel
    from ..finding import Finding, Level, Subject

__all__ = ["dolby_blocks"]

_MOVE = 5_208_000  # nanoseconds
_LEFT_OUT = {
    "objectDivergence",
    "screenRef",
    "headLocked",
    "headphoneVirtualise",
    "speakerLabel",
    "position",
    "position@screenEdgeLock",
}
#: Zones that may be left out, with their bounds: X, Y, Z, least and most of each.
_ZONES = {
    "ZM1": (-1, 1, -1, -0.41934, -0.499, 0.499),
    "ZM2L": (-1, -0.75806, -0.41934, 0.83871, -0.499, 0.499),
    "ZM2R": (0.75806, 1, -0.41934, 0.83871, -0.499, 0.499),
    "ZM3L": (-1, -0.16129, 0.5, 1, -0.499, 0.499),
    "ZM3Lss": (-1, -0.51611, -0.707, 0.49999, -0.499, 0.499),
    "ZM3R": (0.16129, 1, 0.5, 1, -0.499, 0.499),
    "ZM3Rss": (0.51611, 1, -0.707, 0.49999, -0.499, 0.499),
    "ZM4": (-1, 1, -1, 0.83871, -0.499, 0.499),
    "ZM5": (-1, 1, 0.5, 1, -0.499, 0.499),
    "ZB": (-1, 1, -1, 1, -1, -0.4995),
    "ZT": (-1, 1, -1, 1, 0.4995, 1),
}
_BOUNDS = ("minX", "maxX", "minY", "maxY", "minZ", "maxZ")


def dolby_blocks(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with blocks of objects."""
    for channel in subject.channels_of("Objects"):
        if len(channel.blocks):
            yield from _times(channel)
            yield from _places(channel)
            yield from _moves(channel)
            yield from _others(channel)


def _times(channel: Channel) -> Iterator[Finding]:
    rtime, duration, _ = channel.blocks.times
    missing = rtime == UNSAID
    missing[1:] = False  # of several, another rule tells
    if len(rtime) == 1:
        missing |= duration == UNSAID
    what = "does not say when it is, or how long"
    yield from in_blocks("error", "block-time", channel, missing, what, "give it rtime and duration")


def _places(channel: Channel) -> Iterator[Finding]:
    flags = channel.blocks.flags
    polar = ((flags & Said.POLAR) != 0) | ((flags & Said.CARTESIAN) == 0)
    what, remedy = "is not cartesian", "write X, Y, Z with <cartesian>1"
    yield from in_blocks("error", "block-cartesian", channel, polar, what, remedy)
    some, whole = (flags & Said.EXTENT) != 0, (flags & Said.EXTENT) == Said.EXTENT
    uneven = some & (~whole | ((flags & Said.EXTENTS_DIFFER) != 0))
    what = "its width, height and depth are not all there and written alike"
    yield from in_blocks("error", "block-extent", channel, uneven, what, "write the same number three times")


def _moves(channel: Channel) -> Iterator[Finding]:
    flags, moving = channel.blocks.flags, channel.blocks.times[2]
    without = ((flags & Said.JUMP) == 0) | (moving == UNSAID)
    what = "has no jumpPosition with an interpolationLength"
    remedy = "write an interpolationLength of 0 in the first block and 0.005208 in all others"
    yield from in_blocks("error", "block-jump", channel, without, what, remedy)
    wanted = np.where(np.arange(len(flags)) == 0, 0, _MOVE)
    other = ~without & (moving != wanted)
    what = "its interpolationLength is not the profile's"
    yield from in_blocks("error", "block-jump", channel, other, what, remedy)


def _others(channel: Channel) -> Iterator[Finding]:
    """Yield elements that blocks hold beside places and moves, each kind once."""
    blocks = channel.blocks
    numbers = np.array(blocks.odd, np.int64)
    told: set[str] = set()
    for kind, number in blocks.kinds.items():
        for odd in kind:
            what = _fault(odd)
            if what and what not in told:
                told.add(what)
                bad = numbers == number
                known = odd.name in _LEFT_OUT or odd.name in _KNOWN
                level: Level = "error" if known else "warning"
                yield from in_blocks(level, "block-parts", channel, bad, what, "leave it out, or write it so")
    silent = np.isin(numbers, [n for kind, n in blocks.kinds.items() if _unimportant(kind)])
    silent &= (blocks.flags & Said.GAIN) == 0
    what = "its importance is 0, and it states no gain"
    yield from in_blocks("error", "block-parts", channel, silent, what, "write a gain of 0")


def _unimportant(kind: tuple[Odd, ...]) -> bool:
    return any(odd.name == "importance" and odd.text == "0" for odd in kind)


_KNOWN = {"diffuse", "channelLock", "importance", "zoneExclusion", "zone"}


def _fault(odd: Odd) -> str:
    """Return what is wrong with an element; "" when nothing is."""
    name = odd.name
    if name in _LEFT_OUT:
        return f"has {name} with parts that the profile does not take"
    if name in {"diffuse", "channelLock"}:
        if odd.text not in {"0", "1"}:
            return f"its {name} is {odd.text!r}, not 0 or 1"
        return f"its {name} has attributes" if odd.attributes else ""
    if name == "importance":
        return "" if odd.text.isdecimal() and int(odd.text) <= 10 else f"its importance is {odd.text!r}"
    if name == "zone":
        return "" if _is_zone(odd) else f"excludes a zone {odd.text!r} that the profile does not have"
    return "" if name == "zoneExclusion" else f"has {name}, which ADM does not know"


def _is_zone(odd: Odd) -> bool:
    try:
        stated = tuple(float(dict(odd.attributes)[name]) for name in _BOUNDS)
    except (KeyError, ValueError):
        return False
    return odd.text in _ZONES and stated == _ZONES[odd.text]
