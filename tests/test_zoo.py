"""Broken plugins: each is named, with the remedy, by the command that meets it, and the host runs on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

import zoo
from unbraid.host.conformance import Examination, Finding, Level, Status, check_plugin, examination
from unbraid.host.conformance.catalogue import CHECKS
from unbraid.host.conformance.entry_points import look
from unbraid.host.contract import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unbraid.host.conformance.worker import Worker

MAIN = "from unbraid.host.cli import main; main()"
#: Seconds after which a check of an animal that hangs is given up.
SHORT = 0.8


def unbraid(*arguments: object, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def cages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole zoo in one folder, as if all of it was installed."""
    folder = tmp_path_factory.mktemp("zoo")
    for name, unlisted in zoo.DO_NOT_LOAD.items():
        zoo.install(folder, name, unlisted.body, points=unlisted.points)
    zoo.populate(folder, zoo.BEHAVE_BADLY)
    return folder


# Those that do not load


@pytest.fixture(scope="module")
def listed(cages: Path) -> str:
    done = unbraid("plugins", "list", cwd=cages, path=cages)
    assert done.returncode == 0
    assert "gain" in done.stdout
    return done.stderr


@pytest.fixture(scope="module")
def examined(cages: Path) -> dict[str, Any]:
    done = unbraid("doctor", "--json", cwd=cages, path=cages)
    assert done.returncode == 1
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", [name for name, each in zoo.DO_NOT_LOAD.items() if each.reason])
def test_one_that_does_not_load_is_named_with_the_remedy(
    name: str, listed: str, examined: dict[str, Any]
) -> None:
    animal = zoo.DO_NOT_LOAD[name]
    for lines in (listed.splitlines(), examined["faults"]):
        (told,) = [text for text in lines if f"{name} (from {name}): " in text]
        assert animal.reason in told
        assert animal.remedy in told


def test_a_syntax_error_is_named_with_file_and_line(cages: Path, examined: dict[str, Any]) -> None:
    (told,) = [fault for fault in examined["faults"] if fault.startswith("syntax-error")]
    assert told.endswith(f"correct {cages / 'syntax_error.py'}:2")


