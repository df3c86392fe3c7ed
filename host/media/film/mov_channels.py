"""Which loudspeaker each PCM channel of a QuickTime track belongs to, from its `chan` atom.

QuickTime lets a file order its channels as it likes; PCM stays in that order. ffprobe 5.1 names the
loudspeakers as if they stood in the order of WAVE, or not at all, so the atom is read here.

Sources: Apple, QuickTime File Format (atoms), CoreAudioBaseTypes.h (tags and labels of channel layouts).
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["pcm_speakers"]

_DESCRIPTIONS, _BITMAP, _SEVEN = 0, 1, 128
#: Tags of layouts by their number, and the loudspeakers in the order of the file; ffmpeg's names.
_TAGS = {
    100: "FC",
    101: "FL+FR",
    121: "FL+FR+FC+LFE+SL+SR",
    122: "FL+FR+SL+SR+FC+LFE",
    123: "FL+FC+FR+SL+SR+LFE",
    124: "FC+FL+FR+SL+SR+LFE",
    _SEVEN: "FL+FR+FC+LFE+SL+SR+BL+BR",
}
_FFMPEG_SEVEN = "FL+FR+FC+LFE+BL+BR+SL+SR"
#: Below 19 a label is the bit of WAVE's mask, plus one.
_ORDER = "FL+FR+FC+LFE+BL+BR+FLC+FRC+BC+SL+SR+TC+TFL+TFC+TFR+TBL+TBC+TBR"
_LABELS = dict(enumerate(_ORDER.split("+"), 1))
_LABELS |= {33: "BL", 34: "BR", 42: "FC"}  # rear surround, mono
_INSIDE = (b"mdia", b"minf", b"stbl", b"stsd")


def pcm_speakers(path: Path, encoder: str = "") -> dict[int, str]:
    """Return for each track that has a `chan` atom its loudspeakers in order, as ``FL+FR+FC``.

    "" stands for an atom that names none, or names what is not known here. Tracks without an atom, or with a
    bitmap (whose order is that of WAVE), are not listed. Keys count the tracks from 0.

    Args:
        path: the file.
        encoder: what wrote it, as its tag says: ffmpeg before 7 (Lavf61) kept WAVE's order under the tag of
            7.1, which by Apple's definition has the sides before the rears.
    """
    version = re.match(r"Lavf(\d+)", encoder)
    seven = _FFMPEG_SEVEN if version and int(version[1]) < 61 else _TAGS[_SEVEN]
    with path.open("rb") as file:
        end = file.seek(0, 2)
        tracks = [
            (start, stop)
            for kind, first, last in _atoms(file, 0, end)
            if kind == b"moov"
            for inner, start, stop in _atoms(file, first, last)
            if inner == b"trak"
        ]
        tags = {**_TAGS, _SEVEN: seven}
        found = {i: _of_track(file, start, stop, tags) for i, (start, stop) in enumerate(tracks)}
    return {i: speakers for i, speakers in found.items() if speakers is not None}


def _atoms(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of what each atom holds."""
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
        head = 8
        if size == 1:
            size, head = int.from_bytes(file.read(8), "big"), 16
        elif size == 0:
            size = end - start
        if size < head:
            return
        yield kind, start + head, min(start + size, end)
        start += size


def _of_track(file: BinaryIO, start: int, end: int, tags: Mapping[int, str]) -> str | None:
    for wanted in _INSIDE:
        inner = next(
            ((first, last) for kind, first, last in _atoms(file, start, end) if kind == wanted), None
        )
        if inner is None:
            return None
        start, end = inner
    file.seek(start + 8)  # version, number of entries; the first entry follows
    size = int.from_bytes(file.read(4), "big")
    file.seek(start + 8)
    entry = file.read(min(size, end - start - 8, 1 << 16))
    place = entry.find(b"chan", 8)
    if place < 0 or len(entry) < place + 20:
        return None
    tag, _, count = struct.unpack_from(">III", entry, place + 8)
    if tag >> 16 == _BITMAP:
        return None
    if tag != _DESCRIPTIONS:
        return tags.get(tag >> 16, "")
    if len(entry) < place + 20 + 20 * count:
        return ""
    return _labelled([struct.unpack_from(">I", entry, place + 20 + 20 * i)[0] for i in range(count)])


def _labelled(labels: list[int]) -> str:
    """Return loudspeakers by their labels; beside a rear pair the surround pair stands at the sides."""
    names = dict(_LABELS)
    if {33, 34} & set(labels):
        names |= {5: "SL", 6: "SR"}
    if not set(labels) <= set(names):
        return ""
    return "+".join(names[label] for label in labels)
