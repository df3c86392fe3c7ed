"""Inputs put where their time references say, to the sample; graphs at a rate of their own."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid import Graph, MediaError, render
from unbraid.host import RenderOptions
from unbraid.host.contract.audio import Layout
from unbraid.host.contract.errors import UnbraidError
from unbraid.host.media.metadata import Metadata
from unbraid.host.media.open_input import open_input
from unbraid.host.media.placed import Placed, line_up, starts_of
from unbraid.host.media.resample import resampled_length
from unbraid.host.media.wave.bext import Bext
from unbraid.host.media.writer import FileWriter, OutputForm

if TYPE_CHECKING:
    from pathlib import Path

    from command_rig import Unbraid
    from unbraid.host.engine.options import RenderReport
    from unbraid.host.registry import Registry

Array = np.ndarray[Any, np.dtype[np.float32]]
RATE = 48_000
TEN = 10 * 3600  # o'clock, in seconds
LINED = RenderOptions(line_up=True)


def noise(samples: int, channels: int = 2, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, samples)).astype(np.float32)


def write(path: Path, x: Array, start: int | None, rate: int = RATE, **more: Any) -> Path:
    """Write float samples that begin at a sample since midnight; None says nothing of it."""
    bext = None if start is None else Bext(description=path.stem, time_reference=start)
    layout = Layout.of_channels(len(x))
    form = OutputForm(rate, layout, x.shape[1], "FLOAT", metadata=Metadata(bext=bext, **more))
    writer = FileWriter(path, form)
    writer.write(x)
    writer.finish()
    writer.commit()
    return path


def read(path: Path) -> tuple[Array, Metadata]:
    with closing(open_input(path)) as source:
        assert source.length is not None
        out = np.full((source.layout.channels, source.length + 1), np.nan, np.float32)
        assert source.read(out) == source.length
        return out[:, :-1], source.metadata


def side_by_side(*names: str) -> Graph:
    """Return a graph that gives each of its inputs back."""
    graph = Graph()
    for name in names:
        graph.output(name, graph.input(name))
    return graph


class Takes:
    """Files of one scene, and what a render makes of them."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self.folder, self.registry = folder, registry
        self.paths: dict[str, Path] = {}

    def add(self, name: str, x: Array, start: int | None, rate: int = RATE, **more: Any) -> None:
        self.paths[name] = write(self.folder / f"{name}.wav", x, start, rate, **more)

    def render(self, options: RenderOptions | None = None, graph: Graph | None = None) -> RenderReport:
        return render(
            graph or side_by_side(*self.paths),
            self.paths,
            self.folder / "out",
            options=options,
            registry=self.registry,
        )

    def outputs(self, options: RenderOptions = LINED) -> dict[str, tuple[Array, Metadata]]:
        return {output.name: read(output.path) for output in self.render(options).outputs}


@pytest.fixture
def takes(tmp_path: Path, registry: Registry) -> Takes:
    return Takes(tmp_path, registry)


def placed(x: Array, lead: int, length: int) -> Array:
    return np.pad(x, ((0, 0), (lead, length - lead - x.shape[1])))


# Lining up


def test_inputs_that_begin_at_other_times_are_refused_with_both_starts_and_the_remedy(takes: Takes) -> None:
    takes.add("boom", noise(1000), TEN * RATE)
    takes.add("lav", noise(1000), TEN * RATE + 480)
    with pytest.raises(MediaError) as caught:
        takes.render()
    said = str(caught.value)
    assert f"boom.wav at {TEN * RATE}" in said
    assert f"lav.wav at {TEN * RATE + 480}" in said
    assert "--line-up" in said
    assert not (takes.folder / "out").exists() or not list((takes.folder / "out").iterdir())


def test_inputs_that_begin_together_or_do_not_say_when_need_no_lining_up(takes: Takes) -> None:
    takes.add("boom", noise(1000), TEN * RATE)
    takes.add("lav", noise(1000, seed=1), TEN * RATE)
    takes.add("room", noise(1000, seed=2), None)
    found = takes.outputs(RenderOptions())
    for seed, name in enumerate(takes.paths):
        np.testing.assert_array_equal(found[name][0], noise(1000, seed=seed))


