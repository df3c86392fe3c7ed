"""Segments: what the host adds around a model that is free, and a small network, against a loop by hand.

The loop is what separators ship: the whole signal in memory, a triangular weight, one sum and one division.
"""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.host import Graph, Registry, process
from unbraid.host.contract import Params, PluginCard, SegmentProcessor, TorchSegmentProcessor, hookimpl

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE, SEGMENT, HOP, BATCH = 44100, 343_980, 257_985, 4  # Demucs' 7.8 s with a quarter of overlap
SECONDS = 180


class Free(SegmentProcessor[Params]):
    """Gives its input back."""

    segment, hop, batch = SEGMENT, HOP, BATCH

    def separate(self, batch: Any) -> Any:
        """Return one stem."""
        return batch[:, None]


def network() -> Any:
    """Return a small convolutional network, stereo in and out."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(2, 8, 31, padding="same"), nn.ReLU(), nn.Conv1d(8, 2, 31, padding="same"))


class Small(TorchSegmentProcessor[Params]):
    """The network in segments."""

    segment, hop, batch = SEGMENT, HOP, BATCH

    def network(self) -> Any:
        """Return it."""
        return network()

    def infer(self, batch: Any) -> Any:
        """Return one stem."""
        return self.net(batch)[:, None]


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return both."""
    return [
        PluginCard(plugin, plugin, "1", "MIT", f"{__name__}:{name}")
        for plugin, name in (("free-segments", "Free"), ("small-segments", "Small"))
    ]


def _by_hand(x: Any, model: Callable[[Any], Any]) -> Any:
    """Cut, weigh with a triangle, sum, divide by the sum of the weights; batches as ours, no padding."""
    half = SEGMENT // 2
    weight = (
        np.concatenate([np.arange(1, half + 1), np.arange(SEGMENT - half, 0, -1)]).astype(np.float32) / half
    )
    starts = range(0, x.shape[1], HOP)
    padded = np.pad(x, ((0, 0), (0, starts[-1] + SEGMENT - x.shape[1])))
    total, weights = np.zeros_like(padded), np.zeros(padded.shape[1], np.float32)
    for k in range(0, len(starts), BATCH):
        batch = np.stack([padded[:, s : s + SEGMENT] for s in starts[k : k + BATCH]])
        for start, y in zip(starts[k : k + BATCH], model(batch), strict=True):
            total[:, start : start + SEGMENT] += weight * y
            weights[start : start + SEGMENT] += weight
    return (total / weights)[:, : x.shape[1]]


def _by_torch(net: Any, batch: Any) -> Any:
    import torch

    with torch.inference_mode():
        return net(torch.from_numpy(batch)).numpy()


def _contest(title: str, plugin: str, model: Callable[[], Callable[[Any], Any]]) -> Contest:
    peer = "a loop by hand, NumPy"

    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        import sys

        registry = Registry.discover()
        registry.add(sys.modules[__name__], "benches")
        graph = Graph()
        graph.output("out", graph.node("model", plugin, graph.input("mix")))
        x = np.random.default_rng(0).standard_normal((2, SECONDS * RATE)).astype(np.float32)
        by_hand, ours = model(), partial(process, graph, x, rate=RATE, registry=registry)
        yield {peer: lambda: _by_hand(x, by_hand), "unbraid": ours}

    return Contest(title, peer, (peer, "unbraid"), opened, turns=7)


CONTESTS = [
    _contest(
        "segments of 7.8 s, a model that costs nothing, 3 min stereo", "free-segments", lambda: lambda x: x
    )
]
if importlib.util.find_spec("torch"):
    CONTESTS.append(
        _contest(
            "segments of 7.8 s, a small network, 3 min stereo",
            "small-segments",
            lambda: partial(_by_torch, network().eval()),
        )
    )
