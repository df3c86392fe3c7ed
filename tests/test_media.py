"""Files in and out: bit for bit where they can be, an error where they cannot, nothing half done."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from unbraid import Cancelled, Graph, MediaError, NodeError, render
from unbraid.host import RenderOptions
from unbraid.host.contract.audio import Layout
from unbraid.host.media.open_input import open_input
from unbraid.host.media.writer import FileWriter, OutputForm
from unbraid.kernels.pcm import quantise

if TYPE_CHECKING:
    from collections.abc import Callable

    from unbraid.host import RenderReport
    from unbraid.host.registry import Registry

Samples = npt.NDArray[Any]
RATE = 48_000
COMMAND = [sys.executable, "-c", "from unbraid.host.cli import main; main()"]


def unity(gain: float = 0.0) -> Graph:
    graph = Graph()
    graph.output("out", graph.node("level", "gain", graph.input("mix"), gain=gain))
    return graph


def two_ears() -> Graph:
    """A graph with two outputs, one a channel."""
    graph = Graph()
    ears = graph.node("ears", "split", graph.input("mix"), layout="stereo")
    graph.output("left", ears["L"])
    graph.output("right", ears["R"])
    return graph


def noise(samples: int = 20_000, channels: int = 2) -> npt.NDArray[np.float32]:
    return np.random.default_rng(7).uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)


def wav(path: Path, data: Samples | None = None, subtype: str = "PCM_16", **more: Any) -> Path:
    soundfile.write(path, noise() if data is None else data, RATE, subtype=subtype, **more)
    return path


def integers(path: Path) -> Samples:
    """Return the samples of an integer file in the upper bits of int32."""
    values: Samples = soundfile.read(path, dtype="int32", always_2d=True)[0]
    return values


def names(folder: Path) -> list[str]:
    """Return everything in a folder, hidden files as well; a folder that is not there holds nothing."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def one_line(error: BaseException, *parts: str) -> str:
    text = str(error)
    assert "\n" not in text
    for part in parts:
        assert part in text
    return text


# Bit for bit


def _sixteen() -> Samples:
    return np.arange(-(2**15), 2**15) << 16


def _twenty_four() -> Samples:
    random = np.random.default_rng(3).integers(-(2**23), 2**23, 50_000)
    edges = [-(2**23), 2**23 - 1, 2**23 - 2, -(2**23) + 1, -1, 0, 1, 2**22, -(2**22)]
    return np.concatenate([edges, np.arange(-4096, 4096), random]) << 8


def _thirty_two() -> Samples:
    """Values of 24 significant bits at every level: what float32 can hold."""
    random = np.random.default_rng(4)
    shifted = random.integers(-(2**23), 2**23, 50_000) << random.integers(0, 9, 50_000)
    return np.concatenate([[-(2**31), -1, 0, 1, 2**31 - 2**7], shifted])


@pytest.mark.parametrize(
    ("form", "subtype", "make"),
    [
        ("wav", "PCM_16", _sixteen),
        ("wav", "PCM_24", _twenty_four),
        ("wav", "PCM_32", _thirty_two),
        ("flac", "PCM_16", _sixteen),
        ("flac", "PCM_24", _twenty_four),
    ],
)
def test_integer_samples_pass_bit_for_bit(
    tmp_path: Path, registry: Registry, form: Any, subtype: str, make: Callable[[], Samples]
) -> None:
    values = make().astype(np.int32)[:, None]
    source = tmp_path / f"in.{form}"
    soundfile.write(source, values, RATE, subtype=subtype)
    np.testing.assert_array_equal(integers(source), values)  # the test's own file is as meant
    report = render(unity(), source, tmp_path / "o", options=RenderOptions(form=form), registry=registry)
    np.testing.assert_array_equal(integers(tmp_path / "o" / f"in.out.{form}"), values)
    assert soundfile.info(tmp_path / "o" / f"in.out.{form}").subtype == subtype
    assert (report.outputs[0].subtype, report.outputs[0].clipped) == (subtype, 0)


def test_32_bit_samples_that_float32_cannot_hold_come_out_as_its_nearest(
    tmp_path: Path, registry: Registry
) -> None:
    values = np.random.default_rng(5).integers(-(2**31), 2**31 - 2**7, (50_000, 1))
    source = wav(tmp_path / "in.wav", values.astype(np.int32), "PCM_32")
    render(unity(), source, tmp_path / "o", registry=registry)
    result = integers(tmp_path / "o" / "in.out.wav").astype(np.int64)
    # 24 significant bits: off by at most half a unit of the 24th
    assert (np.abs(result - values) <= np.maximum(np.abs(values) * 2.0**-24, 0.5)).all()


