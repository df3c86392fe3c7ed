"""Names that come from somewhere: a file lies directly in the folder it is meant for, or there is none."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import unicodedata
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from unbraid import Graph, MediaError, render
from unbraid.host import RenderOptions
from unbraid.host.contract.errors import GraphError, UnbraidError
from unbraid.host.media.paths import inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from unbraid.host.registry import Registry

RATE = 48_000
COMMAND = [sys.executable, "-c", "from unbraid.host.cli import main; main()"]
LATIN = os.fsdecode(b"caf\xe9")  # not UTF-8
NFC, NFD = unicodedata.normalize("NFC", "né"), unicodedata.normalize("NFD", "né")
assert NFC != NFD

#: One name each, and whether a file may have it. None may lead out of its folder.
NAMES: dict[str, bool] = {
    "take": True,
    "": False,
    ".": False,
    "..": False,
    "...": False,
    " ": False,
    ". .": False,
    "../take": False,
    "..\\take": True,  # one name here, whatever it is elsewhere
    "/take": False,
    "/etc/passwd": False,
    "//host/share": False,
    "a/b": False,
    "a/../../b": False,
    "a/": False,
    "./a": False,
    "a\0": False,
    "a\0/../b": False,
    "a\nb": False,
    "a\rb": False,
    "a\tb": False,
    "\x1b[2Ja": False,
    "a\x7f": False,
    "a\x9bb": False,  # a control sequence in one character
    "a\u2028b": False,
    "a\u2029b": False,
    "a\u202evaw": False,
    "a\u202ab": False,
    "a\u2066b": False,
    "a\u2069b": False,
    "\ud800": False,  # half a character
    "a" * 255: True,
    "a" * 256: False,
    "é" * 127: True,  # 254 bytes
    "é" * 128: False,
    "a" * 5000: False,
    NFC: True,
    NFD: True,
    LATIN: True,
    "-": True,
    "--help": True,
    "-o": True,
    "~": True,
    "~root": True,
    "$HOME": True,
    "*": True,
    "`id`": True,
    "a;b": True,
    "a|b": True,
    "con": True,
    "a:b": True,
    "concat:x": True,
    "file:x": True,
    "http:x": True,
    "pipe:1": True,
    "%s%n": True,
    "a.": True,
    "a ": True,
    " a": True,
    ".hidden": True,
    ".unbraid-0.partial": True,
    "👩‍👩‍👧": True,
    "नमस्ते": True,
}
#: Those that an input can have, since a file system can hold them.
ON_DISK = [name for name in NAMES if name and "/" not in name and "\0" not in name and name != "\ud800"]


def unity() -> Graph:
    graph = Graph()
    graph.output("out", graph.node("level", "gain", graph.input("mix")))
    return graph


def two_ears() -> Graph:
    graph = Graph()
    ears = graph.node("ears", "split", graph.input("mix"), layout="stereo")
    graph.output("left", ears["L"])
    graph.output("right", ears["R"])
    return graph


def sound(path: str | Path, form: str = "WAV") -> None:
    data = np.random.default_rng(3).uniform(-0.5, 0.5, (500, 2))
    with Path(path).open("wb") as file:  # soundfile itself can't write every name
        soundfile.write(file, data, RATE, format=form, subtype="PCM_16")


def everything(root: Path) -> dict[bytes, tuple[int, bytes]]:
    """Return all there is under a folder, by its path in bytes: its kind, and what it holds or leads to."""
    found: dict[bytes, tuple[int, bytes]] = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118 - bytes
            mode = os.lstat(path).st_mode
            held = b""
            if stat.S_ISREG(mode):
                held = Path(os.fsdecode(path)).read_bytes()
            elif stat.S_ISLNK(mode):
                held = os.readlink(path)  # noqa: PTH115 - bytes
            found[path] = (stat.S_IFMT(mode), held)
    return found


def names(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def attempt(root: Path, work: Callable[[], Any], expected: Path | None = None) -> str:
    """Do something that writes outputs; return its error, "" without one.

    Whatever it is, nothing that was there has changed. With an error nothing is new; without one, every new
    file is a regular one directly in ``expected``, the folder of the outputs.
    """
    before, error = everything(root), ""
    try:
        work()
    except UnbraidError as caught:
        error = str(caught)
        assert error
        assert len(error.splitlines()) == 1, error
        assert not any(unicodedata.category(letter) == "Cc" for letter in error.replace("\0", ""))
    after = everything(root)
    assert {path: after.get(path) for path in before} == before
    new = {path: kind for path, (kind, _) in after.items() if path not in before}
    if error:
        assert new == {}
        return error
    files = [path for path, kind in new.items() if kind != stat.S_IFDIR]
    assert files
    assert expected is not None
    for path in files:
        assert new[path] == stat.S_IFREG
        assert os.path.dirname(path) == os.fsencode(expected.resolve())  # noqa: PTH120 - bytes
    return ""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder within a folder, as the current one, with a sound in it."""
    place = tmp_path / "work" / "here"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    sound("in.wav")
    return place


