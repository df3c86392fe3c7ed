"""Batches on a cluster of two nodes: the same bytes, each job once, whatever dies; nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

import jobs_rig as rig
from ray_rig import Two, children, gone, words
from unbraid.host.jobs import cluster
from unbraid.host.jobs.actor import greeting
from unbraid.host.jobs.batch import Batch, JobResult
from unbraid.host.jobs.cluster import ClusterError, RayExecutor
from unbraid.host.jobs.executor import Began, Moved
from unbraid.host.jobs.ledger import read_ledger
from unbraid.host.jobs.local import LocalExecutor
from unbraid.host.jobs.slot import Terms
from unbraid.host.jobs.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from unbraid.host.jobs.executor import Event
    from unbraid.host.jobs.job import Job

ray = pytest.importorskip("ray", reason='the cluster needs Ray: pip install "unbraid[cluster]"')
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
SLOW = {"t.how": "slow"}
TWO = rig.TWO.replace("nodes:", "nodes:\n  t: {use: deed, from: mix}").replace(
    "use: gain, from: mix", "use: gain, from: t"
)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """The cluster; its nodes find the plugins of `isolation_rig`."""
    with pytest.MonkeyPatch.context() as patch:
        site = tmp_path_factory.mktemp("ray") / "site"
        rig.install_trouble(site, patch)
        rig.install_trouble(site, patch, "deed", "deeds_rig")
        paths = [str(site), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        two = Two()
        yield two
        two.ray.shutdown()


@pytest.fixture
def two(nodes: Two) -> Iterator[Two]:
    """The cluster, whole, with nothing left on it by the test before; and nothing left by this one."""
    if nodes.second is None:
        nodes.add()
    assert not ray.is_initialized()
    yield nodes
    assert not ray.is_initialized()
    assert gone(nodes.actors())


def make(folder: Path, count: int, text: str = rig.GAIN, samples: int = 800, **more: Any) -> list[Job]:
    return rig.jobs(rig.sounds(folder / "in", count, samples), rig.graph(folder, text), **more)


def slow(folder: Path, count: int, blocks: int = 6) -> list[Job]:
    """Jobs of 50 ms for each block."""
    options = {"max_block": 4096}
    return make(folder, count, rig.TROUBLE, 4096 * blocks, settings=SLOW, options=options)


WAIT = """
import os, time
from pathlib import Path
folder = Path({folder!r})
while not (folder / "go-{gate}").exists():
    (folder / "waiting-{gate}" / str(os.getpid())).touch()
    time.sleep(0.01)
"""


def waiting(folder: Path, count: int, gates: int = 1, text: str = rig.DEED) -> list[Job]:
    """Jobs that make what those of `slow` do, but wait inside until they may go on, by gates in turn."""
    jobs = make(folder, count, text, 4096 * 6)
    for gate in range(gates):
        (folder / f"waiting-{gate}").mkdir()
    return [
        msgspec.structs.replace(
            job, settings={"t.code": WAIT.format(folder=str(folder), gate=number * gates // count)}
        )
        for number, job in enumerate(jobs)
    ]


def both_wait(folder: Path, gate: int = 0) -> bool:
    """Whether two workers wait at a gate."""
    return sum(bool(words(int(path.name))) for path in (folder / f"waiting-{gate}").iterdir()) == 2


def meanwhile(folder: Path, *deeds: Callable[[], object]) -> Callable[[], bool]:
    """Do something while two jobs wait, and open their gate; the next while two wait at the next gate."""
    left = dict(enumerate(deeds))

    def cancelled() -> bool:
        gate = min(left, default=None)
        if gate is not None and both_wait(folder, gate):
            left.pop(gate)()
            (folder / f"go-{gate}").touch()
        return False

    return cancelled


def quiet(jobs: Sequence[Job], folder: Path) -> dict[str, str]:
    """Hashes of a run that nothing disturbs, on one machine."""
    plain = [msgspec.structs.replace(job, settings={}) for job in jobs]
    results = list(Batch(lambda: plain, folder, lambda: LocalExecutor(2, Terms())))
    assert {result.state for result in results} == {"done"}
    return rig.hashes(folder)


@pytest.fixture(scope="module")
def want(nodes: Two, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `slow` jobs make."""
    folder = tmp_path_factory.mktemp("want")
    return quiet(slow(folder, 16), folder / "out")


def as_wanted(folder: Path, want: dict[str, str], count: int) -> bool:
    return rig.hashes(folder) == dict(sorted(want.items())[:count])


def states(results: Sequence[JobResult]) -> Counter[str]:
    return Counter(result.state for result in results)


