"""``pytest --unbraid-plugin ID``: the checks as tests, one each, in any test suite or in none.

Nothing of Unbraid is imported before the option is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .examination import Examination
    from .finding import Finding

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_terminal_summary",
    "pytest_unconfigure",
]

_OPEN = pytest.StashKey[list[Any]]()
_NOTES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("unbraid", "Unbraid plugins")
    group.addoption("--unbraid-plugin", action="append", default=[], metavar="ID", help="check this plugin")
    group.addoption(
        "--unbraid-level", default="standard", metavar="LEVEL", help="quick, standard (default) or strict"
    )
    group.addoption(
        "--unbraid-module",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module with hooks that is not installed",
    )
    group.addoption("--unbraid-limit", type=float, default=60.0, metavar="SECONDS", help="for one check")


class _BrokenPromiseError(Exception):
    """Carries a failed finding to where pytest writes it."""


class _Plugin(pytest.Collector):
    """All checks of one plugin, which share one child process."""

    examination: Examination

    def collect(self) -> list[_Promise]:
        """Return one test for each check."""
        made = []
        for check, promise in self.examination.checks:
            item: _Promise = _Promise.from_parent(self, name=check)
            item.promise = promise
            made.append(item)
        return made


class _Promise(pytest.Item):
    """One check."""

    promise: str

    def runtest(self) -> None:
        """Run it; skip or fail as it found."""
        parent = self.parent
        assert isinstance(parent, _Plugin)  # noqa: S101 - nobody else makes it
        found: Finding = parent.examination.run(self.name)
        if found.status == "skipped":
            pytest.skip(found.message)
        if found.status == "failed":
            raise _BrokenPromiseError(f"{found.message}\n-> {found.remedy}")
        if found.status == "advisory":
            self.config.stash[_NOTES].append(f"{parent.name} {found}")
        self.add_report_section("call", "finding", found.message)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the finding's own words; a traceback of ours would help nobody."""
        if isinstance(excinfo.value, _BrokenPromiseError):
            return f"{self.promise}: not so\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the title of the failure."""
        parent = self.parent
        return self.path, None, f"{parent.name if parent else ''} {self.name}"


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the checks of every plugin asked for.

    Raises:
        pytest.UsageError: there is no such plugin or level.
    """
    options: Any = config.option
    plugins: list[str] = options.unbraid_plugin
    if not plugins:
        return
    from ..contract.errors import UnbraidError
    from .examination import Examination
    from .finding import Level

    opened: list[Any] = config.stash.setdefault(_OPEN, [])
    config.stash[_NOTES] = []
    try:
        level = Level.parse(options.unbraid_level)
        for plugin in plugins:
            examination = Examination(
                plugin,
                level=level,
                limit=options.unbraid_limit,
                modules=options.unbraid_module,
            )
            opened.append(examination)
            collector: _Plugin = _Plugin.from_parent(session, name=plugin, nodeid=f"unbraid::{plugin}")
            collector.examination = examination
            items.extend(collector.collect())
    except UnbraidError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell what is advised."""
    notes = config.stash.get(_NOTES, [])
    if notes:
        terminalreporter.section("unbraid advice")
        for note in notes:
            terminalreporter.line(note)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the child processes."""
    for examination in config.stash.get(_OPEN, []):
        examination.close()
