"""What `check_adm` promises: nothing of a good file, and of a bad one the rule that it breaks, and where."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import adm_files
import pytest
from adm_faults import ELSEWHERE, ROWS, Change, place
from adm_files import Chunks, changed, swapped
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.host.adm import rules
from unbraid.host.adm.check import check_adm
from unbraid.host.contract.errors import MediaError, MediaRequestError
from unbraid.host.contract.scene import BedShape, Content
from unbraid.host.scene.model import Programme, Scene, SceneObject
from unbraid.host.scene.motion import Motion

if TYPE_CHECKING:
    from unbraid.host.adm.finding import Finding


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adm")
    return {
        profile: adm_files.write(folder / f"{profile}.wav", adm_files.scene(), profile)
        for profile in ("bs2127", "dolby")
    }


def _broken(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings}


@pytest.mark.parametrize("profile", ["bs2127", "dolby"])
def test_of_a_good_file_nothing_is_found(good: dict[str, Path], profile: str) -> None:
    assert check_adm(good[profile]) == []


@pytest.mark.parametrize(
    ("profile", "rule", "change"),
    [(profile, rule, change) for profile, rule, _, change in ROWS],
    ids=[f"{profile}-{rule}-{said}" for profile, rule, said, _ in ROWS],
)
def test_a_broken_rule_is_named_with_its_place(
    good: dict[str, Path], tmp_path: Path, profile: str, rule: str, change: Change
) -> None:
    findings = check_adm(changed(good[profile], tmp_path / "bad.wav", change), profile)
    assert rule in _broken(findings)
    for finding in findings:
        assert finding.place
        assert finding.message
        assert finding.remedy


def test_every_rule_is_broken_by_a_test() -> None:
    """A rule that no test breaks may not exist."""
    folder = Path(rules.__file__).parent
    source = "".join(path.read_text() for path in [*folder.glob("*.py"), folder.parent / "check.py"])
    named = set(re.findall(r'(?:error|warning|level)\(\s*"([a-z0-9-]+)"', source))
    named |= set(re.findall(r'in_blocks\(\s*(?:"error"|"warning"|level), "([a-z0-9-]+)"', source))
    named |= set(re.findall(r'\("([a-z]+-count)", "', source))
    assert named == {row[1] for row in ROWS} | ELSEWHERE


def test_the_place_of_a_block_is_its_line_in_the_text(good: dict[str, Path], tmp_path: Path) -> None:
    path = changed(good["bs2127"], tmp_path / "bad.wav", place("azimuth", "181", 1))
    lines = Chunks.of(path).text.splitlines()
    (finding,) = check_adm(path)
    found = re.search(r"AC_00031001 audioBlockFormat 2 \(line (\d+)\)", finding.place)
    assert found is not None
    assert "AB_00031001_00000002" in lines[int(found[1]) - 1]


def test_many_blocks_that_break_a_rule_are_one_finding(good: dict[str, Path], tmp_path: Path) -> None:
    def all_louder(chunks: Chunks) -> None:
        chunks.text = chunks.text.replace("<jumpPosition", "<gain>-1</gain>\n<jumpPosition")

    found = check_adm(changed(good["dolby"], tmp_path / "bad.wav", all_louder))
    assert [finding.rule for finding in found] == ["gain-range", "gain-range"]
    assert "and 2 more blocks" in found[0].message


def test_a_file_with_its_end_missing(good: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(good["dolby"].read_bytes()[:-1000])
    assert {"chunk-size", "file-size"} <= _broken(check_adm(path))


def test_a_head_that_counts_wrongly(good: dict[str, Path], tmp_path: Path) -> None:
    data = bytearray(good["dolby"].read_bytes())
    data[4:8] = struct.pack("<I", len(data) - 10)
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    assert _broken(check_adm(path)) == {"file-size"}


def test_an_odd_chunk_without_its_padding(good: dict[str, Path], tmp_path: Path) -> None:
    chunks = Chunks.of(good["dolby"])
    chunks[b"data"] += b"\1"
    path = chunks.save(tmp_path / "bad.wav")
    data = path.read_bytes()
    at = data.index(b"axml") - 1
    path.write_bytes(data[:at] + data[at + 1 :])
    assert "chunk-padding" in _broken(check_adm(path))


def _long(chunks: Chunks, samples: int, data: int, path: Path) -> Path:
    rest = [(name, body) for name, body in chunks.chunks if name != b"JUNK"]
    whole = 4 + 36 + sum(8 + len(body) + len(body) % 2 for _, body in rest)
    sizes = struct.pack("<QQQI", whole, data, samples, 0)
    return Chunks(b"BW64", [(b"ds64", sizes), *rest]).save(path)


def test_sizes_of_64_bits_are_held_against_the_file(good: dict[str, Path], tmp_path: Path) -> None:
    chunks = Chunks.of(good["bs2127"])
    size = len(chunks[b"data"])
    assert check_adm(_long(chunks, 48_000, size, tmp_path / "good.wav")) == []
    assert _broken(check_adm(_long(chunks, 48_000, size + 1, tmp_path / "size.wav"))) == {"ds64"}
    assert _broken(check_adm(_long(chunks, 47_000, size, tmp_path / "count.wav"))) == {"ds64"}
    without = Chunks(b"BW64", chunks.chunks).save(tmp_path / "without.wav")
    assert "ds64" in _broken(check_adm(without))


def test_more_tracks_than_a_master_holds(tmp_path: Path) -> None:
    objects = tuple(SceneObject(f"Object {at}", 0, Motion.still([0, 0, 1, 0])) for at in range(127))
    beds = (BedShape("Bed", "stereo"),)
    wide = Scene(Programme("Night", 48_000, 480), (Content("Music"),), beds, objects)
    path = adm_files.write(tmp_path / "wide.wav", wide)
    assert {"track-count", "object-count"} <= _broken(check_adm(path, "dolby"))
    assert not {"track-count", "object-count"} & _broken(check_adm(path))


def test_rules_are_those_of_the_file_or_those_asked_for(good: dict[str, Path], tmp_path: Path) -> None:
    """A master is known by its programme's name, or by its loudspeakers."""
    renamed = changed(good["dolby"], tmp_path / "named.wav", swapped("Atmos_Master", "Night"))
    assert _broken(check_adm(renamed)) == {"programme-name"}
    assert "stream-pack" in _broken(check_adm(good["dolby"], "bs2127"))
    assert "block-cartesian" in _broken(check_adm(good["bs2127"], "dolby"))
    with pytest.raises(MediaRequestError, match=r"unknown ADM profile 'dolbi'.*'dolby'"):
        check_adm(good["dolby"], "dolbi")


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("not a sound")
    with pytest.raises(MediaError, match="no WAV or BW64"):
        check_adm(path)


@settings(max_examples=60)
@given(st.integers(0, 1 << 30), st.binary(min_size=1, max_size=12), st.sampled_from(["bs2127", "dolby"]))
def test_whatever_stands_in_a_file_it_is_checked(
    good: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, where: int, what: bytes, profile: str
) -> None:
    data = bytearray(good[profile].read_bytes())
    sound = data.index(b"data") + 8
    at = where % (len(data) - adm_files.FRAMES * 36)
    at += 0 if at < sound else adm_files.FRAMES * 36
    path = tmp_path_factory.mktemp("any") / "any.wav"
    path.write_bytes(bytes(data[:at]) + what + bytes(data[at + len(what) :]))
    try:
        found = check_adm(path)
    except MediaError:
        found = []
    assert all(finding.level in {"error", "warning"} for finding in found)