def done_once(folder: Path, count: int) -> bool:
    """Whether each job was done, by one attempt, and no attempt left anything."""
    with read_ledger(folder) as ledger:
        done = [sum(each["outcome"] == "done" for each in ledger.attempts(row.id)) for row in ledger.rows()]
    left = [path.name for path in (folder / ".unbraid-batch").glob("*") if path.name.startswith("seen-")]
    return done == [1] * count and not left and not list((folder / ".unbraid-batch" / "staging").iterdir())


def outcomes(folder: Path) -> Counter[str]:
    with read_ledger(folder) as ledger:
        return Counter(each["outcome"] for row in ledger.rows() for each in ledger.attempts(row.id))


# The same work


def test_a_cluster_renders_the_bytes_that_one_machine_does_on_all_of_its_nodes(
    two: Two, tmp_path: Path
) -> None:
    jobs = waiting(tmp_path, 24, text=TWO)
    began: list[str] = []

    def told(_: str, event: Event) -> None:
        if isinstance(event, Began):
            began.append(event.worker)

    both = meanwhile(tmp_path, lambda: None)
    assert states(list(two.batch(jobs, tmp_path / "out", told=told, cancelled=both))) == {"done": 24}
    assert rig.hashes(tmp_path / "out") == quiet(jobs, tmp_path / "quiet")
    assert done_once(tmp_path / "out", 24)
    assert len(began) == 24
    ids = {two.first.node_id[:8], two.second.node_id[:8]}
    assert {each for each in ids for worker in began if each in worker} == ids
    assert list(two.batch(jobs, tmp_path / "out")) == []


def test_a_worker_sees_the_gpus_it_was_given_and_no_others_and_says_how_far_it_is(
    two: Two, tmp_path: Path
) -> None:
    visible, moved = list[bytes](), list[Moved]()

    def told(_: str, event: Event) -> None:
        if isinstance(event, Moved):
            moved.append(event)
            (worker,) = two.workers()
            environment = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
            visible.extend(each for each in environment if each.startswith(b"CUDA_VISIBLE"))
            raise KeyboardInterrupt

    for gpus in (0.5, 0.0):
        options = {"gpus": gpus, "workers": 1}
        with pytest.raises(KeyboardInterrupt):
            list(two.batch(slow(tmp_path, 1, blocks=60), tmp_path / "out", options=options, told=told))
    assert visible == [b"CUDA_VISIBLE_DEVICES=0", b"CUDA_VISIBLE_DEVICES="]
    assert {event.progress.total for event in moved} == {60 * 4096}
    assert all(0 <= event.progress.done <= event.progress.total for event in moved)


# What dies


def test_a_killed_actor_and_a_killed_worker_cost_an_attempt_each(
    two: Two, tmp_path: Path, want: dict[str, str]
) -> None:
    jobs, began = waiting(tmp_path, 16, gates=2), set[str]()
    deeds = meanwhile(
        tmp_path,
        lambda: os.kill(two.actors(two.second)[0], signal.SIGKILL),
        lambda: os.kill(two.workers(two.first)[0], signal.SIGKILL),
    )

    def told(_: str, event: Event) -> None:
        if isinstance(event, Began):
            began.add(event.worker)

    results = list(two.batch(jobs, tmp_path / "out", told=told, cancelled=deeds))
    assert states(results) == {"done": 16, "retried": 2}
    reasons = " ".join(sorted(result.reason for result in results if result.state == "retried"))
    assert "was killed by signal 9 (SIGKILL)" in reasons
    assert f"({two.second.node_id[:8]}) was ended from outside" in reasons
    assert as_wanted(tmp_path / "out", want, 16)
    assert done_once(tmp_path / "out", 16)
    assert len([name for name in began if two.second.node_id[:8] in name]) == 2  # another took its place


def test_a_removed_node_is_no_jobs_fault_and_the_others_go_on(
    two: Two, tmp_path: Path, want: dict[str, str]
) -> None:
    jobs, name = waiting(tmp_path, 12), two.second.node_id[:8]
    deeds = meanwhile(tmp_path, two.remove)
    results = list(two.batch(jobs, tmp_path / "out", cancelled=deeds, attempts=1))
    assert states(results) == {"done": 12, "retried": 1}
    (retried,) = (result for result in results if result.state == "retried")
    assert (retried.kind, f"({name}) went away while it ran there" in retried.reason) == ("gone", True)
    assert as_wanted(tmp_path / "out", want, 12)
    assert done_once(tmp_path / "out", 12)
    with read_ledger(tmp_path / "out") as ledger:
        assert {row.crashes for row in ledger.rows()} == {0}


