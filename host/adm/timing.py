"""Times of ADM: hours, minutes, seconds and five decimals, rounded so that blocks tile without gaps."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["TICKS", "Clock", "parse_time", "time_text"]

#: Steps of a second that five decimals tell apart.
TICKS = 100_000
_TIME = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])(?:[.]([0-9]+)(?:S([1-9][0-9]*))?)?")


class Clock:
    """Samples of a rate as times.

    Durations are differences of rounded times, never rounded themselves: so a block ends where the next
    starts.

    Args:
        rate: Hz.

    Example:
        >>> clock = Clock(48000)
        >>> clock.text(48001), clock.between(48001, 96000)
        ('00:00:01.00002', '00:00:00.99998')
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate

    def ticks(self, sample: int) -> int:
        """Return the nearest tick to a sample."""
        return (2 * sample * TICKS + self.rate) // (2 * self.rate)

    def text(self, sample: int) -> str:
        """Return when a sample is."""
        return time_text(self.ticks(sample))

    def between(self, start: int, end: int) -> str:
        """Return how long it is from one sample to another."""
        return time_text(self.ticks(end) - self.ticks(start))


def time_text(ticks: int) -> str:
    """Return so many ticks as text.

    Example:
        >>> time_text(360_000_001)
        '01:00:00.00001'
    """
    seconds, rest = divmod(ticks, TICKS)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:05d}"


def parse_time(text: str) -> Fraction | None:
    """Return the seconds that a time says, in decimals or samples (``00:00:01.24000S48000``), or None.

    Example:
        >>> parse_time("00:00:01.24000S48000")
        Fraction(3, 2)
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds, parts, rate = found.groups()
    whole = 3600 * int(hours) + 60 * int(minutes) + int(seconds)
    if parts is None:
        return Fraction(whole)
    if rate is None:
        return whole + Fraction(int(parts), 10 ** len(parts))
    return None if int(parts) >= int(rate) else whole + Fraction(int(parts), int(rate))
