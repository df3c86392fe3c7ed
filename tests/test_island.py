"""A node at its own rate behaves like any other: aligned, exact in length, whatever the blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr

from unbraid.host import Graph, process
from unbraid.host.contract import Layout
from unbraid.host.contract.audio import Spec
from unbraid.host.engine.island import RateIsland, round_trip_lag
from unbraid.host.media.resample import lead_in

if TYPE_CHECKING:
    from unbraid.host.registry import Registry

PAIRS = [(48000, 44100), (44100, 48000), (48000, 16000), (96000, 44100), (8000, 44100), (192000, 16000)]


def noise(length: int, channels: int = 2) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(1).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


@pytest.mark.parametrize("latency", [0, 1, 146, 147, 1000])
def test_the_round_trip_is_soxr_s_own_and_aligned_for_every_inner_latency(
    registry: Registry, latency: int
) -> None:
    x = noise(20000)
    graph = Graph()
    graph.output("out", graph.node("n", "late44", graph.input("mix"), latency=latency))
    done = process(graph, x, rate=48000, registry=registry)["out"]
    silence = np.zeros((4800, 2), np.float32)
    inner = soxr.resample(np.concatenate([silence, x.T, silence]), 48000, 44100, quality="HQ")
    want = soxr.resample(inner, 44100, 48000, quality="HQ").T[:, 4800:24800]
    np.testing.assert_allclose(done, want, atol=2e-6)


@pytest.mark.parametrize(
    ("rate", "plugin"), [(48000, "late44"), (96000, "late44"), (44100, "late16"), (8000, "late16")]
)
def test_an_impulse_stays_at_its_sample(registry: Registry, rate: int, plugin: str) -> None:
    x = np.zeros((1, 9000), np.float32)
    x[0, 4321] = 1
    graph = Graph()
    graph.output("out", graph.node("n", plugin, graph.input("mix"), latency=33))
    done = process(graph, x, rate=rate, registry=registry)["out"][0]
    assert np.argmax(np.abs(done)) == 4321
    # The response of a linear-phase band limit is even around it.
    around = done[4321 - 500 : 4321 + 501]
    np.testing.assert_allclose(around, around[::-1], atol=2e-4)


def test_the_first_samples_are_as_good_as_any_other(registry: Registry) -> None:
    """Shifting the input shifts the output, even at the very start of the programme."""
    graph = Graph()
    graph.output("out", graph.node("n", "late44", graph.input("mix")))
    x = noise(6000)
    later = np.pad(x, ((0, 0), (1600, 0)))
    early = process(graph, x, rate=48000, registry=registry)["out"]
    shifted = process(graph, later, rate=48000, registry=registry)["out"][:, 1600:]
    np.testing.assert_allclose(early, shifted, atol=2e-6)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_the_measured_lag_is_never_exceeded(outer: int, inner: int) -> None:
    """Four seconds in the worst cut, single samples through soxr, then ones and twos."""
    lag, lead = round_trip_lag(outer, inner, 7), lead_in(outer, inner)
    random = np.random.default_rng(3)
    down = soxr.ResampleStream(outer, inner, 1, dtype="float32", quality="HQ")
    up = soxr.ResampleStream(inner, outer, 1, dtype="float32", quality="HQ")
    given = len(up.resample_chunk(np.zeros((7, 1), np.float32)))
    given += len(up.resample_chunk(down.resample_chunk(np.zeros((lead, 1), np.float32))))
    fed = worst = 0
    while fed < 4 * outer:
        n = 1 if fed < 2 * outer else int(random.integers(1, 3))
        given += len(up.resample_chunk(down.resample_chunk(np.zeros((n, 1), np.float32))))
        fed += n
        worst = max(worst, fed - given)
    assert worst <= lag


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_the_lead_in_is_whole_at_both_rates(outer: int, inner: int) -> None:
    lead = lead_in(outer, inner)
    assert lead >= 256
    assert lead * inner % outer == 0
    assert lead * inner // outer >= 256


class _Recorder:
    """Stands in for a processor and notes at which of its samples parameters arrive."""

    latency = tail = 0

    def __init__(self) -> None:
        self.position = 0
        self.changes: list[tuple[int, Any]] = []

    def prepare(self, spec: Spec) -> None:
        self.spec = spec

    def set(self, params: Any) -> None:
        self.changes.append((self.position, params))

    def process(self, ins: Any, outs: Any) -> None:
        n = ins["in"].shape[1]
        assert 0 < n <= self.spec.max_block
        assert ins["in"].flags.c_contiguous
        assert not ins["in"].flags.writeable
        outs["out"][:] = ins["in"]
        self.position += n

    def reset(self) -> None:
        self.position = 0

    def release(self) -> None:
        """Nothing to give back."""

    def compiled(self) -> None:
        return None


@pytest.mark.parametrize("cut", [64, 1000])
def test_parameters_arrive_at_the_inner_sample_of_their_moment(cut: int) -> None:
    """48 kHz outside, 16 kHz inside: a change at sample 3000 belongs to inner sample 1000."""
    inner = _Recorder()
    island = RateIsland(inner, 16000)
    mono = {"in": Layout.parse("mono")}
    island.prepare(Spec(48000, 1000, mono, {"out": Layout.parse("mono")}))
    sent = 0
    while sent < 20000:
        for at in (0, 3000, 3001, 9001):
            if sent <= at < sent + cut and sent < at:
                n = at - sent
                island.process({"in": np.zeros((1, n), np.float32)}, {"out": np.empty((1, n), np.float32)})
                sent = at
            if sent == at:
                island.set(at)  # type: ignore[arg-type]
        island.process({"in": np.zeros((1, cut), np.float32)}, {"out": np.empty((1, cut), np.float32)})
        sent += cut
    lead = lead_in(48000, 16000) // 3
    arrived = {value: position - lead for position, value in inner.changes}
    assert arrived[3000] == 1000
    assert arrived[3001] == 1001
    assert arrived[9001] == 3001


def test_reset_gives_a_fresh_island(registry: Registry) -> None:
    card = registry.card("late44")
    mono = Layout.parse("mono")
    spec = Spec(48000, 512, {"in": mono}, {"out": mono})
    island = RateIsland(registry.build(card, card.params(latency=50)), 44100)
    island.prepare(spec)

    def play() -> Any:
        out = np.empty((1, 5120), np.float32)
        x = noise(5120, 1)
        for k in range(10):
            piece = slice(512 * k, 512 * (k + 1))
            island.process({"in": x[:, piece]}, {"out": out[:, piece]})
        return out

    first = play()
    island.reset()
    np.testing.assert_array_equal(play(), first)
    island.release()
    island.prepare(spec)
    np.testing.assert_array_equal(play(), first)
