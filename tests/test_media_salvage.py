"""Salvage: what is there of a damaged file, exactly, and a record of it wherever somebody may look."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from unbraid import Graph, MediaError, render
from unbraid.host import RenderOptions
from unbraid.host.media.open_input import InputForm, open_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unbraid.host import RenderReport
    from unbraid.host.registry import Registry

Samples = npt.NDArray[Any]
RATE = 48_000
LENGTH = 50_000
COMMAND = [sys.executable, "-c", "from unbraid.host.cli import main; main()"]

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs ffmpeg: apt-get install ffmpeg"
)


def noise() -> npt.NDArray[np.int32]:
    """24-bit noise in the upper bits of int32; no sample is 0."""
    values = np.random.default_rng(13).integers(1000, 2**22, (LENGTH, 2))
    return values.astype(np.int32) << 8


def tone() -> npt.NDArray[np.float32]:
    """Sound that a lossy codec keeps about as it is."""
    t = np.arange(4 * LENGTH) / RATE
    waves = [0.4 * np.sin(2 * np.pi * 440 * t), 0.3 * np.sin(2 * np.pi * 660 * t + 1)]
    return np.stack(waves, axis=1).astype(np.float32)


def unity() -> Graph:
    graph = Graph()
    graph.output("out", graph.node("level", "gain", graph.input("mix")))
    return graph


def cut(path: Path, share: float) -> Path:
    """Return a copy that holds this share of the bytes, and not a whole number of anything."""
    whole = path.read_bytes()
    short = path.with_name(f"short{path.suffix}")
    short.write_bytes(whole[: int(len(whole) * share) | 1])
    return short


def salvage(source: Path, folder: Path, registry: Registry, **options: Any) -> RenderReport:
    asked = RenderOptions(source=InputForm(salvage=True), **options)
    return render(unity(), source, folder, registry=registry, options=asked)


def refused(source: Path, folder: Path, registry: Registry) -> str:
    """Render what must be refused in one line that names the file, and leaves nothing; return the line."""
    with pytest.raises(MediaError) as caught:
        render(unity(), source, folder, registry=registry)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(source))
    assert not folder.exists()
    return text


def integers(path: Path) -> Samples:
    values: Samples = soundfile.read(path, dtype="int32", always_2d=True)[0]
    return values


def info_comment(path: Path) -> bytes:
    """The ICMT of a WAV's LIST INFO, from the bytes themselves."""
    data = path.read_bytes()
    at = data.index(b"INFO", data.rindex(b"LIST"))
    at = data.index(b"ICMT", at)
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    return data[at + 8 : at + 8 + size].rstrip(b"\0")


def vorbis_comment(path: Path) -> str:
    return str(soundfile.SoundFile(path).copy_metadata().get("comment", ""))


def check_record(report: RenderReport, source: Path, declared: int | None, taken: int) -> None:
    """The report has it in its warnings, one line each, and in numbers; all lengths agree."""
    known = "" if declared is None else f" where {declared} were declared"
    assert report.warnings.count(f"salvaged from {source}: {taken} samples{known}") == 1
    assert all("\n" not in line for line in report.warnings)
    mix = report.inputs["mix"]
    assert (mix.salvaged, mix.length) == ((declared, taken), taken)
    assert report.outputs[0].length == taken


# Files cut short

#: Lossless files: libsndfile's names of container and sample format.
LOSSLESS: dict[str, tuple[str, str]] = {
    "wav": ("WAV", "PCM_24"),
    "wav16": ("WAV", "PCM_16"),
    "wavex": ("WAVEX", "PCM_24"),
    "rf64": ("RF64", "PCM_24"),
    "w64": ("W64", "PCM_24"),
    "aiff": ("AIFF", "PCM_24"),
    "au": ("AU", "PCM_24"),
    "flac": ("FLAC", "PCM_24"),
}
SHARES = [0.013, 0.5, 0.8, 0.9999]


def lossless(folder: Path, kind: str) -> tuple[Path, Samples]:
    """Write a file; return it and its samples as integers in the upper bits of int32."""
    form, subtype = LOSSLESS[kind]
    path = folder / f"in.{kind}"
    soundfile.write(path, noise(), RATE, format=form, subtype=subtype)
    values = integers(path)
    mask = -1 << (16 if subtype == "PCM_16" else 8)
    np.testing.assert_array_equal(values, noise() & mask)
    return path, values


