"""What came of a batch, for people as pages of HTML and for programs as JSON."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ...contract.errors import MediaError
from ...media.atomic import AtomicFile, why_not
from ..job import FILM
from ..ledger import read_ledger
from ..placing import is_here
from .hearing import Hearing, Memory
from .looking import Entry, entries, finished_outputs, order
from .page import MARK, foot, head, row
from .status import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self, TextIO

    from ..ledger import Ledger
    from ..task import Output
    from .status import Status

__all__ = ["Report", "Wish", "report", "stream_json"]

_JSON_MARK = '{"unbraid_batch_report": 1,'
_ENCODE = msgspec.json.Encoder(enc_hook=str).encode


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How much a report is to hold.

    Attributes:
        measure: files to measure whose loudness the worker did not measure; None for all.
        pictures: outputs to show a picture of.
        rows: jobs on a page.
        overwrite: replace files that are no earlier reports.
    """

    measure: int | None = 50
    pictures: int = 500
    rows: int = 1000
    overwrite: bool = False


class Report(msgspec.Struct, kw_only=True):
    """What was written.

    Attributes:
        status: of the batch.
        pages: files of HTML, the first first.
        measured: files that were measured for it.
        left: outputs whose loudness is not known yet.
        pictured: outputs with a picture.
    """

    status: Status
    pages: list[Path] = []
    measured: int = 0
    left: int = 0
    pictured: int = 0


