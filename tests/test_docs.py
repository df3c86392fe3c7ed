"""The words: every example runs, every hook is in the README, everything public in the contract has some."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import unbraid
from unbraid.host import contract
from unbraid.host.contract import hooks

ROOT = Path(__file__).resolve().parents[1]


def modules() -> list[str]:
    def refuse(name: str) -> None:
        raise ImportError(name)

    return ["unbraid", *(info.name for info in walk_packages(unbraid.__path__, "unbraid.", onerror=refuse))]


def test_the_walk_reaches_every_corner() -> None:
    found = set(modules())
    corners = {
        "unbraid.host.contract.params",
        "unbraid.kernels.streaming",
        "unbraid.plugins.basics",
        "unbraid.host.cli.app",
    }
    assert corners <= found


@pytest.mark.parametrize("name", modules())
def test_every_example_runs(name: str) -> None:
    module = import_module(name)
    said: list[str] = []
    runner = doctest.DocTestRunner()
    shown = inspect.getsource(module).count(">>> ")
    ran = 0
    # As a reader would type it: without the module's own `from __future__ import annotations`.
    names = {key: value for key, value in vars(module).items() if key != "annotations"}
    for test in doctest.DocTestFinder().find(module, name, globs=names):
        ran += len(test.examples)
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
    assert ran == shown, "an example stands where doctest does not look"


def test_there_are_examples() -> None:
    assert sum(inspect.getsource(import_module(name)).count(">>> ") for name in modules()) >= 20


HOOKS = [name for name, item in vars(hooks).items() if name.startswith("unbraid_") and callable(item)]


def test_the_hooks_are_found() -> None:
    assert {"unbraid_cards", "unbraid_graphs", "unbraid_render_started"} <= set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_in_the_readmes_table(hook: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{hook}` \| (.+) \|$", text, re.MULTILINE)
    assert row is not None, f"README.md has no row for the hook {hook}: say when it is called"
    assert len(row[1].split()) >= 4


def test_the_readme_tells_of_no_hook_that_is_not() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(unbraid_\w+)` \|", text, re.MULTILINE)) == set(HOOKS)


CONTRACT = sorted(Path(path) for folder in contract.__path__ for path in Path(folder).glob("*.py"))


def untold(tree: ast.Module) -> list[str]:
    """Public classes, functions and methods without a docstring; a class tells of its properties."""
    missing = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        told = ast.get_docstring(node)
        missing += [] if told else [node.name]
        for inner in node.body if isinstance(node, ast.ClassDef) else []:
            if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                attribute = f"{inner.name}:" in (told or "")
                missing += [] if ast.get_docstring(inner) or attribute else [f"{node.name}.{inner.name}"]
    return missing


@pytest.mark.parametrize("path", CONTRACT, ids=[path.stem for path in CONTRACT])
def test_everything_public_in_the_contract_has_words(path: Path) -> None:
    assert untold(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_contract_is_found() -> None:
    assert {"hooks", "card", "params", "processor"} <= {path.stem for path in CONTRACT}
