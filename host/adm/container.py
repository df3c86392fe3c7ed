"""The chunks of an ADM file, wherever they stand and however long they are (ITU-R BS.2088-1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..contract.errors import MediaError
from ..media.bytes_in import FileBytes
from ..media.wave.bext import parse_bext
from ..media.wave.format import WaveFormat, parse_format
from ..media.wave.reader import is_wave
from ..media.wave.riff import UNSAID, Chunk, Ds64, parse_ds64, walk
from .chna import TrackUse, parse_chna

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Container", "read_container"]

_PIECE = 1 << 18
#: The longest of the chunks that are taken whole; 65,535 entries of chna are 2.6 MB.
_LONGEST = 16 << 20
_WHOLE = {b"ds64", b"fmt ", b"chna", b"bext"}


@dataclass
class Container:
    """What the chunks of one file say, before the ADM in it is read.

    Attributes:
        path: of the file.
        form: ``RIFF``, ``RF64`` or ``BW64``.
        size: bytes of the file.
        declared: bytes behind the first eight as the head says; None where it says nothing.
        chunks: their heads, in order.
        ds64: sizes that do not fit into 32 bits.
        format: of the samples.
        tag: the format tag as it stands, 1 for PCM, 0xFFFE for the extensible form.
        bits: of a sample, as the `fmt ` chunk says.
        uses: entries of `chna`; None where there is no such chunk.
        stated_tracks: how many tracks `chna` says there are.
        chna_fault: why the `chna` chunk cannot be read; "" when it can.
        start: samples since midnight by `bext`; None where nothing says.
    """

    path: Path
    form: str
    size: int
    declared: int | None
    chunks: list[Chunk] = field(default_factory=list)
    ds64: Ds64 | None = None
    format: WaveFormat | None = None
    tag: int = 0
    bits: int = 0
    uses: list[TrackUse] | None = None
    stated_tracks: int = 0
    chna_fault: str = ""
    start: int | None = None

    def find(self, name: bytes) -> Chunk | None:
        """Return the first chunk of a name."""
        return next((each for each in self.chunks if each.name == name), None)

    @property
    def frames(self) -> int:
        """Samples per channel that the file really holds."""
        sound = self.find(b"data")
        if sound is None or self.format is None or not self.format.encoding:
            return 0
        return max(0, min(sound.size, self.size - sound.start)) // self.format.frame

    def pieces(self, name: bytes) -> Iterator[bytes]:
        """Yield the body of a chunk piece by piece, as far as the file goes.

        Raises:
            MediaError: the file cannot be read.
        """
        found = self.find(name)
        if found is None:
            return
        data = _open(self.path)
        try:
            data.skip_to(found.start)
            left = found.size
            while left and (piece := data.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be read: {error.strerror}; check the disk") from None
        finally:
            data.close()

    def sized(self, found: Chunk) -> Chunk:
        """Return a chunk with its size from ds64, where 32 bits do not hold it."""
        if found.size != UNSAID or self.ds64 is None:
            return found
        size = self.ds64.data if found.name == b"data" else self.ds64.others.get(found.name, found.size)
        return replace(found, size=min(size, 1 << 62))

    def take(self, name: bytes, body: bytes) -> None:
        """Understand the body of a chunk; the first of two of one name counts."""
        if name == b"ds64" and self.ds64 is None and self.form != "RIFF":
            self.ds64 = parse_ds64(body)
            self.declared = None if self.ds64 is None else self.ds64.riff
        elif name == b"fmt " and self.format is None:
            self.format = parse_format(body)
            self.tag, self.bits = int.from_bytes(body[:2], "little"), int.from_bytes(body[14:16], "little")
        elif name == b"bext" and self.start is None:
            told = parse_bext(body)
            self.start = None if told is None else told.time_reference
        elif name == b"chna" and self.uses is None and not self.chna_fault:
            self.stated_tracks = int.from_bytes(body[:2], "little")
            try:
                self.uses = parse_chna(body)
            except ValueError as error:
                self.chna_fault = str(error)


def read_container(path: Path) -> Container:
    """Return what the chunks of a file say. The sound and `axml` are not read.

    Raises:
        MediaError: the file cannot be read, or is no WAV, RF64 or BW64 file.
    """
    data = _open(path)
    try:
        head = data.read(12)
        if not is_wave(head):
            raise MediaError(f"{path}: is no WAV or BW64 file; ADM stands in those")
        size = int.from_bytes(head[4:8], "little")
        container = Container(path, head[:4].decode(), data.size or 0, None if size == UNSAID else size)
        for found in walk(data, container.sized):
            container.chunks.append(found)
            if found.name in _WHOLE and found.size <= _LONGEST:
                container.take(found.name, data.read(found.size))
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}; check the disk") from None
    finally:
        data.close()
    return container


def _open(path: Path) -> FileBytes:
    try:
        if path.exists() and not path.is_file():
            raise MediaError(f"{path}: is no file; ADM is read at several places of a file, not of a pipe")
        return FileBytes(path.open("rb", buffering=0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: cannot be read: {reason}; check path and rights") from None
