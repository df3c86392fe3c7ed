"""Which jobs of earlier runs are still what they were: nothing that holds is rendered again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from ..contract.errors import UnbraidError
from .placing import is_here
from .recipe import graph_of, machine, recipe_of
from .task import Seen, state_of

if TYPE_CHECKING:
    from pathlib import Path

    from ..registry import Registry
    from .job import Job
    from .ledger import Ledger, Row

__all__ = ["Review"]

_KEPT = 4096  # recipes
#: Errors of files, names and the store of models, which are mended where no job can see it.
_ELSEWHERE = ("MediaError", "ManifestError", "ModelMissingError", "ModelCorruptError")


class Review:
    """Compares jobs of the ledger with files, graphs, plugins and models as they are now.

    Args:
        ledger: of the batch.
        folder: the batch's.
        registry: plugins as they are now.
        here: whether all workers have this machine's processor.
        verify: read outputs, and compare their hashes.
    """

    def __init__(
        self, ledger: Ledger, folder: Path, registry: Registry, *, here: bool, verify: bool = False
    ) -> None:
        self._ledger, self._folder, self._registry = ledger, folder, registry
        self._machine = machine() if here else ""
        self._verify = verify
        self._recipes: dict[bytes, str] = {}

    def begin(self) -> None:
        """Let every job wait that is not what it was; the ledger is to be committed."""
        stale = [
            row.id
            for row in self._ledger.rows("done", "failed", "quarantined")
            if (self._holds(row) if row.state == "done" else self._fails(row)) is False
        ]
        for number in stale:
            self._ledger.wait(number, afresh=True)

    def _holds(self, row: Row) -> bool:
        """Return whether a job's outputs are there, and made of what is there now."""
        if self._machine not in ("", row.machine) or not self._same(row):
            return False
        return self.whole(row)

    def whole(self, row: Row) -> bool:
        """Return whether all outputs of a job are there, under the names that it would give them now."""
        outputs = self._ledger.outputs(row.id)
        if not outputs or not all(is_here(f"{self._folder}/{output.path}", output) for output in outputs):
            return False
        if any(row.job.path(each.name, each.path.rpartition(".")[2]) != each.path for each in outputs):
            return False
        return not self._verify or all(self._right(output.path, output.xxh128) for output in outputs)

    def _right(self, path: str, xxh128: str) -> bool:
        from .hashes import xxh128_of

        try:
            return xxh128_of(self._folder / path) == xxh128
        except OSError:
            return False

    def _fails(self, row: Row) -> bool:
        """Return whether a job would fail as it did: what can be mended elsewhere is tried again."""
        return row.kind not in _ELSEWHERE and self._same(row)

    def _same(self, row: Row) -> bool:
        """Return whether inputs and recipe are what they were."""
        seen = {each.name: each for each in self._ledger.inputs(row.id)}
        if row.job.paths() != {name: each.path for name, each in seen.items()}:
            return False
        try:
            if any(state_of(each.path) != each.state for each in seen.values()):
                return False
        except UnbraidError:
            return False
        return row.recipe == self.recipe(row.job)

    def seen(self, job: Job) -> tuple[Seen, ...]:
        """Return a job's inputs as they are, without their hashes; those that are not there are left out."""
        found = []
        for name, path in job.paths().items():
            with suppress(UnbraidError):
                found.append(Seen(name, path, state_of(path), ""))
        return tuple(found)

    def recipe(self, job: Job) -> str:
        """Return a job's recipe as of now; "" where its graph cannot be had."""
        key = msgspec.msgpack.encode(
            [
                (job.graph, job.settings, job.devices, job.options),
                ([*job.inputs], [*job.stems], job.target, job.track, bool(job.film)),
            ]
        )
        if key not in self._recipes:
            if len(self._recipes) >= _KEPT:
                self._recipes.clear()
            try:
                found = recipe_of(job, graph_of(job, self._registry), self._registry)
            except UnbraidError:
                found = ""
            self._recipes[key] = found
        return self._recipes[key]
