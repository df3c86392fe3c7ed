"""What an evaluation writes, whole or not at all: a table and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import MediaError
from ..media.atomic import AtomicFile, why_not
from ..media.paths import inside
from .libraries import missing
from .picture import draw
from .spectrogram import PairPicture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from .evaluation import Row
    from .gauge import Figure
    from .pairs import Pair

__all__ = ["Pictures", "TextFile"]

_MOST = 12  # stems in a picture that a screen can still show


class TextFile:
    """A text file that gets its name when the ``with`` statement around it ends well.

    Args:
        path: where to; None for no file.
        overwrite: replace a file that exists.

    Raises:
        MediaError: the name is taken, or nothing can be created there: before any work is done.
    """

    def __init__(self, path: str | Path | None, *, overwrite: bool = False) -> None:
        self._file = None if path is None else AtomicFile(_made(Path(path)), overwrite=overwrite)

    def write(self, text: str) -> None:
        """Write the whole text.

        Raises:
            MediaError: the disk is full or failing.
        """
        if self._file is not None:
            _fill(self._file, lambda path: _write_text(path, text))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            _end(self._file, well=kind is None)


class Pictures:
    """A PNG for each track in a folder; more for one of more than twelve stems.

    Args:
        folder: where to; made if need be.
        tracks: their names, which become those of files, and how many stems they have.
        figures: what titles may show.
        overwrite: replace files that exist.

    Attributes:
        written: the files that stand complete.

    Raises:
        MediaError: matplotlib is missing, a file exists, or a track's name cannot be a file's: before any
            work is done.
    """

    def __init__(
        self, folder: Path, tracks: Mapping[str, int], figures: Sequence[Figure], *, overwrite: bool = False
    ) -> None:
        if lacking := missing(("matplotlib",)):
            raise MediaError(f"pictures need matplotlib, which is {lacking}")
        self._paths = {
            track: [_made(inside(folder, name)) for name in _names(track, count)]
            for track, count in tracks.items()
        }
        for path in (path for paths in self._paths.values() for path in paths):
            if not overwrite and path.exists():
                raise MediaError(f"{path}: exists already; choose another folder, or pass --overwrite")
        self._figures, self._overwrite = figures, overwrite
        self._gathered: dict[Pair, PairPicture] = {}
        self.written: list[Path] = []

    def watch(self, pair: Pair, rate: int, roles: Sequence[str]) -> PairPicture:
        """Return the gauge that gathers what a pair's picture shows."""
        self._gathered[pair] = PairPicture(rate, roles)
        return self._gathered[pair]

    def draw(self, track: str, rows: Sequence[Row]) -> None:
        """Write a track's picture.

        Raises:
            MediaError: the disk is full or failing.
        """
        for k, path in enumerate(self._paths[track]):
            self._draw(path, rows[k * _MOST : (k + 1) * _MOST])

    def _draw(self, path: Path, rows: Sequence[Row]) -> None:
        pictures = [self._gathered.pop(row.pair) for row in rows]
        file, well = AtomicFile(path, overwrite=self._overwrite), False
        try:
            _fill(file, lambda partial: draw(partial, rows, pictures, self._figures))
            well = True
        finally:
            _end(file, well=well)
        self.written.append(file.path)


def _names(track: str, stems: int) -> list[str]:
    """Return the names of a track's pictures."""
    pages = -(-stems // _MOST)
    return [f"{track}.png"] if pages == 1 else [f"{track} ({k + 1} of {pages}).png" for k in range(pages)]


def _made(path: Path) -> Path:
    """Return a path whose folder exists."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path.parent}: cannot be made: {reason}") from None
    return path


def _write_text(path: Path, text: str) -> None:
    # Names of files may hold bytes that are no text.
    path.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def _fill(file: AtomicFile, write: Callable[[Path], object]) -> None:
    try:
        write(file.partial)
    except OSError as error:
        raise MediaError(f"{file.path}: cannot be written: {why_not(file.path, error)}") from None


def _end(file: AtomicFile, *, well: bool) -> None:
    """Give a file its name, or remove it."""
    try:
        if well:
            file.sync()
            file.commit()
            file.settle()
    except BaseException:
        file.abort()
        raise
    if not well:
        file.abort()
