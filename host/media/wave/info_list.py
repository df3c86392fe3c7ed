"""Tags in LIST INFO chunks, and the names they have elsewhere.

Source: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", INFO list chunk.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .riff import chunk

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["build_info", "info_name", "parse_info", "unnamed"]

#: RIFF's ids by the names of Vorbis comments.
_IDS = {
    "title": b"INAM",
    "artist": b"IART",
    "album": b"IPRD",
    "date": b"ICRD",
    "comment": b"ICMT",
    "genre": b"IGNR",
    "tracknumber": b"IPRT",
    "copyright": b"ICOP",
    "software": b"ISFT",
    "language": b"ILNG",
}
_NAMES = {identifier: name for name, identifier in _IDS.items()} | {b"ITRK": "tracknumber"}
_OWN_ID = re.compile(r"[A-Z][A-Z0-9]{3}")


def info_name(identifier: bytes) -> str:
    """Return a tag's name by its RIFF id; an id without a name stands for itself."""
    return _NAMES.get(identifier) or identifier.decode("latin-1")


def parse_info(body: bytes) -> dict[str, str]:
    """Return the tags of a LIST chunk's body that begins with INFO; what is damaged is left out."""
    tags: dict[str, str] = {}
    at = 4
    while at + 8 <= len(body):
        identifier, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        raw = body[at + 8 : at + 8 + size].partition(b"\0")[0]
        if raw and identifier.isalnum():
            tags.setdefault(info_name(identifier), _text(raw))
        at += 8 + size + size % 2
    return tags


def build_info(tags: Mapping[str, str]) -> bytes:
    """Return a whole LIST chunk; b"" without a tag that RIFF has an id for."""
    entries = []
    for name, text in tags.items():
        identifier = _IDS.get(name) or (name.encode() if _OWN_ID.fullmatch(name) else None)
        if identifier is not None and text:
            entries.append(chunk(identifier, text.encode("utf-8", "surrogateescape") + b"\0"))
    return chunk(b"LIST", b"INFO" + b"".join(entries)) if entries else b""


def unnamed(tags: Mapping[str, str]) -> list[str]:
    """Return the tags that RIFF has no id for, which a LIST chunk therefore leaves out.

    Example:
        >>> unnamed({"title": "Rain", "composer": "Trad.", "IENG": "A. N."})
        ['composer']
    """
    return [name for name in tags if name not in _IDS and not _OWN_ID.fullmatch(name)]


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
