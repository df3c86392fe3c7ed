"""`TrackWriter`: the tracks of a scene into a BW64 file, and the ADM behind them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from ..contract.audio import Layout
from ..contract.errors import MediaError
from ..media.atomic import AtomicFile, why_not
from ..media.bytes_in import FileBytes
from ..media.channels import ChannelOrder
from ..media.encoder import BITS, ENCODINGS, Encoder
from ..media.targets import with_notes
from ..media.wave.head import WaveHead
from ..media.wave.info_list import build_info
from ..media.wave.reader import open_wave
from ..scene.errors import SceneError
from .axml import axml, track_uses
from .chna import build_chna
from .profile import profile_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ..contract.processor import Array
    from ..contract.scene import SceneShape
    from ..media.encoder import OnClip
    from ..media.metadata import Metadata
    from ..scene.model import Scene

__all__ = ["TrackWriter"]

_GATHERED = 1 << 18  # characters written at once
_LONGEST = (1 << 32) - 2  # bytes of a chunk whose size has 32 bits


class TrackWriter:
    """One file of a scene. Nothing stands under ``path`` until `commit`.

    Args:
        path: the final name.
        shape: what of the scene does not change with time; says the profile.
        rate: Hz.
        subtype: PCM_16, PCM_24 or PCM_32.
        metadata: what it says beside the ADM: time reference, tags.
        on_clip: "error" refuses samples beyond full scale; otherwise they are held there and counted.
        overwrite: whether a file of that name may be replaced.

    Attributes:
        path: the final name.
        written: samples so far.
        clipped: samples beyond full scale so far.

    Raises:
        SceneError: the scene cannot be a file of its profile; lists every reason.
        MediaError: the file exists and ``overwrite`` is false, or cannot be created.
    """

    def __init__(
        self,
        path: Path,
        shape: SceneShape,
        rate: int,
        subtype: str,
        *,
        metadata: Metadata,
        on_clip: OnClip = "clip",
        overwrite: bool = False,
    ) -> None:
        self.path, self._subtype, self._metadata = path, subtype, metadata
        self._profile = profile_of(shape.profile)
        if refusals := list(self._profile.refusals(shape, rate, subtype)):
            raise SceneError([f"{path}: {line}" for line in refusals])
        order = ChannelOrder(Layout.parse(f"discrete:{len(shape.track_rows)}"))
        self._encoder = Encoder(str(path), subtype, order, "error" if on_clip == "error" else "clip")
        chna = build_chna(track_uses(shape, self._profile))
        kept = replace(metadata, chna=chna, axml=None, ixml=None, cue=None, adtl=None, mask=0)
        self._head = WaveHead("wav", ENCODINGS[subtype], rate, order, None, kept, format_tag="plain")
        self._atomic = AtomicFile(path, overwrite=overwrite)
        self._file = os.open(self._atomic.partial, os.O_WRONLY)
        try:
            self._put(self._head.bytes(0))
        except BaseException:
            self.abort()
            raise

    @property
    def written(self) -> int:
        """Samples so far."""
        return self._encoder.written

    @property
    def clipped(self) -> int:
        """Samples beyond full scale so far."""
        return self._encoder.clipped

    def write(self, tracks: Array) -> None:
        """Append samples of every track, ``[tracks, n]``.

        Raises:
            MediaError: the disk is full or failing, or a sample clips and that is an error.
        """
        self._put(self._encoder.encode(tracks))

    def finish(self, scene: Scene, figures: Mapping[str, float], notes: Sequence[str] = ()) -> None:
        """Complete the partial file: the ADM behind the sound, the head, and read it back.

        Args:
            scene: as long as what was written.
            figures: loudness, by the names of loudnessMetadata.
            notes: become part of the comment.

        Raises:
            SceneError: the scene breaks a rule.
            MediaError: the file does not hold every sample, or the disk refuses.
        """
        scene.check()
        if faults := list(self._profile.faults(scene)):
            raise SceneError([f"{self.path}: {line}" for line in faults])
        samples = self.written
        self._put(b"\0" * (samples * self._head.frame % 2))
        size = self._put_axml(axml(scene, self._profile, BITS[self._subtype], figures))
        info = build_info(with_notes(dict(self._metadata.tags), notes))
        self._put(info)
        self._pwrite(self._head.bytes(samples, size + len(info)), 0)
        os.close(self._file)
        self._file = -1
        self._atomic.sync()
        self._check(scene.programme.length)

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

    def _check(self, wanted: int) -> None:
        data = FileBytes(self._atomic.partial.open("rb", buffering=0))
        try:
            held = open_wave(str(self.path), data).length
        finally:
            data.close()
        if not held == self.written == wanted:
            raise MediaError(f"{self.path}: holds {held} of {wanted} samples")

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
