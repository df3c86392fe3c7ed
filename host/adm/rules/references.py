"""References: all lead somewhere, as many as there must be, and every element is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..elements import KINDS
from ..finding import error, warning
from ..links import channel_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Element
    from ..finding import Finding, Subject

__all__ = ["references"]

_SILENT = "atu_00000000"
#: Of each kind: what it refers to, at least and at most how often.
_COUNTS = {
    "audioProgramme": [("audioContent", 1, 1 << 30)],
    "audioContent": [("audioObject", 1, 1 << 30)],
    "audioObject": [("audioPackFormat", 1, 1), ("audioTrackUID", 1, 1 << 30)],
    "audioPackFormat": [("audioChannelFormat", 1, 1 << 30)],
    "audioStreamFormat": [("audioChannelFormat", 1, 1)],
    "audioTrackFormat": [("audioStreamFormat", 1, 1)],
    "audioTrackUID": [("audioPackFormat", 1, 1)],
}
#: What has to lead to an element of each kind.
_REACHED = {
    "audioContent": "audioProgramme",
    "audioObject": "audioContent",
    "audioPackFormat": "audioObject",
    "audioChannelFormat": "audioPackFormat",
    "audioTrackUID": "audioObject",
    "audioTrackFormat": "audioTrackUID",
}


def references(subject: Subject) -> Iterator[Finding]:
    """Yield references that lead nowhere, are missing or too many, and elements without any."""
    document = subject.document
    for elements in document.elements.values():
        for element in elements:
            yield from _unknown(subject, element)
            yield from _count(element)
    for kind, by in _REACHED.items():
        reached = {key for element in subject.all(by) for key in element.refs(kind)}
        if kind == "audioObject":
            reached |= {key for element in subject.all(kind) for key in element.refs(kind)}
        for element in subject.all(kind):
            if element.key not in reached:
                what = f"no {by} refers to it, so nobody hears it"
                yield warning("orphan", element.place, what, "refer to it, or leave it out")
    yield from _sounds(subject)
    yield from _streams(subject)


def _unknown(subject: Subject, element: Element) -> Iterator[Finding]:
    for kind in KINDS:
        for key in element.refs(kind):
            if key != _SILENT and subject.document.find(kind, key) is None:
                what = f"refers to the {kind} {key.upper()}, which is not there"
                yield error("reference-unknown", element.place, what, "add it, or write the id of another")


def _count(element: Element) -> Iterator[Finding]:
    for kind, least, most in _COUNTS.get(element.kind, []):
        count = len(element.refs(kind))
        if not least <= count <= most:
            wanted = f"{least}" if least == most else f"{least} or more"
            what = f"refers to {count} elements {kind} instead of {wanted}"
            yield error("reference-count", element.place, what, "correct the references")
    if element.kind == "audioTrackUID":
        count = len(element.refs("audioTrackFormat")) or len(element.refs("audioChannelFormat"))
        if count != 1:
            what = f"refers to {count} formats instead of 1"
            yield error("reference-count", element.place, what, "let it name one audioTrackFormat")


def _sounds(subject: Subject) -> Iterator[Finding]:
    """Yield objects whose tracks are not, one for one, the channels of their pack."""
    for element in subject.all("audioObject"):
        packs = subject.document.linked(element, "audioPackFormat")
        if len(packs) != 1:
            continue
        wanted = packs[0].refs("audioChannelFormat")
        uids = [key for key in element.refs("audioTrackUID") if key != _SILENT]
        given = []
        for key in uids:
            link = subject.links.get(key)
            if link is not None and link.channel is not None:
                given.append(link.channel.key)
        silent = len(element.refs("audioTrackUID")) - len(uids)
        if len(given) == len(uids) and (len(set(given)) < len(given) or not _fills(given, wanted, silent)):
            what = f"its {len(uids)} tracks are not the {len(wanted)} channels of {packs[0].id}"
            yield error("pack-channels", element.place, what, "give each channel one track")


def _fills(given: list[str], wanted: list[str], silent: int) -> bool:
    return set(given) <= set(wanted) and len(given) + silent == len(wanted)


def _streams(subject: Subject) -> Iterator[Finding]:
    """Yield tracks and streams that do not refer to one another, and formats that lead to no channel."""
    for track in subject.all("audioTrackFormat"):
        for stream in subject.document.linked(track, "audioStreamFormat"):
            back = stream.refs("audioTrackFormat")
            if track.key not in back:
                what = f"refers to {stream.id}, which does not refer back"
                yield warning("stream-track", track.place, what, "let the stream name its track")
    for stream in subject.all("audioStreamFormat"):
        tracks = subject.all("audioTrackFormat")
        if not any(stream.key in track.refs("audioStreamFormat") for track in tracks):
            what = "no audioTrackFormat refers to it"
            yield warning("orphan", stream.place, what, "refer to it, or leave it out")
    for element in subject.all("audioTrackUID"):
        for key in element.refs("audioTrackFormat"):
            known = subject.document.find("audioTrackFormat", key) is not None
            if known and channel_of(subject.document, key) is None:
                what = f"{key.upper()} leads to no audioChannelFormat"
                yield error("track-channel", element.place, what, "correct its stream's references")
