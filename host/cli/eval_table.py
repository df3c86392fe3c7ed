"""The table that ``unbraid eval`` prints, and below it what a reader must know of the numbers."""

from __future__ import annotations

import math
import shutil
import sys
from typing import TYPE_CHECKING

import click

from ..measures.summary import summaries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..measures.evaluation import Row
    from ..measures.gauge import Figure
    from ..measures.measured import Measured

__all__ = ["cell", "columns", "show"]

_ABSENT = "-"


def cell(value: float | None, digits: int) -> str:
    """Return a number as a table shows it: ``-`` for none.

    Example:
        >>> cell(12.345, 1), cell(float("-inf"), 1), cell(None, 1)
        ('12.3', '-inf', '-')
    """
    if value is None:
        return _ABSENT
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def columns(table: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of aligned columns, the first to the left and numbers to the right.

    What is wider than the terminal goes on below, the first column repeated; elsewhere lines stay whole.
    """
    from rich.cells import cell_len  # letters that take two places, or none

    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else 1 << 20
    groups: list[list[int]] = [[]]
    taken = widths[0]
    for k in range(1, len(widths)):
        if groups[-1] and taken + 2 + widths[k] > room:
            groups.append([])
            taken = widths[0]
        groups[-1].append(k)
        taken += 2 + widths[k]
    lines: list[str] = []
    for group in groups:
        lines += [""] if lines else []
        for row in table:
            name = row[0] + " " * (widths[0] - cell_len(row[0]))
            cells = [name, *(row[k].rjust(widths[k]) for k in group)]
            lines.append("  ".join(cells).rstrip())
    return lines


def show(rows: Sequence[Row], figures: Sequence[Figure]) -> None:
    """Print a line for each row, then mean and median, then notes."""
    shown = [one for one in figures if any(_value(row.figures, one) is not None for row in rows)]
    head = [["", *(one.title for one in shown)], ["", *(one.unit for one in shown)]]
    body = [_line(str(row.pair), row.figures, shown) for row in rows]
    for one in summaries(rows, figures):
        body += [_line(f"{one.kind} {one.stem}".rstrip(), one.figures, shown)]
    if shown:
        for line in columns([*head, *body]):
            click.echo(line)
    for line in _notes(rows, figures):
        click.echo(line)


def _value(found: dict[str, Measured], figure: Figure) -> float | None:
    return found[figure.name].value if figure.name in found else None


def _line(name: str, found: dict[str, Measured], figures: Sequence[Figure]) -> list[str]:
    return [name, *(cell(_value(found, figure), figure.digits) for figure in figures)]


def _notes(rows: Sequence[Row], figures: Sequence[Figure]) -> list[str]:
    """Return notes, each once, with the figures and rows that it is about."""
    notes: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for note in row.notes:
            notes.setdefault(note, {}).setdefault(str(row.pair), [])
        for figure in figures:
            note = row.figures[figure.name].note if figure.name in row.figures else ""
            if note:
                notes.setdefault(note, {}).setdefault(str(row.pair), []).append(figure.title)
    lines = []
    for note, about in notes.items():
        which = "" if len(about) == len(rows) and len(rows) > 1 else f"{_listed(list(about))}: "
        titles = list(dict.fromkeys(title for found in about.values() for title in found))
        lines.append(f"{which}{', '.join(titles)}{': ' if titles else ''}{note}")
    return lines


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