def test_those_that_load_are_listed_beside_them(examined: dict[str, Any]) -> None:
    assert {"gain", "wind", *zoo.BEHAVE_BADLY} <= set(examined["plugins"])
    assert "twin" not in examined["plugins"]
    assert "dewind" in examined["graphs"]


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (
            "missing-import",
            "not loaded: missing-import (from missing-import): cannot be loaded: ModuleNotFoundError",
        ),
        ("twin", "is brought by twin-one and by twin-two; uninstall one"),
        ("future", "written for contract 99"),
        ("unheard-of", "sources did not load, see `unbraid doctor`"),
    ],
)
def test_to_check_one_that_does_not_load_says_why(
    plugin: str, said: str, cages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(cages)
    with pytest.raises(PluginError) as caught:
        check_plugin(plugin, level=Level.QUICK)
    assert said in str(caught.value)


# Those that load slowly, or never


def test_a_slow_import_and_one_that_ends_the_process_are_named_by_doctor(tmp_path: Path) -> None:
    animal = zoo.Animal(zoo.BEHAVE_WELL["ducker"].body, cards="import time\ntime.sleep(0.6)\n")
    zoo.populate(tmp_path, {"slow-import": animal})
    zoo.install(tmp_path, "stuck", "import os; os._exit(3)")
    done = unbraid("doctor", cwd=tmp_path, path=tmp_path)
    assert done.returncode == 1
    (told,) = [text for text in done.stdout.splitlines() if text.startswith("slow: slow-import ")]
    assert "slow-import (from slow-import): slow import, " in told
    assert "name heavy code in the card's factory only" in told
    (told,) = [text for text in done.stdout.splitlines() if text.startswith("not loaded: ")]
    assert "stuck (from stuck): ended the process with exit status 3 on import; uninstall it" in told


def test_a_slow_import_is_told_by_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    animal = zoo.Animal(zoo.BEHAVE_WELL["ducker"].body, cards="import time\ntime.sleep(0.6)\n")
    zoo.populate(tmp_path, {"slow-import": animal})
    monkeypatch.syspath_prepend(tmp_path)
    report = check_plugin("slow-import", only=["light"])
    (found,) = report.findings
    assert (found.status, report.ok) == (Status.ADVISORY, True)
    assert "slow import: slow_import takes " in found.message
    assert "in the card's factory only" in found.remedy


def test_an_import_that_never_ends_is_found_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo.install(tmp_path, "stuck", "import time; time.sleep(99)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(examination, "OPENING", 3.0)  # an interpreter must start in it
    report = check_plugin("gain", level=Level.QUICK, only=["reset"], limit=1.0)
    (found,) = report.findings
    assert (found.check, found.status) == ("loads", Status.FAILED)
    assert "hung for 3 s at stuck.py:1" in found.message
    assert "the limit for this is 3 s" in found.message
    assert "uninstall the package that hangs, or set UNBRAID_THIRD_PARTY=0" in found.remedy


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import os; os._exit(3)", "ended the process with exit status 3"),
        ("import ctypes; ctypes.string_at(0)", "died of SIGSEGV at stuck.py:1"),
    ],
)
def test_an_import_that_ends_the_process_is_named(
    code: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo.install(tmp_path, "stuck", code)
    monkeypatch.syspath_prepend(tmp_path)
    point = look().points[-1]
    assert (point.name, point.package) == ("stuck", "stuck")
    assert how in point.trouble


# Those that load and behave badly


@pytest.fixture(scope="module")
def workers(cages: Path) -> Iterator[list[Worker]]:
    """The child that examinations share until an animal ends it."""
    sys.path.append(str(cages))
    shared: list[Worker] = []
    yield shared
    sys.path.remove(str(cages))
    for worker in shared:
        worker.stop()


@pytest.mark.parametrize("name", zoo.BEHAVE_BADLY)
def test_one_that_behaves_badly_is_found_and_told_what_to_do(name: str, workers: list[Worker]) -> None:
    animal = zoo.BEHAVE_BADLY[name]
    limit = SHORT if "hung" in animal.seen else 60.0
    worker = workers.pop() if workers else None
    with Examination(name, limit=limit, worker=worker) as examined:
        found = examined.run(animal.check)
        left = examined.leave()
        if left is not None:
            workers.append(left)
    assert found.status is Status.FAILED, str(found)
    assert animal.seen in found.message
    assert animal.remedy in found.remedy


def test_every_check_that_can_fail_has_an_animal_that_it_finds() -> None:
    told_only = {"pace", "steps"}
    of_the_host = {"graph"}  # outputs of the input's length are the host's own promise
    found = {animal.check for animal in zoo.BEHAVE_BADLY.values()}
    assert found == {check.id for check in CHECKS} - told_only - of_the_host


def test_after_a_crash_the_other_checks_go_on(workers: list[Worker]) -> None:
    heard: list[Finding] = []
    only = ["card", "reset", "light", "cuts"]
    report = check_plugin("segfault-in-reset", level=Level.QUICK, only=only, told=heard.append)
    assert [each.check for each in report.findings] == only
    assert tuple(heard) == report.findings
    assert [each.status for each in heard] == ["passed", "failed", "passed", "passed"]


def test_after_two_hangs_the_rest_is_left(workers: list[Worker]) -> None:
    only = ["reset", "reset", "cuts"]
    report = check_plugin("hangs-in-reset", level=Level.QUICK, only=only, limit=SHORT)
    assert [each.status for each in report.findings] == ["failed", "failed", "skipped"]
    assert "hung before" in report.findings[-1].message


def test_one_that_does_not_build_is_told_once(workers: list[Worker]) -> None:
    report = check_plugin("raising-factory", level=Level.QUICK)
    assert [each.check for each in report.failed] == ["builds"]
    assert {each.message for each in report.findings if each.status is Status.SKIPPED} == {
        "it does not build (see builds)"
    }


@pytest.mark.parametrize(
    ("name", "failed", "left_out", "because"),
    [
        (
            "ignores-the-seed",
            "seed",
            {"outputs", "cuts", "reset", "reprepare"},
            "its output is not repeatable",
        ),
        ("divides-by-silence", "finite", {"latency"}, "its output is not finite"),
        (
            "writes-5000",
            "outputs",
            {"finite", "cuts", "latency", "reset", "reprepare"},
            "its outputs are not written as they must be",
        ),
    ],
)
def test_one_fault_is_told_once(
    name: str, failed: str, left_out: set[str], because: str, workers: list[Worker]
) -> None:
    with Examination(name, level=Level.QUICK, worker=workers.pop() if workers else None) as examined:
        found = [examined.run(check) for check, _ in examined.checks if check != "light"]
        left = examined.leave()
        assert left is not None
        workers.append(left)
    assert [each.check for each in found if each.status is Status.FAILED] == [failed]
    skipped = {each.check: each.message for each in found if each.status is Status.SKIPPED}
    assert left_out <= set(skipped)
    assert {skipped[check] for check in left_out} == {f"{because} (see {failed})"}


def test_what_a_plugin_does_to_torch_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("torch") is None:
        pytest.skip("looks at what a plugin does to torch: pip install torch")
    body = (
        "class Animal(BlockProcessor):\n    def prepare(self, spec):\n        super().prepare(spec)\n"
        "        import torch\n        {}\n"
        "    def process(self, ins, outs):\n        outs['out'][:] = ins['in']\n"
    )
    seeds = zoo.Animal(body.format("torch.manual_seed(0)"))
    switches = zoo.Animal(body.format("torch.set_grad_enabled(False); torch.set_num_threads(1)"))
    zoo.populate(tmp_path, {"seeds": seeds, "switches": switches})
    monkeypatch.syspath_prepend(tmp_path)
    with Examination("seeds") as first:
        advised = first.run("globals")
        with Examination("switches", worker=first.leave()) as second:
            failed = second.run("globals")
    assert (advised.status, advised.message) == (Status.ADVISORY, "it sets torch's global seed")
    assert (failed.status, failed.message) == (
        Status.FAILED,
        "it changed torch's gradient mode, torch's number of threads",
    )


def test_memory_beyond_the_limit_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hungry = zoo.Animal(
        "class Animal(BlockProcessor):\n    def prepare(self, spec):\n        super().prepare(spec)\n"
        "        self.much = np.ones(1 << 29)\n"
        "    def process(self, ins, outs):\n        outs['out'][:] = ins['in']\n"
    )
    zoo.populate(tmp_path, {"hungry": hungry})
    monkeypatch.syspath_prepend(tmp_path)
    report = check_plugin("hungry", only=["builds"], memory=1 << 30)
    assert "prepare() ran out of the memory it may use" in report.findings[0].message
    assert "--memory" in report.findings[0].remedy


def test_the_command_line_says_what_to_do_and_exits_with_1(cages: Path) -> None:
    done = unbraid("plugins", "check", "late", "--only", "latency", cwd=cages, path=cages)
    assert done.returncode == 1
    assert "FAIL latency" in " ".join(done.stdout.split())
    assert "-> declare self.latency = 100 in prepare()" in done.stdout


# The host runs on


def test_a_render_runs_with_the_whole_zoo_installed(cages: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (4800, 2))
    soundfile.write(tmp_path / "x.wav", noise, 48000)
    done = unbraid("render", "dewind", "x.wav", "-o", "out", cwd=tmp_path, path=cages)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "out" / "x.clean.wav").frames == 4800
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ("raising-factory", "RuntimeError: no licence key"),
        ("exiting-factory", "SystemExit: 4"),
        ("writes-nothing", "left its output 'out' unwritten"),
    ],
)
def test_a_render_with_one_of_them_is_one_readable_error(
    plugin: str, said: str, cages: Path, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros((480, 1)), 48000)
    (tmp_path / "g.yaml").write_text(
        f"unbraid: 1\nnodes: {{n: {{use: {plugin}, from: mix}}}}\noutputs: {{out: n}}\n"
    )
    done = unbraid("render", "g.yaml", "x.wav", "-o", "out", cwd=tmp_path, path=cages)
    assert done.returncode in {1, 2}
    (told,) = [text for text in done.stderr.splitlines() if not text.startswith("warning: ")]
    assert said in told
    assert not (tmp_path / "out").exists()