# The function


def test_there_are_enough_strings() -> None:
    assert len(NAMES) >= 30
    assert sum(NAMES.values()) >= 10


@pytest.mark.parametrize("name", NAMES, ids=[ascii(name)[:40] for name in NAMES])
def test_a_name_is_a_file_directly_in_its_folder_or_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    def write() -> None:
        path = inside(folder, name)
        assert (path.parent, path.name) == (folder, name)
        path.write_bytes(b"x")

    error = attempt(tmp_path, write, folder)
    assert (error == "") is NAMES[name]
    if error:
        assert "is not a file name: " in error
        assert len(error) < 300, "however long the name is"
    else:
        assert names(folder) == [name]


@given(st.text(st.characters(categories=None), max_size=20))
@example("\udce9")
@example("\U000e0001")
def test_any_text_at_all_is_a_file_directly_in_its_folder_or_refused(name: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root).resolve() / "out"
        folder.mkdir()
        path, lines = None, []
        try:
            path = inside(folder, name)
        except MediaError as error:
            lines = str(error).splitlines()
        assert len(lines) == (path is None)
        if path is None:
            return
        path.write_bytes(b"x")
        assert names(folder) == [name]
        assert not set(name) & set("/\0\n\r\x1b\u2028\u202e")


# Names of inputs become names of outputs


@pytest.mark.parametrize("name", ON_DISK, ids=[ascii(name)[:40] for name in ON_DISK])
def test_the_outputs_of_an_input_of_any_name_lie_in_their_folder(
    here: Path, registry: Registry, name: str
) -> None:
    room = 255 - len(os.fsencode(name))
    if name in {".", ".."} or room < 0:
        assert not NAMES[name]  # no file can have it
        return
    source = f"{name}.wav" if room >= 4 else name
    sound(source)
    named = Path(source).stem
    error = attempt(here.parent, lambda: render(unity(), source, "o", registry=registry), here / "o")
    made = f"{named}.out.wav"
    too_long = len(os.fsencode(made)) > 255
    odd = not NAMES[name] and name.strip(". ") != ""
    assert (error != "") is (too_long or odd), error
    if error:
        assert "is not a file name: " in error
    else:
        assert names("o") == [made]


@pytest.mark.parametrize("form", ["FLAC", "AIFF", "OGG"])
@pytest.mark.parametrize("name", ["-", "--help.snd", "concat:x", "file:x", "http:x.snd", f"{LATIN}.snd", NFD])
def test_libraries_take_a_name_for_a_name(here: Path, registry: Registry, name: str, form: str) -> None:
    """libsndfile takes "-" for standard input, ffmpeg takes "concat:x" for a list."""
    data = np.random.default_rng(3).uniform(-0.5, 0.5, (500, 2))
    with Path("plain").open("wb") as file:
        soundfile.write(file, data, RATE, format=form, subtype=None if form == "OGG" else "PCM_16")
    Path("plain").rename(f"./{name}")
    source = f"./{name}" if name == "-" else name
    assert not attempt(here.parent, lambda: render(unity(), source, "o", registry=registry), here / "o")
    assert names("o") == [f"{Path(name).stem}.out.wav"]


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_folder_may_have_any_name_too(here: Path, registry: Registry, form: Any) -> None:
    options = RenderOptions(form=form)
    for name in (LATIN, "-x", "--help", "a:b", "http:", " ", "~", NFD, NFC, "a.", "d" * 255):
        folder = here / name / "o"
        work = partial(render, unity(), "in.wav", folder, registry=registry, options=options)
        done = attempt(here.parent, work, folder)
        assert not done
        assert names(folder) == [f"in.out.{form}"]


