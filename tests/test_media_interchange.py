"""Between this and the world's tools: what one writes the other reads, sample for sample, role for role."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import struct
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from unbraid import Graph, MediaError, render
from unbraid.host import RenderOptions
from unbraid.host.contract.audio import Layout
from unbraid.host.contract.errors import GraphError
from unbraid.host.media.metadata import Metadata
from unbraid.host.media.open_input import InputForm, open_input
from unbraid.host.media.read_ahead import ReadAhead
from unbraid.host.media.targets import WaveTarget
from unbraid.host.media.wave.bext import Bext
from unbraid.host.media.writer import FileWriter, OutputForm, open_writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from unbraid.host.registry import Registry

Integers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


def _needs(program: str, package: str) -> pytest.MarkDecorator:
    missing = shutil.which(program) is None
    return pytest.mark.skipif(missing, reason=f"{program} is not installed: apt-get install {package}")


needs_ffmpeg = _needs("ffmpeg", "ffmpeg")
needs_sox = _needs("sox", "sox")
needs_mediainfo = _needs("mediainfo", "mediainfo")
needs_flac = _needs("flac", "flac")


def run(*words: str | Path, given: bytes = b"") -> bytes:
    done = subprocess.run([str(word) for word in words], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def ffmpeg(*words: str | Path, given: bytes = b"") -> bytes:
    return run("ffmpeg", "-hide_banner", "-v", "error", "-y", *words, given=given)


def ffprobe(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what ffprobe says of the sound, and all tags."""
    said = json.loads(run("ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", path))
    stream = said["streams"][0]
    tags = {**said["format"].get("tags", {}), **stream.get("tags", {})}
    return stream, {name.lower(): text for name, text in tags.items()}


def mediainfo(path: Path) -> list[dict[str, Any]]:
    """Return what MediaInfo says of the file, then of each sound in it."""
    tracks: list[dict[str, Any]] = json.loads(run("mediainfo", "--Output=JSON", path))["media"]["track"]
    return tracks


def sox_info(path: Path) -> tuple[int, int, int]:
    """Return samples, rate and channels as sox tells them."""
    said = run("sox", "--i", path).decode()
    found = [
        re.search(rf"{what}[^\n]*?(\d+)( samples|\n)", said) for what in ("= ", "Sample Rate", "Channels")
    ]
    samples, rate, channels = (int(each[1]) for each in found if each)
    return samples, rate, channels


def read(path: Path, form: InputForm | None = None) -> tuple[Floats, Any]:
    """Return all samples ``[channels, n]`` as a render gets them, and the closed source."""
    with closing(open_input(path, form)) as source:
        blocks = []
        while True:
            block = np.full((source.layout.channels, 4099), np.nan, np.float32)
            count = source.read(block)
            blocks.append(block[:, :count])
            if count < block.shape[1]:
                return np.concatenate(blocks, axis=1), source


