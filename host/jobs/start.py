"""`batch`: a manifest, a folder, and workers, made ready."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import UnbraidError
from ..isolation.limits import most_memory
from .batch import Batch
from .manifest.reading import read_manifest
from .slot import Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..registry import Registry
    from .executor import Event, Executor

__all__ = ["batch"]


def batch(  # noqa: PLR0913 - each is a word of its own
    manifest: str | Path,
    folder: str | Path,
    *,
    graph: str | None = None,
    pattern: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    memory: int | None = None,
    timeout: float | None = None,
    attempts: int = 3,
    overwrite: bool = False,
    verify: bool = False,
    ray: str | None = None,
    gpus: float = 0.0,
    registry: Registry | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    told: Callable[[str, Event], None] = lambda _place, _event: None,
) -> Batch:
    """Render every job of a manifest that is not done yet; iterate over what it returns to do the work.

    Outputs appear below ``folder`` only complete. What is done is written into a ledger there, so a batch
    that was ended, however that was, goes on where it stood when it is run again; jobs whose inputs, graph,
    settings, plugins or models have changed since are rendered again.

    Args:
        manifest: a YAML, JSON, JSON Lines or CSV file, or a folder of sounds.
        folder: for outputs and ledger; made when missing.
        graph: the graph of jobs that name none.
        pattern: of a folder's files, as ``**/*.wav``.
        workers: processes, each with one job at a time; by default as many as there are CPUs to run on, or
            as a cluster has room for.
        threads: that each worker may use; by default its share of the CPUs.
        memory: bytes that all workers together may hold, on a cluster each of them; by default three quarters
            of the machine's.
        timeout: seconds that a job may take, unless the manifest says otherwise.
        attempts: how many crashes of its worker put a job into quarantine.
        overwrite: replace files that are not of this batch.
        verify: of jobs done earlier read the outputs, and compare their hashes.
        ray: address of a Ray cluster, or "local" for one of this machine; None for plain processes.
        gpus: of a Ray cluster, for each worker; a fraction shares one.
        registry: plugins, as the driver sees them; workers load their own.
        cancelled: asked now and then; True lets running jobs end and takes no others.
        told: hears of jobs that begin and of how far they are.

    Raises:
        ManifestError: the manifest's beginning is wrong; its jobs are read when the work begins.
        UnbraidError: a number is out of bounds.

    Example:
        >>> for result in batch("reels.yaml", "out", workers=4):   # doctest: +SKIP
        ...     print(result.place, result.state, result.reason)
    """
    cores = len(os.sched_getaffinity(0))
    _check_numbers(timeout, workers=workers, threads=threads, attempts=attempts)
    _check_apart(manifest, folder)
    source = read_manifest(manifest, graph=graph, pattern=pattern, skip=[str(folder)])
    count = workers or (cores if ray is None else None)
    each = threads or (1 if count is None else max(1, cores // count))
    share = None if count is None else (memory or most_memory()) // count
    terms = Terms(each, share if ray is None else memory, timeout)

    def start() -> Executor:
        if ray is not None:
            from .cluster import RayExecutor

            return RayExecutor(ray, terms, workers=workers, gpus=gpus, folder=Path(folder))
        from .local import LocalExecutor

        return LocalExecutor(count or cores, terms)

    return Batch(
        source.jobs,
        Path(folder),
        start,
        about={"manifest": str(manifest), "name": source.name},
        registry=registry,
        attempts=attempts,
        overwrite=overwrite,
        verify=verify,
        cancelled=cancelled,
        told=told,
    )


def _check_numbers(timeout: float | None, **counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None and value < 1:
            raise UnbraidError(f"{name} is {value}; it is at least 1")
    if timeout is not None and not timeout > 0:
        raise UnbraidError(f"timeout is {timeout}; it is more than 0 seconds")


def _check_apart(manifest: str | Path, folder: str | Path) -> None:
    """Raise where the outputs of one run would be the inputs of the next."""
    if os.path.isdir(manifest) and os.path.realpath(manifest) == os.path.realpath(folder):  # noqa: PTH112
        raise UnbraidError(
            f"{folder}: is where the inputs are; the next run would take outputs for inputs: choose another"
        )