@pytest.mark.parametrize(
    "source", ["../here/in.wav", "./in.wav", "//in.wav", "d/../in.wav", "link", "../link"]
)
def test_where_an_input_lies_does_not_matter(here: Path, registry: Registry, source: str) -> None:
    (here / "d").mkdir()
    (here / "link").symlink_to("in.wav")
    (here.parent / "link").symlink_to(here / "in.wav")
    given = f"{here}/in.wav" if source == "//in.wav" else source
    assert not attempt(here.parent, lambda: render(unity(), given, "o", registry=registry), here / "o")
    assert names("o") == [f"{Path(source).stem}.out.wav"]


NO_INPUTS = [
    "", ".", "..", "/", "a\x00b", "a\nb.wav", "\x1b[2J.wav", "a\u202eb.wav", "x" * 300, "\ud800",
    f"{LATIN}.wav", "in.wav/x", "in.wav/..",
]  # fmt: skip


@pytest.mark.parametrize("source", NO_INPUTS, ids=lambda text: ascii(text)[:40])
def test_an_input_that_cannot_be_is_refused_in_one_line(here: Path, registry: Registry, source: str) -> None:
    assert attempt(here.parent, lambda: render(unity(), source, "o", registry=registry))


def test_a_damaged_file_with_a_line_break_in_its_name_is_one_line(here: Path, registry: Registry) -> None:
    name = "a\nunbraid: all is well\n.wav"
    Path(name).write_bytes(Path("in.wav").read_bytes()[:1000])
    error = attempt(here.parent, lambda: render(unity(), name, "o", registry=registry))
    assert error.startswith("a\\nunbraid: all is well\\n.wav: declares 500 samples")


def test_twins_that_look_alike_stay_two(here: Path, registry: Registry) -> None:
    for k, name in enumerate((NFC, NFD)):
        soundfile.write(f"{name}.wav", np.full((10, 1), (k + 1) / 4), RATE)
    for name in (NFC, NFD):
        render(unity(), f"{name}.wav", "o", registry=registry)
    assert names("o") == sorted([f"{NFC}.out.wav", f"{NFD}.out.wav"])
    for k, name in enumerate((NFC, NFD)):
        assert abs(soundfile.read(f"o/{name}.out.wav")[0][0] - (k + 1) / 4) < 1e-4  # dither


@pytest.mark.parametrize(("stem", "fits"), [(247, True), (248, False)])
@pytest.mark.parametrize("letter", ["x", "é"])
def test_an_output_may_have_255_bytes(
    here: Path, registry: Registry, stem: int, letter: str, fits: bool
) -> None:
    """``.out.wav`` takes eight."""
    name = (letter * stem).encode()[: stem // len(letter.encode()) * len(letter.encode())].decode()
    name += "x" * (stem - len(name.encode()))
    sound(f"{name}.wav")
    error = attempt(here.parent, lambda: render(unity(), f"{name}.wav", "o", registry=registry), here / "o")
    assert (error == "") is fits
    assert fits or "File name too long: it has 256 bytes of at most 255" in error


# Names of outputs in a graph


@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if name != "take"],
    ids=[ascii(name)[:40] for name in NAMES if name != "take"],
)
def test_a_graph_names_its_outputs_with_plain_words_alone(here: Path, registry: Registry, name: str) -> None:
    """JSON is YAML, and can write any text."""
    text = json.dumps({"unbraid": 1, "nodes": {"a": {"use": "gain", "from": "mix"}}, "outputs": {name: "a"}})
    Path("graph.yaml").write_text(text)
    plain = name in {"con", "a" * 64}
    error = attempt(here.parent, lambda: render("graph.yaml", "in.wav", "o", registry=registry), here / "o")
    assert (error == "") is plain
    if not plain:
        with pytest.raises(GraphError):
            render("graph.yaml", "in.wav", "o", registry=registry)


# -o


FOLDERS = [
    "o", "./o", "o/", "a/b/c", "..", "../o", "../../work/o", "a/../o", "", ".", "link", "link/new", "/o",
    "-x", "--help", "~", "$HOME", " ", "o.", "o ", "http:o", "file:o", NFC, NFD, LATIN, "x" * 255,
]  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda text: ascii(text)[:40])
def test_files_lie_directly_in_the_folder_that_was_asked_for(
    here: Path, registry: Registry, folder: str
) -> None:
    (here / "a").mkdir()
    (here.parent / "elsewhere").mkdir()
    (here / "link").symlink_to("../elsewhere")
    asked = str(here) + folder if folder.startswith("/") else folder
    done = attempt(here.parent, lambda: render(two_ears(), "in.wav", asked, registry=registry), here / asked)
    assert not done
    assert {"in.left.wav", "in.right.wav"} <= set(names(asked))