def chunks(path: Path) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a short WAV, RF64 or BW64 file, by the letter of RIFF and nothing of ours."""
    data = path.read_bytes()
    found: list[tuple[bytes, bytes]] = []
    at = 12
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if size == 0xFFFFFFFF:
            assert name == b"data"
            assert found[0][0] == b"ds64"
            size = struct.unpack_from("<Q", found[0][1], 8)[0]
        found.append((name, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    assert at == len(data), "the last chunk is whole and padded"
    return found


# What we write

LAYOUTS = ("mono", "stereo", "discrete:3", "5.1", "7.1", "5.1.4", "7.1.4")
SUBTYPES = ("PCM_16", "PCM_24", "PCM_32", "FLOAT")
#: Which of our channels each channel of a file is: WAVE puts the rear pair before the side pair.
FILE_ORDER = {"7.1": (0, 1, 2, 3, 6, 7, 4, 5), "7.1.4": (0, 1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 11)}
_RATES = (8000, 44_100, 48_000, 192_000, 768_000, 1)
_LENGTHS = (1, 20_000, 3, 20_001, 777)
_COMBINED = [
    *itertools.product(("wav", "rf64", "bw64"), SUBTYPES, LAYOUTS),
    *itertools.product(("flac",), SUBTYPES[:2], LAYOUTS[:5]),
]
# Rates and lengths go round; their counts have no factor in common with each other.
MATRIX = [
    (form, subtype, layout, _RATES[k % 6], _LENGTHS[k % 5])
    for k, (form, subtype, layout) in enumerate(_COMBINED)
]
MATRIX = [
    (form, subtype, layout, min(rate, 655_350) if form == "flac" else rate, length)
    for form, subtype, layout, rate, length in MATRIX
]
_BITS = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 24, "FLOAT": 24}
Case = tuple[str, str, str, int, int]
cases = pytest.mark.parametrize("case", MATRIX, ids=["-".join(map(str, case)) for case in MATRIX])


def values(channels: int, length: int, bits: int) -> Integers:
    """Return ``[length, channels]`` integers in the upper bits of int32; no two channels are alike."""
    random = np.random.default_rng(channels * 100_003 + length)
    made = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (length, channels))
    made[0] = np.arange(channels) + 1
    made[-1] = -(2 ** (bits - 1)) + np.arange(channels)
    return (made << (32 - bits)).astype(np.int32)


def planar(data: Integers) -> Floats:
    """Return integers of at most 24 bits as the floats that they are, ``[channels, n]``."""
    exact: Floats = (data.T / 2.0**31).astype(np.float32)
    assert (exact * 2.0**31 == data.T).all()
    return exact


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], tuple[Path, Integers]]:
    """Write a case's file once; return it and its samples in the order of the file's channels."""
    folder = tmp_path_factory.mktemp("written")
    made: dict[Case, tuple[Path, Integers]] = {}

    def write(case: Case) -> tuple[Path, Integers]:
        if case not in made:
            form, subtype, layout, rate, length = case
            path = folder / f"{len(made)}.{'flac' if form == 'flac' else 'wav'}"
            channels = Layout.parse(layout).channels
            data = values(channels, length, _BITS[subtype])
            asked = OutputForm(rate, Layout.parse(layout), length, subtype, form, dither="none")
            writer = open_writer(path, asked)
            for start in range(0, length, 6007):
                writer.write(planar(data[start : start + 6007]))
            writer.finish()
            writer.commit()
            order = FILE_ORDER.get(layout, tuple(range(channels)))
            made[case] = path, data[:, order]
        return made[case]

    return write


def known_as_rf64(path: Path, form: str) -> Path:
    """Return a BW64 file as RF64, whose bytes are the same but for the first two; others as they are."""
    if form != "bw64":
        return path
    data = path.read_bytes()
    assert data[:4] == b"BW64"
    twin = path.with_suffix(".rf64.wav")
    twin.write_bytes(b"RF64" + data[4:])
    return twin


@cases
def test_soundfile_reads_what_we_write(case: Case, written: Callable[[Case], tuple[Path, Integers]]) -> None:
    path, data = written(case)
    form, subtype, _, rate, length = case
    path = known_as_rf64(path, form)  # libsndfile 1.2 doesn't know the name BW64
    info = soundfile.info(path)
    expected = {"wav": {"WAV", "WAVEX"}, "rf64": {"RF64"}, "bw64": {"RF64"}, "flac": {"FLAC"}}[form]
    assert info.format in expected
    assert (info.frames, info.samplerate, info.channels, info.subtype) == (
        length,
        rate,
        data.shape[1],
        subtype,
    )
    if subtype == "FLOAT":
        found = soundfile.read(path, dtype="float32", always_2d=True)[0]
        np.testing.assert_array_equal(found, planar(data).T)
    else:
        np.testing.assert_array_equal(soundfile.read(path, dtype="int32", always_2d=True)[0], data)


_IN_FFMPEG: dict[str, set[str | None]] = {
    "mono": {None, "mono"},
    "stereo": {None, "stereo"},
    "discrete:3": {None, "unknown"},
    "5.1": {"5.1"},
    "7.1": {"7.1"},
    "5.1.4": {"10 channels (FL+FR+FC+LFE+BL+BR+TFL+TFR+TBL+TBR)", "5.1.4"},
    "7.1.4": {"12 channels (FL+FR+FC+LFE+BL+BR+SL+SR+TFL+TFR+TBL+TBR)", "7.1.4"},
}


@needs_ffmpeg
@cases
def test_ffmpeg_reads_what_we_write(case: Case, written: Callable[[Case], tuple[Path, Integers]]) -> None:
    path, data = written(case)
    form, subtype, layout, rate, length = case
    stream, _ = ffprobe(path)
    assert (int(stream["sample_rate"]), stream["channels"]) == (rate, data.shape[1])
    assert (stream["duration_ts"], stream["time_base"]) == (length, f"1/{rate}")
    # FLAC has no way to leave three channels nameless; so a stranger takes them for left, right and centre.
    named = {"3.0"} if (form, layout) == ("flac", "discrete:3") else _IN_FFMPEG[layout]
    assert stream.get("channel_layout") in named
    encoding, kind = ("f32le", np.float32) if subtype == "FLOAT" else ("s32le", np.int32)
    raw = ffmpeg("-i", path, "-c:a", f"pcm_{encoding}", "-f", encoding, "-")
    found = np.frombuffer(raw, kind).reshape(-1, data.shape[1])
    np.testing.assert_array_equal(found, planar(data).T if subtype == "FLOAT" else data)


@needs_sox
@cases
def test_sox_reads_what_we_write(case: Case, written: Callable[[Case], tuple[Path, Integers]]) -> None:
    path, data = written(case)
    form, _, _, rate, length = case
    path = known_as_rf64(path, form)  # sox doesn't know the name BW64
    assert sox_info(path) == (length, rate, data.shape[1])
    # sox holds everything as 32-bit integers, floats as well.
    raw = run("sox", "-D", "-V1", path, "-t", "raw", "-e", "signed", "-b", "32", "-L", "-")
    np.testing.assert_array_equal(np.frombuffer(raw, np.int32).reshape(-1, data.shape[1]), data)


_IN_MEDIAINFO = {
    "5.1": "L R C LFE Lb Rb",
    "7.1": "L R C LFE Lb Rb Ls Rs",
    "5.1.4": "L R C LFE Lb Rb Tfl Tfr Tbl Tbr",
    "7.1.4": "L R C LFE Lb Rb Ls Rs Tfl Tfr Tbl Tbr",
}


@needs_mediainfo
@cases
def test_mediainfo_reads_what_we_write(case: Case, written: Callable[[Case], tuple[Path, Integers]]) -> None:
    path, data = written(case)
    form, subtype, layout, rate, length = case
    path = known_as_rf64(path, form)  # MediaInfo 23 doesn't know the name BW64
    whole, sound = mediainfo(path)
    assert whole["Format"] == ("FLAC" if form == "flac" else "Wave")
    assert whole.get("Format_Profile", "") == {"wav": "", "flac": ""}.get(form, "RF64")
    assert (int(sound["SamplingRate"]), int(sound["Channels"])) == (rate, data.shape[1])
    assert sound["BitDepth"] == {"PCM_16": "16", "PCM_24": "24"}.get(subtype, "32")
    if layout in _IN_MEDIAINFO:
        assert sound["ChannelLayout"] == _IN_MEDIAINFO[layout]
    # It counts by milliseconds, and says nothing of what is very short.
    if length >= 777:
        assert abs(int(sound["SamplingCount"]) - length) <= rate / 1000


def test_every_form_subtype_and_layout_meets_every_rate_and_length() -> None:
    forms, subtypes, layouts, rates, lengths = (set(column) for column in zip(*MATRIX, strict=True))
    assert len(forms) * len(subtypes) * len(layouts) == 112
    for form in ("wav", "rf64", "bw64"):
        of_form = [case for case in MATRIX if case[0] == form]
        assert {case[3] for case in of_form} == set(_RATES)
        assert {case[4] for case in of_form} == set(_LENGTHS)
        # Sounds of an odd number of bytes, which must be padded: mono and three channels of 24 bits.
        widths = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4}
        sizes = [case[4] * widths[case[1]] * Layout.parse(case[2]).channels for case in of_form]
        assert any(size % 2 for size in sizes)
    assert rates >= set(_RATES)
    assert lengths == set(_LENGTHS)


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
@pytest.mark.parametrize("form", ["wav", "rf64", "bw64", "flac"])
def test_a_render_between_two_of_our_own_files_changes_no_sample(
    tmp_path: Path, registry: Registry, form: Any, subtype: str
) -> None:
    subtype = "PCM_16" if form == "flac" and subtype == "FLOAT" else subtype
    data = values(8, 20_001, _BITS[subtype])
    writer = open_writer(
        tmp_path / "in.wav", OutputForm(44_100, Layout.parse("7.1"), len(data), subtype, dither="none")
    )
    writer.write(planar(data))
    writer.finish()
    writer.commit()
    options = RenderOptions(form=form, dither="none")
    report = render(unity(), tmp_path / "in.wav", tmp_path / "o", options=options, registry=registry)
    found, source = read(report.outputs[0].path)
    np.testing.assert_array_equal(found, planar(data))
    assert (source.layout.name, source.rate, source.subtype) == ("7.1", 44_100, subtype)


def unity() -> Graph:
    graph = Graph()
    graph.output("out", graph.node("level", "gain", graph.input("mix")))
    return graph


@pytest.mark.parametrize("channels", [9, 12, 64])
def test_more_channels_than_flac_holds_are_refused_with_the_remedy(
    tmp_path: Path, registry: Registry, channels: int
) -> None:
    soundfile.write(tmp_path / "in.wav", values(channels, 10, 24), 48_000, subtype="PCM_24")
    options = RenderOptions(form="flac")
    with pytest.raises(MediaError) as caught:
        render(unity(), tmp_path / "in.wav", tmp_path / "o", options=options, registry=registry)
    text = str(caught.value)
    assert "\n" not in text
    assert f"at most 8 channels, not {channels}; choose WAV" in text
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


@pytest.mark.parametrize("rate", [1000, 8000, 768_000])
@pytest.mark.parametrize("length", [1, 2, 777])
def test_a_render_at_an_unusual_rate_or_length_changes_no_sample(
    tmp_path: Path, registry: Registry, rate: int, length: int
) -> None:
    data = values(2, length, 24)
    soundfile.write(tmp_path / "in.wav", data, rate, subtype="PCM_24")
    report = render(unity(), tmp_path / "in.wav", tmp_path / "o", registry=registry)
    assert soundfile.info(report.outputs[0].path).samplerate == rate
    found = soundfile.read(report.outputs[0].path, dtype="int32", always_2d=True)[0]
    np.testing.assert_array_equal(found, data)


@pytest.mark.parametrize("rate", [1, 999])
def test_a_rate_that_no_graph_runs_at_is_read_and_then_refused_in_one_line(
    tmp_path: Path, registry: Registry, rate: int
) -> None:
    soundfile.write(tmp_path / "in.wav", values(1, 10, 16), rate, subtype="PCM_16")
    found, source = read(tmp_path / "in.wav")
    assert (source.rate, found.shape) == (rate, (1, 10))
    with pytest.raises(GraphError) as caught:
        render(unity(), tmp_path / "in.wav", tmp_path / "o", registry=registry)
    assert f"rate is {rate} Hz" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


@pytest.mark.parametrize("form", ["wav", "rf64", "flac", "aiff", "au", "w64", "caf"])
def test_a_file_of_no_samples_is_refused_in_one_line(tmp_path: Path, registry: Registry, form: str) -> None:
    path = tmp_path / f"in.{form}"
    if (
        form == "flac"
    ):  # libsndfile leaves one of no samples empty; this says: 48 kHz, mono, 16 bits, 0 samples
        path.write_bytes(b"fLaC\x80\0\0\x22\x10\0\x10\0" + bytes(6) + b"\x0b\xb8\0\xf0" + bytes(20))
    else:
        soundfile.write(path, np.zeros((0, 1)), 48_000, format=form.upper(), subtype="PCM_16")
    with pytest.raises(MediaError) as caught:
        render(unity(), path, tmp_path / "o", registry=registry)
    assert "\n" not in str(caught.value)
    assert "no samples" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [f"in.{form}"]


# What others write

#: The roles of our layouts by the names that ffmpeg has for loudspeakers.
ROLES = {
    "mono": {"FC": "M"},
    "stereo": {"FL": "L", "FR": "R"},
    "5.1": {"FL": "L", "FR": "R", "FC": "C", "LFE": "LFE", "BL": "Ls", "BR": "Rs"},
    "5.1(side)": {"FL": "L", "FR": "R", "FC": "C", "LFE": "LFE", "SL": "Ls", "SR": "Rs"},
    "7.1": {
        "FL": "L", "FR": "R", "FC": "C", "LFE": "LFE", "BL": "Lrs", "BR": "Rrs", "SL": "Lss", "SR": "Rss",
    },
}  # fmt: skip


def by_ffmpeg(path: Path, codec: str, layout: str, bits: int, *more: str, length: int = 10_001) -> Integers:
    """Write a file of distinct channels with ffmpeg; return their samples."""
    data = values(len(ROLES[layout]), length, bits)
    words = ["-f", "s32le", "-ar", "44100", "-channel_layout", layout, "-ac", str(data.shape[1]), "-i", "-"]
    ffmpeg(*words, "-c:a", codec, *more, f"file:{path}", given=data.tobytes())
    return data


def in_our_order(data: Integers, layout: str, roles: tuple[str, ...]) -> Floats:
    """Return ffmpeg's channels in the order of our roles."""
    theirs = list(ROLES[layout].values())
    return planar(data[:, [theirs.index(role) for role in roles]])


