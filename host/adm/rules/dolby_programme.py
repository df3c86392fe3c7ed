"""Dolby Atmos Master ADM Profile: the programme and its contents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..block_parser import nanoseconds
from ..finding import error
from .dolby_parts import admitted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Element
    from ..finding import Finding, Subject

__all__ = ["dolby_objects", "dolby_programme"]

_VERSIONS = {"", *(f"ITU-R_BS.2076-{number}" for number in range(4))}


def dolby_programme(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the programme and its contents."""
    version = subject.document.attributes.get("version", "")
    if version not in _VERSIONS:
        what = f"its version {version!r} is not known, and programs then check nothing"
        yield error("version", "audioFormatExtended", what, "leave it out")
    for element in subject.all("audioProgramme"):
        yield from _programme(element)
    for number, element in enumerate(subject.all("audioContent")):
        yield from _content(element, f"aco_{0x1001 + number:04x}")


def _programme(element: Element) -> Iterator[Finding]:
    yield from admitted(element)
    if element.key != "apr_1001":
        yield error("programme-id", element.place, "its id is not APR_1001", "write APR_1001")
    if element.name != "Atmos_Master":
        what = f"is called {element.name!r}, by which no program knows the profile"
        yield error("programme-name", element.place, what, "write Atmos_Master")
    for name in ("start", "end"):
        if name not in element.attributes:
            yield error("programme-time", element.place, f"has no {name}", "give it one")
    language = element.attributes.get("audioProgrammeLanguage", "")
    if language and re.fullmatch("[a-z]{2,3}", language) is None:
        what = f"its language {language!r} is no code of ISO 639"
        yield error("programme-language", element.place, what, "write two or three letters, like en")
    for screen in element.all("audioProgrammeReferenceScreen"):
        for child in screen.children:
            if child.kind != "screenWidth":
                what = f"states {child.kind}, which the profile does not take"
                yield error("not-admitted", screen.place, what, "leave it out")


def _content(element: Element, wanted: str) -> Iterator[Finding]:
    yield from admitted(element)
    if element.key != wanted:
        what = f"its id is not {wanted.upper()}: they count from ACO_1001"
        yield error("content-id", element.place, what, f"write {wanted.upper()}")
    dialogue = element.all("dialogue")
    if len(dialogue) != 1:
        what = f"has {len(dialogue)} dialogue elements instead of 1"
        yield error("content-dialogue", element.place, what, 'write <dialogue mixedContentKind="0">2')
        return
    if dialogue[0].text != "2" or dialogue[0].attributes != {"mixedContentKind": "0"}:
        what = "its dialogue is not 2 with the mixedContentKind 0"
        yield error("content-dialogue", element.place, what, 'write <dialogue mixedContentKind="0">2')


def dolby_objects(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with audioObjects."""
    spans = [
        (nanoseconds(each.attributes.get("end", "")), nanoseconds(each.attributes.get("start", "")) or 0)
        for each in subject.all("audioProgramme")
    ]
    lasts = spans[0][0] - spans[0][1] if len(spans) == 1 and spans[0][0] is not None else None
    for element in subject.all("audioObject"):
        yield from _object(element, lasts)
    yield from _object_ids(subject)


def _object(element: Element, lasts: int | None) -> Iterator[Finding]:
    yield from admitted(element)
    if element.attributes.get("start") != "00:00:00.00000":
        what = f"its start is {element.attributes.get('start', 'missing')}"
        yield error("object-start", element.place, what, "write 00:00:00.00000")
    duration = nanoseconds(element.attributes.get("duration", ""))
    if "duration" not in element.attributes:
        yield error("object-duration", element.place, "has no duration", "write the programme's length")
    elif duration is not None and lasts is not None and abs(duration - lasts) > 0.002 * max(lasts, 1):
        what = "its duration is not the programme's"
        yield error("object-duration", element.place, what, "write the programme's length")
    if element.attributes.get("disableDucking", "1") != "1":
        yield error("not-admitted", element.place, "its disableDucking is not 1", "leave it out")


def _object_ids(subject: Subject) -> Iterator[Finding]:
    """Yield ids out of their ranges: beds hold as many as they have tracks, objects begin at AO_100b."""
    taken: dict[int, str] = {}
    for element, pack in subject.objects_of("DirectSpeakers"):
        if (number := _number(element)) is None:
            continue
        if not 0x1001 <= number <= 0x1080:
            what = "is a bed, whose ids go from AO_1001 on"
            yield error("object-id", element.place, what, "write AO_1001")
        for at in range(1, len(pack.refs("audioChannelFormat"))):
            taken[number + at] = element.id
    for element, _ in subject.objects_of("Objects"):
        if (number := _number(element)) is None:
            continue
        if not 0x100B <= number <= 0x1080:
            what = "is an object, whose ids go from AO_100b to AO_1080"
            yield error("object-id", element.place, what, "number objects from AO_100b")
        elif number in taken:
            what = f"its id belongs to the tracks of {taken[number]}"
            yield error("object-id", element.place, what, "number beds from AO_1001, objects from AO_100b")


def _number(element: Element) -> int | None:
    if re.fullmatch("ao_[0-9a-f]{4}", element.key) is None:
        return None  # told by another rule
    return int(element.key[3:], 16)
