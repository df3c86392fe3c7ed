"""Ids and names: there, of their form, and once each (ITU-R BS.2076-2, section 6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from ..blocks import Said
from ..elements import KINDS
from ..finding import error, in_blocks, warning
from ..refusals import type_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Element
    from ..finding import Finding, Level, Subject

__all__ = ["identity"]

_FORMS = {
    "audioProgramme": ("APR_[0-9a-f]{4}", "APR_1001"),
    "audioContent": ("ACO_[0-9a-f]{4}", "ACO_1001"),
    "audioObject": ("AO_[0-9a-f]{4}", "AO_1001"),
    "audioPackFormat": ("AP_[0-9a-f]{8}", "AP_00031001"),
    "audioChannelFormat": ("AC_[0-9a-f]{8}", "AC_00031001"),
    "audioStreamFormat": ("AS_[0-9a-f]{8}", "AS_00031001"),
    "audioTrackFormat": ("AT_[0-9a-f]{8}_[0-9a-f]{2}", "AT_00031001_01"),
    "audioTrackUID": ("ATU_[0-9a-f]{8}", "ATU_00000001"),
}
_TYPED = ("audioPackFormat", "audioChannelFormat")
_LABELS = {"0001": "DirectSpeakers", "0002": "Matrix", "0003": "Objects", "0004": "HOA", "0005": "Binaural"}
_LONGEST = 64


def identity(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with ids, names and types."""
    for kind in KINDS:
        seen: set[str] = set()
        for element in subject.all(kind):
            yield from _id(element, seen)
            yield from _name(element)
    for kind in _TYPED:
        for element in subject.all(kind):
            yield from _type(element)
    level: Level = "error" if subject.dolby else "warning"
    for channel in subject.document.channels:
        wrong = (channel.blocks.flags & Said.WRONG_ID) != 0
        if len(wrong) and wrong.any():
            first = int(np.argmax(wrong)) + 1
            wanted = f"AB_{channel.id[3:]}_{first:08x}"
            what = "its audioBlockFormatID does not follow from its channel and number"
            yield from in_blocks(level, "block-id", channel, wrong, what, f"write {wanted}")
        without = (channel.blocks.flags & Said.NO_ID) != 0
        what = "has no audioBlockFormatID"
        yield from in_blocks("error", "block-id", channel, without, what, "give it one")


def _id(element: Element, seen: set[str]) -> Iterator[Finding]:
    attribute = KINDS[element.kind][0]
    form, example = _FORMS[element.kind]
    if not element.id:
        yield error("id-missing", element.place, f"has no {attribute}", f"give it one, like {example}")
        return
    if re.fullmatch(form, element.id, re.IGNORECASE) is None:
        what = f"{attribute} {element.id!r} is not of its form"
        yield error("id-form", element.place, what, f"write one like {example}")
    if element.key in seen:
        yield error("id-twice", element.place, "another element has this id", "give each its own")
    seen.add(element.key)


def _name(element: Element) -> Iterator[Finding]:
    attribute = KINDS[element.kind][1]
    if not attribute:
        return
    if attribute not in element.attributes:
        yield error("name-missing", element.place, f"has no {attribute}", "give it one")
    elif not element.name.strip():
        yield warning("name-empty", element.place, f"its {attribute} is empty", "give it one")
    elif len(element.name) > _LONGEST:
        what = f"its {attribute} has {len(element.name)} characters"
        yield warning("name-long", element.place, what, f"write at most {_LONGEST}")


def _type(element: Element) -> Iterator[Finding]:
    label = element.attributes.get("typeLabel", "")
    definition = element.attributes.get("typeDefinition", "")
    if not label and not definition:
        what = "has neither typeLabel nor typeDefinition"
        yield error("type-missing", element.place, what, "say what it is")
        return
    if label and definition and _LABELS.get(label) != definition:
        what = f"its typeLabel {label!r} does not mean {definition!r}"
        yield error("type-mismatch", element.place, what, "let both say the same")
    elif element.id[3:7] != {name: key for key, name in _LABELS.items()}.get(type_of(element), ""):
        what = f"its id is not that of {type_of(element) or 'any type'}"
        yield error("type-mismatch", element.place, what, "let its first four digits be the typeLabel")
