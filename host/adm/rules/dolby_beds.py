"""Dolby Atmos Master ADM Profile: beds, whose channels have names, labels and places of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..blocks import UNSAID, Said
from ..finding import error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Channel, Element
    from ..finding import Finding, Subject

__all__ = ["dolby_beds"]

#: The profile's table: names behind RoomCentric, labels behind RC_, places.
_SPEAKERS: dict[str, tuple[str, list[tuple[float, float, float]]]] = {
    "Left": ("L", [(-1, 1, 0)]),
    "Right": ("R", [(1, 1, 0)]),
    "Center": ("C", [(0, 1, 0)]),
    "LFE": ("LFE", [(-1, 1, -1)]),
    "LeftSurround": ("Ls", [(-1, -1, 0), (-1, -0.36397, 0)]),
    "RightSurround": ("Rs", [(1, -1, 0), (1, -0.36397, 0)]),
    "LeftSideSurround": ("Lss", [(-1, 0, 0)]),
    "RightSideSurround": ("Rss", [(1, 0, 0)]),
    "LeftRearSurround": ("Lrs", [(-1, -1, 0)]),
    "RightRearSurround": ("Rrs", [(1, -1, 0)]),
    "LeftTopSurround": ("Lts", [(-1, 0, 1)]),
    "RightTopSurround": ("Rts", [(1, 0, 1)]),
}
_ORDERS = {
    "L R",
    "L R C",
    "L R C Ls Rs",
    "L R C LFE Ls Rs",
    "L R C Lss Rss Lrs Rrs",
    "L R C LFE Lss Rss Lrs Rrs",
    "L R C Lss Rss Lrs Rrs Lts Rts",
    "L R C LFE Lss Rss Lrs Rrs Lts Rts",
}
_ROOM = "RoomCentric"
_TAKEN = {"speakerLabel"}


def dolby_beds(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with beds."""
    for channel in subject.channels_of("DirectSpeakers"):
        yield from _channel(channel)
    for _, pack in subject.objects_of("DirectSpeakers"):
        yield from _order(subject, pack)


def _order(subject: Subject, pack: Element) -> Iterator[Finding]:
    names = []
    for key in pack.refs("audioChannelFormat"):
        channel = subject.document.channel(key)
        name = "" if channel is None else channel.name.removeprefix(_ROOM)
        names.append(_SPEAKERS.get(name, (name or "?", []))[0])
    if " ".join(names) not in _ORDERS:
        what = f"its channels are {' '.join(names)}, in this order"
        yield error("bed-order", pack.place, what, "choose 2.0, 5.1, 7.1 or 7.1.2 as the profile orders them")


def _channel(channel: Channel) -> Iterator[Finding]:
    name = channel.name.removeprefix(_ROOM)
    if not channel.name.startswith(_ROOM) or name not in _SPEAKERS:
        what = f"is called {channel.name!r}, which is no loudspeaker of the room"
        yield error("bed-name", channel.place, what, "choose RoomCentricLeft and its like")
        return
    if not len(channel.blocks):
        return
    label, places = _SPEAKERS[name]
    stated = [odd.text for _, odd in channel.blocks.having("speakerLabel")]
    if stated and stated != [f"RC_{label}"]:
        what = f"its speakerLabel is {' and '.join(stated)}"
        yield error("bed-label", channel.place, what, f"write RC_{label}, once")
    yield from _block(channel, places)


def _block(channel: Channel, places: list[tuple[float, float, float]]) -> Iterator[Finding]:
    blocks, place = channel.blocks, channel.block_place(0)
    said = blocks.said[0]
    if not said & Said.CARTESIAN or not said & Said.IN_ROOM:
        yield error("bed-position", place, "is not cartesian", "write X, Y, Z with <cartesian>1")
    elif said & Said.ROOM:
        stated = np.nan_to_num(blocks.places[0])
        if not any(np.allclose(stated, each, rtol=0, atol=1e-6) for each in places):
            told = " ".join(f"{value:g}" for value in places[0])
            what = f"its position is {' '.join(f'{value:g}' for value in stated)}"
            yield error("bed-position", place, what, f"write {told}")
    if blocks.rtime[0] != UNSAID or blocks.duration[0] != UNSAID:
        yield error("bed-time", place, "has a time; a bed's block has none", "leave rtime and duration out")
    held = [name for flag, name in ((Said.JUMP, "jumpPosition"), (Said.EXTENT, "an extent")) if said & flag]
    held += [odd.name for kind in blocks.kinds for odd in kind if odd.name not in _TAKEN]
    for name in dict.fromkeys(held):
        yield error("not-admitted", place, f"has {name}, which the profile does not take", "leave it out")
