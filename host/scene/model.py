"""A scene as one object: a programme, its contents, beds, and objects with their motions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..contract.audio import NAMED_LAYOUTS
from ..contract.scene import CONTROLS, KINDS, BedShape, Content, ObjectShape, SceneShape
from .errors import SceneError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .motion import Motion

__all__ = ["BED_LAYOUTS", "Bed", "Programme", "Scene", "SceneObject"]

#: Layouts whose channels are loudspeakers, and so can be beds.
BED_LAYOUTS = tuple(name for name in NAMED_LAYOUTS if name != "mono")
_LIMITS = {"azimuth": (-180, 180), "elevation": (-90, 90), "distance": (0, 1), "extent": (0, 360)}
_MOST_GAIN = 100.0


@dataclass(frozen=True)
class Programme:
    """The whole.

    Attributes:
        name: for people.
        rate: Hz.
        length: samples.
        start: samples since midnight of the first sample.
        language: ISO 639 code; "" for none.
    """

    name: str
    rate: int
    length: int
    start: int = 0
    language: str = ""


#: A bed of a scene is its shape: nothing of it changes with time.
Bed = BedShape


@dataclass(frozen=True, eq=False)
class SceneObject:
    """A sound with a place over time.

    Attributes:
        name: for people.
        content: which content it is, by number.
        motion: where it is, when.
    """

    name: str
    content: int
    motion: Motion


@dataclass(frozen=True, eq=False)
class Scene:
    """A programme in space. Its tracks are the beds' channels, then one for each object.

    Attributes:
        programme: the whole.
        contents: its parts, to which beds and objects belong by number.
        beds: channels that belong to loudspeakers.
        objects: sounds with places.

    Example:
        >>> from .motion import Motion
        >>> rain = SceneObject("Rain", 0, Motion.still([90, 30, 1, 20]))
        >>> scene = Scene(Programme("Night", 48000, 96000), (Content("Effects", "effects"),), (), (rain,))
        >>> scene.check()
        >>> scene.tracks
        1
    """

    programme: Programme
    contents: tuple[Content, ...]
    beds: tuple[Bed, ...]
    objects: tuple[SceneObject, ...]

    @property
    def tracks(self) -> int:
        """How many channels of sound it has."""
        return sum(len(NAMED_LAYOUTS[bed.layout]) for bed in self.beds) + len(self.objects)

    @classmethod
    def of_shape(cls, shape: SceneShape, motions: list[Motion], rate: int, length: int, start: int) -> Scene:
        """Return the scene of a stream, once its motions are known."""
        objects = tuple(
            SceneObject(each.name, each.content, motion)
            for each, motion in zip(shape.objects, motions, strict=True)
        )
        programme = Programme(shape.name, rate, length, start, shape.language)
        return cls(programme, shape.contents, shape.beds, objects)

    def shape(self, profile: str = "bs2127") -> SceneShape:
        """Return what of it does not change with time."""
        objects = tuple(ObjectShape(each.name, each.content) for each in self.objects)
        programme = self.programme
        return SceneShape(programme.name, self.contents, self.beds, objects, programme.language, profile)

    def check(self) -> None:
        """Raise `SceneError` with everything that is wrong, if anything is."""
        if problems := list(self.problems()):
            raise SceneError(problems)

    def problems(self) -> Iterator[str]:
        """Yield a line for everything that is wrong."""
        if self.programme.rate < 1 or self.programme.length < 0 or self.programme.start < 0:
            yield "the programme: rate, length and start must not be negative, and the rate not 0"
        if not self.contents:
            yield "the programme has no content; give at least one"
        for content in self.contents:
            if content.kind not in KINDS:
                yield f"content {content.name!r}: unknown kind {content.kind!r}; one of {', '.join(KINDS)}"
        for bed in self.beds:
            if bed.layout not in BED_LAYOUTS:
                yield f"bed {bed.name!r}: unknown layout {bed.layout!r}; one of {', '.join(BED_LAYOUTS)}"
            yield from self._belongs("bed", bed.name, bed.content)
        for each in self.objects:
            yield from self._belongs("object", each.name, each.content)
            yield from self._motion(each)

    def _belongs(self, what: str, name: str, content: int) -> Iterator[str]:
        if not 0 <= content < len(self.contents):
            yield f"{what} {name!r}: content {content} is not there; there are {len(self.contents)}, from 0"

    def _motion(self, each: SceneObject) -> Iterator[str]:
        motion, where = each.motion, f"object {each.name!r}"
        blocks = {len(values) for values in (motion.start, motion.ramp, motion.places, motion.gain)}
        if len(blocks) > 1 or not motion.blocks or motion.places.shape[1:] != (len(CONTROLS),):
            yield f"{where}: start, ramp, places and gain must be arrays of one length, of at least 1"
            return
        if motion.start[0] != 0 or (np.diff(motion.start) <= 0).any():
            yield f"{where}: the starts of its blocks must rise from sample 0"
            return
        if motion.start[-1] >= max(self.programme.length, 1):
            yield f"{where}: a block starts at sample {motion.start[-1]}, past the end of the programme"
        held = np.diff(motion.start, append=max(self.programme.length, int(motion.start[-1]) + 1))
        if (motion.ramp < 0).any() or (motion.ramp > held).any():
            at = int(np.flatnonzero((motion.ramp < 0) | (motion.ramp > held))[0])
            yield f"{where}: at {self._time(each, at)} its move takes longer than its block"
        for number, control in enumerate(CONTROLS):
            least, most = _LIMITS[control]
            values = motion.places[:, number]
            bad = np.flatnonzero(~((values >= least) & (values <= most)))
            if len(bad):
                at = int(bad[0])
                said = f"{control} {values[at]:g} is outside of {least} to {most}"
                yield f"{where}: at {self._time(each, at)} {said}"
        bad = np.flatnonzero(~((motion.gain >= 0) & (motion.gain <= _MOST_GAIN)))
        if len(bad):
            at = int(bad[0])
            yield f"{where}: at {self._time(each, at)} its gain {motion.gain[at]:g} is outside of 0 to 100"

    def _time(self, each: SceneObject, block: int) -> str:
        return f"{each.motion.start[block] / max(self.programme.rate, 1):.3f} s"