_WAVES = [
    ("wav", "pcm_u8", 8, "PCM_16"),
    ("wav", "pcm_s16le", 16, "PCM_16"),
    ("wav", "pcm_s24le", 24, "PCM_24"),
    ("wav", "pcm_s32le", 24, "PCM_32"),
    ("wav", "pcm_f32le", 24, "FLOAT"),
    ("wav", "pcm_f64le", 24, "FLOAT"),
    ("w64", "pcm_s24le", 24, "PCM_24"),
    ("flac", "flac", 16, "PCM_16"),
    ("caf", "pcm_s24be", 24, "PCM_24"),
    ("aiff", "pcm_s16be", 16, "PCM_16"),
    ("aiff", "pcm_s24be", 24, "PCM_24"),
    ("au", "pcm_s16be", 16, "PCM_16"),
]


@needs_ffmpeg
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "5.1(side)", "7.1"])
@pytest.mark.parametrize(("suffix", "codec", "bits", "subtype"), _WAVES)
def test_what_ffmpeg_writes_we_read_bit_for_bit_and_role_for_role(
    tmp_path: Path, suffix: str, codec: str, bits: int, subtype: str, layout: str
) -> None:
    path = tmp_path / f"in.{suffix}"
    more = ["-sample_fmt", "s16"] if codec == "flac" else []
    # The size that ffmpeg writes into a W64 counts the padding to eight bytes as sound: here there is none.
    length = 10_000 if suffix == "w64" else 10_001
    data = by_ffmpeg(path, codec, layout, bits, *more, length=length)
    found, source = read(path)
    assert (source.rate, source.length, source.subtype) == (44_100, len(data), subtype)
    assert source.warnings == []
    if source.layout.name == "discrete:8":
        # Without names, every channel is in its place in the file.
        assert suffix in {"w64", "caf", "aiff", "au"}
        np.testing.assert_array_equal(found, planar(data))
    else:
        assert source.layout.name == layout.removesuffix("(side)")
        np.testing.assert_array_equal(found, in_our_order(data, layout, source.layout.roles))


