"""The render of any graph equals a direct evaluation, sample by sample, however it is cut into blocks."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import soxr
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from unbraid.host import Graph, process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unbraid.host.registry import Registry

Signal = npt.NDArray[np.float32]

RATE = 48000
PAD = 12000  # silence after the programme, longer than any latency below
LEAD = 4800  # silence before it, since a resampler's filter rings before an onset
GRID = 64


@dataclass
class Node:
    """One node of a random graph: how it is written, and what it does to whole signals."""

    use: str
    sources: list[str]
    params: dict[str, Any]
    lane: tuple[str, list[tuple[int, float]], bool] | None = None
    exact: bool = True
    outputs: list[str] = field(default_factory=lambda: ["out"])


def _lane_values(node: Node, param: str, n: int) -> npt.NDArray[np.float64]:
    """Evaluate a parameter at every sample straight from the definition."""
    own = node.params[param]
    if node.lane is None or node.lane[0] != param:
        return np.full(n, own)
    _, points, linear = node.lane
    times, values = [t for t, _ in points], [v for _, v in points]
    out = np.empty(n)
    for i in range(n):
        t = max(0, i - LEAD)
        at = t - t % GRID if linear else t
        k = bisect_right(times, at) - 1
        if k < 0:
            out[i] = own
        elif not linear or k == len(times) - 1:
            out[i] = values[k]
        else:
            share = (at - times[k]) / (times[k + 1] - times[k])
            out[i] = values[k] + (values[k + 1] - values[k]) * share
    return out


def _linear(decibels: Any) -> Any:
    return np.asarray(10.0 ** (np.asarray(decibels, np.float64) / 20), np.float32)


def _resampled(x: Signal, rate: int) -> Signal:
    inner = soxr.resample(np.ascontiguousarray(x.T), RATE, rate, quality="HQ")
    back = soxr.resample(inner, rate, RATE, quality="HQ").T[:, : x.shape[1]]
    return np.pad(back, ((0, 0), (0, x.shape[1] - back.shape[1]))).astype(np.float32)


def evaluate(node: Node, ins: list[Signal]) -> dict[str, Signal]:  # noqa: PLR0911 - a table of plugins
    """Do to whole signals what the node is documented to do."""
    x, n = ins[0], ins[0].shape[1]
    if node.use == "gain":
        return {"out": x * _linear(_lane_values(node, "gain", n))}
    if node.use == "late":
        return {"out": x * _lane_values(node, "gain", n).astype(np.float32)}
    if node.use == "late44":
        return {"out": _resampled(x, 44100) * np.float32(node.params["gain"])}
    if node.use == "mask":
        return {"out": x * np.float32(node.params["gain"])}
    if node.use == "delay":
        return {"out": np.pad(x, ((0, 0), (node.params["samples"], 0)))[:, :n]}
    if node.use == "subtract":
        return {"out": x - ins[1]}
    if node.use == "halve":
        part = x * _lane_values(node, "share", n).astype(np.float32)
        return {"part": part, "rest": x - part}
    gains = _linear(node.params["gains"])
    total = gains[0] * x
    for gain, other in zip(gains[1:], ins[1:], strict=True):
        total = total + gain * other
    return {"out": total}


@st.composite
def _lanes(
    draw: st.DrawFn, param: str, low: float, high: float
) -> tuple[str, list[tuple[int, float]], bool] | None:
    if draw(st.booleans()):
        return None
    times = sorted(draw(st.sets(st.integers(0, 1500), min_size=1, max_size=4)))
    values = draw(st.lists(st.floats(low, high), min_size=len(times), max_size=len(times)))
    return param, list(zip(times, values, strict=True)), draw(st.booleans())


@st.composite
def _nodes(draw: st.DrawFn, available: list[str]) -> Node:
    use = draw(st.sampled_from(["gain", "mix", "subtract", "delay", "late", "halve", "mask", "late44"]))
    source = st.sampled_from(available)
    if use == "gain":
        node = Node(use, [draw(source)], {"gain": draw(st.floats(-20, 3))})
        node.lane = draw(_lanes("gain", -20, 3))
    elif use == "late":
        params = {"latency": draw(st.integers(0, 700)), "gain": draw(st.floats(-1, 1))}
        node = Node(use, [draw(source)], params, draw(_lanes("gain", -1, 1)))
    elif use == "late44":
        node = Node(use, [draw(source)], {"latency": draw(st.integers(0, 200)), "gain": 0.5}, exact=False)
    elif use == "mask":
        node = Node(use, [draw(source)], {"gain": draw(st.floats(0, 1))}, exact=False)
    elif use == "delay":
        node = Node(use, [draw(source)], {"samples": draw(st.integers(0, 900))})
    elif use == "subtract":
        node = Node(use, [draw(source), draw(source)], {})
    elif use == "halve":
        node = Node(use, [draw(source)], {"share": draw(st.floats(0, 1))}, outputs=["part", "rest"])
        node.lane = draw(_lanes("share", 0, 1))
    else:
        count = draw(st.integers(1, 3))
        gains = draw(st.lists(st.floats(-20, 0), min_size=count, max_size=count))
        node = Node(use, [draw(source) for _ in range(count)], {"gains": gains})
    return node


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, dict[str, Node], dict[str, str]]:
    """Draw any acyclic graph: fan-out, merges, delays, latencies, islands, separators, automation."""
    graph, nodes, available = Graph(), {}, ["mix"]
    graph.input("mix")
    for k in range(draw(st.integers(1, 7))):
        name = f"n{k}"
        node = nodes[name] = draw(_nodes(available))
        graph.node(name, node.use, *node.sources, **node.params)
        if node.lane is not None:
            param, points, linear = node.lane
            moments = [(f"{time} samples", value) for time, value in points]
            graph.automate(name, param, moments, curve="linear" if linear else "step")
        available += [f"{name}.{port}" for port in node.outputs]
    read = {source.partition(".")[0] for node in nodes.values() for source in node.sources}
    outputs = {
        f"o{k}": wire for k, wire in enumerate(available) if wire == "mix" or wire.split(".")[0] not in read
    }
    extra = draw(st.sampled_from(available))
    outputs["extra"] = extra
    for name, wire in outputs.items():
        graph.output(name, wire)
    return graph, nodes, outputs


def expected(nodes: dict[str, Node], x: Signal) -> dict[str, tuple[Signal, bool]]:
    """Evaluate every signal of the graph over the programme in silence; say which must agree to the bit."""
    signals = {"mix": (x, True)}
    for name, node in nodes.items():
        sources = [signals[source] for source in node.sources]
        exact = node.exact and all(is_exact for _, is_exact in sources)
        for port, signal in evaluate(node, [signal for signal, _ in sources]).items():
            signals[f"{name}.{port}"] = (signal, exact)
    return signals


def cuts(seed: int) -> Iterator[tuple[str, list[int] | None]]:
    """Yield the block lengths every render must agree for."""
    for size in (1, 7, 37, 256, 8193):
        yield f"blocks of {size}", [size] * 60000
    yield "random blocks", np.random.default_rng(seed).integers(0, 3000, 60000).tolist()


@hypothesis_settings(max_examples=25)
@given(drawn=graphs(), channels=st.integers(1, 2), length=st.integers(1, 1600), seed=st.integers(0, 999))
def test_any_graph_equals_direct_evaluation_for_any_cut(
    registry: Registry,
    drawn: tuple[Graph, dict[str, Node], dict[str, str]],
    channels: int,
    length: int,
    seed: int,
) -> None:
    graph, nodes, outputs = drawn
    x = np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)
    signals = expected(nodes, np.pad(x, ((0, 0), (LEAD, PAD))))
    first: dict[str, Signal] | None = None
    for how, blocks in cuts(seed):
        done = process(graph, x, rate=RATE, registry=registry, blocks=blocks)
        for name, wire in outputs.items():
            want, exact = signals[wire]
            want = want[:, LEAD : LEAD + length]
            assert done[name].shape == x.shape
            if exact:
                np.testing.assert_array_equal(done[name], want, err_msg=f"{name} ({wire}), {how}")
            else:
                scale = max(1.0, float(np.abs(want).max()))
                np.testing.assert_allclose(
                    done[name], want, atol=2e-5 * scale, rtol=0, err_msg=f"{name}, {how}"
                )
        if first is None:
            first = done
        for name, signal in done.items():
            np.testing.assert_array_equal(signal, first[name], err_msg=f"{name} depends on blocks: {how}")