def test_float_samples_pass_bit_for_bit_beyond_full_scale_and_down_to_the_smallest(
    tmp_path: Path, registry: Registry
) -> None:
    tiny = np.finfo(np.float32).tiny
    edges = np.array([0, 1, -1, 1.5, -2e6, 3e38, tiny, -tiny, tiny / 2, np.nextafter(1, 2)], np.float32)
    values = np.concatenate([edges, noise(5000, 1)[:, 0]])[:, None].astype(np.float32)
    source = wav(tmp_path / "in.wav", values, "FLOAT")
    render(unity(), source, tmp_path / "o", registry=registry)
    result = soundfile.read(tmp_path / "o" / "in.out.wav", dtype="float32", always_2d=True)[0]
    np.testing.assert_array_equal(result.view(np.uint32), values.view(np.uint32))


@pytest.mark.parametrize("subtype", ["PCM_U8", "ALAW", "ULAW"])
def test_8_bit_files_come_out_as_16_bit_without_loss(
    tmp_path: Path, registry: Registry, subtype: str
) -> None:
    source = wav(tmp_path / "in.wav", subtype=subtype)
    render(unity(), source, tmp_path / "o", registry=registry)
    assert soundfile.info(tmp_path / "o" / "in.out.wav").subtype == "PCM_16"
    np.testing.assert_array_equal(integers(tmp_path / "o" / "in.out.wav"), integers(source))


def test_the_subtype_asked_for_wins_over_the_graphs_and_that_over_the_inputs(
    tmp_path: Path, registry: Registry
) -> None:
    source = wav(tmp_path / "in.wav", subtype="PCM_16")
    graph = unity()
    graph.output("out", "level", subtype="PCM_24")
    render(graph, source, tmp_path / "graph", registry=registry)
    render(graph, source, tmp_path / "asked", options=RenderOptions(subtype="FLOAT"), registry=registry)
    assert soundfile.info(tmp_path / "graph" / "in.out.wav").subtype == "PCM_24"
    assert soundfile.info(tmp_path / "asked" / "in.out.wav").subtype == "FLOAT"


# Rounding and clipping

_ANY = st.floats(width=32, allow_nan=False, allow_infinity=False)
_NEAR = st.floats(-1.125, 1.125, width=32)
_HALVES = st.integers(-(2**16), 2**16).map(lambda k: (k + 0.5) / 2**15)


@pytest.mark.parametrize("bits", [16, 24, 32])
@given(values=st.lists(st.one_of(_NEAR, _HALVES, _ANY), min_size=1, max_size=50))
def test_quantise_rounds_to_nearest_with_ties_to_even_and_counts_clips(
    bits: int, values: list[float]
) -> None:
    x = np.array([values], np.float32)
    # Python's round() of an exact fraction is the definition: nearest, ties to even.
    exact = [round(Fraction(float(value)) * 2 ** (bits - 1)) for value in x[0]]
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    result, clipped = quantise(x, bits)
    assert (result[:, 0].astype(np.int64) >> (32 - bits)).tolist() == [
        min(max(value, low), high) for value in exact
    ]
    assert not (result & ((1 << (32 - bits)) - 1)).any()
    assert clipped == sum(not low <= value <= high for value in exact)


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24)])
def test_what_is_written_is_within_half_a_step_of_what_was_rendered(
    tmp_path: Path, registry: Registry, subtype: str, bits: int
) -> None:
    source = wav(tmp_path / "in.wav", noise(channels=1), "FLOAT")
    for form in ("wav", "flac"):
        options = RenderOptions(form=form, subtype=subtype, dither="none")
        render(unity(), source, tmp_path / form, options=options, registry=registry)
        steps = integers(tmp_path / form / f"in.out.{form}")[:, 0] / 2.0 ** (32 - bits)
        assert np.abs(steps - noise(channels=1)[:, 0] * 2.0 ** (bits - 1)).max() <= 0.5


