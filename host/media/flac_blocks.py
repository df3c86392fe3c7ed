"""Metadata of FLAC files: what libsndfile does not read, written in place over what it does.

libsndfile writes FLAC with a few text fields and nothing else. So its comment reserves room before the
first sample, and after the last one our blocks take that room: tags, RIFF chunks, padding. Not a byte of
audio moves.

```python
with soundfile.SoundFile(path, "w", 48000, 2, "PCM_24", format="FLAC") as file:
    file.comment = "x" * room_for(tags, chunks)
    ...  # at least one sample: libsndfile leaves a file without any empty, without even a header
write_blocks(path, tags, chunks)
```

All blocks of one file share the room of one comment, about 16 MiB, because a block's length has 24 bits.

Sources: RFC 9639, section 8 (blocks) and section 9.1.3 (channels); the `flac` tool's option
``--keep-foreign-metadata`` (RIFF chunks, each in an APPLICATION block ``riff``); EBU Tech 3306 (RF64).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MOST_ROOM", "FlacBlocks", "carried", "read_blocks", "room_for", "write_blocks"]

#: The longest comment that libsndfile is asked for: a block's 24 bits less its own words, and some to spare.
MOST_ROOM = (1 << 24) - 1024

_STREAMINFO, _PADDING, _APPLICATION, _VORBIS_COMMENT, _INVALID = 0, 1, 2, 4, 127
_LONGEST = (1 << 24) - 1
_SLACK = 64
_TEXT = "surrogateescape"
_RIFF = b"riff"
_STRUCTURE = frozenset({b"RIFF", b"RF64", b"ds64", b"fmt ", b"data"})
# What damaged or hostile files may cost: blocks walked, bytes read of one block and kept in all.
_MOST_BLOCKS = 1 << 16
_MOST_READ = 64 << 20
_MASK_TAG = "waveformatextensible_channel_mask"
_MASKS = (0x4, 0x3, 0x7, 0x33, 0x607, 0x60F, 0x70F, 0x63F)  # as the `flac` tool writes them
_PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")


@dataclass(frozen=True, slots=True)
class FlacBlocks:
    """What the metadata blocks of a FLAC file say.

    Attributes:
        rate: Hz.
        channels: 1 to 8.
        bits: of a sample.
        length: samples of each channel; 0 when the file does not know.
        md5: of the decoded samples; zeros when the file does not know.
        vendor: the encoder's name.
        comments: texts by name, in lower case. Texts of a name that comes several times (three artists) are
            joined by "; ". Bytes that are not UTF-8 are kept as surrogates.
        chunk_list: RIFF chunks, id and body, in the file's order. Those that only make up a WAV file
            (``RIFF``, ``fmt ``, ``data`` ...) are not among them.
    """

    rate: int
    channels: int
    bits: int
    length: int
    md5: bytes = bytes(16)
    vendor: str = ""
    comments: Mapping[str, str] = field(default_factory=dict)
    chunk_list: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def chunks(self) -> dict[bytes, bytes]:
        """Chunks by id; of several with one id (``LIST``) the first."""
        first: dict[bytes, bytes] = {}
        for name, body in self.chunk_list:
            first.setdefault(name, body)
        return first


class _Block(NamedTuple):
    """Where a block stands: ``start`` is its header's, ``end`` is where the next begins."""

    kind: int
    last: bool
    start: int
    end: int


# Reading


def read_blocks(file: BinaryIO) -> FlacBlocks | None:
    """Return what the metadata at the start of a FLAC file says; audio is not read.

    Damaged files give what is whole in them. A tag of the kind ID3v2 before the file's mark is skipped.

    Args:
        file: open for reading and seekable; its position does not matter and is lost.

    Returns:
        None when it is not a FLAC file or says nothing of its own format.

    Raises:
        OSError: the file cannot be read.
    """
    found: FlacBlocks | None = None
    texts: tuple[str, dict[str, str]] | None = None
    chunks: list[tuple[bytes, bytes]] = []
    left = _MOST_READ
    for block in _walk(file):
        if found is None:
            found = _stream_info(_body(file, block)) if block.kind == _STREAMINFO else None
            if found is None:
                return None
        elif block.kind == _VORBIS_COMMENT and texts is None:
            texts = _parse_comments(_body(file, block))
        elif _is_riff(file, block) and block.end - block.start <= left:
            left -= block.end - block.start
            if (chunk := _parse_chunk(_body(file, block)[4:])) is not None:
                chunks.append(chunk)
    if found is None:
        return None
    vendor, comments = texts or ("", {})
    return replace(found, vendor=vendor, comments=comments, chunk_list=tuple(chunks))


