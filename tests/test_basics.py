"""The basic plugins do what their cards say, over any layout, with nothing dropped or moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from unbraid.host import Graph, GraphError, PluginError, process
from unbraid.host.contract import NAMED_LAYOUTS, Layout

if TYPE_CHECKING:
    from unbraid.host.registry import Registry


def noise(channels: int, length: int = 500) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(9).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


def one(registry: Registry, plugin: str, x: Any, rate: int = 48000, **params: Any) -> Any:
    graph = Graph()
    graph.output("out", graph.node("n", plugin, graph.input("mix"), **params))
    return process(graph, x, rate=rate, registry=registry)["out"]


@pytest.mark.parametrize("channels", [1, 2, 6, 8, 12, 128])
def test_gain_in_decibels(registry: Registry, channels: int) -> None:
    x = noise(channels)
    np.testing.assert_array_equal(one(registry, "gain", x, gain=0), x)
    np.testing.assert_allclose(one(registry, "gain", x, gain=-20), x / 10, rtol=1e-6)
    np.testing.assert_allclose(one(registry, "gain", x, gain=20 * np.log10(2)), x * 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("time", "samples", "rate", "shift"), [(10, 0, 48000, 480), (0, 7, 44100, 7), (1, 1, 8000, 9)]
)
def test_delay_in_milliseconds_and_samples(
    registry: Registry, time: float, samples: int, rate: int, shift: int
) -> None:
    x = noise(2)
    want = np.pad(x, ((0, 0), (shift, 0)))[:, :500]
    np.testing.assert_array_equal(one(registry, "delay", x, rate, time=time, samples=samples), want)


def test_no_delay_is_a_copy(registry: Registry) -> None:
    x = noise(2)
    np.testing.assert_array_equal(one(registry, "delay", x), x)


def test_highpass_and_lowpass_keep_their_band(registry: Registry) -> None:
    time = np.arange(48000) / 48000
    low, high = (np.sin(2 * np.pi * f * time)[None].astype(np.float32) for f in (50, 5000))
    settled = slice(24000, None)

    def level(x: Any) -> float:
        return float(20 * np.log10(np.sqrt(2 * np.mean(x[0, settled] ** 2))))

    # A Butterworth of order n, a factor r beyond its corner, is down by 10 log10(1 + r^(2n)).
    assert level(one(registry, "highpass", low, frequency=500, slope=24)) == pytest.approx(-80.0, abs=0.1)
    assert level(one(registry, "highpass", high, frequency=500, slope=24)) == pytest.approx(0, abs=0.01)
    assert level(one(registry, "lowpass", low, frequency=500, slope=24)) == pytest.approx(0, abs=0.01)
    assert level(one(registry, "lowpass", high, frequency=500, slope=24)) < -80


def test_a_corner_above_half_the_rate_is_refused_by_node(registry: Registry) -> None:
    with pytest.raises(
        PluginError, match=r"node 'n' \(lowpass\).*16000 Hz is not below half the rate of 16000 Hz"
    ):
        one(registry, "lowpass", noise(1), rate=16000)


@pytest.mark.parametrize("layout", NAMED_LAYOUTS)
def test_split_and_join_give_every_layout_back(registry: Registry, layout: str) -> None:
    roles = Layout.parse(layout).roles
    x = noise(len(roles))
    graph = Graph()
    apart = graph.node("apart", "split", graph.input("mix", layout), layout=layout)
    graph.node("whole", "join", *[apart[role] for role in roles], layout=layout)
    graph.output("out", "whole")
    graph.output("last", apart[roles[-1]])
    done = process(graph, x, rate=48000, registry=registry)
    np.testing.assert_array_equal(done["out"], x)
    np.testing.assert_array_equal(done["last"], x[-1:])


def test_parts_are_named_and_may_be_joined_in_another_order(registry: Registry) -> None:
    x = noise(6)
    parts = {"back": ["Ls", "Rs"], "dialogue": ["C"], "front": ["L", "R"], "low": ["LFE"]}
    graph = Graph()
    apart = graph.node("apart", "split", graph.input("mix", "5.1"), layout="5.1", parts=parts)
    quiet = graph.node("quiet", "gain", apart["dialogue"], gain=-120)
    sources = [apart["back"], quiet.name, apart["front"], apart["low"]]
    graph.node("whole", "join", *sources, layout="5.1", parts=parts)
    graph.output("out", "whole")
    done = process(graph, x, rate=48000, registry=registry)["out"]
    np.testing.assert_array_equal(done[[0, 1, 3, 4, 5]], x[[0, 1, 3, 4, 5]])
    np.testing.assert_allclose(done[2], x[2] * 1e-6, rtol=1e-5)


def test_a_channel_in_no_part_is_an_error_not_a_loss(registry: Registry) -> None:
    graph = Graph()
    mix = graph.input("mix", "5.1")
    apart = graph.node(
        "apart", "split", mix, layout="5.1", parts={"front": ["L", "R"], "rest": ["C", "LFE", "Ls"]}
    )
    graph.output("out", apart["front"])
    with pytest.raises(GraphError, match="channel Rs is in no part"):
        process(graph, noise(6), rate=48000, registry=registry)
