"""``unbraid batch status DIR``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("status")
@click.argument("folder", metavar="DIR")
@click.option("--failures", "most", type=click.IntRange(0), default=20, metavar="N", help="Failures to list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(folder: str, most: int, as_json: bool) -> int:
    """Show how far the batch in DIR is: jobs, sound, speed, time left, and what failed.

    It may be at work meanwhile. Exit code 1 when jobs failed, else 0.
    """
    import msgspec

    from ..jobs.status import as_text, status

    found = status(Path(folder), most=most)
    if as_json:
        data = {**msgspec.to_builtins(found), "failed": found.failed, "speed": found.speed}
        click.echo(msgspec.json.encode(data).decode())
    else:
        click.echo(as_text(found))
    return 1 if found.failed else 0