def there(kind: str, path: Path) -> int:
    """The samples that a file cut short still holds whole, by the arithmetic of its format."""
    size = path.stat().st_size
    if kind == "flac":
        return -1
    # AU: a head of 24 bytes. W64: 40 for the file, 40 for fmt, 24 for the head of data.
    heads = {"au": 24, "w64": 40 + 40 + 24}
    marks = {"aiff": (b"SSND", 16)}
    mark, skip = marks.get(kind, (b"data", 8))
    start = heads.get(kind) or path.read_bytes().index(mark) + skip
    return (size - start) // (4 if kind == "wav16" else 6)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_file_cut_short_is_refused_with_what_is_missing_and_salvaged_bit_for_bit(
    tmp_path: Path, registry: Registry, kind: str, share: float
) -> None:
    path, values = lossless(tmp_path, kind)
    source = cut(path, share)
    text = refused(source, tmp_path / "o", registry)
    if kind == "flac" and share < 0.1:  # not one frame is whole
        with pytest.raises(MediaError, match="holds no samples that can be read"):
            salvage(source, tmp_path / "o", registry)
        assert not (tmp_path / "o").exists()
        return
    report = salvage(source, tmp_path / "o", registry, dither="none")
    found = integers(report.outputs[0].path)
    taken = len(found)
    np.testing.assert_array_equal(found, values[:taken])
    check_record(report, source, LENGTH, taken)
    if kind == "flac":
        # Up to the frame (of 4096 samples, as libsndfile writes them) in which it breaks off; noise fills
        # all frames to the same size.
        assert taken == int(LENGTH * share) // 4096 * 4096
        assert re.search(rf"damaged after sample \d+ of {LENGTH} .*--salvage", text)
    else:
        assert taken == there(kind, source)
        assert f"declares {LENGTH} samples but ends after {taken}: {LENGTH - taken} are missing" in text


