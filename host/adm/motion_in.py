"""From a channel's blocks to an object's motion: times to samples, places to angles, jumps to ramps.

Sources: ITU-R BS.2076-2, section 5.4.3 (blocks); ITU-R BS.2127-1, section 7.3 (when gains move).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..scene.motion import Motion
from ..scene.places import DOLBY, ITU, to_angles
from .blocks import UNSAID, Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .elements import Channel

__all__ = ["Faulty", "Span", "motion_of"]

_SECOND = 1_000_000_000
#: Gaps and overlaps that rounding makes: two of its steps of 10 us.
_ROUNDING = 20_000
#: Samples by which the end of the last block may miss the sound's.
_SLACK = 2


class Faulty(Exception):  # noqa: N818 - whoever reads knows the file and makes an error of it
    """A channel that no motion comes from: which block, and why."""


@dataclass(frozen=True, slots=True)
class Span:
    """When an object sounds, in a file.

    Attributes:
        start: nanoseconds.
        end: nanoseconds.
        length: of the file, in samples.
        rate: Hz.
        room: whether places in a room are of Dolby's.
        gain: of the whole object, linear.
    """

    start: int
    end: int
    length: int
    rate: int
    room: bool
    gain: float = 1.0

    def sample(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the samples nearest to times in nanoseconds."""
        seconds, rest = np.divmod(times, _SECOND)
        found: NDArray[np.int64] = seconds * self.rate + (2 * rest * self.rate + _SECOND) // (2 * _SECOND)
        return found


def motion_of(channel: Channel, span: Span) -> tuple[Motion, list[str]]:
    """Return the motion that a channel's blocks tell, and what of them it does not hold exactly.

    Where no block is, before and behind the object and in gaps, its gain is 0.

    Raises:
        Faulty: blocks contradict themselves or each other.
    """
    blocks, warnings = channel.blocks, list(_beside(channel))
    if not len(blocks):
        raise Faulty(f"{channel.place}: has no audioBlockFormat")
    rtime, duration, moving = blocks.times
    flags, places, gains = blocks.flags, _places(channel, span), blocks.gains * span.gain
    start, end = _times(channel, rtime, duration, span)
    if (start[1:] < start[:-1]).any():
        order = np.argsort(start, kind="stable")
        start, end, moving = start[order], end[order], moving[order]
        flags, places, gains = flags[order], places[order], gains[order]
        warnings.append(f"{channel.place}: its blocks are not in the order of their times")
    late = np.flatnonzero(end[:-1] > start[1:] + _ROUNDING)
    if len(late):
        raise Faulty(f"{channel.block_place(int(late[0]))}: ends after the next block starts")
    joined = np.append(False, np.abs(end[:-1] - start[1:]) <= _ROUNDING)
    begin, until = span.sample(start), span.sample(end)
    until[:-1] = np.where(joined[1:], begin[1:], np.minimum(until[:-1], begin[1:]))
    ramp = _ramps(flags, moving, begin, until, span)
    ramp[~joined] = 0
    if (cut := ramp > until - begin).any():
        at = channel.block_place(int(np.argmax(cut)))
        warnings.append(f"{at}: its move takes longer than the block; it ends with the block")
        ramp = np.minimum(ramp, until - begin)
    return _assembled(begin, until, ramp, places, gains, joined, span), warnings


def _beside(channel: Channel) -> Iterator[str]:
    """Yield what places say beside a direction and that is not heard here: distances, and depth."""
    blocks = channel.blocks
    polar, distance = (blocks.flags & Said.ROOM) == 0, blocks.places[:, 2]
    if (near := polar & (distance < 1)).any():
        yield f"{channel.block_place(int(np.argmax(near)))}: its distance is kept, but not heard"
    if (far := polar & (distance > 1)).any():
        yield f"{channel.block_place(int(np.argmax(far)))}: its distance is more than 1; it is taken for 1"
    if (deep := polar & (blocks.extents[:, 2] != 0)).any():
        yield f"{channel.block_place(int(np.argmax(deep)))}: its depth is left out"


