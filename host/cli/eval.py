"""``unbraid eval REFERENCE ESTIMATE``."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..measures.catalogue import Measure
    from ..measures.evaluation import Row
    from ..measures.pairs import Pair

__all__ = ["command"]


@click.command("eval")
@click.argument("reference", required=False)
@click.argument("estimate", required=False)
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME,...",
    help="What to measure; `list` shows what there is.  [default: all that is installed]",
)
@click.option(
    "--mixture", metavar="FILE", help="The unprocessed input, or a folder of them: shows improvements too."
)
@click.option("--csv", "table", metavar="FILE", help="Write a table of comma-separated values.")
@click.option("--pictures", metavar="DIR", help="Write a PNG for each track: spectrograms, error over time.")
@click.option(
    "--missing",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What to do about files without a partner.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(
    reference: str | None,
    estimate: str | None,
    measures: tuple[str, ...],
    mixture: str | None,
    missing: Any,
    **more: Any,
) -> int:
    """Measure ESTIMATE against REFERENCE: two files, or two folders whose names agree.

    In folders, TRACK/STEM.wav stands against TRACK/STEM.wav, and NAME.wav against NAME.wav; a name with a
    dot is TRACK.STEM.wav, as `unbraid render` writes it. Any format will do. Nothing is cut, moved or
    resampled: files of another length, rate or number of channels are an error, and an estimate that is late
    is told of.
    """
    from ..measures.catalogue import chosen
    from ..measures.pairs import find_pairs, with_mixture

    names = [name for entry in measures for name in entry.split(",") if name]
    if "list" in names:
        _list_measures()
        return 0
    if reference is None or estimate is None:
        raise click.UsageError("REFERENCE and ESTIMATE are missing: two files, or two folders")
    wanted = chosen(names or None)
    pairs, left = find_pairs(reference, estimate, unpaired=missing)
    if mixture is not None:
        pairs = with_mixture(pairs, mixture)
    for line in left:
        click.echo(f"warning: {line}; skipped", err=True)
    lacking = [measure.missing for measure in wanted if names and measure.missing]
    return 1 if _evaluate(pairs, wanted, **more) or lacking else 0


def _list_measures() -> None:
    from ..measures.catalogue import MEASURES

    for measure in MEASURES.values():
        gives = ", ".join(f"{figure.title} ({figure.unit or '0 to 1'})" for figure in measure.figures)
        click.echo(f"{measure.name:<9} {measure.about}: {gives}")
        if measure.missing:
            click.echo(f"{'':<9} {measure.missing}")


def _evaluate(
    pairs: Sequence[Pair],
    measures: Sequence[Measure],
    *,
    table: str | None,
    pictures: str | None,
    overwrite: bool,
    as_json: bool,
) -> list[str]:
    """Measure, show and write; return what failed."""
    from ..measures.evaluation import figures_of, tracks_of
    from ..measures.files import Pictures, TextFile
    from ..measures.report import as_csv, as_data
    from .eval_table import show

    tracks, failed = tracks_of(pairs), list[str]()
    figures = figures_of(measures, mixture=any(pair.mixture for pair in pairs))
    sizes = {name: len(stems) for name, stems in tracks.items()}
    drawn = None if pictures is None else Pictures(Path(pictures), sizes, figures, overwrite=overwrite)
    rows: list[Row] = []
    with TextFile(table, overwrite=overwrite) as file:
        with _progress(tracks, quiet=as_json) as progress:
            for track in tracks.values():
                try:
                    rows += _measure(track, measures, drawn, progress)
                except MediaError as error:
                    if len(tracks) == 1:
                        raise
                    failed.append(str(error))
        if table is not None:
            file.write(as_csv(rows, figures))
    if as_json:
        written = {"csv": table, "pictures": [str(path) for path in drawn.written] if drawn else []}
        click.echo(json.dumps(as_data(rows, figures) | {"errors": failed, "written": written}))
    elif rows:
        show(rows, figures)
    for line in failed:
        click.echo(f"unbraid: {line}", err=True)
    return failed


def _measure(
    track: Sequence[Pair], measures: Sequence[Measure], pictures: Any, progress: Callable[..., None] | None
) -> list[Row]:
    from ..measures.evaluation import evaluate_track

    if pictures is None:
        return evaluate_track(track, measures, progress)
    rows = evaluate_track(track, measures, progress, pictures.watch)
    pictures.draw(track[0].track, rows)
    return rows


@contextmanager
def _progress(
    tracks: dict[str, list[Pair]], *, quiet: bool
) -> Iterator[Callable[[Pair, int, int | None], None] | None]:
    """A bar of pairs on a terminal; nothing elsewhere."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    total = sum(map(len, tracks.values()))
    place = {pair: k for k, pair in enumerate(pair for track in tracks.values() for pair in track)}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("eval", total=total)

        def update(pair: Pair, done: int, length: int | None) -> None:
            bar.update(task, completed=place[pair] + done / (length or max(done, 1)), description=str(pair))

        yield update