def test_clips_are_held_at_full_scale_and_counted(tmp_path: Path, registry: Registry) -> None:
    data = np.zeros((30_000, 2), np.float32)
    data[[5, 9000, 29_999], 0] = [0.9, -0.9, 0.6]
    data[20_000, 1] = -0.5  # doubled this is -1, which fits
    source = wav(tmp_path / "in.wav", data, "PCM_24")
    report = render(unity(6.0206), source, tmp_path / "o", registry=registry)
    result = integers(tmp_path / "o" / "in.out.wav") >> 8
    assert report.outputs[0].clipped == 3
    assert result[[5, 9000, 29_999], 0].tolist() == [2**23 - 1, -(2**23), 2**23 - 1]


def test_float_files_do_not_clip(tmp_path: Path, registry: Registry) -> None:
    source = wav(tmp_path / "in.wav", np.full((100, 1), 0.9, np.float32), "FLOAT")
    report = render(unity(12.0), source, tmp_path / "o", registry=registry)
    assert report.outputs[0].clipped == 0
    assert soundfile.read(tmp_path / "o" / "in.out.wav")[0].max() > 3


def test_clips_can_be_an_error_that_leaves_nothing(tmp_path: Path, registry: Registry) -> None:
    data = np.zeros((30_000, 1), np.float32)
    data[20_000] = 0.9
    source = wav(tmp_path / "in.wav", data)
    with pytest.raises(MediaError) as caught:
        render(unity(6.0), source, tmp_path / "o", options=RenderOptions(on_clip="error"), registry=registry)
    one_line(caught.value, "in.out.wav", "full scale", "--subtype FLOAT")
    assert names(tmp_path) == ["in.wav"]


# Lossy formats


@pytest.mark.parametrize(
    ("form", "subtype", "decibels"), [("ogg", "VORBIS", 15), ("ogg", "OPUS", 15), ("mp3", None, 15)]
)
def test_lossy_files_are_read_in_place_and_in_full_length(
    tmp_path: Path, registry: Registry, form: str, subtype: str | None, decibels: float
) -> None:
    time = np.arange(100_000) / RATE
    tone = (0.4 * np.sin(2 * np.pi * (300 * time + 400 * time**2))).astype(
        np.float32
    )  # a sweep has one place
    source = tmp_path / f"in.{form}"
    soundfile.write(source, tone, RATE, format=form.upper(), subtype=subtype)
    report = render(unity(), source, tmp_path / "o", registry=registry)
    result, rate = soundfile.read(tmp_path / "o" / "in.out.wav")
    assert (report.outputs[0].subtype, rate, len(result)) == ("FLOAT", RATE, len(tone))
    assert 10 * np.log10((tone**2).sum() / ((result - tone) ** 2).sum()) > decibels


# Files that are cut short


def _cut(path: Path, removed: int) -> Path:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - removed)
    return path


@pytest.mark.parametrize("removed", [1, 6, 6 * 5000 + 1, 6 * 19_999])
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU"])
def test_a_truncated_file_is_an_error_that_says_how_many_samples_are_missing(
    tmp_path: Path, registry: Registry, form: str, removed: int
) -> None:
    source = _cut(wav(tmp_path / "in.snd", subtype="PCM_24", format=form), removed)  # 6 bytes a sample
    missing = -(-removed // 6)
    with pytest.raises(MediaError) as caught:
        render(unity(), source, tmp_path / "o", registry=registry)
    one_line(
        caught.value,
        str(source),
        "declares 20000 samples",
        f"after {20_000 - missing}: {missing} are missing",
    )
    assert names(tmp_path) == ["in.snd"]


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_32", "FLOAT", "DOUBLE"])
def test_the_missing_samples_are_counted_in_every_sample_format(tmp_path: Path, subtype: str) -> None:
    whole = wav(tmp_path / "whole.wav", subtype=subtype)
    frame = {"PCM_U8": 2, "PCM_16": 4, "PCM_32": 8, "FLOAT": 8, "DOUBLE": 16}[subtype]
    with pytest.raises(MediaError, match="19877: 123 are missing"):
        open_input(_cut(whole, 123 * frame))


@pytest.mark.parametrize(("form", "subtype"), [("FLAC", "PCM_16"), ("MP3", None), ("OGG", "VORBIS")])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_compressed_file_is_an_error_too(
    tmp_path: Path, registry: Registry, form: str, subtype: str | None, share: float
) -> None:
    source = tmp_path / "in.snd"
    soundfile.write(source, noise(100_000), RATE, format=form, subtype=subtype)
    _cut(source, int(source.stat().st_size * (1 - share)))
    with pytest.raises(MediaError) as caught:
        render(unity(), source, tmp_path / "o", registry=registry)
    text = one_line(caught.value, str(source))
    if numbers := re.search(r"declares (\d+) samples but ends after (\d+): (\d+) are missing", text):
        declared, held, missing = map(int, numbers.groups())
        assert declared == 100_000 == held + missing
        assert 0 < missing < declared
    assert names(tmp_path) == ["in.snd"]


def _unstated_mp3(path: Path) -> None:
    """An MP3 without the frame that states its length, for want of which libsndfile guesses it."""
    soundfile.write(path, noise(), RATE)
    path.write_bytes(path.read_bytes().replace(b"Xing", bytes(4)).replace(b"Info", bytes(4)))


def test_an_mp3_that_does_not_state_its_length_is_refused_without_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "stated.mp3", noise(), RATE)
    with closing(open_input(tmp_path / "stated.mp3")) as reader:
        assert reader.length == 20_000
    _unstated_mp3(tmp_path / "in.mp3")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MediaError, match=r"does not state its length; convert it to WAV"):
        open_input(tmp_path / "in.mp3")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg: apt-get install ffmpeg")
