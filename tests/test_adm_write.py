"""ADM files written: whole or not there at all, as standards lay them out, with what the input said."""

from __future__ import annotations

import errno
import os
import resource
import struct
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scene_rig import RATE, ambience, panned, voice

from command_rig import Unbraid, command
from unbraid.host.adm.reader import read_adm
from unbraid.host.adm.writer import AdmWriter, write_adm
from unbraid.host.contract import Layout, MediaError
from unbraid.host.contract.scene import BedShape, Content, ObjectShape, SceneShape
from unbraid.host.media.metadata import Metadata
from unbraid.host.media.wave import head
from unbraid.host.media.wave.bext import Bext
from unbraid.host.media.writer import FileWriter, OutputForm
from unbraid.host.scene.document import to_json
from unbraid.host.scene.errors import SceneError
from unbraid.host.scene.model import Programme, Scene, SceneObject
from unbraid.host.scene.motion import Motion, MotionRecorder
from unbraid.kernels.loudness import LoudnessMeter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Array = np.ndarray[Any, Any]
HOUR = 3600 * RATE


@pytest.fixture
def unbraid(capsys: pytest.CaptureFixture[str]) -> Unbraid:
    return command(capsys)


def shape(objects: int = 2, profile: str = "bs2127", **changes: Any) -> SceneShape:
    """A film: dialogue and music, a bed of 7.1.2."""
    contents = Content("Dialogue", "dialogue", "en"), Content("Music", "music")
    names = tuple(ObjectShape(f"Object {i + 1}", i % 2) for i in range(objects))
    made = SceneShape("Night", contents, (BedShape("Bed", "7.1.2", 1),), names, profile=profile)
    return replace(made, **changes)


