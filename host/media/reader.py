"""Reading sound files block by block, with the length they declare or an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from ..contract.audio import Layout
from ..contract.errors import MediaError
from .whole import fault, shortened

if TYPE_CHECKING:
    from types import TracebackType

    from ..contract.processor import Array

__all__ = ["FileReader"]

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


class FileReader:
    """A sound file as a source of planar float32 blocks.

    Attributes:
        name: the path, for error texts.
        rate: Hz.
        layout: from the number of channels.
        length: samples per channel, as the file declares.
        subtype: the sample format that keeps what the file holds: PCM_16, PCM_24, PCM_32 or FLOAT
            (also for lossy formats, which may exceed full scale).

    Raises:
        MediaError: missing, unreadable, not a sound file, empty, or cut short.
    """

    def __init__(self, path: str | Path) -> None:
        import soundfile

        self.path = Path(path)
        self.name = str(path)
        if "\0" in self.name:
            raise MediaError(f"{self.name!r} is not a path: it holds a NUL character")
        try:
            if self.path.is_dir():
                raise MediaError(f"{self.name}: is a folder, not a sound file")
            if self.path.exists() and not self.path.is_file():  # opening a pipe would wait for ever
                raise MediaError(f"{self.name}: is a pipe or device; write the sound into a file first")
            with self.path.open("rb"):
                size = self.path.stat().st_size
        except OSError as error:
            raise MediaError(
                f"{self.name}: cannot be read: {error.strerror}; check path and rights"
            ) from None
        if size == 0:
            raise MediaError(f"{self.name}: has 0 bytes; export it again")
        try:
            self._file = soundfile.SoundFile(self.path)
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise MediaError(f"{self.name}: not a sound file that can be read ({_text(error)})") from None
        # soundfile seeks after every read of a seekable file, which makes garbage of MP3.
        self._file.seekable = lambda: False
        self.rate, self.length = int(self._file.samplerate), int(self._file.frames)
        self.layout = Layout.of_channels(self._file.channels)
        self.subtype = _SUBTYPE_OUT.get(self._file.subtype, "FLOAT")
        wrong = "" if self.length > 0 else "holds no samples; there is nothing to render"
        wrong = wrong or fault(
            self.path, subtype=self._file.subtype, channels=self.layout.channels, frames=self.length
        )
        if wrong:
            self.close()
            raise MediaError(f"{self.name}: {wrong}")
        self._held = np.empty((0, self.layout.channels), np.float32)
        self._decoded = 0

    def read(self, out: Array) -> None:
        """Fill ``out [channels, n]`` with the next samples.

        Raises:
            MediaError: the file ends before the length it declares.
        """
        done, n = 0, out.shape[1]
        while done < n:
            if not len(self._held):
                self._held = self._next()
            piece = self._held[: n - done]
            out[:, done : done + len(piece)] = piece.T
            self._held = self._held[len(piece) :]
            done += len(piece)

    def _next(self) -> Array:
        import soundfile

        try:
            chunk = self._file.read(_CHUNK, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise MediaError(f"{self.name}: damaged after sample {self._decoded} ({_text(error)})") from None
        if not len(chunk):
            raise MediaError(f"{self.name}: {shortened(self.length, self._decoded)}")
        self._decoded += len(chunk)
        return np.asarray(chunk, np.float32)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _text(error: BaseException) -> str:
    return " ".join(str(error).rsplit(": ", 1)[-1].split()).rstrip(".")
