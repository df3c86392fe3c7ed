"""From staging to their names: how outputs appear, complete, and how a run that was killed is finished."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import MediaError
from ..media.atomic import rename_to_free_name, sync, why_not
from .ledger import FOLDER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .task import Output

__all__ = ["GoneError", "Placing", "is_here"]


class GoneError(MediaError):
    """What was made is not there any more: the job has to be done again."""


class Placing:
    """The batch's folder: staging below it, and the names of outputs.

    Outputs are made in a folder of their attempt's own, on the same file system. The ledger has them as
    rendered, for good, before the first gets its name; so whoever comes after a crash finds either no output
    of a job, or a job that only needs its remaining files renamed.

    Args:
        folder: of the batch.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._staging = folder / FOLDER / "staging"

    def staging(self, number: int) -> Path:
        """Return the folder for an attempt at a job; it is made by whoever fills it."""
        return self._staging / str(number)

    def clear(self, numbers: Collection[int] | None = None) -> None:
        """Remove what attempts left behind, all of it, or but for these jobs."""
        with suppress(OSError):
            for place in self._staging.iterdir():
                if numbers is None or place.name not in {str(number) for number in numbers}:
                    shutil.rmtree(place, ignore_errors=True)

    def discard(self, number: int) -> None:
        """Remove what an attempt at a job left behind."""
        shutil.rmtree(self.staging(number), ignore_errors=True)

    def put(self, number: int, outputs: Iterable[Output]) -> set[Path]:
        """Give a job's outputs their names; what has its name already stays.

        Args:
            number: of the job.
            outputs: as the ledger has them.

        Returns:
            The folders whose names changed; to be synced before the ledger says done.

        Raises:
            GoneError: an output is neither here nor there.
            MediaError: a name is taken, or leads out of the folder, or the disk refuses.
        """
        folders, staging = set[Path](), self.staging(number)
        for output in outputs:
            source, place = staging / output.staged, self.folder / output.path
            if not os.path.lexists(source):
                if is_here(place, output):
                    continue
                raise GoneError(f"{place}: is gone before it had its name; it will be made again")
            try:
                self._make(place.parent)
                if output.replaces:
                    source.replace(place)
                elif _same(source, place):  # the end came between the new name and the loss of the old
                    source.unlink()
                else:
                    rename_to_free_name(source, place)
            except FileExistsError:
                raise MediaError(
                    f"{place}: appeared while it was rendered, and was left as it is; move it away, or pass "
                    "--overwrite"
                ) from None
            except OSError as error:
                raise MediaError(f"{place}: cannot be renamed into place: {why_not(place, error)}") from None
            folders.add(place.parent)
        self.discard(number)
        return folders

    def unnamed(self, number: int, outputs: Iterable[Output]) -> list[Output]:
        """Return those of a job's outputs that `put` has not given their names."""
        return [output for output in outputs if os.path.lexists(self.staging(number) / output.staged)]

    def _make(self, folder: Path) -> None:
        """Make an output's folder; it must not lead out of the batch's, by a link that somebody put there."""
        if not folder.resolve().is_relative_to(self.folder.resolve()):
            raise MediaError(f"{folder}: is a link that leads out of {self.folder}; remove it")
        folder.mkdir(parents=True, exist_ok=True)

    def settle(self, folders: Iterable[Path]) -> None:
        """Wait until the disk holds names that `put` gave."""
        for folder in folders:
            with suppress(OSError):
                sync(folder)


def _same(source: Path, place: Path) -> bool:
    try:
        return source.samefile(place)
    except OSError:
        return False


def is_here(place: str | Path, output: Output) -> bool:
    """Return whether a file stands there that has an output's length."""
    try:
        return os.stat(place).st_size == output.bytes  # noqa: PTH116 - a path object costs as much again
    except OSError:
        return False
