"""Whether a sound file is whole: libsndfile plays what is there and says nothing about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NO_LENGTH", "REMEDY", "fault", "shortened"]

_ORDERS: dict[bytes, Literal["little", "big"]] = {
    b"RIFF": "little",
    b"RF64": "little",
    b"RIFX": "big",
    b"FORM": "big",
}
_WIDTHS = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
NO_LENGTH = "is an MP3 that does not state its length; convert it to WAV"
#: What to do about a file that is not whole.
REMEDY = "copy or export it again, or take what is there with --salvage"
_NO_END = f"breaks off before its last page; {REMEDY}"
_PAGE = 1 << 16  # no Ogg page is longer
_MOST_CHUNKS = 4096  # no honest file has more


def shortened(declared: int, held: int) -> str:
    """Return the sentence about a file that ends too early."""
    return f"declares {declared} samples but ends after {held}: {declared - held} are missing; {REMEDY}"


def fault(path: Path, *, subtype: str, channels: int, frames: int) -> tuple[str, int | None]:
    """Return what an opened file lacks, or "", and how many samples it declares, if that can be told.

    Args:
        path: the file.
        subtype: libsndfile's name of its sample format.
        channels: how many it has.
        frames: samples per channel that libsndfile found.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if subtype.startswith("MPEG"):
            return ("" if _states_length(file) else NO_LENGTH), frames
        if file.read(4) == b"OggS":
            return ("", frames) if _has_last_page(file, size) else (_NO_END, None)
        file.seek(0)
        end = _declared_end(file)
    if end is None or end <= size:
        return "", frames
    if subtype not in _WIDTHS:
        return f"lacks the last {end - size} bytes of its sound; {REMEDY}", None
    # In whole samples: a file may lack a part of its last one and still hold `frames`.
    missing = -(-(end - size) // (_WIDTHS[subtype] * channels))
    return shortened(frames + missing, frames), frames + missing


def _declared_end(file: BinaryIO) -> int | None:
    """Return where the sound ends by the header of a WAV, RF64, W64, AIFF, AU or CAF file, if it says."""
    head = file.read(12)
    if head[:4] == b".snd":
        size = int.from_bytes(head[8:12], "big")
        return None if size == 0xFFFFFFFF else int.from_bytes(head[4:8], "big") + size
    if head[:4] == b"riff":
        return _walk_w64(file)
    if head[:4] == b"caff":
        return _walk_caf(file)
    return _walk_riff(file, _ORDERS[head[:4]]) if head[:4] in _ORDERS else None


def _walk_riff(file: BinaryIO, order: Literal["little", "big"]) -> int | None:
    whole = None
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return None
        name, size, start = head[:4], int.from_bytes(head[4:], order), file.tell()
        if name in {b"data", b"SSND"}:
            if whole is None and _unknown(size):
                return None
            return start + (size if whole is None else whole)
        if name == b"ds64":
            whole = int.from_bytes(file.read(16)[8:], "little")
        file.seek(start + size + size % 2)
    return None


def _walk_w64(file: BinaryIO) -> int | None:
    start = 40
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        head = file.read(24)
        if len(head) < 24:
            return None
        size = int.from_bytes(head[16:], "little")  # with the head's own 24 bytes, padded to 8
        if head[:4] == b"data" or start + size >= 1 << 62:
            return start + size
        start += max(size + -size % 8, 24)
    return None


def _walk_caf(file: BinaryIO) -> int | None:
    start = 8
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        head = file.read(12)
        size = int.from_bytes(head[4:], "big", signed=True)  # -1: to the end of the file
        if len(head) < 12 or size < 0:
            return None
        start += 12 + size
        if head[:4] == b"data" or start >= 1 << 62:
            return start
    return None


def _unknown(size: int) -> bool:
    """Return whether a size is one that programs write into a pipe, where they cannot know it."""
    return 0x7FFF0000 <= size <= 0x80000000 or size >= 0xFFFF0000


def _has_last_page(file: BinaryIO, size: int) -> bool:
    """Return whether the last Ogg page is there in full and flagged as the last of its stream."""
    start = max(0, size - 2 * _PAGE)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27 or not tail[at + 5] & 4:
        return False
    lacing = tail[at + 27 : at + 27 + tail[at + 26]]
    return len(lacing) == tail[at + 26] and at + 27 + len(lacing) + sum(lacing) <= len(tail)


def _states_length(file: BinaryIO) -> bool:
    """Return whether the first MPEG frame holds a length; without one libsndfile guesses it."""
    head = file.read(10)
    tag = 0
    if head[:3] == b"ID3":
        for byte in head[6:10]:  # seven bits each
            tag = tag << 7 | byte & 127
        tag += 10
    file.seek(tag)
    frame = file.read(2048)
    return any(name in frame for name in (b"Xing", b"Info", b"VBRI"))
