"""What a batch has done, in SQLite beside its outputs; one process at a time writes it, anyone may read."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .ledger_file import SCHEMA, VERSION, LedgerError, connect, lock, unmake, why_not
from .row import FIELDS, Row, row_of
from .task import Output, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .job import Job
    from .task import Done, Failed, Lost, Unchanged

__all__ = ["FOLDER", "STATES", "Ledger", "LedgerError", "Row", "open_ledger", "read_ledger"]

#: Below the batch's folder: the ledger, its lock, and what is being made.
FOLDER = ".unbraid-batch"
#: waiting: to be rendered; running: a worker has it; rendered: complete, its files on the way to their names;
#: done; failed: it raised, hung or took too much; quarantined: its worker crashed too often.
STATES = ("waiting", "running", "rendered", "done", "failed", "quarantined")
_OUTPUTS = msgspec.json.Decoder(Output)
_STATES = msgspec.json.Decoder(tuple[int, ...])
_ENCODE = msgspec.json.Encoder().encode


class Ledger:
    """The table of jobs.

    Changes gather in one transaction until `commit`, after which they outlast the machine's end.

    Args:
        path: of the SQLite file.
        writable: whether it is made when missing, and written.

    Raises:
        LedgerError: it cannot be opened.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        self._path = path
        with self._told():
            self._base = connect(path, writable=writable)
            if writable:
                self._prepare()
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            self._base.close()
            raise LedgerError(
                f"{path}: is a ledger of version {version}, not {VERSION}; choose another folder"
            )
        self._file = os.stat(path).st_ino if writable else 0  # noqa: PTH116 - asked at each commit

    def _prepare(self) -> None:
        base = self._base
        if base.execute("PRAGMA user_version").fetchone()[0] == 0:
            base.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(f"{self._path}: {why_not(error)}") from error

    def _write(self, sql: str, values: Sequence[Any] = ()) -> int:
        with self._told():
            if not self._base.in_transaction:  # SQLite ends one by itself when the disk is full
                self._base.execute("BEGIN IMMEDIATE")
            return self._base.execute(sql, values).rowcount

    def commit(self) -> None:
        """Make what was written last.

        Raises:
            LedgerError: the disk is full, or the file was removed, and nothing would be kept.
        """
        if self._base.in_transaction:
            if not self._there():
                raise LedgerError(
                    f"{self._path}: was removed while the batch was at work; run it again with --overwrite"
                )
            with self._told():
                self._base.execute("COMMIT")

    def _there(self) -> bool:
        with suppress(OSError):
            return os.stat(self._path).st_ino == self._file  # noqa: PTH116
        return False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write all of what follows, or none of it: a second Ctrl-C may come at any moment."""
        self._write("SAVEPOINT one")
        try:
            yield
        except BaseException:
            if self._base.in_transaction:
                with self._told():
                    self._base.execute("ROLLBACK TO one")
            raise
        self._write("RELEASE one")

    def close(self) -> None:
        """Let go; what was not committed is forgotten."""
        self._base.close()

    # Runs

    def about(self) -> dict[str, str]:
        """Return what is known of the batch itself."""
        return dict(self.ask("SELECT key, value FROM about"))

    def note(self, **values: str) -> None:
        """Keep facts of the batch itself."""
        for key, value in values.items():
            self._write("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, value))

    def run(self) -> int:
        """Return the number of the latest run; 0 before the first."""
        return int(self.about().get("run", "0"))

    def enter(self, jobs: Iterable[Job]) -> int:
        """Begin a run with these jobs: new ones wait, known ones keep what they have; return how many.

        Jobs that are not among them stay in the ledger, but are none of the run.

        Raises:
            LedgerError: the ledger cannot be written.
            Exception: whatever ``jobs`` raises; the ledger is as before then.
        """
        run, count = self.run() + 1, 0
        sql = (
            "INSERT INTO job (place, spec, line, priority, run) VALUES (?, ?, ?, ?, ?) ON CONFLICT (place) "
            "DO UPDATE SET spec = excluded.spec, line = excluded.line, priority = excluded.priority, "
            "run = excluded.run"
        )

        def rows() -> Iterator[tuple[Any, ...]]:
            nonlocal count
            for job in jobs:
                count += 1
                yield (job.place, _ENCODE(job), job.line, job.priority, run)

        self.note(run=str(run), began=str(time.time()))
        try:
            with self._told():
                self._base.executemany(sql, rows())
        except BaseException:
            if self._base.in_transaction:
                with self._told():
                    self._base.execute("ROLLBACK")
            raise
        self.commit()
        return count

    # Looking

    def ask(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Iterate over what a query finds, as it is read."""
        with self._told():
            yield from self._base.execute(sql, values)

    def _all(self, sql: str, number: int) -> list[Any]:
        """Return what a query about one job finds; asked so often that it must not cost a generator."""
        try:
            return self._base.execute(sql, (number,)).fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"{self._path}: {why_not(error)}") from error

    def rows(self, *states: str, everything: bool = False) -> Iterator[Row]:
        """Iterate over the run's jobs in these states (all by default), in the order of their turns.

        Args:
            states: of `STATES`.
            everything: also jobs of earlier runs that are not in the latest manifest.
        """
        where, values = self._where(states, everything=everything)
        sql = f"SELECT {FIELDS} FROM job{where} ORDER BY crashes, priority DESC, id"  # noqa: S608 - ours
        for found in self.ask(sql, values):
            yield row_of(found)

    def _where(self, states: Sequence[str], *, everything: bool) -> tuple[str, list[Any]]:
        parts, values = [], list[Any]()
        if states:
            parts.append(f"state IN ({','.join('?' * len(states))})")
            values += states
        if not everything:
            parts.append("run = ?")
            values.append(self.run())
        return (f" WHERE {' AND '.join(parts)}" if parts else "", values)

    def row(self, number: int) -> Row:
        """Return one job."""
        found = self.several([number])
        if not found:
            raise LedgerError(f"{self._path}: has no job {number}")
        return found[0]

    def several(self, numbers: Sequence[int]) -> list[Row]:
        """Return some jobs, of which there may be 30,000, in the order of their numbers."""
        marks = ",".join("?" * len(numbers))
        sql = f"SELECT {FIELDS} FROM job WHERE id IN ({marks}) ORDER BY id"  # noqa: S608 - ours
        return [row_of(found) for found in self.ask(sql, numbers)]

    def turn(self, most: int) -> list[Row]:
        """Return the next jobs that wait, of the highest priority first; those that crashed come last."""
        sql = (
            f"SELECT {FIELDS} FROM job WHERE state = 'waiting' AND run = ? "  # noqa: S608 - ours
            "ORDER BY crashes, priority DESC, id LIMIT ?"
        )
        return [row_of(found) for found in self.ask(sql, (self.run(), most))]

    def counts(self) -> dict[str, int]:
        """Return how many of the run's jobs are in each state."""
        found = dict(self.ask("SELECT state, count(*) FROM job WHERE run = ? GROUP BY state", (self.run(),)))
        return {state: found.get(state, 0) for state in STATES}

    def inputs(self, number: int) -> tuple[Seen, ...]:
        """Return a job's inputs as they were last read."""
        sql = "SELECT name, path, state, xxh128 FROM input WHERE job = ?"
        return tuple(
            Seen(name, path, _STATES.decode(state), xxh128)
            for name, path, state, xxh128 in self._all(sql, number)
        )

    def outputs(self, number: int) -> tuple[Output, ...]:
        """Return a job's outputs."""
        sql = "SELECT data FROM output WHERE job = ? ORDER BY name"
        return tuple(_OUTPUTS.decode(data) for (data,) in self._all(sql, number))

    def attempts(self, number: int) -> list[dict[str, Any]]:
        """Return how a job's attempts ended, in order."""
        names = ("number", "ended", "outcome", "reason", "seconds", "worker")
        sql = f"SELECT {', '.join(names)} FROM attempt WHERE job = ? ORDER BY number"  # noqa: S608 - ours
        return [dict(zip(names, found, strict=True)) for found in self.ask(sql, (number,))]

    def gone(self, number: int) -> int:
        """Return how often in this run a job's machine was lost below it."""
        sql = "SELECT count(*) FROM attempt WHERE job = ? AND outcome = 'gone' AND ended >= ?"
        values = (number, float(self.about().get("began", "0")))
        with self._told():
            return int(self._base.execute(sql, values).fetchone()[0])

    def owner(self, path: str) -> int | None:
        """Return the job whose output has this path below the batch's folder."""
        found = next(self.ask("SELECT job FROM output WHERE path = ?", (path,)), None)
        return None if found is None else int(found[0])

    # Changing

    def wait(self, number: int, *, afresh: bool = False) -> None:
        """Let a job wait for its turn; ``afresh`` forgets that it crashed."""
        also = ", crashes = 0, kind = '', reason = '', trace = ''" if afresh else ""
        self._write(f"UPDATE job SET state = 'waiting'{also} WHERE id = ?", (number,))  # noqa: S608 - ours

    def back(self, number: int) -> None:
        """No worker took a job after all: it waits again."""
        self._write("UPDATE job SET state = 'waiting', attempts = attempts - 1 WHERE id = ?", (number,))

    def begin(self, number: int) -> None:
        """A worker takes a job."""
        self._write("UPDATE job SET state = 'running', attempts = attempts + 1 WHERE id = ?", (number,))

    def rendered(self, number: int, done: Done, worker: str) -> None:
        """A job's outputs are complete, and will be given their names."""
        self._inputs(number, done.inputs)
        self._write("DELETE FROM output WHERE job = ?", (number,))
        for output in done.outputs:
            self._write(
                "INSERT INTO output VALUES (?, ?, ?, ?)", (number, output.name, output.path, _ENCODE(output))
            )
        self._write(
            "UPDATE job SET state = 'rendered', identity = ?, recipe = ?, machine = ?, kind = '', "
            "reason = '', trace = '', ended = ?, programme = ?, seconds = ?, cpu = ?, memory = ?, "
            "findings = ?, warnings = ? WHERE id = ?",
            (
                done.identity,
                done.recipe,
                done.machine,
                time.time(),
                done.programme,
                done.seconds,
                done.cpu,
                done.memory,
                _ENCODE(done.findings).decode(),  # a finding may be no number, which JSON has not
                json.dumps(done.warnings),
                number,
            ),
        )
        self._attempt(number, "done", "", done.seconds, worker)

    def finished(self, number: int) -> None:
        """A job's outputs have their names."""
        self._write("UPDATE job SET state = 'done', crashes = 0 WHERE id = ?", (number,))

    def disown(self, number: int, outputs: Iterable[Output]) -> None:
        """A job's outputs did not get their names: what stands there is not what it made."""
        self._write("UPDATE job SET identity = '' WHERE id = ?", (number,))
        for output in outputs:
            if not output.replaces:
                self._write("DELETE FROM output WHERE job = ? AND name = ?", (number, output.name))

    def unchanged(self, number: int, found: Unchanged) -> None:
        """A job's outputs are still what it would make."""
        self._inputs(number, found.inputs)
        self._write(
            "UPDATE job SET state = 'done', crashes = 0, identity = ?, recipe = ? WHERE id = ?",
            (found.identity, found.recipe, number),
        )

    def failed(self, number: int, found: Failed, worker: str) -> None:
        """A job cannot be done."""
        self._inputs(number, found.inputs)
        self._write(
            "UPDATE job SET state = 'failed', recipe = ?, kind = ?, reason = ?, trace = ?, ended = ?, "
            "seconds = ?, memory = ? WHERE id = ?",
            (
                found.recipe,
                found.kind,
                found.message,
                found.trace,
                time.time(),
                found.seconds,
                found.memory,
                number,
            ),
        )
        self._attempt(number, "failed", found.message, found.seconds, worker)

    def lost(
        self, number: int, found: Lost, state: str, worker: str, *, recipe: str, inputs: Iterable[Seen]
    ) -> None:
        """A worker ended over a job, which is in ``state`` now."""
        self._inputs(number, inputs)
        self._write(
            "UPDATE job SET state = ?, recipe = ?, crashes = crashes + ?, kind = ?, reason = ?, trace = ?, "
            "ended = ?, seconds = ? WHERE id = ?",
            (
                state,
                recipe,
                int(found.kind == "crash"),
                found.kind,
                found.message,
                found.trace,
                time.time(),
                found.seconds,
                number,
            ),
        )
        self._attempt(number, found.kind, found.message, found.seconds, worker)

    def _inputs(self, number: int, inputs: Iterable[Seen]) -> None:
        self._write("DELETE FROM input WHERE job = ?", (number,))
        for seen in inputs:
            values = (number, seen.name, seen.path, json.dumps(seen.state), seen.xxh128)
            self._write("INSERT INTO input VALUES (?, ?, ?, ?, ?)", values)

    def _attempt(self, number: int, outcome: str, reason: str, seconds: float, worker: str) -> None:
        self._write(
            "INSERT OR REPLACE INTO attempt SELECT id, attempts, ?, ?, ?, ?, ? FROM job WHERE id = ?",
            (time.time(), outcome, reason, seconds, worker, number),
        )


