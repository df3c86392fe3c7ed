"""`AdmWriter`: a scene's stream into a BW64 file with ADM, in constant memory but for where objects are."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..contract.audio import Layout
from ..contract.errors import MediaError
from ..contract.scene import CONTROLS
from ..media.atomic import AtomicFile, why_not
from ..media.bytes_in import FileBytes
from ..media.channels import ChannelOrder
from ..media.encoder import BITS, ENCODINGS, Encoder
from ..media.targets import with_notes
from ..media.wave.head import WaveHead
from ..media.wave.info_list import build_info
from ..media.wave.reader import open_wave
from ..scene.errors import SceneError
from ..scene.model import Scene
from ..scene.motion import MotionRecorder
from .axml import axml, track_uses
from .chna import build_chna
from .loudness import SceneLoudness
from .profile import profile_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ..contract.processor import Array
    from ..media.writer import OutputForm

__all__ = ["AdmWriter"]

_GATHERED = 1 << 18  # characters written at once
_LONGEST = (1 << 32) - 2  # bytes of a chunk whose size has 32 bits


class AdmWriter:
    """One ADM file. Nothing stands under ``path`` until `commit`.

    Args:
        path: the final name.
        form: what is asked; its layout is a scene's.
        overwrite: whether a file of that name may be replaced.

    Attributes:
        path: the final name.
        name: for error texts.

    Raises:
        SceneError: the scene cannot be a file of its profile; lists every reason.
        MediaError: the file exists and ``overwrite`` is false, or cannot be created.
    """

    def __init__(self, path: Path, form: OutputForm, *, overwrite: bool = False) -> None:
        shape = form.layout.scene
        if shape is None:
            raise MediaError(f"{path}: only a scene can be an ADM file, not {form.layout}")
        self.path, self.name, self.form, self._shape = path, str(path), form, shape
        self._profile = profile_of(shape.profile)
        if refusals := list(self._profile.refusals(shape, form.rate, form.subtype)):
            raise SceneError([f"{path}: {line}" for line in refusals])
        self.warnings: list[str] = []
        self._tracks, self._objects = shape.track_rows, shape.object_rows
        self.subtype = form.subtype
        order = ChannelOrder(Layout.parse(f"discrete:{len(self._tracks)}"))
        self._encoder = Encoder(
            self.name, self.subtype, order, form.on_clip if form.on_clip == "error" else "clip"
        )
        self._recorders = [MotionRecorder(each.name, shape.ramp(form.rate)) for each in shape.objects]
        self._loudness = SceneLoudness(shape, form.rate)
        chna = build_chna(track_uses(shape, self._profile))
        metadata = replace(form.metadata, chna=chna, axml=None, ixml=None, cue=None, adtl=None, mask=0)
        self._head = WaveHead(
            "wav", ENCODINGS[self.subtype], form.rate, order, None, metadata, format_tag="plain"
        )
        self._atomic = AtomicFile(path, overwrite=overwrite)
        self._file = os.open(self._atomic.partial, os.O_WRONLY)
        try:
            self._put(self._head.bytes(0))
        except BaseException:
            self.abort()
            raise

    @property
    def clipped(self) -> int:
        """Samples beyond full scale so far."""
        return self._encoder.clipped

    @property
    def length(self) -> int | None:
        """Samples per channel: what was asked, else what was written so far."""
        return self._encoder.written if self.form.length is None else self.form.length

    @property
    def scene(self) -> Scene:
        """The scene as far as it was written.

        Raises:
            SceneError: no sample was.
        """
        bext = self.form.metadata.bext
        start = 0 if bext is None else bext.time_reference
        written = self._encoder.written
        if self._recorders and not written:
            raise SceneError([f"{self.path}: a scene without a sample has no places"])
        motions = [recorder.motion() for recorder in self._recorders]
        return Scene.of_shape(self._shape, motions, self.form.rate, written, start)

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples of the scene's stream.

        Raises:
            SceneError: an object has no place, or moves too soon.
            MediaError: the disk is full or failing, or a sample clips and ``on_clip`` is "error".
        """
        for recorder, row in zip(self._recorders, self._objects, strict=True):
            recorder.push(block[row + 1 : row + 1 + len(CONTROLS)])
        self._loudness.push(np.ascontiguousarray(block))
        self._put(self._encoder.encode(np.ascontiguousarray(block[self._tracks])))

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Complete the partial file: metadata behind the sound, the head, and read it back.

        Raises:
            SceneError: the scene breaks a rule.
            MediaError: the file does not hold every sample, or the disk refuses.
        """
        scene = self.scene
        scene.check()
        samples = self._encoder.written
        padding = samples * self._head.frame % 2
        self._put(b"\0" * padding)
        written = self._put_axml(axml(scene, self._profile, BITS[self.subtype], self._loudness))
        info = build_info(with_notes(dict(self.form.metadata.tags), notes))
        self._put(info)
        self._pwrite(self._head.bytes(samples, written + len(info)), 0)
        os.close(self._file)
        self._file = -1
        self._atomic.sync()
        self._check()

    def _put_axml(self, text: Iterable[str]) -> int:
        """Write the chunk that tells the scene; return how many bytes it takes."""
        at = os.lseek(self._file, 0, os.SEEK_CUR)
        self._put(b"axml\0\0\0\0")
        size, gathered, held = 0, [], 0
        for piece in text:
            gathered.append(piece)
            held += len(piece)
            if held >= _GATHERED:
                size += self._put("".join(gathered).encode())
                gathered, held = [], 0
        size += self._put("".join(gathered).encode())
        if size > _LONGEST:
            raise MediaError(
                f"{self.path}: its places take {size} bytes, more than a chunk holds; move objects less"
            )
        self._put(b"\0" * (size % 2))
        self._pwrite(size.to_bytes(4, "little"), at + 4)
        return 8 + size + size % 2

    def _put(self, data: bytes | memoryview) -> int:
        view = memoryview(data)
        size = len(view)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be written: {why_not(self.path, error)}") from None
        return size

    def _pwrite(self, data: bytes, at: int) -> None:
        try:
            os.pwrite(self._file, data, at)
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be completed: {why_not(self.path, error)}") from None

    def _check(self) -> None:
        data = FileBytes(self._atomic.partial.open("rb", buffering=0))
        try:
            held = open_wave(self.name, data).length
        finally:
            data.close()
        if held != self._encoder.written or self._encoder.written != self.length:
            raise MediaError(f"{self.path}: holds {held} of {self.length} samples")

    def commit(self) -> None:
        """Give the finished file its name.

        Raises:
            MediaError: another file took the name meanwhile and ``overwrite`` is false.
        """
        self._atomic.commit()

    def settle(self) -> None:
        """Let go of what `commit` replaced."""
        self._atomic.settle()

    def abort(self) -> None:
        """Remove what was written, even if `commit` gave it its name, and bring back what it replaced."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._atomic.abort()