def report(
    folder: Path,
    *,
    html: Path | None = None,
    json: Path | None = None,
    wish: Wish | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Report:
    """Write a report; its files appear when all of it is complete, and replace those of an earlier one.

    Args:
        folder: the batch's.
        html: where the first page goes; the second, if there is one, is ``NAME-2.html`` beside it.
        json: where the data go.
        wish: how much it is to hold.
        told: called with the number of files measured so far.

    Raises:
        LedgerError: there is no batch.
        MediaError: a file cannot be written, or one of its name is no earlier report.
    """
    wish = wish or Wish()
    with _Look(folder, wish, told) as look:
        made = Report(status=look.status, measured=look.hearing.measured, left=look.hearing.left)
        files = list[AtomicFile]()
        try:
            if json is not None:
                files.append(_room(json, wish))
                _fill(files[-1], _json(look))
            if html is not None:
                made.pages = _names(html, -(-len(look.numbers) // wish.rows))
                for number, path in enumerate(made.pages):
                    files.append(_room(path, wish))
                    _fill(files[-1], _page(look, number, made))
            for file in reversed(files):  # the first page last: what it leads to is there then
                file.commit()
        except BaseException:
            for file in files:
                file.abort()
            raise
        for file in files:
            file.settle()
    return made


def stream_json(
    folder: Path, out: TextIO, *, wish: Wish | None = None, told: Callable[[int], None] = lambda _: None
) -> None:
    """Write the data of a report to a stream, a job a line, as they are read.

    Raises:
        LedgerError: there is no batch.
    """
    with _Look(folder, wish or Wish(), told) as look:
        out.writelines(_json(look))


class _Look:
    """A batch's ledger and what was heard of its outputs, while a report is made."""

    def __init__(self, folder: Path, wish: Wish, told: Callable[[int], None]) -> None:
        self.folder, self.wish, self._told = folder, wish, told
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as held:
            self.ledger: Ledger = held.enter_context(read_ledger(self.folder))
            self.memory = held.enter_context(closing(Memory(self.folder)))
            self.status = status_of(self.ledger, self.folder, most=0)
            self.hearing = Hearing(self.folder, self.memory, self.wish.measure, self._told)
            self.numbers = order(self.ledger, self._survey())
            self._held = held.pop_all()
        return self

    def _survey(self) -> set[int]:
        """Hear finished outputs; return the jobs of those with a verdict, or whose file has changed."""
        missed, self._notes, self.outputs = set[int](), dict[str, str](), 0
        for number, target, output in finished_outputs(self.ledger):
            self.outputs += 1
            path = self.folder / output.path
            if not is_here(path, output):
                changed = path.exists()
                self._notes[output.path] = f"its file {'has changed since' if changed else 'is gone'}"
                missed.add(number)
            elif self.hearing.listen(output, target):
                missed.add(number)
        return missed

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def entries(self, numbers: Sequence[int]) -> Iterator[Entry]:
        """Iterate over jobs; their outputs have the loudness that was found."""
        for entry in entries(self.ledger, numbers):
            job = entry.row.job
            outputs = tuple(self.hearing.heard(each, job.target_of(each.name)) for each in entry.outputs)
            yield Entry(entry.row, entry.inputs, outputs, entry.attempts)

    def note(self, output: Output) -> str:
        """Return what there is to say of an output's file; "" for nothing."""
        return self._notes.get(output.path) or self.hearing.notes.get(output.path, "")

    def picture(self, output: Output) -> bytes | None:
        """Return a PNG of an output; None where there can be none."""
        from .thumbnails import thumbnail

        if output.name == FILM or output.path in self._notes:
            return None
        data = self.memory.get("picture", output.xxh128)
        if data is None:
            try:
                data = thumbnail(self.folder / output.path, output)
            except MediaError:
                data = b""  # the reader sees that there is none; why does not matter to a batch
            self.memory.put("picture", output.xxh128, data)
        return data or None


def _names(first: Path, pages: int) -> list[Path]:
    return [first, *(first.with_name(f"{first.stem}-{k}{first.suffix}") for k in range(2, pages + 1))]


def _room(path: Path, wish: Wish) -> AtomicFile:
    """Make room for a file, over an earlier report too."""
    return AtomicFile(path, overwrite=wish.overwrite or _is_ours(path))


def _is_ours(path: Path) -> bool:
    marks = (MARK.encode(), _JSON_MARK.encode())
    try:
        with path.open("rb") as file:
            return file.read(max(map(len, marks))).startswith(marks)
    except (OSError, ValueError):
        return False


def _fill(file: AtomicFile, pieces: Iterable[str]) -> None:
    try:
        with file.partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as out:
            out.writelines(pieces)
        file.sync()
    except OSError as error:
        raise MediaError(f"{file.path}: cannot be written: {why_not(file.path, error)}") from None


def _page(look: _Look, number: int, made: Report) -> Iterator[str]:
    rows = look.wish.rows
    numbers = look.numbers[number * rows : (number + 1) * rows]
    yield from head(look.status, _notes(look, number), [path.name for path in made.pages], number)
    for entry in look.entries(numbers):
        pictures = list[bytes | None]()
        for output in entry.outputs:
            room = entry.row.state == "done" and made.pictured < look.wish.pictures
            pictures.append(look.picture(output) if room else None)
            made.pictured += pictures[-1] is not None
        yield row(entry, pictures, [look.note(output) for output in entry.outputs])
    yield foot()


def _notes(look: _Look, number: int) -> list[str]:
    notes = ["Failures come first, then jobs with warnings or beside their loudness target, then the others."]
    if number:
        notes = [f"Jobs {number * look.wish.rows + 1:,} and on; failures are on the first page."]
    if look.hearing.left:
        notes.append(
            f"The loudness of {look.hearing.left:,} outputs is not measured yet; --measure all measures them."
        )
    if look.outputs > look.wish.pictures:
        notes.append(
            f"Only the first {look.wish.pictures:,} outputs have pictures; --pictures asks for more."
        )
    return notes


def _json(look: _Look) -> Iterator[str]:
    status = msgspec.structs.replace(look.status, failures=())
    about = {**msgspec.to_builtins(status), "speed": look.status.speed}
    del about["failures"]
    about |= {"measured": look.hearing.measured, "not_measured": look.hearing.left}
    yield f'{_JSON_MARK} "status": {_ENCODE(about).decode()}, "jobs": [\n'
    for k, entry in enumerate(look.entries(look.numbers)):
        yield ("," if k else "") + _ENCODE(_plain(look, entry)).decode() + "\n"
    yield "]}\n"


def _plain(look: _Look, entry: Entry) -> dict[str, Any]:
    """Return a job as plain data."""
    job = entry.row
    fast = job.programme / job.seconds if job.programme is not None and job.seconds else None
    return {
        "place": job.place,
        "state": job.state,
        "kind": job.kind,
        "reason": job.reason,
        "trace": job.trace,
        "warnings": job.warnings,
        "attempts": [msgspec.to_builtins(each) for each in entry.attempts],
        "tries": job.attempts,
        "crashes": job.crashes,
        "ended": job.ended,
        "programme": job.programme,
        "seconds": job.seconds,
        "speed": fast,
        "cpu": job.cpu,
        "memory": job.memory,
        "inputs": [{"name": each.name, "path": each.path, "xxh128": each.xxh128} for each in entry.inputs],
        "outputs": [
            {
                **{key: value for key, value in msgspec.to_builtins(each).items() if key not in _OURS},
                "note": look.note(each),
            }
            for each in entry.outputs
        ],
        "findings": job.findings,
        "identity": job.identity,
        "job": msgspec.to_builtins(job.job),
    }


#: Of `Output`, what concerns the batch alone.
_OURS = ("staged", "replaces")
