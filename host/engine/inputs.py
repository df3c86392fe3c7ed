"""The inputs of one render: opened, brought to one rate, and told of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from ..contract.errors import MediaError, MediaRequestError
from ..media.open_input import InputForm, open_input
from ..media.pipes import is_pipe
from ..media.placed import line_up, starts_of
from ..media.resample import Resampled, resampled_length
from ..media.spooled import Spooled
from .options import InputReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..media.source import Source

__all__ = ["Fitting", "Inputs"]


@dataclass(frozen=True)
class Fitting:
    """How inputs that differ are made to fit.

    Attributes:
        resample: bring all to the first one's rate.
        rate: Hz, to which all are brought; None leaves it to the first.
        line_up: let each begin where its time reference says.
    """

    resample: bool = False
    rate: int | None = None
    line_up: bool = False


@dataclass
class Inputs:
    """Open sources by input name; the first one gives the rate.

    Attributes:
        paths: as they were given.
        files: the sources as the files are.
        sources: the same at the graph's rate.
    """

    paths: dict[str, str] = field(default_factory=dict)
    files: dict[str, Source] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    _states: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _form: InputForm = field(default_factory=InputForm)
    _fitting: Fitting = Fitting()
    _stop: Callable[[], bool] = field(default=lambda: False)

    def open(
        self,
        paths: Mapping[str, str | Path],
        form: InputForm,
        *,
        fitting: Fitting,
        stop: Callable[[], bool],
    ) -> None:
        """Open every input.

        Raises:
            MediaError: one cannot be read, or they do not fit each other.
        """
        if sum(str(path) == "-" for path in paths.values()) > 1:
            raise MediaRequestError("standard input can be one input only; give the others files or FIFOs")
        self._form, self._fitting, self._stop = form, fitting, stop
        for name, path in paths.items():
            self.paths[name] = str(path)
            self._states[name] = _state(path)
            self.files[name] = open_input(path, form, stop=stop)
        self._fit()

    def _fit(self) -> None:
        """Bring every sound to one rate and one beginning; they must have one length then."""
        self.sources = dict(self.files)
        if self._fitting.rate is not None:
            self.sources = _at_rate(self.files, self._fitting.rate, alike=not self._fitting.line_up)
        first = self.first
        for name, source in self.sources.items():
            if source.rate == first.rate:
                continue
            if not self._fitting.resample:
                raise self._differ(source, "rate", "Hz", "; or pass --resample")
            length = None if self._fitting.line_up else first.length
            self.sources[name] = Resampled(source, first.rate, length)
        if self._fitting.line_up:
            self.sources = line_up(self.sources)
            first = self.first
        starts = starts_of(self.sources)
        if len(set(starts.values())) > 1:
            told = ", ".join(f"{self.sources[name].name} at {start}" for name, start in starts.items())
            raise MediaError(
                f"inputs of one graph must begin together, but these begin at other samples since midnight: "
                f"{told}; pass --line-up to put them where they belong"
            )
        for source in self.sources.values():
            if None not in {source.length, first.length} and source.length != first.length:
                raise self._differ(source, "length", "samples", "")

    def keep(self, folder: str | None, nodes: Sequence[str]) -> None:
        """Make every input one that can be heard again, for the nodes that ask for it.

        Raises:
            MediaRequestError: an input is a pipe, and no folder is given to spool it to.
        """
        for name, path in self.paths.items():
            if path != "-" and not is_pipe(path):
                continue
            if folder is None:
                raise MediaRequestError(
                    f"{self.files[name].name}: is a pipe, but {', '.join(nodes)} must hear the programme "
                    "more than once; pass --spool DIR (4 bytes a sample and channel), or give a file"
                )
            self.files[name] = Spooled(self.files[name], Path(folder))
        self._fit()

    def rewind(self) -> dict[str, Source]:
        """Go back to the beginning of every input; return the sources by name.

        Raises:
            MediaError: a file has changed since, or cannot be read.
        """
        for name, source in self.files.items():
            if isinstance(source, Spooled):
                source.rewind()
                continue
            source.close()
            self.files[name] = open_input(self.paths[name], self._form, stop=self._stop)
        self.must_be_as_before()
        self._fit()
        return self.sources

    def must_be_as_before(self) -> None:
        """Raise `MediaError` when a file is not the one, or not as it was, when it was first opened."""
        for name, state in self._states.items():
            if not isinstance(self.files[name], Spooled) and _state(self.paths[name]) != state:
                raise MediaError(f"{self.files[name].name}: has changed while it was read; render again")

    def _differ(self, source: Source, what: str, unit: str, remedy: str) -> MediaError:
        mine, its = getattr(self.first, what), getattr(source, what)
        return MediaError(
            f"{source.name}: its {what} is {its} {unit}, that of {self.first.name} is {mine}; "
            f"inputs of one graph must agree{remedy}"
        )

    @property
    def first(self) -> Source:
        """The input that gives rate, sample format and metadata."""
        return next(iter(self.sources.values()))

    @property
    def length(self) -> int | None:
        """Samples of the programme; None when only the end of a stream tells."""
        lengths = {source.length for source in self.sources.values()}
        return None if None in lengths else self.first.length

    @property
    def live(self) -> bool:
        """Whether a program that may still be at work gives one of them."""
        return any(source.live for source in self.sources.values())

    def must_have_given(self, length: int | None) -> None:
        """Raise `MediaError` when a program gave no sample at all: it must have failed."""
        if length == 0 and self.live:
            raise MediaError(f"{self.first.name}: gave no samples; see whether the program before it failed")

    def notes(self) -> list[str]:
        """Return what outputs made from damaged files must say; final once all is read.

        They name files without their folders, which can be longer than a comment, and are nobody's business.
        """
        return [note for source in self.files.values() for note in _note(source, Path(source.name).name)]

    def warnings(self) -> list[str]:
        """Return every line that a report must hold; final once all is read."""
        lines = [line for source in self.files.values() for line in source.warnings]
        return [*lines, *(note for source in self.files.values() for note in _note(source, source.name))]

    def reports(self, programme: int) -> dict[str, InputReport]:
        """Return what was read.

        Args:
            programme: samples at the graph's rate.
        """
        return {
            name: InputReport(
                name,
                self.paths[name],
                source.form,
                source.rate,
                str(source.layout),
                programme if source.length is None else source.length,
                source.subtype,
                source.metadata,
                source.salvaged,
            )
            for name, source in self.files.items()
        }

    def close(self) -> None:
        """Close every file."""
        for source in self.files.values():
            source.close()


def _at_rate(sources: Mapping[str, Source], rate: int, *, alike: bool) -> dict[str, Source]:
    """Return sources at a rate.

    Args:
        sources: by name.
        rate: Hz.
        alike: lengths that differ by the one sample that a change of rate may begin are one length: that of a
            source of this rate, where there is one.
    """
    lengths = [source.length for source in sources.values() if source.rate == rate]
    first = next(iter(sources.values()))
    if not lengths and first.length is not None:
        lengths = [resampled_length(first.length, first.rate, rate)]
    length = lengths[0] if alike and lengths else None
    return {
        name: source if source.rate == rate else Resampled(source, rate, length)
        for name, source in sources.items()
    }


def _state(path: str | Path) -> tuple[int, ...]:
    """Return which file this is and how it is, as far as the system knows; nothing for what is no file."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) if S_ISREG(found.st_mode) else ()


def _note(source: Source, name: str) -> list[str]:
    """Return the line that records a salvage; none when the file was whole."""
    if source.salvaged is None:
        return []
    declared, taken = source.salvaged
    known = "" if declared is None else f" where {declared} were declared"
    return [f"salvaged from {name}: {taken} samples{known}"]