@needs_ffmpeg
@pytest.mark.parametrize("layout", ["stereo", "7.1"])
def test_an_rf64_by_ffmpeg_is_read_bit_for_bit(tmp_path: Path, layout: str) -> None:
    data = by_ffmpeg(tmp_path / "in.wav", "pcm_s24le", layout, 24, "-rf64", "always", length=777)
    assert (tmp_path / "in.wav").read_bytes()[:4] == b"RF64"
    found, source = read(tmp_path / "in.wav")
    assert (source.form, source.length) == ("RF64", 777)
    np.testing.assert_array_equal(found, in_our_order(data, layout, source.layout.roles))


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_f32le"])
def test_a_wav_that_ffmpeg_wrote_into_a_pipe_is_read_to_its_end(tmp_path: Path, codec: str) -> None:
    data = values(2, 10_001, 16)
    words = ["-f", "s32le", "-ar", "44100", "-ac", "2", "-i", "-", "-c:a", codec, "-f", "wav", "pipe:1"]
    (tmp_path / "in.wav").write_bytes(ffmpeg(*words, given=data.tobytes()))
    assert dict(chunks_before_data(tmp_path / "in.wav"))[b"data"] == 0xFFFFFFFF
    found, source = read(tmp_path / "in.wav")
    assert source.length == len(data)
    np.testing.assert_array_equal(found, planar(data))


def chunks_before_data(path: Path) -> list[tuple[bytes, int]]:
    data, at = path.read_bytes(), 12
    found: list[tuple[bytes, int]] = []
    while not found or found[-1][0] != b"data":
        found.append(struct.unpack_from("<4sI", data, at))
        at += 8 + found[-1][1]
    return found


_SOX = [
    ("wav", ["-b", "16"], 16, "PCM_16"),
    ("wav", ["-b", "24"], 24, "PCM_24"),
    ("wav", ["-b", "32"], 24, "PCM_32"),
    ("wav", ["-b", "32", "-e", "float"], 24, "FLOAT"),
    ("wav", ["-b", "64", "-e", "float"], 24, "FLOAT"),
    ("wav", ["-b", "8", "-e", "unsigned"], 8, "PCM_16"),
    ("aiff", ["-b", "24"], 24, "PCM_24"),
    ("au", ["-b", "16"], 16, "PCM_16"),
    ("flac", ["-b", "24"], 24, "PCM_24"),
    ("w64", ["-b", "16"], 16, "PCM_16"),
    ("caf", ["-b", "24"], 24, "PCM_24"),
]


def from_raw(data: Integers) -> list[str]:
    return ["-D", "-t", "raw", "-e", "signed", "-b", "32", "-L", "-r", "44100", "-c", str(data.shape[1]), "-"]