@pytest.mark.soak
def test_a_node_that_joins_is_used(two: Two, tmp_path: Path) -> None:
    two.remove()
    names: list[str] = []

    def told(_: str, event: Event) -> None:
        if isinstance(event, Began):
            names.append(event.worker)
            if len(names) == 2:
                two.add()

    results = list(two.batch(slow(tmp_path, 30), tmp_path / "out", told=told))
    assert states(results) == {"done": 30}
    assert two.second.node_id[:8] not in names[0]
    assert any(two.second.node_id[:8] in name for name in names)


def test_what_a_plugin_does_wrong_costs_its_own_job(two: Two, tmp_path: Path) -> None:
    jobs = make(tmp_path, 12, rig.TROUBLE)
    for number, how in {1: "raise", 4: "spin", 7: "segfault", 10: "bomb"}.items():
        seconds = 3 if how == "spin" else None
        jobs[number] = msgspec.structs.replace(jobs[number], settings={"t.how": how}, timeout=seconds)
    terms = Terms(memory=700 << 20)
    results = list(two.batch(jobs, tmp_path / "out", options={"terms": terms}, attempts=2))
    assert states(results) == {"done": 8, "failed": 3, "quarantined": 1, "retried": 1}
    reasons = {
        result.line - 1: result.reason for result in results if result.state not in ("done", "retried")
    }
    assert sorted(reasons) == [1, 4, 7, 10]
    assert "told to" in reasons[1]
    assert "longer than 3 s" in reasons[4]
    assert "SIGSEGV" in reasons[7]
    assert "held more than 700 MiB" in reasons[10]
    assert len(rig.files(tmp_path / "out")) == 8


# How it ends


def test_a_batch_that_is_cancelled_by_force_leaves_no_process_and_no_file(two: Two, tmp_path: Path) -> None:
    jobs, found = waiting(tmp_path, 6), list[int]()

    def cancelled() -> bool:
        if both_wait(tmp_path):
            found.extend([*two.actors(), *two.workers()])
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        list(two.batch(jobs, tmp_path / "out", cancelled=cancelled))
    assert len(found) == 4
    assert gone(found, seconds=0)
    assert rig.files(tmp_path / "out") == []
    assert not list((tmp_path / "out" / ".unbraid-batch" / "staging").iterdir())
    with read_ledger(tmp_path / "out") as ledger:
        assert ledger.counts()["waiting"] == 6


@pytest.mark.soak
def test_a_batch_that_is_asked_to_end_lets_running_jobs_end(two: Two, tmp_path: Path) -> None:
    jobs, seen = slow(tmp_path, 8), list[JobResult]()
    first = two.batch(jobs, tmp_path / "out", cancelled=lambda: len(seen) >= 2)
    for result in first:
        seen.append(result)
    assert first.interrupted
    assert 2 <= len(seen) <= 4
    assert first.counts["done"] == len(seen)
    assert first.counts["running"] == 0
    assert states(list(two.batch(jobs, tmp_path / "out"))) == {"done": 8 - len(seen)}
    assert done_once(tmp_path / "out", 8)


def test_tasks_that_no_worker_took_can_be_had_back_once(two: Two, tmp_path: Path) -> None:
    executor = two.executor(tmp_path / "out")
    for number, job in enumerate(slow(tmp_path, 4)):
        executor.submit(Task(number=number, job=job, folder=str(tmp_path), staging=str(tmp_path / "s")))
    assert executor.withdraw() == [0, 1, 2, 3]
    assert executor.withdraw() == []
    executor.close()


def driver(folder: Path, address: str, *more: object, **options: Any) -> subprocess.Popen[str]:
    """Run the command line on the cluster, for the manifest of `written`."""
    code = "import sys; from unbraid.host.cli.app import main; main(sys.argv[1:])"
    alone = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    arguments = ("batch", folder / "manifest.jsonl", "-o", folder / "out", "--ray", address, *more)
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**alone, "PYTHONPATH": os.pathsep.join(sys.path)},
        **options,
    )


