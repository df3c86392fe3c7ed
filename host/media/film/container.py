"""What a film or music container is: its streams, sounds, and which loudspeaker each channel belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...contract.audio import Layout
from ...contract.errors import MediaError, MediaRequestError
from ..channels import ChannelOrder, by_count, by_mask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction
    from pathlib import Path

__all__ = ["AudioTrack", "Chapter", "Container", "Stream", "channel_order"]

_BITS = {
    name: bit
    for bit, name in enumerate(
        "FL FR FC LFE BL BR FLC FRC BC SL SR TC TFL TFC TFR TBL TBC TBR".split()  # noqa: SIM905
    )
}
#: ffmpeg's names of layouts, which stand for loudspeakers in the order of WAVE mask bits.
_LAYOUTS = {
    "mono": "FC",
    "stereo": "FL+FR",
    "downmix": "FL+FR",
    "2.1": "FL+FR+LFE",
    "3.0": "FL+FR+FC",
    "3.0(back)": "FL+FR+BC",
    "4.0": "FL+FR+FC+BC",
    "quad": "FL+FR+BL+BR",
    "quad(side)": "FL+FR+SL+SR",
    "3.1": "FL+FR+FC+LFE",
    "5.0": "FL+FR+FC+BL+BR",
    "5.0(side)": "FL+FR+FC+SL+SR",
    "4.1": "FL+FR+FC+LFE+BC",
    "5.1": "FL+FR+FC+LFE+BL+BR",
    "5.1(side)": "FL+FR+FC+LFE+SL+SR",
    "6.1": "FL+FR+FC+LFE+BC+SL+SR",
    "6.1(back)": "FL+FR+FC+LFE+BL+BR+BC",
    "7.0": "FL+FR+FC+BL+BR+SL+SR",
    "7.1": "FL+FR+FC+LFE+BL+BR+SL+SR",
    "7.1(wide)": "FL+FR+FC+LFE+BL+BR+FLC+FRC",
    "7.1(wide-side)": "FL+FR+FC+LFE+FLC+FRC+SL+SR",
    "5.1.4": "FL+FR+FC+LFE+BL+BR+TFL+TFR+TBL+TBR",
    "7.1.4": "FL+FR+FC+LFE+BL+BR+SL+SR+TFL+TFR+TBL+TBR",
}


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a container.

    Attributes:
        index: among all streams, from 0.
        kind: ``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``.
        codec: ffmpeg's name, "" when it has none.
        tag: the container's four letters for the codec, as ``tmcd``.
        start: seconds; None when not stated.
        duration: seconds; None when not stated.
        picture: a moving picture, not a cover.
        flags: dispositions that are set, as ``default``.
        tags: texts by name in lower case.
        content: hash of the bytes kept outside the packets: an attachment is all there.
    """

    index: int
    kind: str
    codec: str
    tag: str
    start: Fraction | None
    duration: Fraction | None
    picture: bool
    flags: tuple[str, ...]
    tags: Mapping[str, str]
    content: str


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """One sound of a container.

    Attributes:
        number: among the audio tracks, from 1, as people count.
        stream: index among all streams.
        codec: ffmpeg's name.
        sample_format: what the decoder gives, as ``s32p``.
        bits: of a sample, where that is less than the sample format holds; 0 when not stated.
        rate: Hz.
        channels: how many.
        layout: ffmpeg's name of the channel layout; "" when the file states none.
        language: as the file states it; "" when it does not.
        title: the same.
        default: whether players choose it by themselves.
        start: seconds after the container's zero.
        duration: seconds of sound; None when the file does not state it.
        samples: of sound, where the file states it to the sample; else None.
    """

    number: int
    stream: int
    codec: str
    sample_format: str
    bits: int
    rate: int
    channels: int
    layout: str
    language: str
    title: str
    default: bool
    start: Fraction
    duration: Fraction | None
    samples: int | None

    @property
    def encoding(self) -> str:
        """The narrowest encoding that keeps the decoder's samples exactly; a name of `ENCODINGS`."""
        kind = self.sample_format.removesuffix("p")
        if kind == "s32" and 0 < self.bits <= 24:
            return "s24le"
        found = {"u8": "u8", "s16": "s16le", "s32": "s32le", "flt": "f32le", "dbl": "f64le"}
        return found.get(kind, "f64le")

    def __str__(self) -> str:
        words = [self.language, self.codec, self.layout or f"{self.channels} channels", self.title]
        return f"{self.number}: {' '.join(word for word in words if word)}"


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named span of the programme, in seconds."""

    start: Fraction
    end: Fraction
    title: str


@dataclass(frozen=True, slots=True)
class Container:
    """What a file holds.

    Attributes:
        path: the file.
        form: ``MOV``, ``MP4``, ``MKV``, ``MXF``, or ffmpeg's name in capitals.
        family: ffmpeg's name of the container, as ``mov,mp4,m4a,3gp,3g2,mj2``.
        audio: the sounds.
        streams: all streams, the sounds as well.
        chapters: in order.
        frame_rate: of the picture; where there is none, of the timecode track; None without either.
        timecode: of the first frame, ``HH:MM:SS:FF``; "" when not stated.
        start: seconds of the first thing in it.
        duration: seconds; None when not stated.
        tags: texts by name in lower case.
    """

    path: Path
    form: str
    family: str
    audio: tuple[AudioTrack, ...]
    streams: tuple[Stream, ...]
    chapters: tuple[Chapter, ...]
    frame_rate: Fraction | None
    timecode: str
    start: Fraction
    duration: Fraction | None
    tags: Mapping[str, str]

    @property
    def picture(self) -> Stream | None:
        """The first moving picture."""
        return next((stream for stream in self.streams if stream.picture), None)

    def choose(self, number: int | None) -> AudioTrack:
        """Return a track by its number, or the one there can be no doubt about.

        Raises:
            MediaError: there is none of that number, or no sound, or more than one that could be meant; the
                tracks are listed.
        """
        if not self.audio:
            raise MediaError(f"{self.path}: holds no sound; choose a file that has an audio track")
        listed = ", ".join(str(track) for track in self.audio)
        if number is not None:
            if 1 <= number <= len(self.audio):
                return self.audio[number - 1]
            raise MediaRequestError(
                f"{self.path}: has no audio track {number}; choose --track 1 to {len(self.audio)} ({listed})"
            )
        default = [track for track in self.audio if track.default]
        if len(self.audio) == 1:
            return self.audio[0]
        if len(default) == 1:
            return default[0]
        raise MediaRequestError(
            f"{self.path}: has {len(self.audio)} audio tracks; choose one with --track N ({listed})"
        )


def channel_order(layout: str, channels: int, codec: str) -> ChannelOrder:
    """Return which channel is which.

    ffmpeg decodes into the order of WAVE mask bits. A layout that is not stated is taken for what a plain
    file of that many channels is, when the samples are plain as well; a codec has an order of its own, so
    its channels stay nameless.

    Args:
        layout: ffmpeg's name, ``5.1(side)`` or ``10 channels (FL+FR+...)``; "" when not stated.
        channels: how many.
        codec: ffmpeg's name.

    Example:
        >>> channel_order("7.1", 8, "flac").take
        (0, 1, 2, 3, 6, 7, 4, 5)
    """
    stated = _LAYOUTS.get(layout, layout.partition("(")[2].removesuffix(")"))
    names = stated.split("+")
    if len(names) != channels or len(set(names)) != channels or not set(names) <= set(_BITS):
        if channels <= 2 or (not layout and codec.startswith("pcm_")):
            return by_count(channels)
        return ChannelOrder(Layout.parse(f"discrete:{channels}"))
    order = by_mask(sum(1 << _BITS[name] for name in names), channels)
    ascending = sorted(names, key=_BITS.__getitem__)
    if names == ascending:
        return order
    # Newer versions of ffmpeg keep an order of the file's own and say so.
    take = tuple(names.index(ascending[i]) for i in order.take or range(channels))
    return ChannelOrder(order.layout, take, order.mask)
