"""One job as the ledger has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .job import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FIELDS", "Row", "row_of"]

FIELDS = (
    "id, place, spec, line, priority, state, attempts, crashes, identity, recipe, machine, kind, reason, "
    "trace, ended, programme, seconds, cpu, memory, findings, warnings"
)
_JOBS = msgspec.json.Decoder(Job)
_FINDINGS = msgspec.json.Decoder(dict[str, dict[str, Any]])
_WARNINGS = msgspec.json.Decoder(list[str])
_NAMES = FIELDS.split(", ")


class Row(msgspec.Struct, kw_only=True):
    """One job as the ledger has it.

    Attributes:
        id: its number.
        place: see `Job.place`.
        job: what the manifest says of it.
        state: one of `STATES`.
        attempts: how often a worker took it.
        crashes: how often one died of it.
        identity: hash of all that decided its outputs' bits; recipe and machine are parts of it.
        kind: of the error, where it failed.
        reason: what was wrong.
        trace: for whoever mends it.
        ended: when it last ended, in seconds since 1970.
        programme: seconds of sound; None until it was done once.
        seconds: wall time; cpu: processor time; memory: most bytes.
        findings: what nodes found out.
        warnings: one line each.
    """

    id: int
    place: str
    job: Job
    state: str
    attempts: int
    crashes: int
    identity: str
    recipe: str
    machine: str
    kind: str
    reason: str
    trace: str
    ended: float | None
    programme: float | None
    seconds: float | None
    cpu: float | None
    memory: int | None
    findings: dict[str, dict[str, Any]]
    warnings: list[str]


def row_of(found: Sequence[Any]) -> Row:
    """Return the job that a query for `FIELDS` found."""
    values = dict(zip(_NAMES, found, strict=True))
    del values["line"], values["priority"]
    values["job"] = _JOBS.decode(values.pop("spec"))
    values["findings"] = _FINDINGS.decode(values["findings"])
    values["warnings"] = _WARNINGS.decode(values["warnings"])
    return Row(**values)
