"""What the tools of others say of our ADM files: MediaInfo of its profile, EBU's renderer of its sound.

`pymediainfo` is taken where it is installed; the renderer where the environment variable UNBRAID_EAR is the
path of its `ear-render`. Its dependencies are old, so it needs an environment of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import adm_files
import numpy as np
import pytest
import soundfile
from adm_files import FRAMES, RATE, changed, swapped
from scene_rig import ambience, panned, voice

from unbraid import Graph, render
from unbraid.host.adm.playback import render_adm
from unbraid.host.contract.scene import BedShape, Content
from unbraid.host.graph.stems import spread_stems
from unbraid.host.media.open_input import open_input
from unbraid.host.registry import Registry
from unbraid.host.scene.model import Programme, Scene, SceneObject

EAR = os.environ.get("UNBRAID_EAR", "")
needs_mediainfo = pytest.mark.skipif(
    find_spec("pymediainfo") is None, reason="MediaInfo is not installed: pip install pymediainfo"
)
needs_ear = pytest.mark.skipif(
    not EAR,
    reason="UNBRAID_EAR names no ear-render; make one by: python3.11 -m venv ear; "
    'ear/bin/pip install --no-deps ear==2.1.0; ear/bin/pip install "setuptools<81" numpy scipy attrs lxml '
    "multipledispatch ruamel.yaml six; export UNBRAID_EAR=$PWD/ear/bin/ear-render",
)
# MediaInfo may crash on files that are wrong, so it runs in a process of its own.
_REPORT = """
import sys
from pymediainfo import MediaInfo
print(MediaInfo.parse(sys.argv[1], output="text", full=False))
"""


def _mediainfo(path: Path) -> tuple[bool, int, int]:
    """Whether ADM was seen, and how many errors and warnings of conformance."""
    command = [sys.executable, "-W", "ignore", "-c", _REPORT, str(path)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    counts = [re.search(rf"Conformance {kind}\s*: (\d+)", text) for kind in ("errors", "warnings")]
    errors, warnings = (0 if found is None else int(found[1]) for found in counts)
    return re.search(r"Metadata format\s*: ADM", text) is not None, errors, warnings


def _busy(layout: str, objects: int, rate: int = RATE) -> Scene:
    """A scene that uses what a scene can: every bed's layout, many objects, moves, heights, extents."""
    length = rate // 2
    steps = range(0, length, length // 5)
    kinds = ("dialogue", "music", "effects")
    contents = tuple(Content(kind.title(), kind, "en") for kind in kinds)  # type: ignore[arg-type]
    moving = []
    for number in range(objects):
        places = [
            (at, (37 * number + 71 * step) % 360 - 180, 15 * (step % 4), 1, 18 * (number % 3))
            for step, at in enumerate(steps)
        ]
        motion = adm_files.motion(*places, ramp=250 * rate // RATE)
        moving.append(SceneObject(f"Object {number + 1}", number % 3, motion))
    beds = (BedShape("Bed", layout, 1),)
    return Scene(Programme("Night", rate, length, 0, "en"), contents, beds, tuple(moving))


@needs_mediainfo
@pytest.mark.parametrize(
    ("layout", "objects", "rate"),
    [
        ("7.1.2", 3, 48_000),
        ("7.1", 1, 96_000),
        ("5.1", 2, 48_000),
        ("stereo", 0, 48_000),
        ("7.1.2", 118, 48_000),
    ],
)
def test_mediainfo_finds_no_fault_in_a_master(tmp_path: Path, layout: str, objects: int, rate: int) -> None:
    path = adm_files.write(tmp_path / "master.wav", _busy(layout, objects, rate), "dolby")
    assert _mediainfo(path) == (True, 0, 0)


@needs_mediainfo
def test_mediainfo_knows_our_masters_for_masters(tmp_path: Path) -> None:
    """Its rules are on: it sees one that is broken, where ours see it, too."""
    good = adm_files.write(tmp_path / "master.wav", adm_files.scene(), "dolby")
    bad = changed(good, tmp_path / "bad.wav", swapped(">RC_L<", ">RC_R<"))
    _, errors, _ = _mediainfo(bad)
    assert errors > 0


@needs_mediainfo
def test_mediainfo_finds_no_fault_in_a_generic_file(tmp_path: Path) -> None:
    path = adm_files.write(tmp_path / "generic.wav", _busy("7.1.4", 3))
    assert _mediainfo(path) == (True, 0, 0)


def _samples(path: Path) -> np.ndarray:
    source = open_input(path)
    block = np.empty((source.layout.channels, source.length or 0), np.float32)
    source.read(block)
    source.close()
    return block


def _heard() -> Scene:
    """Places on the sphere; moves that take 10 ms, which is a whole number of samples and of ADM's digits."""
    mover = adm_files.motion((0, 30, 0, 1, 0), (12_000, -75, 20, 1, 0), (24_000, 160, 45, 1, 0), ramp=480)
    wide = adm_files.motion((0, 100, 0, 1, 45), (24_000, -20, 30, 1, 90), ramp=480)
    objects = (SceneObject("Mover", 0, mover), SceneObject("Wide", 0, wide))
    beds = (BedShape("Bed", "7.1.2"),)
    return Scene(Programme("Night", RATE, FRAMES), (Content("Music", "music"),), beds, objects)


@needs_ear
@pytest.mark.parametrize(("system", "layout"), [("0+2+0", "stereo"), ("0+5+0", "5.1"), ("4+7+0", "7.1.4")])
def test_ebus_renderer_hears_what_ours_does(tmp_path: Path, system: str, layout: str) -> None:
    """Every sample of every loudspeaker to -80 dB of full scale, over sound at -20 dB."""
    rng = np.random.default_rng(8)
    sound = (0.1 * rng.uniform(-1, 1, (12, FRAMES))).astype(np.float32)
    path = adm_files.write(tmp_path / "scene.wav", _heard(), sound=sound, move=0.01)
    theirs, ours = tmp_path / "theirs.wav", tmp_path / "ours.wav"
    subprocess.run([EAR, "-s", system, path, theirs], check=True, capture_output=True, timeout=120)
    render_adm(path, layout, ours)
    heard = _samples(ours)
    assert np.abs(heard).max() > 0.05
    assert np.abs(heard - _samples(theirs)).max() < 1e-4


@pytest.fixture(scope="module")
def upmixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """Two stems as a file, and their sum."""
    folder = tmp_path_factory.mktemp("upmix")
    seconds, stems, total = 4.0, {}, np.zeros((2, int(4 * RATE)))
    path = 20 * np.sin(np.arange(int(seconds * RATE)) / RATE * 2)
    for number, name in enumerate(("dialogue", "music")):
        sound = panned(voice(seconds, number), 0 if number == 0 else path) + ambience(seconds, 1e-3, number)
        stems[name] = folder / f"{name}.wav"
        soundfile.write(stems[name], sound.T, RATE, subtype="PCM_24")
        total += soundfile.read(stems[name])[0].T
    registry = Registry.discover()
    graph = Graph.load(registry.graphs["upmix"])
    spread_stems(graph, list(stems), registry)
    report = render(graph, stems, folder / "out", registry=registry)
    return report.outputs[0].path, total


@needs_ear
def test_ebus_stereo_of_an_upmix_is_the_sum_of_its_stems(
    upmixed: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, total = upmixed
    subprocess.run(
        [EAR, "-s", "0+2+0", path, tmp_path / "two.wav"], check=True, capture_output=True, timeout=120
    )
    null = np.square(_samples(tmp_path / "two.wav") - total).mean() / np.square(total).mean()
    assert 10 * np.log10(null) <= -90


@needs_ear
@pytest.mark.parametrize(("system", "layout"), [("0+5+0", "5.1"), ("4+7+0", "7.1.4")])
def test_ebus_renderer_hears_an_upmix_as_ours_does(
    upmixed: tuple[Path, np.ndarray], tmp_path: Path, system: str, layout: str
) -> None:
    path, total = upmixed
    theirs, ours = tmp_path / "theirs.wav", tmp_path / "ours.wav"
    subprocess.run([EAR, "-s", system, path, theirs], check=True, capture_output=True, timeout=120)
    render_adm(path, layout, ours)
    heard = _samples(ours)
    assert np.square(heard - _samples(theirs)).mean() < 1e-8 * np.square(heard).mean()
    level = np.square(heard).mean(axis=1).sum() / np.square(total).mean(axis=1).sum()
    assert abs(10 * np.log10(level)) <= 0.5


@needs_mediainfo
def test_mediainfo_finds_no_fault_in_an_upmix(tmp_path: Path) -> None:
    sound = panned(voice(2.0, 1), 10) + ambience(2.0, 1e-3)
    soundfile.write(tmp_path / "mx.wav", sound.T, RATE, subtype="PCM_24")
    graph = Graph.load(Registry.discover().graphs["upmix"])
    graph.set("adm", "profile", "dolby")
    report = render(graph, tmp_path / "mx.wav", tmp_path / "out")
    assert _mediainfo(report.outputs[0].path) == (True, 0, 0)
