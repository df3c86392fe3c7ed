"""What a stream of a scene holds: beds, and objects whose places travel beside their sound.

An object is five channels: its sound, and where it is (`CONTROLS`) at every sample. Places that are signals
are delayed, cut into blocks and carried to other processes like the sound, so the two cannot part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["CONTROLS", "KINDS", "MOVE", "BedShape", "Content", "Kind", "ObjectShape", "SceneShape"]

#: What a listener would call a part of the programme; "mixed" is several of these.
Kind = Literal["dialogue", "music", "effects", "mixed"]
KINDS: tuple[str, ...] = get_args(Kind)
#: Channels of an object behind its sound: degrees to the left, degrees up, distance (1 is where loudspeakers
#: stand), and the angle in degrees over which it spreads.
CONTROLS = ("azimuth", "elevation", "distance", "extent")
#: Seconds that a move takes where nobody says otherwise: 250 samples at 48 kHz.
MOVE = 250 / 48000


@dataclass(frozen=True, slots=True)
class Content:
    """A part of a programme that a delivery may want by itself.

    Attributes:
        name: for people.
        kind: what it is.
        language: ISO 639 code of what is spoken; "" where nothing is, or nobody said.
    """

    name: str
    kind: Kind = "mixed"
    language: str = ""


@dataclass(frozen=True, slots=True)
class BedShape:
    """Channels that belong to loudspeakers.

    Attributes:
        name: for people.
        layout: a named layout with loudspeakers: ``stereo`` to ``7.1.4``.
        content: which `Content` it is, by number.
    """

    name: str
    layout: str
    content: int = 0


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """A sound that has a place of its own.

    Attributes:
        name: for people.
        content: which `Content` it is, by number.
    """

    name: str
    content: int = 0


@dataclass(frozen=True, slots=True)
class SceneShape:
    """All of a scene that does not change with time.

    Its channels are those of the beds, one bed after the other, then for each object its sound and its
    `CONTROLS`. A control holds; when it changes, at some sample, gains have moved to the new place after
    `ramp`, and it does not change again before.

    Attributes:
        name: of the programme.
        contents: its parts.
        beds: in the order of their channels.
        objects: in the order of their channels, behind the beds'.
        language: of the programme; "" for none.
        profile: which rules a file of it follows: ``bs2127`` or ``dolby``.
        move: seconds that a move takes; by default what Dolby's profile writes.

    Example:
        >>> shape = SceneShape("Rain", (Content("Dialogue", "dialogue"),), (BedShape("Bed", "stereo"),),
        ...                    (ObjectShape("Voice"),))
        >>> str(shape), shape.ramp(96000)
        ('scene:stereo+1', 500)
    """

    name: str
    contents: tuple[Content, ...]
    beds: tuple[BedShape, ...]
    objects: tuple[ObjectShape, ...]
    language: str = ""
    profile: str = "bs2127"
    move: float = MOVE

    def ramp(self, rate: int) -> int:
        """Return how many samples a move takes at a rate."""
        return round(self.move * rate)

    @property
    def members(self) -> tuple[BedShape | ObjectShape, ...]:
        """Beds, then objects."""
        return (*self.beds, *self.objects)

    @property
    def bed_channels(self) -> int:
        """How many channels the beds have together."""
        from .audio import Layout

        return sum(Layout.parse(bed.layout).channels for bed in self.beds)

    @property
    def object_rows(self) -> range:
        """The channels of a scene's stream that are objects' sound; controls follow each."""
        rows, first = 1 + len(CONTROLS), self.bed_channels
        return range(first, first + rows * len(self.objects), rows)

    @property
    def track_rows(self) -> list[int]:
        """The channels of a scene's stream that are sound: those of the beds, and one of each object."""
        return [*range(self.bed_channels), *self.object_rows]

    def __str__(self) -> str:
        return "scene:" + "+".join([*(bed.layout for bed in self.beds), str(len(self.objects))])
