"""Rates and sample formats of outputs: resampling to the sample, dither, and what becomes of clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from unbraid import Graph, MediaError, render
from unbraid.host import RenderOptions
from unbraid.host.contract.audio import Layout
from unbraid.host.media.metadata import Metadata
from unbraid.host.media.open_input import open_input
from unbraid.host.media.resample import Resampler, lead_in, resampled_length
from unbraid.host.media.wave.bext import Bext
from unbraid.host.media.writer import FileWriter, OutputForm
from unbraid.kernels.pcm import quantise

if TYPE_CHECKING:
    from unbraid.host.registry import Registry

Samples = npt.NDArray[np.float32]
RATE = 48_000


def unity(gain: float = 0.0) -> Graph:
    graph = Graph()
    graph.output("out", graph.node("level", "gain", graph.input("mix"), gain=gain))
    return graph


def noise(samples: int = 30_000, channels: int = 2) -> Samples:
    return np.random.default_rng(9).uniform(-0.5, 0.5, (channels, samples)).astype(np.float32)


def write(path: Path, data: Samples, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, data.T, rate, subtype=subtype)
    return path


def read(path: Path) -> Samples:
    data: Samples = soundfile.read(path, dtype="float32", always_2d=True)[0].T
    return data


def one_shot(x: Samples, source: int, target: int) -> Samples:
    """soxr's own result for the whole signal with silence around it, cut to the length that covers it."""
    lead = lead_in(source, target)
    quiet = np.zeros((len(x), lead), np.float32)
    whole = np.concatenate([quiet, x, quiet], axis=1)
    out = soxr.resample(np.ascontiguousarray(whole.T), source, target, quality="VHQ").T
    first = lead * target // source
    assert first * source == lead * target  # a whole number of samples at both rates
    return np.ascontiguousarray(out[:, first : first + -(-x.shape[1] * target // source)])


# Resampling


@pytest.mark.parametrize(
    ("source", "target"),
    [(48000, 44100), (44100, 48000), (48000, 16000), (8000, 192_000), (96000, 48000), (192_000, 44_100)],
)
@pytest.mark.parametrize("samples", [1, 2, 1000, 30_001])
def test_a_stream_cut_anyhow_has_the_bits_of_soxrs_one_shot(source: int, target: int, samples: int) -> None:
    x = noise(samples)
    expected = one_shot(x, source, target)
    for cuts in ([samples], [1] * min(samples, 50), [7, 1, 4096, 3]):
        resampler = Resampler(source, target, 2, "test")
        pieces, at = [], 0
        for size in [*cuts, samples]:
            pieces.append(resampler.push(x[:, at : at + size]))
            at += size
        pieces.append(resampler.finish())
        np.testing.assert_array_equal(np.concatenate(pieces, axis=1), expected)


@given(st.integers(1, 10**9), st.sampled_from([8000, 44_100, 48_000]), st.sampled_from([16_000, 96_000]))
def test_the_length_covers_the_sound_and_not_a_sample_more(length: int, source: int, target: int) -> None:
    there = resampled_length(length, source, target)
    assert (there - 1) * source < length * target <= there * source


def test_outputs_can_have_another_rate(tmp_path: Path, registry: Registry) -> None:
    source = write(tmp_path / "in.wav", noise(30_001))
    options = RenderOptions(output_rate=44_100)
    report = render(unity(), source, tmp_path / "o", options=options, registry=registry)
    assert (report.outputs[0].rate, report.outputs[0].length) == (44_100, -(-30_001 * 44_100 // RATE))
    assert soundfile.info(tmp_path / "o" / "in.out.wav").samplerate == 44_100
    np.testing.assert_array_equal(read(tmp_path / "o" / "in.out.wav"), one_shot(noise(30_001), RATE, 44_100))


def test_a_band_limited_sound_comes_back_within_minus_120_db(tmp_path: Path, registry: Registry) -> None:
    """48 to 44.1 and back: a sweep below 15 kHz, of which neither rate loses anything."""
    time = np.arange(RATE) / RATE
    sweep = (0.5 * np.sin(2 * np.pi * (100 * time + 7000 * time**2)) * np.hanning(RATE)).astype(np.float32)
    source = write(tmp_path / "in.wav", sweep[None])
    render(unity(), source, tmp_path / "a", options=RenderOptions(output_rate=44_100), registry=registry)
    back = RenderOptions(output_rate=RATE)
    render(unity(), tmp_path / "a" / "in.out.wav", tmp_path / "b", options=back, registry=registry)
    result = read(tmp_path / "b" / "in.out.out.wav")
    assert result.shape == (1, RATE)
    assert 20 * np.log10(np.abs(result[0] - sweep).max() / 0.5) < -120


def test_inputs_of_other_rates_are_brought_to_the_firsts_when_asked(
    tmp_path: Path, registry: Registry
) -> None:
    graph = Graph()
    graph.output("a", graph.input("a"))
    graph.output("b", graph.input("b"))
    first, second = write(tmp_path / "a.wav", noise(48_000)), write(tmp_path / "b.wav", noise(44_100), 44_100)
    paths = {"a": first, "b": second}
    with pytest.raises(MediaError, match=r"44100 Hz.* 48000.*--resample"):
        render(graph, paths, tmp_path / "o", registry=registry)
    report = render(graph, paths, tmp_path / "o", options=RenderOptions(resample=True), registry=registry)
    assert (report.inputs["b"].rate, report.inputs["b"].length) == (44_100, 44_100)
    np.testing.assert_array_equal(read(tmp_path / "o" / "a.b.wav"), one_shot(noise(44_100), 44_100, 48_000))


@pytest.mark.parametrize("length", [352_789, 352_791, 352_792])
def test_a_sample_of_rounding_does_not_keep_inputs_apart(
    tmp_path: Path, registry: Registry, length: int
) -> None:
    """383,991 samples at 48 kHz are 352,791.7 at 44.1 kHz; programs round down, up or to the nearest."""
    graph = Graph()
    graph.output("a", graph.input("a"))
    graph.output("b", graph.input("b"))
    paths = {"a": write(tmp_path / "a.wav", noise(383_991, 1)), "b": tmp_path / "b.wav"}
    write(tmp_path / "b.wav", noise(length, 1), 44_100)
    options = RenderOptions(resample=True)
    if length == 352_789:  # two samples are a difference, not a rounding
        with pytest.raises(MediaError, match="must agree"):
            render(graph, paths, tmp_path / "o", options=options, registry=registry)
        return
    report = render(graph, paths, tmp_path / "o", options=options, registry=registry)
    assert [output.length for output in report.outputs] == [383_991, 383_991]


@pytest.mark.parametrize(("source", "target"), [(1, 48_000), (48_000, 1), (48_000, 2_000_000)])
def test_rates_no_resampler_should_be_asked_for_are_refused(source: int, target: int) -> None:
    with pytest.raises(MediaError, match="1000 to 1536000 Hz"):
        Resampler(source, target, 1, "x.wav")


def test_the_place_in_time_is_counted_at_the_outputs_rate(tmp_path: Path, registry: Registry) -> None:
    hour = 3600 * RATE
    metadata = Metadata(bext=Bext(description="scene", time_reference=hour + 24), cue=bytes(28))
    form = OutputForm(RATE, Layout.parse("mono"), 480, "PCM_24", metadata=metadata)
    writer = FileWriter(tmp_path / "in.wav", form)
    writer.write(np.zeros((1, 480), np.float32))
    writer.finish()
    writer.commit()
    options = RenderOptions(output_rate=44_100)
    report = render(unity(), tmp_path / "in.wav", tmp_path / "o", options=options, registry=registry)
    result = open_input(tmp_path / "o" / "in.out.wav")
    try:
        assert result.metadata.bext is not None
        assert result.metadata.bext.description == "scene"
        assert result.metadata.bext.time_reference == 3600 * 44_100 + 22  # 24 samples are 22.05
        assert result.metadata.cue is None
    finally:
        result.close()
    assert any("cue points" in line for line in report.warnings)


# Dither


def _steps(x: Samples, seed: int = 0, first: int = 0) -> npt.NDArray[np.int64]:
    return (quantise(x, 16, dither=(seed, first))[0] >> 16).astype(np.int64)


@pytest.mark.parametrize("level", [0.1, 0.25, 0.5, 0.9, 1000.3])
def test_dither_makes_mean_and_power_of_the_error_independent_of_the_signal(level: float) -> None:
    """The theory of triangular dither: mean 0, power 1/4 of a step squared (1/12 rounding, 1/6 noise)."""
    n = 1 << 20
    value = np.float32(level / 2**15)
    error = _steps(np.full((1, n), value, np.float32))[:, 0] - float(value) * 2**15
    assert abs(error.mean()) < 5 * 0.5 / n**0.5
    assert abs((error**2).mean() - 0.25) < 0.002


def test_dither_of_each_channel_and_seed_is_its_own() -> None:
    x = np.full((2, 1 << 18), np.float32(0.5 / 2**15))
    one, other = _steps(x), _steps(x, seed=1)
    for a, b in ((one[:, 0], one[:, 1]), (one[:, 0], other[:, 0]), (one[1:, 0], one[:-1, 0])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / len(a) ** 0.5


@pytest.mark.parametrize("cut", [1, 7, 256, 4095])
def test_dither_does_not_depend_on_the_blocks(cut: int) -> None:
    x = noise(5000)
    pieces = [_steps(x[:, at : at + cut], 3, at) for at in range(0, 5000, cut)]
    np.testing.assert_array_equal(np.concatenate(pieces), _steps(x, 3))


def test_samples_that_are_16_bit_already_and_silence_pass_undithered() -> None:
    values = np.random.default_rng(1).integers(-(2**15), 2**15, (2, 20_000))
    values[:, 5000:10_000] = 0
    np.testing.assert_array_equal(_steps((values / 2**15).astype(np.float32)).T, values)


def test_noise_alone_never_clips() -> None:
    """Just under the highest value there is half a step for a noise of one and a half."""
    x = np.full((1, 100_000), np.float32((2**15 - 1 + 0.4) / 2**15))
    values, clipped = quantise(x, 16, dither=(0, 0))
    assert clipped == 0
    assert (values >> 16).max() == 2**15 - 1


def test_16_bit_outputs_are_dithered_unless_told_otherwise_and_longer_ones_never(
    tmp_path: Path, registry: Registry
) -> None:
    """A sine of a third of a step is lost to rounding, and still there behind the noise."""
    time = np.arange(RATE * 4) / RATE
    tone = np.sin(2 * np.pi * 1000 * time)
    source = write(tmp_path / "in.wav", (tone / 3 / 2**15).astype(np.float32)[None])
    heard = {}
    for name, options in {
        "dithered": RenderOptions(subtype="PCM_16"),
        "rounded": RenderOptions(subtype="PCM_16", dither="none"),
        "long": RenderOptions(subtype="PCM_24"),
    }.items():
        render(unity(), source, tmp_path / name, options=options, registry=registry)
        heard[name] = read(tmp_path / name / "in.out.wav")[0].astype(float)
    strength = {name: 2 * (x * tone).mean() * 2**15 for name, x in heard.items()}
    assert not heard["rounded"].any()
    assert strength["dithered"] == pytest.approx(1 / 3, abs=0.01)
    assert strength["long"] == pytest.approx(1 / 3, abs=0.001)
    assert np.abs(heard["long"] - tone / 3 / 2**15).max() <= 0.5 / 2**23


def test_two_renders_with_one_seed_give_the_same_bytes(tmp_path: Path, registry: Registry) -> None:
    source = write(tmp_path / "in.wav", noise())
    for name, seed, block in (("a", 0, 8192), ("b", 0, 17), ("c", 1, 8192)):
        options = RenderOptions(subtype="PCM_16", seed=seed, max_block=block)
        render(unity(), source, tmp_path / name, options=options, registry=registry)
    bytes_of = {name: (tmp_path / name / "in.out.wav").read_bytes() for name in "abc"}
    assert bytes_of["a"] == bytes_of["b"] != bytes_of["c"]


# Clips


def _loud(path: Path, peak: float) -> Path:
    data = noise()
    data[0, 20_000] = peak
    return write(path, data)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_a_file_with_clips_becomes_float_when_asked_and_holds_every_sample(
    tmp_path: Path, registry: Registry, subtype: str
) -> None:
    source = _loud(tmp_path / "in.wav", 1.5)
    options = RenderOptions(subtype=subtype, on_clip="float")
    report = render(unity(), source, tmp_path / "o", options=options, registry=registry)
    assert (report.outputs[0].subtype, report.outputs[0].clipped) == ("FLOAT", 0)
    assert soundfile.info(tmp_path / "o" / "in.out.wav").subtype == "FLOAT"
    np.testing.assert_array_equal(read(tmp_path / "o" / "in.out.wav"), read(source))
    assert any("1 samples are beyond full scale, so it is FLOAT" in line for line in report.warnings)
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["in.out.wav"]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_a_file_without_clips_is_what_it_would_have_been(
    tmp_path: Path, registry: Registry, subtype: str
) -> None:
    source = _loud(tmp_path / "in.wav", 0.5)
    plain = RenderOptions(subtype=subtype)
    for name, options in {"a": plain, "b": replace(plain, on_clip="float")}.items():
        report = render(unity(), source, tmp_path / name, options=options, registry=registry)
        assert report.outputs[0].subtype == subtype
        assert report.warnings == ()
    assert (tmp_path / "a" / "in.out.wav").read_bytes() == (tmp_path / "b" / "in.out.wav").read_bytes()


def test_flac_cannot_become_float_and_says_so(tmp_path: Path, registry: Registry) -> None:
    source = _loud(tmp_path / "in.wav", 1.5)
    options = RenderOptions(subtype="PCM_24", form="flac", on_clip="float")
    with pytest.raises(MediaError, match=r"flac cannot turn to FLOAT when samples clip; choose WAV"):
        render(unity(), source, tmp_path / "o", options=options, registry=registry)
    assert not (tmp_path / "o").exists()


def test_float_wav_has_the_same_bytes_in_every_run(tmp_path: Path, registry: Registry) -> None:
    source: Any = write(tmp_path / "in.wav", noise())
    for name in "ab":
        render(unity(), source, tmp_path / name, registry=registry)
    assert (tmp_path / "a" / "in.out.wav").read_bytes() == (tmp_path / "b" / "in.out.wav").read_bytes()


def test_what_an_output_says_of_itself_is_true_of_it(tmp_path: Path, registry: Registry) -> None:
    """A file that became FLOAT, at another rate, with other channels than the input's."""
    ixml = (
        b"<BWFXML><FILE_SAMPLE_RATE>48000</FILE_SAMPLE_RATE><AUDIO_BIT_DEPTH>24</AUDIO_BIT_DEPTH>"
        b"<BWF_TIME_REFERENCE_LOW>48000</BWF_TIME_REFERENCE_LOW>"
        b"<BWF_TIME_REFERENCE_HIGH>0</BWF_TIME_REFERENCE_HIGH>"
        b"<SCENE>7</SCENE><TRACK_LIST><TRACK_COUNT>2</TRACK_COUNT></TRACK_LIST></BWFXML>"
    )
    metadata = Metadata(bext=Bext(time_reference=48_000, umid=b"\1" * 64), ixml=ixml)
    form = OutputForm(RATE, Layout.parse("stereo"), 4800, "PCM_24", metadata=metadata)
    writer = FileWriter(tmp_path / "in.wav", form)
    writer.write(np.full((2, 4800), 0.9, np.float32))
    writer.finish()
    writer.commit()
    graph = Graph()
    ears = graph.node("ears", "split", graph.input("mix"), layout="stereo")
    graph.output("left", graph.node("loud", "gain", ears["L"], gain=6.0))
    options = RenderOptions(output_rate=96_000, on_clip="float")
    report = render(graph, tmp_path / "in.wav", tmp_path / "o", options=options, registry=registry)
    assert report.outputs[0].subtype == "FLOAT"
    assert any("UMID" in line for line in report.warnings)
    result = open_input(tmp_path / "o" / "in.left.wav")
    result.close()
    assert result.metadata.bext is not None
    assert result.metadata.bext.umid == bytes(64)
    assert result.metadata.bext.coding_history.startswith("A=FLOAT,F=96000,M=mono,T=Unbraid")
    told = result.metadata.ixml or b""
    for said in (b">96000</FILE_SAMPLE", b">32</AUDIO_BIT", b">96000</BWF_TIME_REFERENCE_LOW", b"<SCENE>7<"):
        assert said in told
    assert b"TRACK_COUNT" not in told
