"""How far a batch is, from its ledger, whether a batch is at work or not."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

import msgspec

from ...contract.errors import plain
from ..ledger import FOLDER, STATES, read_ledger
from .amounts import span, speed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..ledger import Ledger

__all__ = ["Failure", "Status", "as_text", "at_work", "status", "status_of"]

_LOOK = """
SELECT state, count(*), total(programme), total(seconds), max(ended),
       count(CASE WHEN ended >= ?1 THEN 1 END), total(CASE WHEN ended >= ?1 THEN programme END)
FROM job WHERE run = ?2 GROUP BY state
"""
_FAILURES = """
SELECT place, state, kind, reason, attempts FROM job
WHERE run = ? AND state IN ('failed', 'quarantined') ORDER BY state DESC, id LIMIT ?
"""
_ENDED = ("rendered", "done", "failed", "quarantined")


class Failure(msgspec.Struct, frozen=True):
    """A job that failed.

    Attributes:
        place: its name, see `Job.place`.
        state: "failed", or "quarantined" when its workers crashed too often.
        kind: of the error.
        reason: what was wrong.
        attempts: how often a worker took it.
    """

    place: str
    state: str
    kind: str
    reason: str
    attempts: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batch is. Times are in seconds since 1970, durations in seconds.

    Attributes:
        folder: the batch's.
        run: its number, from 1.
        at_work: whether a batch is at work there now.
        jobs: of the run.
        counts: of jobs in each of `STATES`.
        programme: sound in finished jobs.
        seconds: that workers took for them.
        began: when the run began; None before the first.
        last: when a job last ended; None where none has.
        elapsed: since the run began, to now or to the last job's end.
        fresh: jobs that ended in this run; the others of ``done`` were done already.
        fresh_programme: sound in those of them that gave outputs.
        left: about how long it will go on; None where that cannot be told.
        failures: the first of those that failed; ``counts`` has all.
    """

    folder: str
    run: int
    at_work: bool
    jobs: int
    counts: dict[str, int]
    programme: float
    seconds: float
    began: float | None
    last: float | None
    elapsed: float
    fresh: int
    fresh_programme: float
    left: float | None
    failures: tuple[Failure, ...]

    @property
    def failed(self) -> int:
        """How many jobs failed or are quarantined."""
        return self.counts["failed"] + self.counts["quarantined"]

    @property
    def speed(self) -> float | None:
        """Seconds of sound that a second of this run gave; None where it gave none yet."""
        return self.fresh_programme / self.elapsed if self.elapsed > 0 and self.fresh_programme else None


def status(folder: Path, *, most: int = 20) -> Status:
    """Look at a batch's folder.

    Args:
        folder: that the batch writes to.
        most: failures to tell of by name.

    Raises:
        LedgerError: there is no batch, or its ledger cannot be read.
    """
    with read_ledger(folder) as ledger:
        return status_of(ledger, folder, most=most)


def status_of(ledger: Ledger, folder: Path, *, most: int = 20) -> Status:
    """Look at an open ledger; see `status`."""
    about, now, working = ledger.about(), time.time(), at_work(folder)
    run = int(about.get("run", "0"))
    began = float(about["began"]) if "began" in about else None
    found = {row[0]: row[1:] for row in ledger.ask(_LOOK, (began or 0.0, run))}
    counts = {state: int(found[state][0]) if state in found else 0 for state in STATES}
    last = max((row[3] for row in found.values() if row[3] is not None), default=None)
    fresh = sum(int(found[state][4]) for state in _ENDED if state in found)
    end = now if working else last
    elapsed = max(0.0, end - began) if began is not None and end is not None else 0.0
    waiting = counts["waiting"] + counts["running"]
    return Status(
        folder=str(folder),
        run=run,
        at_work=working,
        jobs=sum(counts.values()),
        counts=counts,
        programme=sum(found[state][1] for state in ("rendered", "done") if state in found),
        seconds=sum(found[state][2] for state in ("rendered", "done") if state in found),
        began=began,
        last=last,
        elapsed=elapsed,
        fresh=fresh,
        fresh_programme=sum(found[state][5] for state in ("rendered", "done") if state in found),
        left=elapsed / fresh * waiting if working and fresh else None,
        failures=tuple(Failure(*row) for row in ledger.ask(_FAILURES, (run, most))),
    )


def at_work(folder: Path) -> bool:
    """Return whether a batch holds the folder's lock.

    Example:
        >>> from pathlib import Path
        >>> at_work(Path("/nowhere"))
        False
    """
    try:
        descriptor = os.open(folder / FOLDER / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that two who look do not take each other for a batch; gone with the descriptor.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def as_text(found: Status) -> str:
    """Return it as lines for a terminal, the failures last; strangers' names cannot break out of theirs."""
    return "\n".join(_lines(found))


def _lines(found: Status) -> Iterator[str]:
    counts = ", ".join(f"{number:,} {state}" for state, number in found.counts.items() if number) or "no jobs"
    yield f"{plain(found.folder)}: {_state(found)}"
    yield f"jobs: {counts}; {found.jobs:,} in all"
    sound = f"sound: {span(found.programme)} rendered"
    if fast := speed(found.fresh_programme, found.elapsed) if found.fresh_programme else "":
        sound += f"; {span(found.fresh_programme)} of it in this run, at {fast} real time"
    yield sound
    if found.left is not None:
        yield f"left: about {span(found.left)}"
    if found.failed:
        told = len(found.failures)
        yield f"failed: {found.failed:,}" + (f", of which the first {told}:" if told < found.failed else ":")
    for one in found.failures:
        tried = f" (tried {one.attempts} times)" if one.attempts > 1 else ""
        yield plain(f"  {one.place}: {one.state}: {one.reason or one.kind}{tried}")


def _state(found: Status) -> str:
    if found.began is None:
        return "no run yet"
    ago = "" if found.last is None else f"; the last job ended {span(max(0.0, time.time() - found.last))} ago"
    if found.at_work:
        return f"run {found.run}, at work for {span(found.elapsed)}{ago}"
    open_ = found.counts["waiting"] + found.counts["running"] + found.counts["rendered"]
    state = "broken off; run the batch again to go on" if open_ else "finished"
    return f"run {found.run}, {state}{ago}"
