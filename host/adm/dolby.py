"""The profile `dolby`: the Dolby Atmos Master ADM Profile, version 1.0; one bed and objects in a room.

Places go into the room as its loudspeakers stand there (`scene.places.DOLBY`). Gains of objects have no place
in this profile: they must be in the sound.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..contract.scene import MOVE
from ..scene.places import DOLBY, to_room
from .markup import leaf, number
from .profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ...kernels.loudspeakers import Loudspeaker
    from ..contract.scene import Content, SceneShape
    from ..scene.model import Scene

__all__ = ["DOLBY_BEDS", "RAMP_SECONDS", "Dolby"]

#: Layouts of ours that are beds of the profile.
DOLBY_BEDS = ("stereo", "5.1", "7.1", "7.1.2")
#: How long every move takes, as the profile writes it.
RAMP_SECONDS = "0.005208"
_LONGEST_NAME = 64
_SPEAKERS = {
    "L": ("Left", "L", (-1, 1, 0)),
    "R": ("Right", "R", (1, 1, 0)),
    "C": ("Center", "C", (0, 1, 0)),
    "LFE": ("LFE", "LFE", (-1, 1, -1)),
    "Ls": ("LeftSurround", "Ls", (-1, -1, 0)),
    "Rs": ("RightSurround", "Rs", (1, -1, 0)),
    "Lss": ("LeftSideSurround", "Lss", (-1, 0, 0)),
    "Rss": ("RightSideSurround", "Rss", (1, 0, 0)),
    "Lrs": ("LeftRearSurround", "Lrs", (-1, -1, 0)),
    "Rrs": ("RightRearSurround", "Rrs", (1, -1, 0)),
    "Lts": ("LeftTopSurround", "Lts", (-1, 0, 1)),
    "Rts": ("RightTopSurround", "Rts", (1, 0, 1)),
}


class Dolby(Profile):
    """See the module."""

    name = "dolby"
    rates = (48000, 96000)
    subtypes = ("PCM_24",)
    most_tracks, most_objects = 128, 118
    first_object = 0x100B
    pack_in_stream = True

    def refusals(self, shape: SceneShape, rate: int, subtype: str) -> Iterator[str]:
        """Also: one bed of a layout that the profile knows, and moves of its length."""
        yield from super().refusals(shape, rate, subtype)
        if len(shape.beds) != 1:
            yield f"the dolby profile takes one bed, not {len(shape.beds)}; put them into one"
        for bed in shape.beds:
            if bed.layout not in DOLBY_BEDS:
                known = ", ".join(DOLBY_BEDS)
                yield f"bed {bed.name!r}: the dolby profile has no {bed.layout}; one of {known}"
        if abs(shape.move - MOVE) > 1e-6:
            yield f"objects move within 5.208 ms in the dolby profile, not {1000 * shape.move:.3f} ms"

    def faults(self, scene: Scene) -> Iterator[str]:
        """Gains, and moves of another length."""
        move = scene.shape(self.name).ramp(scene.programme.rate)
        for each in scene.objects:
            if (each.motion.gain != 1).any():
                yield f"object {each.name!r}: the dolby profile has no gains; multiply its sound"
            moves = each.motion.ramp[1:]
            if (moves != move).any():
                said = f"object {each.name!r}: a move takes {int(moves[moves != move][0])} samples"
                yield f"{said}; in the dolby profile it takes {move}"

    def programme_name(self, shape: SceneShape) -> str:  # noqa: ARG002 - the profile's own
        """The name by which tools know the profile."""
        return "Atmos_Master"

    def version(self) -> dict[str, str]:
        """The profile is older than the attribute."""
        return {}

    def loudness(self, figures: Mapping[str, float]) -> Iterator[str]:
        """See `Profile`; the profile admits no attributes."""
        yield "<loudnessMetadata>\n"
        for name, value in figures.items():
            yield leaf(name, number(value))
        yield "</loudnessMetadata>\n"

    def contents(self, shape: SceneShape) -> list[tuple[Content, list[int]]]:
        """One for the bed and one for each object, named by what the scene says they belong to."""
        held = []
        for at, each in enumerate(shape.members):
            owner = shape.contents[each.content]
            name = each.name if owner.name in each.name else f"{owner.name}: {each.name}"
            held.append((replace(owner, name=name[:_LONGEST_NAME], language=""), [at]))
        return held

    def dialogue(self, content: Content) -> str:  # noqa: ARG002 - the profile's own
        """All is mixed to the profile."""
        return leaf("dialogue", "2", mixedContentKind="0")

    def speaker(self, speaker: Loudspeaker) -> tuple[str, list[str]]:
        """Its name in the room."""
        name, label, (x, y, z) = _SPEAKERS[speaker.role]
        return f"RoomCentric{name}", [leaf("speakerLabel", f"RC_{label}"), *_room(x, y, z)]

    def low_pass(self, speaker: Loudspeaker) -> list[str]:  # noqa: ARG002 - the profile's own
        """Not said."""
        return []

    def block(self, place: NDArray[np.float32], gain: float, ramp: int, held: int, rate: int) -> str:  # noqa: ARG002
        """A place in the room; the first block jumps, all others move within the profile's time."""
        azimuth, elevation, distance, extent = (float(str(value)) for value in place)
        x, y, z = (float(value) for value in to_room(azimuth, elevation, distance, DOLBY))
        parts = _room(x, y, z)
        if extent:
            parts += [leaf(name, number(min(extent / 180, 1))) for name in ("width", "height", "depth")]
        parts.append(leaf("jumpPosition", "1", interpolationLength=RAMP_SECONDS if ramp else "0"))
        return "".join(parts)


def _room(x: float, y: float, z: float) -> list[str]:
    # Millions of blocks are written so: text by hand, which needs no escapes.
    places = zip("XYZ", (x, y, z), strict=True)
    return [
        "<cartesian>1</cartesian>\n",
        *(f'<position coordinate="{name}">{number(value)}</position>\n' for name, value in places),
    ]
