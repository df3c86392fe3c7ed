"""From tracks of the file to channels of the ADM: through `chna`, track and stream formats (BS.2076-2, 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .chna import TrackUse
    from .container import Container
    from .elements import Channel, Document, Element

__all__ = ["Link", "links"]


@dataclass(frozen=True, slots=True)
class Link:
    """What one audioTrackUID leads to.

    Attributes:
        uid: as `chna` writes it.
        track: of the file, from 1; 0 where nothing says.
        format: key of the audioTrackFormat or audioChannelFormat that it is.
        pack: key of the audioPackFormat; "" where nothing says.
        channel: the channel; None where the way there is broken.
    """

    uid: str
    track: int
    format: str
    pack: str
    channel: Channel | None


def links(container: Container, document: Document) -> dict[str, Link]:
    """Return what every audioTrackUID of a file leads to, by its id in lower case.

    What `chna` says goes before what the element says.
    """
    rows = {use.uid.lower(): use for use in reversed(container.uses or [])}
    found = {}
    for element in document.elements["audioTrackUID"]:
        found[element.key] = _link(document, element, rows.get(element.key))
    for key, use in rows.items():
        if key not in found:
            found[key] = _link(document, None, use)
    return found


def _link(document: Document, element: Element | None, use: TrackUse | None) -> Link:
    said = [] if element is None else [*element.refs("audioTrackFormat"), *element.refs("audioChannelFormat")]
    packs = [] if element is None else element.refs("audioPackFormat")
    form = use.format.lower() if use is not None and use.format else (said[0] if said else "")
    pack = use.pack.lower() if use is not None and use.pack else (packs[0] if packs else "")
    uid = use.uid if use is not None else element.id if element is not None else ""
    return Link(uid, 0 if use is None else use.track, form, pack, channel_of(document, form))


def channel_of(document: Document, key: str) -> Channel | None:
    """Return the channel that an id leads to, of an audioChannelFormat or an audioTrackFormat."""
    if key.startswith("ac_"):
        return document.channel(key.removesuffix("_00"))
    track = document.find("audioTrackFormat", key)
    if track is None:
        return None
    streams = document.linked(track, "audioStreamFormat") or [
        stream
        for stream in document.elements["audioStreamFormat"]
        if track.key in stream.refs("audioTrackFormat")
    ]
    for stream in streams:
        for channel in stream.refs("audioChannelFormat"):
            if (found := document.channel(channel)) is not None:
                return found
    return None
