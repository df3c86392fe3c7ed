"""All that a ledger holds of jobs, many at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ..job import Job
from ..task import Output, Seen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ..ledger import Ledger, Row

__all__ = ["Attempt", "Entry", "entries", "finished_outputs", "order"]

_CHUNK = 500
_JOBS = msgspec.json.Decoder(Job)
_OUTPUTS = msgspec.json.Decoder(Output)
_RANKS = """
SELECT id, CASE WHEN state IN ('failed', 'quarantined') THEN 0 WHEN warnings != '[]' THEN 1 ELSE 2 END
FROM job WHERE run = ? ORDER BY id
"""
_FINISHED = """
SELECT job.id, job.spec, output.data
FROM job JOIN output ON output.job = job.id WHERE job.run = ? AND job.state = 'done'
ORDER BY json_extract(CAST(job.spec AS TEXT), '$.target') IS NULL, job.id, output.name
"""


class Attempt(msgspec.Struct, frozen=True):
    """How an attempt at a job ended.

    Attributes:
        number: from 1.
        ended: in seconds since 1970.
        outcome: "done", "failed", or a kind of `Lost`.
        reason: what was wrong; "" where nothing was.
        seconds: wall time.
        worker: which.
    """

    number: int
    ended: float
    outcome: str
    reason: str
    seconds: float
    worker: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A job with everything about it.

    Attributes:
        row: the job.
        inputs: as they were last read.
        outputs: as they were made.
        attempts: in order.
    """

    row: Row
    inputs: tuple[Seen, ...]
    outputs: tuple[Output, ...]
    attempts: tuple[Attempt, ...]


def order(ledger: Ledger, missed: Collection[int] = ()) -> list[int]:
    """Return the run's jobs by number: failures, then those with warnings, then all else.

    Args:
        ledger: of the batch.
        missed: jobs that belong to those with warnings, whatever the ledger says.
    """
    failed, warned, others = [], [], []
    for number, rank in ledger.ask(_RANKS, (ledger.run(),)):
        if rank == 0:
            failed.append(number)
        elif rank == 1 or number in missed:
            warned.append(number)
        else:
            others.append(number)
    return [*failed, *warned, *others]


def finished_outputs(ledger: Ledger) -> Iterator[tuple[int, str, Output]]:
    """Iterate over finished jobs' outputs: job, target or "", output; those of jobs with targets first."""
    for number, spec, data in ledger.ask(_FINISHED, (ledger.run(),)):
        output = _OUTPUTS.decode(data)
        yield number, _JOBS.decode(spec).target_of(output.name), output


def entries(ledger: Ledger, numbers: Sequence[int]) -> Iterator[Entry]:
    """Iterate over jobs with everything about them, in the order of ``numbers``."""
    for begin in range(0, len(numbers), _CHUNK):
        chunk = numbers[begin : begin + _CHUNK]
        rows = {row.id: row for row in ledger.several(chunk)}
        inputs, outputs, attempts = (_of(ledger, each, chunk) for each in _TABLES)
        for number in chunk:
            if number in rows:
                yield Entry(
                    rows[number],
                    tuple(Seen(n, p, tuple(json.loads(s)), h) for n, p, s, h in inputs.get(number, ())),
                    tuple(_OUTPUTS.decode(data) for (data,) in outputs.get(number, ())),
                    tuple(Attempt(*found) for found in attempts.get(number, ())),
                )


_TABLES = (
    "SELECT job, name, path, state, xxh128 FROM input WHERE job IN (%s) ORDER BY job, name",
    "SELECT job, data FROM output WHERE job IN (%s) ORDER BY job, name",
    "SELECT job, number, ended, outcome, reason, seconds, worker FROM attempt WHERE job IN (%s) "
    "ORDER BY job, number",
)


def _of(ledger: Ledger, sql: str, numbers: Sequence[int]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for number, *values in ledger.ask(sql % ",".join("?" * len(numbers)), numbers):
        found.setdefault(number, []).append(tuple(values))
    return found
