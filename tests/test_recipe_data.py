"""The recipe's data: what is refused, how pieces are levelled, what is kept apart, and what a break costs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import soundfile

from unbraid.host.contract.errors import MediaError
from unbraid.plugins.denoising.recipe import bank, packages
from unbraid.plugins.denoising.recipe.bank import EVERY, Bank, Piece, write_bank
from unbraid.plugins.denoising.recipe.cleaning import delay, likeness, whole
from unbraid.plugins.denoising.recipe.codecs import coded
from unbraid.plugins.denoising.recipe.licences import LICENCES
from unbraid.plugins.denoising.recipe.measures import active_level, band_edge, frame_levels, measure
from unbraid.plugins.denoising.recipe.packages import Packages
from unbraid.plugins.denoising.recipe.recordings import as_piece, level_noise, level_speech, speech_refusal
from unbraid.plugins.denoising.recipe.scenes import babble, room_tail
from unbraid.plugins.denoising.recipe.sources import RESERVED, Source
from unbraid.plugins.denoising.recipe.synthetic import NOISES, synthesise

RATE = 48000


def words(rate: int = RATE, floor: float = -80.0, seed: int = 1) -> np.ndarray[Any, Any]:
    """Four bursts of noise at -20 dBFS, 0.5 s each, with pauses of 0.5 s that hold a floor in dBFS."""
    random = np.random.default_rng(seed)
    spoken = np.tile(np.repeat([0.1, 0.0], rate // 2), 4) * random.normal(0, 1, 4 * rate)
    return (spoken + 10 ** (floor / 20) * random.normal(0, 1, 4 * rate)).astype(np.float32)


def rms(signal: Any) -> float:
    return float(10 * np.log10(np.mean(np.asarray(signal, np.float64) ** 2)))


# What is refused


def test_speech_over_a_quiet_floor_is_taken() -> None:
    assert speech_refusal(measure(words(floor=-60)[None], RATE)) == ""


def test_speech_less_than_35_db_above_its_floor_is_refused() -> None:
    assert speech_refusal(measure(words(floor=-50)[None], RATE)) == "floor"


def test_clipped_speech_is_refused() -> None:
    assert speech_refusal(measure(np.clip(4 * words(), -0.8, 0.8)[None], RATE)) == "clipped"


def test_what_is_too_short_to_judge_is_refused() -> None:
    assert speech_refusal(measure(words()[None, :4000], RATE)) == "short"


def test_the_floor_is_not_taken_from_digital_silence() -> None:
    gated = words(floor=-45)
    gated[RATE:][: RATE // 2] = 0.0
    gated[-RATE // 2 :] = 0.0
    worth = measure(gated[None], RATE)
    assert worth is not None
    assert worth.floor == pytest.approx(-45, abs=1)


@pytest.mark.parametrize("edge", [3400, 7000, 16000])
def test_the_band_ends_where_the_recording_was_cut_off(edge: int) -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 4 * RATE)
    spectrum = np.fft.rfft(noise)
    spectrum[edge * len(noise) // RATE :] = 0
    assert band_edge(np.fft.irfft(spectrum).astype(np.float32), RATE) == pytest.approx(edge, abs=300)


# What a piece is


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_a_piece_is_mono_at_48_khz_without_its_mean_and_long_silences(rate: int) -> None:
    still = np.zeros((2, 2 * rate), np.float32)
    stereo = np.concatenate([still, np.stack([words(rate)] * 2), still], axis=1) + np.float32(0.02)
    piece = as_piece(stereo, rate)
    assert piece.ndim == 1
    assert abs(float(piece.mean())) < 1e-3  # of 0.02
    assert len(piece) / RATE == pytest.approx(3.5 + 0.4, abs=0.1)


def test_channels_that_cancel_do_not_vanish() -> None:
    assert rms(as_piece(np.stack([words(), -words()]), RATE)) > -30


def test_speech_has_an_active_level_of_minus_26_and_noise_an_rms_of_minus_30() -> None:
    assert active_level(frame_levels(level_speech(words()), RATE))[0] == pytest.approx(-26, abs=0.1)
    assert rms(level_noise(words())) == pytest.approx(-30, abs=0.1)


def test_no_piece_peaks_above_minus_1_dbfs() -> None:
    click = np.zeros(RATE, np.float32)
    click[100] = 0.5
    assert np.abs(level_noise(click)).max() == pytest.approx(10 ** (-1 / 20), rel=1e-5)


# What is kept apart


def test_nothing_reserved_is_a_source() -> None:
    found = [source.package for source in EVERY if any(source.package.startswith(name) for name in RESERVED)]
    assert found == []
    assert not any("3d_printer" in source.only for source in EVERY)


def test_no_speaker_is_in_both_splits() -> None:
    heard = {
        split: {s.speaker for s in EVERY if s.split == split and s.speaker} for split in ("train", "dev")
    }
    assert len(heard["dev"]) >= 10
    assert not heard["train"] & heard["dev"]


def test_no_package_gives_effects_or_music_to_both_splits() -> None:
    kinds = {"effect", "ambience", "music"}
    used = {
        split: {s.package for s in EVERY if s.split == split and s.kind in kinds}
        for split in ("train", "dev")
    }
    assert not used["train"] & used["dev"]


def test_no_two_sources_share_a_shard_and_each_has_a_licence() -> None:
    names = [bank.shard_name(source) for source in EVERY]
    assert len(set(names)) == len(names)
    assert {source.package for source in EVERY} <= set(LICENCES)


def test_every_expression_of_a_source_is_one() -> None:
    for source in EVERY:
        for expression in (source.skip, source.only):
            assert re.compile(expression).pattern == expression


# Banks


def piece(name: str = "one.wav", kind: str = "effect") -> Piece:
    return Piece("box", name, "CC0", kind, 24000)


def test_a_bank_gives_back_what_was_written(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    signals = [random.uniform(-0.9, 0.9, size).astype(np.float32) for size in (100, 1, 4000)]
    assert write_bank(tmp_path / "b", ((piece(str(at)), signal) for at, signal in enumerate(signals))) == 4101
    read = Bank(tmp_path / "b")
    assert [listed.file for listed in read.pieces] == ["0", "1", "2"]
    for at, signal in enumerate(signals):
        np.testing.assert_allclose(read[at], signal, atol=1 / 32767)


def test_the_file_is_flat_little_endian_int16_and_the_list_says_where(tmp_path: Path) -> None:
    write_bank(
        tmp_path / "b", [(piece(), np.zeros(3, np.float32)), (piece(), np.array([1.0, -1.0], np.float32))]
    )
    listed = json.loads((tmp_path / "b.json").read_text())
    assert listed["rate"] == 48000
    assert listed["pieces"][1]["start"] == 3
    assert (tmp_path / "b.i16").read_bytes()[6:] == b"\xff\x7f\x01\x80"


def test_a_break_while_writing_leaves_no_bank(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[Piece, Any]]:
        yield piece(), np.ones(10, np.float32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bank(tmp_path / "b", broken())
    assert not (tmp_path / "b.json").exists()
    assert not (tmp_path / "b.i16").exists()


class Deaf:
    """Stands for DeepFilterNet 3: leaves what is named so in its place, and silences the rest."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, signal: Any) -> Any:
        loud = np.abs(signal) > 0.02 if np.abs(signal).max() > 0.2 else 0.0
        return (signal * loud).astype(np.float32)


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder whose packages are there, and tools that must not be called."""
    files = tmp_path / "packages" / "farm_1.0" / "usr" / "sounds"
    files.mkdir(parents=True)
    for name, floor, seed in (("clean", -80, 1), ("noisy", -45, 2), ("again", -80, 1)):
        soundfile.write(files / f"{name}.wav", words(16000, floor, seed), 16000)
    for name, seed in (("cow", 3), ("pig", 4), ("hen", 3)):
        soundfile.write(files / f"{name}.flac", words(16000, seed=seed), 16000)
    monkeypatch.setattr(bank, "EVERY", (
        Source("farm", "usr/sounds/*.wav", "speech", "dev", speaker="farmer", clean=1.0),
        Source("farm", "usr/sounds/*.flac", "effect", "dev", skip="PIG"),
    ))  # fmt: skip
    monkeypatch.setattr(bank, "licence_of", {"farm": "CC0", "unbraid": "made here"}.__getitem__)
    monkeypatch.setattr(bank, "Cleaner", Deaf)
    monkeypatch.setattr(bank, "_GUSTS", 5)  # one for dev
    monkeypatch.setattr(Packages, "wheel", lambda *_: tmp_path)
    monkeypatch.setattr(packages, "run", lambda *_, **__: pytest.fail("a tool was called"))
    monkeypatch.setattr(packages, "TOOLS", ())
    return tmp_path


def test_banks_are_gathered_from_packages(farm: Path) -> None:
    bank.gather(farm, lambda _: None, splits=("dev",))
    speech, noise = Bank(farm / "bank" / "speech_dev"), Bank(farm / "bank" / "noise_dev")
    assert {Path(listed.file).stem for listed in speech.pieces if not listed.cleaned} == {
        "again"
    }  # once each
    assert {Path(listed.file).stem for listed in noise.pieces} == {"cow"}
    assert (noise.pieces[0].package, noise.pieces[0].licence, noise.pieces[0].kind) == (
        "farm",
        "CC0",
        "effect",
    )
    assert speech.pieces[0].speaker == "farmer"
    assert speech.pieces[0].band == pytest.approx(8000, abs=300)


def test_speech_over_a_floor_is_cleaned_and_marked(farm: Path) -> None:
    bank.gather(farm, lambda _: None, splits=("dev",))
    speech = Bank(farm / "bank" / "speech_dev")
    (at,) = [at for at, listed in enumerate(speech.pieces) if listed.cleaned]
    assert Path(speech.pieces[at].file).stem == "noisy"
    worth = measure(speech[at][None], RATE)
    assert worth is not None
    assert worth.range > 35


def test_gathering_again_does_only_what_is_missing(farm: Path) -> None:
    bank.gather(farm, lambda _: None, splits=("dev",))
    before = {path: path.stat().st_mtime_ns for path in (farm / "shards").iterdir()}
    lost = farm / "shards" / f"{bank.shard_name(bank.EVERY[1])}.json"
    lost.unlink()
    told: list[str] = []
    bank.gather(farm, told.append, splits=("dev",))
    after = {path: path.stat().st_mtime_ns for path in (farm / "shards").iterdir()}
    assert {path for path in after if before.get(path) != after[path]} == {lost, lost.with_suffix(".i16")}
    assert sum("farm-effect" in line for line in told) == 1
    assert len(Bank(farm / "bank" / "noise_dev")) == 1


def test_an_effect_that_the_cleaner_takes_for_a_voice_stays_out(farm: Path) -> None:
    bank.gather(farm, lambda _: None, splits=("dev",))
    (verdicts,) = (farm / "shards").glob("judged-*.json")
    verdicts.write_text(json.dumps(dict.fromkeys(json.loads(verdicts.read_text()), -1.0)))
    bank.gather(farm, lambda _: None, splits=("dev",))
    assert len(Bank(farm / "bank" / "noise_dev")) == 0


def test_a_missing_tool_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MediaError, match=r"^the recipe's data needs apt-get, dpkg-deb, tar, ffmpeg; install"):
        bank.gather(tmp_path, lambda _: None)


def test_a_package_that_cannot_be_fetched_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "apt-get"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho no such package >&2\nexit 100\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))
    with pytest.raises(MediaError, match=r"apt-get download birds: failed: no such package"):
        Packages(tmp_path / "packages")["birds"]
    assert list((tmp_path / "packages").iterdir()) == []


# What is made


@pytest.mark.parametrize("name", NOISES)
def test_a_synthetic_noise_is_finite_levelled_and_the_same_for_a_seed(name: str) -> None:
    noise = synthesise(name, 7, RATE)
    np.testing.assert_array_equal(noise, synthesise(name, 7, RATE))
    assert np.isfinite(noise).all()
    assert np.abs(noise).max() <= 0.9
    assert -36 < rms(noise) < -29.9
    assert not np.array_equal(noise, synthesise(name, 8, RATE))


def test_a_room_falls_by_60_db_in_its_time() -> None:
    tail = room_tail(np.random.default_rng(2), 0.5).astype(np.float64)
    left = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1])  # Schroeder 1965: what is still to come
    first, last = (int(np.argmax(left < level)) for level in (-5, -25))
    assert 3 * (last - first) / RATE == pytest.approx(0.5, abs=0.06)


def test_babble_has_its_level_and_no_pause() -> None:
    crowd = babble(np.random.default_rng(1), 2 * RATE, lambda random: words(seed=int(random.integers(9))))
    assert rms(crowd) == pytest.approx(-30, abs=0.2)
    assert frame_levels(crowd, RATE).min() > -50


# Cleaning


def test_how_whole_a_cleaned_recording_is_is_its_si_sdr() -> None:
    random = np.random.default_rng(1)
    speech, noise = random.normal(0, 0.1, RATE), random.normal(0, 0.01, RATE)
    assert whole(speech.astype(np.float32), (0.5 * speech + 0.5 * noise).astype(np.float32)) == pytest.approx(
        20, abs=0.2
    )


def test_the_delay_of_a_cleaner_is_found() -> None:
    speech = words()
    assert delay(speech, np.concatenate([np.zeros(1440, np.float32), 0.7 * speech])[: len(speech)]) == 1440


def test_likeness_is_what_the_cleaner_takes_away() -> None:
    assert likeness(words(), (0.1 * words()).astype(np.float32)) == pytest.approx(-20, abs=0.01)


@pytest.mark.parametrize("seed", range(12))
def test_coded_sound_is_aligned_as_long_and_coarser_but_still_itself(seed: int) -> None:
    signal = words(seed=seed)[: 2 * RATE + 77]
    out = coded(np.random.default_rng(seed), signal)
    assert out.shape == signal.shape
    assert out.dtype == np.float32
    assert delay(signal, out) == 0
    assert -45 < rms(out - signal) - rms(signal) < -2  # white noise is the hardest


def test_codecs_leave_silence_silent() -> None:
    assert not any(coded(np.random.default_rng(seed), np.zeros(RATE, np.float32)).any() for seed in range(12))