def _walk(file: BinaryIO) -> Iterator[_Block]:
    """Yield blocks up to the last, or up to where the file ends or stops making sense."""
    start = _after_mark(file)
    for _ in range(_MOST_BLOCKS if start else 0):
        file.seek(start)
        head = file.read(4)
        if len(head) < 4 or head[0] & 0x7F == _INVALID:
            return
        block = _Block(head[0] & 0x7F, head[0] >= 0x80, start, start + 4 + int.from_bytes(head[1:], "big"))
        yield block
        if block.last:
            return
        start = block.end


def _after_mark(file: BinaryIO) -> int:
    """Return where the first block begins; 0 when this is not FLAC."""
    file.seek(0)
    head = file.read(10)
    start = 0
    if len(head) == 10 and head[:3] == b"ID3":
        # Seven bits of each byte count; a flag tells of ten more bytes at the end.
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        start = 10 + size + (10 if head[5] & 0x10 else 0)
    file.seek(start)
    return start + 4 if file.read(4) == b"fLaC" else 0


def _body(file: BinaryIO, block: _Block) -> bytes:
    file.seek(block.start + 4)
    return file.read(min(block.end - block.start - 4, _MOST_READ))


def _is_riff(file: BinaryIO, block: _Block) -> bool:
    if block.kind != _APPLICATION or block.end - block.start < 8:
        return False
    file.seek(block.start + 4)
    return file.read(4) == _RIFF


def _stream_info(body: bytes) -> FlacBlocks | None:
    """Return rate (20 bits), channels (3), bits (5), length (36) and md5: RFC 9639, section 8.2."""
    if len(body) < 34:
        return None
    packed = int.from_bytes(body[10:18], "big")
    return FlacBlocks(
        packed >> 44,
        (packed >> 41 & 7) + 1,
        (packed >> 36 & 31) + 1,
        packed & ((1 << 36) - 1),
        body[18:34],
    )


def _parse_comments(body: bytes) -> tuple[str, dict[str, str]]:
    """Return the vendor and the texts that are whole: RFC 9639, section 8.6."""
    fields = _fields(body)
    vendor = next(fields, b"").decode("utf-8", _TEXT)
    comments: dict[str, list[str]] = {}
    for entry in fields:
        name, mark, text = entry.decode("utf-8", _TEXT).partition("=")
        if mark and name:
            comments.setdefault(name.lower(), []).append(text)
    return vendor, {name: "; ".join(several) for name, several in comments.items()}


def _fields(body: bytes) -> Iterator[bytes]:
    """Yield the vendor, then the entries: each after its length, all as far as they are whole."""
    place, wanted, seen = 0, 1, 0
    while seen < wanted and place + 4 <= len(body):
        size = int.from_bytes(body[place : place + 4], "little")
        place += 4
        if size > len(body) - place:
            return
        yield body[place : place + size]
        place += size
        seen += 1
        if seen == 1:
            wanted += int.from_bytes(body[place : place + 4], "little")
            place += 4


