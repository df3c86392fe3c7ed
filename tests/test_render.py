"""Rendering: lengths, alignment, failures in the middle, hooks; files, arrays and streams agree."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import rig
from unbraid import (
    Cancelled,
    Graph,
    GraphError,
    MediaError,
    NodeError,
    Registry,
    UnbraidError,
    open_stream,
    process,
    render,
)
from unbraid.host import RenderOptions
from unbraid.host.contract import hookimpl

if TYPE_CHECKING:
    from unbraid.host import RenderReport

Array = npt.NDArray[np.float32]
RATE = 48_000


def noise(samples: int = 20_000, channels: int = 2, seed: int = 11) -> Array:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, samples)).astype(np.float32)


def write(path: Path, data: Array, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, data.T, rate, subtype=subtype)
    return path


def read(path: Path) -> Array:
    data: Array = soundfile.read(path, dtype="float32", always_2d=True)[0].T
    return data


def chain(*nodes: tuple[str, dict[str, Any]]) -> Graph:
    """A graph of plugins in a row."""
    graph = Graph()
    source = graph.input("mix")
    for i, (plugin, params) in enumerate(nodes):
        source = graph.node(f"n{i}", plugin, source, **params)
    graph.output("out", source)
    return graph


def difference() -> Graph:
    graph = Graph()
    graph.output("out", graph.node("minus", "subtract", graph.input("a"), graph.input("b")))
    return graph


def many_paths() -> Graph:
    """Two late branches that meet, and a separator whose stems are outputs."""
    graph = Graph()
    mix = graph.input("mix", "stereo")
    late = graph.node("late", "late", mix, latency=777, gain=0.5)
    mask = graph.node("mask", "mask", mix, gain=0.25)
    halves = graph.node("halves", "halve", graph.node("sum", "mix", late, mask, gains=[0.0, -6.0]), share=0.3)
    graph.output("part", halves["part"])
    graph.output("rest", halves["rest"])
    graph.output("dry", mix)
    return graph


# Length, rate, alignment


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 96_000])
def test_outputs_have_the_inputs_rate_and_exactly_its_length(
    tmp_path: Path, registry: Registry, rate: int
) -> None:
    for samples in (1, 511, 8192, 8193, 20_001):
        source = write(tmp_path / f"{samples}.wav", noise(samples), rate)
        folder = tmp_path / f"o{samples}"
        report = render(many_paths(), source, folder, registry=registry)
        assert [output.name for output in report.outputs] == ["part", "rest", "dry"]
        for output in report.outputs:
            info = soundfile.info(folder / f"{samples}.{output.name}.wav")
            assert (info.frames, info.samplerate, info.channels) == (samples, rate, 2)
            assert (output.length, output.rate, output.layout) == (samples, rate, "stereo")
        assert report.programme == samples / rate


@pytest.mark.parametrize("at", [0, 1, 8191, 8192, 19_999])
def test_an_impulse_comes_out_at_the_sample_it_went_in(tmp_path: Path, registry: Registry, at: int) -> None:
    data = np.zeros((1, 20_000), np.float32)
    data[0, at] = 0.75
    source = write(tmp_path / "in.wav", data)
    render(
        chain(("late", {"latency": 777}), ("mask", {}), ("late", {"latency": 1})),
        source,
        tmp_path,
        registry=registry,
    )
    result = read(tmp_path / "in.out.wav")
    np.testing.assert_allclose(result, data, atol=1e-6)


def test_the_report_tells_the_latency_that_was_taken_off(tmp_path: Path, registry: Registry) -> None:
    source = write(tmp_path / "in.wav", noise())
    graph = chain(("late", {"latency": 777}), ("late", {"latency": 23}))
    assert render(graph, source, tmp_path, registry=registry).latency == 800


@pytest.mark.parametrize("latency", [0, 777])
def test_tails_lengthen_the_output_by_what_is_declared_and_hold_the_echo(
    tmp_path: Path, registry: Registry, latency: int
) -> None:
    data = np.zeros((1, 10_000), np.float32)
    data[0, 9_500] = 0.5
    source = write(tmp_path / "in.wav", data)
    graph = chain(("late", {"latency": latency}), ("delay", {"samples": 1000}))
    cut = render(graph, source, tmp_path / "cut", registry=registry)
    whole = render(graph, source, tmp_path / "whole", options=RenderOptions(tails=True), registry=registry)
    assert (cut.outputs[0].length, whole.outputs[0].length) == (10_000, 11_000)
    assert not read(tmp_path / "cut" / "in.out.wav").any()
    result = read(tmp_path / "whole" / "in.out.wav")
    assert result.shape == (1, 11_000)
    assert np.flatnonzero(result).tolist() == [10_500]
    assert result[0, 10_500] == 0.5


def test_each_output_has_the_tail_of_its_own_nodes(registry: Registry) -> None:
    graph = Graph()
    mix = graph.input("mix")
    graph.output("dry", mix)
    graph.output("wet", graph.node("echo", "delay", mix, samples=300))
    done = process(graph, noise(1000), rate=RATE, options=RenderOptions(tails=True), registry=registry)
    assert {name: data.shape[1] for name, data in done.items()} == {"dry": 1000, "wet": 1300}


def test_six_channels_stay_six_channels_in_their_order(tmp_path: Path, registry: Registry) -> None:
    data = noise(channels=6)
    source = write(tmp_path / "in.wav", data)
    report = render(chain(("late", {"latency": 5}), ("gain", {})), source, tmp_path, registry=registry)
    assert report.outputs[0].layout == "5.1"
    np.testing.assert_array_equal(read(tmp_path / "in.out.wav"), data)


# Samples that are not numbers


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 12_345, 19_999])
def test_a_non_finite_input_is_refused_naming_file_and_sample(
    tmp_path: Path, registry: Registry, at: int, bad: float
) -> None:
    data = noise()
    data[1, at] = bad
    data[0, min(at + 7, 19_999)] = bad
    source = write(tmp_path / "in.wav", data)
    with pytest.raises(MediaError) as caught:
        render(chain(("late", {"latency": 777})), source, tmp_path / "o", registry=registry)
    text = str(caught.value)
    assert text.startswith(f"{source}: sample {at} is not a finite number")
    assert "--non-finite zero" in text
    assert "\n" not in text
    assert not (tmp_path / "o").exists()


def test_non_finite_samples_can_be_replaced_and_are_counted(tmp_path: Path, registry: Registry) -> None:
    data = noise()
    places = [(0, 0), (1, 0), (0, 8191), (1, 8192), (1, 19_999)]
    for (channel, at), bad in zip(places, [np.nan, np.inf, -np.inf, np.nan, np.nan], strict=True):
        data[channel, at] = bad
    source = write(tmp_path / "in.wav", data)
    options = RenderOptions(non_finite="zero")
    report = render(chain(("gain", {})), source, tmp_path, options=options, registry=registry)
    assert report.zeroed == len(places)
    expected = data.copy()
    for place in places:
        expected[place] = 0
    np.testing.assert_array_equal(read(tmp_path / "in.out.wav"), expected)
    np.testing.assert_array_equal(
        process(chain(("gain", {})), data, rate=RATE, options=options, registry=registry)["out"], expected
    )


def test_an_array_with_nan_is_refused_naming_the_input(registry: Registry) -> None:
    data = noise()
    data[0, 77] = np.nan
    with pytest.raises(MediaError, match=r"input 'mix': sample 77 is not a finite number"):
        process(chain(("gain", {})), data, rate=RATE, registry=registry)


# Nodes that fail


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The latency of every `late` that was released, in order."""
    seen: list[int] = []

    def release(self: rig.Late) -> None:
        seen.append(self.params.latency)

    monkeypatch.setattr(rig.Late, "release", release)
    return seen