def test_inputs_are_put_in_their_place_to_the_sample(takes: Takes) -> None:
    first = TEN * RATE + 17
    takes.add("boom", noise(5000), first + 1234)
    takes.add("lav", noise(20_000, 1, seed=1), first)
    takes.add("room", noise(700, seed=2), first + 30_001)
    found = takes.outputs()
    whole = 30_701  # from the first start to the last end
    for name, lead, x in (
        ("boom", 1234, noise(5000)),
        ("lav", 0, noise(20_000, 1, seed=1)),
        ("room", 30_001, noise(700, seed=2)),
    ):
        samples, metadata = found[name]
        np.testing.assert_array_equal(samples, placed(x, lead, whole))
        assert metadata.bext is not None
        assert metadata.bext.time_reference == first
        assert metadata.bext.description == "boom"  # what else is said is the first input's


def test_inputs_that_are_there_already_stay_to_the_bit(takes: Takes) -> None:
    takes.add("boom", noise(3000), 480)
    takes.add("lav", noise(3000, seed=1), 480)
    found = takes.outputs()
    for seed, name in enumerate(("boom", "lav")):
        np.testing.assert_array_equal(found[name][0], noise(3000, seed=seed))


def test_an_input_that_does_not_say_when_it_begins_is_refused_by_name(takes: Takes) -> None:
    takes.add("boom", noise(1000), TEN * RATE)
    takes.add("lav", noise(1000), None)
    with pytest.raises(MediaError, match=r"lav\.wav: does not say when it begins \(bext\).*--line-up"):
        takes.render(LINED)


def test_what_counts_from_the_beginning_of_an_input_is_not_carried_past_it(takes: Takes) -> None:
    takes.add("boom", noise(1000), 480, cue=bytes(28), ixml=b"<BWFXML/>")
    takes.add("lav", noise(1000), 0)
    _, metadata = takes.outputs()["boom"]
    assert metadata.cue is None
    assert metadata.ixml is None


def test_a_graph_hears_lined_up_inputs_twice_from_their_beginning(takes: Takes) -> None:
    takes.add("boom", noise(4000, 1), 1000)
    takes.add("lav", noise(6000, 1, seed=1), 0)
    graph = Graph()
    boom, lav = graph.input("boom"), graph.input("lav")
    graph.output("out", graph.node("same", "same", boom, boom))
    graph.output("other", graph.node("peak", "peak", lav))
    report = takes.render(LINED, graph)
    out, other = (read(output.path)[0] for output in report.outputs)
    np.testing.assert_array_equal(out, placed(noise(4000, 1), 1000, 6000))
    x = noise(6000, 1, seed=1)
    np.testing.assert_array_equal(other, x / np.float32(np.abs(x).max()))


def test_rates_must_agree_unless_they_are_brought_together(takes: Takes) -> None:
    takes.add("boom", noise(48_000, 1), TEN * RATE)
    takes.add("lav", noise(44_100, 1), TEN * 44_100 + 4410, 44_100)
    with pytest.raises(MediaError, match=r"44100 Hz.* 48000.*--resample"):
        takes.render(LINED)
    report = takes.render(RenderOptions(line_up=True, resample=True))
    boom, lav = (read(output.path)[0] for output in report.outputs)
    whole = 48_000 + 4800
    np.testing.assert_array_equal(boom, placed(noise(48_000, 1), 0, whole))
    assert lav.shape == (1, whole)
    assert not lav[:, :4800].any()
    silence = np.zeros((1, 44_100), np.float32)
    around = np.concatenate([silence, noise(44_100, 1), silence], axis=1)
    want = soxr.resample(np.ascontiguousarray(around.T), 44_100, RATE, quality="VHQ").T[:, 48_000:96_000]
    np.testing.assert_allclose(lav[:, 4800:], want, atol=1e-6)


def test_the_output_counts_its_beginning_at_its_own_rate(takes: Takes) -> None:
    takes.add("boom", noise(4800, 1), TEN * RATE + 480)
    takes.add("lav", noise(4800, 1), TEN * RATE)
    found = takes.outputs(RenderOptions(line_up=True, output_rate=96_000))
    samples, metadata = found["boom"]
    assert samples.shape == (1, 2 * 5280)
    assert metadata.bext is not None
    assert metadata.bext.time_reference == TEN * 96_000


