"""Dolby Atmos Master ADM Profile: packs, channels, streams, tracks and their UIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import error
from ..refusals import type_of
from .dolby_parts import admitted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Element
    from ..finding import Finding, Subject

__all__ = ["dolby_formats"]

_FIRST = 0x1001
_REFS = {
    "audioStreamFormat": ("audioChannelFormat", "audioPackFormat", "audioTrackFormat"),
    "audioTrackFormat": ("audioStreamFormat",),
    "audioTrackUID": ("audioTrackFormat", "audioPackFormat"),
}


def dolby_formats(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with formats, whose ids follow from one another."""
    for element in [*subject.all("audioPackFormat"), *subject.all("audioChannelFormat")]:
        yield from admitted(element)
        yield from _typed(element)
    for pack in subject.all("audioPackFormat"):
        count = len(pack.refs("audioChannelFormat"))
        if type_of(pack) == "Objects" and count > 1:
            what = f"holds {count} channels; an object's pack holds 1"
            yield error("pack-count", pack.place, what, "give each object a pack")
    yield from _coded_ids(subject)
    for number, element in enumerate(subject.all("audioTrackUID")):
        yield from _uid(element, f"atu_{number + 1:08x}")


def _coded_ids(subject: Subject) -> Iterator[Finding]:
    """Yield streams and tracks that are not of their channel by their ids."""
    for stream in subject.all("audioStreamFormat"):
        yield from _coded(stream)
        if [stream.key[3:]] != [key[3:] for key in stream.refs("audioChannelFormat")]:
            what = "its id is not that of its channel"
            yield error("format-id", stream.place, what, "let both end with the same digits")
    for track in subject.all("audioTrackFormat"):
        yield from _coded(track)
        if not track.key.endswith("_01"):
            yield error("format-id", track.place, "its id does not end with _01", "write _01")
        if [track.key[3:11]] != [key[3:] for key in track.refs("audioStreamFormat")]:
            what = "its id is not that of its stream"
            yield error("format-id", track.place, what, "let both have the same digits")


def _typed(element: Element) -> Iterator[Finding]:
    for name in ("typeLabel", "typeDefinition"):
        if name not in element.attributes:
            yield error("format-type", element.place, f"has no {name}", "give it one")
    if type_of(element) not in {"DirectSpeakers", "Objects"}:
        what = f"is of type {type_of(element) or 'unknown'}"
        yield error("pack-type", element.place, what, "the profile takes DirectSpeakers and Objects")
    try:
        number = int(element.key[7:11], 16)
    except ValueError:
        return  # told by another rule
    if number < _FIRST:
        what = "its id is one of those that all files share"
        yield error("format-id", element.place, what, "number from 1001")


def _refs(element: Element) -> Iterator[Finding]:
    for kind in _REFS[element.kind]:
        if (count := len(element.refs(kind))) != 1:
            what = f"refers to {count} elements {kind} instead of 1"
            yield error("format-refs", element.place, what, f"let it name its {kind}")


def _coded(element: Element) -> Iterator[Finding]:
    yield from admitted(element)
    yield from _refs(element)
    for name, value in (("formatLabel", "0001"), ("formatDefinition", "PCM")):
        if element.attributes.get(name) != value:
            what = f"its {name} is {element.attributes.get(name, 'missing')}"
            yield error("format-pcm", element.place, what, f"write {value}")


def _uid(element: Element, wanted: str) -> Iterator[Finding]:
    yield from admitted(element)
    yield from _refs(element)
    if element.key != wanted:
        what = f"its id is not {wanted.upper()}: they count from ATU_00000001"
        yield error("uid-id", element.place, what, f"write {wanted.upper()}")
    for name, known in (("sampleRate", {"48000", "96000"}), ("bitDepth", {"24"})):
        if element.attributes.get(name) not in known:
            what = f"its {name} is {element.attributes.get(name, 'missing')}"
            yield error("uid-form", element.place, what, f"write {' or '.join(sorted(known))}")
