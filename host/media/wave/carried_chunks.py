"""RIFF chunks that say something of the sound, to `Metadata` and back; the same in WAV and FLAC."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .bext import build_bext, parse_bext
from .info_list import parse_info

if TYPE_CHECKING:
    from ..metadata import Metadata

__all__ = ["CARRIED", "chunks_of", "understood"]

_AS_THEY_STAND = {b"chna": "chna", b"iXML": "ixml", b"axml": "axml", b"cue ": "cue"}
#: The chunks that travel from input to outputs.
CARRIED = frozenset({b"bext", b"LIST", *_AS_THEY_STAND})


def understood(metadata: Metadata, name: bytes, body: bytes) -> Metadata:
    """Return the metadata with what one chunk adds; a chunk that is not carried adds nothing.

    The first of two chunks that say the same thing wins.
    """
    if name == b"bext":
        return metadata if metadata.bext is not None else replace(metadata, bext=parse_bext(body))
    if name == b"LIST" and body[:4] == b"INFO":
        return replace(metadata, tags={**parse_info(body), **metadata.tags})
    if name == b"LIST" and body[:4] == b"adtl":
        return replace(metadata, adtl=body) if metadata.adtl is None else metadata
    field = _AS_THEY_STAND.get(name)
    if field is None or getattr(metadata, field) is not None:
        return metadata
    added: dict[str, Any] = {field: body}
    return replace(metadata, **added)


def chunks_of(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """Return the chunks that say all this but the tags, id and body, in the order of a broadcast WAV."""
    chunks = []
    if metadata.bext is not None:
        chunks.append((b"bext", build_bext(metadata.bext)))
    for name, field in _AS_THEY_STAND.items():
        if (body := getattr(metadata, field)) is not None:
            chunks.append((name, body))
    if metadata.adtl is not None:
        chunks.append((b"LIST", metadata.adtl))
    return chunks