@needs_sox
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(("suffix", "how", "bits", "subtype"), _SOX)
def test_what_sox_writes_we_read_bit_for_bit(
    tmp_path: Path, suffix: str, how: list[str], bits: int, subtype: str, channels: int
) -> None:
    data = values(channels, 10_001, bits)
    run("sox", *from_raw(data), *how, tmp_path / f"in.{suffix}", given=data.tobytes())
    found, source = read(tmp_path / f"in.{suffix}")
    assert (source.rate, source.length, source.subtype) == (44_100, len(data), subtype)
    np.testing.assert_array_equal(found, planar(data))


@needs_sox
def test_a_wav_that_sox_wrote_into_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    data = values(2, 10_001, 16)
    raw = run("sox", *from_raw(data), "-b", "16", "-t", "wav", "-", given=data.tobytes())
    assert struct.unpack_from("<I", raw, raw.index(b"data") + 4)[0] > len(raw)  # it could not know
    (tmp_path / "in.wav").write_bytes(raw)
    found, source = read(tmp_path / "in.wav")
    assert source.length == len(data)
    np.testing.assert_array_equal(found, planar(data))


_PIPED = {
    "ffmpeg": ["ffmpeg", "-v", "error", "-f", "s32le", "-ar", "44100", "-ac", "2", "-i", "-", "-sample_fmt",
               "s16", "-f", "flac", "pipe:1"],
    "sox": ["sox", "-D", "-t", "raw", "-e", "signed", "-b", "32", "-r", "44100", "-c", "2", "-", "-b", "16",
            "-t", "flac", "-"],
}  # fmt: skip


@pytest.mark.parametrize(
    "maker", [pytest.param("ffmpeg", marks=needs_ffmpeg), pytest.param("sox", marks=needs_sox)]
)
@pytest.mark.parametrize("salvage", [False, True])
def test_a_flac_that_was_written_into_a_pipe_is_read_to_its_end(
    tmp_path: Path, registry: Registry, maker: str, salvage: bool
) -> None:
    data = values(2, 50_001, 16)
    raw = bytearray(run(*_PIPED[maker], given=data.tobytes()))
    raw[21] &= 0xF0  # sox foretells the length from the size of what it is given
    raw[22:26] = bytes(4)
    (tmp_path / "in.flac").write_bytes(raw)
    form = InputForm(salvage=salvage)
    found, source = read(tmp_path / "in.flac", form)
    assert (source.length, source.salvaged) == (None, None)
    np.testing.assert_array_equal(found, planar(data))
    options = RenderOptions(source=form)
    report = render(unity(), tmp_path / "in.flac", tmp_path / "o", options=options, registry=registry)
    assert (report.inputs["mix"].length, report.warnings) == (len(data), ())
    result = soundfile.read(report.outputs[0].path, dtype="int32", always_2d=True)[0]
    np.testing.assert_array_equal(result, data)


@needs_ffmpeg
def test_a_damaged_flac_of_unknown_length_is_an_error_and_salvage_says_what_it_took(
    tmp_path: Path, registry: Registry
) -> None:
    raw = bytearray(run(*_PIPED["ffmpeg"], given=values(2, 200_001, 16).tobytes()))
    middle = len(raw) // 2
    raw[middle : middle + 1000] = bytes(1000)
    (tmp_path / "in.flac").write_bytes(raw)
    with pytest.raises(MediaError, match=r"in\.flac: damaged after sample \d+"):
        read(tmp_path / "in.flac")
    options = RenderOptions(source=InputForm(salvage=True))
    report = render(unity(), tmp_path / "in.flac", tmp_path / "o", options=options, registry=registry)
    taken = report.inputs["mix"].length
    assert 50_000 < taken < 200_001
    assert report.inputs["mix"].salvaged == (None, taken)
    assert any("damaged after sample" in line for line in report.warnings)


_TONES = {"FL": 400, "FR": 700, "FC": 1000, "LFE": 60, "BL": 1400, "BR": 1900, "SL": 2500, "SR": 3200}


@needs_ffmpeg
@pytest.mark.parametrize("layout", ["5.1", "7.1"])
@pytest.mark.parametrize(("suffix", "codec"), [("ogg", "libvorbis"), ("opus", "libopus")])
def test_every_channel_of_a_lossy_file_has_its_role(
    tmp_path: Path, suffix: str, codec: str, layout: str
) -> None:
    if codec not in ffmpeg("-encoders").decode():
        pytest.skip(f"this ffmpeg is built without {codec}: take your distribution's")
    time = np.arange(48_000) / 48_000
    names = list(ROLES[layout])
    tones = np.stack([0.2 * np.sin(2 * np.pi * _TONES[name] * time) for name in names], axis=1)
    words = ["-f", "f32le", "-ar", "48000", "-channel_layout", layout, "-ac", str(len(names)), "-i", "-"]
    path = tmp_path / f"in.{suffix}"
    ffmpeg(*words, "-c:a", codec, "-b:a", "512k", path, given=tones.astype("<f4").tobytes())
    found, source = read(path)
    assert source.layout.name == layout
    spectra = np.abs(np.fft.rfft(found[:, :48_000] * np.hanning(48_000)))  # one bin is one Hz
    heard = dict(zip(source.layout.roles, spectra.argmax(axis=1).tolist(), strict=True))
    assert heard == {ROLES[layout][name]: _TONES[name] for name in names}


# What files say beside their samples

