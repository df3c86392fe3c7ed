"""The package: what it holds, what a wheel of it holds, what it imports, and that its folder has any name."""

from __future__ import annotations

import ast
import configparser
import email
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Beside the package: its tests, and what tools leave behind.
BESIDE = {"tests", "benches", "build", "dist", "demo", "venv", "env"}


def beside(name: str) -> bool:
    return name in BESIDE or name.startswith(".") or name == "__pycache__" or name.endswith(".egg-info")


def in_package(suffix: str) -> set[Path]:
    """Every file of the package with this suffix, relative to the root."""
    files = {path.relative_to(ROOT) for path in ROOT.rglob(f"*{suffix}")}
    return {path for path in files if not any(beside(part) for part in path.parts[:-1])}


def dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(("unbraid", *(parts[:-1] if parts[-1] == "__init__" else parts)))


MODULES = {dotted(path): path for path in sorted(in_package(".py"))}


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in a folder whose name could not be a package's."""
    target = tmp_path_factory.mktemp("copies") / "un-braid.x"
    left = {path.name for path in ROOT.iterdir() if beside(path.name)} - {"tests", "benches"}
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*left, "__pycache__"))
    return target


# What it holds


def test_the_list_of_packages_is_the_tree() -> None:
    folders = {".".join(("unbraid", *path.parent.parts)) for path in in_package(".py")}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders
    for folder in folders:
        assert folder in MODULES, f"{folder} has no __init__.py"


def test_what_is_installed_is_what_is_here() -> None:
    for name, path in MODULES.items():
        file = import_module(name).__file__
        assert file is not None
        same = Path(file).read_bytes() == (ROOT / path).read_bytes()
        assert same, f"{name} is installed from elsewhere or is older: install this checkout again"


def _builder() -> list[str]:
    """Build in this environment where it can, else in one that `build` sets up (which needs a network)."""
    try:
        return ["--no-isolation"] if int(version("setuptools").split(".")[0]) >= 77 else []
    except PackageNotFoundError:
        return []


