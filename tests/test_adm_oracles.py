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
from adm_files import FRAMES, RATE, changed, swapped

from unbraid.host.adm.playback import render_adm
from unbraid.host.contract.scene import BedShape, Content
from unbraid.host.media.open_input import open_input
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
