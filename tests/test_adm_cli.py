"""What ``unbraid adm`` promises to whoever calls it: exit codes, lines, JSON, and files that are whole."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import adm_files
import numpy as np
import pytest
from adm_files import FRAMES, RATE, Chunks, changed, swapped
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.host.adm.playback import AdmStream, render_adm
from unbraid.host.adm.reader import read_adm
from unbraid.host.adm.show import as_data, measured
from unbraid.host.contract.audio import Layout
from unbraid.host.contract.errors import MediaError, MediaRequestError
from unbraid.host.contract.scene import BedShape, Content
from unbraid.host.media.open_input import open_input
from unbraid.host.scene.document import from_json
from unbraid.host.scene.model import Programme, Scene, SceneObject
from unbraid.host.scene.motion import Motion
from unbraid.kernels.loudness import LoudnessMeter
from unbraid.kernels.panner import Panner
from unbraid.kernels.scene_render import SceneRender

if TYPE_CHECKING:
    from command_rig import Unbraid


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adm")
    time = np.arange(FRAMES) / RATE
    sound = 0.1 * np.sin(2 * np.pi * np.arange(200, 1400, 100)[:, None] * time)
    return {
        profile: adm_files.write(
            folder / f"{profile}.wav", adm_files.scene(), profile, sound.astype(np.float32)
        )
        for profile in ("bs2127", "dolby")
    }


def _samples(path: Path) -> np.ndarray:
    source = open_input(path)
    block = np.empty((source.layout.channels, source.length or 0), np.float32)
    source.read(block)
    source.close()
    return block


# show


def test_show_tells_what_a_file_holds(unbraid: Unbraid, good: dict[str, Path]) -> None:
    done = unbraid("adm", "show", str(good["bs2127"]))
    assert done.code == 0
    for said in (
        "profile bs2127, 48000 Hz, 1.000 s",
        "programme 'Night', en",
        "content 'Dialogue': dialogue, en",
        "bed 'Bed': 7.1.2, of 'Music'",
        "object 'Mover': track 11, 3 blocks, azimuth -60 to 90, elevation 0 to 30, extent 0 to 30",
        "object 'Voice': track 12, stays, azimuth 0, elevation 0, of 'Dialogue'",
        "loudness stated: integrated",
        "loudness on 7.1.4: integrated",
    ):
        assert said in done.out


def test_the_loudness_of_renders_is_that_of_rendered_files(good: dict[str, Path], tmp_path: Path) -> None:
    figures = measured(read_adm(good["bs2127"]), ["stereo", "7.1.4"])
    for name, found in figures.items():
        layout = Layout.parse(name)
        render_adm(good["bs2127"], name, tmp_path / f"{name}.wav", subtype="FLOAT")
        meter = LoudnessMeter(layout.roles, RATE)
        meter.push(_samples(tmp_path / f"{name}.wav"))
        assert found["integratedLoudness"] == pytest.approx(meter.integrated, abs=0.006)
        assert found["maxTruePeak"] == pytest.approx(meter.true_peak, abs=0.006)


def test_the_loudness_stated_is_that_of_the_render_to_5_1(good: dict[str, Path]) -> None:
    file = read_adm(good["dolby"])
    data = as_data(file, measured(file, ["5.1"]))
    assert data["loudness"]["stated"] == pytest.approx(data["loudness"]["renders"]["5.1"], abs=0.011)


def test_show_as_json_is_whole(unbraid: Unbraid, good: dict[str, Path]) -> None:
    data = unbraid("adm", "show", str(good["dolby"]), "--json", "--no-loudness").data
    assert data["profile"] == "dolby"
    assert data["programme"]["length"] == FRAMES
    assert [each["blocks"] for each in data["objects"]] == [3, 1]
    assert data["loudness"]["renders"] == {}
    assert data["warnings"] == []


def test_silence_has_no_loudness_and_is_json(unbraid: Unbraid, tmp_path: Path) -> None:
    told = adm_files.scene(4800)
    path = adm_files.write(tmp_path / "silent.wav", told, sound=np.zeros((12, 4800), np.float32))
    data = unbraid("adm", "show", str(path), "--json").data
    assert "integratedLoudness" not in data["loudness"]["renders"]["stereo"]


def test_a_picture_shows_where_objects_are(unbraid: Unbraid, good: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "places.png"
    options = ["adm", "show", str(good["bs2127"]), "--no-loudness", "--picture", str(path)]
    assert unbraid(*options).code == 0
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (1500, 750)
    assert unbraid(*options).code == 1  # it is not replaced unless asked
    assert path.read_bytes() == data
    assert unbraid(*options, "--overwrite").code == 0


# check


@pytest.mark.parametrize("profile", ["bs2127", "dolby"])
def test_check_of_a_good_file_is_silent_but_for_its_count(
    unbraid: Unbraid, good: dict[str, Path], profile: str
) -> None:
    done = unbraid("adm", "check", str(good[profile]))
    assert done.code == 0
    assert done.out == f"{good[profile]}: 0 errors, 0 warnings\n"


def test_check_of_a_bad_file_names_rule_place_and_remedy(
    unbraid: Unbraid, good: dict[str, Path], tmp_path: Path
) -> None:
    path = changed(good["dolby"], tmp_path / "bad.wav", swapped('coordinate="X">1<', 'coordinate="X">1.1<'))
    done = unbraid("adm", "check", str(path))
    assert done.code == 1
    assert "position-range" in done.out
    data = unbraid("adm", "check", str(path), "--json").data
    assert data["errors"] == len([each for each in data["findings"] if each["level"] == "error"]) > 0
    assert {"rule", "level", "place", "message", "remedy"} == set(data["findings"][0])


def test_warnings_alone_are_no_failure(unbraid: Unbraid, good: dict[str, Path], tmp_path: Path) -> None:
    path = changed(good["bs2127"], tmp_path / "odd.wav", swapped("2076-2", "2076-9"))
    done = unbraid("adm", "check", str(path))
    assert done.code == 0
    assert "warning: version" in done.out


def test_a_profile_that_is_not_there_is_a_wrong_request(unbraid: Unbraid, good: dict[str, Path]) -> None:
    done = unbraid("adm", "check", str(good["dolby"]), "--profile", "dolbi")
    assert done.code == 2
    assert "did you mean 'dolby'?" in done.err


# render


def test_render_puts_a_still_object_where_the_panner_does(unbraid: Unbraid, tmp_path: Path) -> None:
    place, length = [75.0, 10.0, 1.0, 0.0], 960
    told = Scene(
        Programme("Night", RATE, length),
        (Content("Music"),),
        (BedShape("Bed", "stereo"),),
        (SceneObject("Voice", 0, Motion.still(place)),),
    )
    sound = np.zeros((3, length), np.float32)
    sound[2] = np.linspace(-0.5, 0.5, length)
    path = adm_files.write(tmp_path / "one.wav", told, sound=sound)
    out = tmp_path / "one.5.1.wav"
    done = unbraid("adm", "render", str(path), "-o", str(out), "--layout", "5.1", "--subtype", "FLOAT")
    assert done.code == 0
    gains = Panner(Layout.parse("5.1").roles).objects([place])[0]
    assert np.abs(_samples(out) - gains[:, None] * sound[2]).max() < 1e-6


@pytest.mark.parametrize("layout", ["stereo", "5.1", "7.1", "7.1.2", "5.1.4", "7.1.4"])
def test_a_render_is_that_of_the_scenes_stream(good: dict[str, Path], tmp_path: Path, layout: str) -> None:
    """What was written as places beside sound is heard the same when it is read from ADM."""
    told, roles = adm_files.scene(), Layout.parse(layout).roles
    done = render_adm(good["bs2127"], layout, tmp_path / "out.wav", subtype="FLOAT")
    assert done.length == FRAMES
    beds = [Layout.parse("7.1.2").roles]
    sound = _samples(good["bs2127"])
    wanted = SceneRender(beds, 2, adm_files.RAMP, roles).process(adm_files.stream(told, sound))
    assert np.abs(_samples(tmp_path / "out.wav") - wanted).max() < 1e-6


@settings(max_examples=20)
@given(st.data())
def test_blocks_do_not_change_a_bit(data: st.DataObject) -> None:
    """However a scene's sound is cut, and whatever the lengths of its moves."""
    length = 400
    starts = sorted(data.draw(st.sets(st.integers(1, length - 1), max_size=6)))
    begin = np.array([0, *starts], np.int64)
    held = np.diff(begin, append=length)
    ramp = np.array([data.draw(st.integers(0, int(most))) for most in held], np.int64)
    angles = [data.draw(st.integers(-180, 179)) for _ in begin]
    places = np.array([[angle, 0, 1, 0] for angle in angles], np.float32)
    motion = Motion(begin, ramp, places, np.linspace(0, 1, len(begin), dtype=np.float32))
    told = Scene(
        Programme("Night", RATE, length), (Content("Music"),), (), (SceneObject("Voice", 0, motion),)
    )
    sound = np.random.default_rng(len(starts)).standard_normal((1, length)).astype(np.float32)
    whole = AdmStream(told, Layout.parse("stereo")).process(sound)
    cuts = sorted(data.draw(st.sets(st.integers(0, length), max_size=5)))
    stream = AdmStream(told, Layout.parse("stereo"))
    pieces = [stream.process(np.ascontiguousarray(piece)) for piece in np.split(sound, cuts, axis=1)]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)


