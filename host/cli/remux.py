"""``unbraid remux FILM SOUND -o OUT``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..media.film.remux import RemuxReport

__all__ = ["command"]


@click.command("remux")
@click.argument("film")
@click.argument("sound")
@click.option(
    "-o", "--output", required=True, metavar="OUT", help="The copy of the film, with the sound in it."
)
@click.option("--replace", type=click.IntRange(1), metavar="N", help="The audio track to replace, from 1.")
@click.option("--language", metavar="L", help="Language of the new track, as eng.")
@click.option("--title", metavar="T", help="Title of the new track.")
@click.option(
    "--codec", metavar="C", help="ffmpeg's name of an encoder.  [default: lossless where the container can]"
)
@click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(film: str, sound: str, output: str, as_json: bool, **options: Any) -> None:
    """Put SOUND into a copy of FILM as a new audio track, without touching the picture.

    Everything else is copied packet for packet, and checked: the hashes of all copied streams must be equal
    before and after. Needs ffmpeg.
    """
    from ..media.film.remux import remux

    report = remux(film, sound, output, **options)
    if as_json:
        click.echo(json.dumps(as_data(report)))
    else:
        tell(report)


def as_data(report: RemuxReport) -> dict[str, Any]:
    """Return a report as plain data."""
    return {
        "film": str(report.film),
        "sound": str(report.sound),
        "output": str(report.output),
        "track": report.track,
        "replaced": report.replaced,
        "codec": report.codec,
        "lossless": report.lossless,
        "start_seconds": report.start,
        "duration_seconds": report.duration,
        "copied": [{"kind": kind, "sha256": digest} for kind, digest in report.copied],
        "warnings": list(report.warnings),
    }


def tell(report: RemuxReport) -> None:
    """Print what a remux did."""
    what = "replaced" if report.replaced else "added"
    kept = "lossless" if report.lossless else "not lossless"
    click.echo(f"{report.output}  audio track {report.track} {what}: {report.codec}, {kept}")
    click.echo(f"{len(report.copied)} other streams copied, their packets unchanged (SHA-256 compared)")
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