def test_a_node_that_raises_is_named_with_plugin_and_place_and_all_are_released(
    tmp_path: Path, registry: Registry, released: list[int]
) -> None:
    source = write(tmp_path / "in.wav", noise())
    # The third node hears the programme 800 samples late, so its 12,345th sample is programme time 11,545.
    graph = chain(
        ("late", {"latency": 777}),
        ("late", {"latency": 23}),
        ("late", {"latency": 5, "fail_at": 12_345}),
        ("late", {"latency": 6}),
    )
    with pytest.raises(NodeError) as caught:
        render(graph, source, tmp_path / "o", options=RenderOptions(max_block=1000), registry=registry)
    error = caught.value
    assert (error.node, error.plugin) == ("n2", "late")
    assert error.sample == 12_000 - 800  # the first sample of the block that holds it
    assert "told to fail" in str(error)
    assert isinstance(error.__cause__, RuntimeError)
    assert sorted(released) == [5, 6, 23, 777]
    assert not (tmp_path / "o").exists()


def test_a_node_that_gives_nan_is_named_with_plugin_and_sample(
    tmp_path: Path, registry: Registry, released: list[int]
) -> None:
    source = write(tmp_path / "in.wav", noise())
    # Its output's 12,345th sample belongs to programme time 12,345 - 777 - 23.
    graph = chain(("late", {"latency": 777}), ("late", {"latency": 23, "nan_at": 12_345}))
    with pytest.raises(NodeError) as caught:
        render(graph, source, tmp_path / "o", options=RenderOptions(max_block=1000), registry=registry)
    error = caught.value
    assert (error.node, error.plugin, error.sample) == ("n1", "late", 11_545)
    assert "non-finite" in str(error)
    assert sorted(released) == [23, 777]
    assert not (tmp_path / "o").exists()


