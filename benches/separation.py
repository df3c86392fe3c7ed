"""``python -m benches.separation FOLDER``: how well `vocals` separates what is in a folder, by quality.

The folder holds ``TRACK/mixture.*`` and, where somebody sings, ``TRACK/vocals.*``, at 44.1 kHz in stereo.
Figures are whole-clip SDR of vocals and accompaniment; for tracks without vocals, the level of what comes out
as vocals against the mixture's. "as published" is the same weights in the published signal path.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from unbraid.host import Graph, process

from .vocals import PRESETS, networks, published

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 44100
#: Vocals this much below the mixture are silence, so that one clip of silence does not make the mean.
QUIETEST = -60.0


def decibels(signal: Any, reference: Any) -> float:
    """Return the level of a signal against another's."""
    power = [float(np.sum(np.square(x, dtype=np.float64))) for x in (signal, reference)]
    return 10 * float(np.log10(max(power[0], 1e-20) / max(power[1], 1e-20)))


def found(file: Path, name: str) -> Any | None:
    """Return the sound ``name.*`` beside a file, as float32 ``[channels, samples]``."""
    for path in sorted(file.glob(f"{name}.*")):
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        if rate != RATE or sound.shape[1] != 2:
            raise SystemExit(f"{path}: must be stereo at {RATE} Hz")
        return np.ascontiguousarray(sound.T)
    return None


def by_unbraid(quality: str, x: Any) -> Any:
    """Return the vocals of a mixture."""
    graph = Graph()
    graph.output("vocals", graph.node("sep", "vocals", graph.input("mix"), quality=quality)["vocals"])
    return process(graph, x, rate=RATE)["vocals"]


def contestants() -> dict[str, Callable[[Any], Any]]:
    """Return what makes vocals of a mixture, by name."""
    import torch

    nets = networks()
    made: dict[str, Callable[[Any], Any]] = {
        "as published": lambda x: published(nets, torch.from_numpy(x))[0].numpy()
    }
    for quality in PRESETS:
        made[quality] = partial(by_unbraid, quality)
    return made


def main(folder: Path) -> None:
    """Print a line for every way."""
    tracks = [(path.name, found(path, "mixture"), found(path, "vocals")) for path in sorted(folder.iterdir())]
    whole = [(name, mixture, vocals) for name, mixture, vocals in tracks if mixture is not None]
    print(f"{'':14} {'vocals':>8} {'accomp.':>8} {'leak':>8} {'seconds':>8}   (dB, mean over the tracks)")
    for name, separate in contestants().items():
        began, figures, leaks = time.perf_counter(), [], []
        for _, mixture, vocals in whole:
            made = separate(mixture)
            if vocals is None:
                leaks.append(max(QUIETEST, decibels(made, mixture)))
            else:
                rest = mixture - vocals
                figures.append((-decibels(made - vocals, vocals), -decibels(vocals - made, rest)))
        means = [f"{value:8.2f}" for value in np.mean(figures, axis=0)] if figures else [f"{'':8}"] * 2
        leak = f"{np.mean(leaks):8.2f}" if leaks else f"{'':8}"
        print(f"{name:14} {means[0]} {means[1]} {leak} {time.perf_counter() - began:8.1f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
