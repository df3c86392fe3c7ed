"""The profile `bs2127`: what every renderer after ITU-R BS.2127 reads; polar, BS.2051 labels, BS.2076-2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .markup import leaf, number
from .profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ...kernels.loudspeakers import Loudspeaker
    from ..contract.scene import Content, SceneShape

__all__ = ["Bs2127"]

#: BS.2076-2, table 19: the kind of sound, the attribute that refines it, and its value (0: undefined).
_DIALOGUE = {
    "dialogue": ("1", {"dialogueContentKind": "1"}),
    "music": ("0", {"nonDialogueContentKind": "1"}),
    "effects": ("0", {"nonDialogueContentKind": "2"}),
    "mixed": ("2", {"mixedContentKind": "0"}),
}


class Bs2127(Profile):
    """See the module."""

    name = "bs2127"
    rates = (44100, 48000, 88200, 96000, 192000)
    subtypes = ("PCM_16", "PCM_24", "PCM_32")
    most_tracks = most_objects = 1024

    def programme_name(self, shape: SceneShape) -> str:
        """The scene's."""
        return shape.name or "Programme"

    def version(self) -> dict[str, str]:
        """See `Profile`."""
        return {"version": "ITU-R_BS.2076-2"}

    def loudness(self, figures: Mapping[str, float]) -> Iterator[str]:
        """See `Profile`."""
        yield '<loudnessMetadata loudnessMethod="ITU-R BS.1770" loudnessRecType="EBU R128">\n'
        for name, value in figures.items():
            yield leaf(name, number(value))
        yield "</loudnessMetadata>\n"

    def contents(self, shape: SceneShape) -> list[tuple[Content, list[int]]]:
        """The scene's; those that hold nothing are left out."""
        owners = [each.content for each in shape.members]
        held = [
            (content, [at for at, owner in enumerate(owners) if owner == number])
            for number, content in enumerate(shape.contents)
        ]
        return [(content, members) for content, members in held if members]

    def dialogue(self, content: Content) -> str:
        """See `Profile`."""
        text, attributes = _DIALOGUE[content.kind]
        return leaf("dialogue", text, **attributes)

    def speaker(self, speaker: Loudspeaker) -> tuple[str, list[str]]:
        """Its label and its nominal angles."""
        return speaker.label, [
            leaf("speakerLabel", speaker.label),
            *_polar(speaker.azimuth, speaker.elevation, 1.0),
        ]

    def low_pass(self, speaker: Loudspeaker) -> list[str]:
        """Low frequencies end at 120 Hz."""
        return [leaf("frequency", "120", typeDefinition="lowPass")] if speaker.low else []

    def block(self, place: NDArray[np.float32], gain: float, ramp: int, held: int, rate: int) -> str:
        """Angles; a move that is shorter than its block is told as such."""
        azimuth, elevation, distance, extent = (float(str(value)) for value in place)
        parts = _polar(azimuth, elevation, distance)
        if extent:
            parts += [leaf(name, number(extent)) for name in ("width", "height")]
        if gain != 1:
            parts.append(leaf("gain", number(gain)))
        if ramp < held:
            parts.append(leaf("jumpPosition", "1", interpolationLength=number(ramp / rate)))
        return "".join(parts)


def _polar(azimuth: float, elevation: float, distance: float) -> list[str]:
    values = {"azimuth": azimuth, "elevation": elevation, "distance": distance}
    # Millions of blocks are written so: text by hand, which needs no escapes.
    return [f'<position coordinate="{name}">{number(value)}</position>\n' for name, value in values.items()]
