"""What an ADM file says, as plain data and as lines; and how loud its renders are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...kernels.loudness import LoudnessMeter
from ..contract.scene import CONTROLS
from .loudness import figures_of
from .playback import AdmStream, loudspeaker_layout
from .rules.loudness import FIGURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from ..scene.model import SceneObject
    from .elements import Element
    from .reader import AdmFile

__all__ = ["MEASURED", "as_data", "as_lines", "measured"]

#: Layouts whose renders are measured.
MEASURED = ("stereo", "5.1", "7.1.4")
_UNITS = {"loudnessRange": "LU", "maxTruePeak": "dBTP"}
_NAMES = {
    "integratedLoudness": "integrated",
    "loudnessRange": "range",
    "maxTruePeak": "true peak",
    "maxMomentary": "momentary",
    "maxShortTerm": "short-term",
    "dialogueLoudness": "dialogue",
}


def measured(file: AdmFile, layouts: Sequence[str] = MEASURED) -> dict[str, dict[str, float]]:
    """Return the loudness of renders by layout, by ADM's names (ITU-R BS.1770-4, EBU R 128).

    What cannot be measured, as the loudness of silence, is left out. The sound is read once.

    Raises:
        MediaError: it cannot be read.
        MediaRequestError: there is no such layout.
    """
    streams = [AdmStream(file.scene, loudspeaker_layout(name)) for name in layouts]
    meters = [LoudnessMeter(stream.layout.roles, file.scene.programme.rate) for stream in streams]
    with file.open() as source:
        for block in source.blocks():
            for stream, meter in zip(streams, meters, strict=True):
                meter.push(stream.process(block))
    return {name: figures_of(meter) for name, meter in zip(layouts, meters, strict=True)}


def as_data(file: AdmFile, renders: dict[str, dict[str, float]] | None = None) -> dict[str, Any]:
    """Return what a file says, as JSON can hold it.

    Args:
        file: that was read.
        renders: loudness of renders, from `measured`.
    """
    scene = file.scene
    programme, contents = scene.programme, [content.name for content in scene.contents]
    first = len(file.tracks) - len(scene.objects)
    return {
        "path": str(file.path),
        "form": file.container.form,
        "profile": file.profile,
        "version": file.document.attributes.get("version", ""),
        "programme": {
            "name": programme.name,
            "language": programme.language,
            "rate": programme.rate,
            "length": programme.length,
            "seconds": programme.length / programme.rate,
            "start": programme.start,
        },
        "contents": [
            {"name": each.name, "kind": each.kind, "language": each.language} for each in scene.contents
        ],
        "beds": [
            {"name": bed.name, "layout": bed.layout, "content": contents[bed.content]} for bed in scene.beds
        ],
        "objects": [
            {**_object(each), "content": contents[each.content], "track": file.tracks[first + at] + 1}
            for at, each in enumerate(scene.objects)
        ],
        "loudness": {"stated": _stated(file), "renders": renders or {}},
        "warnings": list(file.warnings),
    }


def _object(each: SceneObject) -> dict[str, Any]:
    motion = each.motion
    ranges = {
        name: [_short(motion.places[:, at].min()), _short(motion.places[:, at].max())]
        for at, name in enumerate(CONTROLS)
    }
    gains = [_short(motion.gain.min()), _short(motion.gain.max())]
    return {"name": each.name, "blocks": motion.blocks, **ranges, "gain": gains}


def _short(value: np.float32) -> float:
    return round(float(value), 3)


def _stated(file: AdmFile) -> dict[str, float]:
    """Return the loudness that the programme which was read states."""
    programmes: list[Element] = sorted(file.document.elements["audioProgramme"], key=lambda each: each.key)
    found: dict[str, float] = {}
    for stated in programmes[0].all("loudnessMetadata") if programmes else []:
        for child in stated.children:
            try:
                value = float(child.text)
            except ValueError:
                continue  # `unbraid adm check` tells
            if child.kind in FIGURES and math.isfinite(value):
                found.setdefault(child.kind, value)
    return found


def as_lines(data: dict[str, Any]) -> Iterator[str]:
    """Yield lines for people."""
    programme = data["programme"]
    language = f", {programme['language']}" if programme["language"] else ""
    yield (
        f"{data['path']}: {data['form']}, profile {data['profile']}, {programme['rate']} Hz, "
        f"{programme['seconds']:.3f} s, starts at {_clock(programme['start'] / programme['rate'])}"
    )
    yield f"  programme {programme['name']!r}{language}"
    for content in data["contents"]:
        language = f", {content['language']}" if content["language"] else ""
        yield f"  content {content['name']!r}: {content['kind']}{language}"
    for bed in data["beds"]:
        yield f"  bed {bed['name']!r}: {bed['layout']}, of {bed['content']!r}"
    for each in data["objects"]:
        yield f"  object {each['name']!r}: track {each['track']}, {_moves(each)}, of {each['content']!r}"
    if stated := data["loudness"]["stated"]:
        yield f"  loudness stated: {_levels(stated)}"
    for layout, figures in data["loudness"]["renders"].items():
        yield f"  loudness on {layout}: {_levels(figures) or 'silence'}"


def _clock(seconds: float) -> str:
    hundredths = round(seconds * 1000)
    whole, rest = divmod(hundredths, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest:03d}"


def _moves(each: dict[str, Any]) -> str:
    parts = ["stays" if each["blocks"] == 1 else f"{each['blocks']} blocks"]
    for name in ("azimuth", "elevation", "distance", "extent", "gain"):
        low, high = each[name]
        usual = {"distance": 1, "gain": 1, "extent": 0}.get(name)
        if low != high or low != usual:
            parts.append(f"{name} {low:g}" if low == high else f"{name} {low:g} to {high:g}")
    return ", ".join(parts)


def _levels(figures: dict[str, float]) -> str:
    return ", ".join(
        f"{_NAMES[name]} {value:.1f} {_UNITS.get(name, 'LUFS')}" for name, value in figures.items()
    )
