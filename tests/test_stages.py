"""Nodes that hear the whole programme first: passes, stages, spooled pipes, live graphs that refuse."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile as sf

from unbraid.host import Graph, GraphError, NodeError, RenderOptions, open_stream, process, render
from unbraid.host.contract import Cancelled, Layout, MediaError, PluginCard, PluginError, Port, Ports
from unbraid.host.engine.drive import Drive
from unbraid.host.engine.plan import Settings, build_plan
from unbraid.host.engine.survey import survey
from unbraid.host.graph.draw import to_text
from unbraid.kernels.loudness import LoudnessMeter

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from unbraid.host.registry import Registry

    Array = npt.NDArray[np.float32]


def noise(channels: int, length: int, level: float = 0.3, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-level, level, (channels, length)).astype(np.float32)


def peaking(*before: str, **params: Any) -> Graph:
    """A graph that brings the highest sample to 1, after the plugins named."""
    graph = Graph()
    last: Any = graph.input("mix")
    for k, plugin in enumerate(before):
        last = graph.node(f"before{k}", plugin, last)
    graph.output("out", graph.node("peak", "peak", last, **params))
    return graph


def test_a_node_hears_the_whole_programme_before_its_first_sample(registry: Registry) -> None:
    x = noise(2, 50_000)
    x[1, -1] = -0.5  # the highest sample is the last
    done = process(peaking(), x, rate=48000, registry=registry)["out"]
    np.testing.assert_array_equal(done, x / np.float32(0.5))


@pytest.mark.parametrize("before", [("late", "mask"), ("halve.part",), ("late44",)])
def test_it_hears_what_the_nodes_before_it_give_without_their_latency(
    registry: Registry, before: tuple[str, ...]
) -> None:
    graph, plain = Graph(), Graph()
    for each in (graph, plain):
        last: Any = each.input("mix")
        for k, plugin in enumerate(before):
            use, _, port = plugin.partition(".")
            params: dict[str, Any] = {"latency": 333} if use.startswith("late") else {}
            node = each.node(f"n{k}", use, last, **params)
            last = node[port] if port else node
        each.output("out", each.node("peak", "peak", last) if each is graph else last)
    x = noise(2, 30_000)
    alone = process(plain, x, rate=48000, registry=registry)["out"]
    done = process(graph, x, rate=48000, registry=registry)["out"]
    np.testing.assert_array_equal(done, alone / np.abs(alone).max())


def test_what_is_heard_does_not_depend_on_blocks(registry: Registry) -> None:
    x = noise(1, 20_000)
    graph = peaking("mask")
    whole = process(graph, x, rate=48000, registry=registry)["out"]
    cuts = [0, 1, 7, 37, 256, 8192, *[97] * 300]
    np.testing.assert_array_equal(process(graph, x, rate=48000, registry=registry, blocks=cuts)["out"], whole)


def test_stages_go_one_after_the_other_and_independent_nodes_share_one(registry: Registry) -> None:
    """Two that depend on each other take their passes in turn: the second hears what the first gives."""
    graph = Graph()
    mix = graph.input("mix")
    first = graph.node("first", "peak", mix)
    half = graph.node("half", "gain", first, gain=-20 * np.log10(2))
    graph.output("a", graph.node("second", "peak", half))
    graph.output("b", graph.node("aside", "twice", mix))
    x = noise(1, 10_000)
    done = process(graph, x, rate=48000, registry=registry)
    np.testing.assert_allclose(np.abs(done["a"]).max(), 1, rtol=1e-6)
    np.testing.assert_allclose(done["a"], x / np.abs(x).max(), rtol=1e-6)
    # `twice` takes its own mean off in pass 0 and divides by the peak of what is left, found in pass 1.
    centred = x - np.float32(x.mean(dtype=np.float64))
    np.testing.assert_allclose(done["b"], centred / np.abs(centred).max(), rtol=1e-6)


def test_several_inputs_are_heard_together_and_lined_up(registry: Registry) -> None:
    graph = Graph()
    mix = graph.input("mix")
    late = graph.node("late", "late", mix, latency=777)
    graph.output("out", graph.node("level", "same", mix, late))
    x = noise(1, 9_000)
    done = process(graph, x, rate=48000, registry=registry, blocks=[100, 1000, 3])["out"]
    np.testing.assert_array_equal(done, x)  # `same` gives NaN when its inputs ever differed


def test_at_another_rate_it_hears_the_programme_at_its_own(registry: Registry) -> None:
    t = np.arange(48000) / 48000
    x = (0.25 * np.sin(2 * np.pi * 997 * t)).astype(np.float32)[None]
    graph = Graph()
    graph.output("out", graph.node("peak", "peak16", graph.input("mix")))
    done = process(graph, x, rate=48000, registry=registry)["out"]
    middle = slice(4000, -4000)
    np.testing.assert_allclose(done[0, middle], 4 * x[0, middle], atol=4e-3)


def test_without_a_sample_it_hears_nothing_and_says_so(registry: Registry) -> None:
    done = process(peaking(), np.zeros((1, 0), np.float32), rate=48000, registry=registry)["out"]
    assert done.shape == (1, 0)


@pytest.mark.parametrize("method", ["begin", "analyse", "finish"])
def test_a_node_that_fails_to_hear_is_named(registry: Registry, method: str) -> None:
    with pytest.raises(NodeError, match=rf"node 'peak' \(peak\) failed at sample .*: {method}\(\) raised"):
        process(peaking(fail=method), noise(1, 100), rate=48000, registry=registry)


def test_a_non_finite_sample_is_named_where_it_is_made(registry: Registry) -> None:
    graph = Graph()
    bad = graph.node("bad", "late", graph.input("mix"), nan_at=70, latency=10)
    graph.output("out", graph.node("peak", "peak", bad))
    with pytest.raises(NodeError, match=r"node 'bad' \(late\) failed at sample 60"):
        process(graph, noise(1, 100), rate=48000, registry=registry)


def test_a_live_stream_refuses_it(registry: Registry) -> None:
    with pytest.raises(
        GraphError, match=r"'peak' cannot run on a stream: it must hear the whole programme first"
    ):
        open_stream(peaking(), rate=48000, layouts={"mix": "mono"}, registry=registry)


def test_a_plugin_that_hears_must_have_the_methods(registry: Registry) -> None:
    graph = Graph()
    graph.output("out", graph.node("deaf", "deaf", graph.input("mix")))
    with pytest.raises(PluginError, match="has no begin, analyse, finish; derive from AnalysisProcessor"):
        process(graph, noise(1, 10), rate=48000, registry=registry)


@pytest.mark.parametrize(("passes", "inputs"), [(-1, 1), (17, 1), (True, 1), (1, 0)])
def test_a_card_says_how_often_in_a_number_that_can_be(passes: Any, inputs: int) -> None:
    ports = Ports(tuple(Port(f"in{k}") for k in range(inputs)), (Port("out"),))
    with pytest.raises(PluginError, match="passes"):
        PluginCard("x", "X", "1", "MIT", "x:X", passes=passes, ports=ports)


def test_the_drawing_says_so(registry: Registry, tmp_path: Path) -> None:
    graph = peaking()
    graph.output("aside", graph.node("wall", "gain", "mix", isolate=True))
    plan = build_plan(graph.check(registry, 48000, {"mix": Layout.parse("mono")}), registry, Settings())
    drawn = to_text(survey(plan))
    plan.release()
    assert "peak, hears the programme first" in drawn
    assert "gain, in its own process" in drawn


# Over files and pipes


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "in.wav"
    sf.write(path, noise(2, 40_000).T, 48000, subtype="FLOAT")
    return path


def read(path: Path) -> Array:
    data, _ = sf.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(data.T)


def test_a_file_is_read_again_for_every_pass(registry: Registry, wav: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = render(
        peaking(), wav, tmp_path / "out", registry=registry, progress=lambda d, t: seen.append((d, t))
    )
    x = read(wav)
    np.testing.assert_array_equal(read(tmp_path / "out" / "in.out.wav"), x / np.abs(x).max())
    assert report.findings == {
        "peak": {"peak": pytest.approx(float(np.abs(x).max())), "heard": "40000 samples"}
    }
    done = [d for d, _ in seen]
    assert done == sorted(done)
    assert seen[-1] == (80_000, 80_000)


@pytest.mark.parametrize("rate", [48000, 44100])
def test_inputs_of_two_rates_are_resampled_in_every_pass(
    registry: Registry, wav: Path, tmp_path: Path, rate: int
) -> None:
    other = tmp_path / "other.wav"
    sf.write(other, noise(2, 40_000 * rate // 48000, seed=1).T, rate, subtype="FLOAT")
    graph = Graph()
    a, b = graph.input("a"), graph.input("b")
    graph.output("out", graph.node("peak", "peak", graph.node("sum", "mix", a, b)))
    options = RenderOptions(resample=True)
    render(graph, {"a": wav, "b": other}, tmp_path / "out", registry=registry, options=options)
    assert np.abs(read(tmp_path / "out" / "in.out.wav")).max() == 1


def test_a_file_that_changes_between_passes_is_an_error(
    registry: Registry, wav: Path, tmp_path: Path
) -> None:
    def shorten(done: int, total: int) -> None:
        shorter = tmp_path / "shorter.wav"
        sf.write(shorter, noise(2, 39_999).T, 48000, subtype="FLOAT")
        shorter.replace(wav)

    with pytest.raises(MediaError, match="has changed while it was read"):
        render(peaking(), wav, tmp_path / "out", registry=registry, progress=shorten)
    assert not (tmp_path / "out").exists()


def test_a_file_replaced_by_another_of_the_same_length_is_an_error_too(
    registry: Registry, wav: Path, tmp_path: Path
) -> None:
    def louder(done: int, total: int) -> None:
        other = tmp_path / "louder.wav"
        sf.write(other, 2 * noise(2, 40_000).T, 48000, subtype="FLOAT")
        other.replace(wav)

    with pytest.raises(MediaError, match="has changed while it was read"):
        render(peaking(), wav, tmp_path / "out", registry=registry, progress=louder)
    assert not (tmp_path / "out").exists()


def test_a_file_that_changes_in_the_last_pass_is_an_error(
    registry: Registry, wav: Path, tmp_path: Path
) -> None:
    def touch(done: int, total: int) -> None:
        if done == total:
            os.utime(wav, ns=(1, 1))

    with pytest.raises(MediaError, match="has changed while it was read"):
        render(peaking(), wav, tmp_path / "out", registry=registry, progress=touch)
    assert not (tmp_path / "out").exists()


def test_a_spooled_pipe_is_a_file_afterwards_and_can_be_cancelled(
    registry: Registry, tmp_path: Path, fifo: Path
) -> None:
    state = {"done": 0, "total": 1}
    with pytest.raises(Cancelled):
        render(
            peaking(),
            fifo,
            tmp_path / "out",
            registry=registry,
            options=RenderOptions(spool=str(tmp_path)),
            progress=lambda done, total: state.update(done=done, total=total),
            cancelled=lambda: 2 * state["done"] > state["total"],
        )
    assert not (tmp_path / "out").exists()


def test_what_a_node_fails_to_tell_does_not_cost_the_render(
    registry: Registry, wav: Path, tmp_path: Path
) -> None:
    report = render(peaking(fail="findings"), wav, tmp_path / "out", registry=registry)
    assert report.findings == {}
    assert any("findings() raised RuntimeError: told to fail" in line for line in report.warnings)
    assert (tmp_path / "out" / "in.out.wav").exists()


def test_cancel_in_a_pass_leaves_nothing(registry: Registry, wav: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        render(peaking(), wav, tmp_path / "out", registry=registry, cancelled=lambda: True)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def fifo(tmp_path: Path, wav: Path) -> Iterator[Path]:
    """A FIFO into which a program of its own writes the file."""
    path = tmp_path / "in.fifo"
    os.mkfifo(path)
    copy = f"open({str(path)!r}, 'wb').write(open({str(wav)!r}, 'rb').read())"
    with subprocess.Popen([sys.executable, "-c", copy], stderr=subprocess.DEVNULL) as program:
        yield path
        program.kill()


def test_a_pipe_is_spooled_where_it_is_told(
    registry: Registry, wav: Path, tmp_path: Path, fifo: Path
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    render(peaking("mask"), wav, tmp_path / "file", registry=registry)
    options = RenderOptions(spool=str(spool))
    render(peaking("mask"), fifo, tmp_path / "pipe", registry=registry, options=options)
    np.testing.assert_array_equal(
        read(tmp_path / "pipe" / "in.out.wav"), read(tmp_path / "file" / "in.out.wav")
    )
    assert not list(spool.iterdir())


def test_a_pipe_without_a_place_to_spool_is_refused_with_the_remedy(
    registry: Registry, tmp_path: Path, fifo: Path
) -> None:
    with pytest.raises(MediaError, match=r"in.fifo: is a pipe, but peak must hear .*pass --spool DIR"):
        render(peaking(), fifo, tmp_path / "out", registry=registry)
    assert not (tmp_path / "out").exists()


def test_a_spool_that_cannot_be_written_names_the_folder(
    registry: Registry, tmp_path: Path, fifo: Path
) -> None:
    options = RenderOptions(spool=str(tmp_path / "nowhere"))
    with pytest.raises(
        MediaError, match=r"cannot be spooled to .*nowhere: No such file.*give --spool another"
    ):
        render(peaking(), fifo, tmp_path / "out", registry=registry, options=options)


def test_a_full_spool_is_an_error_and_leaves_nothing(
    registry: Registry, tmp_path: Path, fifo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full").open("wb+", buffering=0)  # noqa: SIM115 - what it stands for is closed by its user
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    options = RenderOptions(spool=str(tmp_path))
    with pytest.raises(MediaError, match=r"cannot be spooled to .*: No space left on device"):
        render(peaking(), fifo, tmp_path / "out", registry=registry, options=options)
    assert not (tmp_path / "out").exists()


def test_the_ready_made_normalisation_gives_the_same_over_a_file_and_a_spooled_pipe(
    registry: Registry, wav: Path, fifo: Path, tmp_path: Path
) -> None:
    report = render("normalize", wav, tmp_path / "file", registry=registry)
    render(
        "normalize", fifo, tmp_path / "pipe", registry=registry, options=RenderOptions(spool=str(tmp_path))
    )
    done = read(tmp_path / "file" / "in.normalized.wav")
    np.testing.assert_array_equal(read(tmp_path / "pipe" / "in.normalized.wav"), done)
    meter = LoudnessMeter(["L", "R"], 48000)
    meter.push(done)
    assert meter.integrated == pytest.approx(-23, abs=0.1)
    assert report.findings["level"]["loudness after / LUFS"] == pytest.approx(-23, abs=0.01)


# A live input that declares its length and is told to end


def end_early(fifo: Path, folder: Path, registry: Registry) -> None:
    """Render a pipe, and ask for its end after the first block."""
    asked: list[bool] = []
    render(
        "dewind",
        fifo,
        folder,
        registry=registry,
        progress=lambda *_: asked.append(True),
        cancelled=lambda: bool(asked),
    )


def test_it_is_told_as_the_end_that_was_asked_for_and_nothing_is_left(
    registry: Registry, fifo: Path, tmp_path: Path
) -> None:
    with pytest.raises(Cancelled, match=r"in.fifo: was ended before it was as long as it declares"):
        end_early(fifo, tmp_path / "out", registry)
    assert not (tmp_path / "out").exists()


def test_what_fails_then_for_another_reason_is_told_as_it_is(
    registry: Registry, fifo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MediaError("the disk is full")

    monkeypatch.setattr(Drive, "_end", full)
    with pytest.raises(MediaError, match="the disk is full"):
        end_early(fifo, tmp_path / "out", registry)
