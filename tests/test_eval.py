"""``unbraid eval`` and ``unbraid loudness``: pairs by name, nothing cut in silence, every gap explained."""

from __future__ import annotations

import csv
import math
import shutil
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from unbraid.host.contract.errors import MediaError
from unbraid.host.measures import Pair, evaluate, find_pairs, with_mixture
from unbraid.host.measures.spectrogram import Levels, Spectrogram

if TYPE_CHECKING:
    from command_rig import Unbraid

Array = npt.NDArray[Any]
RATE = 8000


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tone(samples: int = 12_000, channels: int = 1) -> Array:
    """A sine of 1 kHz, 8 samples a period, at an amplitude of a half."""
    return np.tile(0.5 * np.sin(2 * np.pi * np.arange(samples) / 8)[:, None], (1, channels))


def wrong(level: float, samples: int = 12_000, channels: int = 1) -> Array:
    """The tone with an error so many dB below it, orthogonal to it."""
    quarter = 0.5 * np.cos(2 * np.pi * np.arange(samples) / 8)[:, None]
    return tone(samples, channels) + 10 ** (-level / 20) * quarter


def wav(name: str | Path, data: Array, rate: int = RATE) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, data, rate, subtype="PCM_24" if path.suffix == ".flac" else "FLOAT")
    return path


def table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(name).read_text(encoding="utf-8").splitlines()))


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Which belongs to which


def test_one_mixture_cannot_be_that_of_several_tracks(tmp_path: Path) -> None:
    pairs = [Pair(track, "vocals", tmp_path, tmp_path) for track in ("a", "b")]
    mixture = tmp_path / "mix.wav"
    mixture.touch()
    with pytest.raises(MediaError, match="cannot be the mixture of 2 tracks; give a folder"):
        with_mixture(pairs, mixture)


def test_two_files_are_one_pair(here: Path, unbraid: Unbraid) -> None:
    wav("a.wav", tone())
    wav("b.wav", wrong(20))
    done = unbraid("eval", "a.wav", "b.wav", "--measure", "sdr,si-sdr", "--measure", "null", "--json")
    assert (done.code, done.err) == (0, "")
    (row,) = done.data["rows"]
    assert (row["reference"], row["estimate"], row["length"]) == ("a.wav", "b.wav", 12_000)
    assert row["figures"].keys() == {"sdr", "si_sdr", "null_rms", "null_peak"}
    found = [done.figure(name) for name in ("sdr", "si_sdr", "null_rms")]
    assert found == pytest.approx([20, 20, -20], abs=1e-4)
    assert done.data["summaries"] == []


def test_folders_of_tracks_pair_by_track_and_stem(here: Path, unbraid: Unbraid) -> None:
    for track, levels in (("one", (10, 20)), ("two", (30, 60))):
        for stem, level in zip(("vocals", "drums"), levels, strict=True):
            wav(f"ref/{track}/{stem}.wav", tone())
            wav(f"est/{track}/{stem}.flac", wrong(level) / 2)
    (here / "est" / "notes.txt").write_text("not a sound")
    done = unbraid("eval", "ref", "est", "--measure", "si-sdr", "--json")
    assert done.code == 0
    found = {(r["track"], r["stem"]): r["figures"]["si_sdr"]["value"] for r in done.data["rows"]}
    want = {("one", "vocals"): 10, ("one", "drums"): 20, ("two", "vocals"): 30, ("two", "drums"): 60}
    assert found == pytest.approx(want, abs=0.05)
    means = {(s["kind"], s["stem"]): s["figures"]["si_sdr"]["value"] for s in done.data["summaries"]}
    assert means == pytest.approx(
        {
            ("mean", "vocals"): 20,
            ("median", "vocals"): 20,
            ("mean", "drums"): 40,
            ("median", "drums"): 40,
            ("mean", ""): 30,
            ("median", ""): 25,
        },
        abs=0.05,
    )


