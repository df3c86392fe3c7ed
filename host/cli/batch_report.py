"""``unbraid batch report DIR``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["command"]


def _number(ctx: click.Context, param: click.Parameter, value: str) -> int | None:  # noqa: ARG001
    """Return a number, or None for "all"."""
    if value == "all":
        return None
    if value.isascii() and value.isdecimal():
        return int(value)
    raise click.BadParameter(f"{value!r} is neither a number nor all")


@click.command("report")
@click.argument("folder", metavar="DIR")
@click.option("--html", metavar="FILE", help="Pages for people.  [default: DIR/report.html]")
@click.option("--json", "data", metavar="FILE", help="Data for programs; - for standard output.")
@click.option(
    "--measure",
    callback=_number,
    default="50",
    metavar="N",
    help="Files whose loudness to measure where the batch did not, or all.  [default: 50]",
)
@click.option("--pictures", type=click.IntRange(0), default=500, metavar="N", help="Outputs with a picture.")
@click.option("--rows", type=click.IntRange(1), default=1000, metavar="N", help="Jobs on a page.")
@click.option("--overwrite", is_flag=True, help="Replace files that are no earlier reports, too.")
def command(
    folder: str,
    html: str | None,
    data: str | None,
    measure: int | None,
    pictures: int,
    rows: int,
    overwrite: bool,
) -> None:
    """Tell what came of the batch in DIR, failures first.

    Pages of HTML that load nothing from elsewhere, a row a job with its outputs, their loudness and pictures;
    or the same as JSON. What is measured is kept for later reports.
    """
    from ..jobs.report import Wish, report, stream_json

    wish = Wish(measure=measure, pictures=pictures, rows=rows, overwrite=overwrite)
    if data == "-":
        if html is not None:
            raise click.UsageError("--json - leaves no place to say where pages are; give --json a file")
        stream_json(Path(folder), sys.stdout, wish=wish, told=_told())
        return
    page = Path(html) if html is not None else None if data is not None else Path(folder) / "report.html"
    made = report(Path(folder), html=page, json=None if data is None else Path(data), wish=wish, told=_told())
    files = [*made.pages[:1], *([data] if data is not None else [])]
    more = f" and {len(made.pages) - 1} more pages" if len(made.pages) > 1 else ""
    left = f"; loudness of {made.left:,} outputs not measured, see --measure" if made.left else ""
    status = made.status
    click.echo(f"{' '.join(map(str, files))}{more}: {status.jobs:,} jobs, {status.failed:,} failed{left}")


def _told() -> Callable[[int], None]:
    """Return what shows how many files have been measured, where somebody looks."""
    if sys.stderr is None or not sys.stderr.isatty():
        return lambda _: None
    return lambda count: click.echo(f"\rmeasured {count:,} files", nl=False, err=True)
