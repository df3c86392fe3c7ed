"""Reading what libsndfile knows: FLAC, Ogg, MP3, AIFF, AU, W64, CAF and compressed WAV."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kernels.pcm import decode
from ..contract.errors import MediaError
from .channels import MASK_TAG, ChannelOrder, by_count, flac, vorbis
from .flac_blocks import read_blocks
from .metadata import Metadata
from .wave.bext import split_tags
from .wave.carried_chunks import understood
from .whole import NO_LENGTH, REMEDY, fault, shortened

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.processor import Array

__all__ = ["NoLengthError", "NotSndfileError", "SndfileReader", "for_libsndfile"]

#: What libsndfile says of a FLAC that does not state its length, as one written into a pipe.
_UNKNOWN = (1 << 63) - 1
# libsndfile reads whole blocks many times faster than crumbs.
_CHUNK = 8192
_SUBTYPE_OUT = {
    "PCM_S8": "PCM_16",
    "PCM_U8": "PCM_16",
    "PCM_16": "PCM_16",
    "PCM_24": "PCM_24",
    "PCM_32": "PCM_32",
    "ALAW": "PCM_16",
    "ULAW": "PCM_16",
}


class NoLengthError(MediaError):
    """An MP3 that does not state its length, of which libsndfile would guess it."""


class NotSndfileError(MediaError):
    """A file that libsndfile does not know."""


class SndfileReader:
    """A sound file that libsndfile reads, as a source of planar float32 blocks.

    Attributes:
        name: the path, for error texts.
        rate: Hz.
        layout: from the number of channels, in the order that the format prescribes.
        length: samples per channel, as the file declares; None under ``salvage``, and of a FLAC that does not
            say.
        subtype: the sample format that keeps what the file holds: PCM_16, PCM_24, PCM_32 or FLOAT
            (also for lossy formats, which may exceed full scale).
        form: the container's name.
        metadata: tags, and what FLAC carries of broadcast chunks.
        warnings: lines for the report.
        salvaged: samples declared and samples found, when fewer were found and taken.

    Raises:
        MediaError: not a sound file, empty, or cut short.
    """

    live = False

    def __init__(self, path: Path, *, name: str = "", salvage: bool = False) -> None:
        import soundfile

        self.path, self.name, self._salvage = path, name or str(path), salvage
        self.warnings: list[str] = []
        self.salvaged: tuple[int | None, int] | None = None
        try:
            self._file = soundfile.SoundFile(for_libsndfile(path))
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise NotSndfileError(
                f"{self.name}: not a sound file that can be read ({_text(error)})"
            ) from None
        # soundfile seeks after every read of a seekable file, which makes garbage of MP3.
        self._file.seekable = lambda: False
        self.rate, frames = int(self._file.samplerate), int(self._file.frames)
        self.declared = None if frames == _UNKNOWN and self._file.format == "FLAC" else frames
        self.form = "MP3" if self._file.format == "MPEG" else str(self._file.format)
        self.metadata, order = _described(path, self._file)
        self.layout, self._take = order.layout, order.take
        self.subtype = _SUBTYPE_OUT.get(self._file.subtype, "FLOAT")
        self._check()
        self.length = None if salvage else self.declared
        self._frames = np.empty((_CHUNK, self.layout.channels), np.float32)
        self._held = self._frames[:0]
        self._done, self._ended = 0, False

    def _check(self) -> None:
        self._stated = self.declared
        wrong, stated = fault(
            self.path,
            subtype=self._file.subtype,
            channels=self.layout.channels,
            frames=self.declared or 0,
        )
        if self.declared is not None and self.declared <= 0:
            wrong = wrong or "holds no samples; there is nothing to render"
        if not wrong:
            return
        if self._salvage and (self.declared is None or self.declared > 0) and wrong != NO_LENGTH:
            self.warnings.append(f"{self.name}: {wrong.removesuffix(f'; {REMEDY}')}")
            self._stated = stated
            return
        self.close()
        raise (NoLengthError if wrong == NO_LENGTH else MediaError)(f"{self.name}: {wrong}")

    def read(self, out: Array) -> int:
        """Fill ``out [channels, n]`` with the next samples; return how many, fewer than n only at the end.

        Raises:
            MediaError: the file ends before the length it declares.
        """
        n = out.shape[1]
        if self.declared is not None and not self._salvage:
            n = min(n, self.declared - self._done)
        done = 0
        while done < n and (len(self._held) or self._next()):
            piece = self._held[: n - done]
            self._put(np.asarray(piece, np.float32), out[:, done : done + len(piece)])
            self._held = self._held[len(piece) :]
            done += len(piece)
            self._done += len(piece)
        return done

    def _put(self, frames: Array, out: Array) -> None:
        if self._take is None:
            decode(frames.reshape(-1).view(np.uint8), "f32le", out)
        else:
            out[:] = frames.T[list(self._take)]

    def _next(self) -> bool:
        """Decode the next piece; return whether there is one."""
        if self._ended:
            return False
        import soundfile

        at = self._done + len(self._held)
        try:
            chunk = self._file.read(out=self._frames)
            self._ended = not len(chunk)
        except (soundfile.SoundFileError, RuntimeError) as error:
            if not self._salvage:
                total = "" if self.declared is None else f" of {self.declared}"
                text = f"{self.name}: damaged after sample {at}{total} ({_text(error)}); {REMEDY}"
                raise MediaError(text) from None
            chunk = self._up_to_damage(at)
            self._ended = True
            self.warnings.append(f"{self.name}: damaged after sample {at + len(chunk)} ({_text(error)})")
        if self._ended:
            self._at_end(at + len(chunk))
        self._held = chunk
        return len(chunk) > 0

    def _up_to_damage(self, at: int) -> Array:
        """Return the samples from ``at`` up to the damage; of a piece that holds it libsndfile gives none.

        One by one, so that what a damaged frame of FLAC leaves (silence) is not among them.
        """
        import soundfile

        count = 0
        with (
            contextlib.suppress(soundfile.SoundFileError, RuntimeError),
            soundfile.SoundFile(for_libsndfile(self.path)) as again,
        ):
            again.seekable = lambda: False
            for start in range(0, at, _CHUNK):
                again.read(out=self._frames[: min(_CHUNK, at - start)])
            while count < _CHUNK and len(again.read(out=self._frames[count : count + 1])):
                count += 1
        return self._frames[:count]

    def _at_end(self, at: int) -> None:
        """Say what is missing, once no more samples come."""
        declared, stated = self.declared, self._stated
        if at == 0 and (declared is None or self._salvage):
            raise MediaError(f"{self.name}: holds no samples that can be read; there is nothing to render")
        if declared is not None and not self._salvage:
            raise MediaError(f"{self.name}: {shortened(declared, at)}")
        if self.warnings or (declared is not None and at < declared):
            self.salvaged = (None if stated is None else max(stated, at), at)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _described(path: Path, file: Any) -> tuple[Metadata, ChannelOrder]:
    """Return what a file says beside its samples, and its order of channels."""
    tags = {name: str(text) for name, text in file.copy_metadata().items() if text}
    if file.format == "FLAC":
        with path.open("rb") as raw:
            blocks = read_blocks(raw)
        if blocks is not None:
            order = flac(file.channels, blocks.comments)
            tags, bext = split_tags(blocks.comments)
            tags.pop(MASK_TAG, None)
            metadata = Metadata(tags, mask=order.mask)
            for name, body in blocks.chunk_list:
                metadata = understood(metadata, name, body)
            return (metadata if metadata.bext else replace(metadata, bext=bext)), order
    if file.format == "OGG":
        return Metadata(tags), vorbis(file.channels)
    return Metadata(tags), by_count(file.channels)


def for_libsndfile(path: Path) -> Any:
    """Return a name as libsndfile takes it: of any bytes, and never "-", which is standard input to it.

    soundfile takes bytes too, though its annotations do not say so.
    """
    return os.fsencode(path if path.is_absolute() else f"./{path}")


def _text(error: BaseException) -> str:
    return " ".join(str(error).rsplit(": ", 1)[-1].split()).rstrip(".")