def test_an_mp3_that_does_not_state_its_length_is_read_whole_by_ffmpeg(
    tmp_path: Path, registry: Registry
) -> None:
    """Every frame is there: 1152 samples each, the encoder's padding among them."""
    _unstated_mp3(tmp_path / "in.mp3")
    report = render(unity(), tmp_path / "in.mp3", tmp_path / "o", registry=registry)
    assert 20_000 <= report.outputs[0].length <= 20_000 + 4 * 1152
    assert soundfile.info(tmp_path / "o" / "in.out.wav").frames == report.outputs[0].length


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000], ids=["ffmpeg", "sox"])
def test_a_wav_written_into_a_pipe_is_read_to_its_end(tmp_path: Path, registry: Registry, size: int) -> None:
    source = wav(tmp_path / "in.wav")
    expected = integers(source)
    data = bytearray(source.read_bytes())
    at = data.index(b"data")
    data[4:8] = data[at + 4 : at + 8] = size.to_bytes(4, "little")
    source.write_bytes(data)
    render(unity(), source, tmp_path / "o", registry=registry)
    np.testing.assert_array_equal(integers(tmp_path / "o" / "in.out.wav"), expected)


def test_chunks_after_and_before_the_sound_do_not_matter(tmp_path: Path) -> None:
    source = wav(tmp_path / "in.wav")
    data = source.read_bytes()
    odd = b"junk" + (3).to_bytes(4, "little") + b"abc\0"  # an odd chunk is padded
    source.write_bytes(data[:12] + odd + data[12:] + b"LIST" + (4).to_bytes(4, "little") + b"INFO")
    with closing(open_input(source)) as reader:
        assert reader.length == 20_000
    source.write_bytes((data[:12] + odd + data[12:])[:-400])  # at four bytes a sample
    with pytest.raises(MediaError, match="19900: 100 are missing"):
        open_input(source)


# What is not a sound file


def _zero_samples(path: Path) -> None:
    wav(path, np.zeros((0, 2), np.float32))


_REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda _: None, "No such file"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "zero bytes": (lambda path: path.touch(), "0 bytes"),
    "zero samples": (_zero_samples, "holds no samples"),
    "text": (lambda path: path.write_text("unbraid: 1\n"), "not a sound file"),
    "picture": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)), "sound"),
    "header only": (lambda path: path.write_bytes(b"RIFF\0\0"), "not a sound file"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "No such file"),
}


@pytest.mark.parametrize("kind", _REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, registry: Registry, kind: str) -> None:
    make, text = _REFUSED[kind]
    source = tmp_path / "in.wav"
    make(source)
    with pytest.raises(MediaError) as caught:
        render(unity(), source, tmp_path / "o", registry=registry)
    one_line(caught.value, str(source), text)
    assert not (tmp_path / "o").exists()


def test_an_unreadable_file_is_refused(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = wav(tmp_path / "in.wav")
    opened = Path.open

    def refuse(
        self: Path, *args: Any, **more: Any
    ) -> Any:  # root may read everything, so rights cannot do it
        if self == source:
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **more)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MediaError) as caught:
        render(unity(), source, tmp_path / "o", registry=registry)
    one_line(caught.value, str(source), "Permission denied", "rights")