def test_the_command_line_lines_up_when_told_to(takes: Takes, unbraid: Unbraid) -> None:
    takes.add("boom", noise(1000), 1480)
    takes.add("lav", noise(1000, seed=1), 1000)
    (takes.folder / "both.yaml").write_text(side_by_side("boom", "lav").to_yaml())
    arguments = ["render", takes.folder / "both.yaml", "-o", takes.folder / "o"]
    arguments += [part for name, path in takes.paths.items() for part in ("--input", f"{name}={path}")]
    refused = unbraid(*arguments)
    assert refused.code == 1
    assert len(refused.err.splitlines()) == 1
    assert "--line-up" in refused.err
    assert unbraid(*arguments, "--line-up").code == 0
    np.testing.assert_array_equal(
        read(takes.folder / "o" / "boom.lav.wav")[0], placed(noise(1000, seed=1), 0, 1480)
    )
    np.testing.assert_array_equal(
        read(takes.folder / "o" / "boom.boom.wav")[0], placed(noise(1000), 480, 1480)
    )


# Sources


class Given:
    """A source of samples in memory."""

    def __init__(self, x: Array, start: int | None, *, length: int | None = -1) -> None:
        self.name, self.rate, self.layout, self.subtype = "given.wav", RATE, Layout.parse("mono"), "FLOAT"
        self.form, self.warnings, self.live, self.salvaged = "WAV", ["noisy"], False, None
        self.length = x.shape[1] if length == -1 else length
        bext = None if start is None else Bext(time_reference=start)
        self.metadata, self._x, self._done, self.closed = Metadata(bext=bext), x, 0, False

    def read(self, out: Any) -> int:
        part = self._x[:, self._done : self._done + out.shape[1]]
        out[:, : part.shape[1]] = part
        self._done += part.shape[1]
        return int(part.shape[1])

    def close(self) -> None:
        self.closed = True


@settings(max_examples=100)
@given(
    lead=st.integers(0, 40),
    held=st.integers(0, 40),
    behind=st.integers(0, 40),
    blocks=st.lists(st.integers(0, 50), min_size=1, max_size=10),
)
def test_a_placed_source_is_silence_sound_and_silence_however_it_is_read(
    lead: int, held: int, behind: int, blocks: list[int]
) -> None:
    x = noise(held, 1) + 1
    whole = lead + held + behind
    source = Placed(Given(x, 7), lead, whole, 5)
    assert source.length == whole
    parts: list[Array] = []
    for n in [*blocks, 200]:
        out = np.full((1, n), np.nan, np.float32)
        count = source.read(out)
        assert count == min(n, whole - sum(part.shape[1] for part in parts))
        parts.append(out[:, :count])
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), placed(x, lead, whole))
    assert source.read(np.empty((1, 9), np.float32)) == 0
    assert source.metadata.bext == Bext(time_reference=5)


def test_a_placed_source_says_of_itself_what_the_source_says_and_closes_it() -> None:
    given = Given(noise(10, 1), 480)
    other = Given(noise(10, 1), 0)
    sources = line_up({"a": given, "b": other})
    assert starts_of(sources) == {"a": 0, "b": 0}
    assert [source.length for source in sources.values()] == [490, 490]
    for name in ("name", "rate", "layout", "subtype", "form", "warnings", "live", "salvaged"):
        assert getattr(sources["a"], name) == getattr(given, name)
    sources["a"].close()
    assert (given.closed, other.closed) == (True, False)


def test_a_source_whose_end_nobody_knows_is_not_lined_up() -> None:
    endless = Given(noise(10, 1), 0, length=None)
    with pytest.raises(MediaError, match=r"given\.wav: does not say how long it is"):
        line_up({"a": Given(noise(10, 1), 0), "b": endless})
    assert starts_of({"a": endless, "b": Given(noise(1, 1), None)}) == {"a": 0}


# A rate of the graph's own