def test_flat_folders_pair_by_name_and_renders_by_their_last_part(here: Path, unbraid: Unbraid) -> None:
    for name in ("take", "a take.2.clean", "a take.2.wind"):
        wav(f"ref/{name}.wav", tone())
        wav(f"est/{name}.wav", tone())
    pairs, left = find_pairs("ref", "est")
    named = {(pair.track, pair.stem) for pair in pairs}
    assert named == {("take", ""), ("a take.2", "clean"), ("a take.2", "wind")}
    assert left == []
    assert "a take.2/clean" in unbraid("eval", "ref", "est", "--measure", "sdr").out


def test_what_a_render_wrote_is_measured_as_it_is(here: Path, unbraid: Unbraid) -> None:
    wav("talk.wav", tone(channels=2), 48_000)
    assert unbraid("render", "dewind", "talk.wav", "-o", "out").code == 0
    assert unbraid("render", "dewind", "talk.wav", "-o", "again").code == 0
    done = unbraid("eval", "out", "again", "--measure", "null", "--json")
    assert [done.figure("null_peak", row) for row in (0, 1)] == ["-inf", "-inf"]


def test_files_without_a_partner_are_all_named(here: Path, unbraid: Unbraid) -> None:
    for name in ("ref/x.wav", "est/x.wav", "ref/y.wav", "est/z/vocals.wav"):
        wav(name, tone())
    done = unbraid("eval", "ref", "est")
    assert (done.code, done.out) == (2, "")
    assert "ref/y.wav: has no partner in est" in done.err
    assert "est/z/vocals.wav: has no partner in ref" in done.err
    assert "--missing skip" in done.err
    assert all(line.startswith("unbraid: ") for line in done.err.splitlines())
    done = unbraid("eval", "ref", "est", "--missing", "skip", "--measure", "sdr", "--json")
    assert done.code == 0
    assert [row["track"] for row in done.data["rows"]] == ["x"]
    assert done.err.count("skipped") == 2


def test_two_files_for_one_stem_are_refused(here: Path, unbraid: Unbraid) -> None:
    for name in ("ref/t/v.wav", "ref/t.v.wav", "est/t.v.wav"):
        wav(name, tone())
    done = unbraid("eval", "ref", "est")
    assert done.code == 2
    assert "ref/t/v.wav: stands for the same stem as ref/t.v.wav" in done.err


@pytest.mark.parametrize(
    ("reference", "estimate", "said"),
    [
        ("a.wav", "folder", "a.wav is a file but folder is a folder"),
        ("nothing.wav", "a.wav", "nothing.wav: there is no such file or folder"),
        ("folder", "empty", "has no partner in empty"),
        ("empty", "empty", "has no sound whose name"),
    ],
)
def test_what_cannot_pair_is_refused(
    here: Path, unbraid: Unbraid, reference: str, estimate: str, said: str
) -> None:
    wav("a.wav", tone())
    wav("folder/a.wav", tone())
    (here / "empty").mkdir()
    done = unbraid("eval", reference, estimate)
    assert done.code == 2
    assert said in done.err


# Files that do not fit


@pytest.mark.parametrize(
    ("data", "rate", "said"),
    [
        (tone(11_990), RATE, ["b.wav: its length is 11990 samples", "a.wav is 12000", "cut or pad"]),
        (tone(), 16_000, ["b.wav: its rate is 16000 Hz", "a.wav is 8000 Hz", "--output-rate 8000"]),
        (tone(channels=2), RATE, ["b.wav: its layout is stereo (2 channels)", "a.wav is mono (1 channel)"]),
        (np.full((12_000, 1), np.nan), RATE, ["b.wav: sample 0 is not a finite number", "--non-finite zero"]),
        (tone(0), RATE, ["b.wav: holds no samples"]),
    ],
    ids=["length", "rate", "channels", "nan", "empty"],
)
def test_files_that_do_not_fit_are_named_with_their_numbers(
    here: Path, unbraid: Unbraid, data: Array, rate: int, said: list[str]
) -> None:
    wav("a.wav", tone())
    wav("b.wav", data, rate)
    done = unbraid("eval", "a.wav", "b.wav", "--measure", "sdr", "--csv", "t.csv")
    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    for part in said:
        assert part in done.err
    assert listing(here) == ["a.wav", "b.wav"]


