"""The driver: takes a manifest's jobs one after another to workers, and writes down what came of each."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..contract.errors import MediaError, UnbraidError
from ..registry import Registry
from .executor import Ended
from .job import label_of
from .ledger import open_ledger
from .placing import GoneError, Placing
from .review import Review
from .task import Done, Failed, Lost, Task, Unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .executor import Event, Executor
    from .job import Job
    from .ledger import Ledger, Row
    from .task import Output, Seen

__all__ = ["Batch", "BatchError", "JobResult"]

_PATIENCE = 0.25  # seconds between two looks at whether the batch is to end
_COMMIT = 1.0  # seconds that words of no weight may stay uncommitted
_GONE = 10  # losses of the machine below it that a job survives in one run
_HASHES = 8192  # inputs whose hashes are remembered, for manifests that read one file often


class BatchError(UnbraidError):
    """The batch cannot go on; what is done is kept."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of one job in this run.

    Attributes:
        place: its name, see `Job.place`.
        state: "done", "unchanged", "failed", "quarantined", or "retried" when it crashed and waits for
            another attempt.
        line: of the manifest.
        outputs: absolute paths by output.
        hashes: XXH128 by output.
        verdicts: of outputs that miss their loudness target.
        kind: of the error; reason: what is wrong, where, and the remedy.
        attempts: so far.
        programme: seconds of sound; seconds: wall time; memory: most bytes.
        warnings: one line each.
    """

    place: str
    state: str
    line: int
    outputs: dict[str, Path] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    reason: str = ""
    attempts: int = 0
    programme: float = 0.0
    seconds: float = 0.0
    memory: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The place as people read it."""
        return label_of(self.place)

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        data: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        return data


@dataclass
class Batch:
    """One run over a manifest's jobs: iterate over it to do the work and hear of each job as it ends.

    Args:
        jobs: of the manifest; read once, when the run begins.
        folder: for outputs and ledger; made when missing.
        start: makes the workers, when there is work.
        about: facts for the ledger, as the manifest's path.
        registry: plugins; by default all that are installed.
        attempts: how many crashes of its worker put a job into quarantine.
        overwrite: replace outputs that are not of this batch.
        verify: of jobs done earlier read the outputs, and compare their hashes.
        cancelled: asked now and then; True lets running jobs end and takes no others.
        told: hears of jobs that begin, and of how far they are: their place and the event.

    Attributes:
        total: jobs of the run.
        before: of these, done by earlier runs.
        interrupted: whether it was cancelled.

    Raises:
        UnbraidError: while iterated over: the manifest is wrong, the folder is in use or full, or no worker
            can be started.
    """

    jobs: Callable[[], Iterable[Job]]
    folder: Path
    start: Callable[[], Executor]
    about: dict[str, str] = field(default_factory=dict)
    registry: Registry | None = None
    attempts: int = 3
    overwrite: bool = False
    verify: bool = False
    cancelled: Callable[[], bool] = field(default=lambda: False)
    told: Callable[[str, Event], None] = field(default=lambda _place, _event: None)
    total: int = 0
    before: int = 0
    interrupted: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[JobResult]:
        """Do the work."""
        # Absolute, because workers may stand elsewhere; but not resolved: links may be meant.
        self.folder = Path(os.path.abspath(self.folder))  # noqa: PTH100 - Path.resolve follows links
        with open_ledger(self.folder) as ledger:
            yield from _Run(self, ledger).results()
            self.counts = ledger.counts()


