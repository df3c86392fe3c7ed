"""The `chna` chunk: which track of the file is which channel of the ADM (ITU-R BS.2088-1, section 8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TrackUse", "build_chna", "parse_chna"]

_HEAD, _ENTRY = struct.Struct("<HH"), struct.Struct("<H12s14s11sx")


@dataclass(frozen=True, slots=True)
class TrackUse:
    """One entry.

    Attributes:
        track: of the file, from 1.
        uid: ``ATU_00000001``.
        format: the audioTrackFormat, ``AT_00031001_01``, or the audioChannelFormat.
        pack: the audioPackFormat, ``AP_00031001``.
    """

    track: int
    uid: str
    format: str
    pack: str


def build_chna(uses: Sequence[TrackUse]) -> bytes:
    """Return a chunk's body."""
    tracks = len({use.track for use in uses})
    entries = (
        _ENTRY.pack(use.track, use.uid.encode(), use.format.encode(), use.pack.encode()) for use in uses
    )
    return _HEAD.pack(tracks, len(uses)) + b"".join(entries)


def parse_chna(body: bytes) -> list[TrackUse]:
    """Return the entries of a body; unused ones, whose track is 0, are left out.

    Raises:
        ValueError: the body is too short for what it declares.
    """
    if len(body) < _HEAD.size:
        raise ValueError(f"has {len(body)} bytes instead of 4 and more")
    _, count = _HEAD.unpack_from(body)
    if len(body) < _HEAD.size + count * _ENTRY.size:
        raise ValueError(f"declares {count} entries of {_ENTRY.size} bytes, but has {len(body)} bytes")
    uses = []
    for number in range(count):
        track, *texts = _ENTRY.unpack_from(body, _HEAD.size + number * _ENTRY.size)
        if track:
            uid, used, pack = (text.rstrip(b"\0 ").decode("ascii", "replace") for text in texts)
            uses.append(TrackUse(track, uid, used, pack))
    return uses