def test_every_input_is_brought_to_the_rate_of_the_graph(takes: Takes) -> None:
    takes.add("boom", noise(44_101, 1), None, 44_100)
    report = takes.render(RenderOptions(graph_rate=RATE, output_rate=RATE))
    (output,) = report.outputs
    assert (output.rate, output.length) == (RATE, 48_002)  # 48001.09, the last one begun
    assert (report.inputs["boom"].rate, report.inputs["boom"].length) == (44_100, 44_101)
    around = np.pad(noise(44_101, 1), ((0, 0), (44_100, 44_100)))
    want = soxr.resample(np.ascontiguousarray(around.T), 44_100, RATE, quality="VHQ").T[
        :, RATE : RATE + 48_002
    ]
    np.testing.assert_allclose(read(output.path)[0], want, atol=1e-6)


def test_inputs_of_three_rates_meet_at_the_rate_of_the_graph(takes: Takes) -> None:
    for name, rate in (("a", 44_100), ("b", 48_000), ("c", 96_000)):
        takes.add(name, noise(rate // 2, 1), None, rate)
    report = takes.render(RenderOptions(graph_rate=88_200))
    assert (
        {output.length for output in report.outputs} == {resampled_length(24_000, 48_000, 88_200)} == {44_100}
    )
    assert {output.rate for output in report.outputs} == {88_200}


def test_an_input_at_the_rate_of_the_graph_stays_to_the_bit(takes: Takes) -> None:
    takes.add("boom", noise(5000), None)
    report = takes.render(RenderOptions(graph_rate=RATE))
    np.testing.assert_array_equal(read(report.outputs[0].path)[0], noise(5000))


def test_nodes_run_at_the_rate_of_the_graph(takes: Takes) -> None:
    takes.add("boom", noise(44_100, 1), None, 44_100)
    graph = Graph()
    graph.output("out", graph.node("late", "delay", graph.input("boom"), samples=9600))
    report = takes.render(RenderOptions(graph_rate=96_000), graph)
    samples, _ = read(report.outputs[0].path)
    assert samples.shape == (1, 96_000)
    assert not samples[:, :9600].any()  # a tenth of a second there
    assert samples[:, 9600:].any()


def test_time_references_are_lined_up_at_the_rate_of_the_graph(takes: Takes) -> None:
    takes.add("boom", noise(44_100, 1), TEN * 44_100, 44_100)
    takes.add("lav", noise(48_000, 1, seed=1), TEN * RATE + 24_000)
    report = takes.render(RenderOptions(line_up=True, graph_rate=96_000))
    (boom, said), (lav, _) = (read(output.path) for output in report.outputs)
    assert said.bext is not None
    assert said.bext.time_reference == TEN * 96_000
    assert boom.shape == lav.shape == (1, 96_000 + 48_000)
    assert not boom[:, 96_000:].any()
    assert not lav[:, :48_000].any()
    assert np.abs(lav[:, 48_000:48_100]).max() > 0.1


@pytest.mark.parametrize("rate", [1, 999, 1_536_001])
def test_a_rate_that_no_graph_can_have_is_refused(rate: int) -> None:
    with pytest.raises(UnbraidError, match=f"graph_rate is {rate}; rates are 1000 to 1536000 Hz"):
        RenderOptions(graph_rate=rate)


def test_a_graphs_rate_counts_a_sample_that_was_begun_as_one_length(tmp_path: Path) -> None:
    """44.1 kHz and 48 kHz of the same time differ by a part of a sample, which no file can hold."""
    for name, rate, samples in (("a", 48000, 383_991), ("b", 44100, 352_792)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(samples), rate, subtype="PCM_24")
    graph = Graph()
    graph.output(
        "sum", graph.node("sum", "mix", graph.input("a", "mono"), graph.input("b", "mono"), gains=[0, 0])
    )
    paths = {name: tmp_path / f"{name}.wav" for name in "ab"}
    for rate, samples in ((48000, 383_991), (96000, 767_982)):
        folder = tmp_path / str(rate)
        (output,) = render(graph, paths, folder, options=RenderOptions(graph_rate=rate)).outputs
        assert output.length == samples
