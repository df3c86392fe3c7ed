"""Values: places that are whole and within their system, gains and extents within bounds (BS.2076-2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..blocks import Said
from ..finding import error, in_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Channel
    from ..finding import Finding, Subject

__all__ = ["values"]

_MOST_GAIN = 100.0


def values(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the numbers of blocks, and numbers that are none."""
    for fault in subject.document.faults:
        yield error("value-form", fault.place, fault.message, "write what can be read")
    for channel in subject.document.channels:
        if not len(channel.blocks):
            what = "has no audioBlockFormat"
            yield error("block-missing", channel.place, what, "say where it is")
            continue
        yield from _places(channel)
        yield from _ranges(channel)


def _places(channel: Channel) -> Iterator[Finding]:
    """Yield places of which a part is missing, or that are of two systems."""
    flags = channel.blocks.flags
    room, polar = (flags & Said.ROOM) != 0, (flags & Said.POLAR) != 0
    what, remedy = "its position is in both systems", "leave azimuth, elevation, distance or X, Y, Z"
    yield from in_blocks("error", "position-whole", channel, room & polar, what, remedy)
    lacks = room & ((flags & (Said.X | Said.Y)) != (Said.X | Said.Y))
    lacks |= ~room & ((flags & (Said.AZIMUTH | Said.ELEVATION)) != (Said.AZIMUTH | Said.ELEVATION))
    what, remedy = "its position is not whole", "state azimuth and elevation, or X and Y"
    yield from in_blocks("error", "position-whole", channel, lacks & ~(room & polar), what, remedy)
    other = (room != ((flags & Said.IN_ROOM) != 0)) & (room | polar)
    what, remedy = "its cartesian does not fit its position", "let it be 1 with X, Y, Z and 0 without"
    yield from in_blocks("error", "position-system", channel, other, what, remedy)


def _ranges(channel: Channel) -> Iterator[Finding]:
    blocks = channel.blocks
    room = (blocks.flags & Said.ROOM) != 0
    first, second, third = blocks.places.T
    out = room & ((np.abs(first) > 1) | (np.abs(second) > 1) | (np.abs(third) > 1))
    what = "its position is outside of the room"
    yield from in_blocks("error", "position-range", channel, out, what, "keep X, Y and Z within -1 to 1")
    out = ~room & ((np.abs(first) > 180) | (np.abs(second) > 90) | (third < 0))
    what = "its position is no direction"
    remedy = "keep azimuth within -180 to 180, elevation within -90 to 90, distance from 0"
    yield from in_blocks("error", "position-range", channel, out, what, remedy)
    far = ~room & (third > 1)
    what = "its distance is more than 1, which is where loudspeakers stand"
    yield from in_blocks("warning", "position-far", channel, far, what, "keep the distance within 0 to 1")
    wide = np.where(room, 1.0, 360.0)[:, None] * [1, 1, 0] + [0, 0, 1]
    beyond = np.any((blocks.extents < 0) | (blocks.extents > wide), axis=1)
    what = "its width, height or depth is out of bounds"
    remedy = "keep them within 0 to 1 in a room; width and height within 0 to 360 else"
    yield from in_blocks("error", "extent-range", channel, beyond, what, remedy)
    loud = (blocks.gains < 0) | (blocks.gains > _MOST_GAIN)
    what = "its gain is negative or more than 100"
    yield from in_blocks("error", "gain-range", channel, loud, what, "keep it within 0 to 100")
