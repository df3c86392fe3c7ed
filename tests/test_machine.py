"""Kernels are compiled once per machine: what the cache keeps, what it refuses, and who may race for it."""

from __future__ import annotations

import ast
import ctypes
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from llvmlite import ir

import unbraid
from unbraid.kernels.code.emitted import Emitted
from unbraid.kernels.machine import (
    Kernel,
    address_of,
    cache,
    compilations,
    kernel,
    load,
    pointer_to,
    signatures,
)
from unbraid.kernels.machine.build import RAISED
from unbraid.kernels.machine.cache import cache_folder, load_object, store_object
from unbraid.kernels.machine.kept import cache_root
from unbraid.kernels.plan import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Say = dict[str, Any]

PACKAGE = Path(unbraid.__file__).parent

#: Runs two kernels that numba compiles and one that we emit, and says what came out and what it took.
RUN = """
import json, sys
import numpy as np
from unbraid.kernels import machine
from unbraid.kernels.machine import address_of, aligned, row_addresses
from unbraid.kernels.nodes import MixState
from unbraid.kernels.pcm import interleave
from unbraid.kernels.plan import plan_of

GAP = 16
plan = plan_of(512)
step = plan.step("forward", 2)
x = aligned((2, 512))
x[:] = np.random.default_rng(7).uniform(-1, 1, (2, 512))
a, b, window = address_of(x), address_of(x) + 4 * 512, aligned(512)
window[:] = 1
mixed, spectrum = np.empty_like(x), aligned((2, 512 + GAP))
if sys.argv[1:] == ["wait"]:
    print("ready", flush=True)
    sys.stdin.readline()

planar = interleave(x)
state = MixState(2, np.array([0.5, -0.25], np.float32))
ins, outs = row_addresses([x, x[::-1]]), row_addresses([mixed])
state.kernel(state.address, address_of(ins), address_of(outs), 512)
re, im = address_of(spectrum), address_of(spectrum) + 4 * (512 + GAP)
step(a, b, address_of(window), re, im, address_of(plan.twiddles), a, b)

got = spectrum[0, :512] + 1j * spectrum[1, :512]
want = np.fft.fft(x[0].astype(float) + 1j * x[1].astype(float))[plan.geometry.order]
right = [
    np.array_equal(planar, x.T),
    np.allclose(mixed, 0.5 * x - 0.25 * x[::-1], atol=1e-6),
    np.allclose(got, want, atol=1e-3),
]
print(json.dumps({
    "bits": [planar.tobytes().hex(), mixed.tobytes().hex(), got.tobytes().hex()],
    "right": bool(all(right)),
    "compiled": {report.name: report.kept for report in machine.compilations()},
    "numba": "numba" in sys.modules,
    "folder": str(machine.cache_folder()),
}))
"""
STEP = plan_of(512).step("forward", 2).name
KERNELS = {"pcm.interleave", "nodes.mix", STEP}

#: Interleaves channels of 1 and 2, in pairs.
INTERLEAVE = """
import json, sys
import numpy as np
from unbraid.kernels import machine
from unbraid.kernels.pcm import interleave
print(json.dumps({
    "pairs": interleave(np.array([[1, 1], [2, 2]], np.float32)).tolist(),
    "compiled": {report.name: report.kept for report in machine.compilations()},
}))
"""


def copy_package(folder: Path) -> Path:
    """Copy what kernels need, so that a test may edit it and no edit elsewhere disturbs a test."""
    source, target = PACKAGE / "kernels", folder / "unbraid/kernels"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "__init__.py", folder / "unbraid")
    return folder