def _parse_chunk(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the id and the body of a chunk that is whole and not of the WAV file's own structure."""
    if len(data) < 8 or data[:4] in _STRUCTURE:
        return None
    size = int.from_bytes(data[4:8], "little")
    return (data[:4], data[8 : 8 + size]) if size <= len(data) - 8 else None


# Writing


def room_for(tags: Mapping[str, str], chunks: Mapping[bytes, bytes], spare: int = 0) -> int:
    """Return how long a comment libsndfile must write for these to find room in its place.

    Args:
        tags: as for `write_blocks`.
        chunks: as for `write_blocks`.
        spare: further bytes, for texts that may become longer until then.

    Raises:
        ValueError: they need more than `MOST_ROOM`; see `carried`. Or a tag's name or a chunk's id cannot
            stand in a file.
    """
    for_tags, needed = _needed(tags, {}) + spare, _needed(tags, chunks) + spare
    if needed > MOST_ROOM:
        raise ValueError(
            f"FLAC metadata needs {needed} bytes, but a file holds at most {MOST_ROOM}: "
            f"tags take {for_tags}, chunks {needed - for_tags}"
        )
    return needed


def carried(
    tags: Mapping[str, str], chunks: Mapping[bytes, bytes], spare: int = 0
) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Return the chunks that a file can hold beside these tags, and the ids of those it can't.

    Small chunks come first, so that one of many megabytes (``axml``) does not push out the others.

    Raises:
        ValueError: as `room_for`, for the tags alone.
    """
    room_for(tags, {}, spare)
    kept: set[bytes] = set()
    for name in sorted(chunks, key=lambda name: len(chunks[name])):
        trial = {other: chunks[other] for other in (*kept, name)}
        if _needed(tags, trial) + spare <= MOST_ROOM:
            kept.add(name)
    return {name: body for name, body in chunks.items() if name in kept}, [n for n in chunks if n not in kept]


def write_blocks(file: Path | str | BinaryIO, tags: Mapping[str, str], chunks: Mapping[bytes, bytes]) -> None:
    """Put tags and RIFF chunks in the place of those that a FLAC file has, and of its padding.

    The file keeps its size, its audio, its vendor and every other block; what is left of the room becomes
    padding. The chunks stand between the heads of the WAV file that this would be, so that
    ``flac --decode --keep-foreign-metadata`` writes them back. Nothing is written before all is known to fit.

    Args:
        file: a path, or a file open for reading and writing (``r+b``).
        tags: texts by name; names are written in capitals. The channel mask of the WAV file comes from
            ``waveformatextensible_channel_mask`` if it is there.
        chunks: bodies by id of four bytes; without ``fmt `` and ``data``, which follow from the file.

    Raises:
        ValueError: they need more room than there is, or the file's blocks are damaged, or a tag's name or a
            chunk's id cannot stand in a file.
        OSError: the file cannot be read or written.
    """
    if isinstance(file, (str, Path)):
        with Path(file).open("r+b") as opened:
            write_blocks(opened, tags, chunks)
        return
    room_for(tags, chunks)  # an error where no file could hold them
    found = read_blocks(file)
    blocks = list(_walk(file))
    if found is None or not blocks[-1].last or blocks[-1].end > file.seek(0, 2):
        raise ValueError("not a FLAC file, or its metadata is damaged")
    start, room = blocks[0].end, blocks[-1].end - blocks[0].end
    replaced = (_PADDING, _VORBIS_COMMENT)
    parts = [
        (block.kind, _body(file, block))
        for block in blocks[1:]
        if block.kind not in replaced and not _is_riff(file, block)
    ]
    parts += _own_blocks(found, tags, chunks)
    data = _assembled(parts, room)
    file.seek(start)
    file.write(data)
    file.flush()


def _assembled(parts: list[tuple[int, bytes]], room: int) -> bytes:
    """Return blocks and padding of exactly ``room`` bytes."""
    needed = sum(4 + len(body) for _, body in parts)
    free = room - needed
    # A padding block takes four bytes at least.
    if free < 4 and free != 0:
        raise ValueError(f"FLAC metadata needs {needed} bytes (or 4 more), but the file has room for {room}")
    while free:
        size = min(free - 4, _LONGEST)
        if 0 < free - 4 - size < 4:
            size -= 4  # or the rest would have no place for a header
        parts = [*parts, (_PADDING, bytes(size))]
        free -= 4 + size
    flags = [0] * (len(parts) - 1) + [0x80]
    return b"".join(
        bytes([kind | flag]) + len(body).to_bytes(3, "big") + body
        for (kind, body), flag in zip(parts, flags, strict=True)
    )


def _needed(tags: Mapping[str, str], chunks: Mapping[bytes, bytes]) -> int:
    """Return the bytes that these need at most, for any length and format of the sound."""
    largest = FlacBlocks(rate=48_000, channels=8, bits=24, length=(1 << 36) - 1)
    heads = _own_blocks(largest, tags, dict.fromkeys(chunks, b""))
    bodies = sum(len(body) + len(body) % 2 for body in chunks.values())
    return _SLACK + sum(4 + len(body) for _, body in heads) + bodies


def _own_blocks(
    sound: FlacBlocks, tags: Mapping[str, str], chunks: Mapping[bytes, bytes]
) -> list[tuple[int, bytes]]:
    blocks = [(_VORBIS_COMMENT, _build_comments(sound.vendor, tags))]
    if chunks:
        blocks += [(_APPLICATION, _RIFF + part) for part in _wave_parts(sound, chunks, _mask(sound, tags))]
    return blocks


def _build_comments(vendor: str, tags: Mapping[str, str]) -> bytes:
    parts = [_counted(vendor), len(tags).to_bytes(4, "little")]
    for name, text in tags.items():
        if not name or any(not " " <= letter <= "}" or letter == "=" for letter in name):
            raise ValueError(f"a FLAC tag cannot be named {name!r}: ASCII without = and ~ is allowed")
        parts.append(_counted(f"{name.upper()}={text}"))
    return b"".join(parts)


def _counted(text: str) -> bytes:
    coded = text.encode("utf-8", _TEXT)
    return len(coded).to_bytes(4, "little") + coded


def _mask(sound: FlacBlocks, tags: Mapping[str, str]) -> int:
    """Return the channel mask: what a tag says, else the order of channels in FLAC."""
    stated = next((text for name, text in tags.items() if name.lower() == _MASK_TAG), "")
    try:
        mask = int(stated, 16)
    except ValueError:
        mask = -1
    return mask if 0 <= mask < 1 << 32 else _MASKS[sound.channels - 1]


def _wave_parts(sound: FlacBlocks, chunks: Mapping[bytes, bytes], mask: int) -> list[bytes]:
    """Return the WAV file that this would be, without its samples: its head, chunks, and the data's head.

    Beyond 4 GiB it would be RF64, which states its sizes in a chunk of its own.
    """
    for name in chunks:
        if len(name) != 4 or name in _STRUCTURE:
            raise ValueError(f"a chunk cannot be named {name!r}: four bytes, and not one of WAV's own")
    middle = [_chunk(b"fmt ", _format(sound, mask)), *(_chunk(name, body) for name, body in chunks.items())]
    data = sound.length * sound.channels * -(-sound.bits // 8)
    size = 4 + sum(map(len, middle)) + 8 + data + (data & 1)
    if size < 0xFFFFFFFF:
        return [struct.pack("<4sI4s", b"RIFF", size, b"WAVE"), *middle, struct.pack("<4sI", b"data", data)]
    sizes = _chunk(b"ds64", struct.pack("<QQQI", size + 36, data, sound.length, 0))
    head = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
    return [head, sizes, *middle, struct.pack("<4sI", b"data", 0xFFFFFFFF)]


def _format(sound: FlacBlocks, mask: int) -> bytes:
    """Return the body of ``fmt ``: extended beyond two channels, 16 bits and bytes filled."""
    size = -(-sound.bits // 8)
    frame = sound.channels * size
    plain = sound.channels <= 2 and sound.bits in (8, 16) and mask == _MASKS[sound.channels - 1]
    head = struct.pack(
        "<HHIIHH",
        1 if plain else 0xFFFE,
        sound.channels,
        sound.rate,
        min(sound.rate * frame, 0xFFFFFFFF),
        frame,
        size * 8,
    )
    return head if plain else head + struct.pack("<HHI", 22, sound.bits, mask) + _PCM_GUID


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) & 1)