BEXT = Bext(
    description="Café, take 7",
    originator="Recorder",
    originator_reference="REF-0007",
    origination_date="2024-02-29",
    origination_time="13:14:15",
    time_reference=5_000_000_123,  # beyond 32 bits
    coding_history="A=PCM,F=48000,W=24,M=mono\r\n",
)
TAGS = {"title": "Rain on a roof", "artist": "Nobody"}
CUE = struct.pack("<I", 2) + struct.pack("<II4sIII", 1, 100, b"data", 0, 0, 100) * 2
ADTL = b"adtl" + b"labl" + struct.pack("<II", 8, 1) + b"one\0"
IXML = b'<?xml version="1.0"?><BWFXML><SCENE>12</SCENE></BWFXML>!'  # an odd number of bytes
AXML = b"<ebuCoreMain>any bytes \xff</ebuCoreMain>"
CHNA = struct.pack("<HHH12s14s11sx", 1, 1, 1, b"ATU_00000001", b"AT_00031001_01", b"AP_00031001")


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def wave_by_hand(path: Path, *between: bytes, channels: int = 2, behind: bytes = b"") -> Path:
    """Write 1,001 samples of 24 bits with chunks of one's own."""
    form = struct.pack("<HHIIHH", 1, channels, 48_000, 48_000 * 3 * channels, 3 * channels, 24)
    raw = values(channels, 1001, 24).view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    body = b"WAVE" + chunk(b"fmt ", form) + b"".join(between) + chunk(b"data", raw) + behind
    path.write_bytes(chunk(b"RIFF", body))
    return path


def our_wave(path: Path, metadata: Metadata, form: str = "wav", layout: str = "stereo") -> Path:
    made = Layout.parse(layout)
    writer = FileWriter(path, OutputForm(48_000, made, 1001, "PCM_24", form, metadata=metadata))
    writer.write(planar(values(made.channels, 1001, 24)))
    writer.finish()
    writer.commit()
    return path


@pytest.mark.parametrize("form", ["wav", "rf64", "bw64"])
def test_the_broadcast_extension_stands_byte_by_byte_as_tech_3285_says(tmp_path: Path, form: str) -> None:
    found = chunks(our_wave(tmp_path / "out.wav", Metadata(TAGS, BEXT, IXML, cue=CUE, adtl=ADTL), form))
    names = [name for name, _ in found]
    body = dict(found)[b"bext"]
    assert body[:256].rstrip(b"\0").decode() == "Café, take 7"
    assert body[256:288].rstrip(b"\0") == b"Recorder"
    assert body[288:320].rstrip(b"\0") == b"REF-0007"
    assert body[320:338] == b"2024-02-2913:14:15"
    low, high = struct.unpack_from("<II", body, 338)
    assert (high << 32) + low == 5_000_000_123
    assert body[602:].rstrip(b"\0") == b"A=PCM,F=48000,W=24,M=mono\r\n"
    assert names.index(b"bext") < names.index(b"fmt ") < names.index(b"data")
    assert (dict(found)[b"iXML"], dict(found)[b"cue "]) == (IXML, CUE)
    lists = [body for name, body in found if name == b"LIST"]
    info = b"INFO" + chunk(b"INAM", b"Rain on a roof\0") + chunk(b"IART", b"Nobody\0")
    assert lists == [ADTL, info]


@needs_ffmpeg
@pytest.mark.parametrize("form", ["wav", "rf64", "bw64", "flac"])
def test_ffmpeg_finds_the_place_in_time_and_the_tags(tmp_path: Path, form: str) -> None:
    path = our_wave(tmp_path / f"out.{'flac' if form == 'flac' else 'wav'}", Metadata(TAGS, BEXT), form)
    _, tags = ffprobe(path)
    expected = {"time_reference": "5000000123", "title": "Rain on a roof", "artist": "Nobody"}
    # "comment" is what ffmpeg calls a description, in a bext and in FLAC.
    expected |= {"comment": "Café, take 7", "originator_reference": "REF-0007"}
    assert expected.items() <= tags.items()


@needs_mediainfo
@pytest.mark.parametrize("form", ["wav", "rf64"])
def test_mediainfo_finds_the_place_in_time_and_the_tags(tmp_path: Path, form: str) -> None:
    # ASCII, as Tech 3285 has it; MediaInfo takes anything else for Latin-1.
    bext = replace(BEXT, description="A street")
    whole, sound = mediainfo(our_wave(tmp_path / "out.wav", Metadata(TAGS, bext), form))
    # RIFF's IART is the director to some versions and the performer to others.
    assert whole["Title"] == "Rain on a roof"
    assert whole.get("Performer", whole.get("Director")) == "Nobody"
    assert (whole["Description"], whole["Producer"]) == ("A street", "Recorder")
    # 5,000,000,123 samples of 48 kHz, in seconds
    assert abs(float(sound["Delay"]) - 104_166.669) < 0.001


@needs_ffmpeg
@pytest.mark.parametrize("form", ["wav", "rf64", "bw64", "flac"])
def test_the_broadcast_extension_of_ffmpeg_travels_through_a_render(
    tmp_path: Path, registry: Registry, form: Any
) -> None:
    words = ["-f", "lavfi", "-i", "anoisesrc=r=48000:a=0.1:d=0.1:seed=1", "-c:a", "pcm_s24le"]
    said = {
        "description": "A street",
        "originator": "ffmpeg test",
        "originator_reference": "R1",
        "origination_date": "2024-02-29",
        "origination_time": "13:14:15",
        "time_reference": "172800000",
        "coding_history": "A=PCM,F=48000",
        "title": "Rain",
        "artist": "Nobody",
    }
    texts = [word for name, text in said.items() for word in ("-metadata", f"{name}={text}")]
    ffmpeg(*words, *texts, "-write_bext", "1", tmp_path / "in.wav")
    options = RenderOptions(form=form)
    report = render(unity(), tmp_path / "in.wav", tmp_path / "o", options=options, registry=registry)
    assert report.inputs["mix"].metadata.bext is not None
    assert report.warnings == ()
    found = read(report.outputs[0].path)[1].metadata
    assert found.bext is not None
    assert (found.bext.time_reference, found.bext.description) == (172_800_000, "A street")
    assert (found.bext.originator, found.bext.originator_reference) == ("ffmpeg test", "R1")
    assert (found.bext.origination_date, found.bext.origination_time) == ("2024-02-29", "13:14:15")
    history = found.bext.coding_history.splitlines()
    assert history[0] == "A=PCM,F=48000"
    assert history[1].startswith("A=PCM,F=48000,W=24,M=mono,T=Unbraid ")
    assert len(history) == 2
    _, tags = ffprobe(report.outputs[0].path)
    assert {"time_reference": "172800000", "title": "Rain", "artist": "Nobody"}.items() <= tags.items()


