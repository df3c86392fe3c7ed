"""The conformance kit: built-in plugins pass it, and what it says can be read by people and by machines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import zoo
from unbraid.host.cli.app import main
from unbraid.host.conformance import Examination, Finding, Level, Report, Status, check_plugin, examination
from unbraid.host.conformance.automation import click
from unbraid.host.conformance.catalogue import CHECKS, checks_at
from unbraid.host.conformance.cuts import sequence
from unbraid.host.conformance.finding import LevelNameError
from unbraid.host.conformance.reports import as_json, as_junit, line
from unbraid.host.conformance.signals import difference
from unbraid.host.contract import PluginError
from unbraid.host.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from unbraid.host.conformance.worker import Worker

MAIN = "from unbraid.host.cli import main; main()"
BUILT_IN = sorted(card for card, package in Registry.discover().packages.items() if package == "unbraid")
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("mix", {"gains": [-3.0, 0.0, -60.0]}),
    ("split", {"layout": "5.1", "parts": {"front": ["L", "R"], "rest": ["C", "LFE", "Ls", "Rs"]}}),
    ("join", {"layout": "5.1"}),
    ("highpass", {"slope": 48}),
    ("denoise", {"model": "classical"}),
    ("wind", {"model": "classical"}),
]


#: A model that needs nothing, in short segments: what is asked of the node is not how well it separates.
SMALL = {"vocals": {"model": "center", "segment": 1.0}}
#: Plugins that cannot run before somebody fetches or names a model; their own tests give them one.
WITHOUT_MODEL = {"model": "model is not set", "speakers": "is not here: unbraid models fetch"}


class Child:
    """One child process for many examinations; a plugin that ends it gets the next a new one."""

    def __init__(self) -> None:
        self.worker: Worker | None = None

    def findings(self, plugin: str, level: Level, but: str = "", **terms: Any) -> list[Finding]:
        with Examination(plugin, level=level, worker=self.worker, **terms) as examination:
            found = [examination.run(check) for check, _ in examination.checks if check != but]
            self.worker = examination.leave()
        return found


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    made = Child()
    yield made
    if made.worker is not None:
        made.worker.stop()


def unbraid(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# Built-in plugins


@pytest.mark.parametrize("plugin", sorted(set(BUILT_IN) - set(WITHOUT_MODEL)))
def test_every_built_in_plugin_passes_at_the_strictest_level(plugin: str, child: Child) -> None:
    found = child.findings(plugin, Level.STRICT, params=SMALL.get(plugin, {}))
    assert [str(each) for each in found if each.status is Status.FAILED] == []
    assert {each.check for each in found} == {"loads", *(check.id for check in CHECKS)}
    passed = {each.check for each in found if each.status is Status.PASSED}
    assert {"cuts", "latency", "reset", "reprepare", "seed", "inputs", "outputs", "memory", "rates"} <= passed


@pytest.mark.parametrize("plugin", WITHOUT_MODEL)
def test_one_that_lacks_a_model_is_not_blamed_and_says_what_to_do(
    plugin: str, child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path))
    with Examination(plugin, level=Level.QUICK) as examination:
        found = {check: examination.run(check) for check, _ in examination.checks}
    assert [each for each in found.values() if each.status is Status.FAILED] == []
    assert found["builds"].status is Status.SKIPPED
    assert WITHOUT_MODEL[plugin] in found["builds"].message
    assert found["cuts"].status is Status.SKIPPED


@pytest.mark.parametrize(("plugin", "params"), VARIANTS)
def test_those_whose_ports_or_models_depend_on_parameters_pass_with_others(
    plugin: str, params: dict[str, Any], child: Child
) -> None:
    found = child.findings(plugin, Level.STANDARD, but="light", params=params)
    assert [str(each) for each in found if each.status is Status.FAILED] == []


def test_the_plugin_in_the_readme_passes(tmp_path: Path, child: Child) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    plugin = next(block for block in readme.split("```python\n")[1:] if "class Gate" in block)
    (tmp_path / "gate.py").write_text(plugin.partition("```")[0])
    done = unbraid("plugins", "check", "gate", "--module", "gate", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    (report,) = json.loads(done.stdout)["reports"]
    assert (report["plugin"], report["version"], report["package"]) == ("gate", "1.0", "this session")
    assert "sums" in {found["check"] for found in report["findings"] if found["status"] == "passed"}


# Strangers that behave well


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("good")
    zoo.populate(folder, zoo.BEHAVE_WELL)
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def good_child(good: Path) -> Iterator[Child]:
    made = Child()
    yield made
    if made.worker is not None:
        made.worker.stop()


@pytest.mark.parametrize("name", zoo.BEHAVE_WELL)
def test_plugins_of_every_kind_can_pass(name: str, good_child: Child) -> None:
    found = good_child.findings(name, Level.STANDARD, but="light")  # their cards are all alike
    assert [str(each) for each in found if each.status is Status.FAILED] == []
    advised = {each.check: each.message for each in found if each.status is Status.ADVISORY}
    for check, said in zoo.BEHAVE_WELL[name].advised.items():
        assert said in advised[check]
    skipped = {each.check: each.message for each in found if each.status is Status.SKIPPED}
    if name == "roughly-the-same":
        assert "not deterministic" in skipped["seed"]
    if name == "noise-maker":
        assert "no input" in skipped["latency"]
    else:
        assert "latency" not in skipped


# Levels and the list of checks


def test_levels_hold_more_and_more() -> None:
    quick, standard, strict = (checks_at(level) for level in (Level.QUICK, Level.STANDARD, Level.STRICT))
    assert set(quick) < set(standard) <= set(strict) == set(CHECKS)
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    assert all(check.promise and check.run.__doc__ for check in CHECKS)
    assert Level.parse("strict") is Level.STRICT
    with pytest.raises(LevelNameError, match=r"unknown level 'quik'; did you mean 'quick'\?"):
        Level.parse("quik")


def test_blocks_of_every_size_stand_at_the_start_and_where_output_begins() -> None:
    for latency in (0, 511, 100_000):
        for size in (1, 7, 37, 256, 8193):
            sizes = sequence(size, latency)
            edges = set(np.cumsum(sizes).tolist())
            assert {size, 2 * size, 3 * size} <= edges
            around = sorted(edge for edge in edges if abs(edge - latency) <= 2 * size)
            assert size in np.diff(around)
    assert 0 in sequence(0, 0)


# What is measured


def test_a_jump_of_gain_is_measured_as_a_share_of_the_level() -> None:
    wave = np.sin(2 * np.pi * 200 / 48000 * np.arange(9600))[None].astype(np.float32)
    assert click(wave, 240).max() == pytest.approx((2 * np.pi * 200 / 48000) ** 2, rel=0.02)
    for factor in (0.5, 0.9, 1.1):
        jump = wave.copy()
        jump[:, 4860:] *= factor  # a crest
        level = max(1.0, factor)
        assert click(jump, 240).max() == pytest.approx(abs(1 - factor) / level, rel=0.02)


def test_where_two_outputs_part_is_told_to_the_sample() -> None:
    a = {"out": np.zeros((2, 100), np.float32)}
    b = {"out": a["out"].copy()}
    assert difference(a, b) is None
    b["out"][1, 42] = 1e-12
    told = difference(a, b)
    assert told is not None
    assert "output 'out' differs first at sample 42, channel 2: 0 against " in told
    assert told.endswith("by at most 1e-12")
    assert difference(b, {"out": np.ones((2, 100), np.float32)}, 1.1) is None
    b["out"][0, 7] = np.nan
    assert "sample 7, channel 1" in (difference(b, a, 0.1) or "")


# Reports

NASTY = "broke \x00\x1b[31m & <so> \ud800 \ufffe ]]> \n twice"


def report(*findings: Finding) -> Report:
    return Report("odd", "1", "pack", Level.STANDARD, findings)


FOUND = report(
    Finding("cuts", Status.PASSED, "fine", seconds=0.5),
    Finding("latency", Status.FAILED, NASTY, "do <this> & that"),
    Finding("sums", Status.SKIPPED, "no residual"),
    Finding("steps", Status.ADVISORY, "clicks", "glide"),
)


def test_junit_is_xml_whatever_a_plugin_says() -> None:
    root = ET.fromstring(as_junit([FOUND, FOUND]).encode("utf-8"))  # noqa: S314 - made here
    assert len(root) == 2
    suite = root[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("skipped")) == (
        "odd",
        "4",
        "1",
        "1",
    )
    passed, failed, skipped, advised = suite
    assert (passed.get("classname"), passed.get("name"), passed.get("time")) == (
        "unbraid.odd",
        "cuts",
        "0.500",
    )
    assert failed[0].tag == "failure"
    assert "do <this> & that" in (failed[0].text or "")
    assert skipped[0].tag == "skipped"
    assert "glide" in (advised[0].text or "")


def test_json_holds_every_finding() -> None:
    data = json.loads(as_json([FOUND]))
    assert data["ok"] is False
    (found,) = [each for each in data["reports"][0]["findings"] if each["status"] == "failed"]
    assert (found["check"], found["message"], found["remedy"]) == ("latency", NASTY, "do <this> & that")
    assert Finding.of(found) == FOUND.findings[1]


def test_text_is_one_line_a_finding_and_one_a_remedy() -> None:
    assert line(FOUND.findings[0]).split() == ["ok", "cuts", "fine"]
    told = line(FOUND.findings[1]).splitlines()
    assert len(told) == 2
    assert told[0].split()[:2] == ["FAIL", "latency"]
    assert "\x1b" not in told[0]
    assert told[1].strip() == "-> do <this> & that"


def test_advice_breaks_nothing() -> None:
    assert report(FOUND.findings[3]).ok
    assert not FOUND.ok
    assert FOUND.failed == (FOUND.findings[1],)


def test_what_is_not_forbidden_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wordless = zoo.Animal(zoo.BEHAVE_WELL["ducker"].body, more=zoo.BEHAVE_WELL["ducker"].more + ", doc=''")
    zoo.populate(tmp_path, {"wordless": wordless})
    monkeypatch.syspath_prepend(tmp_path)
    found = check_plugin("wordless", only=["card"]).findings[0]
    assert (found.status, found.message) == (Status.ADVISORY, "it lacks doc")
    # the host's lanes step, and so does a gain without glide: by all of the level, at a crest
    found = check_plugin("gain", only=["steps"]).findings[0]
    assert found.status is Status.ADVISORY
    assert "gain from -120 to 60 dB jumps by 1 of the level (0 dB)" in found.message


# From Python


def test_one_check_can_be_asked_for_and_findings_come_as_they_are_made() -> None:
    heard: list[Finding] = []
    found = check_plugin("gain", level=Level.QUICK, only=["card", "reset"], told=heard.append)
    assert tuple(heard) == found.findings
    assert [each.check for each in heard] == ["card", "reset"]
    assert (found.plugin, found.package, found.ok) == ("gain", "unbraid", True)


@pytest.mark.parametrize(
    ("plugin", "terms", "said"),
    [
        ("gian", {}, r"unknown plugin 'gian'; did you mean 'gain'\?"),
        ("gain", {"params": {"gain": 100}}, "gain = 100 is out of bounds: -120 to 60 dB"),
        ("gain", {"params": {"gian": 1}}, "unknown parameter 'gian'"),
        ("gain", {"only": ["cats"]}, "no check 'cats' at level standard; known: loads, card"),
        (
            "gate",
            {"modules": ["not_there"]},
            "module 'not_there': cannot be loaded: .* lies in the current folder",
        ),
    ],
)
def test_a_request_that_cannot_be_is_refused_in_words(
    plugin: str, terms: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(PluginError, match=said):
        check_plugin(plugin, **terms)


# The command line


def test_the_command_line_tells_writes_and_exits(tmp_path: Path) -> None:
    done = unbraid(
        "plugins", "check", "gain", "highpass", "--level", "quick", "--junit", "j.xml", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "gain"
    assert any(text.split()[:2] == ["ok", "latency"] for text in lines)
    assert lines[-1].startswith("highpass: ")
    suites = ET.parse(tmp_path / "j.xml").getroot()  # noqa: S314 - made by us
    assert [suite.get("name") for suite in suites] == ["gain", "highpass"]
    assert all(suite.get("failures") == "0" for suite in suites)


def test_all_means_every_installed_plugin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def passing(plugin: str, *, level: Level, **terms: Any) -> Report:
        return Report(plugin, "1", "unbraid", level, ())

    monkeypatch.setenv("UNBRAID_THIRD_PARTY", "0")
    monkeypatch.setattr(examination, "check_plugin", passing)
    with pytest.raises(SystemExit) as stop:
        main(["plugins", "check", "--all", "--json"])
    assert stop.value.code == 0
    assert [each["plugin"] for each in json.loads(capsys.readouterr().out)["reports"]] == BUILT_IN


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gian"], "unknown plugin 'gian'; did you mean 'gain'?"),
        (["gain", "--level", "hard"], "unknown level 'hard'"),
        (["gain", "--module", "not_there"], "module 'not_there': cannot be loaded: ModuleNotFoundError"),
        (["gain", "--param", "gain"], "--param 'gain' must read NAME=VALUE"),
        ([], "name a plugin, or give --all"),
    ],
)
def test_a_wrong_request_exits_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["plugins", "check", *arguments])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def children_of(process: int) -> list[int]:
    return [
        int(found)
        for task in Path(f"/proc/{process}/task").iterdir()
        for found in (task / "children").read_text().split()
    ]


@pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="counts processes in /proc, which is Linux's"
)
def test_an_interrupt_ends_the_child_too(tmp_path: Path) -> None:
    animal = zoo.BEHAVE_BADLY["infinite-loop"]
    zoo.populate(tmp_path, {"infinite-loop": animal})
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "plugins", "check", "infinite-loop"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not (found := children_of(process.pid)) and time.monotonic() < until:
        time.sleep(0.02)
    assert found
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    while Path(f"/proc/{found[0]}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{found[0]}").exists()


# Under pytest


def run_pytest(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    plugins = ["-p", "unbraid.host.conformance.pytest_plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_pytest_runs_the_checks_in_a_folder_without_tests(tmp_path: Path) -> None:
    done = run_pytest("--unbraid-plugin", "gain", "--unbraid-level", "quick", "-v", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "unbraid::gain::latency PASSED" in done.stdout
    assert f"{len(checks_at(Level.QUICK)) + 1} passed" in done.stdout


def test_pytest_tells_a_failed_check_in_its_own_words_beside_other_tests(tmp_path: Path) -> None:
    zoo.populate(tmp_path, {"late": zoo.BEHAVE_BADLY["late"]})
    (tmp_path / "test_other.py").write_text("def test_other():\n    assert True\n")
    arguments = ["--unbraid-plugin", "late", "--unbraid-level", "quick", "-k", "latency or other"]
    done = run_pytest(*arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "the latency measured is the latency declared: not so" in done.stdout
    assert "-> declare self.latency = 100 in prepare()" in done.stdout
    assert "Error" not in done.stdout.replace("_BrokenPromiseError", "")
    assert "examination.py" not in done.stdout


def test_pytest_refuses_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    done = run_pytest("--unbraid-plugin", "gian", cwd=tmp_path)
    assert done.returncode == 4
    assert "unknown plugin 'gian'; did you mean 'gain'?" in done.stdout + done.stderr


def test_pytest_pays_nothing_for_what_it_does_not_ask() -> None:
    code = "import sys, unbraid.host.conformance.pytest_plugin\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numpy", "numba", "click", "pluggy._unbraid"}.isdisjoint(done.stdout.split())
    loaded = [name for name in done.stdout.split() if name.startswith("unbraid.")]
    assert set(loaded) <= {
        "unbraid.host",
        "unbraid.host.conformance",
        "unbraid.host.conformance.pytest_plugin",
    }
