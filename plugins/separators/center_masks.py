"""What speaks for a voice in a bin: it is alike in both channels, does not stay as it is, and is no click.

Magnitudes and masks are float32 ``[frames, bins]``. Medians run over neighbours at equal distances; beyond
the ends the last frame or bin repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]

__all__ = ["TINY", "changing_mask", "likeness_mask", "local_mean", "tonal_mask"]

#: Keeps silence from being divided by itself; far below the square of what 24 bits hold.
TINY = np.float32(1e-25)
#: Frames between those that the long median takes, and how many it takes: 17 over 3 s at hop 1024.
_STEP, _LONG = 8, 17


def likeness_mask(
    left: npt.NDArray[np.complex64], right: npt.NDArray[np.complex64], narrowness: float
) -> Plane:
    """Return how much of a bin is the same in both channels, in level and in phase.

    With powers of the sum and the difference of the channels, averaged over three frames and bins,
    ``M / (M + narrowness S)``. In terms of the similarity ``p = 2 Re(L R*) / (|L|^2 + |R|^2)`` of C. Avendano
    and J.-M. Jot (JAES 52(7/8), 2004), of which it takes the part in phase, that is
    ``(1 + p) / (1 + p + narrowness (1 - p))``.

    Args:
        left: spectrum ``[frames, bins]``.
        right: likewise.
        narrowness: the larger, the less beside the centre is let through.
    """
    middle, side = (_box(np.square(np.abs(x))) for x in (left + right, left - right))
    return np.asarray(middle / (middle + np.float32(narrowness) * side + TINY), np.float32)


def changing_mask(magnitudes: Plane, weight: float) -> Plane:
    """Return how far a bin stands out from its own median over 3 s: what is held or comes again stays behind.

    The median of each bin over time is the harmonic part of D. Fitzgerald (DAFx 2010), over so long a time
    that sung notes with their slides and vibrato are no part of it.

    Args:
        magnitudes: of the mixture.
        weight: of the median against the magnitude.
    """
    few = magnitudes[::_STEP]
    held = np.median(np.stack(_moved(few, _LONG, 1, axis=0)), axis=0, overwrite_input=True)
    at = np.arange(len(magnitudes)) / np.float32(_STEP)
    before = at.astype(np.intp)
    share = (at - before)[:, None]
    after = np.minimum(before + 1, len(held) - 1)
    line = held[before] * (1 - share) + held[after] * share
    return _share(magnitudes, np.asarray(np.float32(weight) * line, np.float32))


def tonal_mask(magnitudes: Plane) -> Plane:
    """Return the harmonic mask of D. Fitzgerald (DAFx 2010): of five frames against 17 bins.

    Over bins it is J. W. Tukey's ninther (1978), the median of three medians of three bins, two bins apart,
    for a fraction of a median's cost.
    """
    along = _median5(_moved(magnitudes, 5, 1, axis=0))
    nine = _moved(magnitudes, 9, 2, axis=1)
    across = _median3(*(_median3(*nine[k : k + 3]) for k in (0, 3, 6)))
    return _share(along, across)


def local_mean(magnitudes: Plane, reach: int) -> Plane:
    """Return the mean of each bin and ``reach`` bins on either side."""
    padded = np.pad(magnitudes, [(0, 0), (reach + 1, reach)], mode="edge")
    sums = np.cumsum(padded, axis=1, dtype=np.float64)
    width = 2 * reach + 1
    return ((sums[:, width:] - sums[:, :-width]) / width).astype(np.float32)


def _share(wanted: Plane, other: Plane) -> Plane:
    squares = np.square(wanted)
    return np.asarray(squares / (squares + np.square(other) + TINY), np.float32)


def _moved(x: Plane, count: int, step: int, axis: int) -> list[Plane]:
    """Return ``x`` moved along an axis by ``step`` from one to the next, about its own place."""
    reach = count // 2 * step
    padded = np.pad(x, [(reach, reach) if k == axis else (0, 0) for k in range(2)], mode="edge")
    starts = range(0, 2 * reach + 1, step)
    if axis == 0:
        return [padded[start : start + len(x)] for start in starts]
    return [padded[:, start : start + x.shape[1]] for start in starts]


def _box(power: Plane) -> Plane:
    for axis in (0, 1):
        one, two, three = _moved(power, 3, 1, axis)
        power = one + two + three
    return power


def _median3(a: Plane, b: Plane, c: Plane) -> Plane:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def _median5(five: list[Plane]) -> Plane:
    a, b, c, d, e = five
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return _median3(low, high, e)