@contextmanager
def open_ledger(folder: Path) -> Iterator[Ledger]:
    """Open the ledger of a batch's folder for writing, alone; folder and ledger are made when missing.

    What was made goes again when no run could begin, because the manifest is wrong for instance.

    Raises:
        LedgerError: another batch writes there, or it cannot be made.
    """
    home = folder / FOLDER
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise LedgerError(
            f"{home}: cannot be made: {error.strerror}; choose another folder with -o"
        ) from None
    try:
        try:
            lock(descriptor)
        except BlockingIOError:
            raise LedgerError(f"{folder}: another batch is at work there; wait for it") from None
        except OSError as error:
            raise LedgerError(f"{home}: knows no locks: {error.strerror}; choose a local disk") from None
        ledger = Ledger(home / "ledger.sqlite", writable=True)
        begun = True
        try:
            yield ledger
        finally:
            with suppress(LedgerError):
                begun = ledger.run() > 0
            ledger.close()
            if not begun:
                unmake(home, made)
    finally:
        os.close(descriptor)


@contextmanager
def read_ledger(folder: Path) -> Iterator[Ledger]:
    """Open the ledger of a batch's folder to look at it, while a batch may be at work.

    Raises:
        LedgerError: there is none.
    """
    path = folder / FOLDER / "ledger.sqlite"
    if not path.is_file():
        raise LedgerError(f"{folder}: holds no batch; give the folder that -o of `unbraid batch` named")
    ledger = Ledger(path, writable=False)
    try:
        yield ledger
    finally:
        ledger.close()
