"""Tracks: `chna` against the file's channels, and against what the ADM says (ITU-R BS.2088-1, section 8)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..finding import Finding, error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..chna import TrackUse
    from ..elements import Element
    from ..finding import Subject

__all__ = ["tracks"]

_AGAIN = "export the file again"


def tracks(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the entries of `chna`."""
    container = subject.container
    if container.chna_fault:
        yield error("chna-entries", "chna", container.chna_fault, _AGAIN)
    if container.uses is None:
        return
    channels = 0 if container.format is None else container.format.channels
    used = {use.track for use in container.uses}
    if container.stated_tracks != len(used):
        what = f"says {container.stated_tracks} tracks, but its entries name {len(used)}"
        yield error("chna-count", "chna", what, f"write {len(used)}")
    for use in container.uses:
        if use.track > channels:
            what = f"is on track {use.track}, but the file has {channels}"
            yield error("chna-track", f"chna {use.uid}", what, _AGAIN)
    if unused := sorted(set(range(1, channels + 1)) - used):
        what = f"tracks that no entry names: {', '.join(map(str, unused[:8]))}"
        yield warning("track-unused", "chna", what, "leave them out, or name them")
    yield from _doubles(subject, container.uses)
    yield from _against_elements(subject, container.uses)


def _doubles(subject: Subject, uses: list[TrackUse]) -> Iterator[Finding]:
    for uid, count in Counter(use.uid.lower() for use in uses).items():
        if count > 1:
            yield error("chna-twice", f"chna {uid.upper()}", f"has {count} entries", "leave one")
    level = error if subject.dolby else warning
    for track, count in Counter(use.track for use in uses).items():
        if count > 1:
            yield level("track-twice", f"chna track {track}", f"has {count} audioTrackUIDs", "give it one")


def _against_elements(subject: Subject, uses: list[TrackUse]) -> Iterator[Finding]:
    """Yield where the chunk and the elements say different things."""
    entries = {use.uid.lower(): use for use in uses}
    for use in uses:
        element = subject.document.find("audioTrackUID", use.uid)
        if element is None:
            what = "is no audioTrackUID of the axml chunk"
            yield error("chna-uid", f"chna {use.uid}", what, "add the element, or leave the entry out")
        else:
            yield from _one(subject, use, element)
    for element in subject.all("audioTrackUID"):
        if element.key not in entries:
            what = "has no entry with a track in the chna chunk"
            yield error("uid-track", element.place, what, "add an entry")


def _one(subject: Subject, use: TrackUse, element: Element) -> Iterator[Finding]:
    place = f"chna {use.uid}"
    formats = [*element.refs("audioTrackFormat"), *element.refs("audioChannelFormat")]
    if formats and use.format.lower() not in formats:
        what = f"refers to {use.format or 'no format'}, but its element to {formats[0].upper()}"
        yield error("chna-format", place, what, "let both say the same")
    packs = element.refs("audioPackFormat")
    if packs and use.pack.lower() != packs[0]:
        what = f"refers to {use.pack or 'no pack'}, but its element to {packs[0].upper()}"
        level = error if use.pack or subject.dolby else warning
        yield level("chna-pack", place, what, "let both say the same")
