"""Batches against a loop of `render`, two workers against one, Ray against local, a long manifest's start.

``python -m benches.batch [TURNS]``. Every turn runs whole commands in turn, each with a ledger of its own.
What a batch costs a job is taken between two lengths, so that neither's start counts.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS, SECONDS, RATE = 5, 60, 48000
#: Jobs of the two lengths.
FEW, MANY = 4, 12
LINES = 100_000
#: A heavy graph, which is what batches are for, and the lightest that takes sound apart.
GRAPHS = {"clean-dialogue": "wind and noise taken out of speech", "dewind": "the wind filter alone"}
LOOP = """
import sys
from unbraid.host import Registry, RenderOptions, render
graph, folder, *paths = sys.argv[1:]
registry = Registry.discover()
for path in paths:
    render(graph, path, folder, options=RenderOptions(overwrite=True), registry=registry)
"""
MAIN = "import sys; from unbraid.host.cli.app import main; main(sys.argv[1:])"


def sounds(folder: Path) -> list[Path]:
    """Write noise that is no two files alike: speech would make no other work."""
    folder.mkdir()
    paths = [folder / f"{number:02}.wav" for number in range(MANY)]
    for number, path in enumerate(paths):
        x = np.random.default_rng(number).standard_normal((SECONDS * RATE, 2)) * 0.05
        soundfile.write(path, x, RATE, subtype="PCM_24")
    return paths


def manifest(path: Path, paths: list[Path], graph: str) -> Path:
    """Write a manifest of a job for each sound."""
    lines = [{"input": str(each), "graph": graph, "name": "{input}.{output}.{ext}"} for each in paths]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def loop(graph: str, paths: list[Path], folder: Path) -> Callable[[], object]:
    """Render them one after another in one process."""
    command = [sys.executable, "-c", LOOP, graph, str(folder / "loop"), *map(str, paths)]
    return lambda: _run(command, folder / "loop", threads=1)


def batch(graph: str, paths: list[Path], folder: Path, workers: int, *more: str) -> Callable[[], object]:
    """Render them as a batch."""
    lines = manifest(folder / "in" / f"{graph}-{len(paths)}.jsonl", paths, graph)
    out = folder / "batch"
    command = [sys.executable, "-c", MAIN, "batch", str(lines), "-o", str(out), "--workers", str(workers)]
    return lambda: _run([*command, "--threads", "1", *more], out, threads=1)


def _run(command: list[str], out: Path, *, threads: int) -> None:
    environment = {**os.environ, "UNBRAID_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    shutil.rmtree(out)


def turns(
    runs: dict[str, Callable[[], object]], count: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Return what every run takes by a clock, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(count):
        for name, run in runs.items():
            began = clock()
            run()
            times[name].append(clock() - began)
    return times


def processor() -> float:
    """Return seconds of processor that commands and all they started have taken: steadier than a clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def told(name: str, values: list[float], unit: str = "s") -> str:
    """Return a median with its spread."""
    return f"{name}: {statistics.median(values):.3g} {unit} ({min(values):.3g} to {max(values):.3g})"


def overhead(folder: Path, paths: list[Path], count: int) -> None:
    """Print what a batch of one worker costs a job, against a loop in one process."""
    for graph, what in GRAPHS.items():
        runs: dict[str, Callable[[], object]] = {}
        for number in (FEW, MANY):
            runs[f"loop{number}"] = loop(graph, paths[:number], folder)
            runs[f"batch{number}"] = batch(graph, paths[:number], folder, 1)
        for run in runs.values():
            run()
        print(f"{graph}: {what}, {SECONDS} s of stereo a job")
        for name, clock in (("of time", time.perf_counter), ("of processor", processor)):
            times = turns(runs, count, clock)
            each = {
                kind: [
                    (many - few) / (MANY - FEW)
                    for few, many in zip(times[f"{kind}{FEW}"], times[f"{kind}{MANY}"], strict=True)
                ]
                for kind in ("loop", "batch")
            }
            print("  " + told(f"a job in a loop of render, {name}", each["loop"]))
            print("  " + told(f"a job of a batch with one worker, {name}", each["batch"]))
            ratio = statistics.median(each["batch"]) / statistics.median(each["loop"])
            print(f"  batch / loop, {name}: {ratio:.3f} times")