def _times(
    channel: Channel, rtime: NDArray[np.int64], duration: NDArray[np.int64], span: Span
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when blocks start and end in the file; what is not stated is what it must be."""
    if (missing := rtime[1:] == UNSAID).any():
        at = channel.block_place(int(np.argmax(missing)) + 1)
        raise Faulty(f"{at}: does not say when it begins; give it an rtime")
    start = np.where(rtime == UNSAID, 0, rtime) + span.start
    follows = np.append(start[1:], max(span.end, int(start[-1])))
    end: NDArray[np.int64] = np.where(duration == UNSAID, follows, start + duration)
    return start, end


def _ramps(
    flags: NDArray[np.int64],
    moving: NDArray[np.int64],
    begin: NDArray[np.int64],
    until: NDArray[np.int64],
    span: Span,
) -> NDArray[np.int64]:
    """Return how long gains move: for the whole block, unless it jumps, at once or within a length."""
    jumps = (flags & Said.JUMPS) != 0
    length = np.where(moving == UNSAID, 0, span.sample(np.maximum(moving, 0)))
    found: NDArray[np.int64] = np.where(jumps, length, until - begin)
    return found


def _places(channel: Channel, span: Span) -> NDArray[np.float32]:
    """Return azimuth, elevation, distance, extent of each block."""
    blocks = channel.blocks
    flags, stated, extents = blocks.flags, blocks.places, blocks.extents
    room = (flags & Said.ROOM) != 0
    lacks = room & ((flags & (Said.X | Said.Y)) != (Said.X | Said.Y))
    lacks |= ~room & ((flags & (Said.AZIMUTH | Said.ELEVATION)) != (Said.AZIMUTH | Said.ELEVATION))
    if (bad := lacks | (room & ((flags & Said.POLAR) != 0))).any():
        raise Faulty(
            f"{channel.block_place(int(np.argmax(bad)))}: its position is not whole, or of two kinds"
        )
    if (bad := room & ((flags & Said.IN_ROOM) == 0)).any():
        at = channel.block_place(int(np.argmax(bad)))
        raise Faulty(f"{at}: its position is X, Y, Z, but it does not say that it is cartesian")
    third = np.where(np.isnan(stated[:, 2]), np.where(room, 0.0, 1.0), stated[:, 2])
    third = np.where(room, third, np.minimum(third, 1))
    angles = np.stack([stated[:, 0], stated[:, 1], third])
    if room.any():
        if (bad := room & (np.abs(angles) > 1).any(axis=0)).any():
            raise Faulty(f"{channel.block_place(int(np.argmax(bad)))}: its position is outside of the room")
        x, y, z = angles[:, room]
        angles[:, room] = to_angles(x, y, z, DOLBY if span.room else ITU)
    extent = np.where(room, 180.0, 1.0) * extents[:, :2].max(axis=1)
    return np.stack([*angles, extent], axis=1).astype(np.float32)


def _assembled(
    begin: NDArray[np.int64],
    until: NDArray[np.int64],
    ramp: NDArray[np.int64],
    places: NDArray[np.float32],
    gains: NDArray[np.float64],
    joined: NDArray[np.bool_],
    span: Span,
) -> Motion:
    """Return blocks from sample 0 on, with silence where there are none, without those of no length."""
    ends = np.append(~joined[1:] & (until[:-1] < begin[1:]), until[-1] < span.length - _SLACK)
    quiet = np.flatnonzero(ends)
    start = np.concatenate([begin, until[quiet]])
    order = np.argsort(start, kind="stable")
    zero = np.zeros(len(quiet))
    start, ramp = start[order], np.concatenate([ramp, zero.astype(np.int64)])[order]
    places = np.concatenate([places, places[quiet]])[order]
    gains = np.concatenate([gains, zero])[order]
    if start[0] > 0:
        start, ramp = np.append(0, start), np.append(0, ramp)
        places, gains = np.concatenate([places[:1], places]), np.append(0.0, gains)
    # Of blocks that begin at one sample the last counts; those past the sound are never heard.
    kept = np.append(start[1:] > start[:-1], True) & (start < max(span.length, 1))
    if not kept.any():
        kept[0] = True
    ramp, start = np.where(start == 0, 0, ramp)[kept], start[kept]
    held = np.diff(start, append=max(span.length, int(start[-1]) + 1))
    return Motion(start, np.minimum(ramp, held), places[kept], gains[kept].astype(np.float32))
