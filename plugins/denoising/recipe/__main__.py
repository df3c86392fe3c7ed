"""``python -m unbraid.plugins.denoising.recipe FOLDER``: rebuild the weights of `denoise` and `wind`."""

from __future__ import annotations

import math
from pathlib import Path

import click

__all__ = ["main"]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--minutes", type=float, default=math.inf, help="Stop training after so long; call again to go on."
)
@click.option("--threads", type=int, default=1, show_default=True, help="Threads of torch.")
@click.option(
    "--stage",
    type=click.Choice(["all", "gather", "denoise", "dewind"]),
    default="all",
    show_default=True,
    help="Do one part only.",
)
def main(folder: Path, minutes: float, threads: int, stage: str) -> None:
    """Gather recordings, train both networks, and write their weights and plots into FOLDER.

    Everything that is there already is kept: after any interruption, the same command goes on.
    """
    from .bank import gather

    if stage in {"all", "gather"}:
        gather(folder, click.echo)
    for task in ("denoise", "dewind"):
        if stage in {"all", task}:
            _train(folder, task, minutes, threads)


def _train(folder: Path, task: str, minutes: float, threads: int) -> None:
    """Train one network as far as time allows; write its weights and plots."""
    import torch

    from .export import export
    from .plots import plot_examples, plot_losses
    from .training import RECIPES, train

    torch.set_num_threads(threads)
    run, banks = folder / "runs" / task, folder / "bank"
    done = train(banks, run, RECIPES[task](folder), minutes=minutes, progress=click.echo)
    export(run / "last.pt", folder / f"{task}.safetensors")
    for picture in (plot_losses(run), plot_examples(banks, run)):
        click.echo(picture)
    click.echo(f"{folder / task}.safetensors: {'done' if done else 'not yet all steps'}")


if __name__ == "__main__":
    main()
