"""A Ray cluster of two nodes on this machine, for tests, and the processes on it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unbraid.host.jobs.batch import Batch
from unbraid.host.jobs.cluster import RayExecutor
from unbraid.host.jobs.slot import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unbraid.host.jobs.job import Job

# Read when Ray is imported.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."


class Two:
    """A cluster of two nodes on this machine, with one CPU each; the second has a GPU, too."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.ray: Any = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        self.first: Any = self.ray.head_node
        self.second: Any = None
        self.add()

    def add(self, **more: Any) -> Any:
        self.second = self.ray.add_node(num_cpus=1, num_gpus=1, **more)
        return self.second

    def remove(self) -> None:
        self.ray.remove_node(self.second)
        self.second = None

    def executor(self, folder: Path, **more: Any) -> RayExecutor:
        return RayExecutor(self.ray.address, more.pop("terms", Terms()), folder=folder, **more)

    def batch(self, jobs: Sequence[Job], folder: Path, *, options: Any = None, **more: Any) -> Batch:
        options = options or {}
        return Batch(lambda: jobs, folder, lambda: self.executor(folder, **options), **more)

    def actors(self, node: Any = None) -> list[int]:
        """Processes of our actors, on one node or on both."""
        nodes = [self.first, self.second] if node is None else [node]
        raylets = [each.all_processes["raylet"][0].process.pid for each in nodes if each is not None]
        return [
            found for raylet in raylets for found in children(raylet) if words(found).startswith("ray::Actor")
        ]

    def workers(self, node: Any = None) -> list[int]:
        """Processes that do the jobs."""
        return [child for actor in self.actors(node) for child in children(actor)]


def words(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def children(process: int) -> list[int]:
    """Processes that any thread of a process has started."""
    found = []
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(each) for each in thread.read_text().split()]
    return found


def gone(processes: Sequence[int], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while any(words(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
