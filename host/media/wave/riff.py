"""The chunk layer of RIFF, RF64 and BW64 files: heads, sizes beyond 4 GiB, padding.

Sources: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (RIFF); EBU Tech 3306
(RF64); ITU-R BS.2088 (BW64).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..bytes_in import ByteInput

__all__ = [
    "CHUNK_LIMIT",
    "FORMS",
    "UNSAID",
    "Chunk",
    "Ds64",
    "chunk",
    "ds64_body",
    "file_head",
    "parse_ds64",
    "unknown_size",
    "walk",
]

FORMS = (b"RIFF", b"RF64", b"BW64")
UNSAID = 0xFFFFFFFF
#: The longest metadata chunk that is taken into memory.
CHUNK_LIMIT = 64 << 20
_DS64 = struct.Struct("<QQQI")
_MOST_CHUNKS = 4096


@dataclass(frozen=True, slots=True)
class Ds64:
    """The sizes that do not fit into 32 bits.

    Attributes:
        riff: bytes of the file after its first eight.
        data: bytes of the sound.
        samples: samples per channel; often 0 and not to be relied on.
        others: sizes of other long chunks by id.
    """

    riff: int
    data: int
    samples: int
    others: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk's head: its id, the size it declares, and where its body begins."""

    name: bytes
    size: int
    start: int

    @property
    def end(self) -> int:
        """Where the next chunk begins: bodies of odd size are padded."""
        return self.start + self.size + self.size % 2


def parse_ds64(body: bytes) -> Ds64 | None:
    """Return what a ``ds64`` body says; None when it is too short."""
    if len(body) < _DS64.size - 4:
        return None
    riff, data, samples, count = _DS64.unpack_from(body.ljust(_DS64.size, b"\0"))
    others = {}
    for at in range(_DS64.size, min(len(body), _DS64.size + 12 * count) - 11, 12):
        others[body[at : at + 4]] = int.from_bytes(body[at + 4 : at + 12], "little")
    return Ds64(riff, data, samples, others)


def ds64_body(riff: int, data: int, samples: int) -> bytes:
    """Return the 28 bytes of a ``ds64`` chunk without a table; as long as a JUNK that keeps its place."""
    return _DS64.pack(riff, data, samples, 0)


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a whole chunk, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def file_head(form: bytes, size: int) -> bytes:
    """Return the first twelve bytes; a size that does not fit is left to ds64."""
    return form + struct.pack("<I", size if form == b"RIFF" and size < UNSAID else UNSAID) + b"WAVE"


def unknown_size(size: int) -> bool:
    """Return whether a size is one that programs write into a pipe, where they cannot know it."""
    return 0x7FFF0000 <= size <= 0x80000000 or size >= 0xFFFF0000


def walk(data: ByteInput, sized: Callable[[Chunk], Chunk] = lambda found: found) -> Iterator[Chunk]:
    """Yield the chunks that follow, in their order; ``data`` stands at the first head, or behind it.

    Between two steps the caller may read the body it was told of; what it leaves of it is passed over. It
    ends where no whole head is left, and after 4,096 chunks, which no honest file has.

    Args:
        data: the bytes.
        sized: gives a chunk its true size where its head cannot hold it.
    """
    for _ in range(_MOST_CHUNKS):
        head = data.read(8)
        if len(head) < 8:
            return
        found = sized(Chunk(head[:4], int.from_bytes(head[4:], "little"), data.position))
        yield found
        data.skip_to(found.end)
