"""Normalisation and limiting as nodes: programmes meet their target, stems go on summing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from test_recordings import find, read

from unbraid import Graph, render
from unbraid.host.contract import Layout, LayoutRefusedError, PluginCard, PluginError, Spec
from unbraid.host.contract.audio import NAMED_LAYOUTS
from unbraid.host.contract.params import ParamsError, convert
from unbraid.host.registry import Registry
from unbraid.kernels.loudness import LoudnessMeter
from unbraid.kernels.program import call_once
from unbraid.kernels.reference import loudness as reference
from unbraid.kernels.true_peak import oversampling
from unbraid.plugins import basics
from unbraid.plugins import loudness as loudness_cards
from unbraid.plugins.limiter import Limiter
from unbraid.plugins.loudness import LimiterParams, NormalizeParams, unbraid_cards
from unbraid.plugins.normalize import Normalize

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Array = np.ndarray[Any, np.dtype[np.float32]]
BLOCK = 4096
CARDS: dict[str, PluginCard] = {card.id: card for card in unbraid_cards()}


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def music(layout: str, rate: int, seconds: float = 4, seed: int = 0) -> Array:
    """Noise whose level moves, another in each channel."""
    n = int(rate * seconds)
    channels = Layout.parse(layout).channels
    moving = 10 ** (np.random.default_rng(seed).uniform(-1.2, 0, (channels, 9)))
    swell = np.stack([np.interp(np.linspace(0, 8, n), np.arange(9), row) for row in moving])
    return (0.02 * swell * noise(channels, n, seed=seed)).astype(np.float32)


def blocks(stems: Mapping[str, Array]) -> list[dict[str, Array]]:
    n = next(iter(stems.values())).shape[1]
    cut = range(0, n, BLOCK)
    return [{name: np.ascontiguousarray(x[:, at : at + BLOCK]) for name, x in stems.items()} for at in cut]


def names(params: NormalizeParams | LimiterParams) -> dict[str, str]:
    return {name: name for name in params.stems} or {"in": "out"}


def prepared(
    node: Normalize | Limiter, layouts: Mapping[str, str], rate: int, outputs: list[str] | None = None
) -> Normalize | Limiter:
    ins = {name: Layout.parse(layout) for name, layout in layouts.items()}
    outs = {out: ins[name] for name, out in names(node.params).items() if outputs is None or out in outputs}
    node.prepare(Spec(rate, BLOCK, ins, outs))
    return node


def processed(node: Normalize | Limiter, stems: Mapping[str, Array]) -> dict[str, Array]:
    parts: dict[str, list[Array]] = {name: [] for name in node.spec.outputs}
    sources = {out: name for name, out in names(node.params).items()}
    for ins in blocks(stems):
        outs = {name: np.full_like(ins[sources[name]], np.nan) for name in node.spec.outputs}
        node.process(ins, outs)
        for name, block in outs.items():
            parts[name].append(block)
    return {name: np.concatenate(found, axis=1) for name, found in parts.items()}


def normalized(
    stems: Mapping[str, Array], layouts: Mapping[str, str], rate: int = 48000, /, **params: Any
) -> tuple[Normalize, dict[str, Array]]:
    node = Normalize(NormalizeParams(**params))
    prepared(node, layouts, rate)
    node.begin(0)
    for ins in blocks(stems):
        node.analyse(ins)
    node.finish()
    return node, processed(node, stems)


def loudness(x: Array, layout: str, rate: int = 48000) -> float:
    meter = LoudnessMeter(Layout.parse(layout).roles, rate)
    meter.push(np.ascontiguousarray(x))
    return meter.integrated


def true_peak(x: Array, rate: int) -> float:
    return 20 * math.log10(reference.true_peak(x.astype(np.float64), oversampling(rate)))


# Normalisation


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_a_programme_meets_its_target_at_any_rate(rate: int, layout: str) -> None:
    x = music(layout, rate, seconds=3)
    node, outs = normalized({"in": x}, {"in": layout}, rate, target=-23.0)
    assert loudness(outs["out"], layout, rate) == pytest.approx(-23, abs=0.01)
    assert node.findings()["loudness after / LUFS"] == pytest.approx(-23, abs=0.01)


@pytest.mark.parametrize("layout", ["5.1", "7.1.4"])
def test_surround_meets_its_target_as_the_recommendation_weighs_it(layout: str) -> None:
    x = music(layout, 48000, seconds=0.9)
    _, outs = normalized({"in": x}, {"in": layout}, target=-27.0, ceiling=0.0)
    weights = {"LFE": 0.0, "Ls": 1.41, "Rs": 1.41, "Lss": 1.41, "Rss": 1.41}
    squares = reference.energies(
        outs["out"], [weights.get(role, 1.0) for role in NAMED_LAYOUTS[layout]], reference.TABLES
    )
    got = reference.gated(reference.windows(squares, 48000, 4))
    assert got == pytest.approx(-27, abs=0.1)


def test_speech_meets_its_target() -> None:
    x = np.ascontiguousarray(read(find("german"), "float32").T[:, : 8 * 44100])
    node, outs = normalized({"in": x}, {"in": "mono"}, 44100, target=-23.0, ceiling=3.0)
    assert loudness(outs["out"], "mono", 44100) == pytest.approx(-23, abs=0.1)
    assert node.findings()["loudness / LUFS"] == pytest.approx(loudness(x, "mono", 44100), abs=1e-9)


def test_passages_that_the_gain_lifts_over_the_gate_are_reckoned_with() -> None:
    x = 10 ** (-66 / 20) * noise(1, 48000 * 4)
    x[:, 48000 * 2 :] *= 10 ** (-8 / 20)  # below -70 LUFS, and 8 LU below the rest
    assert loudness(x, "mono") - loudness(100 * x, "mono") > -40 + 1  # without the gate it would be -40
    _, outs = normalized({"in": x}, {"in": "mono"}, target=-30.0, ceiling=10.0)
    assert loudness(outs["out"], "mono") == pytest.approx(-30, abs=0.01)


STEMS = ("dialogue", "music", "effects")


def test_stems_get_one_gain_and_sum_to_the_scaled_mixture() -> None:
    stems = {name: music("stereo", 48000, seed=k) for k, name in enumerate(STEMS)}
    whole = np.sum([*stems.values()], axis=0)
    node, outs = normalized(stems, dict.fromkeys(STEMS, "stereo"), stems=STEMS, target=-20.0, ceiling=6.0)
    together = np.sum([*outs.values()], axis=0)
    assert loudness(together, "stereo") == pytest.approx(-20, abs=0.01)
    gain = np.float32(10 ** (float(node.findings()["gain / dB"]) / 20))
    np.testing.assert_allclose(together, gain * whole, rtol=0, atol=1e-6)
    for name in STEMS:
        assert np.array_equal(outs[name], gain * stems[name])


def test_dialogue_can_be_the_anchor_whatever_the_layouts() -> None:
    stems = {"dialogue": music("mono", 48000), "bed": music("5.1", 48000, seed=1)}
    layouts = {"dialogue": "mono", "bed": "5.1"}
    terms: dict[str, Any] = {"stems": tuple(stems), "measure": "dialogue", "target": -27.0, "ceiling": 6.0}
    _, outs = normalized(stems, layouts, **terms)
    assert loudness(outs["dialogue"], "mono") == pytest.approx(-27, abs=0.01)
    assert outs["bed"].shape == stems["bed"].shape
    _, held = normalized(stems, layouts, **terms | {"target": 0.0, "ceiling": -3.0})
    assert max(true_peak(x, 48000) for x in held.values()) == pytest.approx(-3, abs=0.01)


def test_the_ceiling_holds_for_the_true_peak_of_the_sum() -> None:
    n = np.arange(48000)
    tone = 0.3 * np.sin(2 * np.pi * (n / 4 + 1 / 8))[None].astype(np.float32)
    stems = {"a": tone, "b": tone.copy()}
    node, outs = normalized(stems, {"a": "mono", "b": "mono"}, stems=("a", "b"), target=0.0, ceiling=-2.0)
    assert true_peak(outs["a"] + outs["b"], 48000) == pytest.approx(-2, abs=0.01)
    assert node.findings()["gain limited by"] == "ceiling, -2 dBTP"
    assert node.findings()["true peak / dBTP"] == pytest.approx(20 * math.log10(0.6), abs=0.6)


def test_the_gain_upwards_has_a_limit() -> None:
    node, _ = normalized({"in": 0.05 * music("mono", 48000)}, {"in": "mono"}, most=12.0)
    assert node.findings()["gain / dB"] == 12
    assert node.findings()["gain limited by"] == "most, 12 dB"


@pytest.mark.parametrize(("n", "why"), [(96000, "silent"), (4800, "shorter than 400 ms"), (0, "shorter")])
def test_what_has_no_loudness_stays_as_it_is_and_says_why(n: int, why: str) -> None:
    x = np.full((1, n), 1e-5, np.float32)
    node, outs = normalized({"in": x}, {"in": "mono"}) if n else (None, {"out": x})
    assert np.array_equal(outs["out"], x)
    if node is not None:
        assert why in str(node.findings()["gain limited by"])
        assert node.findings()["gain / dB"] == 0
        assert not any(isinstance(value, float) and math.isinf(value) for value in node.findings().values())


def test_a_second_pass_measures_afresh_and_reset_keeps_what_was_learnt() -> None:
    loud, soft = music("mono", 48000), 0.1 * music("mono", 48000, seed=1)
    node, _ = normalized({"in": loud}, {"in": "mono"})
    node.begin(0)
    for ins in blocks({"in": soft}):
        node.analyse(ins)
    node.finish()
    node.reset()
    assert loudness(processed(node, {"in": soft})["out"], "mono") == pytest.approx(-23, abs=0.01)


def test_compiled_or_not_the_bits_are_the_same() -> None:
    stems = {name: music("stereo", 48000, 1, seed=k) for k, name in enumerate(STEMS)}
    node, outs = normalized(stems, dict.fromkeys(STEMS, "stereo"), stems=STEMS)
    compiled = node.compiled()
    assert compiled is not None
    for at, ins in enumerate(blocks(stems)):
        found = [np.empty_like(x) for x in ins.values()]
        call_once(compiled, [*ins.values()], found)
        for name, block in zip(STEMS, found, strict=True):
            assert np.array_equal(block, outs[name][:, at * BLOCK : (at + 1) * BLOCK])
    prepared(node, dict.fromkeys(STEMS, "stereo"), 48000, outputs=["music"])
    assert node.compiled() is None
    assert list(processed(node, stems)) == ["music"]


# Limiting


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 192000])
def test_a_limiter_keeps_the_sum_of_its_stems_below_the_ceiling(rate: int) -> None:
    stems = {name: 20 * music("stereo", rate, 0.5, seed=k) for k, name in enumerate(STEMS)}
    node = Limiter(LimiterParams(stems=STEMS, ceiling=-3.0, lookahead=2.0))
    prepared(node, dict.fromkeys(STEMS, "stereo"), rate)
    outs = processed(node, stems)
    assert true_peak(np.sum([*outs.values()], axis=0), rate) == pytest.approx(-3, abs=0.1)
    assert float(node.findings()["largest reduction / dB"]) > 3


def test_a_limiter_is_late_by_what_it_declares_and_else_changes_nothing() -> None:
    x = music("5.1", 48000, 1)
    node = Limiter(LimiterParams())
    prepared(node, {"in": "5.1"}, 48000)
    y = processed(node, {"in": x})["out"]
    assert node.latency == 252
    assert np.array_equal(y[:, 252:], x[:, :-252])
    assert not y[:, :252].any()
    assert node.findings() == {"largest reduction / dB": 0.0}


def test_a_limiter_s_ceiling_can_be_automated() -> None:
    x = np.ones((1, BLOCK), np.float32)
    node = Limiter(LimiterParams(release=1.0))
    prepared(node, {"in": "mono"}, 48000)
    node.process({"in": x}, {"out": np.empty_like(x)})
    node.set(LimiterParams(release=1.0, ceiling=-12.0))
    y = np.empty_like(x)
    node.process({"in": x}, {"out": y})
    assert 20 * math.log10(y[0, -1]) == pytest.approx(-12, abs=0.01)


# Both in a graph


def test_in_a_graph_over_a_file_stems_are_normalized_limited_and_reported(tmp_path: Path) -> None:
    registry = Registry()
    registry.add(basics, "basics")
    registry.add(loudness_cards, "loudness")
    graph = Graph()
    low = graph.node("low", "lowpass", graph.input("mix"), frequency=1000)
    high = graph.node("high", "subtract", "mix", low)
    level = graph.node("level", "normalize", low, high, stems=("a", "b"), target=-16.0, ceiling=20.0)
    limited = graph.node("limited", "limiter", level["a"], level["b"], stems=("a", "b"), ceiling=-6.0)
    for name, source in (("a", level["a"]), ("b", level["b"]), ("la", limited["a"]), ("lb", limited["b"])):
        graph.output(name, source, subtype="FLOAT")
    x = music("stereo", 48000)
    soundfile.write(tmp_path / "x.wav", x.T, 48000, "FLOAT")
    report = render(graph, tmp_path / "x.wav", tmp_path / "out", registry=registry)
    a, b, la, lb = (read(output.path, "float32").T for output in report.outputs)
    assert loudness(a + b, "stereo") == pytest.approx(-16, abs=0.01)
    assert true_peak(a + b, 48000) > -5
    assert true_peak(la + lb, 48000) == pytest.approx(-6, abs=0.1)
    found = report.findings
    assert found["level"]["loudness / LUFS"] == pytest.approx(loudness(x, "stereo"), abs=0.01)
    assert float(found["limited"]["largest reduction / dB"]) > 1


# Requests


@pytest.mark.parametrize(
    ("params", "values", "says"),
    [
        (NormalizeParams, {"stems": ["a", "a"]}, "'a' stands there twice"),
        (LimiterParams, {"stems": ["a.b"]}, "'a.b' must be of letters"),
        (LimiterParams, {"stems": [f"s{k}" for k in range(65)]}, "at most 64"),
        (NormalizeParams, {"stems": ["sum"]}, "'sum' means all of them"),
        (NormalizeParams, {"stems": ["a"], "measure": "b"}, "'b' is neither sum nor one of stems"),
        (NormalizeParams, {"target": 3}, "target = 3 is out of bounds: -70 to 0 LUFS"),
        (LimiterParams, {"lookahead": 0.1}, "out of bounds: 0.5 to 20 ms"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_words(params: Any, values: dict[str, Any], says: str) -> None:
    with pytest.raises(ParamsError, match=says):
        convert(params, values)


def test_stems_of_different_layouts_have_no_sum() -> None:
    inputs = {"a": Layout.parse("mono"), "b": Layout.parse("stereo")}
    for plugin, params in (
        ("normalize", NormalizeParams(stems=("a", "b"))),
        ("limiter", LimiterParams(stems=("a", "b"))),
    ):
        with pytest.raises(LayoutRefusedError, match="must have one layout, but a is mono, b is stereo"):
            CARDS[plugin].layouts_of(params, inputs)
    anchored = NormalizeParams(stems=("a", "b"), measure="a")
    assert CARDS["normalize"].layouts_of(anchored, inputs) == inputs


@pytest.mark.parametrize("node", [Normalize(NormalizeParams()), Limiter(LimiterParams())])
def test_a_rate_beyond_the_standard_is_refused_in_words(node: Normalize | Limiter) -> None:
    with pytest.raises(PluginError, match="rate must be an integer from 8000 to 384000, not 4000"):
        prepared(node, {"in": "mono"}, 4000)
