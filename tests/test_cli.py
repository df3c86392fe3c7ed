"""The command line: one clear line for what is wrong, an exit code, and nothing left half done."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from command_rig import Done, Unbraid
from unbraid import Graph, open_stream

if TYPE_CHECKING:
    from collections.abc import Callable

Array = npt.NDArray[Any]
RATE = 48_000
COMMAND = [sys.executable, "-c", "from unbraid.host.cli import main; main()"]
HALF = """\
unbraid: 1
nodes:
  half: {use: gain, from: mix, params: {gain: -6.0206}}
outputs:
  out: half
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a graph and a recording, as the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "half.yaml").write_text(HALF)
    wav("in.wav")
    return tmp_path


def noise(samples: int = 20_000, channels: int = 2) -> Array:
    return np.random.default_rng(13).uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)


def wav(name: str | Path, data: Array | None = None, subtype: str = "FLOAT") -> None:
    soundfile.write(name, noise() if data is None else data, RATE, subtype=subtype)


def read(name: str | Path) -> Array:
    data: Array = soundfile.read(name, dtype="float32", always_2d=True)[0]
    return data


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Rendering


def test_render_names_each_file_after_input_and_output(here: Path, unbraid: Unbraid) -> None:
    wav("a take.2.wav")
    done = unbraid("render", "dewind", "a take.2.wav", "-o", "out")
    assert (done.code, done.err) == (0, "")
    assert listing(here / "out") == ["a take.2.clean.wav", "a take.2.wind.wav"]
    for name in listing(here / "out"):
        assert f"out/{name}  stereo {RATE} Hz FLOAT" in done.out


def test_render_does_what_the_graph_file_says(here: Path, unbraid: Unbraid) -> None:
    assert unbraid("render", "half.yaml", "in.wav", "-o", "out").code == 0
    np.testing.assert_allclose(read("out/in.out.wav"), noise() / 2, atol=1e-6)


def test_set_changes_a_parameter(here: Path, unbraid: Unbraid) -> None:
    done = unbraid("render", "half.yaml", "in.wav", "-o", "out", "--set", "half.gain=-20")
    assert done.code == 0
    np.testing.assert_allclose(read("out/in.out.wav"), noise() / 10, atol=1e-6)


def test_named_inputs_and_options_reach_the_render(here: Path, unbraid: Unbraid) -> None:
    wav("other.wav", noise()[::-1])
    graph = Graph()
    node = graph.node("minus", "subtract", graph.input("a"), graph.input("b"))
    graph.output("out", graph.node("echo", "delay", node, samples=100))
    Path("two.yaml").write_text(graph.to_yaml())
    arguments = ["two.yaml", "--input", "b=other.wav", "--input", "a=in.wav", "-o", "out"]
    done = unbraid("render", *arguments, "--tails", "--format", "flac", "--subtype", "PCM_24", "--block", "7")
    assert (done.code, done.err) == (0, "")
    info = soundfile.info("out/in.out.flac")
    assert (info.format, info.subtype, info.frames) == ("FLAC", "PCM_24", 20_100)
    expected = noise() - noise()[::-1]
    np.testing.assert_allclose(read("out/in.out.flac")[100:], expected, atol=2.0**-23)


def test_a_file_given_by_name_and_by_place_is_refused(here: Path, unbraid: Unbraid) -> None:
    done = unbraid("render", "half.yaml", "in.wav", "--input", "mix=in.wav", "-o", "out")
    assert done.code == 2
    assert "'mix' is given twice" in done.err


def test_an_existing_output_is_replaced_only_when_asked(here: Path, unbraid: Unbraid) -> None:
    Path("in.out.wav").write_text("mine")
    refused = unbraid("render", "half.yaml", "in.wav", "-o", ".")
    assert refused.code == 1
    assert Path("in.out.wav").read_text() == "mine"
    assert unbraid("render", "half.yaml", "in.wav", "-o", ".", "--overwrite").code == 0
    assert soundfile.info("in.out.wav").frames == 20_000


