"""What is wrong with a manifest, or with a path or name in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...contract.errors import Place, Problem, UnbraidError
from ...graph.yaml_reader import dotted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...graph.yaml_reader import Path

__all__ = ["MOST", "Faults", "ManifestError", "RefusedError"]

#: So many problems are told at once.
MOST = 20


class ManifestError(UnbraidError):
    """A manifest that cannot be taken. ``problems`` lists the first 20, in order of lines.

    Example:
        >>> problem = Problem(Place("m.csv", 3, "input"), "is empty", "write a file's name")
        >>> print(ManifestError([problem]))
        m.csv:3: input: is empty; write a file's name
    """

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RefusedError(UnbraidError):
    """A path or a name that is not taken. ``message`` says why, ``remedy`` what to do about it."""

    exit_code = 2

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message, self.remedy = message, remedy
        super().__init__(f"{message}; {remedy}" if remedy else message)


class Faults:
    """Collects what is wrong with a manifest, so that the first 20 problems are told at once.

    Attributes:
        source: the manifest's name in error texts.
        line: at which the reading stands, from 1.
        prefix: where in a document the present entry stands, as in ``("jobs", 3)``.
        lines: of every key and item of a document, where it is one.
        spelt: how the manifest spells a key, where it is not ``settings.node.param`` and the like.
        found: so many problems.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.line: int | None = None
        self.prefix: Path = ()
        self.lines: Mapping[Path, int] = {}
        self.spelt: Mapping[Path, str] = {}
        self.found = 0
        self._problems: list[Problem] = []

    def add(self, path: Path, message: str, remedy: str = "") -> None:
        """Note a problem of a key below the present entry."""
        whole = (*self.prefix, *path)
        line = next(
            (self.lines[whole[:end]] for end in range(len(whole), -1, -1) if whole[:end] in self.lines),
            self.line,
        )
        spelt = self.spelt.get(path) or dotted(whole)
        self.take([Problem(Place(self.source, line, spelt), message, remedy)])

    def refuse(self, path: Path, error: RefusedError) -> None:
        """Note that the value of a key is refused."""
        self.add(path, error.message, error.remedy)

    def take(self, problems: Sequence[Problem]) -> None:
        """Note problems whose places are known."""
        self._problems += problems[: MOST - len(self._problems)]
        self.found = len(self._problems)

    @property
    def full(self) -> bool:
        """Whether there are as many as are told at once."""
        return self.found >= MOST

    def settle(self) -> None:
        """Raise `ManifestError` if there is any problem."""
        if self._problems:
            raise ManifestError(self._problems)