def test_a_move_is_a_straight_line_of_its_own_length() -> None:
    starts, ramps = np.array([0, 100, 200], np.int64), np.array([0, 40, 0], np.int64)
    places = np.array([[30, 0, 1, 0], [-30, 0, 1, 0], [30, 0, 1, 0]], np.float32)
    motion = Motion(starts, ramps, places, np.ones(3, np.float32))
    told = Scene(Programme("Night", RATE, 300), (Content("Music"),), (), (SceneObject("Voice", 0, motion),))
    left, right = AdmStream(told, Layout.parse("stereo")).process(np.ones((1, 300), np.float32))
    wanted = np.concatenate([np.ones(100), np.linspace(1, 0, 41)[:40], np.zeros(60), np.ones(100)])
    assert left == pytest.approx(wanted, abs=1e-6)
    assert right == pytest.approx(1 - wanted, abs=1e-6)


def test_a_render_keeps_the_files_start_and_leaves_its_adm_behind(
    good: dict[str, Path], tmp_path: Path
) -> None:
    def placed(chunks: Chunks) -> None:
        body = bytearray(602)
        struct.pack_into("<Q", body, 338, 3600 * RATE)
        chunks.chunks.insert(0, (b"bext", bytes(body)))

    path = changed(good["dolby"], tmp_path / "placed.wav", placed)
    assert read_adm(path).scene.programme.start == 3600 * RATE
    render_adm(path, "stereo", tmp_path / "out.wav")
    source = open_input(tmp_path / "out.wav")
    source.close()
    assert source.metadata.bext is not None
    assert source.metadata.bext.time_reference == 3600 * RATE
    assert source.metadata.axml is source.metadata.chna is None
    assert source.subtype == "PCM_24"


