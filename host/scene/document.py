"""A scene as JSON, and back: for people, for other programs, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np

from ..contract.scene import BedShape, Content, Kind
from .errors import SceneError
from .model import Programme, Scene, SceneObject
from .motion import Motion

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["from_json", "to_json"]

_MOST = (1 << 63) - 1
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]


class _Programme(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    rate: Annotated[int, msgspec.Meta(ge=1, le=_MOST)]
    length: _Count
    start: _Count = 0
    language: str = ""


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    kind: Kind = "mixed"
    language: str = ""


class _Bed(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    layout: str
    content: _Count = 0


class _Block(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    azimuth: float
    start: _Count = 0
    ramp: _Count = 0
    elevation: float = 0.0
    distance: float = 1.0
    extent: float = 0.0
    gain: float = 1.0


class _Object(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    blocks: Annotated[list[_Block], msgspec.Meta(min_length=1)]
    content: _Count = 0


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    programme: _Programme
    contents: list[_Content]
    beds: list[_Bed] = []
    objects: list[_Object] = []
    unbraid_scene: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1


def to_json(scene: Scene) -> str:
    """Return a scene as JSON. Times count samples; angles are degrees; gains are linear.

    Example:
        >>> scene = Scene(Programme("Night", 48000, 96000), (Content("Effects", "effects"),), (), ())
        >>> from_json(to_json(scene)).programme.name
        'Night'
    """
    programme = scene.programme
    document = _Document(
        programme=_Programme(
            programme.name, programme.rate, programme.length, programme.start, programme.language
        ),
        contents=[_Content(each.name, each.kind, each.language) for each in scene.contents],
        beds=[_Bed(bed.name, bed.layout, bed.content) for bed in scene.beds],
        objects=[_Object(each.name, _blocks(each.motion), each.content) for each in scene.objects],
    )
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def from_json(text: str | bytes) -> Scene:
    """Return the scene that a document describes.

    Raises:
        SceneError: it is not one, with the place in it; or the scene breaks a rule (`Scene.check`).
    """
    try:
        read = msgspec.json.decode(text, type=_Document)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise SceneError([f"scene: {error}"]) from None
    programme = read.programme
    scene = Scene(
        Programme(programme.name, programme.rate, programme.length, programme.start, programme.language),
        tuple(Content(each.name, each.kind, each.language) for each in read.contents),
        tuple(BedShape(bed.name, bed.layout, bed.content) for bed in read.beds),
        tuple(SceneObject(each.name, each.content, _motion(each.blocks)) for each in read.objects),
    )
    scene.check()
    return scene


def _blocks(motion: Motion) -> list[_Block]:
    return [
        _Block(
            start=int(start),
            ramp=int(ramp),
            azimuth=_short(place[0]),
            elevation=_short(place[1]),
            distance=_short(place[2]),
            extent=_short(place[3]),
            gain=_short(gain),
        )
        for start, ramp, place, gain in zip(
            motion.start, motion.ramp, motion.places, motion.gain, strict=True
        )
    ]


def _short(value: np.float32) -> float:
    """Return the float64 with the fewest digits that is this float32."""
    return float(str(value))


def _motion(blocks: Sequence[_Block]) -> Motion:
    with np.errstate(over="ignore"):  # infinity breaks a rule of the scene
        places = np.array(
            [[block.azimuth, block.elevation, block.distance, block.extent] for block in blocks], np.float32
        )
        gains = np.array([block.gain for block in blocks], np.float32)
    return Motion(
        np.array([block.start for block in blocks], np.int64),
        np.array([block.ramp for block in blocks], np.int64),
        places,
        gains,
    )