@pytest.mark.parametrize("form", ["wav", "flac", "rf64"])
def test_the_output_itself_says_that_it_was_salvaged(tmp_path: Path, registry: Registry, form: Any) -> None:
    path, values = lossless(tmp_path, "wav")
    source = cut(path, 0.5)
    report = salvage(source, tmp_path / "o", registry, form=form)
    out = report.outputs[0].path
    taken = there("wav", source)
    record = f"salvaged from short.wav: {taken} samples where {LENGTH} were declared"
    np.testing.assert_array_equal(integers(out), values[:taken])
    if form == "flac":
        assert vorbis_comment(out) == record
    else:
        assert info_comment(out) == record.encode()
    with closing(open_input(out)) as again:
        assert dict(again.metadata.tags) == {"comment": record}
        assert again.salvaged is None


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_the_record_stands_behind_the_comment_that_was_there(
    tmp_path: Path, registry: Registry, form: Any
) -> None:
    path = tmp_path / "in.wav"
    tags = b"INFO" + b"ICMT\x08\0\0\0" + b"Windy.\0\0"
    body = b"WAVE" + b"fmt \x10\0\0\0\x01\0\x01\0\x80\xbb\0\0\0\x77\x01\0\x02\0\x10\0"
    body += b"LIST" + len(tags).to_bytes(4, "little") + tags + b"data\x40\x1f\0\0" + b"\1\2" * 3000
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    out = salvage(path, tmp_path / "o", registry, form=form).outputs[0].path
    expected = "Windy.; salvaged from in.wav: 3000 samples where 4000 were declared"
    assert (vorbis_comment(out) if form == "flac" else info_comment(out).decode()) == expected


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_the_record_fits_however_deep_the_file_lies(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    """It names the file, not the folders: these are longer than the room a FLAC keeps for it."""
    deep = tmp_path.joinpath(*["d" * 200] * 8)
    deep.mkdir(parents=True)
    path, values = lossless(tmp_path, "wav")
    source = deep / ("é" * 110 + ".wav")
    shutil.move(cut(path, 0.5), source)
    report = salvage(source, tmp_path / "o", registry, form=form)
    out = report.outputs[0].path
    taken = there("wav", source)
    np.testing.assert_array_equal(integers(out), values[:taken])
    record = f"salvaged from {source.name}: {taken} samples where {LENGTH} were declared"
    assert (vorbis_comment(out) if form == "flac" else info_comment(out).decode()) == record
    check_record(report, source, LENGTH, taken)


def test_records_of_many_inputs_never_cost_the_output(tmp_path: Path, registry: Registry) -> None:
    path, _ = lossless(tmp_path, "wav")
    graph, inputs = Graph(), {}
    for k in range(8):
        source = tmp_path / (f"{k}" * 240 + ".wav")
        shutil.copy(cut(path, 0.5), source)
        inputs[f"i{k}"] = source
    graph.output("out", graph.node("all", "mix", *[graph.input(name) for name in inputs], gains=[-20] * 8))
    asked = RenderOptions(source=InputForm(salvage=True), form="flac", subtype="PCM_24")
    report = render(graph, inputs, tmp_path / "o", registry=registry, options=asked)
    assert sum(line.startswith("salvaged from ") for line in report.warnings) == 8
    assert vorbis_comment(report.outputs[0].path).startswith(f"salvaged from {'0' * 240}.wav: ")
    assert report.outputs[0].length == there("wav", inputs["i0"])


# Headers that say too little


def lying(path: Path, declared: int) -> Path:
    """A WAV whose header says that there are so many samples."""
    soundfile.write(path, noise(), RATE, subtype="PCM_24")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = (6 * declared).to_bytes(4, "little")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("declared", [0, 1, 12_345])
def test_a_header_that_says_too_little_is_refused_with_the_remedy_and_salvaged_whole(
    tmp_path: Path, registry: Registry, declared: int
) -> None:
    source = lying(tmp_path / "in.wav", declared)
    text = refused(source, tmp_path / "o", registry)
    assert f"declares {declared} samples" in text
    assert f"{LENGTH - declared} more" in text
    assert "--salvage" in text
    report = salvage(source, tmp_path / "o", registry)
    np.testing.assert_array_equal(integers(report.outputs[0].path), noise())
    check_record(report, source, declared, LENGTH)


# Films, and what is lossy


@needs_ffmpeg
@pytest.mark.parametrize(
    ("suffix", "codec"), [("mov", "pcm_s24le"), ("mkv", "pcm_s24le"), ("mkv", "flac"), ("caf", "pcm_s24le")]
)
def test_a_film_cut_short_is_salvaged_bit_for_bit(
    tmp_path: Path, registry: Registry, suffix: str, codec: str
) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, np.tile(noise(), (4, 1)), RATE, subtype="PCM_24")
    film = tmp_path / f"film.{suffix}"
    words = ["-c:a", codec, "-strict", "-2", *(["-movflags", "+faststart"] if suffix == "mov" else [])]
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, *words, film], check=True)
    values, length = integers(path), 4 * LENGTH
    source = cut(film, 0.6)
    text = refused(source, tmp_path / "o", registry)
    assert "--salvage" in text
    missing = re.search(r"declares (\d+) samples but ends after (\d+): (\d+) are missing", text)
    assert missing is not None
    assert abs(int(missing[1]) - length) <= RATE / 1000  # Matroska counts milliseconds
    report = salvage(source, tmp_path / "o", registry)
    found = integers(report.outputs[0].path)
    np.testing.assert_array_equal(found, values[: len(found)])
    assert 0.55 * length < len(found) <= 0.6 * length + 4096
    check_record(report, source, int(missing[1]), len(found))
    record = f"salvaged from short.{suffix}: {len(found)} samples where {missing[1]} were declared"
    assert info_comment(report.outputs[0].path).decode() == record


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_an_ogg_cut_short_is_refused_and_salvaged(tmp_path: Path, registry: Registry, share: float) -> None:
    """Nothing in an Ogg says how long it is, so nobody knows how much is missing."""
    path = tmp_path / "in.ogg"
    soundfile.write(path, tone(), RATE, format="OGG", subtype="VORBIS")
    whole = soundfile.read(path, dtype="float32")[0]
    source = cut(path, share)
    assert "breaks off before its last page" in refused(source, tmp_path / "o", registry)
    report = salvage(source, tmp_path / "o", registry)
    found = soundfile.read(report.outputs[0].path, dtype="float32")[0]
    assert 0.3 * share * len(whole) < len(found) < len(whole)
    np.testing.assert_array_equal(found, whole[: len(found)])
    check_record(report, source, None, len(found))
    assert info_comment(report.outputs[0].path).decode() == f"salvaged from short.ogg: {len(found)} samples"


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_an_mp3_cut_short_is_refused_and_salvaged(tmp_path: Path, registry: Registry, share: float) -> None:
    path = tmp_path / "in.mp3"
    soundfile.write(path, tone(), RATE, format="MP3", subtype="MPEG_LAYER_III")
    with soundfile.SoundFile(path) as file:
        file.seekable = lambda: False  # soundfile's own seeks make garbage of MP3
        whole = file.read(file.frames, dtype="float32")
    source = cut(path, share)
    text = refused(source, tmp_path / "o", registry)
    report = salvage(source, tmp_path / "o", registry)
    found = soundfile.read(report.outputs[0].path, dtype="float32")[0]
    taken = len(found)
    # The bit rate changes, so the share of the bytes is not that of the time.
    assert 0.5 * share * len(whole) < taken < len(whole)
    # The last frames lack the ones they overlap with.
    np.testing.assert_array_equal(found[: taken - 2304], whole[: taken - 2304])
    assert f"declares {len(whole)} samples but ends after {taken}: {len(whole) - taken} are missing" in text
    check_record(report, source, len(whole), taken)


