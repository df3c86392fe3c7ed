"""What a cluster is asked for, and what is said where it cannot be had; what becomes of machines' losses."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import jobs_rig as rig
from unbraid.host.jobs.batch import Batch
from unbraid.host.jobs.cluster import ClusterError, RayExecutor
from unbraid.host.jobs.connection import room
from unbraid.host.jobs.executor import Ended
from unbraid.host.jobs.ledger import open_ledger
from unbraid.host.jobs.slot import Terms
from unbraid.host.jobs.task import Lost

if TYPE_CHECKING:
    from pathlib import Path

    from unbraid.host.jobs.executor import Event
    from unbraid.host.jobs.task import Task


class Doomed:
    """An executor whose machines go away below every task."""

    slots, one_machine = 1, False

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def events(self, seconds: float) -> list[Event]:
        tasks, self.tasks = self.tasks, []
        return [Ended(task.number, "w", Lost(kind=self.kind, message="it went away")) for task in tasks]

    def withdraw(self) -> list[int]:
        return []

    def close(self) -> None:
        pass


def test_a_job_below_which_ten_machines_go_away_is_put_into_quarantine(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 1), rig.graph(tmp_path))
    for run in (1, 2):
        results = list(Batch(lambda: jobs, tmp_path / "out", lambda: Doomed("gone")))
        assert Counter(result.state for result in results) == {"retried": 9, "quarantined": 1}
        with open_ledger(tmp_path / "out") as ledger:
            (row,) = ledger.rows()
            assert (row.attempts, row.crashes) == (10 * run, 0)
            ledger.wait(row.id, afresh=True)
            ledger.commit()


def test_an_address_without_a_cluster_is_said(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason='the cluster needs Ray: pip install "unbraid[cluster]"')
    with pytest.raises(ClusterError, match=r"the cluster 127\.0\.0\.1:1: cannot be reached"):
        RayExecutor("127.0.0.1:1", Terms(), folder=tmp_path)
    with pytest.raises(ClusterError, match="is not supported; run the batch on a node"):
        RayExecutor("ray://127.0.0.1:1", Terms(), folder=tmp_path)


def test_without_ray_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r'pip install "unbraid\[cluster\]"'):
        RayExecutor("auto", Terms(), folder=tmp_path)


@pytest.mark.parametrize(
    ("needs", "fit"),
    [
        ({"CPU": 1}, 12),
        ({"CPU": 3}, 3),
        ({"CPU": 9}, 0),
        ({"CPU": 1, "GPU": 1}, 2),
        ({"CPU": 1, "GPU": 2}, 1),
        ({"CPU": 1, "GPU": 0.4}, 4),
        ({"CPU": 1, "GPU": 0.1}, 8),
        ({"CPU": 1, "memory": 3 << 30}, 3),
    ],
)
def test_as_many_workers_are_wanted_as_fit(needs: dict[str, float], fit: int) -> None:
    big = {"CPU": 8.0, "GPU": 2.0, "memory": float(8 << 30)}
    assert room([{"Resources": big}, {"Resources": {"CPU": 4.0, "memory": float(4 << 30)}}], needs) == fit
