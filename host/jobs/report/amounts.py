"""Durations, sizes and speeds as a reader likes them."""

from __future__ import annotations

__all__ = ["clock", "size", "span", "speed"]

_SIZES = ("B", "kB", "MB", "GB", "TB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def span(seconds: float) -> str:
    """Return how long something takes, in at most two units.

    Example:
        >>> span(0.25), span(42), span(754), span(12_000), span(200_000)
        ('0.2 s', '42 s', '12 min 34 s', '3 h 20 min', '2 d 7 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, name, part, of in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if seconds >= unit:
            whole, rest = divmod(round(seconds), unit)
            return f"{whole} {name} {rest // part} {of}"
    return f"{seconds:.0f} s"


def clock(seconds: float) -> str:
    """Return the length of a sound.

    Example:
        >>> clock(2.5), clock(75), clock(7384.25)
        ('0:02.5', '1:15.0', '2:03:04.2')
    """
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    text = f"{rest // 10:02d}.{rest % 10}"
    return f"{minutes // 60}:{minutes % 60:02d}:{text}" if minutes >= 60 else f"{minutes}:{text}"


def size(count: float) -> str:
    """Return a number of bytes, in powers of 1000.

    Example:
        >>> size(999), size(15_400), size(2.5e9)
        ('999 B', '15.4 kB', '2.5 GB')
    """
    for unit in _SIZES:
        if count < 1000 or unit == _SIZES[-1]:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def speed(programme: float, seconds: float) -> str:
    """Return how many seconds of sound a second of work gave; "" where that is not known.

    Example:
        >>> speed(3600, 90), speed(1, 8), speed(1, 0)
        ('40 x', '0.1 x', '')
    """
    if seconds <= 0:
        return ""
    ratio = programme / seconds
    return f"{ratio:.0f} x" if ratio >= 10 else f"{ratio:.1f} x"
