"""``unbraid warmup``."""

from __future__ import annotations

import json
from time import perf_counter

import click

__all__ = ["command"]


@click.command("warmup")
@click.option(
    "--n-fft", "lengths", type=int, multiple=True, metavar="N", help="A frame length beside the usual ones."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(lengths: tuple[int, ...], as_json: bool) -> int:
    """Compile all kernels now, so that no render waits for one.

    They are kept in NUMBA_CACHE_DIR, or in XDG_CACHE_HOME, or in ~/.cache. Run this again after an update.
    """
    from ...kernels.errors import KernelError
    from ...kernels.machine import cache_folder, compilations
    from ...kernels.warmup import LENGTHS, warm_up

    started, there = perf_counter(), 0
    try:
        for _, compiled in warm_up((*LENGTHS, *lengths)):
            there += not compiled
    except KernelError as error:
        raise click.UsageError(f"--n-fft: {error}") from None
    made = compilations()
    data = {
        "compiled": len(made),
        "found": there,
        "kept": all(report.kept for report in made),
        "seconds": round(perf_counter() - started, 3),
        "folder": str(cache_folder()),
    }
    if as_json:
        click.echo(json.dumps(data))
    else:
        click.echo(f"compiled {len(made)} kernels in {data['seconds']:.1f} s; {there} were there already")
        click.echo(f"kept in {data['folder']}" if data["kept"] else f"cannot write to {data['folder']}")
    return 0 if data["kept"] else 1
