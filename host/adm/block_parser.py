"""The fast part of reading `axml`: what stands within an audioBlockFormat, into columns."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ..contract.errors import plain
from .blocks import UNSAID, Odd, Said
from .elements import Fault
from .timing import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.parsers.expat import XMLParserType

    from .elements import Channel, Document

__all__ = ["BlockParser", "nanoseconds"]

_MOST_FAULTS = 1000
#: Numbers of blocks are far smaller, and columns hold no larger ones.
_MOST = 1e30
_USUAL = re.compile("([0-9]{2}:[0-5][0-9]):([0-5][0-9])[.]([0-9]{5})")
_AXES = {
    "azimuth": (0, int(Said.AZIMUTH)),
    "elevation": (1, int(Said.ELEVATION)),
    "distance": (2, int(Said.DISTANCE)),
    "X": (0, int(Said.X)),
    "Y": (1, int(Said.Y)),
    "Z": (2, int(Said.Z)),
}
_EXTENTS = {"width": (0, int(Said.WIDTH)), "height": (1, int(Said.HEIGHT)), "depth": (2, int(Said.DEPTH))}
_ROOM, _CARTESIAN, _JUMP, _JUMPS = int(Said.IN_ROOM), int(Said.CARTESIAN), int(Said.JUMP), int(Said.JUMPS)
_GAIN, _DECIBEL, _DIFFER, _WRONG_ID, _NO_ID = (
    int(Said.GAIN),
    int(Said.DECIBEL),
    int(Said.EXTENTS_DIFFER),
    int(Said.WRONG_ID),
    int(Said.NO_ID),
)
_ANY_EXTENT = int(Said.EXTENT)
_NO_PLACE, _NOTHING = (math.nan,) * 3, (0.0,) * 3
_BLOCK = "audioBlockFormat"


@lru_cache(maxsize=1 << 14)
def nanoseconds(text: str) -> int | None:
    """Return the nearest nanosecond to a time of ADM, or None when it is none.

    Example:
        >>> nanoseconds("00:00:01.00002"), nanoseconds("1.5")
        (1000020000, None)
    """
    found = _USUAL.fullmatch(text)
    if found is not None:
        minutes, seconds, parts = found.groups()
        return (_minutes(minutes) + int(seconds)) * 1_000_000_000 + int(parts) * 10_000
    exact = parse_time(text)
    return None if exact is None else round(exact * 1_000_000_000)


@lru_cache(maxsize=256)
def _length(text: str) -> int:
    """Return the nanoseconds that seconds are, or `UNSAID`; a file has few of them."""
    try:
        seconds = float(text)
    except ValueError:
        return UNSAID
    return round(seconds * 1e9) if 0 <= seconds < 1e6 else UNSAID


@lru_cache(maxsize=256)
def _minutes(text: str) -> int:
    """Return the seconds of so many hours and minutes; times that follow each other share them."""
    return int(text[:2]) * 3600 + int(text[3:5]) * 60


class BlockParser:
    """Takes a parser's elements while it is in a block, and gives them back behind it.

    Of all that happens only the ends of elements call Python: what begins, and text, go into a dict and a
    list by methods of theirs. A block that stands within a block ends it; ADM has none.

    Args:
        parser: whose elements.
        texts: where it puts text.
        document: where faults go.
        back: what to do behind a block.
    """

    def __init__(
        self, parser: XMLParserType, texts: list[str], document: Document, back: Callable[[], None]
    ) -> None:
        self._parser, self._texts, self._document, self._back = parser, texts, document, back
        self._attributes: dict[str, dict[str, str]] = {}
        self._begin = self._attributes.__setitem__
        self._place, self._extent, self._odd = [0.0] * 3, [0.0] * 3, list[Odd]()
        self._extent_texts: list[str] = []
        self._takes: dict[str, Callable[[str, str], None]] = {
            "cartesian": self._cartesian,
            "gain": self._set_gain,
            "jumpPosition": self._set_jump,
            **dict.fromkeys(_EXTENTS, self._set_extent),
        }

    def start(self, channel: Channel, attributes: dict[str, str]) -> None:
        """Begin a block."""
        self._channel, self._blocks = channel, channel.blocks
        self._said, self._gain, self._moving = 0, 1.0, UNSAID
        blocks = self._blocks
        blocks.line.append(self._parser.CurrentLineNumber)
        number = f"AB_{channel.id[3:]}_{len(blocks.said) + 1:08x}"
        stated = attributes.get("audioBlockFormatID", "")
        if stated != number and stated.lower() != number.lower():
            self._said = _WRONG_ID if stated else _NO_ID
        get = attributes.get
        rtime, duration = nanoseconds(get("rtime", "-")), nanoseconds(get("duration", "-"))
        blocks.rtime.append(self._time("rtime", get("rtime")) if rtime is None else rtime)
        blocks.duration.append(self._time("duration", get("duration")) if duration is None else duration)
        self._place[:] = _NO_PLACE
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end

    def _end(self, name: str) -> None:
        texts = self._texts
        # Text before an element is space; what stands in it comes last, or in several pieces if it is long.
        text = (texts[-1] if len(texts) < 3 else "".join(texts)) if texts else ""
        texts.clear()
        if name == "position":
            attributes = self._attributes["position"]
            axis = _AXES.get(attributes.get("coordinate", ""))
            if axis is None or len(attributes) > 1 or self._said & axis[1]:
                self._unusual_position(text, attributes)
                return
            self._said |= axis[1]
            try:
                self._place[axis[0]] = value = float(text)
            except ValueError:
                value = math.nan
            if not -_MOST < value < _MOST:
                self._place[axis[0]] = self._number(attributes["coordinate"], text)
        elif name == _BLOCK:
            self._finish()
        elif (take := self._takes.get(name)) is not None:
            take(name, text)
        else:
            self._unusual(name, text)

    def _unusual(self, name: str, text: str) -> None:
        """Take an element that few blocks have, or one whose name has a prefix."""
        local = name.rpartition(":")[2]
        attributes = self._attributes.get(name, {})
        if local != name and (local in self._takes or local in {"position", _BLOCK}):
            self._attributes[local] = attributes
            self._texts.append(text)
            self._end(local)
        else:
            self._keep(local, text, attributes)

    def _finish(self) -> None:
        blocks, said = self._blocks, self._said
        blocks.place.extend(self._place)
        if said & _ANY_EXTENT:
            if len(set(self._extent_texts)) > 1:
                said |= _DIFFER
            blocks.wide.append(len(blocks.said))
            blocks.extent.extend(self._extent)
            self._extent[:] = _NOTHING
            self._extent_texts.clear()
        blocks.gain.append(self._gain)
        blocks.moving.append(self._moving)
        if self._odd:
            odd = tuple(self._odd)
            self._odd.clear()
            blocks.odd.append(blocks.kinds.setdefault(odd, len(blocks.kinds)))
        else:
            blocks.odd.append(0)
        blocks.said.append(said)
        self._back()

    def _unusual_position(self, text: str, attributes: dict[str, str]) -> None:
        axis = _AXES.get(attributes.get("coordinate", ""))
        if axis is None:
            self._fault(f"a position without a coordinate that is known: {attributes.get('coordinate')!r}")
            return
        if len(attributes) > 1:
            self._keep("position", text, attributes)
            if "bound" in attributes:  # limits around the place, which is stated without one
                return
        self._once(axis[1], attributes["coordinate"])
        self._place[axis[0]] = self._number(attributes["coordinate"], text)

    def _cartesian(self, name: str, text: str) -> None:
        self._once(_CARTESIAN, name)
        if text == "1" or self._switch(name, text):
            self._said |= _ROOM

    def _set_extent(self, name: str, text: str) -> None:
        at, flag = _EXTENTS[name]
        self._once(flag, name)
        self._extent[at] = self._number(name, text)
        self._extent_texts.append(text)

    def _set_gain(self, name: str, text: str) -> None:
        self._once(_GAIN, name)
        value, unit = self._number(name, text), self._attributes[name].get("gainUnit", "linear")
        if unit == "dB":
            self._said |= _DECIBEL
            value = 10 ** (min(value, 200) / 20)
        elif unit != "linear":
            self._fault(f"a gainUnit of {unit!r}: it is linear or dB")
        self._gain = value

    def _set_jump(self, name: str, text: str) -> None:
        self._once(_JUMP, name)
        if text == "1" or self._switch(name, text):
            self._said |= _JUMPS
        length = self._attributes[name].get("interpolationLength")
        if length is not None:
            self._moving = _length(length)
            if self._moving == UNSAID:
                self._fault(f"an interpolationLength of {length!r}: it is seconds, from 0")

    def _once(self, flag: int, name: str) -> None:
        if self._said & flag:
            self._fault(f"its {name} is stated twice")
        self._said |= flag

    def _switch(self, name: str, text: str) -> bool:
        if (value := text.strip()) not in {"0", "1"}:
            self._fault(f"a {name} of {text!r}: it is 0 or 1")
        return value == "1"

    def _keep(self, name: str, text: str, attributes: dict[str, str]) -> None:
        told = tuple((plain(key), plain(value)) for key, value in attributes.items())
        self._odd.append(Odd(name, plain(text.strip()), told))

    def _time(self, name: str, text: str | None) -> int:
        if text is None:
            return UNSAID
        found = nanoseconds(text)
        if found is None:
            self._fault(f"a {name} of {text!r}: it is HH:MM:SS.fffff")
            return UNSAID
        return found

    def _number(self, name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not -_MOST < value < _MOST:
            self._fault(f"a {name} of {text!r}: it is a number")
            return math.nan
        return value

    def _fault(self, message: str) -> None:
        if len(self._document.faults) < _MOST_FAULTS:
            number = len(self._blocks) + 1
            line = self._blocks.line[-1]
            place = f"audioChannelFormat {self._channel.id} {_BLOCK} {number} (line {line})"
            self._document.faults.append(Fault(place, plain(message)))
