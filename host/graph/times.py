"""Points in programme time, exactly: seconds, clock time or samples, turned into samples once."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["Moment", "parse_moment"]

# So many digits that every moment is far below 2**63 samples.
_CLOCK = re.compile(r"(?:(?P<h>[0-9]{1,5}):)?(?P<m>[0-9]{1,2}):(?P<s>[0-9]{1,2}(?:\.[0-9]{1,18})?)")
_SAMPLES = re.compile(r"([0-9]{1,14}) samples?")
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,18})?) ?s")


class Moment:
    """A time that is exact either in seconds or in samples.

    Example:
        >>> parse_moment("00:00:10.5").sample(48000)
        504000
        >>> parse_moment("441 samples").sample(48000)
        441
    """

    __slots__ = ("_samples", "_seconds")

    def __init__(self, *, seconds: Fraction | None = None, samples: int | None = None) -> None:
        self._seconds, self._samples = seconds, samples

    def sample(self, rate: int) -> int:
        """Return the sample nearest to this time at ``rate`` Hz; halves round up."""
        if self._samples is not None:
            return self._samples
        assert self._seconds is not None  # noqa: S101 - one of the two is always given
        return int(self._seconds * rate + Fraction(1, 2))


def parse_moment(value: object) -> Moment:
    """Read ``10.5``, ``"10.5 s"``, ``"00:00:10.500"``, ``"0:10.5"`` or ``"504000 samples"``.

    Raises:
        ValueError: it is none of these, or negative.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < 1e9:
            raise ValueError(f"{value!r:.80} is not a time from 0 to 1e9 seconds")
        return Moment(seconds=Fraction(str(value)))
    text = str(value).strip()
    if match := _SAMPLES.fullmatch(text):
        return Moment(samples=int(match[1]))
    if match := _SECONDS.fullmatch(text):
        return Moment(seconds=Fraction(match[1]))
    match = _CLOCK.fullmatch(text)
    if match and Fraction(match["s"]) < 60 and (match["h"] is None or int(match["m"]) < 60):
        return Moment(seconds=int(match["h"] or 0) * 3600 + int(match["m"]) * 60 + Fraction(match["s"]))
    raise ValueError(f"{value!r:.80} is not a time; write seconds, HH:MM:SS.mmm or 'N samples'")