def test_a_track_that_fails_is_named_and_the_others_are_shown(here: Path, unbraid: Unbraid) -> None:
    for name in ("good", "short"):
        wav(f"ref/{name}.wav", tone())
        wav(f"est/{name}.wav", wrong(20, 11_000 if name == "short" else 12_000))
    done = unbraid("eval", "ref", "est", "--measure", "sdr", "--csv", "t.csv")
    assert done.code == 1
    assert "good" in done.out
    assert "est/short.wav: its length is 11000 samples" in done.err
    assert [row["track"] for row in table("t.csv")] == ["good"]
    done = unbraid("eval", "ref", "est", "--measure", "sdr", "--json")
    assert (done.code, len(done.data["errors"])) == (1, 1)


def test_a_length_that_only_the_end_tells_is_compared_too(here: Path) -> None:
    """A FLAC that was written into a pipe does not say how long it is."""
    wav("a.wav", tone())
    data = bytearray(wav("b.flac", tone(90_000)).read_bytes())
    data[21] &= 0xF0  # the 36 bits of the number of samples
    data[22:26] = bytes(4)
    Path("b.flac").write_bytes(data)
    with pytest.raises(MediaError, match=r"b.flac: its length is 90000 samples, that of a.wav is 12000"):
        evaluate(find_pairs("a.wav", "b.flac")[0], ["sdr"])


# What is measured


def test_by_default_everything_that_is_installed_is_measured(here: Path, unbraid: Unbraid) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("museval does not load without ffmpeg: apt-get install ffmpeg")
    for library in ("museval", "pesq", "pystoi"):
        pytest.importorskip(library, reason=f"pip install {library}")
    wav("a.wav", tone(20_000), 16_000)
    wav("b.wav", wrong(20, 20_000), 16_000)
    done = unbraid("eval", "a.wav", "b.wav", "--json")
    assert done.code == 0
    unmeasured = {k for k, v in done.data["rows"][0]["figures"].items() if v["value"] is None}
    assert unmeasured == {"bss_sir"}
    assert done.figure("bss_sdr") == pytest.approx(20, abs=0.2)
    text = unbraid("eval", "a.wav", "b.wav").out
    for title in ("SDR", "SI-SDR", "null rms", "LSD", "LUFS", "SAR", "PESQ", "ESTOI"):
        assert title in text
    assert "b: SIR: a stem by itself has no interference" in text


def test_the_table_has_a_line_for_each_pair_and_explains_its_gaps(here: Path, unbraid: Unbraid) -> None:
    for name, reference in (("loud", tone()), ("mute", 0 * tone())):
        wav(f"ref/{name}.wav", reference)
        wav(f"est/{name}.wav", wrong(20))
    lines = unbraid("eval", "ref", "est", "--measure", "sdr,null").out.splitlines()
    table = [line.split() for line in lines]
    assert table[0] == ["SDR", "null", "rms", "null", "peak"]
    assert table[1] == ["dB", "dB", "dB"]
    assert table[2] == ["loud", "20.00", "-20.0", "-20.0"]
    assert table[3] == ["mute", "-", "-", "-"]
    assert table[4] == ["mean", "20.00", "-20.0", "-20.0"]
    assert table[5][0] == "median"
    assert lines[6] == "mute: SDR, null rms, null peak: the reference is silent"


def test_a_late_estimate_is_told_and_not_moved(here: Path, unbraid: Unbraid) -> None:
    noise = np.random.default_rng(3).uniform(-0.5, 0.5, (12_100, 1))
    wav("a.wav", noise[100:])
    wav("b.wav", noise[:-100])
    done = unbraid("eval", "a.wav", "b.wav", "--measure", "sdr", "--json")
    (row,) = done.data["rows"]
    assert row["lag_samples"] == 100
    assert "the estimate is 100 samples (12.50 ms) late" in row["notes"][0]
    assert row["figures"]["sdr"]["value"] == pytest.approx(-3, abs=0.2)
    assert "100 samples" in unbraid("eval", "a.wav", "b.wav", "--measure", "sdr").out


