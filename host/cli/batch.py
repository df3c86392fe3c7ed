"""``unbraid batch MANIFEST -o DIR``, and what looks at a batch: ``status``, ``retry``, ``report``."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import plain
from .interrupt import cancel_on_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..jobs.batch import Batch, JobResult
    from ..jobs.executor import Event

__all__ = ["command"]


class _Batch(click.Group):
    """A group whose first word may be a manifest instead of a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("batch", cls=_Batch, no_args_is_help=True)
def command() -> None:
    r"""Render every job of a MANIFEST: unbraid batch MANIFEST -o DIR.

    \b
    unbraid batch MANIFEST -o DIR    do the jobs that are not done yet
    unbraid batch run --help         all its options
    """


@command.command("run")
@click.argument("manifest")
@click.option("-o", "--output", "folder", required=True, metavar="DIR", help="For outputs and the ledger.")
@click.option("--graph", metavar="GRAPH", help="The graph of jobs that name none.")
@click.option("--pattern", metavar="GLOB", help="Which files, where MANIFEST is a folder: **/*.wav.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Processes, each with one job at a time.  [default: CPUs]",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Threads of each.  [default: its share of the CPUs]",
)
@click.option(
    "--memory",
    type=click.IntRange(1),
    metavar="MIB",
    help="Most memory of all workers; with --ray, of each.  [default: three quarters of the machine's]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Longest time for a job that names none.  [default: no limit]",
)
@click.option(
    "--attempts",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Crashes that put a job into quarantine.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are not this batch's.")
@click.option("--verify", is_flag=True, help="Read what is done, and compare its hashes.")
@click.option("--ray", metavar="ADDRESS", help="A Ray cluster: auto, HOST:PORT, or local.")
@click.option(
    "--gpus",
    type=click.FloatRange(0),
    default=0.0,
    metavar="N",
    help="GPUs of the cluster for each worker; a fraction shares one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each event, a line each.")
def run(manifest: str, folder: str, memory: int | None, as_json: bool, **options: Any) -> int:
    """Do the jobs of MANIFEST that are not done yet; outputs and ledger are in DIR.

    MANIFEST is a YAML, JSON, JSON Lines or CSV file, or a folder with --pattern and --graph. Outputs appear
    only complete. Run again after any end: what is done stays, what changed is rendered again. Ctrl-C lets
    running jobs end; again, it kills them.

    Exit codes: 0 all jobs are done; 1 some failed; 2 the request is wrong; 130 interrupted.
    """
    from ..jobs.start import batch

    began = time.monotonic()
    _warn_of_crowding(options["workers"], options["threads"] or 1, options["ray"])
    with ExitStack() as stack:
        cancelled = stack.enter_context(cancel_on_interrupt())
        told, shown = stack.enter_context(_events() if as_json else _progress())
        jobs = batch(
            manifest,
            folder,
            memory=None if memory is None else memory << 20,
            cancelled=cancelled,
            told=told,
            **options,
        )
        for result in jobs:
            shown(jobs, result)
    _sum_up(jobs, time.monotonic() - began, as_json=as_json)
    if jobs.interrupted:
        return 128 + signal.SIGINT
    return 1 if jobs.counts["failed"] + jobs.counts["quarantined"] else 0


def _warn_of_crowding(workers: int | None, threads: int, ray: str | None) -> None:
    """Say when workers would stand in each other's way."""
    cores = len(os.sched_getaffinity(0))
    if workers is not None and ray is None and workers * threads > cores:
        busy = f"{workers} workers with {threads} threads each" if threads > 1 else f"{workers} workers"
        click.echo(f"warning: {busy} on {cores} CPUs are slower than as many as there are CPUs", err=True)


_Shown = tuple["Callable[[str, Event], None]", "Callable[[Batch, JobResult], None]"]


@contextmanager
def _events() -> Iterator[_Shown]:
    """One JSON object a line, for programs."""
    from ..jobs.executor import Began, Moved

    def told(place: str, event: Event) -> None:
        if isinstance(event, Began):
            _line({"event": "began", "place": place, "worker": event.worker})
        elif isinstance(event, Moved):
            done, total = event.progress.done, event.progress.total
            _line({"event": "progress", "place": place, "done": done, "total": total})

    yield told, lambda _, result: _line({"event": "ended", **result.as_data()})


def _line(data: dict[str, Any]) -> None:
    click.echo(json.dumps(data))
    sys.stdout.flush()


@contextmanager
def _progress() -> Iterator[_Shown]:
    """A bar on a terminal; elsewhere lines for what went wrong."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _place, _event: None, lambda _, result: _tell(result)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    began, heard = time.monotonic(), 0.0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def shown(jobs: Batch, result: JobResult) -> None:
            nonlocal heard
            _tell(result)
            heard += result.programme
            speed = heard / max(time.monotonic() - began, 1e-9)
            text = f"{heard / 3600:.2f} h of sound, {speed:.0f} times real time"
            if not bar.tasks[0].completed:
                bar.update(task, completed=jobs.before)
            bar.update(
                task, total=jobs.total, description=text, advance=0 if result.state == "retried" else 1
            )

        yield lambda _place, _event: None, shown


def _tell(result: JobResult) -> None:
    """Print what a person should know of one job."""
    if result.state in ("failed", "quarantined", "retried"):
        _say(f"{result.label}: {result.state}: {result.reason}")
    for name, verdict in result.verdicts.items():
        _say(f"{result.outputs[name]}: {verdict}")
    for warning in result.warnings:
        _say(f"warning: {result.label}: {warning}")


def _say(text: str) -> None:
    """Print a line that strangers' words, which stand in it, cannot break out of."""
    click.echo(plain(text), err=True)


def _sum_up(jobs: Batch, seconds: float, *, as_json: bool) -> None:
    counts = jobs.counts
    if as_json:
        interrupted = jobs.interrupted
        _line(
            {"event": "summary", "jobs": jobs.total, **counts, "interrupted": interrupted, "seconds": seconds}
        )
        return
    new = counts["done"] - jobs.before
    said = [f"{counts['done']} of {jobs.total} jobs done ({new} of them now, in {seconds:.1f} s)"]
    said += [f"{counts[name]} {name}" for name in ("failed", "quarantined", "waiting") if counts[name]]
    click.echo(", ".join(said))
    if counts["failed"] + counts["quarantined"]:
        click.echo(f"see unbraid batch report {jobs.folder}; unbraid batch retry {jobs.folder}", err=True)


@command.command("retry")
@click.argument("folder", metavar="DIR")
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def retry(folder: str, places: tuple[str, ...], as_json: bool) -> int:
    """Let jobs of DIR that failed, or were put into quarantine, wait for another attempt; or only PLACEs.

    The next run of the batch does them.
    """
    from pathlib import Path

    from ..jobs.retry import retry as let_wait

    found = let_wait(Path(folder), places)
    if as_json:
        click.echo(json.dumps({"waiting": found}))
    else:
        click.echo(f"{len(found)} jobs wait for another attempt; run the batch again")
    return 0


@command.command("status")
@click.argument("folder", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def status(folder: str, as_json: bool) -> int:
    """Show how far the batch in DIR is, and what failed; also while it is at work."""
    from pathlib import Path

    import msgspec

    from ..jobs.report.status import as_text
    from ..jobs.report.status import status as look

    found = look(Path(folder))
    click.echo(msgspec.json.encode(found).decode() if as_json else as_text(found))
    return 0


@command.command("report")
@click.argument("folder", metavar="DIR")
@click.option("--html", metavar="FILE", help="The page.  [default: DIR/report.html, if no --json is given]")
@click.option("--json", "data", metavar="FILE", help="The same as data; - for standard output.")
@click.option(
    "--measure",
    default="50",
    show_default=True,
    metavar="N|all",
    help="Of how many outputs the loudness is measured that is not known yet.",
)
@click.option(
    "--pictures",
    type=click.IntRange(0),
    default=500,
    show_default=True,
    metavar="N",
    help="Most spectrograms.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are no earlier reports.")
def report(
    folder: str, html: str | None, data: str | None, measure: str, pictures: int, overwrite: bool
) -> int:
    """Write a page of every job in DIR, failures first, with figures and pictures; or the same as JSON."""
    from pathlib import Path

    from ..jobs.report.writing import Wish, stream_json
    from ..jobs.report.writing import report as write

    if measure != "all" and not measure.isdecimal():
        raise click.UsageError(f"--measure {measure!r} is neither a number nor all")
    count = None if measure == "all" else int(measure)
    wish = Wish(measure=count, pictures=pictures, overwrite=overwrite)
    if data == "-":
        stream_json(Path(folder), sys.stdout, wish=wish)
        return 0
    page = Path(html) if html else None if data else Path(folder) / "report.html"
    made = write(Path(folder), html=page, json=Path(data) if data else None, wish=wish)
    for path in (*made.pages[:1], *([Path(data)] if data else [])):
        click.echo(str(path))
    if len(made.pages) > 1:
        click.echo(f"and {len(made.pages) - 1} pages that it leads to")
    return 0
