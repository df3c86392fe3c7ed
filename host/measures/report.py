"""What was measured as data and as a table of comma-separated values."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from .summary import summaries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .evaluation import Row
    from .gauge import Figure
    from .measured import Measured

__all__ = ["as_csv", "as_data"]


def as_data(rows: Sequence[Row], figures: Sequence[Figure]) -> dict[str, Any]:
    """Return everything as data that JSON can hold.

    Each figure is ``{"value": number | "inf" | "-inf" | null, "note": text}``; null says why in its note.

    Args:
        rows: from `evaluate`.
        figures: which, from `figures_of`.
    """
    return {
        "figures": [{"name": one.name, "title": one.title, "unit": one.unit} for one in figures],
        "rows": [
            {
                "track": row.pair.track,
                "stem": row.pair.stem,
                "reference": str(row.pair.reference),
                "estimate": str(row.pair.estimate),
                "mixture": None if row.pair.mixture is None else str(row.pair.mixture),
                "rate": row.rate,
                "layout": row.layout,
                "length": row.length,
                "lag_samples": row.lag,
                "figures": _figures(row.figures, figures),
                "notes": list(row.notes),
            }
            for row in rows
        ],
        "summaries": [
            {"kind": one.kind, "stem": one.stem, "figures": _figures(one.figures, figures)}
            for one in summaries(rows, figures)
        ],
    }


def _figures(found: dict[str, Measured], figures: Sequence[Figure]) -> dict[str, Any]:
    return {figure.name: found[figure.name].as_data() for figure in figures if figure.name in found}


def as_csv(rows: Sequence[Row], figures: Sequence[Figure]) -> str:
    """Return a table: a line for each row, a column for each figure, then the notes.

    Numbers in full precision, ``inf`` and ``-inf`` as such, and an empty cell where there is none; the last
    column says why. Mean and median are left to the reader's own tools.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["track", "stem", *(figure.name for figure in figures), "notes"])
    for row in rows:
        found = [row.figures.get(figure.name) for figure in figures]
        cells = ["" if one is None or one.value is None else repr(one.value) for one in found]
        notes = [
            f"{figure.name}: {one.note}"
            for figure, one in zip(figures, found, strict=True)
            if one and one.note
        ]
        writer.writerow([row.pair.track, row.pair.stem, *cells, " | ".join([*row.notes, *notes])])
    return out.getvalue()
