"""Batches against a loop of `render`, two workers against one, Ray against local, a long manifest's start.

``python -m benches.batch [TURNS]``. Every turn runs whole commands in turn, each with a ledger of its own.
What Ray costs a job is taken between two lengths, so that no start counts; what a batch costs, job by job.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
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

from unbraid.host.isolation.family import family_of

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
    print("made", flush=True)
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


def turns(runs: dict[str, Callable[[], object]], count: int) -> dict[str, list[float]]:
    """Return the seconds that every run takes, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(count):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return times


def told(name: str, values: list[float], unit: str = "s") -> str:
    """Return a median with its spread."""
    return f"{name}: {statistics.median(values):.3g} {unit} ({min(values):.3g} to {max(values):.3g})"


def overhead(folder: Path, paths: list[Path], count: int) -> None:
    """Print what a batch of one worker costs a job, against a loop in one process.

    The two take turns, a job each, so that what else the machine does slows both.
    """
    for graph, what in GRAPHS.items():
        print(f"{graph}: {what}, {SECONDS} s of stereo a job, {count} times {MANY - 2} jobs in turn")
        took = [_in_turn(graph, paths, folder) for _ in range(count)]
        for clock in ("time", "processor"):
            for side in ("loop", "batch"):
                print("  " + told(f"a job, {side}, {clock}", [each[side, clock] for each in took]))
            ratios = [each["batch", clock] / each["loop", clock] for each in took]
            print("  " + told(f"batch / loop, {clock}", ratios, "times"))


def _in_turn(graph: str, paths: list[Path], folder: Path) -> dict[tuple[str, str], float]:
    """Return what a job takes by side and clock."""
    loop = Side([sys.executable, "-c", LOOP, graph, str(folder / "loop"), *map(str, paths)], "made")
    lines = manifest(folder / "in" / f"{graph}.jsonl", paths, graph)
    command = [sys.executable, "-c", MAIN, "batch", str(lines), "-o", str(folder / "batch"), "--json"]
    both = {"loop": loop, "batch": Side([*command, "--workers", "1", "--threads", "1"], '"ended"')}
    try:
        for side in both.values():
            side.goes_on()  # with its start
        before = {name: side.used() for name, side in both.items()}
        for _ in range(MANY - 2):
            for side in both.values():
                side.goes_on()
        used = {name: side.used() for name, side in both.items()}
        for side in both.values():
            side.ends()
    finally:
        for name, side in both.items():
            side.is_put_down()
            shutil.rmtree(folder / name, ignore_errors=True)
    return {
        (name, clock): (used[name][at] - before[name][at]) / (MANY - 2)
        for name in both
        for at, clock in enumerate(("time", "processor"))
    }


class Side:
    """A command that stands still with all that it started, but for a job at a time.

    Args:
        command: prints a line for each job.
        word: what is in that line, and in no other.
    """

    def __init__(self, command: list[str], word: str) -> None:
        self._word, self._seconds = word, 0.0
        environment = {**os.environ, "UNBRAID_THREADS": "1"}
        self._run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        self._all(signal.SIGSTOP)

    def goes_on(self) -> None:
        """Let it run until it has done a job."""
        began = time.perf_counter()
        self._all(signal.SIGCONT)
        while self._word not in self._line():
            pass
        self._all(signal.SIGSTOP)
        self._seconds += time.perf_counter() - began

    def used(self) -> tuple[float, float]:
        """Return the seconds that it ran, and those of processor that it and all it started have taken."""
        ticks = 0
        for process in family_of(self._run.pid):
            fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
        return self._seconds, ticks / os.sysconf("SC_CLK_TCK")

    def ends(self) -> None:
        """Let it run to its end."""
        self._all(signal.SIGCONT)
        self._run.communicate()
        if self._run.returncode:
            raise SystemExit(f"it ended with {self._run.returncode}")

    def is_put_down(self) -> None:
        """Leave nothing of it, standing still or not."""
        if self._run.poll() is None:
            self._all(signal.SIGKILL)
            self._run.wait()

    def _line(self) -> str:
        assert self._run.stdout is not None  # noqa: S101 - a pipe
        line = self._run.stdout.readline()
        if not line:
            raise SystemExit("it ended early")
        return line

    def _all(self, number: signal.Signals) -> None:
        for process in family_of(self._run.pid):
            os.kill(process, number)


def _each(times: dict[str, list[float]], kind: str) -> list[float]:
    """Return what a job takes, by turn: between the two lengths, so that no start counts."""
    return [
        (many - few) / (MANY - FEW)
        for few, many in zip(times[f"{kind}{FEW}"], times[f"{kind}{MANY}"], strict=True)
    ]


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
    each = {kind: _each(times, kind) for kind in makers}
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