@pytest.mark.parametrize("name", ["in\0.wav", "n" * 300 + ".wav"], ids=["NUL", "too long"])
def test_names_no_file_can_have_are_refused(tmp_path: Path, registry: Registry, name: str) -> None:
    with pytest.raises(MediaError) as caught:
        render(unity(), f"{tmp_path}/{name}", tmp_path / "o", registry=registry)
    assert "\0" not in one_line(caught.value)
    source = wav(tmp_path / "in.wav")
    with pytest.raises(MediaError) as caught:
        render(unity(), source, f"{tmp_path}/o/{name}", registry=registry)
    assert "\0" not in one_line(caught.value)
    assert names(tmp_path) == ["in.wav"]


def test_an_output_whose_name_would_be_too_long_is_refused_before_any_work(
    tmp_path: Path, registry: Registry
) -> None:
    source = wav(tmp_path / ("n" * 250 + ".wav"))
    seen: list[int] = []
    with pytest.raises(MediaError, match="File name too long"):
        render(
            unity(),
            source,
            tmp_path / "o",
            registry=registry,
            progress=lambda done, _: seen.append(done),
        )
    assert not seen
    assert not (tmp_path / "o").exists()


# Names that are taken


def test_an_existing_output_is_refused_and_left_as_it_is(tmp_path: Path, registry: Registry) -> None:
    source = wav(tmp_path / "in.wav")
    (tmp_path / "in.right.wav").write_text("mine")
    with pytest.raises(MediaError) as caught:
        render(two_ears(), source, tmp_path, registry=registry)
    one_line(caught.value, "in.right.wav", "exists already", "--overwrite")
    assert names(tmp_path) == ["in.right.wav", "in.wav"]
    assert (tmp_path / "in.right.wav").read_text() == "mine"


def test_an_existing_output_is_replaced_when_asked(tmp_path: Path, registry: Registry) -> None:
    source = wav(tmp_path / "in.wav")
    (tmp_path / "in.out.wav").write_text("mine")
    render(unity(), source, tmp_path, options=RenderOptions(overwrite=True), registry=registry)
    np.testing.assert_array_equal(integers(tmp_path / "in.out.wav"), integers(source))
    assert names(tmp_path) == ["in.out.wav", "in.wav"]


