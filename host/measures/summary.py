"""What many rows come to: mean and median, over all and for each stem."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from .measured import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .evaluation import Row
    from .gauge import Figure

__all__ = ["Summary", "summaries"]


@dataclass(frozen=True, slots=True)
class Summary:
    """One figure for each column, over several rows.

    Attributes:
        kind: "mean" or "median".
        stem: over the rows of this stem alone; "" over all.
        figures: by name; None where no row has the number.
    """

    kind: str
    stem: str
    figures: dict[str, Measured]


def summaries(rows: Sequence[Row], figures: Sequence[Figure]) -> list[Summary]:
    """Return mean and median of each stem, where there are several of several tracks, then of all rows.

    Over what was measured; a row without the number counts for none. Infinite values count as such: one
    perfect estimate makes the mean infinite, which is what the median is for.
    """
    if len(rows) < 2:
        return []
    stems = list(dict.fromkeys(row.pair.stem for row in rows))
    tracks = {row.pair.track for row in rows}
    groups = [*stems, None] if 1 < len(stems) < len(rows) and len(tracks) > 1 else [None]
    found = []
    for stem in groups:
        chosen = [row for row in rows if stem is None or row.pair.stem == stem]
        for kind, over in (("mean", _mean), ("median", median)):
            values = {figure.name: _over(chosen, figure.name, over) for figure in figures}
            found.append(Summary(kind, stem or "", values))
    return found


def _over(rows: Iterable[Row], name: str, over: Callable[[list[float]], float]) -> Measured:
    measured = [row.figures[name].value for row in rows if name in row.figures]
    values = [value for value in measured if value is not None]
    if not values:
        return Measured(None, "no row has it")
    value = over(values)
    if math.isnan(value):
        return Measured(None, "of values that are infinite either way")
    return Measured(value, "" if len(values) == len(measured) else f"of {len(values)} of {len(measured)}")


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