@needs_flac
def test_a_flac_gives_its_broadcast_chunks_back_through_flacs_own_tool(
    tmp_path: Path, registry: Registry
) -> None:
    chunk_list = [chunk(b"bext", _bext_body()), chunk(b"iXML", IXML), chunk(b"cue ", CUE)]
    source = wave_by_hand(tmp_path / "in.wav", *chunk_list)
    report = render(unity(), source, tmp_path / "o", options=RenderOptions(form="flac"), registry=registry)
    run("flac", "-s", "-t", report.outputs[0].path)
    back = tmp_path / "back.wav"
    run("flac", "-s", "-d", "--keep-foreign-metadata", "-o", back, report.outputs[0].path)
    found = dict(chunks(back))
    assert (found[b"iXML"], found[b"cue "]) == (IXML, CUE)
    assert found[b"bext"][:338] == _bext_body()[:338]
    assert struct.unpack_from("<Q", found[b"bext"], 338)[0] == 5_000_000_123
    assert found[b"data"] == dict(chunks(source))[b"data"]


def _bext_body() -> bytes:
    texts = struct.pack("<256s32s32s10s8s", b"A street", b"Recorder", b"REF", b"2024-02-29", b"13:14:15")
    return texts + struct.pack("<QH", 5_000_000_123, 1) + bytes(254) + b"A=PCM\r\n\0"


@pytest.mark.parametrize("form", ["wav", "rf64", "bw64"])
@pytest.mark.parametrize("behind", [False, True])
def test_chunks_are_carried_byte_for_byte_wherever_they_stand(
    tmp_path: Path, registry: Registry, form: Any, behind: bool
) -> None:
    carried = {b"iXML": IXML, b"axml": AXML, b"chna": CHNA, b"cue ": CUE, b"LIST": ADTL}
    made = [chunk(name, body) for name, body in carried.items()]
    source = wave_by_hand(
        tmp_path / "in.wav", *([] if behind else made), behind=b"".join(made) if behind else b""
    )
    options = RenderOptions(form=form)
    report = render(unity(), source, tmp_path / "o", options=options, registry=registry)
    assert report.warnings == ()
    found = chunks(report.outputs[0].path)
    assert [(name, body) for name, body in found if name in carried] == [
        (name, carried[name]) for name in (b"chna", b"iXML", b"axml", b"cue ", b"LIST")
    ]
    assert dict(found)[b"data"] == dict(chunks(source))[b"data"]


def test_adm_is_left_out_with_a_warning_where_the_channels_are_others(
    tmp_path: Path, registry: Registry
) -> None:
    source = wave_by_hand(
        tmp_path / "in.wav", chunk(b"axml", AXML), chunk(b"chna", CHNA), chunk(b"cue ", CUE)
    )
    graph = Graph()
    ears = graph.node("ears", "split", graph.input("mix"), layout="stereo")
    graph.output("left", ears["L"])
    graph.output("right", ears["R"])
    report = render(graph, source, tmp_path / "o", registry=registry)
    assert [line for line in report.warnings if "ADM" in line] == list(report.warnings)
    assert len(report.warnings) == 1
    for output in report.outputs:
        found = dict(chunks(output.path))
        assert not {b"axml", b"chna"} & found.keys()
        assert found[b"cue "] == CUE  # they count samples, which are the same


def test_cue_points_are_left_out_with_a_warning_where_the_rate_is_another(
    tmp_path: Path, registry: Registry
) -> None:
    source = wave_by_hand(
        tmp_path / "in.wav", chunk(b"bext", _bext_body()), chunk(b"cue ", CUE), chunk(b"axml", AXML)
    )
    options = RenderOptions(output_rate=96_000)
    report = render(unity(), source, tmp_path / "o", options=options, registry=registry)
    assert [line for line in report.warnings if "cue" in line] == list(report.warnings)
    assert len(report.warnings) == 1
    found = dict(chunks(report.outputs[0].path))
    assert b"cue " not in found
    assert found[b"axml"] == AXML
    assert struct.unpack_from("<Q", found[b"bext"], 338)[0] == 2 * 5_000_000_123


# Beyond 4 GiB, in files that are mostly holes

FOUR_GIB = 1 << 32


def last_of(source: Any, count: int) -> Floats:
    """Return the last samples of a long PCM file, without reading all before them."""
    reader: Any = source._source if isinstance(source, ReadAhead) else source
    reader._data.skip_to(reader._data.position + (reader.declared - count) * reader._frame)
    reader._done = reader.declared - count
    found = np.full((source.layout.channels, count), np.nan, np.float32)
    assert source.read(found) == count
    assert source.read(np.empty((source.layout.channels, 1), np.float32)) == 0
    return found