NO_FOLDERS = [
    "a\x00b", "x" * 256, "y/" + "x" * 256, "in.wav", "in.wav/o", "in.wav/..", "loop", "loop/o", "dangling",
    "\ud800", "a\n" + "x" * 300, "/proc/o", "x/" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("folder", NO_FOLDERS, ids=lambda text: ascii(text)[:40])
def test_a_folder_that_cannot_be_is_refused_in_one_line(here: Path, registry: Registry, folder: str) -> None:
    (here / "loop").symlink_to("loop")
    (here / "dangling").symlink_to("nowhere/at/all")
    error = attempt(here.parent, lambda: render(unity(), "in.wav", folder, registry=registry))
    assert error


# --to NAME=FILE


PLACES = [
    "x.wav", "./x.wav", "../x.wav", "../../work/x.wav", "d/x.wav", "d/../x.wav", "link/x.wav", "/x.wav",
    "x", "./-", "--help.wav", "concat:x", "file:x.wav", "http:x.wav", "x.", "x ", " x", "~", NFC, NFD,
    LATIN, "x" * 255, "x.wav/",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=lambda text: ascii(text)[:40])
def test_an_output_with_a_place_of_its_own_lies_there(here: Path, registry: Registry, place: str) -> None:
    (here / "d").mkdir()
    (here.parent / "elsewhere").mkdir()
    (here / "link").symlink_to("../elsewhere")
    asked = str(here) + place if place.startswith("/") else place
    done = attempt(
        here.parent,
        lambda: render(unity(), "in.wav", to={"out": asked}, registry=registry),
        (here / asked).parent,
    )
    assert not done
    assert soundfile.info(os.fsencode(here / asked)).frames == 500


NO_PLACES = [
    "a\x00b", "x" * 256, "nowhere/x.wav", "in.wav/x.wav", ".", "..", "/", "d", "d/", "d/.", "\ud800",
    "loop/x", "a\n/x.wav", "in.wav", "./in.wav", "../here/in.wav", "x/" * 3000 + "y",
]  # fmt: skip


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("place", NO_PLACES, ids=lambda text: ascii(text)[:40])
def test_a_place_that_cannot_be_is_refused_in_one_line(
    here: Path, registry: Registry, place: str, overwrite: bool
) -> None:
    (here / "d").mkdir()
    (here / "loop").symlink_to("loop")
    options = RenderOptions(overwrite=overwrite)
    error = attempt(
        here.parent,
        lambda: render(unity(), "in.wav", to={"out": place}, registry=registry, options=options),
    )
    assert error


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "second", ["x.wav", "./x.wav", "d/../x.wav", "../here/x.wav", "link/x.wav", "folder"]
)
def test_two_outputs_never_share_a_place(
    here: Path, registry: Registry, second: str, overwrite: bool
) -> None:
    (here / "d").mkdir()
    (here / "link").symlink_to(here)
    to, folder = {"left": "x.wav", "right": second}, None
    if second == "folder":
        to, folder = {"right": "in.left.wav"}, "."
    options = RenderOptions(overwrite=overwrite)
    error = attempt(
        here.parent,
        lambda: render(two_ears(), "in.wav", folder, to=to, registry=registry, options=options),
    )
    assert "left" in error
    assert "right" in error
    assert "give each a file" in error


# What stands in an output's place already

LINKS = ["a file", "nothing", "a folder", "itself", "the input", "a device", "a FIFO", "an output's link"]


def link(here: Path, place: Path, kind: str) -> None:
    targets = {
        "a file": here / "precious",
        "nothing": here / "missing",
        "a folder": here / "folder",
        "itself": place,
        "the input": here / "in.wav",
        "a device": Path("/dev/null"),
        "a FIFO": here / "fifo",
        "an output's link": here / "second",
    }
    (here / "precious").write_text("mine")
    (here / "folder").mkdir()
    os.mkfifo(here / "fifo")
    (here / "second").symlink_to(here / "precious")
    place.symlink_to(targets[kind])