def written(jobs: Sequence[Job], folder: Path) -> None:
    """Write a manifest that says the same."""
    lines = [
        {
            "input": str(Path(job.inputs[""]).relative_to(folder)),
            "graph": Path(job.graph).name,
            "name": "{input}.{output}.{ext}",
            "settings": job.settings,
            "block": 4096,
        }
        for job in jobs
    ]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def some_files(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    while len(rig.files(folder)) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_a_killed_driver_leaves_no_process_and_the_next_loses_and_repeats_nothing(
    two: Two, tmp_path: Path, want: dict[str, str]
) -> None:
    jobs = slow(tmp_path, 16)
    written(jobs, tmp_path)
    with driver(tmp_path, two.ray.address) as first:
        some_files(tmp_path / "out", 3, first)
        found = [*two.actors(), *two.workers()]
        first.kill()
    assert found
    assert gone(found)
    before = rig.states(tmp_path / "out")
    assert 3 <= len(before) < 16
    with driver(tmp_path, two.ray.address) as second:
        said, complained = second.communicate(timeout=120)
    assert (second.returncode, complained) == (0, "")
    assert said.startswith("16 of 16 jobs done")
    assert as_wanted(tmp_path / "out", want, 16)
    assert {name: rig.states(tmp_path / "out")[name] for name in before} == before
    assert done_once(tmp_path / "out", 16)


def test_a_cluster_of_ones_own_ends_with_the_batch_whose_terminal_stays_clean(
    nodes: Two, tmp_path: Path
) -> None:
    written(waiting(tmp_path, 8), tmp_path)
    with driver(tmp_path, "local", "--workers", 2, "--threads", 1, start_new_session=True) as process:
        while not both_wait(tmp_path):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        raylet = next(each for each in children(process.pid) if "/raylet/raylet" in words(each))
        all_of_it = [*children(process.pid), *children(raylet)]
        victim = next(each for each in children(raylet) if words(each).startswith("ray::Actor"))
        os.kill(victim, signal.SIGKILL)
        (tmp_path / "go-0").touch()
        said, complained = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said.startswith("8 of 8 jobs done")
    (line,) = complained.splitlines()
    assert "retried: its worker on node" in line
    assert gone(all_of_it)
    assert done_once(tmp_path / "out", 8)


# What is refused


@pytest.mark.parametrize("other", [{"version": "9.9"}, {"sources": "beef"}])
def test_a_node_with_another_version_is_named(
    two: Two, tmp_path: Path, other: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = msgspec.structs.replace(greeting(), **other)
    monkeypatch.setattr(cluster, "greeting", lambda: here)
    with pytest.raises(ClusterError, match=r"node .* \(\w{8}\): has unbraid .* the driver .*one version"):
        list(two.batch(make(tmp_path, 1), tmp_path / "out"))
    assert rig.files(tmp_path / "out") == []


def test_a_node_that_does_not_see_the_folder_is_named(two: Two, tmp_path: Path) -> None:
    def elsewhere() -> RayExecutor:
        executor = two.executor(tmp_path / "out")
        Path(executor._token[0]).write_text("another machine's")
        return executor

    jobs = make(tmp_path, 1)
    with pytest.raises(
        ClusterError, match=rf"node .* \(\w{{8}}\): does not see {tmp_path}/out as the driver"
    ):
        list(Batch(lambda: jobs, tmp_path / "out", elsewhere))


def test_what_no_node_can_give_is_said_at_once(two: Two, tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ClusterError, match=r"no node of the cluster has 64 CPUs and 1 GPUs for a worker"):
        two.executor(tmp_path, terms=Terms(threads=64), gpus=1)
    assert signal.getsignal(signal.SIGTERM) is handler
    with pytest.raises(ClusterError, match=r"gpus is 1\.5; give a fraction of one, or a whole number"):
        two.executor(tmp_path, gpus=1.5)


# Long


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_twenty_kills_over_200_jobs_lose_nothing_and_do_nothing_twice(two: Two, tmp_path: Path) -> None:
    """Actors, workers and one node die at random moments: python -m pytest -m soak tests/test_jobs_ray.py."""
    jobs = slow(tmp_path, 200, blocks=10)
    whole, dice, kills = quiet(jobs, tmp_path / "quiet"), np.random.default_rng(5), 0
    after = time.monotonic() + 2

    def kill() -> bool:
        nonlocal kills, after
        if kills < 20 and time.monotonic() > after:
            after = time.monotonic() + float(dice.uniform(0.2, 2.5))
            if kills == 9:
                two.remove()
            else:
                if two.second is None and kills > 12:
                    two.add()
                victims = two.actors() if dice.uniform() < 0.4 else two.workers()
                if not victims:
                    return False
                with suppress(ProcessLookupError):
                    os.kill(int(dice.choice(victims)), signal.SIGKILL)
            kills += 1
        return False

    began = time.monotonic()
    results = list(two.batch(jobs, tmp_path / "out", cancelled=kill, attempts=9))
    assert kills == 20
    assert states(results)["done"] == 200
    assert rig.hashes(tmp_path / "out") == whole
    assert done_once(tmp_path / "out", 200)
    print(f"\n{time.monotonic() - began:.0f} s; attempts: {dict(outcomes(tmp_path / 'out'))}")  # noqa: T201


def test_a_programs_print_stays_its_own(two: Two) -> None:
    del two  # a cluster is reached
    assert type(print).__name__ == "builtin_function_or_method"
