"""From the elements of an ADM document to a scene: programme, contents, beds, objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.errors import MediaError
from ..contract.scene import BedShape, Content, Kind
from ..scene.model import Programme, Scene, SceneObject
from .block_parser import nanoseconds
from .blocks import Blocks
from .labels import bed_of, plain_label
from .links import Link, links
from .motion_in import Faulty, Span, motion_of
from .refusals import object_refusals, object_warnings, pack_refusal, type_of, unheard

if TYPE_CHECKING:
    from ..scene.motion import Motion
    from .container import Container
    from .elements import Channel, Document, Element

__all__ = ["SceneMaker"]

_SECOND = 1_000_000_000
#: Share of its length by which a bed may miss the sound's end: programmes are rounded to frames of pictures.
_MISSED = 0.002
_REMEDY = "see `unbraid adm check`"
_SILENT = "atu_00000000"


class SceneMaker:
    """Makes one scene.

    Args:
        name: of the file, for error texts.
        container: its chunks.
        document: its ADM.
        profile: whose room places are in.

    Attributes:
        warnings: what the scene does not hold.
    """

    def __init__(self, name: str, container: Container, document: Document, profile: str) -> None:
        self.warnings: list[str] = []
        self._name, self._container, self._document = name, container, document
        if container.format is None or not container.format.encoding:
            raise self._fail("its samples are not PCM; export it as PCM")
        if container.uses is None:
            why = container.chna_fault or "is missing"
            raise self._fail(f"its chna chunk {why}, so nothing tells which track is which; export it again")
        self._rate, self._length = container.format.rate, container.frames
        self._room = profile == "dolby"
        self._check_ids()
        self._links = links(container, document)
        self._beds: list[tuple[BedShape, list[int]]] = []
        self._objects: list[tuple[SceneObject, int]] = []
        self._motions: dict[str, tuple[Span, Motion]] = {}

    def _check_ids(self) -> None:
        """Raise where an id names two elements: of which one would be lost."""
        for elements in self._document.elements.values():
            seen = set()
            for element in elements:
                if element.key and element.key in seen:
                    raise self._fail(f"{element.place}: another element has this id; {_REMEDY}")
                seen.add(element.key)

    def _linked(self, element: Element, kind: str) -> list[Element]:
        """Return all that an element refers to, of a kind."""
        for key in element.refs(kind):
            if self._document.find(kind, key) is None:
                raise self._fail(f"{element.place}: refers to {key.upper()}, which is not there; {_REMEDY}")
        return self._document.linked(element, kind)

    def _fail(self, text: str) -> MediaError:
        return MediaError(f"{self._name}: {text}")

    def scene(self) -> tuple[Scene, list[int]]:
        """Return the scene, and for each of its tracks the channel of the file, from 0.

        Raises:
            MediaError: there is none to be made; names the place.
        """
        programme = self._programme()
        contents, members = self._contents(programme)
        for element, content in members:
            self._member(element, content)
        if not self._beds and not self._objects:
            raise self._fail("its ADM names no bed and no object with sound; export it again")
        scene = Scene(
            self._told(programme),
            tuple(contents),
            tuple(bed for bed, _ in self._beds),
            tuple(each for each, _ in self._objects),
        )
        tracks = [track for _, held in self._beds for track in held]
        return scene, tracks + [track for _, track in self._objects]

    def _programme(self) -> Element | None:
        """Return the programme: of several the one with the lowest id, as renderers do."""
        found = sorted(self._document.elements["audioProgramme"], key=lambda each: each.key)
        if len(found) > 1:
            others = ", ".join(each.id for each in found[1:])
            self.warnings.append(f"holds {len(found)} programmes; {found[0].id} is read, not {others}")
        return found[0] if found else None

    def _told(self, programme: Element | None) -> Programme:
        start = self._container.start
        name = language = ""
        if programme is not None:
            name = programme.name
            language = programme.attributes.get("audioProgrammeLanguage", "")
            if start is None:
                at = nanoseconds(programme.attributes.get("start", "")) or 0
                start = (at * self._rate + _SECOND // 2) // _SECOND
        return Programme(name, self._rate, self._length, start or 0, language)

    def _contents(self, programme: Element | None) -> tuple[list[Content], list[tuple[Element, int]]]:
        """Return contents, and every audioObject of the programme with its content's number."""
        document = self._document
        held = self._linked(programme, "audioContent") if programme is not None else []
        contents, members = [Content(each.name, _kind(each), _language(each)) for each in held], []
        seen = set()
        for number, content in enumerate(held):
            for element in self._linked(content, "audioObject"):
                if element.key in seen:
                    raise self._fail(f"{element.place}: belongs to two contents; {_REMEDY}")
                seen.add(element.key)
                members.append((element, number))
        left = [each for each in document.elements["audioObject"] if each.key not in seen]
        if not held:
            contents = [Content(programme.name if programme is not None else "Programme")]
            members = [(each, 0) for each in left]
        elif left:
            names = ", ".join(each.id for each in left[:_FEW]) + (" ..." if len(left) > _FEW else "")
            self.warnings.append(f"{len(left)} audioObjects are not in the programme and left out: {names}")
        return contents, members

    def _member(self, element: Element, content: int) -> None:
        """Add a bed, or objects."""
        for why in object_refusals(element):
            raise self._fail(why)
        self.warnings += object_warnings(element)
        key = element.refs("audioPackFormat")[0]
        pack = self._document.find("audioPackFormat", key)
        if pack is None:
            why = f"{key.upper()} is not in the file; definitions that all files share are not known here"
            raise self._fail(f"{element.place}: its audioPackFormat {why}")
        if why := pack_refusal(pack):
            raise self._fail(why)
        if type_of(pack) == "Objects" and set(element.refs("audioTrackUID")) == {_SILENT}:
            self.warnings.append(f"{element.place}: is silent and left out")
            return
        held = self._sounds(element, pack)
        if type_of(pack) == "DirectSpeakers":
            self._bed(element, content, held)
        else:
            self._moving(element, content, held)

    def _sounds(self, element: Element, pack: Element) -> list[tuple[Channel, int]]:
        """Return the channels of an object's pack, with the channels of the file that hold them."""
        found: dict[str, int] = {}
        for key in element.refs("audioTrackUID"):
            if key == _SILENT:
                raise self._fail(f"{element.place}: has a silent track (ATU_00000000); export it without")
            link = self._links.get(key)
            if link is None or link.channel is None:
                why = "is in no chna chunk and no element" if link is None else "leads to no channel"
                raise self._fail(f"{element.place}: its audioTrackUID {key.upper()} {why}; {_REMEDY}")
            self._check(link)
            if link.channel.key in found:
                raise self._fail(f"{element.place}: two tracks are its {link.channel.id}; {_REMEDY}")
            found[link.channel.key] = link.track - 1
        channels = [self._document.channel(key) for key in pack.refs("audioChannelFormat")]
        held = [(each, found[each.key]) for each in channels if each is not None and each.key in found]
        if len(held) < max(len(channels), len(found)):
            what = f"has {len(found)} tracks for the {len(channels)} channels of its {pack.id}"
            raise self._fail(f"{element.place}: {what}; {_REMEDY}")
        return held

    def _check(self, link: Link) -> None:
        most = 0 if self._container.format is None else self._container.format.channels
        if not 1 <= link.track <= most:
            where = f"track {link.track}, but there are {most}" if link.track else "no track"
            raise self._fail(f"audioTrackUID {link.uid}: its chna entry says {where}; export it again")

    def _span(self, element: Element) -> Span:
        """Return when an object sounds, with its gain."""
        whole = (self._length * _SECOND + self._rate - 1) // self._rate
        times = {}
        for name in ("start", "duration"):
            text = element.attributes.get(name)
            times[name] = None if text is None else nanoseconds(text)
            if text is not None and times[name] is None:
                raise self._fail(f"{element.place}: its {name} {text!r} is no time; {_REMEDY}")
        start, duration = times["start"] or 0, times["duration"]
        end = whole if duration is None else start + duration
        return Span(start, end, self._length, self._rate, self._room, self._gain(element))

    def _gain(self, element: Element) -> float:
        """Return the linear gain of an object (BS.2076-2); 0 when it is mute."""
        if (mute := element.first("mute")) is not None and mute.text == "1":
            return 0.0
        if (told := element.first("gain")) is None:
            return 1.0
        try:
            value = float(told.text)
        except ValueError:
            raise self._fail(f"{element.place}: its gain {told.text!r} is no number; {_REMEDY}") from None
        return float(10 ** (min(value, 200) / 20)) if told.attributes.get("gainUnit") == "dB" else value

    def _bed(self, element: Element, content: int, held: list[tuple[Channel, int]]) -> None:
        span = self._span(element)
        missed = abs(span.end * self._rate / _SECOND - self._length)
        if span.start or missed > max(2, _MISSED * self._length):
            raise self._fail(f"{element.place}: sounds for a part of the file; beds sound from 0 to the end")
        if span.gain != 1:
            raise self._fail(f"{element.place}: has a gain of its own; export it with the gain in the sound")
        labels = []
        for channel, _ in held:
            labels.append(self._label(channel))
            self.warnings += unheard(channel)
        named = bed_of(labels)
        if named is None:
            told = " ".join(labels)
            raise self._fail(f"{element.place}: its loudspeakers {told} are no layout that is known here")
        layout, order = named
        self._beds.append((BedShape(element.name, layout, content), [held[at][1] for at in order]))

    def _label(self, channel: Channel) -> str:
        if len(channel.blocks) != 1:
            raise self._fail(f"{channel.place}: has {len(channel.blocks)} blocks; a bed's channel has 1")
        if channel.blocks.gain[0] != 1:
            raise self._fail(f"{channel.place}: has a gain; export it with the gain in the sound")
        found = channel.blocks.having("speakerLabel")
        if not found:
            raise self._fail(f"{channel.place}: has no speakerLabel, so nothing says what it is; {_REMEDY}")
        return plain_label(found[0][1].text)

    def _motion(self, channel: Channel, span: Span) -> Motion:
        """Return a channel's motion, and let go of its blocks, which are most of a document."""
        if (known := self._motions.get(channel.key)) is not None:
            if known[0] != span:
                raise self._fail(f"{channel.place}: belongs to objects of other times; {_REMEDY}")
            return known[1]
        try:
            motion, warnings = motion_of(channel, span)
        except Faulty as error:
            raise self._fail(f"{error}; {_REMEDY}") from None
        self.warnings += [*warnings, *unheard(channel)]
        self._motions[channel.key] = span, motion
        channel.blocks = Blocks()
        return motion

    def _moving(self, element: Element, content: int, held: list[tuple[Channel, int]]) -> None:
        span = self._span(element)
        for channel, track in held:
            motion = self._motion(channel, span)
            name = element.name if len(held) == 1 else f"{element.name}: {channel.name}"
            self._objects.append((SceneObject(name, content, motion), track))


_FEW = 5


def _language(content: Element) -> str:
    return content.attributes.get("audioContentLanguage", "")


def _kind(content: Element) -> Kind:
    """Return what a content is (BS.2076-2, table 19)."""
    told = content.first("dialogue")
    if told is None or told.text not in {"0", "1"}:
        return "mixed"
    if told.text == "1":
        return "dialogue"
    return {"1": "music", "2": "effects"}.get(told.attributes.get("nonDialogueContentKind", ""), "mixed")  # type: ignore[return-value]