def scaling(folder: Path, paths: list[Path], count: int) -> None:
    """Print two workers against one."""
    runs = {f"{workers} workers": batch("clean-dialogue", paths, folder, workers) for workers in (1, 2)}
    half = len(paths) // 2
    halves = [
        loop("clean-dialogue", each, folder / str(i)) for i, each in enumerate((paths[:half], paths[half:]))
    ]
    runs["1 loop of render"] = loop("clean-dialogue", paths, folder)
    runs["2 loops of render"] = lambda: _together(halves)
    times = turns(runs, count)
    for name, values in times.items():
        print(told(f"{MANY} jobs, {name}", values))
    ratios = [a / b for a, b in zip(times["1 workers"], times["2 workers"], strict=True)]
    print(told("two workers against one", ratios, "times"))
    ratios = [a / b for a, b in zip(times["1 loop of render"], times["2 loops of render"], strict=True)]
    print(told("what the machine has: two loops side by side against one", ratios, "times"))


def _together(runs: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=run) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cluster(folder: Path, paths: list[Path], count: int) -> None:
    """Print what workers of Ray cost a job on this machine, against plain processes; and Ray's own start."""
    graph = "clean-dialogue"
    makers: dict[str, tuple[str, ...]] = {"local": (), "ray": ("--ray", "local")}
    runs = {
        f"{kind}{number}": batch(graph, paths[:number], folder, 2, *more)
        for number in (FEW, MANY)
        for kind, more in makers.items()
    }
    times = turns(runs, count)
    each = {
        kind: [
            (many - few) / (MANY - FEW)
            for few, many in zip(times[f"{kind}{FEW}"], times[f"{kind}{MANY}"], strict=True)
        ]
        for kind in makers
    }
    start = [a - b for a, b in zip(times[f"ray{FEW}"], times[f"local{FEW}"], strict=True)]
    print(told("a job of two workers, local", each["local"]))
    print(told("a job of two workers, Ray", each["ray"]))
    print(told("Ray / local", [b / a for a, b in zip(each["local"], each["ray"], strict=True)], "times"))
    print(told("Ray's start and end", start))


def long_manifest(folder: Path, paths: list[Path], count: int) -> None:
    """Print when the first job of a long manifest begins, and how much memory the driver held then."""
    place = folder / "long"
    place.mkdir()
    (place / "a.wav").write_bytes(paths[0].read_bytes()[:1])
    for number in range(100):
        (place / f"{number}.wav").hardlink_to(place / "a.wav")
    with (place / "long.jsonl").open("w", encoding="utf-8") as file:
        file.write(
            json.dumps({"unbraid-batch": 1, "graph": "dewind", "name": "{title}.{output}.{ext}"}) + "\n"
        )
        for number in range(LINES):
            file.write(json.dumps({"input": f"{number % 100}.wav", "title": f"take {number}"}) + "\n")
    seconds, memory = [], []
    for _ in range(count):
        began = time.perf_counter()
        command = [sys.executable, "-c", MAIN, "batch", str(place / "long.jsonl"), "-o", str(folder / "out")]
        with subprocess.Popen(
            [*command, "--json", "--workers", "1"], stdout=subprocess.PIPE, text=True
        ) as run:
            for line in run.stdout or ():
                if json.loads(line)["event"] == "began":
                    break
            seconds.append(time.perf_counter() - began)
            status = Path(f"/proc/{run.pid}/status").read_text(encoding="ascii")
            memory.append(int(status.split("VmHWM:")[1].split()[0]) / 1024)
            run.kill()
        shutil.rmtree(folder / "out")
    print(told(f"a manifest of {LINES} lines: its first job begins after", seconds))
    print(told("and the driver held", memory, "MiB"))


def main() -> None:
    """Run everything and print it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = sounds(folder / "in")
        long_manifest(folder, paths, count)
        scaling(folder, paths, count)
        cluster(folder, paths, count)
        overhead(folder, paths, count)


if __name__ == "__main__":
    main()
