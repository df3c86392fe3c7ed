"""The broadcast extension chunk `bext`, versions 0 to 2 (EBU Tech 3285)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Bext", "bext_tags", "build_bext", "parse_bext", "split_tags"]

_FIXED = struct.Struct("<256s32s32s10s8sQH64s5h180s")
_UNSET = 0x7FFF
_TAGS = ("description", "originator", "originator_reference", "origination_date", "origination_time")
_TEXT = "surrogateescape"


@dataclass(frozen=True, slots=True)
class Bext:
    """What a broadcast WAV says of itself. Texts keep bytes that are not UTF-8.

    Attributes:
        description: at most 256 bytes; so on 32 for the originator and its reference.
        origination_date: ``yyyy-mm-dd``.
        origination_time: ``hh:mm:ss``.
        time_reference: samples since midnight of the first sample, at the file's rate.
        version: 0, 1 (has a UMID) or 2 (has loudness).
        umid: 64 bytes.
        loudness: value, range, true peak, momentary and short-term maximum, in hundredths of their units;
            0x7FFF where unset.
        coding_history: one line for each step the sound went through.
    """

    description: str = ""
    originator: str = ""
    originator_reference: str = ""
    origination_date: str = ""
    origination_time: str = ""
    time_reference: int = 0
    version: int = 1
    umid: bytes = bytes(64)
    loudness: tuple[int, ...] = (_UNSET,) * 5
    coding_history: str = ""

    @property
    def has_loudness(self) -> bool:
        """Whether a loudness is stated."""
        return any(value != _UNSET for value in self.loudness)

    def at_rate(self, source: int, target: int) -> Bext:
        """Return the same moment counted in samples of another rate, the nearest."""
        return replace(self, time_reference=(2 * self.time_reference * target + source) // (2 * source))

    def passed_on(self, step: str) -> Bext:
        """Return what an output says: the same origin and place in time, one more line of history.

        The UMID and the loudness belong to the input's very samples, so outputs do not carry them.
        """
        history = self.coding_history.rstrip("\0\r\n")
        return replace(
            self,
            version=min(self.version, 1),
            umid=bytes(64),
            loudness=(_UNSET,) * 5,
            coding_history=f"{history}\r\n{step}\r\n" if history else f"{step}\r\n",
        )


def parse_bext(body: bytes) -> Bext | None:
    """Return what a chunk's body says; None when it is too short to be one."""
    if len(body) < _FIXED.size:
        return None
    texts = _FIXED.unpack_from(body)
    description, originator, reference, date, time = (_text(value) for value in texts[:5])
    version = texts[6]
    return Bext(
        description,
        originator,
        reference,
        date,
        time,
        texts[5],
        version,
        texts[7] if version >= 1 else bytes(64),
        texts[8:13] if version >= 2 else (_UNSET,) * 5,
        _text(body[_FIXED.size :]),
    )


def build_bext(bext: Bext) -> bytes:
    """Return a chunk's body; texts too long for their fields are cut at a whole character."""
    limits = (256, 32, 32, 10, 8)
    texts = (
        bext.description,
        bext.originator,
        bext.originator_reference,
        bext.origination_date,
        bext.origination_time,
    )
    fields = [_bytes(text, limit) for text, limit in zip(texts, limits, strict=True)]
    # Before version 1 the UMID's place was reserved, before 2 that of loudness: zero there.
    umid = bext.umid if bext.version >= 1 else bytes(64)
    loudness = bext.loudness if bext.version >= 2 else (0,) * 5
    time = min(max(bext.time_reference, 0), (1 << 64) - 1)
    fixed = _FIXED.pack(*fields, time, bext.version, umid, *loudness, bytes(180))
    history = bext.coding_history.encode("utf-8", _TEXT)
    # libsndfile cannot open RF64 with a bext of odd size.
    return fixed + history + b"\0" * (len(history) % 2)


def bext_tags(bext: Bext) -> dict[str, str]:
    """Return what formats with tags alone carry of it, under the names that ffmpeg gave them."""
    tags = {name: getattr(bext, name) for name in _TAGS if getattr(bext, name)}
    return {**tags, "time_reference": str(bext.time_reference)}


def split_tags(tags: Mapping[str, str]) -> tuple[dict[str, str], Bext | None]:
    """Return the tags without those that `bext_tags` gives, and what these say; None without a time.

    Example:
        >>> split_tags({"title": "Rain", "time_reference": "48000"})[1].time_reference
        48000
    """
    stated = tags.get("time_reference", "")
    if not (stated.isascii() and stated.isdigit() and len(stated) < 20):
        return dict(tags), None
    description, originator, reference, date, time = (tags.get(name, "") for name in _TAGS)
    rest = {name: text for name, text in tags.items() if name not in _TAGS and name != "time_reference"}
    return rest, Bext(description, originator, reference, date, time, int(stated))


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", _TEXT)


def _bytes(text: str, limit: int) -> bytes:
    whole = text.encode("utf-8", _TEXT)
    if len(whole) <= limit:
        return whole
    cut = whole[:limit]
    while cut and len(whole) > len(cut) and whole[len(cut)] & 0xC0 == 0x80:
        cut = cut[:-1]
    return cut
