"""Isolated nodes: blocks through a node in this process and in one of its own, and whole renders."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from unbraid.host import Graph, Registry, RenderOptions, render
from unbraid.host.contract import Layout
from unbraid.host.engine.executor import Executor
from unbraid.host.engine.plan import Settings, build_plan

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE, SECONDS = 48000, 2
HERE, APART = "in this process", "in a process of its own"
#: The output that is read, by plugin.
NODES = {"gain": "out", "highpass": "out", "wind": "clean"}


def _graph(plugin: str, *, isolate: bool) -> Graph:
    graph = Graph()
    node = graph.node("n", plugin, graph.input("mix"), isolate=isolate)
    graph.output("out", node[NODES[plugin]])
    return graph


def _stream(plugin: str, block: int) -> Contest:
    """Two seconds of stereo, block after block, without files."""

    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        registry, executors = Registry.discover(), []
        x = np.random.default_rng(0).standard_normal((2, block)).astype(np.float32)
        for isolate in (False, True):
            checked = _graph(plugin, isolate=isolate).check(registry, RATE, {"mix": Layout.parse("stereo")})
            executors.append(Executor(build_plan(checked, registry, Settings(max_block=block))))
            executors[-1].inputs(block)["mix"][:] = x

        def run(executor: Executor) -> None:
            for _ in range(SECONDS * RATE // block):
                executor.process(block)

        here, apart = executors
        yield {HERE: lambda: run(here), APART: lambda: run(apart)}
        for executor in executors:
            executor.close()

    title = f"isolated {plugin}, {SECONDS} s of stereo in blocks of {block}"
    return Contest(title, HERE, (HERE, APART), opened, turns=7)


def _render(plugin: str, seconds: int) -> Contest:
    """A whole render, with the start and the end of the process."""

    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        registry, options = Registry.discover(), RenderOptions(overwrite=True, max_block=4096)
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.wav"
            noise = np.random.default_rng(0).standard_normal((RATE * 20, 2)) * 0.1
            soundfile.write(source, np.tile(noise, (seconds // 20, 1)), RATE, "PCM_24")

            def run(*, isolate: bool) -> object:
                graph = _graph(plugin, isolate=isolate)
                return render(graph, source, folder, options=options, registry=registry)

            yield {HERE: lambda: run(isolate=False), APART: lambda: run(isolate=True)}

    title = f"isolated {plugin}, {seconds} s of stereo 24 bit from file to file, blocks of 4096"
    return Contest(title, HERE, (HERE, APART), opened, turns=5)


CONTESTS = [
    *(_stream(plugin, block) for plugin in NODES for block in (4096, 256)),
    _render("gain", 300),
    _render("wind", 40),
]
