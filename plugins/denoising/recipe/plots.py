"""Pictures of a run: how its losses fell, and what it does to a mixture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from .export import network_of
from .losses import combined
from .mixing import Mixer
from .training import gains_of

__all__ = ["plot_examples", "plot_losses"]


def plot_losses(run: Path) -> Path:
    """Draw ``run/losses.png`` from the run's log; return its path."""
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    names = ("target", "rest", "heard", "ratio_db", "gained_db")
    figure = Figure(figsize=(14, 6), layout="constrained")
    for axes, name in zip(figure.subplots(2, 3).ravel(), names, strict=False):
        values = np.array([line[name] for line in lines])
        steps = [line["step"] for line in lines]
        axes.plot(steps, values, lw=0.5, alpha=0.5)
        width = min(21, len(values))
        axes.plot(steps[width - 1 :], np.convolve(values, np.ones(width) / width, "valid"), lw=1.5)
        axes.set(title=name, xlabel="step")
    figure.savefig(run / "losses.png", dpi=100)
    return run / "losses.png"


def plot_examples(banks: Path, run: Path) -> Path:
    """Draw ``run/examples.png``: mixture, target, estimate and gain of four mixtures of the dev split."""
    from matplotlib.figure import Figure

    network, settings = network_of(run / "last.pt")
    batch = Mixer(banks, settings["task"], split="dev", mixtures=4, seed=7)[0]
    with torch.no_grad():
        gains = combined(gains_of(network, batch.mixture, 1)).numpy()
    frames = gains.shape[1]
    figure = Figure(figsize=(16, 12), layout="constrained")
    axes = figure.subplots(4, 4)
    for row in range(4):
        heard, wanted = batch.mixture[row, :frames], batch.target[row, :frames]
        for column, power in enumerate((heard, wanted, heard * gains[row] ** 2)):
            image = 10 * np.log10(power.T + 1e-10)
            axes[row, column].imshow(image, origin="lower", aspect="auto", vmin=-90, vmax=-10)
        axes[row, 3].imshow(gains[row].T, origin="lower", aspect="auto", vmin=0, vmax=1)
    for column, title in enumerate(("mixture", "target", "estimate", "gain")):
        axes[0, column].set_title(title)
    figure.savefig(run / "examples.png", dpi=80)
    return run / "examples.png"
