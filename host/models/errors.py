"""What can be wrong with a model: its card, its files, their way here, or what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.errors import UnbraidError, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.errors import Problem

__all__ = [
    "CheckpointError",
    "ModelCardError",
    "ModelCorruptError",
    "ModelError",
    "ModelFetchError",
    "ModelMissingError",
    "OfflineError",
    "UnknownModelError",
]


class ModelError(UnbraidError):
    """The base of what can be wrong with a model. One readable line, whatever names it holds."""

    def __init__(self, message: str) -> None:
        super().__init__(plain(message))


class ModelCardError(UnbraidError):
    """A card that cannot be used. ``problems`` lists everything found, in order of lines."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownModelError(ModelError):
    """No card has this id, or several packages bring one."""

    exit_code = 2


class ModelMissingError(ModelError):
    """The card is known, its files are not here; says what brings them."""


class ModelCorruptError(ModelError):
    """A file is here and is not what the card says, by length or sha256."""


class ModelFetchError(ModelError):
    """A download failed; says how much is here and whether the next one goes on from there."""


class OfflineError(ModelFetchError):
    """Something would have to come over the network, and that is switched off."""


class CheckpointError(ModelError):
    """A checkpoint cannot be read, is refused, or does not fit the network."""