def test_a_render_that_fails_leaves_nothing(good: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    with pytest.raises(MediaRequestError, match=r"unknown layout of loudspeakers '5\.2'"):
        render_adm(good["dolby"], "5.2", out)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(good["dolby"].read_bytes()[:-30_000])
    with pytest.raises(MediaError):
        render_adm(cut, "5.1", out)
    out.write_text("mine")
    with pytest.raises(MediaError, match="exists already"):
        render_adm(good["dolby"], "5.1", out)
    assert out.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.wav", "out.wav"]


def test_samples_that_are_no_numbers_are_refused(good: dict[str, Path], tmp_path: Path) -> None:
    def broken(chunks: Chunks) -> None:
        chunks[b"fmt "] = struct.pack("<HHIIHH", 3, 12, RATE, RATE * 48, 48, 32)
        sound = np.zeros((FRAMES, 12), "<f4")
        sound[30_000, 5] = np.nan
        chunks[b"data"] = sound.tobytes()

    path = changed(good["bs2127"], tmp_path / "nan.wav", broken)
    with pytest.raises(MediaError, match="sample 30000 is not a finite number"):
        render_adm(path, "5.1", tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


# scene


def test_scene_prints_what_from_json_reads(unbraid: Unbraid, good: dict[str, Path]) -> None:
    done = unbraid("adm", "scene", str(good["bs2127"]))
    assert done.code == 0
    found, wanted = from_json(done.out), adm_files.scene()
    assert (found.programme, found.contents, found.beds) == (wanted.programme, wanted.contents, wanted.beds)
    for one, other in zip(found.objects, wanted.objects, strict=True):
        assert np.array_equal(one.motion.places, other.motion.places)
        assert np.array_equal(one.motion.start, other.motion.start)


def test_a_file_without_adm_is_told_in_one_line(unbraid: Unbraid, tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("not a sound")
    for name in ("show", "check", "scene"):
        done = unbraid("adm", name, str(path))
        assert done.code == 1
        assert done.out == ""
        assert done.err == f"unbraid: {path}: is no WAV or BW64 file; ADM stands in those\n"