@pytest.fixture(scope="module")
def wheel(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run("-m", "build", "--wheel", *_builder(), "--outdir", out, copy, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def test_a_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    data = [path for suffix in (".yaml", ".safetensors", ".cuh") for path in in_package(suffix)]
    cards = [path for path in in_package(".md") if path.parent.name == "models"]
    files = {*in_package(".py"), *data, *cards, Path("py.typed")}
    assert names == {f"unbraid/{path.as_posix()}" for path in files}
    assert "unbraid/plugins/graphs/dewind.yaml" in names


def test_a_wheel_says_what_the_project_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
        points = configparser.ConfigParser(delimiters=("=",))
        points.read_string(archive.read(f"{info}/entry_points.txt").decode())
        assert any(name.endswith("LICENSE") for name in archive.namelist())
    project = PROJECT["project"]
    assert (metadata["Name"], metadata["Version"]) == ("unbraid", project["version"])
    assert metadata["Requires-Python"] == project["requires-python"]
    assert metadata["License-Expression"] == "MIT"
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(required) == sorted(project["dependencies"])
    assert dict(points["console_scripts"]) == {"unbraid": "unbraid.host.cli:main"} == project["scripts"]
    assert dict(points["unbraid.plugins"]) == project["entry-points"]["unbraid.plugins"]


WHEEL_USE = """
import sys
sys.path.insert(0, sys.argv[1])
import unbraid
assert unbraid.__file__.startswith(sys.argv[1]), unbraid.__file__
registry = unbraid.Registry.discover()
assert not registry.faults, registry.faults
graph = unbraid.Graph.load(registry.graphs["dewind"])
from unbraid.host.contract import Layout
graph.check(registry, 48000, {"mix": Layout.parse("stereo")})
print(registry.graphs["dewind"])
"""


def test_a_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    said = run("-c", WHEEL_USE, str(tmp_path), cwd=tmp_path, UNBRAID_THIRD_PARTY="0")
    assert said.startswith(str(tmp_path))


SMALL_TEST = """
import sys
from pathlib import Path

import unbraid
import unbraid.host.graph.graph

ROOT = Path(__file__).resolve().parents[1]


def test_no_module_of_the_checkout_has_two_names():
    assert Path(unbraid.__file__).resolve() == ROOT / "__init__.py"
    files = {name: Path(getattr(m, "__file__", None) or "/").resolve() for name, m in sys.modules.items()}
    tests = {*(ROOT / "tests").glob("*.py")}
    ours = {name for name, file in files.items() if ROOT in file.parents and file not in tests}
    assert ours, files
    assert {name.split(".")[0] for name in ours} == {"unbraid"}, ours
"""


def test_a_checkout_under_any_name_is_tested_under_the_packages_own(copy: Path, tmp_path: Path) -> None:
    (copy / "tests" / "test_small.py").write_text(SMALL_TEST, encoding="utf-8")
    (tmp_path / "unbraid").symlink_to(copy, target_is_directory=True)
    said = run("-m", "pytest", "tests/test_small.py", cwd=copy, PYTHONPATH=str(tmp_path))
    assert "1 passed" in said


# What it shows

SHOWN = ["unbraid", "unbraid.host", "unbraid.host.contract", "unbraid.host.models"]


def for_checkers(tree: ast.Module) -> Iterator[str]:
    """The names a type checker sees: those under ``if TYPE_CHECKING`` that are not merely used inside."""
    for node in tree.body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for inner in node.body:
                if isinstance(inner, ast.ImportFrom):
                    yield from (alias.asname or alias.name for alias in inner.names)
                elif isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
                    yield inner.target.id


@pytest.mark.parametrize("name", SHOWN)
def test_every_name_shown_is_there_and_no_other(name: str) -> None:
    module = import_module(name)
    for shown in module.__all__:
        assert getattr(module, shown) is not None
    assert len(set(module.__all__)) == len(module.__all__)
    tree = ast.parse((ROOT / MODULES[name]).read_text(encoding="utf-8"))
    assert set(for_checkers(tree)) == set(module.__all__)
    if hasattr(module, "_HOME"):
        assert set(module._HOME) == set(module.__all__)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("name", SHOWN)
def test_to_import_it_loads_nothing_of_anyone_else(name: str, tmp_path: Path) -> None:
    text = f"import sys, json\nbefore = set(sys.modules)\nimport {name}\nloaded = set(sys.modules) - before\n"
    text += "print(json.dumps(sorted(loaded)))"
    loaded = {module.split(".")[0] for module in json.loads(run("-c", text, cwd=tmp_path))}
    assert loaded - set(sys.stdlib_module_names) == {"unbraid"}


def test_every_module_names_what_it_shows() -> None:
    for name in MODULES:
        module = import_module(name)
        for shown in getattr(module, "__all__", []):
            assert hasattr(module, shown), f"{name}.__all__ names {shown}"


# How it is built


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_no_file_is_longer_than_a_reader_likes(path: Path) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 450


#: What each part may import of the package, besides itself: only parts below it.
LAYERS = {
    "unbraid.kernels": set[str](),
    "unbraid.host.contract": {"unbraid.kernels"},
    "unbraid.host.registry": {"unbraid.host.contract"},
    "unbraid.host.media": {"unbraid.host.contract", "unbraid.kernels"},
    "unbraid.host.graph": {"unbraid.host.contract", "unbraid.host.registry"},
    "unbraid.host.guard": {"unbraid.host.contract", "unbraid.host.graph"},
    "unbraid.host.isolation": {
        "unbraid.host.contract",
        "unbraid.host.graph",
        "unbraid.host.guard",
        "unbraid.host.registry",
        "unbraid.kernels",
    },
    "unbraid.host.models": {"unbraid.host.contract", "unbraid.host.graph", "unbraid.host.registry"},
    "unbraid.host.measures": {
        "unbraid.host.contract",
        "unbraid.host.media",
        "unbraid.host.models",
        "unbraid.kernels",
    },
    "unbraid.host.scene": {"unbraid.host.contract", "unbraid.kernels"},
    "unbraid.host.adm": {
        "unbraid.host.contract",
        "unbraid.host.measures",
        "unbraid.host.media",
        "unbraid.host.scene",
        "unbraid.kernels",
    },
    "unbraid.host.engine": {
        "unbraid.host.adm",
        "unbraid.host.contract",
        "unbraid.host.graph",
        "unbraid.host.guard",
        "unbraid.host.isolation",
        "unbraid.host.media",
        "unbraid.host.registry",
        "unbraid.kernels",
    },
    "unbraid.host.jobs": {
        "unbraid.host.adm",
        "unbraid.host.contract",
        "unbraid.host.engine",
        "unbraid.host.graph",
        "unbraid.host.isolation",
        "unbraid.host.measures",
        "unbraid.host.media",
        "unbraid.host.models",
        "unbraid.host.registry",
        "unbraid.kernels",
    },
    "unbraid.host": {"unbraid.host", "unbraid.kernels"},
    "unbraid.plugins": {"unbraid.host.contract", "unbraid.host.models", "unbraid.kernels"},
    "unbraid": {"unbraid.host"},
}


def within(name: str, part: str) -> bool:
    return name == part or name.startswith(part + ".")


def imported(name: str, path: Path) -> Iterator[str]:
    """The modules of the package that this one imports, wherever it does."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            target = ".".join(filter(None, base))
            for alias in node.names:  # `from ..host import contract` names a module too
                inner = f"{target}.{alias.name}"
                yield inner if inner in MODULES else target


@pytest.mark.parametrize(("name", "path"), MODULES.items(), ids=MODULES)
def test_imports_point_down(name: str, path: Path) -> None:
    part = next(part for part in LAYERS if within(name, part))
    for target in imported(name, path):
        assert any(within(target, allowed) for allowed in {part, *LAYERS[part]}), f"{name} imports {target}"


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_the_package_does_not_call_itself_by_name(path: Path) -> None:
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert not any(within(name, "unbraid") for name in names), f"{path}:{getattr(node, 'lineno', 0)}"


def test_the_library_prints_nothing() -> None:
    for name, path in MODULES.items():
        if not within(name, "unbraid.host.cli"):
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
            assert not any(isinstance(call, ast.Name) and call.id == "print" for call in calls), name
