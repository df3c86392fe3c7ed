"""The `axml` chunk of a scene: ADM as text, one element after the other (ITU-R BS.2076-2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...kernels.loudspeakers import loudspeakers
from ..contract.audio import NAMED_LAYOUTS
from ..contract.scene import CONTROLS
from .chna import TrackUse
from .markup import around, leaf
from .timing import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..contract.scene import SceneShape
    from ..scene.model import Scene
    from ..scene.motion import Motion
    from .profile import Profile

__all__ = ["axml", "track_uses"]

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ebuCoreMain xmlns="urn:ebu:metadata-schema:ebuCore_2016" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xml:lang="en">\n'
    "<coreMetadata>\n<format>\n"
)
_TAIL = "</format>\n</coreMetadata>\n</ebuCoreMain>\n"
_TYPES = {"0001": "DirectSpeakers", "0003": "Objects"}


@dataclass(frozen=True)
class _Part:
    """A bed or an object: its ids, and those of its channels.

    Attributes:
        kind: the type definition's label, 0001 for beds, 0003 for objects.
        name: for people.
        object_id: of the audioObject.
        pack: of the audioPackFormat.
        channels: eight digits behind AC_, AS_ and AT_ of each channel.
        names: of the channels.
        first: track of the file, from 1.
    """

    kind: str
    name: str
    object_id: str
    pack: str
    channels: tuple[str, ...]
    names: tuple[str, ...]
    first: int

    @property
    def uids(self) -> list[str]:
        """Of the tracks."""
        return [f"ATU_{self.first + at:08x}" for at in range(len(self.channels))]

    @property
    def definition(self) -> dict[str, str]:
        """Attributes that tell the type."""
        return {"typeLabel": self.kind, "typeDefinition": _TYPES[self.kind]}


def _parts(shape: SceneShape, profile: Profile) -> list[_Part]:
    """Return beds, then objects, numbered as a file numbers them."""
    parts, track, bed_channel = [], 1, 0x1001
    for at, bed in enumerate(shape.beds):
        speakers = loudspeakers(NAMED_LAYOUTS[bed.layout])
        channels = tuple(f"0001{bed_channel + i:04x}" for i in range(len(speakers)))
        names = tuple(profile.speaker(speaker)[0] for speaker in speakers)
        ids = f"AO_{0x1001 + at:04x}", f"AP_0001{0x1001 + at:04x}"
        parts.append(_Part("0001", bed.name, *ids, channels, names, track))
        track, bed_channel = track + len(speakers), bed_channel + len(speakers)
    first = profile.first_object or 0x1001 + len(shape.beds)
    for at, each in enumerate(shape.objects):
        ids = f"AO_{first + at:04x}", f"AP_0003{0x1001 + at:04x}"
        parts.append(_Part("0003", each.name, *ids, (f"0003{0x1001 + at:04x}",), (each.name,), track))
        track += 1
    return parts


def track_uses(shape: SceneShape, profile: Profile) -> list[TrackUse]:
    """Return what the `chna` chunk says of a scene's tracks."""
    return [
        TrackUse(part.first + at, uid, f"AT_{channel}_01", part.pack)
        for part in _parts(shape, profile)
        for at, (uid, channel) in enumerate(zip(part.uids, part.channels, strict=True))
    ]


def axml(scene: Scene, profile: Profile, bits: int, figures: Mapping[str, float]) -> Iterator[str]:
    """Yield the document of a scene.

    Args:
        scene: with motions.
        profile: whose dialect.
        bits: of the file's samples.
        figures: its loudness, by the names of loudnessMetadata; may be empty.
    """
    shape = scene.shape(profile.name)
    parts, clock = _parts(shape, profile), Clock(scene.programme.rate)
    yield _HEAD
    yield from around(
        "audioFormatExtended",
        _format(scene, shape, profile, parts, clock, bits, figures),
        **profile.version(),
    )
    yield _TAIL


def _format(
    scene: Scene,
    shape: SceneShape,
    profile: Profile,
    parts: list[_Part],
    clock: Clock,
    bits: int,
    figures: Mapping[str, float],
) -> Iterator[str]:
    yield from _programme(scene, shape, profile, parts, clock, figures)
    for part in parts:
        inside = [leaf("audioPackFormatIDRef", part.pack)]
        inside += [leaf("audioTrackUIDRef", uid) for uid in part.uids]
        attributes = {"audioObjectID": part.object_id, "audioObjectName": part.name}
        span = {"start": clock.text(0), "duration": clock.text(scene.programme.length)}
        yield from around("audioObject", inside, **attributes, **span)
    for part in parts:
        inside = [leaf("audioChannelFormatIDRef", f"AC_{channel}") for channel in part.channels]
        attributes = {"audioPackFormatID": part.pack, "audioPackFormatName": part.name}
        yield from around("audioPackFormat", inside, **attributes, **part.definition)
    beds = len(shape.beds)
    for part, bed in zip(parts[:beds], shape.beds, strict=True):
        yield from _bed(part, bed.layout, profile)
    for part, each in zip(parts[beds:], scene.objects, strict=True):
        yield from _object(part, each.motion, profile, clock, scene.programme.length)
    for part in parts:
        yield from _streams(part, profile)
    for part in parts:
        yield from _uids(part, scene.programme.rate, bits)


