"""What is wrong with a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.errors import UnbraidError, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SceneError"]


class SceneError(UnbraidError):
    """A scene that cannot be: a line for each thing that is wrong, with its place in the scene.

    Attributes:
        problems: the lines.
    """

    exit_code = 2
    _SHOWN = 20

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(plain(problem) for problem in problems)
        shown = list(self.problems[: self._SHOWN])
        if more := len(self.problems) - len(shown):
            shown.append(f"... and {more} more")
        super().__init__("\n".join(shown))