def test_what_was_replaced_comes_back_when_a_later_output_fails(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first output has its name already when the second cannot get its own."""
    source = wav(tmp_path / "in.wav")
    for name in ("left", "right"):
        (tmp_path / f"in.{name}.wav").write_text(f"my {name}")
    commit, calls = FileWriter.commit, []

    def second_fails(self: FileWriter) -> None:
        calls.append(self)
        if len(calls) == 2:
            raise MediaError("told to fail")
        commit(self)

    monkeypatch.setattr(FileWriter, "commit", second_fails)
    with pytest.raises(MediaError, match="told to fail"):
        render(two_ears(), source, tmp_path, options=RenderOptions(overwrite=True), registry=registry)
    assert (tmp_path / "in.left.wav").read_text() == "my left"
    assert (tmp_path / "in.right.wav").read_text() == "my right"
    assert names(tmp_path) == ["in.left.wav", "in.right.wav", "in.wav"]


def test_a_failed_render_leaves_the_file_it_would_have_replaced(tmp_path: Path, registry: Registry) -> None:
    source = wav(tmp_path / "in.wav")
    (tmp_path / "in.out.wav").write_text("mine")
    options = RenderOptions(overwrite=True)
    with pytest.raises(NodeError):
        render(_late(fail_at=15_000), source, tmp_path, options=options, registry=registry)
    assert (tmp_path / "in.out.wav").read_text() == "mine"
    assert names(tmp_path) == ["in.out.wav", "in.wav"]


@pytest.mark.parametrize("link", [False, True], ids=["itself", "by a link"])
def test_an_output_that_is_an_input_is_refused_even_with_overwrite(
    tmp_path: Path, registry: Registry, link: bool
) -> None:
    first, second = wav(tmp_path / "in.wav"), tmp_path / "in.out.wav"
    if link:
        second.symlink_to(wav(tmp_path / "other.wav"))
    else:
        wav(second)
    before = second.read_bytes()
    graph = Graph()
    graph.output("out", graph.node("difference", "subtract", graph.input("a"), graph.input("b")))
    with pytest.raises(MediaError) as caught:
        render(
            graph,
            {"a": first, "b": second},
            tmp_path,
            options=RenderOptions(overwrite=True),
            registry=registry,
        )
    one_line(caught.value, str(second), "is an input")
    assert second.read_bytes() == before
    assert not [name for name in names(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_file_that_appears_while_rendering_is_left_as_it_is(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refuse)

    def appear(*_: int) -> None:
        (tmp_path / "o" / "in.right.wav").write_text("mine")

    source = wav(tmp_path / "in.wav")
    with pytest.raises(MediaError) as caught:
        render(two_ears(), source, tmp_path / "o", registry=registry, progress=appear)
    one_line(caught.value, "in.right.wav", "appeared while rendering")
    assert names(tmp_path / "o") == ["in.right.wav"]
    assert (tmp_path / "o" / "in.right.wav").read_text() == "mine"


def test_outputs_are_named_where_there_are_no_hard_links(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    render(two_ears(), wav(tmp_path / "in.wav"), tmp_path / "o", registry=registry)
    assert names(tmp_path / "o") == ["in.left.wav", "in.right.wav"]


def test_an_output_folder_that_is_a_file_is_refused(tmp_path: Path, registry: Registry) -> None:
    source = wav(tmp_path / "in.wav")
    for folder in (source, source / "deeper"):
        with pytest.raises(MediaError) as caught:
            render(unity(), source, folder, registry=registry)
        one_line(caught.value, str(folder))
    assert names(tmp_path) == ["in.wav"]


# What a format cannot hold


def test_flac_refuses_nine_channels_in_one_line(tmp_path: Path, registry: Registry) -> None:
    source = wav(tmp_path / "in.wav", noise(channels=9))
    with pytest.raises(MediaError) as caught:
        render(unity(), source, tmp_path / "o", options=RenderOptions(form="flac"), registry=registry)
    one_line(caught.value, "in.out.flac", "8 channels", "9", "WAV")
    assert names(tmp_path) == ["in.wav"]


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_32"])
def test_flac_refuses_what_it_would_have_to_round(tmp_path: Path, registry: Registry, subtype: str) -> None:
    source = wav(tmp_path / "in.wav", subtype=subtype)
    with pytest.raises(MediaError) as caught:
        render(unity(), source, tmp_path / "o", options=RenderOptions(form="flac"), registry=registry)
    one_line(caught.value, "in.out.flac", subtype, "PCM_24", "WAV")
    assert names(tmp_path) == ["in.wav"]


@pytest.mark.parametrize("subtype", ["PCM_U8", "DOUBLE", "nonsense"])
def test_a_subtype_that_is_not_offered_is_refused(tmp_path: Path, registry: Registry, subtype: str) -> None:
    source = wav(tmp_path / "in.wav")
    with pytest.raises(MediaError) as caught:
        render(unity(), source, tmp_path / "o", options=RenderOptions(subtype=subtype), registry=registry)
    one_line(caught.value, subtype, "PCM_24")
    assert names(tmp_path) == ["in.wav"]


def _writer(path: Path, layout: str, length: int, subtype: str) -> FileWriter:
    return FileWriter(path, OutputForm(RATE, Layout.parse(layout), length, subtype))


@pytest.mark.parametrize(
    ("layout", "length", "subtype", "form"),
    [
        ("mono", 2**31 - 2**20, "PCM_16", "WAV"),  # 2 MiB below 4 GiB
        ("mono", 2**31, "PCM_16", "RF64"),
        ("stereo", 2**29 + 1, "FLOAT", "RF64"),
        ("discrete:64", RATE * 3600, "PCM_24", "RF64"),
        ("mono", RATE * 3600, "PCM_24", "WAV"),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["length known", "length unknown"])
def test_beyond_4_gib_a_wav_is_written_as_rf64(
    tmp_path: Path, layout: str, length: int, subtype: str, form: str, known: bool
) -> None:
    """Sparse: the zeros between the first and the last samples take no space on the disk."""
    asked = OutputForm(RATE, Layout.parse(layout), length if known else None, subtype)
    writer = FileWriter(tmp_path / "out.wav", asked)
    channels = asked.layout.channels
    ends = np.full((channels, 10), 0.25, np.float32)
    try:
        writer.write(ends)
        frame = channels * {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[subtype]
        os.lseek(writer._target._file, (length - 20) * frame, os.SEEK_CUR)  # type: ignore[attr-defined]
        writer.encoder.written = length - 10
        writer.write(ends)
        writer.finish()
        writer.commit()
        info = soundfile.info(tmp_path / "out.wav")
        assert (info.format, info.frames, info.channels) == (
            "WAV" if form == "WAV" and channels <= 2 else "RF64" if form == "RF64" else "WAVEX",
            length,
            channels,
        )
        with soundfile.SoundFile(tmp_path / "out.wav") as file:
            file.seek(length - 10)
            np.testing.assert_array_equal(file.read(always_2d=True), 0.25)
        with closing(open_input(tmp_path / "out.wav")) as reader:
            assert (reader.length, reader.form) == (length, form)
    finally:
        writer.abort()


# All or nothing


def _late(**params: Any) -> Graph:
    graph = Graph()
    mix = graph.input("mix")
    graph.output("raw", graph.node("first", "gain", mix))
    graph.output("out", graph.node("second", "late", mix, **params))
    return graph


def _interrupt(done: int, total: int) -> None:
    if done > total / 2:
        raise KeyboardInterrupt


def _endings() -> dict[str, tuple[type[BaseException], Callable[[Path, Path, Registry], RenderReport]]]:
    def cancelled(source: Path, folder: Path, registry: Registry) -> RenderReport:
        asked = iter([False, False, True])
        return render(_late(), source, folder, registry=registry, cancelled=lambda: next(asked))

    def interrupted(source: Path, folder: Path, registry: Registry) -> RenderReport:
        return render(_late(), source, folder, registry=registry, progress=_interrupt)

    def raising(source: Path, folder: Path, registry: Registry) -> RenderReport:
        return render(_late(fail_at=15_000), source, folder, registry=registry)

    def giving_nan(source: Path, folder: Path, registry: Registry) -> RenderReport:
        return render(_late(nan_at=15_000), source, folder, registry=registry)

    def nan_in(source: Path, folder: Path, registry: Registry) -> RenderReport:
        data = noise()
        data[15_000, 1] = np.nan
        return render(_late(), wav(source, data, "FLOAT"), folder, registry=registry)

    def damaged(source: Path, folder: Path, registry: Registry) -> RenderReport:
        soundfile.write(source, noise(), RATE, format="FLAC")
        return render(_late(), _cut(source, 10_000), folder, registry=registry)

    def clipping(source: Path, folder: Path, registry: Registry) -> RenderReport:
        options = RenderOptions(on_clip="error")
        return render(unity(20.0), source, folder, registry=registry, options=options)

    def unknown_plugin(source: Path, folder: Path, registry: Registry) -> RenderReport:
        graph = Graph()
        graph.output("out", graph.node("x", "nowhere", graph.input("mix")))
        return render(graph, source, folder, registry=registry)

    return {
        "cancelled": (Cancelled, cancelled),
        "interrupted": (KeyboardInterrupt, interrupted),
        "a node raises": (NodeError, raising),
        "a node gives NaN": (NodeError, giving_nan),
        "NaN in the input": (MediaError, nan_in),
        "a damaged input": (MediaError, damaged),
        "a clip": (MediaError, clipping),
        "a plugin without code": (Exception, unknown_plugin),
    }


@pytest.mark.parametrize("there", [True, False], ids=["folder there", "folder made"])
@pytest.mark.parametrize("ending", _endings())
def test_a_render_that_does_not_finish_leaves_nothing(
    tmp_path: Path, registry: Registry, ending: str, there: bool
) -> None:
    kind, attempt = _endings()[ending]
    source, shelf = wav(tmp_path / "in.wav"), tmp_path / "shelf"
    shelf.mkdir()  # empty, and not the render's to remove
    folder = shelf / "a" / "b"
    if there:
        folder.mkdir(parents=True)
    with pytest.raises(kind):
        attempt(source, folder, registry)
    assert names(tmp_path) == ["in.wav", "shelf"]
    assert names(shelf) == (["a"] if there else [])
    assert folder.exists() == there
    assert names(folder) == []


@pytest.mark.parametrize("step", ["finish", "commit"])
def test_an_interrupt_at_the_very_end_leaves_nothing_or_everything(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The second output fails after the first is complete, or even has its name."""
    method, calls = getattr(FileWriter, step), []

    def second_fails(self: FileWriter, *args: Any) -> None:
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        method(self, *args)

    monkeypatch.setattr(FileWriter, step, second_fails)
    with pytest.raises(KeyboardInterrupt):
        render(two_ears(), wav(tmp_path / "in.wav"), tmp_path / "o", registry=registry)
    assert names(tmp_path) == ["in.wav"]


def test_a_disk_that_fails_at_the_end_leaves_nothing(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(MediaError) as caught:
        render(two_ears(), wav(tmp_path / "in.wav"), tmp_path / "o", registry=registry)
    one_line(caught.value, "in.left.wav", "Input/output error")
    assert names(tmp_path) == ["in.wav"]


_FULL = """
mount -t tmpfs -o size=1m tmpfs "$1" || exit 99
shift
"$@"
code=$?
ls -A "$FOLDER" > "$LISTING"
exit $code
"""


def _unshare() -> list[str]:
    for flags in ("-rm", "-m"):
        command = ["unshare", flags, "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
        if (
            shutil.which("unshare")
            and subprocess.run(command, capture_output=True, check=False).returncode == 0
        ):
            return command[:2]
    pytest.skip(
        "a tmpfs cannot be mounted here: run as root, or allow user namespaces "
        "(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
    )


@pytest.mark.parametrize("form", ["wav", "flac", "bw64", "f32le"])
def test_a_full_disk_is_one_line_and_no_file(tmp_path: Path, form: str) -> None:
    prefix = _unshare()
    folder, listing = tmp_path / "small", tmp_path / "listing"
    folder.mkdir()
    source = wav(tmp_path / "in.wav", noise(400_000))  # 1.6 MB; noise does not compress
    graph = tmp_path / "graph.yaml"
    graph.write_text(two_ears().to_yaml())
    script = [*prefix, "sh", "-c", _FULL, "sh", str(folder)]
    done = subprocess.run(
        [*script, *COMMAND, "render", str(graph), str(source), "-o", str(folder), "--format", form],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FOLDER": str(folder), "LISTING": str(listing)},
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    name = rf"in\.(left|right)\.{'wav' if form == 'bw64' else form}"
    assert re.match(rf"unbraid: \S+{name}: .*no space left on the disk", done.stderr)
    assert listing.read_text() == ""


_KILLED = """
import itertools, os, signal, sys, time
from pathlib import Path
from unbraid import Graph, Registry, render
from unbraid.host import RenderOptions
from unbraid.host.media.writer import FileWriter

source, base, form = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
registry = Registry.discover()
graph = Graph()
ears = graph.node("ears", "split", graph.input("mix"), layout="stereo")
graph.output("left", ears["L"])
graph.output("right", ears["R"])

def kill_around(where, name, call, after):
    method, calls = getattr(where, name), itertools.count(1)
    def patched(*args):
        number = next(calls)  # two threads write
        if number == call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = method(*args)
        if number == call and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(where, name, patched)

def attempt(folder, block):
    render(graph, source, folder, options=RenderOptions(max_block=block, form=form), registry=registry)

moments = [(FileWriter, "write", call) for call in (1, 2, 7)]
moments += [(FileWriter, name, call) for name in ("finish", "commit") for call in (1, 2)]
moments += [(os, "fsync", call) for call in (1, 2, 3, 4)] + [(os, "link", call) for call in (1, 2)]
for where, name, call in moments:
    for after in (False, True):
        child = os.fork()
        if child == 0:
            kill_around(where, name, call, after)
            attempt(base / f"{name} {call} {after}", 8192)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, (name, call)
start = time.perf_counter()
attempt(base / "whole", 64)
whole = time.perf_counter() - start
for k in range(6):
    child = os.fork()
    if child == 0:
        attempt(base / f"time {k}", 64)
        os._exit(0)
    time.sleep(whole * (k + 1) / 6)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_killed_render_leaves_no_file_under_its_name_that_is_not_whole(tmp_path: Path, form: str) -> None:
    source, base = wav(tmp_path / "in.wav", noise(400_000)), tmp_path / "runs"
    base.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(source), str(base), form],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = dict(zip((f"in.left.{form}", f"in.right.{form}"), integers(source).T, strict=True))
    folders = sorted(base.iterdir())
    assert len(folders) == 2 * 13 + 1 + 6
    seen = 0
    for folder in folders:
        for name in names(folder):
            if re.fullmatch(r"\.unbraid-[0-9a-f]+\.partial", name):
                continue
            np.testing.assert_array_equal(integers(folder / name)[:, 0], expected[name], err_msg=folder.name)
            seen += 1
    assert names(base / "whole") == sorted(expected)
    assert seen >= 6  # some were killed after they had named a file