class _Run:
    """A batch at work."""

    def __init__(self, batch: Batch, ledger: Ledger) -> None:
        self.batch, self.ledger = batch, ledger
        self.placing = Placing(batch.folder)
        self.registry = batch.registry or Registry.discover()
        self.flying: dict[int, Row] = {}
        self.hashed: dict[str, Seen] = {}
        self.committed = time.monotonic()
        self.executor: Executor | None = None
        self.review: Review

    def results(self) -> Iterator[JobResult]:
        """Finish what an earlier run left, then do what waits."""
        batch, ledger = self.batch, self.ledger
        batch.total = ledger.enter(batch.jobs())
        ledger.note(**batch.about)
        self.placing.clear({row.id for row in ledger.rows("rendered", everything=True)})
        try:
            self.executor = batch.start()
            self._review()
            yield from self._recover()
            batch.before = ledger.counts()["done"]
            yield from self._work(self.executor)
        finally:
            if self.executor is not None:
                self.executor.close()
            self._home()

    def _review(self) -> None:
        assert self.executor is not None  # noqa: S101 - set before
        here = self.executor.one_machine
        self.review = Review(
            self.ledger, self.batch.folder, self.registry, here=here, verify=self.batch.verify
        )
        for row in list(self.ledger.rows("running", everything=True)):
            self.ledger.wait(row.id)
        self.review.begin()
        self.ledger.commit()

    def _recover(self) -> Iterator[JobResult]:
        """Name the files of jobs that were rendered when their driver was killed."""
        for row in list(self.ledger.rows("rendered", everything=True)):
            yield from self._place(row, self.ledger.outputs(row.id))
        self.ledger.commit()

    def _home(self) -> None:
        """Leave jobs that nobody works on any more as waiting."""
        try:
            for number in self.flying:
                self.ledger.wait(number)
            self.ledger.commit()
        finally:  # also where the ledger's disk is full
            self.placing.clear({row.id for row in self.ledger.rows("rendered", everything=True)})

    def _work(self, executor: Executor) -> Iterator[JobResult]:
        while True:
            if self.batch.cancelled() and not self.batch.interrupted:
                self.batch.interrupted = True
                for number in executor.withdraw():
                    self.ledger.back(number)
                    del self.flying[number]
            if not self.batch.interrupted:
                self._fill(executor)
            if not self.flying:
                return
            events = executor.events(_PATIENCE)
            yield from self._hear(events)
            if time.monotonic() - self.committed > _COMMIT:
                self._commit()

    def _commit(self) -> None:
        self.ledger.commit()
        self.committed = time.monotonic()

    def _fill(self, executor: Executor) -> None:
        """Hand out as many jobs as are done at once, and as many again, so that no worker waits for us."""
        room = 2 * executor.slots - len(self.flying)
        if room < executor.slots and len(self.flying) > executor.slots:
            return
        for row in self.ledger.turn(room):
            self.flying[row.id] = row
            self.ledger.begin(row.id)
            executor.submit(self._task(row))

    def _task(self, row: Row) -> Task:
        known, own, expected = list[Any](), tuple[str, ...](), ""
        if row.attempts:  # it may have been done before
            known += self.ledger.inputs(row.id)
            own = tuple(output.path for output in self.ledger.outputs(row.id))
            expected = row.identity if row.identity and self.review.whole(row) else ""
        known += (self.hashed[path] for path in row.job.paths().values() if path in self.hashed)
        return Task(
            number=row.id,
            job=row.job,
            folder=str(self.batch.folder),
            staging=str(self.placing.staging(row.id)),
            known=tuple(seen for seen in known if seen.xxh128),
            expected=expected,
            own=own,
            overwrite=self.batch.overwrite,
            seconds=row.job.timeout,
        )

    def _hear(self, events: Iterable[Event]) -> Iterator[JobResult]:
        """Write down outcomes, for good, and only then give outputs their names."""
        ended: list[tuple[Row, Ended]] = []
        for event in events:
            row = self.flying.get(event.number)
            if row is None:  # of a worker that was given up
                continue
            if isinstance(event, Ended):
                with self.ledger.together():
                    ended.append((self.ledger.row(event.number), event))
                    self._write(*ended[-1])
                    del self.flying[event.number]
            else:
                self.batch.told(row.place, event)
        if not ended:
            return
        self._commit()
        folders = set[Path]()
        try:
            for row, event in ended:
                yield from self._result(row, event, folders)
        finally:  # also where nobody reads on
            self.placing.settle(folders)

    def _write(self, row: Row, event: Ended) -> None:
        outcome, ledger = event.outcome, self.ledger
        if isinstance(outcome, Done):
            outcome = self._settled(row, outcome)
            if isinstance(outcome, Done):
                ledger.rendered(row.id, outcome, event.worker)
                self._remember(outcome.inputs)
                return
        if isinstance(outcome, Unchanged):
            ledger.unchanged(row.id, outcome)
        elif isinstance(outcome, Failed):
            ledger.failed(row.id, outcome, event.worker)
        elif isinstance(outcome, Lost):
            self._lost(row, outcome, event.worker)

    def _settled(self, row: Row, done: Done) -> Done | Failed:
        """Say which names an attempt's outputs may replace; refuse those that another job has."""
        own = {output.path for output in self.ledger.outputs(row.id)}
        for output in done.outputs:
            owner = self.ledger.owner(output.path)
            if owner is not None and owner != row.id:
                other = self.ledger.row(owner).place
                text = f"{output.path}: is the output of {label_of(other)} too; give each a name of its own"
                return Failed(kind="MediaError", message=text, inputs=done.inputs, recipe=done.recipe)
        outputs = tuple(
            msgspec.structs.replace(output, replaces=self.batch.overwrite or output.path in own)
            for output in done.outputs
        )
        left = sorted(own - {output.path for output in outputs})
        warnings = (*done.warnings, *(f"{path}: is no longer made, and was left as it is" for path in left))
        return msgspec.structs.replace(done, outputs=outputs, warnings=warnings)

    def _lost(self, row: Row, lost: Lost, worker: str) -> None:
        if lost.kind == "cancelled":
            self.ledger.back(row.id)
            return
        if lost.kind == "start":
            self.ledger.back(row.id)
            self._commit()
            raise BatchError(lost.message)
        state = "failed"
        if lost.kind == "crash":
            state = "quarantined" if row.crashes + 1 >= self.batch.attempts else "waiting"
        elif lost.kind == "gone":  # not the job's fault, unless it brings down one machine after another
            state = "quarantined" if self.ledger.gone(row.id) + 1 >= _GONE else "waiting"
        seen = self.review.seen(row.job)
        self.ledger.lost(row.id, lost, state, worker, recipe=self.review.recipe(row.job), inputs=seen)

    def _remember(self, inputs: Iterable[Seen]) -> None:
        if len(self.hashed) >= _HASHES:
            self.hashed.clear()
        self.hashed.update((seen.path, seen) for seen in inputs)

    def _result(self, row: Row, event: Ended, folders: set[Path]) -> Iterator[JobResult]:
        now = self.ledger.row(row.id)
        if now.state == "rendered":
            yield from self._place(now, self.ledger.outputs(row.id), folders)
            return
        self.placing.discard(row.id)
        if isinstance(event.outcome, Lost) and event.outcome.kind == "cancelled":
            return
        if now.state == "done":
            yield self._told(now, self.ledger.outputs(row.id), "unchanged")
        else:
            yield self._told(now, (), "retried" if now.state == "waiting" else now.state)

    def _place(
        self, row: Row, outputs: tuple[Output, ...], folders: set[Path] | None = None
    ) -> Iterator[JobResult]:
        """Give outputs their names."""
        try:
            made = self.placing.put(row.id, outputs)
        except GoneError:
            self.placing.discard(row.id)
            self.ledger.wait(row.id)
            return
        except MediaError as error:
            self.ledger.disown(row.id, self.placing.unnamed(row.id, outputs))
            self.ledger.failed(row.id, Failed(kind="MediaError", message=str(error), recipe=row.recipe), "")
            self._commit()
            self.placing.discard(row.id)
            yield self._told(self.ledger.row(row.id), (), "failed")
            return
        if folders is None:
            self.placing.settle(made)
        else:
            folders |= made
        self.ledger.finished(row.id)
        yield self._told(row, outputs, "done")

    def _told(self, row: Row, outputs: Iterable[Output], state: str) -> JobResult:
        outputs = tuple(outputs)
        good = state in ("done", "unchanged")
        return JobResult(
            place=row.place,
            state=state,
            line=row.job.line,
            outputs={output.name: self.batch.folder / output.path for output in outputs},
            hashes={output.name: output.xxh128 for output in outputs},
            verdicts={output.name: output.verdict for output in outputs if output.verdict},
            kind="" if good else row.kind,
            reason="" if good else row.reason,
            attempts=row.attempts,
            programme=row.programme or 0.0 if good else 0.0,
            seconds=row.seconds or 0.0,
            memory=row.memory or 0,
            warnings=tuple(row.warnings) if good else (),
        )
