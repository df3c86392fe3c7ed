"""The audioBlockFormats of one channel as columns: millions of them stay small, and are checked at once."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UNSAID", "Blocks", "Odd", "Said"]

#: A time that a block does not state.
UNSAID = -1


class Said(IntFlag):
    """What a block states."""

    AZIMUTH = 1
    ELEVATION = 2
    DISTANCE = 4
    X = 8
    Y = 16
    Z = 32
    CARTESIAN = 64
    IN_ROOM = 128
    WIDTH = 256
    HEIGHT = 512
    DEPTH = 1024
    EXTENTS_DIFFER = 2048
    GAIN = 4096
    DECIBEL = 8192
    JUMP = 16384
    JUMPS = 32768
    WRONG_ID = 65536
    NO_ID = 131072
    POLAR = AZIMUTH | ELEVATION | DISTANCE
    ROOM = X | Y | Z
    EXTENT = WIDTH | HEIGHT | DEPTH


@dataclass(frozen=True, slots=True)
class Odd:
    """An element of a block that is not among the columns, or an attribute that few have.

    Attributes:
        name: of the element.
        text: in it.
        attributes: names and values.
    """

    name: str
    text: str
    attributes: tuple[tuple[str, str], ...] = ()


def _column(kind: str) -> array[float]:
    return array(kind)


def _whole(kind: str) -> array[int]:
    return array(kind)


@dataclass(slots=True)
class Blocks:
    """The blocks of a channel, in the order of the file. Take columns with `times` and its like.

    Attributes:
        rtime: nanoseconds, or `UNSAID`.
        duration: nanoseconds, or `UNSAID`.
        moving: interpolationLength in nanoseconds, or `UNSAID`.
        place: three numbers a block: azimuth, elevation, distance, or X, Y, Z; NaN where not stated.
        wide: numbers of the blocks that state an extent.
        extent: three numbers for each of those: width, height, depth; 0 where not stated.
        gain: linear; 1 where not stated.
        said: flags of `Said`.
        line: of the file's text.
        odd: for each block a number into `kinds`.
        kinds: what else blocks hold, each kind once; the first is nothing.
    """

    rtime: array[int] = field(default_factory=lambda: _whole("q"))
    duration: array[int] = field(default_factory=lambda: _whole("q"))
    moving: array[int] = field(default_factory=lambda: _whole("q"))
    place: array[float] = field(default_factory=lambda: _column("f"))
    wide: array[int] = field(default_factory=lambda: _whole("i"))
    extent: array[float] = field(default_factory=lambda: _column("f"))
    gain: array[float] = field(default_factory=lambda: _column("f"))
    said: array[int] = field(default_factory=lambda: _whole("i"))
    line: array[int] = field(default_factory=lambda: _whole("i"))
    odd: array[int] = field(default_factory=lambda: _whole("i"))
    kinds: dict[tuple[Odd, ...], int] = field(default_factory=lambda: {(): 0})

    def __len__(self) -> int:
        return len(self.said)

    @property
    def times(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """rtime, duration and interpolationLength, each ``[blocks]``."""
        return (
            np.array(self.rtime, np.int64),
            np.array(self.duration, np.int64),
            np.array(self.moving, np.int64),
        )

    @property
    def places(self) -> NDArray[np.float64]:
        """``[blocks, 3]``."""
        return np.array(self.place, np.float64).reshape(-1, 3)

    @property
    def extents(self) -> NDArray[np.float64]:
        """``[blocks, 3]``."""
        found = np.zeros((len(self), 3))
        found[np.array(self.wide, np.int64)] = np.array(self.extent, np.float64).reshape(-1, 3)
        return found

    @property
    def gains(self) -> NDArray[np.float64]:
        """``[blocks]``."""
        return np.array(self.gain, np.float64)

    @property
    def flags(self) -> NDArray[np.int64]:
        """``[blocks]``, sums of `Said`."""
        return np.array(self.said, np.int64)

    def others(self) -> list[tuple[Odd, ...]]:
        """Return the kinds of what else blocks hold, by number."""
        return list(self.kinds)

    def having(self, name: str) -> list[tuple[int, Odd]]:
        """Return such elements, each with the first block of its kind."""
        wanted = [(number, odd) for kind, number in self.kinds.items() for odd in kind if odd.name == name]
        if not wanted:
            return []
        numbers = np.array(self.odd, np.int64)
        return [(int(np.argmax(numbers == number)), odd) for number, odd in wanted]
