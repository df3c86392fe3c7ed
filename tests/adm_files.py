"""Small ADM files for tests: written by `AdmWriter`, taken into chunks, changed, and put together again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unbraid.host.adm.writer import AdmWriter
from unbraid.host.contract.audio import NAMED_LAYOUTS, Layout
from unbraid.host.contract.scene import MOVE, BedShape, Content
from unbraid.host.media.writer import OutputForm
from unbraid.host.scene.model import Programme, Scene, SceneObject
from unbraid.host.scene.motion import Motion

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 48_000
RAMP = 250
FRAMES = 48_000


def motion(*blocks: tuple[int, float, float, float, float], ramp: int = RAMP) -> Motion:
    """Blocks of start, azimuth, elevation, distance, extent; all but the first move within the ramp."""
    start = np.array([block[0] for block in blocks], np.int64)
    ramps = np.full(len(blocks), ramp, np.int64)
    ramps[0] = 0
    places = np.array([block[1:] for block in blocks], np.float32)
    return Motion(start, ramps, places, np.ones(len(blocks), np.float32))


def scene(length: int = FRAMES, rate: int = RATE) -> Scene:
    """A 7.1.2 bed, an object that moves twice, and one that stays."""
    contents = (Content("Music", "music", "en"), Content("Dialogue", "dialogue", "en"))
    mover = motion((0, 30, 0, 1, 0), (length // 4, -60, 15, 1, 30), (length // 2, 90, 30, 1, 0))
    objects = (SceneObject("Mover", 0, mover), SceneObject("Voice", 1, Motion.still([0, 0, 1, 0])))
    programme = Programme("Night", rate, length, 0, "en")
    return Scene(programme, contents, (BedShape("Bed", "7.1.2", 0),), objects)


def stream(told: Scene, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The stream of a scene: its sound ``[tracks, n]`` with places beside that of objects."""
    beds = sum(len(NAMED_LAYOUTS[bed.layout]) for bed in told.beds)
    rows = [sound[:beds]]
    for at, each in enumerate(told.objects):
        held = np.diff(each.motion.start, append=sound.shape[1])
        rows += [sound[beds + at : beds + at + 1], np.repeat(each.motion.places, held, axis=0).T]
    return np.ascontiguousarray(np.concatenate(rows), np.float32)


def steps(tracks: int, frames: int) -> NDArray[np.float32]:
    """A sound in which every track is a constant of its own, with a code of 8 bits."""
    return np.repeat(np.arange(1, tracks + 1, dtype=np.float32)[:, None] / 256, frames, axis=1)


def write(
    path: Path,
    told: Scene,
    profile: str = "bs2127",
    sound: NDArray[np.float32] | None = None,
    move: float = MOVE,
) -> Path:
    """Write a scene as `AdmWriter` does; moves take so many seconds."""
    length = told.programme.length
    sound = steps(told.tracks, length) if sound is None else sound
    layout = Layout.of_scene(replace(told.shape(profile), move=move))
    writer = AdmWriter(path, OutputForm(told.programme.rate, layout, length, "PCM_24"))
    try:
        writer.write(stream(told, sound))
        writer.finish()
        writer.commit()
        writer.settle()
    except BaseException:
        writer.abort()
        raise
    return path


@dataclass
class Chunks:
    """A file as its chunks, to be changed."""

    form: bytes
    chunks: list[tuple[bytes, bytes]]

    @classmethod
    def of(cls, path: Path) -> Chunks:
        data, at, found = path.read_bytes(), 12, []
        while at + 8 <= len(data):
            size = int.from_bytes(data[at + 4 : at + 8], "little")
            found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
            at += 8 + size + size % 2
        return cls(data[:4], found)

    def __getitem__(self, name: bytes) -> bytes:
        return next(body for each, body in self.chunks if each == name)

    def __setitem__(self, name: bytes, body: bytes) -> None:
        self.chunks = [(each, body if each == name else old) for each, old in self.chunks]

    def drop(self, name: bytes) -> None:
        self.chunks = [(each, body) for each, body in self.chunks if each != name]

    @property
    def text(self) -> str:
        return self[b"axml"].decode()

    @text.setter
    def text(self, value: str) -> None:
        self[b"axml"] = value.encode()

    def save(self, path: Path) -> Path:
        body = b"".join(
            name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2) for name, data in self.chunks
        )
        path.write_bytes(self.form + (4 + len(body)).to_bytes(4, "little") + b"WAVE" + body)
        return path


def changed(good: Path, path: Path, change: Callable[[Chunks], None]) -> Path:
    """A file that differs from a good one by one change."""
    chunks = Chunks.of(good)
    change(chunks)
    return chunks.save(path)


def swapped(old: str, new: str, count: int = 1) -> Callable[[Chunks], None]:
    """A change of the text that stands in `axml`, at its first places."""

    def change(chunks: Chunks) -> None:
        assert old in chunks.text, f"the file does not hold {old!r}"
        chunks.text = chunks.text.replace(old, new, count)

    return change