def _programme(
    scene: Scene,
    shape: SceneShape,
    profile: Profile,
    parts: list[_Part],
    clock: Clock,
    figures: Mapping[str, float],
) -> Iterator[str]:
    """Yield the programme and its contents."""
    contents = profile.contents(shape)
    ids = [f"ACO_{0x1001 + at:04x}" for at in range(len(contents))]
    attributes = {"audioProgrammeID": "APR_1001", "audioProgrammeName": profile.programme_name(shape)}
    if shape.language:
        attributes["audioProgrammeLanguage"] = shape.language
    span = {"start": clock.text(0), "end": clock.text(scene.programme.length)}
    inside = [leaf("audioContentIDRef", each) for each in ids]
    if figures:
        inside += profile.loudness(figures)
    yield from around("audioProgramme", inside, **attributes, **span)
    for each, (content, members) in zip(ids, contents, strict=True):
        inside = [leaf("audioObjectIDRef", parts[member].object_id) for member in members]
        attributes = {"audioContentID": each, "audioContentName": content.name}
        if content.language:
            attributes["audioContentLanguage"] = content.language
        yield from around("audioContent", [*inside, profile.dialogue(content)], **attributes)


def _channel(part: _Part, at: int, inside: Iterator[str]) -> Iterator[str]:
    attributes = {
        "audioChannelFormatID": f"AC_{part.channels[at]}",
        "audioChannelFormatName": part.names[at],
    }
    return around("audioChannelFormat", inside, **attributes, **part.definition)


def _bed(part: _Part, layout: str, profile: Profile) -> Iterator[str]:
    for at, speaker in enumerate(loudspeakers(NAMED_LAYOUTS[layout])):
        block = around(
            "audioBlockFormat",
            profile.speaker(speaker)[1],
            audioBlockFormatID=f"AB_{part.channels[at]}_00000001",
        )
        yield from _channel(part, at, iter([*profile.low_pass(speaker), *block]))


def _object(part: _Part, motion: Motion, profile: Profile, clock: Clock, length: int) -> Iterator[str]:
    yield from _channel(part, 0, _blocks(part.channels[0], motion, profile, clock, length))


def _blocks(channel: str, motion: Motion, profile: Profile, clock: Clock, length: int) -> Iterator[str]:
    """Yield an object's blocks, which follow each other without gaps."""
    ends = np.append(motion.start[1:], max(length, int(motion.start[-1]) + 1))
    places = motion.places.reshape(-1, len(CONTROLS))
    for at in range(motion.blocks):
        start, end = int(motion.start[at]), int(ends[at])
        held = end - start
        inside = profile.block(places[at], float(motion.gain[at]), int(motion.ramp[at]), held, clock.rate)
        times = f'rtime="{clock.text(start)}" duration="{clock.between(start, end)}"'
        number = f"AB_{channel}_{at + 1:08x}"
        yield f'<audioBlockFormat audioBlockFormatID="{number}" {times}>\n{inside}</audioBlockFormat>\n'


def _streams(part: _Part, profile: Profile) -> Iterator[str]:
    """Yield what stands between a channel and its track: a stream of PCM."""
    pcm = {"formatLabel": "0001", "formatDefinition": "PCM"}
    for channel, name in zip(part.channels, part.names, strict=True):
        inside = [leaf("audioChannelFormatIDRef", f"AC_{channel}")]
        if profile.pack_in_stream:
            inside.append(leaf("audioPackFormatIDRef", part.pack))
        inside.append(leaf("audioTrackFormatIDRef", f"AT_{channel}_01"))
        attributes = {"audioStreamFormatID": f"AS_{channel}", "audioStreamFormatName": f"PCM_{name}"}
        yield from around("audioStreamFormat", inside, **attributes, **pcm)
        inside = [leaf("audioStreamFormatIDRef", f"AS_{channel}")]
        attributes = {"audioTrackFormatID": f"AT_{channel}_01", "audioTrackFormatName": f"PCM_{name}"}
        yield from around("audioTrackFormat", inside, **attributes, **pcm)


def _uids(part: _Part, rate: int, bits: int) -> Iterator[str]:
    for uid, channel in zip(part.uids, part.channels, strict=True):
        inside = [leaf("audioTrackFormatIDRef", f"AT_{channel}_01"), leaf("audioPackFormatIDRef", part.pack)]
        yield from around("audioTrackUID", inside, UID=uid, sampleRate=str(rate), bitDepth=str(bits))