def stream(made: SceneShape, n: int = RATE, seed: int = 0) -> Array:
    """Noise in every track; every object moves once, at half time."""
    random = np.random.default_rng(seed)
    block = 0.1 * random.standard_normal((Layout.of_scene(made).channels, n))
    for number, row in enumerate(made.object_rows):
        block[row + 1 : row + 5] = np.array([[10.0 * number], [0.0], [1.0], [0.0]])
        block[row + 1, n // 2 :] = -30
    return block.astype(np.float32)


def write(path: Path, made: SceneShape, block: Array, **form: Any) -> AdmWriter:
    asked = {"rate": RATE, "length": block.shape[1], "subtype": "PCM_24", **form}
    writer = AdmWriter(path, OutputForm(layout=Layout.of_scene(made), **asked))
    try:
        for at in range(0, block.shape[1], 4096):
            writer.write(np.ascontiguousarray(block[:, at : at + 4096]))
        writer.finish()
        writer.commit()
    except BaseException:
        writer.abort()
        raise
    writer.settle()
    return writer


def chunks(path: Path) -> dict[bytes, bytes]:
    """The chunks of a RIFF or BW64 file, read by hand."""
    data, found = path.read_bytes(), dict[bytes, bytes]()
    at, long = 12, dict[bytes, int]()
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        size = long.get(name, size)
        found[name] = data[at + 8 : at + 8 + size]
        if name == b"ds64":
            long[b"data"] = struct.unpack("<Q", found[name][8:16])[0]
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def elements(path: Path, name: str) -> list[ET.Element]:
    root = ET.fromstring(chunks(path)[b"axml"])  # noqa: S314 - written here
    return [each for each in root.iter() if each.tag.endswith(f"}}{name}")]


@pytest.mark.parametrize("profile", ["bs2127", "dolby"])
def test_a_file_has_the_chunks_that_bs_2088_asks_for(profile: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write(path, shape(profile=profile), stream(shape()), metadata=Metadata(bext=Bext(time_reference=HOUR)))
    found = chunks(path)
    assert path.read_bytes()[:4] == b"RIFF"
    assert next(iter(found)) == b"JUNK"  # where 64-bit sizes would stand
    assert {b"bext", b"fmt ", b"chna", b"data", b"axml"} <= found.keys()
    assert struct.unpack("<HHIIHH", found[b"fmt "]) == (1, 12, RATE, RATE * 36, 36, 24)
    assert struct.unpack("<Q", found[b"bext"][338:346])[0] == HOUR
    assert struct.unpack("<HH", found[b"chna"][:4]) == (12, 12)


def test_tracks_are_the_bed_and_then_the_objects(tmp_path: Path) -> None:
    made = shape()
    block = stream(made)
    write(tmp_path / "a.wav", made, block)
    raw = np.frombuffer(chunks(tmp_path / "a.wav")[b"data"], np.uint8).reshape(-1, 12, 3).astype(np.int32)
    values = (raw[..., 0] | raw[..., 1] << 8 | raw[..., 2] << 16) << 8 >> 8
    assert np.abs(values.T / 2**23 - block[made.track_rows]).max() <= 0.51 / 2**23


def test_every_track_of_chna_is_an_element_of_axml(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", shape(5), stream(shape(5)))
    body = chunks(tmp_path / "a.wav")[b"chna"]
    uids = {each.get("UID") for each in elements(tmp_path / "a.wav", "audioTrackUID")}
    tracks = {each.get("audioTrackFormatID") for each in elements(tmp_path / "a.wav", "audioTrackFormat")}
    for number in range(15):
        track, uid, used, _ = struct.unpack("<H12s14s11sx", body[4 + 40 * number : 44 + 40 * number])
        assert track == number + 1
        assert uid.decode() in uids
        assert used.decode() in tracks


def test_blocks_follow_each_other_without_gaps_to_the_end(tmp_path: Path) -> None:
    made, n = shape(3), 3 * RATE + 777
    block = stream(made, n)
    row = made.object_rows[0] + 1
    for at in range(1000, n, 1237):
        block[row, at:] = at % 30
    write(tmp_path / "a.wav", made, block)

    def ticks(text: str | None) -> int:
        assert text is not None
        hours, minutes, seconds = text.split(":")
        return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 100_000)

    for channel in elements(tmp_path / "a.wav", "audioChannelFormat")[10:]:
        end = 0
        for each in channel:
            assert ticks(each.get("rtime")) == end
            end += ticks(each.get("duration"))
        assert end == round(n / RATE * 100_000)


def test_what_was_measured_stands_in_the_programme(tmp_path: Path) -> None:
    made = shape()
    sound = stream(made, 4 * RATE)
    write(tmp_path / "a.wav", made, sound)
    (programme,) = elements(tmp_path / "a.wav", "audioProgramme")
    said = {each.tag.rpartition("}")[2]: float(each.text or "") for each in programme[-1]}
    assert -40 < said["integratedLoudness"] < 0
    assert said["maxMomentary"] >= said["maxShortTerm"] >= said["integratedLoudness"] - 1
    assert said["maxTruePeak"] > said["integratedLoudness"]


def test_a_file_beyond_4_gib_is_bw64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "RIFF_LIMIT", 1 << 20)
    made = shape()
    write(tmp_path / "a.wav", made, stream(made))
    data = (tmp_path / "a.wav").read_bytes()
    assert data[:8] == b"BW64\xff\xff\xff\xff"
    assert data[12:16] == b"ds64"
    riff, held, samples = struct.unpack("<QQQ", data[20:44])
    assert riff == len(data) - 8
    assert (held, samples) == (RATE * 36, RATE)
    assert b"axml" in chunks(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("made", "form", "said"),
    [
        (shape(119, "dolby"), {}, "118 objects, not 119"),
        (shape(2, "dolby", beds=()), {}, "one bed, not 0"),
        (shape(2, "dolby", beds=(BedShape("B", "7.1.4"),)), {}, "no 7.1.4"),
        (shape(2, "dolby", move=0.1), {}, "5.208 ms"),
        (shape(2, "dolby"), {"rate": 44100}, "48000 Hz or 96000 Hz, not 44100"),
        (shape(2, "dolby"), {"subtype": "PCM_16"}, "PCM_24, not PCM_16"),
        (shape(2), {"subtype": "FLOAT"}, "not FLOAT"),
        (shape(2, "atmos"), {}, "unknown ADM profile 'atmos'"),
    ],
)
def test_a_scene_that_is_no_file_of_its_profile_is_refused_before_a_sample(
    made: SceneShape, form: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises((SceneError, MediaError), match=said):
        write(tmp_path / "a.wav", made, stream(made), **form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("row", "value", "said"),
    [
        (1, 200.0, "azimuth 200 is outside of -180 to 180"),
        (2, -91.0, "elevation -91"),
        (3, 1.5, "distance 1.5 is outside of 0 to 1"),
        (4, -1.0, "extent -1"),
        (1, np.nan, "is not finite"),
    ],
)
def test_a_place_out_of_the_room_is_refused_with_object_and_time(
    row: int, value: float, said: str, tmp_path: Path
) -> None:
    made = shape()
    block = stream(made)
    block[made.object_rows[1] + row, RATE // 4 :] = value
    with pytest.raises(SceneError, match=said) as told:
        write(tmp_path / "a.wav", made, block)
    assert "'Object 2'" in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_a_move_before_the_last_has_ended_is_refused(tmp_path: Path) -> None:
    made = shape()
    block = stream(made)
    block[made.object_rows[0] + 1, RATE // 4 : RATE // 4 + 100] = 5
    with pytest.raises(SceneError, match="100 samples after its last move; a move takes 250"):
        write(tmp_path / "a.wav", made, block)


def test_a_disk_that_is_full_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = os.write, iter(range(10_000))

    def failing(file: int, data: Any) -> int:
        if next(count) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(os, "write", failing)
    with pytest.raises(MediaError, match="no space left on the disk"):
        write(tmp_path / "a.wav", shape(), stream(shape()))
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"mine")
    with pytest.raises(MediaError, match="exists already"):
        write(tmp_path / "a.wav", shape(), stream(shape()))
    assert (tmp_path / "a.wav").read_bytes() == b"mine"


def test_two_hours_of_128_tracks_keep_below_500_mib() -> None:
    # All 118 objects move ten times a second; a twentieth of it is heard, the rest is arithmetic.
    share, seconds = 20, 7200
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    recorders = [MotionRecorder(str(i), 250) for i in range(118)]
    held = np.repeat(np.arange(10, dtype=np.float32), 4800)
    block = np.stack([held, held * 0, held * 0 + 1, held * 0])
    for second in range(seconds // share):
        block[0] = held + second % 7
        for recorder in recorders:
            recorder.push(block)
    motions = [recorder.motion() for recorder in recorders]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert all(motion.blocks >= 10 * seconds // share - 1 for motion in motions)
    assert grown * share < 500


# The ready-made graphs


@pytest.fixture
def stems(tmp_path: Path) -> Callable[..., list[str]]:
    """Write stems with a time reference; return the arguments that give them."""
    sounds = {
        "dialogue": voice(3.0, 1)[None],
        "music": panned(voice(3.0, 2), 20) + ambience(3.0, 0.001),
        "effects": ambience(3.0, 0.002, 4),
    }

    def made(start: int = HOUR, names: tuple[str, ...] = ("dialogue", "music", "effects")) -> list[str]:
        arguments = []
        for name in names:
            path = tmp_path / f"{name}.wav"
            layout = Layout.of_channels(len(sounds[name]))
            metadata = Metadata(bext=Bext(time_reference=start))
            form = OutputForm(RATE, layout, 3 * RATE, "PCM_24", metadata=metadata)
            writer = FileWriter(path, form, overwrite=True)
            writer.write(sounds[name].astype(np.float32))
            writer.finish()
            writer.commit()
            arguments += ["--stem", f"{name}={path}"]
        return arguments

    return made


@pytest.mark.parametrize("profile", ["bs2127", "dolby"])
def test_stems_become_a_file_with_their_names_and_their_time(
    profile: str, stems: Callable[..., list[str]], tmp_path: Path, unbraid: Unbraid
) -> None:
    out = tmp_path / "out"
    done = unbraid("render", "upmix", *stems(), "--set", f"adm.profile={profile}", "-o", out)
    assert done.code == 0, done.err
    (path,) = out.iterdir()
    names = {each.get("audioContentName") for each in elements(path, "audioContent")}
    assert names >= ({"dialogue", "music", "effects"} if profile == "bs2127" else {"dialogue", "music 1"})
    assert struct.unpack("<Q", chunks(path)[b"bext"][338:346])[0] == HOUR


@pytest.mark.parametrize(("target", "level", "ceiling"), [("ebu-r128", -23, -1), ("atmos-music", -18, -1)])
def test_a_target_is_met_with_one_gain_for_all(
    target: str,
    level: float,
    ceiling: float,
    stems: Callable[..., list[str]],
    tmp_path: Path,
    unbraid: Unbraid,
) -> None:
    asked = ["--set", f"adm.target={target}", "--json", "-o", tmp_path / "out"]
    done = unbraid("render", "upmix", *stems(names=("music", "effects")), *asked)
    assert done.code == 0, done.err
    (programme,) = elements(next((tmp_path / "out").iterdir()), "audioProgramme")
    said = {each.tag.rpartition("}")[2]: each.text or "" for each in programme.iter()}
    limited = "gain limited by" in done.data["findings"]["adm"]
    assert float(said["maxTruePeak"]) <= ceiling + 0.05
    assert limited or abs(float(said["integratedLoudness"]) - level) <= 0.1


def test_netflix_measures_the_dialogue(
    stems: Callable[..., list[str]], tmp_path: Path, unbraid: Unbraid
) -> None:
    done = unbraid(
        "render", "upmix", *stems(), "--set", "adm.target=netflix", "--json", "-o", tmp_path / "out"
    )
    found = done.data["findings"]["adm"]
    meter = LoudnessMeter(["C"], RATE)
    meter.push(voice(3.0, 1)[None].astype(np.float32))
    assert abs(found["loudness of dialogue / LUFS"] - meter.integrated) <= 0.1
    assert abs(found["gain / dB"] - (-27 - meter.integrated)) <= 0.1 or "gain limited by" in found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "flac"], "becomes an ADM file"),
        (["--output-rate", "44100"], "becomes an ADM file"),
        (["--subtype", "FLOAT"], "not FLOAT"),
        (["--set", "adm.profile=atmos"], "bs2127"),
        (["--set", "adm.profile=dolby", "--set", "upmix.beds=stem"], "one bed, not 3"),
    ],
)
def test_what_no_file_can_be_is_refused_and_leaves_nothing(
    options: list[str], said: str, stems: Callable[..., list[str]], tmp_path: Path, unbraid: Unbraid
) -> None:
    done = unbraid("render", "upmix", *stems(), *options, "-o", tmp_path / "out")
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_a_scene_does_not_go_through_a_pipe(stems: Callable[..., list[str]], unbraid: Unbraid) -> None:
    done = unbraid("render", "upmix", *stems(), "-o", "-")
    assert done.code == 2
    assert "not written into a pipe" in done.err


# From Python


def garden(gain: float = 1.0, ramp: int = 480) -> Scene:
    """A bee that flies round the head, over a bed of birds."""
    places = np.array([[60, 20, 1, 0], [-120, 45, 1, 10], [0, -10, 0.5, 0]], np.float32)
    motion = Motion(
        np.array([0, 4800, 24000]), np.array([0, ramp, ramp]), places, np.full(3, gain, np.float32)
    )
    return Scene(
        Programme("Garden", RATE, RATE, HOUR, "en"),
        (Content("Effects", "effects"),),
        (BedShape("Birds", "5.1"),),
        (SceneObject("Bee", 0, motion),),
    )


def test_a_scene_made_in_python_is_the_one_that_is_read(tmp_path: Path) -> None:
    sound = 0.1 * np.random.default_rng(0).standard_normal((7, RATE)).astype(np.float32)
    write_adm(tmp_path / "garden.wav", garden(0.5), (sound[:, at : at + 5000] for at in range(0, RATE, 5000)))
    found = read_adm(tmp_path / "garden.wav")
    assert to_json(found.scene) == to_json(garden(0.5))
    with found.open() as source:
        heard = np.concatenate(list(source.blocks(7777)), axis=1)
    assert np.abs(heard - sound).max() <= 0.51 / 2**23


@pytest.mark.parametrize(
    ("scene", "profile", "said"),
    [
        (garden(0.5, 250), "dolby", "no gains; multiply its sound"),
        (garden(1.0, 480), "dolby", "a move takes 480 samples; in the dolby profile it takes 250"),
    ],
)
def test_a_scene_that_cannot_be_written_leaves_nothing(
    scene: Scene, profile: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises((SceneError, MediaError), match=said):
        write_adm(tmp_path / "a.wav", scene, [np.zeros((7, RATE), np.float32)], profile=profile)
    assert list(tmp_path.iterdir()) == []


def test_sound_that_is_not_as_long_as_the_programme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="holds 47000 of 48000 samples"):
        write_adm(tmp_path / "a.wav", garden(), [np.zeros((7, 47000), np.float32)])
    assert list(tmp_path.iterdir()) == []
