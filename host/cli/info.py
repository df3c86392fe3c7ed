"""``unbraid info FILE``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..media.source import Source

__all__ = ["command"]


@click.command("info")
@click.argument("file")
@click.option("--track", type=click.IntRange(1), metavar="N", help="Which sound of a film, from 1.")
@click.option("--salvage", is_flag=True, help="Tell of a damaged file what it still holds.")
@click.option("--full", is_flag=True, help="Read the sound to its end, which finds damage in the middle.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: str, track: int | None, salvage: bool, full: bool, as_json: bool) -> None:
    """Show what FILE holds as a render would take it: format, layout, length, place in time, tags."""
    from ..media.open_input import InputForm, open_input

    source = open_input(file, InputForm(track=track, salvage=salvage))
    try:
        length = _read(source) if full else source.length
        data = _data(source, length)
    finally:
        source.close()
    if as_json:
        click.echo(json.dumps(data))
    else:
        _tell(data)


def _read(source: Source) -> int:
    import numpy as np

    block = np.empty((source.layout.channels, 16384), np.float32)
    total = 0
    while count := source.read(block):
        total += count
    return total


def _data(source: Source, length: int | None) -> dict[str, Any]:
    return {
        "path": source.name,
        "format": source.form,
        "rate": source.rate,
        "layout": str(source.layout),
        "roles": list(source.layout.roles),
        "length": length,
        "seconds": None if length is None else length / source.rate,
        "subtype": source.subtype,
        "salvaged": source.salvaged,
        "tracks": _tracks(source),
        "metadata": source.metadata.as_data(),
        "warnings": source.warnings,
    }


def _tracks(source: Source) -> list[dict[str, Any]]:
    """Return the sounds that a film holds, the one that was opened marked."""
    from ..media.film.ffmpeg import TrackReader

    if not isinstance(source, TrackReader):
        return []
    return [
        {
            "number": track.number,
            "codec": track.codec,
            "layout": track.layout,
            "language": track.language,
            "title": track.title,
            "opened": track.number == source.track.number,
        }
        for track in source.container.audio
    ]


def _tell(data: dict[str, Any]) -> None:
    seconds = "length known only at its end" if data["length"] is None else f"{data['seconds']:.3f} s"
    length = "" if data["length"] is None else f" ({data['length']} samples)"
    click.echo(f"{data['path']}: {data['format']}, {data['rate']} Hz, {data['layout']}, {seconds}{length}")
    click.echo(f"  kept by {data['subtype']}; channels {' '.join(data['roles'])}")
    for track in data["tracks"]:
        words = [track["codec"], track["layout"], track["language"], track["title"]]
        mark = ", shown here" if track["opened"] else ""
        click.echo(f"  track {track['number']}: {' '.join(filter(None, words))}{mark}")
    for name, value in data["metadata"].items():
        if not isinstance(value, dict):
            click.echo(f"  {name}: {value}")
            continue
        for key, text in value.items():
            click.echo(f"  {name}.{key}: {' | '.join(str(text).splitlines())}")
    for warning in data["warnings"]:
        click.echo(f"warning: {warning}", err=True)