@pytest.mark.parametrize("form", ["wav", "flac", "s16le"])
@pytest.mark.timeout(60)  # whoever writes into the FIFO waits for a reader
@pytest.mark.parametrize("kind", LINKS)
def test_a_link_in_an_outputs_place_is_never_written_through(
    here: Path, registry: Registry, kind: str, form: Any
) -> None:
    place = here / "o" / f"in.out.{form}"
    place.parent.mkdir()
    link(here, place, kind)
    options = RenderOptions(form=form)
    error = attempt(here.parent, lambda: render(unity(), "in.wav", "o", registry=registry, options=options))
    assert str(place.relative_to(here)) in error
    assert "exists already" in error or (kind == "the input" and "is an input of this render" in error)


@pytest.mark.parametrize("form", ["wav", "flac", "s16le"])
@pytest.mark.timeout(60)  # whoever writes into the FIFO waits for a reader
@pytest.mark.parametrize("kind", LINKS)
def test_a_link_in_an_outputs_place_is_replaced_itself_when_asked(
    here: Path, registry: Registry, kind: str, form: Any
) -> None:
    place = here / "o" / f"in.out.{form}"
    place.parent.mkdir()
    link(here, place, kind)
    before = everything(here.parent)
    options = RenderOptions(form=form, overwrite=True)
    if kind == "the input":
        error = attempt(
            here.parent, lambda: render(unity(), "in.wav", "o", registry=registry, options=options)
        )
        assert "is an input of this render" in error
        return
    render(unity(), "in.wav", "o", registry=registry, options=options)
    after = everything(here.parent)
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed == {os.fsencode(place)}
    assert stat.S_ISREG(place.lstat().st_mode)
    assert len(place.read_bytes()) >= 500


@pytest.mark.parametrize("kind", ["a file", "nothing", "a folder", "itself"])
def test_a_link_that_was_named_is_not_written_through_either(
    here: Path, registry: Registry, kind: str
) -> None:
    place = here / "out.wav"
    link(here, place, kind)
    assert "exists already" in attempt(
        here.parent, lambda: render(unity(), "in.wav", to={"out": "out.wav"}, registry=registry)
    )
    before = everything(here.parent)
    options = RenderOptions(overwrite=True)
    render(unity(), "in.wav", to={"out": "out.wav"}, registry=registry, options=options)
    after = everything(here.parent)
    assert {path for path in before | after if before.get(path) != after.get(path)} == {os.fsencode(place)}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_in_an_outputs_place_is_refused_before_any_work(
    here: Path, registry: Registry, overwrite: bool, full: bool
) -> None:
    """The other output, which could be replaced, is not touched either."""
    place = here / "o" / "in.right.wav"
    place.mkdir(parents=True)
    if full:
        (place / "precious").write_text("mine")
    if overwrite:
        (here / "o" / "in.left.wav").write_text("from yesterday")
    seen: list[int] = []
    options = RenderOptions(overwrite=overwrite)

    def work() -> None:
        render(
            two_ears(),
            "in.wav",
            "o",
            registry=registry,
            options=options,
            progress=lambda done, _: seen.append(done),
        )

    error = attempt(here.parent, work)
    assert "o/in.right.wav" in error
    assert ("is a folder" if overwrite else "exists already") in error
    assert seen == []


# The command line


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_the_command_line_prints_any_name(here: Path) -> None:
    """Strict output cannot encode a name that isn't UTF-8; the files are complete by then."""
    Path("graph.yaml").write_text(unity().to_yaml())
    sound(f"{LATIN}.wav")
    for more in ([], ["--json"]):
        done = run(
            "render",
            "graph.yaml",
            f"{LATIN}.wav",
            "-o",
            "o",
            "--overwrite",
            *more,
            PYTHONIOENCODING="utf-8:strict",
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"caf\\udce9.out.wav" in done.stdout
    assert names("o") == [f"{LATIN}.out.wav"]


def test_the_command_line_takes_names_for_names_and_tells_in_one_line(here: Path) -> None:
    Path("graph.yaml").write_text(unity().to_yaml())
    sound("--help.wav")
    done = run("render", "graph.yaml", "-o", "o", "--", "--help.wav")
    assert done.returncode == 0, done.stderr
    done = run("render", "graph.yaml", "in.wav", "--to", "out=./-")
    assert done.returncode == 0, done.stderr
    assert soundfile.info(here / "-").frames == 500
    done = run("render", "graph.yaml", "a\nb.wav", "-o", "p")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().splitlines() == [
        "unbraid: a\\nb.wav: cannot be read: No such file or directory; check path and rights"
    ]
    assert names(".") == ["-", "--help.wav", "graph.yaml", "in.wav", "o"]
    assert names("o") == ["--help.out.wav"]
