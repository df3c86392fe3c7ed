"""Engine overhead: ten gains in a row, as plain nodes and as one compiled run, against peers."""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.host import Graph, Registry
from unbraid.host.contract import BlockProcessor, Layout, Params, PluginCard, hookimpl
from unbraid.host.engine.executor import Executor
from unbraid.host.engine.plan import Settings, build_plan

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

GAINS, CHANNELS, RATE = 10, 2, 48000
DECIBELS = -1.0


class PlainGain(BlockProcessor[Params]):
    """A gain as an author would write it in Python."""

    def process(self, ins: Mapping[str, Any], outs: Mapping[str, Any]) -> None:
        """Scale."""
        np.multiply(ins["in"], np.float32(10 ** (DECIBELS / 20)), out=outs["out"])


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the plain gain."""
    factory = f"{__name__}:PlainGain"
    return [PluginCard(id="plain-gain", name="Plain gain", version="1", licence="MIT", factory=factory)]


def _chain(plugin: str, block: int, **params: Any) -> Callable[[], object]:
    import sys

    registry = Registry.discover()
    registry.add(sys.modules[__name__], "benches")
    graph = Graph()
    last: Any = graph.input("mix")
    for k in range(GAINS):
        last = graph.node(f"g{k}", plugin, last, **params)
    graph.output("out", last)
    checked = graph.check(registry, RATE, {"mix": Layout.parse("stereo")})
    executor = Executor(build_plan(checked, registry, Settings(max_block=block)))
    executor.inputs(block)["mix"][:] = _noise(block)
    return lambda: executor.process(block)


def _noise(block: int) -> Any:
    return np.random.default_rng(0).standard_normal((CHANNELS, block)).astype(np.float32)


def _hand_written(block: int) -> Callable[[], object]:
    """The loop one writes without a host: preallocated buffers, one NumPy call a gain."""
    source, a, b = (
        _noise(block),
        np.empty((CHANNELS, block), np.float32),
        np.empty((CHANNELS, block), np.float32),
    )
    factor = np.float32(10 ** (DECIBELS / 20))

    def run() -> None:
        np.multiply(source, factor, out=a)
        for _ in range((GAINS - 1) // 2):
            np.multiply(a, factor, out=b)
            np.multiply(b, factor, out=a)
        np.multiply(a, factor, out=b)

    return run


def _pedalboard(block: int) -> Callable[[], object]:
    from importlib import import_module

    pedalboard: Any = import_module("pedalboard")

    board = pedalboard.Pedalboard([pedalboard.Gain(DECIBELS) for _ in range(GAINS)])
    source = _noise(block)
    return lambda: board.process(source, RATE, buffer_size=block, reset=False)


def _contest(block: int) -> Contest:
    peer, plain, compiled = "NumPy loop by hand", "unbraid, plain nodes", "unbraid, one compiled run"
    boards = ("pedalboard",) if importlib.util.find_spec("pedalboard") else ()

    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        yield {
            peer: _hand_written(block),
            plain: _chain("plain-gain", block),
            compiled: _chain("gain", block, gain=DECIBELS),
            **{name: _pedalboard(block) for name in boards},
        }

    title = f"ten gains, a block of {block} samples stereo"
    return Contest(title, peer, (peer, plain, compiled, *boards), opened, turns=21, calls=500)


CONTESTS = [_contest(256), _contest(4096)]
