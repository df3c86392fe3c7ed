"""Reading WAV, RF64 and BW64: header, chunks, and what the header says that is not so."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ...contract.errors import MediaError
from ..bytes_in import PipeBytes
from ..metadata import Metadata
from ..pcm_reader import PcmReader, partial_sample
from ..whole import REMEDY, shortened
from .carried_chunks import CARRIED, understood
from .format import WaveFormat, parse_format
from .riff import CHUNK_LIMIT, FORMS, UNSAID, Chunk, Ds64, parse_ds64, unknown_size, walk

if TYPE_CHECKING:
    from ..bytes_in import ByteInput

__all__ = ["NotPcmError", "is_wave", "open_wave"]

#: Where the sound of a pipe must have begun: what stands before is kept, and a size that lies has no end.
_LATEST = 4 * CHUNK_LIMIT
_READ = {b"ds64", b"fmt ", *CARRIED}
#: What says nothing beyond the samples: sizes, padding, peaks, overviews.
_SILENT = {b"data", b"fact", b"JUNK", b"junk", b"PAD ", b"FLLR", b"filr", b"PEAK", b"LGWV", b"ovvw", b"levl"}


class NotPcmError(Exception):
    """A WAV file whose sound is compressed: libsndfile's or ffmpeg's work."""


def is_wave(head: bytes) -> bool:
    """Return whether a file that begins so (12 bytes) is WAV, RF64 or BW64."""
    return len(head) >= 12 and head[:4] in FORMS and head[8:12] == b"WAVE"


class _Header:
    """What the chunks of one file say, gathered as they pass."""

    def __init__(self, name: str, form: bytes) -> None:
        self.name, self.form = name, form
        self.ds64: Ds64 | None = None
        self.format: WaveFormat | None = None
        self.sound: Chunk | None = None
        self.metadata = Metadata()
        self.warnings: list[str] = []
        self.left_out: list[bytes] = []

    def take(self, found: Chunk, data: ByteInput) -> None:
        """Read the body of a chunk that says something."""
        if found.name not in _READ:
            if found.name not in _SILENT and found.name not in self.left_out:
                self.left_out.append(found.name)
            return
        if found.size > CHUNK_LIMIT:
            self.warnings.append(
                f"{self.name}: its chunk {found.name.decode('latin-1')!r} is not carried: {found.size} bytes"
            )
            return
        body = data.read(found.size)
        if len(body) < found.size:
            self.warnings.append(f"{self.name}: its chunk {found.name.decode('latin-1')!r} is cut short")
            return
        self._understand(found.name, body)

    def _understand(self, name: bytes, body: bytes) -> None:
        if name == b"ds64" and self.form != b"RIFF" and self.ds64 is None:
            self.ds64 = parse_ds64(body)
        elif name == b"fmt " and self.format is None:
            self.format = parse_format(body)
        else:
            self.metadata = understood(self.metadata, name, body)

    def sized(self, found: Chunk) -> Chunk:
        """Return a chunk with its size from ds64, where 32 bits do not hold it."""
        if found.size != UNSAID or self.ds64 is None:
            return found
        if found.name != b"data":
            return replace(found, size=self.ds64.others.get(found.name, found.size))
        return replace(found, size=self.ds64.data) if 0 < self.ds64.data < 1 << 63 else found

    def fail(self, text: str) -> MediaError:
        return MediaError(f"{self.name}: {text}")


def open_wave(name: str, data: ByteInput, *, salvage: bool = False) -> PcmReader:
    """Return a reader of a WAV, RF64 or BW64 file; ``data`` stands at its first byte.

    On a pipe the metadata that stands before the sound is known, and the end of the bytes ends a sound of
    unknown size.

    Raises:
        MediaError: the header is damaged, or says what is not so; names the remedy. ``data`` is closed.
        NotPcmError: the sound is compressed; ``data`` is open for whoever can read it.
    """
    try:
        return _open(name, data, salvage=salvage)
    except MediaError:
        data.close()
        raise


def _open(name: str, data: ByteInput, *, salvage: bool) -> PcmReader:
    head = data.read(12)
    header = _Header(name, head[:4])
    declared: int | None
    held: int | None
    if data.size is None:
        declared = held = _until_sound(header, data)
    else:
        declared, held = _over_file(header, data, salvage=salvage)
    kind, sound = _known(header)
    if header.left_out:
        names = ", ".join(repr(name.decode("latin-1")) for name in header.left_out[:12])
        header.warnings.append(f"{name}: chunks that outputs do not carry: {names}")
    data.skip_to(sound.start)
    reader = PcmReader(
        name,
        data,
        encoding=kind.encoding,
        rate=kind.rate,
        order=kind.order,
        length=held,
        form={b"RIFF": "WAV"}.get(header.form, header.form.decode()),
        metadata=replace(header.metadata, mask=kind.order.mask),
        warnings=header.warnings,
        salvage=salvage and declared == held != 0,
    )
    reader.salvaged = None if held is None or declared == held else (declared, held)
    if isinstance(data, PipeBytes):
        reader.at_end = partial(_behind, name, data, kind, sound)
    return reader


def _behind(name: str, pipe: PipeBytes, kind: WaveFormat, sound: Chunk) -> None:
    """Take what follows the sound on a pipe, and see that it is chunks, not more sound."""
    first, count = pipe.drain()
    head = first[sound.size % kind.frame + sound.size % 2 :][:8]
    size = int.from_bytes(head[4:], "little")
    is_chunk = len(head) == 8 and all(32 <= letter < 127 for letter in head[:4]) and size <= count
    if is_chunk or count < max(1, kind.rate // 10) * kind.frame:
        return
    raise MediaError(
        f"{name}: declares {sound.size // kind.frame} samples, but {count // kind.frame} more follow that "
        "belong to no chunk, so its header is wrong; write it into a file, and take it with --salvage"
    )


def _known(header: _Header) -> tuple[WaveFormat, Chunk]:
    """Return format and sound, once both have been met and can be true."""
    if header.format is None:
        raise header.fail("is a WAV file without a fmt chunk; export it again")
    if header.format.fault:
        raise header.fail(f"{header.format.fault}; export it again")
    if not header.format.encoding:
        raise NotPcmError
    if header.sound is None:
        raise header.fail("is a WAV file without a data chunk; export it again")
    return header.format, header.sound


def _until_sound(header: _Header, data: ByteInput) -> int | None:
    """Read a pipe up to its sound; return its length, or None when the end of the bytes is its end."""
    for found in walk(data, header.sized):
        if found.name == b"data":
            header.sound = found
            break
        if found.end > _LATEST:
            chunk = found.name.decode("latin-1")
            raise header.fail(
                f"its chunk {chunk!r} says {found.size} bytes, too many for a pipe; give a file"
            )
        header.take(found, data)
    kind, sound = _known(header)
    if sound.size == 0 or _is_open(header, sound):
        return None
    _note_partial(header, sound.size % kind.frame)
    return sound.size // kind.frame


def _over_file(header: _Header, data: ByteInput, *, salvage: bool) -> tuple[int, int]:
    """Read every chunk of a file; return the sound's length as declared and as found."""
    for found in walk(data, header.sized):
        if found.name != b"data":
            header.take(found, data)
        elif header.sound is None:
            header.sound = found
        else:
            header.warnings.append(f"{header.name}: has a second data chunk, which is left out")
    kind, sound = _known(header)
    there = _size(data) - sound.start
    declared, held = sound.size // kind.frame, there // kind.frame
    beyond = _size(data) - sound.end
    if _is_open(header, sound) and (sound.size > there or not _is_chunks(data, sound.end)):
        _note_partial(header, there % kind.frame)
        _note_open(header)
        return held, held
    if declared > held:
        if not salvage:
            raise header.fail(shortened(declared, held))
        return declared, held
    _note_partial(header, min(sound.size, there) % kind.frame)
    if beyond < kind.frame or _is_chunks(data, sound.end):
        return declared, declared
    if beyond < max(1, kind.rate // 10) * kind.frame:
        header.warnings.append(f"{header.name}: {beyond} bytes after its sound are no chunk and are left out")
        return declared, declared
    if not salvage:
        raise header.fail(
            f"declares {declared} samples, but {beyond // kind.frame} more follow that belong to no chunk, "
            f"so its header is wrong; {REMEDY}"
        )
    return declared, held


def _is_open(header: _Header, sound: Chunk) -> bool:
    """Return whether the sound's size is a sign that it was written into a pipe, to be read to its end."""
    if header.form == b"RIFF":
        return unknown_size(sound.size)
    return (header.ds64 is not None and header.ds64.data in {0, (1 << 64) - 1}) or sound.size == UNSAID


def _note_open(header: _Header) -> None:
    """Warn that nothing says how long the sound should have been: a copy that broke off would look so too."""
    lacks = header.form != b"RIFF" and (header.ds64 is None or header.ds64.data not in {0, (1 << 64) - 1})
    what = "no ds64 chunk says how long its sound is" if lacks else "its header does not say how long it is"
    header.warnings.append(f"{header.name}: {what}, so all that follows is taken for its sound")


def _size(data: ByteInput) -> int:
    return data.size or 0


def _is_chunks(data: ByteInput, start: int) -> bool:
    """Return whether chunks lead from here to the end of the file."""
    data.skip_to(start)
    end = start
    for found in walk(data):
        if not all(32 <= letter < 127 for letter in found.name):
            return False
        end = found.end
    # A last chunk of odd size may lack its padding.
    return end - 1 <= _size(data) <= end + 7


def _note_partial(header: _Header, left: int) -> None:
    if left:
        header.warnings.append(partial_sample(header.name, left))
