"""ADM files written: `AdmWriter` takes a scene's stream, `write_adm` a scene and its tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...kernels.loudness import LoudnessMeter
from ..contract.audio import Layout
from ..contract.errors import MediaError
from ..contract.scene import CONTROLS
from ..media.metadata import Metadata
from ..media.wave.bext import Bext
from ..scene.errors import SceneError
from ..scene.model import Scene
from ..scene.motion import MotionRecorder
from .loudness import RENDER, SceneLoudness, figures_of
from .track_writer import TrackWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ..contract.processor import Array
    from ..media.writer import OutputForm

__all__ = ["AdmWriter", "write_adm"]


class AdmWriter:
    """One ADM file from a scene's stream, in constant memory but for where objects are.

    Nothing stands under ``path`` until `commit`.

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
        self.subtype, self.warnings = form.subtype, list[str]()
        self._tracks, self._objects = shape.track_rows, shape.object_rows
        self._file = TrackWriter(
            path,
            shape,
            form.rate,
            form.subtype,
            metadata=form.metadata,
            on_clip=form.on_clip,
            overwrite=overwrite,
        )
        ramp = shape.ramp(form.rate)
        self._recorders = [MotionRecorder(each.name, ramp) for each in shape.objects]
        self._loudness = SceneLoudness(shape, form.rate)

    @property
    def clipped(self) -> int:
        """Samples beyond full scale so far."""
        return self._file.clipped

    @property
    def length(self) -> int | None:
        """Samples per channel: what was asked, else what was written so far."""
        return self._file.written if self.form.length is None else self.form.length

    @property
    def scene(self) -> Scene:
        """The scene as far as it was written.

        Raises:
            SceneError: no sample was.
        """
        bext = self.form.metadata.bext
        start = 0 if bext is None else bext.time_reference
        written = self._file.written
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
        self._loudness.push(block)
        self._file.write(np.ascontiguousarray(block[self._tracks]))

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Complete the partial file; see `TrackWriter.finish`."""
        if self._file.written != self.length:
            raise MediaError(f"{self.path}: holds {self._file.written} of {self.length} samples")
        self._file.finish(self.scene, self._loudness.figures(), notes)

    def commit(self) -> None:
        """Give the finished file its name.

        Raises:
            MediaError: another file took the name meanwhile and ``overwrite`` is false.
        """
        self._file.commit()

    def settle(self) -> None:
        """Let go of what `commit` replaced."""
        self._file.settle()

    def abort(self) -> None:
        """Remove what was written, even if `commit` gave it its name, and bring back what it replaced."""
        self._file.abort()


def write_adm(
    path: Path,
    scene: Scene,
    sound: Iterable[Array],
    *,
    profile: str = "bs2127",
    subtype: str = "PCM_24",
    overwrite: bool = False,
) -> None:
    """Write a scene and its sound as an ADM file, which appears when it is whole.

    Args:
        path: of the file.
        scene: beds and objects with their motions.
        sound: blocks of float32 ``[tracks, n]``: the beds' channels, then a track for each object; together
            as long as the programme.
        profile: ``bs2127`` or ``dolby``.
        subtype: PCM_16, PCM_24 or PCM_32.
        overwrite: whether a file of that name may be replaced.

    Raises:
        SceneError: the scene breaks a rule, or one of the profile.
        MediaError: the file cannot be written, or the sound is not as long as the programme.

    Example:
        >>> import tempfile, pathlib
        >>> from ..contract.scene import Content
        >>> from ..scene.model import Programme, SceneObject
        >>> from ..scene.motion import Motion
        >>> bee = SceneObject("Bee", 0, Motion.still([60, 20, 1, 0]))
        >>> scene = Scene(Programme("Garden", 48000, 480), (Content("Effects", "effects"),), (), (bee,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_adm(pathlib.Path(folder, "garden.wav"), scene, [np.zeros((1, 480), np.float32)])
    """
    from .playback import AdmStream

    scene.check()
    programme = scene.programme
    metadata = Metadata(bext=Bext(time_reference=programme.start))
    file = TrackWriter(
        path, scene.shape(profile), programme.rate, subtype, metadata=metadata, overwrite=overwrite
    )
    layout = Layout.parse(RENDER)
    heard, meter = AdmStream(scene, layout), LoudnessMeter(layout.roles, programme.rate)
    try:
        for block in sound:
            tracks = np.ascontiguousarray(block, np.float32)
            file.write(tracks)
            meter.push(heard.process(tracks))
        file.finish(scene, figures_of(meter))
        file.commit()
    except BaseException:
        file.abort()
        raise
    file.settle()