def test_a_finished_render_releases_every_node_once(
    tmp_path: Path, registry: Registry, released: list[int]
) -> None:
    source = write(tmp_path / "in.wav", noise())
    render(chain(("late", {"latency": 1}), ("late", {"latency": 2})), source, tmp_path, registry=registry)
    assert sorted(released) == [1, 2]


def test_a_node_that_fails_to_release_is_a_warning(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def release(self: rig.Late) -> None:
        raise RuntimeError("stuck")

    monkeypatch.setattr(rig.Late, "release", release)
    source = write(tmp_path / "in.wav", noise())
    report = render(chain(("late", {})), source, tmp_path, registry=registry)
    assert any("n0" in warning and "stuck" in warning for warning in report.warnings)
    np.testing.assert_array_equal(read(tmp_path / "in.out.wav"), noise())


def test_a_failing_process_over_arrays_releases_every_node(registry: Registry, released: list[int]) -> None:
    with pytest.raises(NodeError):
        process(
            chain(("late", {"latency": 1}), ("late", {"latency": 2, "fail_at": 3})),
            noise(),
            rate=RATE,
            registry=registry,
        )
    assert sorted(released) == [1, 2]


# Several inputs


def test_two_inputs_by_name(tmp_path: Path, registry: Registry) -> None:
    a, b = noise(seed=1), noise(seed=2)
    first, second = write(tmp_path / "first.wav", a), write(tmp_path / "second.wav", b)
    report = render(difference(), {"b": second, "a": first}, tmp_path, registry=registry)
    np.testing.assert_array_equal(read(tmp_path / "first.out.wav"), a - b)
    assert {name: source.path for name, source in report.inputs.items()} == {
        "a": str(first),
        "b": str(second),
    }


def test_inputs_of_different_rates_or_lengths_are_refused(tmp_path: Path, registry: Registry) -> None:
    first = write(tmp_path / "first.wav", noise())
    slow, short = write(tmp_path / "slow.wav", noise(), 44_100), write(tmp_path / "short.wav", noise(19_999))
    for other, numbers in ((slow, ("44100 Hz", "48000")), (short, ("19999 samples", "20000"))):
        with pytest.raises(MediaError) as caught:
            render(difference(), {"a": first, "b": other}, tmp_path / "o", registry=registry)
        for part in (str(first), str(other), *numbers):
            assert part in str(caught.value)
    assert not (tmp_path / "o").exists()


def test_an_input_that_is_missing_or_unknown_is_refused(tmp_path: Path, registry: Registry) -> None:
    first = write(tmp_path / "first.wav", noise())
    with pytest.raises(GraphError, match=r"input b is not given"):
        render(difference(), first, tmp_path / "o", registry=registry)
    with pytest.raises(GraphError, match=r"no input 'bb'.*did you mean 'b'"):
        render(difference(), {"a": first, "b": first, "bb": first}, tmp_path / "o", registry=registry)
    assert not (tmp_path / "o").exists()


# Progress and cancel


def test_progress_goes_up_and_ends_at_the_total(tmp_path: Path, registry: Registry) -> None:
    source = write(tmp_path / "in.wav", noise())
    seen: list[tuple[int, int]] = []
    render(
        chain(("late", {"latency": 777})),
        source,
        tmp_path,
        options=RenderOptions(max_block=1000),
        registry=registry,
        progress=lambda done, total: seen.append((done, total)),
    )
    done = [count for count, _ in seen]
    assert len({total for _, total in seen}) == 1
    assert all(a < b for a, b in pairwise(done))
    assert done[0] > 0
    assert done[-1] == seen[0][1] >= 20_000
    assert len(seen) > 20


@pytest.mark.parametrize("blocks", [0, 1, 7])
def test_a_render_stops_when_asked(
    tmp_path: Path, registry: Registry, released: list[int], blocks: int
) -> None:
    source = write(tmp_path / "in.wav", noise())
    done: list[int] = []
    with pytest.raises(Cancelled) as caught:
        render(
            chain(("late", {"latency": 3})),
            source,
            tmp_path / "o",
            options=RenderOptions(max_block=1000),
            registry=registry,
            progress=lambda count, _: done.append(count),
            cancelled=lambda: len(done) == blocks,
        )
    assert caught.value.exit_code == 130
    assert len(done) == blocks
    assert released == [3]
    assert not (tmp_path / "o").exists()


# Life-cycle hooks


class Watcher:
    """Notes what it is told; raises where asked."""

    def __init__(self, folder: Path, raise_in: str = "") -> None:
        self.folder, self.raise_in = folder, raise_in
        self.calls: list[tuple[str, Any]] = []

    def note(self, call: str, what: object) -> None:
        there = sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []
        self.calls.append((call, (what, there)))
        if call == self.raise_in:
            raise RuntimeError("the observer fell over")

    @hookimpl
    def unbraid_render_started(self, graph: str, inputs: dict[str, str]) -> None:
        self.note("started", (graph, dict(inputs)))

    @hookimpl
    def unbraid_render_finished(self, report: RenderReport) -> None:
        self.note("finished", report)

    @hookimpl
    def unbraid_render_failed(self, error: BaseException) -> None:
        self.note("failed", error)


def _watched(watcher: Watcher) -> Registry:
    registry = Registry.discover()
    registry.add(rig, "rig")
    registry.add(watcher, "watcher")
    assert registry.faults == []
    return registry


def test_observers_hear_of_start_and_end(tmp_path: Path) -> None:
    source, watcher = write(tmp_path / "in.wav", noise()), Watcher(tmp_path / "o")
    report = render(chain(("gain", {})), source, tmp_path / "o", registry=_watched(watcher))
    assert [call for call, _ in watcher.calls] == ["started", "finished"]
    (told, before), (given_report, after) = (what for _, what in watcher.calls)
    assert told == ("graph", {"mix": str(source)})
    assert before == []
    assert after == ["in.out.wav"]
    assert given_report == report
    assert report.warnings == ()


def test_observers_hear_of_a_failure_after_everything_partial_is_gone(tmp_path: Path) -> None:
    source, watcher = write(tmp_path / "in.wav", noise()), Watcher(tmp_path / "o")
    with pytest.raises(NodeError) as caught:
        render(chain(("late", {"fail_at": 5})), source, tmp_path / "o", registry=_watched(watcher))
    assert [call for call, _ in watcher.calls] == ["started", "failed"]
    assert watcher.calls[1][1] == (caught.value, [])


@pytest.mark.parametrize("call", ["started", "finished"])
def test_an_observer_that_raises_is_only_a_warning(tmp_path: Path, call: str) -> None:
    source, watcher = write(tmp_path / "in.wav", noise()), Watcher(tmp_path / "o", call)
    report = render(chain(("gain", {})), source, tmp_path / "o", registry=_watched(watcher))
    assert len(report.warnings) == 1
    for part in ("watcher", call, "the observer fell over"):
        assert part in report.warnings[0]
    np.testing.assert_array_equal(read(tmp_path / "o" / "in.out.wav"), noise())


def test_an_observer_that_raises_does_not_hide_the_failure(tmp_path: Path) -> None:
    source, watcher = write(tmp_path / "in.wav", noise()), Watcher(tmp_path / "o", "failed")
    with pytest.raises(NodeError, match="told to fail"):
        render(chain(("late", {"fail_at": 5})), source, tmp_path / "o", registry=_watched(watcher))


# Files, arrays and streams


def test_arrays_and_files_give_the_same_samples(tmp_path: Path, registry: Registry) -> None:
    data = noise()
    arrays = process(many_paths(), data, rate=RATE, registry=registry)
    render(many_paths(), write(tmp_path / "in.wav", data), tmp_path, registry=registry)
    assert sorted(arrays) == ["dry", "part", "rest"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(read(tmp_path / f"in.{name}.wav"), array)


@given(blocks=st.lists(st.integers(0, 3000), max_size=40))
def test_arrays_do_not_depend_on_the_blocks(registry: Registry, blocks: list[int]) -> None:
    data = noise(6000)
    whole = process(many_paths(), data, rate=RATE, registry=registry)
    cut = process(many_paths(), data, rate=RATE, registry=registry, blocks=blocks)
    for name, expected in whole.items():
        np.testing.assert_array_equal(cut[name], expected)


@given(lengths=st.lists(st.integers(0, 5000), min_size=1, max_size=30), max_block=st.integers(1, 4000))
def test_a_stream_is_the_process_late_by_its_latency_and_again_after_reset(
    registry: Registry, lengths: list[int], max_block: int
) -> None:
    n = min(sum(lengths), 20_000)
    data = noise(20_000)
    expected = process(many_paths(), data, rate=RATE, registry=registry)
    with open_stream(many_paths(), rate=RATE, max_block=max(64, max_block), registry=registry) as stream:
        for _ in range(2):
            at, got = 0, {name: [np.empty((2, 0), np.float32)] for name in expected}
            for length in lengths:
                block = stream.process({"mix": data[:, at : min(at + length, n)]})
                for name, piece in block.items():
                    got[name].append(piece)
                at = min(at + length, n)
            for name, whole in expected.items():
                late = stream.latency[name]
                result = np.concatenate(got[name], axis=1)
                assert result.shape == (2, n)
                assert (np.abs(result[:, :late]) < 1e-6).all()  # an inverse FFT rounds
                np.testing.assert_array_equal(result[:, late:], whole[:, : max(0, n - late)])
            stream.reset()


def test_the_latency_of_a_stream_is_the_sum_along_its_longest_path(registry: Registry) -> None:
    graph = chain(("late", {"latency": 777}), ("late", {"latency": 23}))
    with open_stream(graph, rate=RATE, layouts={"mix": "mono"}, registry=registry) as stream:
        assert stream.latency == {"out": 800}


def test_a_stream_releases_its_nodes_when_closed(registry: Registry, released: list[int]) -> None:
    with open_stream(chain(("late", {"latency": 9})), rate=RATE, layouts={"mix": "mono"}, registry=registry):
        assert released == []
    assert released == [9]


@pytest.mark.parametrize(
    ("ins", "text"),
    [
        ({"mix": np.zeros((1, 64), np.float32)}, "input 'mix' is stereo, but 1 channels"),
        ({"mix": np.zeros((3, 64), np.float32)}, "input 'mix' is stereo, but 3 channels"),
        ({"mix": np.zeros((2, 64))}, "must be float32"),
        ({"mix": np.zeros(64, np.float32)}, "must be float32 \\[channels, samples\\]"),
        ({"mixx": np.zeros((2, 64), np.float32)}, "the inputs are mix"),
        ({}, "the inputs are mix"),
    ],
)
def test_a_stream_refuses_blocks_that_do_not_fit(registry: Registry, ins: dict[str, Any], text: str) -> None:
    with (
        open_stream(many_paths(), rate=RATE, registry=registry) as stream,
        pytest.raises(UnbraidError, match=text),
    ):
        stream.process(ins)


def test_arrays_that_do_not_fit_are_refused(registry: Registry) -> None:
    for wrong in (np.zeros((2, 64)), np.zeros(64, np.float32), [[0.0]], np.zeros((0, 5), np.float32)):
        with pytest.raises(UnbraidError, match="must be float32"):
            process(chain(("gain", {})), wrong, rate=RATE, registry=registry)  # type: ignore[arg-type]
    with pytest.raises(UnbraidError, match="one length"):
        process(difference(), {"a": noise(64), "b": noise(65)}, rate=RATE, registry=registry)


def test_an_array_without_samples_gives_outputs_without_samples(registry: Registry) -> None:
    done = process(many_paths(), np.zeros((2, 0), np.float32), rate=RATE, registry=registry)
    assert {data.shape for data in done.values()} == {(2, 0)}


# Options and names


@pytest.mark.parametrize(
    "wrong", [{"max_block": 0}, {"form": "ogg"}, {"on_clip": "ignore"}, {"non_finite": "keep"}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnbraidError, match=next(iter(wrong))):
        RenderOptions(**wrong)


def test_a_stream_of_no_block_length_is_refused(registry: Registry) -> None:
    with pytest.raises(UnbraidError, match="max_block"):
        open_stream(many_paths(), rate=RATE, max_block=0, registry=registry)


def test_a_ready_made_graph_is_found_although_a_folder_has_its_name(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it has after `unbraid render dewind in.wav -o dewind`."""
    monkeypatch.chdir(tmp_path)
    Path("dewind").mkdir()
    write(Path("in.wav"), noise(1000))
    report = render("dewind", "in.wav", "dewind", registry=registry)
    assert [output.name for output in report.outputs] == ["clean", "wind"]


def test_a_graph_file_wins_over_a_ready_made_graph_of_its_name(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dewind").write_text(chain(("gain", {})).to_yaml())
    write(Path("in.wav"), noise(1000))
    assert [output.name for output in render("dewind", "in.wav", "o", registry=registry).outputs] == ["out"]


@pytest.mark.parametrize("name", ["dewnd", "n" * 5000, "a\0b", "a\0b.yaml", "missing.yaml", "."])
def test_a_graph_that_is_not_there_is_an_error_in_one_line(
    tmp_path: Path, registry: Registry, name: str
) -> None:
    source = write(tmp_path / "in.wav", noise(10))
    with pytest.raises(GraphError) as caught:
        render(name, source, tmp_path / "o", registry=registry)
    assert "\n" not in str(caught.value)
    assert "\0" not in str(caught.value)
    assert not (tmp_path / "o").exists()
