"""``python -m benches.denoising [TURNS]``: what 10 ms of sound cost denoisers, mono at 48 kHz, in one thread.

Contestants take turns, a second of sound at a time, hop by hop (480 samples). Printed are the median and the
99th percentile of a hop by the clock, which other work on the machine lengthens, and the share of a core: CPU
seconds per second of sound, the median over the turns (low to high). Ours run as nodes of the host, the
libraries of others bare. logmmse and noisereduce take whole clips only: ten seconds at once, and the hop is
their share. ``python -m benches -k denoising`` shows the seconds as a contest.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.host import Graph, Registry
from unbraid.host.contract import Layout, UnbraidError
from unbraid.host.engine.executor import Executor
from unbraid.host.engine.plan import Settings, build_plan
from unbraid.plugins.denoising.deepfilternet import DeepFilterNet3
from unbraid.plugins.denoising.rnnoise import RNNoise

from .contest import Contest
from .denoising_peers import PEERS, RATE, hop_by_hop, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unbraid.plugins.denoising.frame_engine import FrameEngine

HOP, CLIP, TURNS = 480, 10, 15
#: Ours by plugin and model, each with the output that is asked for.
OURS = {
    "denoise:default": "speech",
    "denoise:classical": "speech",
    "wind:default": "clean",
    "wind:classical": "clean",
}
ENGINES: dict[str, type[FrameEngine[Any]]] = {"rnnoise": RNNoise, "deepfilternet3": DeepFilterNet3}
WHOLE = ("logmmse", "noisereduce")


@dataclass(frozen=True)
class Contestant:
    """One denoiser, ready to run.

    Attributes:
        hop: takes 480 samples.
        clip: takes ``CLIP`` seconds at once; None where there is `hop`.
    """

    hop: Callable[[Any], object] | None = None
    clip: Callable[[Any], object] | None = None

    def turn(self, sound: Any) -> tuple[list[float], float]:
        """Return the seconds that hops took by the clock, and the CPU seconds of a second of sound."""
        heard = len(sound) if self.clip else RATE
        taken, began = [], time.process_time()
        for first in range(0, heard, heard if self.clip else HOP):
            start = time.perf_counter()
            if self.clip:
                self.clip(sound)
            elif self.hop:
                self.hop(sound[first : first + HOP])
            taken.append(time.perf_counter() - start)
        if self.clip:
            taken = [taken[0] * HOP / heard]
        return taken, (time.process_time() - began) * RATE / heard


def graph_of(system: str) -> Graph:
    """Return a graph around one of ours, ``plugin:model``."""
    plugin, _, model = system.partition(":")
    graph = Graph()
    params: dict[str, Any] = {} if model == "default" else {"model": model}
    graph.output("out", graph.node("node", plugin, graph.input("mix"), **params)[OURS[system]])
    return graph


def not_there(system: str) -> str:
    """Return why one of ours cannot run yet; "" when it can."""
    try:
        graph_of(system).check(Registry.discover(), RATE, {"mix": Layout.parse("mono")})
    except UnbraidError as error:
        return f"not there yet: {error}"
    return ""


def _node(system: str) -> Callable[[Any], object]:
    registry = Registry.discover()
    checked = graph_of(system).check(registry, RATE, {"mix": Layout.parse("mono")})
    executor = Executor(build_plan(checked, registry, Settings(max_block=HOP)))

    def run(block: Any) -> None:
        executor.inputs(HOP)["mix"][:] = block
        executor.process(HOP)

    return run


def available() -> tuple[list[str], dict[str, str]]:
    """Return the names of those that can run, and why the others cannot."""
    reasons = {name: not_there(name) for name in OURS}
    reasons |= {name: missing(name) for name in (*ENGINES, *WHOLE)}
    return [name for name, reason in reasons.items() if not reason], {n: r for n, r in reasons.items() if r}


def contestant(name: str) -> Contestant:
    """Return one of them, ready to run."""
    if name in OURS:
        return Contestant(hop=_node(name))
    if name in ENGINES:
        return Contestant(hop=hop_by_hop(ENGINES[name]))
    return Contestant(clip=PEERS[name])


def sound() -> Any:
    """Return ten seconds of something like a voice in noise, so that every branch has work to do."""
    random, t = np.random.default_rng(0), np.arange(CLIP * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * t)) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 40)) * (np.sin(2 * np.pi * 2 * t) > -0.3)
    return (0.1 * voice + 0.02 * random.standard_normal(len(t))).astype(np.float32)


@contextmanager
def _seconds() -> Iterator[dict[str, Callable[[], object]]]:
    clip = sound()

    def timed(ready: Contestant) -> Callable[[], object]:
        if ready.clip is not None:
            run = ready.clip
            return lambda: run(clip[:RATE])
        return lambda: ready.turn(clip)

    yield {name: timed(contestant(name)) for name in _contest_names()}


def _contest_names() -> tuple[str, ...]:
    names, _ = available()
    return ("rnnoise", *(name for name in names if name != "rnnoise")) if "rnnoise" in names else ()


CONTESTS: list[Contest] = []
if names_found := _contest_names():
    title = "denoising 1 s of mono at 48 kHz, hop by hop (logmmse, noisereduce: at once)"
    CONTESTS.append(Contest(title, "rnnoise", names_found, _seconds))


def main(turns: int) -> None:
    """Print a row for each contestant, and why others are not there."""
    names, reasons = available()
    ready = {name: contestant(name) for name in names}
    clip = sound()
    hops: dict[str, list[float]] = {name: [] for name in names}
    shares: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(turns + 1):
        for name, one in ready.items():
            taken, share = one.turn(np.roll(clip, -turn * RATE // 2))
            if turn:  # the first one warms up
                hops[name] += taken
                shares[name].append(share)
    print("| who | a hop of 10 ms: median | 99 % | share of a core, real time (low to high) |")
    print("|---|---|---|---|")
    for name in names:
        most = f"{np.quantile(hops[name], 0.99) * 1e6:.0f} us" if ready[name].hop else "whole clips only"
        low, middle, high = min(shares[name]), statistics.median(shares[name]), max(shares[name])
        spread = f"{middle:.4f} ({low:.4f} to {high:.4f})"
        print(f"| {name} | {statistics.median(hops[name]) * 1e6:.0f} us | {most} | {spread} |")
    for name, reason in reasons.items():
        print(f"{name}: skipped: {reason}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TURNS)