def test_clipped_samples_are_told(here: Path, unbraid: Unbraid) -> None:
    data = np.zeros((100, 1), np.float32)
    data[[3, 50]] = 0.9
    wav("in.wav", data, "PCM_16")
    done = unbraid("render", "half.yaml", "in.wav", "-o", "out", "--set", "half.gain=6")
    assert "PCM_16, 0.002 s, 2 samples clipped" in done.out


def test_replaced_samples_are_told(here: Path, unbraid: Unbraid) -> None:
    data = noise()
    data[[3, 5, 9], 1] = np.nan
    wav("in.wav", data)
    done = unbraid("render", "half.yaml", "in.wav", "-o", "out", "--non-finite", "zero")
    assert done.code == 0
    assert done.err == "3 non-finite input samples were replaced by zero\n"


def test_render_shows_its_progress_on_a_terminal_only(
    here: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unbraid("render", "half.yaml", "in.wav", "-o", "quiet").err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    done = unbraid("render", "half.yaml", "in.wav", "-o", "out")
    assert done.code == 0
    assert "100%" in done.err


def test_json_is_one_object_about_the_render(here: Path, unbraid: Unbraid) -> None:
    done = unbraid("render", "half.yaml", "in.wav", "-o", "out", "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert report["outputs"] == [
        {
            "name": "out",
            "path": "out/in.out.wav",
            "format": "wav",
            "rate": RATE,
            "layout": "stereo",
            "length": 20_000,
            "subtype": "FLOAT",
            "clipped": 0,
        }
    ]
    assert report["inputs"] == {
        "mix": {
            "path": "in.wav",
            "format": "WAV",
            "rate": RATE,
            "layout": "stereo",
            "length": 20_000,
            "subtype": "FLOAT",
            "salvaged": None,
            "metadata": {},
        }
    }
    assert report["programme_seconds"] == 20_000 / RATE


# What is wrong is said in one line


class Bad(NamedTuple):
    """A wrong request: what to prepare, the arguments, the exit code, what the line must say."""

    prepare: Callable[[], object]
    arguments: str
    code: int
    says: tuple[str, ...]


def _nothing() -> None:
    pass


def _graph(text: str) -> Callable[[], object]:
    return lambda: Path("graph.yaml").write_text(text)


def _nodes(nodes: str, outputs: str = "out: a") -> Callable[[], object]:
    return _graph(f"unbraid: 1\nnodes:\n{nodes}outputs: {{{outputs}}}\n")


def _with_nan() -> None:
    data = noise()
    data[4321, 1] = np.nan
    wav("in.wav", data)


def _mono_and_split() -> None:
    wav("in.wav", noise(channels=1))
    _nodes("  a: {use: split, from: mix}\n", "out: a.L")()


def _taken() -> None:
    Path("o").mkdir()
    Path("o/in.out.wav").touch()


_RENDER = "render graph.yaml in.wav -o out"
_ALIASES = "x0: &x0 [a, a, a, a, a, a, a, a, a]\n" + "".join(
    f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
BAD = {
    "missing file": Bad(_nothing, "render half.yaml gone.wav -o out", 1, ("gone.wav", "No such file")),
    "folder as file": Bad(_nothing, "render half.yaml . -o out", 1, (".: is a folder",)),
    "text as file": Bad(_nothing, "render half.yaml half.yaml -o out", 1, ("half.yaml", "not a sound file")),
    "no samples": Bad(
        lambda: wav("in.wav", noise(0)), "render half.yaml in.wav -o out", 1, ("in.wav", "no samples")
    ),
    "NaN in the input": Bad(
        _with_nan, "render half.yaml in.wav -o out", 1, ("in.wav: sample 4321", "--non-finite zero")
    ),
    "wrong layout": Bad(
        _mono_and_split,
        _RENDER,
        2,
        ("graph.yaml:3: nodes.a", "stereo", "mono"),
    ),
    "wrong number of channels": Bad(
        _graph("unbraid: 1\ninputs: {mix: '5.1'}\nnodes:\n  a: {use: gain, from: mix}\noutputs: {out: a}\n"),
        _RENDER,
        2,
        ("graph.yaml:2: inputs.mix", "5.1", "stereo (2 channels)", "give another file"),
    ),
    "unknown plugin": Bad(
        _nodes("  a: {use: gian, from: mix}\n"),
        _RENDER,
        2,
        ("graph.yaml:3: nodes.a.use", "'gian'", "did you mean 'gain'?"),
    ),
    "unknown parameter": Bad(
        _nodes("  a: {use: gain, from: mix, params: {gian: 3}}\n"),
        _RENDER,
        2,
        ("graph.yaml:3: nodes.a.params.gian", "'gian'", "did you mean 'gain'?"),
    ),
    "value out of bounds": Bad(
        _nodes("  a:\n    use: gain\n    from: mix\n    params:\n      gain: 99\n"),
        _RENDER,
        2,
        ("graph.yaml:7: nodes.a.params.gain", "99", "-120 to 60 dB"),
    ),
    "value of the wrong kind": Bad(
        _nodes("  a: {use: gain, from: mix, params: {gain: loud}}\n"),
        _RENDER,
        2,
        ("graph.yaml:3: nodes.a.params.gain", "'loud'", "number"),
    ),
    "cycle": Bad(
        _nodes("  a: {use: subtract, from: [mix, b]}\n  b: {use: gain, from: a}\n"),
        _RENDER,
        2,
        ("graph.yaml:", "cycle", "a -> b -> a"),
    ),
    "unused node": Bad(
        _nodes("  a: {use: gain, from: mix}\n  b: {use: gain, from: a}\n"),
        _RENDER,
        2,
        ("graph.yaml:4: nodes.b", "reaches no output", "connect it or delete it"),
    ),
    "unknown source": Bad(
        _nodes("  first: {use: gain, from: mix}\n  a: {use: gain, from: frist}\n"),
        _RENDER,
        2,
        ("graph.yaml:4: nodes.a.from", "'frist'", "did you mean 'first'?"),
    ),
    "malformed YAML": Bad(_graph("unbraid: 1\nnodes: {a: [\n"), _RENDER, 2, ("not valid YAML",)),
    "not UTF-8": Bad(
        lambda: Path("graph.yaml").write_bytes(b"\xff\xfe\xfa"), _RENDER, 2, ("graph.yaml", "UTF-8")
    ),
    "a sound as graph": Bad(_nothing, "render in.wav in.wav -o out", 2, ("in.wav", "is not UTF-8")),
    "too long": Bad(_graph("# long\n" * 200_000), _RENDER, 2, ("graph.yaml", "more than 1048576 bytes")),
    "too deep": Bad(_graph("unbraid: 1\nnodes: " + "[" * 5000), _RENDER, 2, ("graph.yaml:2", "deeper")),
    "too many aliases": Bad(_graph(_ALIASES), _RENDER, 2, ("graph.yaml:", "aliases")),
    "unknown graph": Bad(_nothing, "render dewnd in.wav -o out", 2, ("dewnd", "ready-made: ", "dewind")),
    "missing graph": Bad(_nothing, "render gone.yaml in.wav -o out", 2, ("gone.yaml", "No such file")),
    "output that exists": Bad(
        _taken,
        "render half.yaml in.wav -o o",
        1,
        ("o/in.out.wav", "exists already", "--overwrite"),
    ),
    "folder that is a file": Bad(
        _nothing, "render half.yaml in.wav -o half.yaml", 1, ("half.yaml", "is a file", "folder")
    ),
    "no input": Bad(_nothing, "render half.yaml -o out", 2, ("half.yaml", "no input is given")),
    "no folder": Bad(
        _nothing,
        "render half.yaml in.wav",
        2,
        ("the output out has no place", "-o DIR", "--to NAME=FILE"),
    ),
    "unknown option": Bad(
        _nothing, "render half.yaml in.wav -o out --overwite", 2, ("--overwite", "--overwrite")
    ),
    "unknown command": Bad(_nothing, "rendr half.yaml", 2, ("rendr", "unbraid --help")),
    "set: form": Bad(
        _nothing, "render half.yaml in.wav -o out --set half", 2, ("'half'", "NODE.PARAM=VALUE")
    ),
    "set: node": Bad(
        _nothing,
        "render half.yaml in.wav -o out --set hafl.gain=1",
        2,
        ("half.yaml", "'hafl'", "did you mean 'half'?"),
    ),
    "set: parameter": Bad(
        _nothing,
        "render half.yaml in.wav -o out --set half.gian=1",
        2,
        ("half.yaml", "'gian'", "did you mean 'gain'?"),
    ),
    "set: value": Bad(
        _nothing, "render half.yaml in.wav -o out --set half.gain=600", 2, ("600", "-120 to 60 dB")
    ),
    "set: choice": Bad(
        _nodes("  a: {use: highpass, from: mix}\n"), _RENDER + " --set a.slope=13", 2, ("13", "6, 12, 24, 48")
    ),
    "set: malformed": Bad(
        _nothing, "render half.yaml in.wav -o out --set half.gain=[1", 2, ("half.gain", "not valid YAML")
    ),
    "input: form": Bad(_nothing, "render half.yaml --input in.wav -o out", 2, ("'in.wav'", "NAME=FILE")),
    "input: name": Bad(
        _nothing,
        "render half.yaml in.wav --input mxi=in.wav -o out",
        2,
        ("half.yaml", "'mxi'", "did you mean 'mix'?"),
    ),
    "FLAC of floats": Bad(
        _nothing, "render half.yaml in.wav -o out --format flac", 1, ("in.out.flac", "FLOAT", "PCM_24")
    ),
    "unknown plugin shown": Bad(_nothing, "plugins show wnd", 2, ("'wnd'", "did you mean 'wind'?")),
    "unknown layout": Bad(_nothing, "graph check half.yaml --layout setreo", 2, ("did you mean 'stereo'?",)),
    "picture that exists": Bad(
        _nothing, "graph draw half.yaml -o half.yaml", 1, ("half.yaml", "exists already", "--overwrite")
    ),
    "picture nowhere": Bad(_nothing, "graph draw half.yaml -o gone/a.svg", 1, ("gone/a.svg", "No such file")),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_in_one_line(here: Path, unbraid: Unbraid, case: str) -> None:
    bad = BAD[case]
    bad.prepare()
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
    done = unbraid(*bad.arguments.split())
    assert done.code == bad.code
    assert done.out == ""
    assert done.err.startswith("unbraid: ")
    assert len(done.err.splitlines()) == 1, done.err
    assert len(done.err) < 600
    for part in bad.says:
        assert part in done.err
    assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == before


@pytest.mark.parametrize(
    "case", [case for case, bad in BAD.items() if not bad.arguments.startswith("graph draw")]
)
def test_with_json_it_is_one_object(here: Path, unbraid: Unbraid, case: str) -> None:
    bad = BAD[case]
    bad.prepare()
    done = unbraid(*bad.arguments.split(), "--json")
    assert (done.code, done.err) == (bad.code, "")
    error = json.loads(done.out)["error"]
    assert set(error) == {"kind", "message", "problems"}
    for part in bad.says:
        assert part in error["message"]


def test_several_problems_are_told_at_once_one_a_line(here: Path, unbraid: Unbraid) -> None:
    Path("graph.yaml").write_text(
        "unbraid: 1\nnodes:\n  a: {use: gian, from: mix}\n  b: {use: gain, from: a, params: {gain: 99}}\n"
        "outputs: {out: c}\n"
    )
    done = unbraid("render", "graph.yaml", "in.wav", "-o", "out")
    assert done.code == 2
    places = [re.match(r"unbraid: graph\.yaml:(\d+): ", line) for line in done.err.splitlines()]
    assert [place and place[1] for place in places] == ["3", "4", "5"]
    done = unbraid("graph", "check", "graph.yaml", "--json")
    assert len(json.loads(done.out)["error"]["problems"]) == 3


# Plugins of strangers, found through their package's metadata

_THIRD = """
import time
from typing import Annotated
import numpy as np
from unbraid.host.contract import BlockProcessor, Params, PluginCard, hookimpl, param

class P(Params, frozen=True):
    at: Annotated[int, param("raise here; -1 never", ge=-1, fixed=True)] = -1
    nap: Annotated[float, param("sleep each block", unit="s", ge=0, fixed=True)] = 0.0

class Touchy(BlockProcessor[P]):
    seen = 0
    def process(self, ins, outs):
        time.sleep(self.params.nap)
        outs["out"][:] = -ins["in"]
        self.seen += ins["in"].shape[1]
        if 0 <= self.params.at < self.seen:
            raise ValueError("I do not like\\nthis sample")

@hookimpl
def unbraid_cards():
    return [PluginCard(id="touchy", name="Touchy", version="1", licence="MIT", doc="Turns it upside down.",
                       factory="stranger_dsp:Touchy", params=P)]
"""
_TOUCHY = "unbraid: 1\nnodes:\n  t: {use: touchy, from: mix}\noutputs: {out: t}\n"


def _package(folder: Path, name: str, module: str, code: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[unbraid.plugins]\n{name} = {module}\n")


@pytest.fixture
def stranger(here: Path) -> Path:
    """A package beside the recording that brings the plugin `touchy`."""
    _package(here / "site", "stranger", "stranger_dsp", _THIRD)
    (here / "touchy.yaml").write_text(_TOUCHY)
    return here / "site"


def _environment(site: Path, **more: str) -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": paths, **more}


def _outside(site: Path, *arguments: str, **more: str) -> Done:
    """Run the command line in a process of its own, with the packages in ``site``."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, env=_environment(site, **more)
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_strangers_plugin_is_found_and_used(stranger: Path) -> None:
    done = _outside(stranger, "plugins", "list")
    assert "Turns it upside down.  [stranger]" in done.out
    done = _outside(stranger, "render", "touchy.yaml", "in.wav", "-o", "out")
    assert (done.code, done.err) == (0, "")
    np.testing.assert_array_equal(read("out/in.out.wav"), -noise())


def test_strangers_plugins_can_be_switched_off(stranger: Path) -> None:
    done = _outside(stranger, "render", "touchy.yaml", "in.wav", "-o", "out", UNBRAID_THIRD_PARTY="0")
    assert done.code == 2
    assert re.fullmatch(r"unbraid: touchy\.yaml:3: nodes\.t\.use: unknown plugin 'touchy'.*\n", done.err)
    done = _outside(stranger, "doctor", UNBRAID_THIRD_PARTY="0")
    assert "third-party plugins switched off" in done.out


def test_a_plugin_that_raises_in_the_middle_is_one_line_and_no_file(stranger: Path) -> None:
    arguments = ["render", "touchy.yaml", "in.wav", "-o", "out", "--set", "t.at=12345", "--block", "1000"]
    done = _outside(stranger, *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "unbraid: touchy.yaml:3: nodes.t: node 't' (touchy) failed at sample 12000: "
        "ValueError: I do not like this sample\n"
    )
    assert not Path("out").exists()
    done = _outside(stranger, *arguments, "--json")
    assert (done.code, done.err) == (1, "")
    assert json.loads(done.out)["error"]["kind"] == "NodeError"


def test_a_broken_package_does_not_take_the_others_down(stranger: Path) -> None:
    _package(stranger, "broken", "broken_dsp", "import a_module_that_does_not_exist\n")
    healthy = _outside(stranger, "doctor", UNBRAID_THIRD_PARTY="0")
    assert (healthy.code, "every plugin loaded" in healthy.out) == (0, True)
    done = _outside(stranger, "doctor")
    assert done.code == 1
    line = next(line for line in done.out.splitlines() if line.startswith("not loaded"))
    assert "broken" in line
    assert "a_module_that_does_not_exist" in line
    assert "touchy" in done.out
    done = _outside(stranger, "doctor", "--json")
    assert (done.code, len(json.loads(done.out)["faults"])) == (1, 1)
    done = _outside(stranger, "render", "touchy.yaml", "in.wav", "-o", "out")
    assert done.code == 0
    assert done.err.startswith("warning: plugin not loaded: broken")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_a_long_render_with_130_and_leaves_nothing(
    stranger: Path, number: signal.Signals
) -> None:
    arguments = ["touchy.yaml", "in.wav", "-o", "a/b", "--set", "t.nap=0.05", "--block", "100"]  # ten seconds
    process = subprocess.Popen(
        [*COMMAND, "render", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(stranger),
    )
    for _ in count():
        if list(Path().glob("a/b/.unbraid-*.partial")):
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=8)
    assert process.returncode == 130
    assert (out, err) == ("", "unbraid: cancelled; nothing was left behind\n")
    assert not Path("a").exists()


# A pipe that nobody reads any more


@pytest.mark.parametrize("arguments", [["plugins", "list"], ["--help"], ["doctor", "--json"]])
def test_a_closed_pipe_ends_quietly(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_closed_standard_output_is_no_fault() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *COMMAND, "plugins", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# Light on its feet

_HEAVY = ["numba", "scipy", "torch", "soundfile", "soxr", "rich", "matplotlib"]
_WATCH = f"""
import sys
try:
    %s
finally:
    heavy = [name for name in {_HEAVY!r} if name in sys.modules]
    assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "code",
    [
        "import unbraid; unbraid.__version__",
        "import unbraid.host.contract",
        *(
            f"from unbraid.host.cli import main; main({arguments!r})"
            for arguments in (
                ["--help"],
                ["plugins", "list"],
                ["plugins", "show", "wind"],
                ["render", "--help"],
            )
        ),
    ],
)
def test_what_must_be_quick_imports_nothing_heavy(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WATCH % code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "UNBRAID_THIRD_PARTY": "0"},
    )
    assert (done.returncode, done.stderr) == (0, "")


# Looking around


def test_help_names_every_command(unbraid: Unbraid) -> None:
    done = unbraid("--help")
    assert done.code == 0
    for command in ("render", "plugins", "graph", "demo", "doctor"):
        assert re.search(rf"^  {command} ", done.out, re.MULTILINE)
        assert unbraid(command, "--help").code == 0


def test_without_a_command_it_helps(unbraid: Unbraid) -> None:
    done = unbraid()
    assert "Usage: unbraid" in done.out + done.err


def test_the_version_is_the_packages(unbraid: Unbraid) -> None:
    from importlib.metadata import version

    assert version("unbraid") in unbraid("--version").out


def test_plugins_are_listed_and_shown_with_bounds_and_units(unbraid: Unbraid) -> None:
    done = unbraid("plugins", "list")
    assert {"gain", "wind"} <= {line.split()[0] for line in done.out.splitlines()}
    rows = json.loads(unbraid("plugins", "list", "--json").out)["plugins"]
    assert len(rows) == len(done.out.splitlines())
    shown = unbraid("plugins", "show", "gain").out
    for part in ("gain = 0.0", "-120 to 60 dB", "MIT", "in   in", "out  out"):
        assert part in shown
    data = json.loads(unbraid("plugins", "show", "wind", "--json").out)
    assert [port["name"] for port in data["outputs"]] == ["clean", "wind"]


def test_doctor_finds_nothing_wrong_here(unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBRAID_THIRD_PARTY", "0")
    done = unbraid("doctor")
    assert (done.code, done.err) == (0, "")
    for part in ("every plugin loaded", soundfile.__libsndfile_version__, np.__version__, "dewind"):
        assert part in done.out
    data = json.loads(unbraid("doctor", "--json").out)
    assert data["faults"] == []
    assert "gain" in data["plugins"]


def test_demo_makes_a_scene_whose_stems_sum_to_it(here: Path, unbraid: Unbraid) -> None:
    done = unbraid("demo", "-o", "d")
    assert (done.code, done.err) == (0, "")
    assert listing(here / "d") == ["scene.clean.wav", "scene.wav", "scene.wind.wav"]
    scene, clean, wind = (
        soundfile.read(f"d/scene{name}.wav", dtype="int32")[0].astype(np.int64) >> 8
        for name in ("", ".clean", ".wind")
    )
    assert scene.shape == clean.shape == wind.shape
    assert np.abs(clean + wind - scene).max() <= 2  # each stem is rounded to 24 bits
    assert min(np.abs(part).max() for part in (scene, clean, wind)) > 2**16


def test_demo_replaces_files_only_when_asked(here: Path, unbraid: Unbraid) -> None:
    Path("scene.wav").write_text("mine")
    done = unbraid("demo", "-o", ".")
    assert done.code == 1
    assert "scene.wav: exists already" in done.err
    assert Path("scene.wav").read_text() == "mine"
    assert unbraid("demo", "-o", ".", "--overwrite").code == 0
    assert soundfile.info("scene.clean.wav").frames == soundfile.info("scene.wav").frames


# Graphs


def test_check_says_what_a_good_graph_runs_over(here: Path, unbraid: Unbraid) -> None:
    done = unbraid("graph", "check", "half.yaml", "--input", "in.wav")
    assert (done.code, done.err) == (0, "")
    for part in ("half.yaml", "good", "mix stereo", "48000 Hz"):
        assert part in done.out
    data = json.loads(unbraid("graph", "check", "dewind", "--rate", "44100", "--json").out)
    assert (data["rate"], data["problems"]) == (44_100, [])


def _two_branches() -> Graph:
    """A graph whose dry branch is held back to meet the wind filter's output."""
    graph = Graph()
    mix = graph.input("mix", "stereo")
    filtered = graph.node("windfree", "wind", mix)
    graph.output("both", graph.node("sum_more", "mix", mix, filtered["clean"]))
    graph.output("blown", filtered["wind"])
    return graph


def test_draw_shows_every_node_and_each_edges_latency_rate_and_layout(here: Path, unbraid: Unbraid) -> None:
    Path("two.yaml").write_text(_two_branches().to_yaml())
    with open_stream(_two_branches(), rate=44_100) as stream:
        latency = stream.latency["both"]
    assert latency > 0
    edges = {  # target and port: source, latency on arrival, of which held back
        ("windfree", "in"): ("mix", 0, 0),
        ("sum_more", "in_1"): ("mix", latency, latency),
        ("sum_more", "in_2"): ("windfree.clean", latency, 0),
        ("both", ""): ("sum_more.out", latency, 0),
        ("blown", ""): ("windfree.wind", latency, 0),
    }
    done = unbraid("graph", "draw", "two.yaml", "--rate", "44100")
    assert (done.code, done.err) == (0, "")
    found, box = {}, ""
    for line in done.out.splitlines():
        arrow = re.fullmatch(
            r"\s+(\S*)\s*◀─ (\S+)\s+stereo\s+44100 Hz\s+latency (\d+)(?:, of which (\d+) held back)?", line
        )
        if arrow:
            found[box, arrow[1]] = (arrow[2], int(arrow[3]), int(arrow[4] or 0))
        else:
            box = line.split()[1]
    assert found == edges

    done = unbraid("graph", "draw", "two.yaml", "--rate", "44100", "-o", "two.svg")
    assert (done.code, done.out, done.err) == (0, "two.svg\n", "")
    picture = ET.parse("two.svg")  # noqa: S314 - our own
    texts = ["".join(node.itertext()) for node in picture.iter("{http://www.w3.org/2000/svg}text")]
    for name in ("mix", "windfree", "sum_more", "both", "blown"):
        assert name in texts
    labels = [text for text in texts if "44100 Hz +" in text]
    assert len(labels) == len(edges)
    for (_, port), (source, late, held) in edges.items():
        ports = [part for part in (source.partition(".")[2], port) if part]
        label = f"stereo 44100 Hz +{late}" + (f" ({held} held)" if held else "")
        assert any(text.endswith(label) and all(part in text for part in ports) for text in labels)


def test_a_picture_is_replaced_only_when_asked(here: Path, unbraid: Unbraid) -> None:
    Path("a.svg").write_text("mine")
    assert unbraid("graph", "draw", "half.yaml", "-o", "a.svg").code == 1
    assert Path("a.svg").read_text() == "mine"
    assert unbraid("graph", "draw", "half.yaml", "-o", "a.svg", "--overwrite").code == 0
    assert ET.parse("a.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own
