"""``python -m benches.upmix [TURNS]``: the upmix and the ADM renderer, against others and against the clock.

Three things are timed, their contestants taking turns; printed are medians (low to high). (1) A minute of a
stereo stem taken apart, one thread: the same analysis in NumPy (`kernels.reference.upmix`), and ours, which
makes the bed too. (2) A minute of four stems to an ADM file through the host, all cores: files read, taken
apart, measured, written, synced. (3) That file to loudspeakers: ``ear-render`` of the EBU ADM Renderer, where
``UNBRAID_EAR`` names it, and ours, each as a command of its own; and how deep ear's stereo render of the file
nulls against the sum of the stems.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from unbraid.host import Graph, Registry
from unbraid.host.contract.audio import NAMED_LAYOUTS
from unbraid.host.engine.options import RenderOptions
from unbraid.host.engine.render import render
from unbraid.host.graph.stems import spread_stems
from unbraid.kernels.panner import Panner
from unbraid.kernels.reference.upmix import take_apart
from unbraid.kernels.upmix import SideChannels, StemUpmix
from unbraid.kernels.upmix_rule import UpmixRule

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE, SECONDS, STEMS, TURNS, BLOCK = 48000, 60, 4, 5, 8192
NUMPY, OURS = "the same analysis in NumPy", "unbraid, with the bed"
LAYOUTS = {"stereo": "0+2+0", "5.1": "0+5+0", "7.1.4": "4+7+0"}


def stem(seed: int, seconds: int = SECONDS) -> Any:
    """Return a sound that wanders between the loudspeakers, in ambience: float32 ``[2, samples]``."""
    random, n = np.random.default_rng(seed), seconds * RATE
    steps = np.arange(0, n + 8000, 8000)
    swell = np.interp(np.arange(n), steps, random.uniform(0, 1, len(steps)) ** 2)
    X = np.fft.rfft(random.standard_normal((3, n))) / np.sqrt(1 + (np.arange(n // 2 + 1) / (n / 60)) ** 2)
    sound, left, right = np.fft.irfft(X, n)
    angle = np.pi / 4 * (1 + 0.8 * np.sin(2 * np.pi * np.arange(n) / RATE / (5 + seed)))
    pair = np.stack([np.cos(angle), np.sin(angle)]) * swell * sound + 0.1 * np.stack([left, right])
    return (0.05 * pair / pair.std()).astype(np.float32)


def _ours() -> StemUpmix:
    roles, two = NAMED_LAYOUTS["7.1.2"], Panner(("L", "R"))
    azimuth = np.arange(-300, 301) / 10
    still = np.zeros_like(azimuth)
    table = np.ascontiguousarray(two.objects(np.stack([azimuth, still, still + 1, still], axis=1)))
    fold = two.bed(roles)[[4, 6, 8]].astype(float)
    sides = SideChannels((4, 6, 8), (5, 7, 9), fold, (0.2, 0.2, 0.2))
    return StemUpmix(RATE // 100, table, 10, sides, ramp=250)


def _blocks(upmix: StemUpmix, x: Any) -> Callable[[], object]:
    bed, objects = np.zeros((10, BLOCK), np.float32), np.zeros((15, BLOCK), np.float32)
    pieces = [np.ascontiguousarray(x[:, at : at + BLOCK]) for at in range(0, x.shape[1] - BLOCK, BLOCK)]

    def run() -> None:
        upmix.reset()
        for piece in pieces:
            bed[:] = 0
            upmix.process(piece, bed, objects)

    return run


@contextmanager
def _analysis() -> Iterator[dict[str, Callable[[], object]]]:
    x = stem(0)
    exact = x.astype(np.float64)
    yield {
        NUMPY: lambda: take_apart(exact, RATE // 100, UpmixRule()),
        OURS: _blocks(_ours(), x),
    }


CONTESTS = [Contest(f"upmix: {SECONDS} s of a stereo stem", NUMPY, (NUMPY, OURS), _analysis, turns=3)]


def _turns(runs: dict[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(turns):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return times


def _told(name: str, times: list[float], seconds: float = SECONDS) -> str:
    middle = statistics.median(times)
    spread = f"{min(times):.2f} to {max(times):.2f}"
    return f"{name}: {middle:.2f} s ({spread}), {seconds / middle:.0f} times real time"


def _written(folder: Path) -> tuple[Path, Callable[[], object]]:
    registry, names = Registry.discover(), [f"stem{i}" for i in range(STEMS)]
    paths: dict[str, str | Path] = {name: folder / f"{name}.wav" for name in names}
    for seed, path in enumerate(paths.values()):
        soundfile.write(path, stem(seed).T, RATE, subtype="PCM_24")
    graph = Graph.load(registry.graphs["upmix"])
    spread_stems(graph, names, registry)
    options = RenderOptions(overwrite=True)
    return folder / "stem0.adm.wav", lambda: render(graph, paths, folder, options=options, registry=registry)


def _renders(folder: Path, adm: Path, layout: str) -> dict[str, Callable[[], object]]:
    ours = [sys.executable, "-c", "from unbraid.host.cli import main; main()", "adm", "render", str(adm)]
    ours += ["-o", str(folder / "ours.wav"), "--layout", layout, "--overwrite"]
    runs: dict[str, Callable[[], object]] = {
        "unbraid adm render": lambda: subprocess.run(ours, check=True, capture_output=True)
    }
    if ear := os.environ.get("UNBRAID_EAR"):
        call = [ear, "-s", LAYOUTS[layout], str(adm), str(folder / f"ear-{layout}.wav")]
        runs = {"ear-render": lambda: subprocess.run(call, check=True, capture_output=True), **runs}
    return runs


def main() -> None:
    """Run everything and print it."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    with _analysis() as runs:
        times = _turns(runs, turns)
        for name, each in times.items():
            print(_told(name, each))
        ratio = statistics.median(times[NUMPY]) / statistics.median(times[OURS])
        print(f"ours is {ratio:.1f} times as fast")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        adm, run = _written(folder)
        print(_told(f"{STEMS} stems to an ADM file", _turns({"": run}, turns)[""]))
        for layout in LAYOUTS:
            times = _turns(_renders(folder, adm, layout), 1 if layout != "7.1.4" else turns)
            for name, each in times.items():
                print(_told(f"{name} to {layout}", each))
            if len(times) == 2:
                first, second = (statistics.median(each) for each in times.values())
                print(f"ours is {first / second:.1f} times as fast")
        _null(folder)


def _null(folder: Path) -> None:
    """Print how deep ear's stereo render nulls against the sum of the stems."""
    if not (path := folder / "ear-stereo.wav").exists():
        print("ear-render: skipped: UNBRAID_EAR does not name it")
        return
    found, _ = soundfile.read(path, always_2d=True)
    wanted = sum(soundfile.read(folder / f"stem{i}.wav")[0] for i in range(STEMS))
    depth = 10 * np.log10(np.square(found - wanted).mean() / np.square(wanted).mean())
    print(f"ear's stereo render against the sum of the stems: {depth:.0f} dB")


if __name__ == "__main__":
    main()