def test_a_mixture_shows_what_was_gained(here: Path, unbraid: Unbraid) -> None:
    wav("ref/t.v.wav", tone())
    wav("est/t.v.wav", wrong(25))
    wav("mix.wav", wrong(5))
    done = unbraid("eval", "ref", "est", "--measure", "sdr,si-sdr", "--mixture", "mix.wav", "--json")
    names = ("sdr_improvement", "si_sdr_improvement")
    assert [done.figure(name) for name in names] == pytest.approx([20, 20], abs=1e-3)
    assert "SI-SDRi" in unbraid("eval", "ref", "est", "--measure", "si-sdr", "--mixture", "mix.wav").out


def test_mixtures_come_from_a_folder_or_stand_among_the_references(here: Path, unbraid: Unbraid) -> None:
    for track, level in (("one", 5), ("two", 15)):
        wav(f"ref/{track}/v.wav", tone())
        wav(f"est/{track}/v.wav", wrong(25))
        wav(f"mixes/{track}.wav", wrong(level))
    options = ["--measure", "sdr", "--json"]
    done = unbraid("eval", "ref", "est", *options, "--mixture", "mixes")
    gained = [done.figure("sdr_improvement", row) for row in (0, 1)]
    assert gained == pytest.approx([20, 10], abs=1e-3)
    for track in ("one", "two"):
        Path(f"mixes/{track}.wav").rename(f"ref/{track}/mixture.wav")
    done = unbraid("eval", "ref", "est", *options)
    assert [done.figure("sdr_improvement", row) for row in (0, 1)] == gained
    done = unbraid("eval", "ref", "est", *options, "--mixture", "mixes")
    assert done.code == 2
    assert "mixes: holds no mixture of one" in done.out


def test_measures_are_listed_and_misspelt_ones_refused(here: Path, unbraid: Unbraid) -> None:
    listed = unbraid("eval", "--measure", "list")
    assert listed.code == 0
    for name in ("sdr", "si-sdr", "null", "lsd", "loudness", "bsseval", "pesq", "estoi", "dnsmos"):
        assert f"\n{name} " in f"\n{listed.out}"
    wav("a.wav", tone())
    done = unbraid("eval", "a.wav", "a.wav", "--measure", "sdr,pesk")
    assert done.code == 2
    assert "no measure 'pesk'; did you mean 'pesq'?" in done.err
    assert unbraid("eval", "a.wav").code == 2


