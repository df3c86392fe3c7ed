"""SMPTE timecode as text, frames and samples, in exact fractions (SMPTE ST 12-1).

At 30000/1001 frames a second, counting 30 frames for each second of the clock falls 3.6 s behind in an hour.
Drop-frame timecode skips the labels of frames 0 and 1 at each full minute but every tenth (0 to 3 at
60000/1001), so that the label stays near the clock. No frame is dropped, only its label.
"""

from __future__ import annotations

import re
from fractions import Fraction

from ...contract.errors import MediaError

__all__ = ["from_frames", "from_samples", "to_frames", "to_samples"]

_TEXT = re.compile(r"([0-9]{2})[:;]([0-9]{2})[:;]([0-9]{2})([:;.])([0-9]{2,3})")
_HALF = Fraction(1, 2)


def to_frames(text: str, rate: Fraction) -> int:
    """Return how many frames after midnight a timecode stands.

    Args:
        text: ``HH:MM:SS:FF``; ``;`` (or ``.``) before FF says that labels are dropped.
        rate: frames a second.

    Raises:
        MediaError: it is no timecode, or has no frame at this rate.

    Example:
        >>> to_frames("01:00:00;00", Fraction(30000, 1001)), to_frames("01:00:00:00", Fraction(25))
        (107892, 90000)
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise MediaError(f"timecode {text!r}: does not read HH:MM:SS:FF; write it so")
    hours, minutes, seconds, frame = (int(found[i]) for i in (1, 2, 3, 5))
    nominal = _nominal(rate)
    if hours > 23 or minutes > 59 or seconds > 59 or frame >= nominal:
        raise MediaError(
            f"timecode {text!r}: is not within 00:00:00:00 and 23:59:59:{nominal - 1:02}, "
            f"the last at {rate} frames a second; check the frame rate"
        )
    frames = ((hours * 60 + minutes) * 60 + seconds) * nominal + frame
    if found[4] == ":":
        return frames
    dropped = _dropped(rate, text)
    if seconds == 0 and frame < dropped and minutes % 10:
        raise MediaError(
            f"timecode {text!r}: does not exist, drop-frame timecode skips it; "
            f"take the next, {text.strip()[:-2]}{dropped:02}"
        )
    minutes += hours * 60
    return frames - dropped * (minutes - minutes // 10)


def from_frames(frames: int, rate: Fraction, *, drop: bool = False) -> str:
    """Return the timecode of a frame, counted from midnight; after 24 hours it begins again.

    Args:
        frames: 0 or more.
        rate: frames a second.
        drop: use drop-frame labels.

    Raises:
        MediaError: the rate has no drop-frame timecode.

    Example:
        >>> from_frames(1800, Fraction(30000, 1001), drop=True)
        '00:01:00;02'
    """
    nominal = _nominal(rate)
    if drop:
        dropped = _dropped(rate, "HH:MM:SS;FF")
        per_ten = 600 * nominal - 9 * dropped
        tens, rest = divmod(frames, per_ten)
        # The first minute of ten keeps all its labels, so it is longer than the nine after it.
        after = max(0, rest - 60 * nominal)
        minutes = 0 if rest < 60 * nominal else 1 + after // (60 * nominal - dropped)
        frames += dropped * (9 * tens + minutes)
    seconds, frame = divmod(frames % (86400 * nominal), nominal)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{clock}{';' if drop else ':'}{frame:02}"


def to_samples(text: str, frame_rate: Fraction, sample_rate: int) -> int:
    """Return the sample, counted from midnight, that is nearest to the beginning of a timecode's frame.

    Raises:
        MediaError: see `to_frames`.

    Example:
        >>> to_samples("00:00:01:00", Fraction(24000, 1001), 48000)
        48048
    """
    return _first_sample(to_frames(text, frame_rate), frame_rate, sample_rate)


def from_samples(samples: int, sample_rate: int, frame_rate: Fraction, *, drop: bool = False) -> str:
    """Return the timecode of the frame in which a sample stands; the inverse of `to_samples`.

    Example:
        >>> from_samples(48000 * 3600, 48000, Fraction(25))
        '01:00:00:00'
    """
    frame = int(samples * frame_rate / sample_rate)
    if _first_sample(frame + 1, frame_rate, sample_rate) <= samples:  # its beginning was rounded down
        frame += 1
    return from_frames(frame, frame_rate, drop=drop)


def _first_sample(frame: int, frame_rate: Fraction, sample_rate: int) -> int:
    return int(frame * sample_rate / frame_rate + _HALF)


def _nominal(rate: Fraction) -> int:
    """Return how many labels a second has: 30 at 30000/1001."""
    if rate < 1:
        raise MediaError(f"{rate} frames a second have no timecode; give the film's frame rate")
    return int(rate + _HALF)


def _dropped(rate: Fraction, text: str) -> int:
    """Return how many labels a minute skips: two for each 30 frames a second."""
    thirties = rate * 1001 / 30000
    if thirties.denominator != 1:
        raise MediaError(
            f"timecode {text!r}: only 29.97 and 59.94 frames a second drop frames, not {rate}; "
            "write ':' before the frames"
        )
    return 2 * int(thirties)
