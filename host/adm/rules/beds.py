"""Beds: each channel has one block with a loudspeaker's label; together they are a layout (BS.2051-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ....kernels.loudspeakers import loudspeakers
from ...contract.audio import NAMED_LAYOUTS
from ..finding import error, warning
from ..labels import bed_of, is_room_label, plain_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Channel, Element
    from ..finding import Finding, Subject

__all__ = ["beds", "label_of"]

_PLACES = {
    speaker.label: (speaker.azimuth, speaker.elevation)
    for roles in NAMED_LAYOUTS.values()
    for speaker in loudspeakers(roles)
}
#: Degrees by which a loudspeaker may stand beside its label's place.
_NEAR = 30
_LOW = {"LFE1", "LFE2"}


def label_of(channel: Channel) -> str:
    """Return the label of a bed's channel; "" where there is none, or there are several."""
    found = channel.blocks.having("speakerLabel")
    return plain_label(found[0][1].text) if len(found) == 1 else ""


def beds(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with beds of any profile."""
    for channel in subject.channels_of("DirectSpeakers"):
        yield from _channel(subject, channel)
    for element, pack in subject.objects_of("DirectSpeakers"):
        yield from _layout(subject, element, pack)
    for channel in subject.channels_of("Objects"):
        if channel.first("frequency") is not None:
            what = "is an object and states frequencies"
            level = warning if subject.dolby else error
            yield level("object-frequency", channel.place, what, "leave them out")


def _channel(subject: Subject, channel: Channel) -> Iterator[Finding]:
    count = len(channel.blocks)
    if count > 1:
        what = f"has {count} blocks; a bed's channel stays where it is"
        yield error("bed-blocks", channel.place, what, "leave one")
    labels = [odd for _, odd in channel.blocks.having("speakerLabel")]
    if not labels:
        yield error("bed-label", channel.place, "has no speakerLabel", "say which loudspeaker it is")
        return
    label = plain_label(labels[0].text)
    low = channel.first("frequency")
    if subject.dolby:
        return
    if (low is not None) != (label in _LOW):
        what = f"its label is {label}, and it has {'a' if low is not None else 'no'} low-pass frequency"
        remedy = "give low-frequency channels, and no others, a frequency of at most 200 Hz"
        yield warning("bed-frequency", channel.place, what, remedy)
    if label in _PLACES and count and label not in _LOW:
        azimuth, elevation = _PLACES[label]
        stated = channel.blocks.places[0, :2]
        beside = np.abs([(stated[0] - azimuth + 180) % 360 - 180, stated[1] - elevation])
        if (beside > _NEAR).any():
            what = f"stands at {stated[0]:g}, {stated[1]:g}, far from where {label} does"
            remedy = f"write {azimuth:g}, {elevation:g}, or another label"
            yield warning("bed-position", channel.place, what, remedy)


def _layout(subject: Subject, element: Element, pack: Element) -> Iterator[Finding]:
    labels = []
    for key in pack.refs("audioChannelFormat"):
        channel = subject.document.channel(key)
        label = "" if channel is None else label_of(channel)
        if not label:
            return
        labels.append(label)
    if len(set(labels)) < len(labels):
        what = f"has a loudspeaker twice: {' '.join(labels)}"
        yield error("bed-twice", pack.place, what, "give each channel a label of its own")
    elif not subject.dolby and bed_of(labels) is None:
        mixed = any(is_room_label(label) for label in labels)
        what = f"its loudspeakers {' '.join(labels)} are no layout that is known here"
        level = error if mixed else warning
        yield level("bed-layout", element.place, what, "choose stereo, 5.1, 7.1, 7.1.2, 5.1.4 or 7.1.4")
