"""Paths of a manifest: each lies below a declared root, by its text and on the disk, or is refused."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unbraid.host.jobs.manifest.errors import RefusedError
from unbraid.host.jobs.manifest.roots import Roots, unmoved


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root ``in`` with files and every kind of link, and ``out`` beside it with what no job may read."""
    top = tmp_path_factory.mktemp("disk").resolve()
    inside, outside = top / "in", top / "out"
    for file in ("take.wav", "reel/take.wav", "reel/deep/er.wav", "dots./trail.wav.", "...wav", "näß.wav"):
        (inside / file).parent.mkdir(parents=True, exist_ok=True)
        (inside / file).write_bytes(b"in")
    outside.mkdir()
    (outside / "secret.wav").write_bytes(b"out")
    (top / "in-between").mkdir()  # its path begins with the root's
    (top / "in-between/take.wav").write_bytes(b"out")
    links = {
        "file-in": "reel/take.wav",
        "folder-in": "reel",
        "file-out": "../out/secret.wav",
        "file-out-absolute": str(outside / "secret.wav"),
        "folder-out": "../out",
        "folder-up": "..",
        "reel/up-and-back": "../../in/take.wav",
        "chain": "file-out",
        "between": "../in-between/take.wav",
        "loop": "loop",
        "ping": "pong",
        "pong": "ping",
        "gone-in": "reel/nothing.wav",
        "gone-out": "../out/nothing.wav",
        "process": "/proc/self/root",
        "memory": "/proc/self/mem",
        "null": "/dev/null",
    }
    for name, target in links.items():
        (inside / name).symlink_to(target)
    os.mkfifo(inside / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(inside)  # a socket's whole path may be too long
        bound.bind("socket")
        os.chdir(here)
    (top / "alias").symlink_to("in")
    return top


@pytest.fixture
def roots(disk: Path) -> Roots:
    return Roots(["in"], str(disk))


TAKEN = {
    "take.wav": "take.wav",
    "./take.wav": "take.wav",
    "reel//take.wav": "reel/take.wav",
    "reel/../take.wav": "take.wav",
    "reel/deep/../../take.wav": "take.wav",
    "dots./trail.wav.": "dots./trail.wav.",
    "...wav": "...wav",
    "näß.wav": "näß.wav",
    "file-in": "reel/take.wav",
    "folder-in/take.wav": "reel/take.wav",
    "folder-in/deep/er.wav": "reel/deep/er.wav",
    "reel/up-and-back": "take.wav",  # out and in again: it is where it leads that counts
}


@pytest.mark.parametrize("text", TAKEN)
def test_a_path_below_the_root_is_its_file(text: str, roots: Roots, disk: Path) -> None:
    found = roots.find(text)
    assert (found.path, found.there) == (str(disk / "in" / TAKEN[text]), True)
    assert unmoved(found.path)


REFUSED = {
    # by the text
    "": "is empty",
    "  ": "is empty",
    ".": "names a folder",
    "..": "names a folder",
    "reel/": "names a folder",
    "reel/.": "names a folder",
    "take.wav/": "names a folder",
    "/": "names a folder",
    "../out/secret.wav": "leads out",
    "reel/../../out/secret.wav": "leads out",
    "reel/deep/../../../in-between/take.wav": "leads out",
    "./../in/take.wav": "leads out",  # it would come back, but by a folder outside
    "/../etc/passwd": "leads out",
    "/etc/passwd": "none of the roots",
    "//etc/passwd": "none of the roots",
    "/proc/self/root/etc/passwd": "none of the roots",
    "take.wav\0.txt": "U+0000",
    "take\n.wav": "U+000A",
    "take\x1b[2J.wav": "U+001B",
    "take\x7f.wav": "U+007F",
    "take\x85.wav": "U+0085",
    "take\u2028.wav": "U+2028",
    "\u202egnp.wav": "U+202E",
    "take\u2066.wav": "U+2066",
    "take\u200f.wav": "U+200F",
    os.fsdecode(b"caf\xe9.wav"): "not UTF-8",
    "~/take.wav": "begins with ~",
    "~root/take.wav": "begins with ~",
    "file:///etc/passwd": "address",
    "FILE:take.wav": "address",
    "https://host/take.wav": "address",
    "..\\out\\secret.wav": "written",
    "reel\\take.wav": "written",
    "C:/take.wav": "written",
    "\\\\host\\share\\take.wav": "written",
    "n" * 256: "256 bytes",
    "ü" * 128: "256 bytes",
    "d/" * 101 + "take.wav": "deeper",
    ("d" * 200 + "/") * 21 + "take.wav": "longer",
    # on the disk
    "file-out": "link",
    "file-out-absolute": "link",
    "folder-out/secret.wav": "link",
    "folder-out/nothing.wav": "link",
    "folder-up/out/secret.wav": "link",
    "folder-in/../folder-out/secret.wav": "link",
    "chain": "link",
    "between": "link",
    "gone-out": "link",
    "process/etc/passwd": "link",
    "process": "link",
    "memory": "link",
    "null": "link",
    "loop": "levels of symbolic links",
    "ping": "levels of symbolic links",
    "loop/take.wav": "levels of symbolic links",
    "fifo": "a FIFO",
    "socket": "a socket",
    "reel": "a folder",
    "folder-in": "a folder",
    "take.wav/take.wav": "no folder",
    "take.wav/../../out": "leads out",
}


def test_there_are_enough_cases() -> None:
    assert len(REFUSED) >= 50


@pytest.mark.parametrize("text", REFUSED)
def test_what_leads_elsewhere_is_refused_with_the_remedy(text: str, roots: Roots) -> None:
    with pytest.raises(RefusedError, match=r".") as error:
        roots.find(text)
    assert REFUSED[text] in error.value.message
    assert error.value.remedy


def test_case_counts(roots: Roots, disk: Path) -> None:
    with pytest.raises(RefusedError, match="none of the roots"):
        roots.find(str(disk / "IN" / "take.wav"))


def test_a_path_that_begins_as_the_root_does_is_not_below_it(roots: Roots, disk: Path) -> None:
    with pytest.raises(RefusedError, match="none of the roots"):
        roots.find(f"{disk}/in-between/take.wav")


def test_devices_are_no_files() -> None:
    with pytest.raises(RefusedError, match="a device"):
        Roots(["/dev"], "/").find("null")


def test_an_absolute_path_below_the_root_is_taken(roots: Roots, disk: Path) -> None:
    found = roots.find(str(disk / "in/reel/take.wav"))
    assert (found.path, found.folder, found.name) == (str(disk / "in/reel/take.wav"), "reel", "take.wav")


def test_a_root_may_be_a_link_and_is_then_what_it_names(disk: Path) -> None:
    roots = Roots(["alias"], str(disk))
    wanted = str(disk / "in/take.wav")
    assert roots.folders == (str(disk / "in"),)
    spellings = ("take.wav", str(disk / "alias/take.wav"), wanted)
    assert [roots.find(text).path for text in spellings] == [wanted] * 3


def test_what_is_missing_is_found_as_missing(roots: Roots, disk: Path) -> None:
    for text in ("nothing.wav", "no/such/folder.wav", "gone-in"):
        found = roots.find(text)
        assert not found.there
        assert Path(found.path).is_relative_to(disk / "in")


def test_the_first_root_that_has_a_file_gives_it(disk: Path) -> None:
    both = Roots(["out", "in"], str(disk))
    assert both.find("secret.wav").path == str(disk / "out/secret.wav")
    assert both.find("take.wav").path == str(disk / "in/take.wav")
    assert both.find("file-out").path == str(disk / "out/secret.wav")  # its folder is declared now
    assert both.find("nowhere.wav").path == str(disk / "out/nowhere.wav")


@pytest.mark.parametrize(
    "folder", ["nothing", "in/take.wav", "~", "file:///tmp", "in\0", "in\u202e", "", 5, None, "..\\in"]
)
def test_a_root_is_a_folder(folder: object, disk: Path) -> None:
    with pytest.raises(RefusedError):
        Roots([folder], str(disk))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_root_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    with pytest.raises(RefusedError, match="cannot be read"):
        Roots(["."], str(tmp_path))
    tmp_path.chmod(0o700)


def test_a_file_that_became_a_link_has_moved(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/take.wav").touch()
    path = Roots(["."], str(tmp_path)).find("folder/take.wav").path
    assert unmoved(path)
    (tmp_path / "folder").rename(tmp_path / "other")
    (tmp_path / "folder").symlink_to("/etc")
    assert not unmoved(path)


def test_more_folders_are_judged_than_remembered(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    roots = Roots(["."], str(tmp_path))
    for number in range(5000):
        assert not roots.find(f"folder{number}/a/take.wav").there
    with pytest.raises(RefusedError, match="link"):
        roots.find("out/passwd")
    assert len(roots._seen) <= 4096


PIECES = st.sampled_from(
    [
        "..",
        ".",
        "",
        "in",
        "reel",
        "folder-out",
        "folder-up",
        "folder-in",
        "process",
        "etc",
        "take.wav",
        "passwd",
        "~",
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("/".join)))
@example("folder-up/in/take.wav")
@example("process/proc/self/cwd/x")
def test_no_text_leads_out(disk: Path, text: str) -> None:
    roots = Roots(["in"], str(disk))
    try:
        found = roots.find(text)
    except RefusedError:
        return
    real = Path(os.path.realpath(found.path))
    assert real.is_relative_to(disk / "in")
    assert real != disk / "in"
    assert ".." not in Path(found.folder).parts
    assert not found.folder.startswith("/")