def test_damage_within_a_flac_ends_it_there_and_leaves_no_silence_for_it(
    tmp_path: Path, registry: Registry
) -> None:
    path, values = lossless(tmp_path, "flac")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    assert f"of {LENGTH} " in refused(path, tmp_path / "o", registry)
    report = salvage(path, tmp_path / "o", registry)
    found = integers(report.outputs[0].path)
    assert len(found) == LENGTH // 2 // 4096 * 4096
    np.testing.assert_array_equal(found, values[: len(found)])
    check_record(report, path, LENGTH, len(found))


# Whole files


@pytest.mark.parametrize("kind", [*LOSSLESS, "ogg", "mp3"])
def test_a_whole_file_salvaged_is_the_file_rendered_without_a_record(
    tmp_path: Path, registry: Registry, kind: str
) -> None:
    if kind in LOSSLESS:
        source, _ = lossless(tmp_path, kind)
    else:
        source = tmp_path / f"in.{kind}"
        soundfile.write(source, tone(), RATE, format=kind.upper())
    plain = render(unity(), source, tmp_path / "plain", registry=registry)
    report = salvage(source, tmp_path / "o", registry)
    assert (report.warnings, report.inputs["mix"].salvaged) == ((), None)
    assert report.inputs["mix"].length == plain.inputs["mix"].length
    assert (report.outputs[0].length, report.outputs[0].subtype) == (
        plain.outputs[0].length,
        plain.outputs[0].subtype,
    )
    kwargs: Any = {"dtype": "float64", "always_2d": True}
    np.testing.assert_array_equal(
        soundfile.read(report.outputs[0].path, **kwargs)[0],
        soundfile.read(plain.outputs[0].path, **kwargs)[0],
    )
    for out in (report, plain):
        assert b"salvaged" not in out.outputs[0].path.read_bytes()


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["mov", "mkv"])
def test_a_whole_film_salvaged_has_no_record(tmp_path: Path, registry: Registry, suffix: str) -> None:
    soundfile.write(tmp_path / "in.wav", noise(), RATE, subtype="PCM_24")
    film = tmp_path / f"film.{suffix}"
    words = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "in.wav"), "-c:a", "pcm_s24le", str(film)]
    subprocess.run(words, check=True)
    report = salvage(film, tmp_path / "o", registry)
    assert (report.warnings, report.inputs["mix"].salvaged) == ((), None)
    np.testing.assert_array_equal(integers(report.outputs[0].path), noise())


def test_salvage_makes_no_sound_of_what_is_none(tmp_path: Path, registry: Registry) -> None:
    """No header, no sample: there is nothing to take."""
    path, _ = lossless(tmp_path, "wav")
    head = path.read_bytes()[:44]
    for k, data in enumerate([head[:20], head[:40], head, head + b"\1\2\3"]):
        source = tmp_path / f"{k}.wav"
        source.write_bytes(data)
        with pytest.raises(MediaError) as caught:
            salvage(source, tmp_path / "o", registry)
        assert "\n" not in str(caught.value)
        assert str(source) in str(caught.value)
        assert not (tmp_path / "o").exists()


# The command line


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words: Sequence[str] = [*COMMAND, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_line_tells_it_in_json_and_in_words(tmp_path: Path) -> None:
    path, _ = lossless(tmp_path, "aiff")
    graph, source = tmp_path / "graph.yaml", cut(path, 0.5)
    graph.write_text(unity().to_yaml())
    taken = there("aiff", source)
    record = f"salvaged from {source}: {taken} samples where {LENGTH} were declared"
    refused = run("render", graph, source, "-o", tmp_path / "o", "--json")
    assert refused.returncode == 1
    error = json.loads(refused.stdout)["error"]
    assert error["kind"] == "MediaError"
    assert f"{LENGTH - taken} are missing" in error["message"]
    assert not (tmp_path / "o").exists()
    told = json.loads(run("render", graph, source, "-o", tmp_path / "o", "--salvage", "--json").stdout)
    assert told["inputs"]["mix"]["salvaged"] == {"declared": LENGTH, "taken": taken}
    assert told["inputs"]["mix"]["length"] == told["outputs"][0]["length"] == taken
    assert record in told["warnings"]
    done = run("render", graph, source, "-o", tmp_path / "p", "--salvage")
    assert done.returncode == 0
    assert f"warning: {record}" in done.stderr.splitlines()
    whole = json.loads(run("render", graph, path, "-o", tmp_path / "q", "--salvage", "--json").stdout)
    assert whole["inputs"]["mix"]["salvaged"] is None
    assert whole["warnings"] == []
