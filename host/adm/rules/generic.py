"""What renderers after ITU-R BS.2127 stumble over, in files of the profile `bs2127`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..blocks import Said
from ..finding import error, in_blocks, warning
from ..refusals import object_refusals, pack_refusal, type_of, unheard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Channel, Element
    from ..finding import Finding, Subject

__all__ = ["generic"]

_VERSIONS = {f"ITU-R_BS.2076-{number}" for number in range(3)}
_BAKED = ("gain", "mute", "positionOffset", "headLocked")
_NAMESPACES = (
    "",
    "urn:ebu:metadata-schema:ebuCore_2016",
    "urn:ebu:metadata-schema:ebuCore_2014",
    "urn:ebu:metadata-schema:ebuCore_2015",
    "urn:ebu:metadata-schema:ebuCore_2017",
    "urn:ebu:metadata-schema:ebuCore",
    "urn:metadata-schema:adm",
)
_SCREEN = ("aspectRatio", "screenCentrePosition", "screenWidth")
_REMEDY = "export the file without"


def generic(subject: Subject) -> Iterator[Finding]:
    """Yield what not every renderer understands, or understands as the file means it."""
    version = subject.document.attributes.get("version", "")
    if version not in _VERSIONS:
        what = f"its version is {version!r}"
        yield warning("version", "audioFormatExtended", what, "write ITU-R_BS.2076-2")
    if subject.document.namespace not in _NAMESPACES:
        what = f"its namespace is {subject.document.namespace!r}, in which renderers find nothing"
        yield error("namespace", "audioFormatExtended", what, f"write {_NAMESPACES[1]}")
    yield from _programme(subject)
    for pack in subject.all("audioPackFormat"):
        if why := pack_refusal(pack):
            yield error("pack-type", pack.place, why.removeprefix(f"{pack.place}: "), _REMEDY)
    for element in subject.all("audioObject"):
        yield from _object(element)
    yield from _formats(subject)
    for channel in subject.document.channels:
        yield from _channel(channel)


def _formats(subject: Subject) -> Iterator[Finding]:
    """Yield streams and tracks that renderers of BS.2076-1 do not take."""
    for stream in subject.all("audioStreamFormat"):
        if stream.refs("audioPackFormat") and stream.refs("audioChannelFormat"):
            what = "refers to a pack and to a channel; renderers refuse the file"
            yield error("stream-pack", stream.place, what, "let it refer to the channel alone")
        if not {"formatLabel", "formatDefinition"} & stream.attributes.keys():
            what = "does not say that it is PCM"
            yield error("format-pcm", stream.place, what, "give it the formatLabel 0001")
    for element in subject.all("audioTrackUID"):
        if not element.refs("audioTrackFormat") and element.refs("audioChannelFormat"):
            what = "refers to a channel without a track format; renderers of BS.2076-1 refuse the file"
            yield error("short-form", element.place, what, "add audioTrackFormat and audioStreamFormat")


def _programme(subject: Subject) -> Iterator[Finding]:
    """Yield parts of programmes and contents that are not whole."""
    for element in subject.all("audioProgramme"):
        for screen in element.all("audioProgrammeReferenceScreen"):
            if lacking := [name for name in _SCREEN if screen.first(name) is None]:
                what = f"has no {', '.join(lacking)}"
                yield error("screen", screen.place, what, "state all three, or leave the screen out")
    for element in subject.all("audioContent"):
        for told in element.all("dialogue"):
            if told.text not in {"0", "1", "2"}:
                what = f"its dialogue is {told.text!r}"
                yield error("content-dialogue", told.place, what, "write 0, 1 or 2")


def _object(element: Element) -> Iterator[Finding]:
    for why in object_refusals(element):
        if "refers to" not in why:  # told by another rule
            yield error("object-kind", element.place, why.removeprefix(f"{element.place}: "), _REMEDY)
    for name in _BAKED:
        if element.first(name) is not None:
            what = f"has a {name}, which renderers of BS.2076-1 pass over"
            yield warning("object-extras", element.place, what, "put it into the sound or the blocks")


def _channel(channel: Channel) -> Iterator[Finding]:
    decibel = (channel.blocks.flags & Said.DECIBEL) != 0
    what = "its gain is in dB, which renderers of BS.2076-1 take for a factor"
    yield from in_blocks("warning", "gain-unit", channel, decibel, what, "write a factor")
    if type_of(channel) == "Objects":
        for why in unheard(channel):
            place, _, what = why.partition(": ")
            yield warning("not-rendered", place, what, "leave it out, or render with another program")