def test_a_measure_that_is_not_installed_is_told_once(
    here: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("museval", "pesq", "pystoi", "speechmos"):
        monkeypatch.setitem(sys.modules, library, None)
    for name in ("x", "y"):
        wav(f"ref/{name}.wav", tone())
        wav(f"est/{name}.wav", wrong(20))
    done = unbraid("eval", "ref", "est")
    assert done.code == 0
    assert done.out.count("not installed: pip install 'unbraid[eval]'") == 1
    assert "SAR" not in done.out.splitlines()[0]
    asked = unbraid("eval", "ref", "est", "--measure", "sdr,pesq")
    assert asked.code == 1
    assert "20.00" in asked.out
    assert "PESQ: not installed" in asked.out


# What is written


def test_the_table_of_values_holds_every_number_in_full(here: Path, unbraid: Unbraid) -> None:
    wav("ref/same.wav", tone())
    wav("est/same.wav", tone())
    wav("ref/mute.wav", 0 * tone())
    wav("est/mute.wav", tone())
    assert unbraid("eval", "ref", "est", "--measure", "sdr,null", "--csv", "deep/t.csv").code == 0
    rows = {row["track"]: row for row in table("deep/t.csv")}
    assert list(rows["same"]) == ["track", "stem", "sdr", "null_rms", "null_peak", "notes"]
    assert (rows["same"]["sdr"], rows["same"]["null_rms"]) == ("inf", "-inf")
    assert rows["mute"]["sdr"] == ""
    assert "sdr: the reference is silent" in rows["mute"]["notes"]


def test_a_file_that_exists_is_replaced_only_when_asked(here: Path, unbraid: Unbraid) -> None:
    wav("a.wav", tone())
    Path("t.csv").write_text("mine")
    refused = unbraid("eval", "a.wav", "a.wav", "--measure", "sdr", "--csv", "t.csv")
    assert refused.code == 1
    assert "t.csv: exists already" in refused.err
    assert Path("t.csv").read_text() == "mine"
    assert unbraid("eval", "a.wav", "a.wav", "--measure", "sdr", "--csv", "t.csv", "--overwrite").code == 0
    assert Path("t.csv").read_text().startswith("track,")
    assert listing(here) == ["a.wav", "t.csv"]


def size_of(path: Path) -> tuple[int, int]:
    """Width and height that a PNG states."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[-8:-4] == b"IEND"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_pictures_are_one_for_each_track_and_grow_with_its_stems(here: Path, unbraid: Unbraid) -> None:
    pytest.importorskip("matplotlib", reason="pip install matplotlib")
    for name in ("pair.v", "pair.d", "$one$ 日本"):
        wav(f"ref/{name}.wav", tone())
        wav(f"est/{name}.wav", wrong(20))
    done = unbraid("eval", "ref", "est", "--measure", "sdr", "--pictures", "pics", "--json")
    assert (done.code, done.err) == (0, "")
    assert listing(here / "pics") == ["$one$ 日本.png", "pair.png"]
    assert sorted(done.data["written"]["pictures"]) == ["pics/$one$ 日本.png", "pics/pair.png"]
    (wide, one), (also, two) = size_of(here / "pics/$one$ 日本.png"), size_of(here / "pics/pair.png")
    assert wide == also == 1500
    assert 400 < one < two < 1200
    refused = unbraid("eval", "ref", "est", "--measure", "sdr", "--pictures", "pics")
    assert refused.code == 1
    assert "exists already" in refused.err


def test_many_stems_go_on_in_a_second_picture(
    here: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a hundred stems would be taller than a PNG can be."""
    drawn: list[int] = []

    def draw(path: Path, rows: list[Any], *_: object) -> None:
        drawn.append(len(rows))

    monkeypatch.setattr("unbraid.host.measures.files.draw", draw)
    for k in range(14):
        wav(f"ref/t.{k:02}.wav", tone(100))
        wav(f"est/t.{k:02}.wav", tone(100))
    assert unbraid("eval", "ref", "est", "--measure", "sdr", "--pictures", "pics").code == 0
    assert drawn == [12, 2]
    assert listing(here / "pics") == ["t (1 of 2).png", "t (2 of 2).png"]


def test_a_picture_of_next_to_nothing_is_drawn(here: Path, unbraid: Unbraid) -> None:
    pytest.importorskip("matplotlib", reason="pip install matplotlib")
    wav("a.wav", 0 * tone(10))
    assert unbraid("eval", "a.wav", "a.wav", "--measure", "sdr", "--pictures", "pics").code == 0
    assert size_of(Path("pics/a.png"))[0] == 1500


def test_a_picture_that_fails_leaves_nothing(
    here: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> None:
        path.write_bytes(b"half a picture")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unbraid.host.measures.files.draw", full)
    wav("a.wav", tone())
    done = unbraid("eval", "a.wav", "a.wav", "--measure", "sdr", "--pictures", "pics", "--csv", "t.csv")
    assert done.code == 1
    assert "pics/a.png: cannot be written: no space left" in done.err
    assert listing(here) == ["a.wav"]


def test_without_matplotlib_pictures_are_refused_before_any_work(
    here: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    wav("a.wav", tone())
    done = unbraid("eval", "a.wav", "a.wav", "--pictures", "pics")
    assert (done.code, done.out) == (1, "")
    assert "pip install 'unbraid[eval]'" in done.err


def test_a_spectrogram_shows_tones_where_and_when_they_are_however_long_it_lasts() -> None:
    spectrogram = Spectrogram(48_000)
    power = np.zeros((100, 1025))
    power[:, 128] = 1  # 3 kHz
    for k in range(100):
        power[:, 512] = k < 25  # 12 kHz in the first quarter
        spectrogram.push(power)
    levels = spectrogram.levels()
    assert levels.shape[1] <= 1000
    assert spectrogram.seconds[1] == pytest.approx(10_000 * 512 / 48_000, rel=0.01)
    middle = np.sqrt(spectrogram.edges[:-1] * spectrogram.edges[1:])
    low, high = (int(np.argmin(np.abs(middle - tone))) for tone in (3_000, 12_000))
    np.testing.assert_allclose(levels[low - 1 : low + 2].max(axis=0), levels[low - 1 : low + 2].max())
    heard = levels[high - 1 : high + 2].max(axis=0) > -100
    assert heard.mean() == pytest.approx(0.25, abs=0.01)
    assert not heard[int(0.26 * len(heard)) :].any()


def test_levels_are_those_of_every_100_ms() -> None:
    levels = Levels(8000)
    signal = np.repeat([[0.1, 1.0, 0.0, 0.5]], 800, axis=1).reshape(1, -1).astype(np.float32)
    for start in range(0, 3200, 300):
        levels.push(signal[:, start : start + 300])
    assert levels.levels().tolist() == pytest.approx([-20, 0, -200, 20 * math.log10(0.5)], abs=1e-4)


# Loudness


def test_loudness_shows_each_file(here: Path, unbraid: Unbraid) -> None:
    sine = 0.1 * np.sin(2 * np.pi * 997 / 48_000 * np.arange(4 * 48_000))[:, None]
    wav("mono.wav", sine, 48_000)
    wav("stereo.flac", np.concatenate([sine, sine], axis=1), 48_000)
    wav("mute.wav", 0 * sine, 48_000)
    done = unbraid("loudness", "mono.wav", "stereo.flac", "mute.wav", "--json")
    assert (done.code, done.err) == (0, "")
    mono, stereo, mute = done.data["files"]
    # BS.1770-4: a sine of 997 Hz at full scale in one channel reads -3.01 LUFS
    assert mono["integrated"] == pytest.approx(-23.01, abs=0.02)
    assert stereo["integrated"] == pytest.approx(-20.0, abs=0.02)
    for name in ("maximum_momentary", "maximum_short_term"):
        assert stereo[name] == pytest.approx(-20.0, abs=0.05)
    assert mono["range"] == pytest.approx(0, abs=0.01)
    assert mono["true_peak"] == pytest.approx(-20, abs=0.02)
    assert mono["sample_peak"] == pytest.approx(-20, abs=0.02)
    assert (mono["seconds"], mono["length"], mono["layout"]) == (4, 192_000, "mono")
    assert (mute["integrated"], mute["true_peak"], mute["range"]) == ("-inf", "-inf", 0)
    text = unbraid("loudness", "mono.wav", "mute.wav").out.splitlines()
    assert text[2].split() == ["mono.wav", "-23.0", "0.0", "-23.0", "-23.0", "-20.0", "-20.0", "4.000"]
    assert text[3].split()[1] == "-inf"


def test_a_file_whose_loudness_cannot_be_measured_is_named_and_the_others_shown(
    here: Path, unbraid: Unbraid
) -> None:
    wav("good.wav", tone(), 48_000)
    wav("slow.wav", tone(), 4000)
    wav("broken.wav", np.where(np.arange(12_000)[:, None] == 5, np.nan, tone()), 48_000)
    done = unbraid("loudness", "nothing.wav", "good.wav", "slow.wav", "broken.wav")
    assert done.code == 1
    assert "good.wav" in done.out
    assert "unbraid: nothing.wav: cannot be read" in done.err
    assert "unbraid: slow.wav: its loudness cannot be measured" in done.err
    assert "broken.wav: 1 samples are not finite numbers" in done.err
    done = unbraid("loudness", "nothing.wav", "good.wav", "--json")
    assert (done.code, len(done.data["files"]), len(done.data["errors"])) == (1, 1, 1)


def test_channels_without_names_are_told_of(here: Path, unbraid: Unbraid) -> None:
    wav("eight.wav", np.repeat(tone(), 8, axis=1), 48_000)
    done = unbraid("loudness", "eight.wav")
    assert done.code == 0
    assert "eight.wav: its 8 channels have no names; each counts like a front one" in done.err