def environment(package: Path, **more: str | Path) -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
    own |= {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    return own | {name: str(value) for name, value in more.items()}


def say(script: str, package: Path, *arguments: str | Path, **more: str | Path) -> Say:
    """Run a script in a process of its own; return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment(package, **more),
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    found: Say = json.loads(done.stdout)
    return found


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that no test edits."""
    return copy_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def first(package: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Say]:
    """A cache that one process has filled, and what that process said."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, say(RUN, package, NUMBA_CACHE_DIR=folder)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache for this process, which knows no kernel yet; sources as they were at its start."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_sources_hash", lambda: cache._SOURCES)
    monkeypatch.setattr(kernel, "_FIXED", {})
    again(monkeypatch)
    cache_folder.cache_clear()
    yield cache_folder()
    cache_folder.cache_clear()


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], str]:
    """Put a function among the kernels' sources; returns the name to ask for it."""
    module = ModuleType("unbraid.kernels.code.probe")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def add(function: Callable[..., Any]) -> str:
        setattr(module, function.__name__, function)
        return f"probe.{function.__name__}"

    return add


def constant(value: int, pause: int = 0) -> Emitted:
    """A kernel that stores a number at an address; takes its time to compile where asked."""

    def emit(builder: Any, address: Any) -> None:
        time.sleep(pause / 1000)
        word = ir.IntType(64)
        builder.store(word(value), builder.inttoptr(address, word.as_pointer()))

    return Emitted(emit)


def stored_by(found: Kernel) -> int:
    target = np.zeros(1, np.int64)
    found(address_of(target))
    return int(target[0])


def again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what is linked and what was compiled, as a new process would."""
    monkeypatch.setattr(kernel, "_LINKED", {})
    monkeypatch.setattr(kernel, "_COMPILED", [])
    load._KEPT.append(load._engine())  # what it linked is still called elsewhere
    load._engine.cache_clear()


# Once per machine


def test_the_first_process_compiles_and_keeps_what_it_uses(first: tuple[Path, Say]) -> None:
    folder, found = first
    assert found["right"]
    assert found["compiled"] == dict.fromkeys(KERNELS, True)
    assert found["numba"]
    kept = Path(found["folder"])
    assert kept.is_relative_to(folder)
    assert {path.name for path in kept.iterdir()} == {f"{name}.o" for name in KERNELS}


def test_a_second_process_compiles_nothing_imports_no_numba_and_gives_the_same_bits(
    package: Path, first: tuple[Path, Say]
) -> None:
    folder, before = first
    kept = snapshot(folder)
    found = say(RUN, package, NUMBA_CACHE_DIR=folder)
    assert found["compiled"] == {}
    assert not found["numba"]
    assert found["bits"] == before["bits"]
    assert snapshot(folder) == kept


@pytest.mark.parametrize("module", ["unbraid.kernels", "unbraid.kernels.machine"])
def test_importing_kernels_imports_no_compiler(package: Path, module: str) -> None:
    script = f"import json, sys, {module}; print(json.dumps(dict.fromkeys(sys.modules)))"
    found = say(script, package)
    assert module in found
    assert not {"numba", "llvmlite", "scipy"} & set(found)


def test_two_kernels_of_one_name_are_linked_once(
    folder: Path, probe: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    linked, link = [], load.link

    def count(code: bytes, symbol: str) -> int:
        linked.append(symbol)
        return link(code, symbol)

    monkeypatch.setattr(load, "link", count)
    source = probe(constant)
    kernels = [Kernel(source, 1, value=5, pause=0), Kernel(source, 1, pause=0, value=5)]
    assert [stored_by(found) for found in kernels] == [5, 5]
    assert kernels[0].address == kernels[1].address
    assert kernels[0].function is kernels[0].function
    assert len(linked) == len(compilations()) == len(list(folder.iterdir())) == 1


def test_every_key_has_its_own_name_file_and_code(folder: Path, probe: Callable[..., str]) -> None:
    source = probe(constant)
    keys = [{"value": 5}, {"value": -5}, {"value": 15}, {"value": 1, "pause": 5}, {"value": 15, "pause": 0}]
    kernels = [Kernel(source, 1, **key) for key in keys]
    assert [stored_by(found) for found in kernels] == [key["value"] for key in keys]
    assert {path.name for path in folder.iterdir()} == {f"{found.name}.o" for found in kernels}
    assert len({found.address for found in kernels}) == len(list(folder.iterdir())) == len(keys)


def test_a_digit_at_the_end_of_a_key_s_name_is_not_taken_for_its_value() -> None:
    assert Kernel("probe.x", 1, a=12, z=0).name != Kernel("probe.x", 1, a1=2, z=0).name


def test_names_are_fit_for_files() -> None:
    steps = [found for length in (2, 441, 1 << 20) for found in plan_of(length).steps()]
    for found in steps:
        assert set(found.name) <= set("abcdefghijklmnopqrstuvwxyz_0123456789.-="), found.name
        assert len(found.name) < 100
    assert len({found.name for found in steps}) == len(steps)


# What changes the code changes the folder


def test_an_edited_callee_is_compiled_anew_and_undoing_it_brings_the_old_code_back(tmp_path: Path) -> None:
    package, folder = copy_package(tmp_path), tmp_path / "cache"
    memory = package / "unbraid/kernels/code/memory.py"
    original = memory.read_text(encoding="utf-8")
    before = say(INTERLEAVE, package, NUMBA_CACHE_DIR=folder)
    assert before == {"pairs": [[1, 2], [1, 2]], "compiled": {"pcm.interleave": True}}

    # Views that run backwards, of source and target alike, swap the channels.
    edited = original.replace("(_f32(address), (n,))", "(_f32(address), (n,))[::-1]")
    assert edited != original
    memory.write_text(edited, encoding="utf-8")
    assert say(INTERLEAVE, package, NUMBA_CACHE_DIR=folder) == {**before, "pairs": [[2, 1], [2, 1]]}

    memory.write_text(original, encoding="utf-8")
    assert say(INTERLEAVE, package, NUMBA_CACHE_DIR=folder) == {**before, "compiled": {}}


def test_an_edit_under_a_running_process_spoils_no_cache(tmp_path: Path) -> None:
    package, folder = copy_package(tmp_path), tmp_path / "cache"
    memory = package / "unbraid/kernels/code/memory.py"
    original = memory.read_text(encoding="utf-8")
    edit = """
from pathlib import Path
from unbraid.kernels.machine import cache_folder
cache_folder()
memory = Path("unbraid/kernels/code/memory.py")
memory.write_text(memory.read_text().replace("(_f32(address), (n,))", "(_f32(address), (n,))[::-1]"))
"""
    edited = say(edit + INTERLEAVE, package, NUMBA_CACHE_DIR=folder)
    assert edited == {"pairs": [[2, 1], [2, 1]], "compiled": {"pcm.interleave": False}}
    memory.write_text(original, encoding="utf-8")
    assert say(INTERLEAVE, package, NUMBA_CACHE_DIR=folder)["pairs"] == [[1, 2], [1, 2]]


def test_every_source_counts_by_content_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = copy_package(tmp_path) / "unbraid/kernels"
    monkeypatch.setattr(cache, "_KERNELS", kernels)
    seen = [cache._sources_hash()]
    for name in ("code/memory.py", "code/fft/access.py", "machine/build.py"):
        with (kernels / name).open("a", encoding="utf-8") as file:
            file.write("# edited\n")
        seen.append(cache._sources_hash())
    (kernels / "code/pcm.py").rename(kernels / "code/pcm_too.py")
    seen.append(cache._sources_hash())
    assert len(set(seen)) == len(seen)
    # Fronts and compiled bytecode do not: they shape no kernel. An editor's lock is a link to nowhere.
    (kernels / "pcm.py").write_text("", encoding="utf-8")
    (kernels / "code/__pycache__").mkdir()
    (kernels / "code/__pycache__/pcm.cpython-311.pyc").write_bytes(b"\0")
    (kernels / "code/.#nodes.py").symlink_to("someone@somewhere.1234")
    assert cache._sources_hash() == seen[-1]


def test_cpu_versions_and_numba_s_settings_each_have_their_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, features = load.cpu()
    monkeypatch.setattr(cache, "version", lambda asked: f"1.{asked == ''}")
    cache_folder.cache_clear()
    seen = [folder, cache_folder()]

    def changed() -> None:
        cache_folder.cache_clear()
        seen.append(cache_folder())

    monkeypatch.setattr(load, "cpu", lambda: (f"{name}-next", features))
    changed()
    monkeypatch.setattr(load, "cpu", lambda: (name, "+sse2,-avx2"))
    changed()
    assert load.vector_width() == 4
    monkeypatch.setattr(load, "cpu", lambda: (name, "+sse2,+avx2"))
    changed()
    assert load.vector_width() == 8
    for package in ("numba", "llvmlite"):
        monkeypatch.setattr(cache, "version", lambda asked, next_one=package: f"1.{asked == next_one}")
        changed()
    for setting in ("NUMBA_OPT", "NUMBA_BOUNDSCHECK", "NUMBA_CPU_NAME"):
        monkeypatch.setenv(setting, "1")
        changed()
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    changed()
    assert len(set(seen)) == len(seen)
    assert len({path.parent for path in seen}) == 1


def test_settings_of_numba_that_shape_no_code_need_no_second_compilation(
    package: Path, first: tuple[Path, Say]
) -> None:
    settings = {"NUMBA_DISABLE_JIT": "1", "NUMBA_NUM_THREADS": "1", "NUMBA_FULL_TRACEBACKS": "1"}
    found = say(RUN, package, NUMBA_CACHE_DIR=first[0], **settings)
    assert found["right"]
    assert found["compiled"] == {}


def test_where_numba_may_not_compile_the_error_says_so(package: Path, tmp_path: Path) -> None:
    script = """
import json
from unbraid.kernels.machine import Kernel
try:
    Kernel("pcm.interleave", 5).address
except RuntimeError as error:
    print(json.dumps(str(error)))
"""
    said = str(say(script, package, NUMBA_CACHE_DIR=tmp_path, NUMBA_DISABLE_JIT="1"))
    assert "pcm.interleave" in said
    assert "NUMBA_DISABLE_JIT" in said
    assert list(tmp_path.rglob("*")) == []


# Where it is kept


def test_the_cache_is_numba_s_else_the_user_s_else_in_their_home(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_root() == tmp_path / "numba"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert cache_root() == tmp_path / "xdg"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # its specification: to be ignored
    assert cache_root() == tmp_path / "home/.cache"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    assert cache_root() == tmp_path / "home/.cache"
    cache_folder.cache_clear()
    assert cache_folder().parent == tmp_path / "home/.cache/unbraid"


def test_a_relative_cache_stays_where_it_was_when_the_process_moves(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "here")
    cache_folder.cache_clear()
    assert store_object("one", b"code")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_object("one") == b"code"
    assert cache_folder().is_relative_to(tmp_path / "here")


def test_a_user_without_a_home_has_a_cache_among_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert cache_root().name == f"cache-{os.geteuid()}"
    assert cache_root().is_absolute()


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_what_is_created_is_private(folder: Path, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert store_object("one", b"code")
    finally:
        os.umask(before)
    modes = {path.relative_to(tmp_path): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes.pop((folder / "one.o").relative_to(tmp_path)) == 0o600
    assert modes
    assert set(modes.values()) == {0o700}, modes


def test_a_folder_that_was_there_keeps_its_mode(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o755)
    assert store_object("one", b"code")
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o755


ODD_PATHS = {
    "a space": "with a space",
    "other letters": "Größe 日本",
    "not UTF-8": os.fsdecode(b"caf\xe9"),
    "a line break": "two\nlines",
    "quotes": 'it\'s "quoted" %s {x} $HOME ~',
}


@pytest.mark.parametrize("name", ODD_PATHS.values(), ids=ODD_PATHS.keys())
def test_the_cache_s_path_may_be_odd(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: Callable[..., str], name: str
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / name))
    cache_folder.cache_clear()
    source = probe(constant)
    assert stored_by(Kernel(source, 1, value=7)) == 7
    assert [report.kept for report in compilations()] == [True]
    again(monkeypatch)
    assert stored_by(Kernel(source, 1, value=7)) == 7
    assert compilations() == ()
    assert cache_folder().is_relative_to(tmp_path / name)


def test_a_linked_folder_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "true").mkdir()
    (tmp_path / "cache").symlink_to("true")
    assert store_object("one", b"code")
    assert load_object("one") == b"code"
    assert (tmp_path / "cache").is_symlink()
    assert len(list((tmp_path / "true").rglob("one.o"))) == 1


def _below_a_file(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")


def _link_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "cache").symlink_to(tmp_path / "nowhere/at/all")


def _link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "cache").symlink_to("cache")


def _file_for_a_folder(tmp_path: Path) -> None:
    folder = cache_folder()
    folder.parent.mkdir(parents=True)
    folder.write_text("a file")


def _folder_for_a_file(tmp_path: Path) -> None:
    (cache_folder() / "probe.constant-value=7.o" / "inner").mkdir(parents=True)


OBSTACLES = [_below_a_file, _link_to_nowhere, _link_to_itself, _file_for_a_folder, _folder_for_a_file]


@pytest.mark.parametrize("obstacle", OBSTACLES, ids=lambda f: f.__name__)
def test_where_nothing_can_be_kept_kernels_work_all_the_same(
    folder: Path, tmp_path: Path, probe: Callable[..., str], obstacle: Callable[[Path], None]
) -> None:
    obstacle(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert stored_by(Kernel(probe(constant), 1, value=7)) == 7
    assert [(report.name, report.kept) for report in compilations()] == [("probe.constant-value=7", False)]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_name_too_long_for_a_file_is_compiled_in_memory(folder: Path, probe: Callable[..., str]) -> None:
    def long(**key: int) -> Emitted:
        return constant(sum(key.values()))

    found = Kernel(probe(long), 1, **{f"k{n}": n for n in range(99)})
    assert len(found.name) > 255
    assert stored_by(found) == sum(range(99))
    assert [report.kept for report in compilations()] == [False]
    assert list(folder.rglob("*")) == []


def test_a_full_disk_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert not store_object("one", b"code")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("keepable", [True, False])
def test_an_installed_package_is_only_read(tmp_path: Path, keepable: bool) -> None:
    package = copy_package(tmp_path / "site")
    (tmp_path / "file").write_text("a file")
    folders = [package, *(path for path in package.rglob("*") if path.is_dir())]
    for path in package.rglob("*.py"):
        path.chmod(0o444)
    for path in folders:
        path.chmod(0o555)
    before = snapshot(package)
    try:
        found = say(RUN, package, NUMBA_CACHE_DIR=tmp_path / ("cache" if keepable else "file/cache"))
        after = snapshot(package)
    finally:
        for path in folders:
            path.chmod(0o755)
    assert found["right"]
    assert found["compiled"] == dict.fromkeys(KERNELS, keepable)
    assert after == before
    assert not list(package.rglob("__pycache__"))


# Races


def test_processes_that_start_at_once_on_an_empty_cache_all_get_it_right(
    package: Path, first: tuple[Path, Say], tmp_path: Path
) -> None:
    # Pipes: each waits, imports done, until all are ready.
    command = [sys.executable, "-c", RUN, "wait"]
    processes = [
        subprocess.Popen(
            command,
            env=environment(package, NUMBA_CACHE_DIR=tmp_path),
            cwd=package,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    done = [process.communicate(timeout=120) for process in processes]
    for process, (out, errors) in zip(processes, done, strict=True):
        assert process.returncode == 0, errors
        found = json.loads(out)
        assert found["right"]
        assert found["bits"] == first[1]["bits"]
        assert all(found["compiled"].values())
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {f"{name}.o" for name in KERNELS}, "something partial was left"
    assert say(RUN, package, NUMBA_CACHE_DIR=tmp_path)["compiled"] == {}


@pytest.mark.parametrize("keepable", [True, False])
def test_threads_that_ask_at_once_compile_once(
    folder: Path, tmp_path: Path, probe: Callable[..., str], keepable: bool
) -> None:
    if not keepable:
        _below_a_file(tmp_path)
    source, gate = probe(constant), threading.Barrier(8)
    shared = Kernel(source, 1, value=3, pause=50)
    found: list[tuple[int, int]] = []
    locked_by_nothing_else = vars(Kernel)[
        "address"
    ].func  # up to Python 3.11 cached_property has its own lock

    def ask(number: int) -> None:
        mine = shared if number % 2 else Kernel(source, 1, value=3, pause=50)
        gate.wait()
        found.append((locked_by_nothing_else(mine), stored_by(mine)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {(shared.address, 3)}
    assert len(compilations()) == 1


def test_a_forked_child_calls_the_kernels_of_its_parent_and_loads_more(
    package: Path, first: tuple[Path, Say]
) -> None:
    script = """
import json, os
import numpy as np
from unbraid.kernels.nodes import MixState
from unbraid.kernels.pcm import interleave
from unbraid.kernels.machine import address_of, compilations, row_addresses

x = np.arange(8, dtype=np.float32).reshape(2, 4)
interleave(x)
child = os.fork()
if not child:
    mixed = np.empty_like(x)
    state, ins, outs = MixState(2, np.array([2], np.float32)), row_addresses([x]), row_addresses([mixed])
    state.kernel(state.address, address_of(ins), address_of(outs), 4)
    good = np.array_equal(interleave(x), x.T) and np.array_equal(mixed, 2 * x) and compilations() == ()
    os._exit(0 if good else 1)
_, status = os.waitpid(child, 0)
print(json.dumps({"status": status, "after": interleave(x).T.tolist()}))
"""
    found = say(script, package, NUMBA_CACHE_DIR=first[0])
    assert found == {"status": 0, "after": [[0, 1, 2, 3], [4, 5, 6, 7]]}


def test_a_kernel_that_is_sent_to_a_spawned_process_gets_an_address_there(
    package: Path, first: tuple[Path, Say], tmp_path: Path
) -> None:
    script = tmp_path / "spawn.py"
    script.write_text(
        """
import json, multiprocessing
import numpy as np
from unbraid.kernels.machine import Kernel, address_of, compilations

def interleaved(kernel):
    x, out = np.arange(6, dtype=np.float32).reshape(2, 3), np.empty((3, 2), np.float32)
    kernel(address_of(x), address_of(out), 2, 3, 12)
    return out.T.tolist(), len(compilations())

if __name__ == "__main__":
    kernel = Kernel("pcm.interleave", 5)
    here = interleaved(kernel)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(json.dumps({"here": here, "there": pool.apply(interleaved, (kernel,))}))
""",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, script],
        env=environment(package, NUMBA_CACHE_DIR=first[0]),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    want = [[[0, 1, 2], [3, 4, 5]], 0]
    assert json.loads(done.stdout) == {"here": want, "there": want}


def test_a_pickled_kernel_carries_no_address(folder: Path, probe: Callable[..., str]) -> None:
    found = Kernel(probe(constant), 1, value=9)
    assert stored_by(found) == 9
    copied = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own
    assert {"address", "function"}.isdisjoint(vars(copied))
    assert (copied.name, copied.arguments, stored_by(copied)) == (found.name, 1, 9)


# Damage


def damages(content: bytes) -> Iterator[bytes]:
    """Every way in which a file can be short, a bit of every byte turned, and garbage."""
    for length in range(0, len(content), 3):
        yield content[:length]
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        yield bytes(flipped)
    yield content + b"\0"
    yield bytes(len(content))
    yield np.random.default_rng(1).bytes(len(content))
    yield content[32:]


def test_a_damaged_file_is_never_loaded(folder: Path) -> None:
    code = np.random.default_rng(2).bytes(500)
    assert store_object("one", code)
    file = folder / "one.o"
    content, tried = file.read_bytes(), 0
    assert load_object("one") == code
    for damaged in damages(content):
        file.write_bytes(damaged)
        assert load_object("one") is None, f"{len(damaged)} bytes"
        tried += 1
    assert tried > len(content)
    assert store_object("one", code)
    assert file.read_bytes() == content


@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.999])
def test_a_truncated_kernel_is_compiled_again_and_its_file_repaired(
    folder: Path, monkeypatch: pytest.MonkeyPatch, probe: Callable[..., str], part: float
) -> None:
    source = probe(constant)
    assert stored_by(Kernel(source, 1, value=11)) == 11
    file = folder / "probe.constant-value=11.o"
    content = file.read_bytes()
    file.write_bytes(content[: int(part * len(content))])
    again(monkeypatch)
    assert stored_by(Kernel(source, 1, value=11)) == 11
    assert [report.name for report in compilations()] == ["probe.constant-value=11"]
    assert file.read_bytes() == content
    again(monkeypatch)
    assert stored_by(Kernel(source, 1, value=11)) == 11
    assert compilations() == ()


def test_a_process_that_finds_damage_repairs_it_for_the_next(
    package: Path, first: tuple[Path, Say], tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    shutil.copytree(first[0], folder)
    for name in ("nodes.mix", STEP):
        (file,) = folder.rglob(f"{name}.o")
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
    found = say(RUN, package, NUMBA_CACHE_DIR=folder)
    assert found["compiled"] == {"nodes.mix": True, STEP: True}
    assert found["bits"] == first[1]["bits"]
    assert say(RUN, package, NUMBA_CACHE_DIR=folder)["compiled"] == {}


def test_another_kernel_s_file_is_not_taken_for_this_one_s(
    folder: Path, monkeypatch: pytest.MonkeyPatch, probe: Callable[..., str]
) -> None:
    source = probe(constant)
    for value in (1, 2):
        stored_by(Kernel(source, 1, value=value))
    shutil.copy(folder / "probe.constant-value=1.o", folder / "probe.constant-value=2.o")
    again(monkeypatch)
    assert stored_by(Kernel(source, 1, value=2)) == 2
    assert [report.name for report in compilations()] == ["probe.constant-value=2"]


def test_a_file_of_another_user_is_not_executed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store_object("one", b"code")
    if os.geteuid():
        me = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    else:
        os.chown(folder / "one.o", 12345, 12345)
    assert load_object("one") is None
    if not os.geteuid():
        assert store_object("one", b"code"), "root replaces it by its own"
        assert load_object("one") == b"code"


def test_a_file_of_root_is_good_for_everybody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        pytest.skip("only root can make one")
    assert store_object("one", b"code")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert load_object("one") == b"code"


def test_without_sources_nothing_tells_old_code_from_new_so_nothing_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_object("one", b"code")
    monkeypatch.undo()
    monkeypatch.setattr(cache, "_KERNELS", tmp_path / "frozen")
    assert not cache._sources_hash()
    monkeypatch.setattr(cache, "_SOURCES", "")
    monkeypatch.setattr(cache, "cache_folder", lambda: folder)
    assert load_object("one") is None
    assert not store_object("two", b"code")


# What a kernel may be


def allocates(n: int) -> int:
    x = np.empty(n)
    x[:] = 2
    return int(x.sum())


def lists(n: int) -> int:
    found = [n]
    for i in range(n):
        found.append(i)  # noqa: PERF402
    return len(found)


def formats(n: int) -> int:
    return len(str(n))


def raises_with_a_value(n: int) -> int:
    if n == 3:
        raise ValueError(n)
    return n


def prints(n: int) -> int:
    print(n)  # noqa: T201
    return n


def draws(n: int) -> int:
    return int(np.random.random() * n)  # noqa: NPY002


FOREIGN: dict[Callable[[int], int], str] = {
    allocates: "NRT_",
    lists: "NRT_",
    formats: "NRT_",
    raises_with_a_value: "PyErr_",
    prints: "numba_gil_ensure",
    draws: "numba_",
}


@pytest.mark.parametrize("body", FOREIGN, ids=lambda f: f.__name__)
def test_a_kernel_that_needs_python_or_numba_s_runtime_does_not_build(
    folder: Path, probe: Callable[..., str], body: Callable[[int], int]
) -> None:
    source = probe(body)
    with pytest.raises(RuntimeError, match=rf"kernel {source} needs .*{FOREIGN[body]}"):
        _ = Kernel(source, 1).address
    assert compilations() == ()
    assert not folder.exists()


def calls_nowhere() -> Emitted:
    def emit(builder: Any, address: Any) -> None:
        word = ir.IntType(64)
        builder.call(ir.Function(builder.module, ir.FunctionType(word, [word]), "nowhere"), [address])

    return Emitted(emit)


def reads_nowhere() -> Emitted:
    def emit(builder: Any, address: Any) -> None:
        word = ir.IntType(64)
        data = ir.GlobalVariable(builder.module, word, "nowhere")
        builder.store(builder.load(data), builder.inttoptr(address, word.as_pointer()))

    return Emitted(emit)


@pytest.mark.parametrize("make", [calls_nowhere, reads_nowhere])
def test_a_kernel_that_needs_what_another_process_may_lack_does_not_build(
    folder: Path, probe: Callable[..., str], make: Callable[[], Emitted]
) -> None:
    def body(unused: int) -> Emitted:
        return make()

    with pytest.raises(RuntimeError, match=r"kernel probe.body {'unused': 0} needs nowhere;"):
        _ = Kernel(probe(body), 1, unused=0).address
    assert not folder.exists()


def test_a_kernel_may_use_c_s_mathematics(folder: Path, probe: Callable[..., str]) -> None:
    from unbraid.kernels.code.memory import f64

    def maths(address: Any) -> Any:
        x = f64(address, 3)
        x[0], x[1], x[2] = np.log10(x[0]), np.tanh(x[1]), x[2] ** 1.5
        return 0

    x = np.array([100.0, 0.5, 4.0])
    assert Kernel(probe(maths), 1)(address_of(x)) == 0
    np.testing.assert_allclose(x, [2, np.tanh(0.5), 8], rtol=1e-12)


def raises(n: int) -> int:
    if n == 3:
        raise ValueError("three")
    return -n


def test_a_kernel_that_raises_returns_a_code_no_other_does(folder: Path, probe: Callable[..., str]) -> None:
    found = Kernel(probe(raises), 1)
    assert [found(n) for n in (2, 3, 4, -(1 << 61))] == [-2, RAISED, -4, 1 << 61]
    assert RAISED == -(1 << 62)


def test_a_kernel_of_another_count_than_the_kept_one_is_not_called(
    folder: Path, monkeypatch: pytest.MonkeyPatch, probe: Callable[..., str]
) -> None:
    def two(a: Any, b: Any) -> Any:
        return a - b

    source = probe(two)
    assert Kernel(source, 2)(7, 4) == 3
    again(monkeypatch)
    with pytest.raises(TypeError, match="argument"):
        Kernel(source, 1)(7)
    assert Kernel(source, 2)(7, 4) == 3


# How it is called


def test_the_committed_types_are_those_that_would_be_generated() -> None:
    committed = Path(signatures.__file__).with_name("_signatures.py").read_text(encoding="utf-8")
    assert ast.dump(ast.parse(committed).body[-1]) == ast.dump(ast.parse(signatures.described()).body[-1])


def test_every_form_takes_its_words_and_pointers() -> None:
    from unbraid.kernels.machine._signatures import ffi

    for n in range(1, signatures.MOST + 1):
        assert [kind.cname for kind in ffi.typeof(f"words{n}").args] == ["int64_t"] * n
    for form in signatures.WITH_POINTERS:
        want = ["void *" if letter == "p" else "int64_t" for letter in form]
        assert [kind.cname for kind in ffi.typeof(form).args] == want


def test_ten_words_arrive_in_order(folder: Path, probe: Callable[..., str]) -> None:
    def ten(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, i: Any, j: Any) -> Any:  # noqa: PLR0917
        left = (((a * 10 + b) * 10 + c) * 10 + d) * 10 + e
        return ((((left * 10 + f) * 10 + g) * 10 + h) * 10 + i) * 10 + j

    found = Kernel(probe(ten), 10)
    assert found(1, 2, 3, 4, 5, 6, 7, 8, 9, 0) == 1234567890
    address = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 10)(found.address)
    assert address(1, 2, 3, 4, 5, 6, 7, 8, 9, 0) == 1234567890


def test_wrong_arguments_are_type_errors(folder: Path, probe: Callable[..., str]) -> None:
    def two(a: Any, b: Any) -> Any:
        return a - b

    def five(a: Any, b: Any, x: Any, c: Any, d: Any) -> Any:
        return a + b + c + d

    found = Kernel(probe(two), 2)
    assert found.function(np.int64(7), True) == 6
    wrong: list[Any] = [(), (1,), (1, 2, 3), (1, "2"), (1, 2.0), (1, None), (1, np.zeros(2))]
    for arguments in wrong:
        with pytest.raises(TypeError):
            found(*arguments)
    for beyond in (1 << 63, -(1 << 63) - 1):
        with pytest.raises(OverflowError):
            found(1, beyond)
    with_pointer, x = Kernel(probe(five), "wwpww"), np.zeros(3, np.float32)
    assert with_pointer.function(1, 2, pointer_to(x), 3, 4) == 10
    for place in (5, None, x, "text"):
        with pytest.raises(TypeError):
            with_pointer.function(1, 2, place, 3, 4)