def sparse(path: Path, form: str, layout: str, subtype: str, length: int, metadata: Metadata) -> Integers:
    """Have our writer write this many samples, all but the first and last 100 as a hole; return the last."""
    made = Layout.parse(layout)
    data = values(made.channels, 100, _BITS[subtype])
    writer = FileWriter(path, OutputForm(48_000, made, length, subtype, form, metadata=metadata))
    try:
        writer.write(planar(data))
        target = writer._target
        assert isinstance(target, WaveTarget)
        frame = writer.form.head(writer.encoder).frame  # type: ignore[union-attr]
        os.lseek(target._file, (length - 200) * frame, os.SEEK_CUR)
        writer.encoder.written += length - 200
        writer.write(planar(data))
        writer.finish()
        writer.commit()
    except BaseException:
        writer.abort()
        raise
    return data


@pytest.mark.parametrize(
    ("form", "layout", "subtype", "length", "magic"),
    [
        ("wav", "stereo", "FLOAT", (1 << 29) + 1001, b"RF64"),
        ("wav", "discrete:3", "PCM_24", 477_218_589, b"RF64"),  # an odd number of bytes
        ("wav", "mono", "PCM_16", (1 << 31) - (1 << 20), b"RIFF"),  # just below
        ("bw64", "7.1", "PCM_24", 200_000_001, b"BW64"),
    ],
)
def test_beyond_4_gib_what_we_write_is_read_by_all(
    tmp_path: Path, form: str, layout: str, subtype: str, length: int, magic: bytes
) -> None:
    path = tmp_path / "out.wav"
    data = sparse(path, form, layout, subtype, length, Metadata(TAGS, BEXT))
    channels = data.shape[1]
    width = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[subtype]
    assert path.stat().st_size > length * channels * width
    assert path.stat().st_blocks * 512 < 1 << 20, "the hole is a hole"
    with path.open("rb") as file:
        assert file.read(4) == magic
    order = FILE_ORDER.get(layout, tuple(range(channels)))

    with closing(open_input(path)) as source:
        assert (source.length, source.layout.name) == (length, layout)
        assert source.metadata.tags == TAGS  # which stand behind the sound
        np.testing.assert_array_equal(last_of(source, 100), planar(data))

    if shutil.which("ffprobe"):
        stream, tags = ffprobe(path)
        assert (stream["duration_ts"], stream["channels"]) == (length, channels)
        assert tags["time_reference"] == str(BEXT.time_reference)

    if magic == b"BW64":
        with path.open("r+b") as file:
            file.write(b"RF64")
    with soundfile.SoundFile(path) as file:
        assert (file.frames, file.channels, file.samplerate) == (length, channels, 48_000)
        file.seek(length - 100)
        found = file.read(dtype="float32", always_2d=True).T
    np.testing.assert_array_equal(found, planar(data)[list(order)])
    if shutil.which("mediainfo"):
        _, sound = mediainfo(path)
        assert abs(int(sound["SamplingCount"]) - length) <= 48


def stretch(path: Path, length: int, frame: int) -> None:
    """Let an RF64 file of an uneven tool hold so many samples: its sizes changed, its sound a hole."""
    data = path.read_bytes()
    ds64, start = data.index(b"ds64") + 8, data.index(b"data") + 8
    sound = data[start:]
    size = start + length * frame + length * frame % 2
    with path.open("r+b") as file:
        file.seek(ds64)
        file.write(struct.pack("<QQQ", size - 8, length * frame, length))
        file.truncate(start + length * frame - 100 * frame)
        file.seek(0, 2)
        file.write(sound[: 100 * frame])
        file.truncate(size)


@pytest.mark.parametrize("maker", ["soundfile", pytest.param("ffmpeg", marks=needs_ffmpeg)])
def test_beyond_4_gib_what_others_write_is_read(tmp_path: Path, maker: str) -> None:
    path, length = tmp_path / "in.wav", (1 << 29) + 777
    data = values(3, 100, 24)
    if maker == "soundfile":
        soundfile.write(path, data, 48_000, format="RF64", subtype="PCM_24")
    else:
        words = ["-f", "s32le", "-ar", "48000", "-ac", "3", "-i", "-", "-c:a", "pcm_s24le"]
        ffmpeg(*words, "-fflags", "+bitexact", "-rf64", "always", path, given=data.tobytes())
    stretch(path, length, 9)
    assert path.stat().st_size > FOUR_GIB
    assert soundfile.info(path).frames == length  # the test's own file is as meant
    with closing(open_input(path)) as source:
        assert (source.form, source.length, source.layout.channels) == ("RF64", length, 3)
        np.testing.assert_array_equal(last_of(source, 100), planar(data))


@pytest.mark.parametrize("more", [0, 4, 1 << 20, 5 << 30])
def test_a_wav_whose_size_wrapped_is_refused_and_salvaged_whole(tmp_path: Path, more: int) -> None:
    size = FOUR_GIB + more + 4_000_000  # of the sound; a recorder that counts in 32 bits writes the rest
    form = struct.pack("<HHIIHH", 1, 2, 48_000, 48_000 * 4, 4, 16)
    head = b"WAVE" + chunk(b"fmt ", form) + b"data" + struct.pack("<I", size % FOUR_GIB)
    path = tmp_path / "in.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", (len(head) + size) % FOUR_GIB) + head)
    data = values(2, 100, 16)
    with path.open("r+b") as file:
        file.truncate(8 + len(head) + size - 400)
        file.seek(0, 2)
        file.write((data >> 16).astype("<i2").tobytes())
    with pytest.raises(MediaError) as caught:
        open_input(path)
    text = str(caught.value)
    assert "\n" not in text
    for part in (
        str(path),
        f"declares {size % FOUR_GIB // 4} samples",
        f"{FOUR_GIB * (size >> 32) // 4} more",
    ):
        assert part in text
    assert "--salvage" in text
    with closing(open_input(path, InputForm(salvage=True))) as source:
        assert source.length == size // 4
        np.testing.assert_array_equal(last_of(source, 100), planar(data))
        assert source.salvaged == (size % FOUR_GIB // 4, size // 4)
