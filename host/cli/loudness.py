"""``unbraid loudness FILE...``."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import MediaError

if TYPE_CHECKING:
    from ..measures.file_loudness import FileLoudness

__all__ = ["command"]

_HEAD = [
    ["", "integrated", "range", "momentary", "short-term", "true peak", "peak", "length"],
    ["", "LUFS", "LU", "max LUFS", "max LUFS", "dBTP", "dBFS", "s"],
]
_FIGURES = ("integrated", "range", "maximum_momentary", "maximum_short_term", "true_peak", "sample_peak")


@click.command("loudness")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--track", type=click.IntRange(1), metavar="N", help="Which sound of a film, from 1.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(files: tuple[str, ...], track: int | None, as_json: bool) -> int:
    """Show how loud each FILE is, after ITU-R BS.1770-4 and EBU R 128, and its peaks.

    Integrated loudness, loudness range, the largest momentary (0.4 s) and short-term (3 s) loudness, true
    peak between samples, peak at samples. A file that cannot be measured is named, and the others are shown.
    """
    from ..measures.file_loudness import measure_file
    from ..media.open_input import InputForm
    from .eval_table import cell, columns

    found, failed = [], []
    for file in files:
        try:
            found.append(measure_file(file, InputForm(track=track)))
        except MediaError as error:
            failed.append(str(error))
    if as_json:
        click.echo(json.dumps({"files": [_plain(one) for one in found], "errors": failed}))
    elif found:
        rows = [
            [one.path, *(cell(getattr(one, name), 1) for name in _FIGURES), f"{one.seconds:.3f}"]
            for one in found
        ]
        for line in columns([*_HEAD, *rows]):
            click.echo(line)
    for one in found:
        for warning in one.warnings:
            click.echo(f"warning: {warning}", err=True)
    for line in failed:
        click.echo(f"unbraid: {line}", err=True)
    return 1 if failed else 0


def _plain(found: FileLoudness) -> dict[str, Any]:
    """Return it as JSON can hold it: the level of silence is the text "-inf"."""
    values = {
        "path": found.path,
        "rate": found.rate,
        "layout": found.layout,
        "length": found.length,
        "seconds": found.seconds,
        **{name: getattr(found, name) for name in _FIGURES},
        "warnings": list(found.warnings),
    }
    return {
        key: ("-inf" if value < 0 else "inf") if isinstance(value, float) and math.isinf(value) else value
        for key, value in values.items()
    }
