"""Batches: complete, exact, once; a fault costs its own job; whatever ends a run, the next goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import soundfile as sf

import jobs_rig as rig
import unbraid
from unbraid.host.jobs.batch import Batch, BatchError, JobResult
from unbraid.host.jobs.executor import Began
from unbraid.host.jobs.hashes import xxh128_of
from unbraid.host.jobs.ledger import LedgerError, open_ledger, read_ledger
from unbraid.host.jobs.local import LocalExecutor
from unbraid.host.jobs.placing import Placing
from unbraid.host.jobs.retry import retry
from unbraid.host.jobs.slot import Slot, Terms
from unbraid.host.jobs.task import Done, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unbraid.host.jobs.job import Job


def batch(
    jobs: Sequence[Job], folder: Path, *, workers: int = 2, terms: Terms | None = None, **more: Any
) -> Batch:
    terms = terms or Terms()
    return Batch(lambda: jobs, folder, lambda: LocalExecutor(workers, terms), **more)


def run(jobs: Sequence[Job], folder: Path, **more: Any) -> list[JobResult]:
    return list(batch(jobs, folder, **more))


def states(results: Sequence[JobResult]) -> Counter[str]:
    return Counter(result.state for result in results)


@pytest.fixture
def trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rig.install_trouble(tmp_path / "site", monkeypatch)
    return rig.graph(tmp_path, rig.TROUBLE, "trouble.yaml")


# Exact


def test_outputs_are_the_bytes_that_render_writes(tmp_path: Path) -> None:
    paths, graph = rig.sounds(tmp_path / "in", 5), rig.graph(tmp_path, rig.TWO)
    results = run(rig.jobs(paths, graph), tmp_path / "out")
    for path in paths:
        unbraid.render(graph, path, tmp_path / "alone")
    assert states(results) == {"done": 5}
    assert rig.hashes(tmp_path / "out") == rig.hashes(tmp_path / "alone")
    assert {output: each for result in results for output, each in _by_name(result).items()} == {
        name: xxh128_of(tmp_path / "out" / name) for name in rig.files(tmp_path / "out")
    }


def _by_name(result: JobResult) -> dict[str, str]:
    return {path.name: result.hashes[name] for name, path in result.outputs.items()}


def test_a_worker_loads_each_model_once_however_many_jobs_take_turns_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.install_trouble(tmp_path / "site", monkeypatch, "deed", "deeds_rig")
    code = (
        "import os\nfrom unbraid.host.models import Weights, loaded_once\n"
        "def load():\n"
        f"    with open({str(tmp_path / 'loads')!r}, 'a') as file:\n"
        "        print(os.getpid(), {key}, file=file)\n"
        "    return Weights()\n"
        "loaded_once('the model {key}', load)\n"
    )
    jobs = [
        msgspec.structs.replace(job, settings={"t.code": code.replace("{key}", str(number % 3))})
        for number, job in enumerate(rig.jobs(rig.sounds(tmp_path / "in", 24), rig.graph(tmp_path, rig.DEED)))
    ]
    assert states(run(jobs, tmp_path / "out")) == {"done": 24}
    loads = Counter((tmp_path / "loads").read_text().splitlines())
    assert set(loads.values()) == {1}
    assert {line.split()[1] for line in loads} == {"0", "1", "2"}
    assert len({line.split()[0] for line in loads}) <= 2


def test_hashes_are_those_that_the_algorithms_own_program_prints(tmp_path: Path) -> None:
    # xxhsum -H2, version 0.8.1: of no bytes, and of 102400 that count from 0 to 250.
    (tmp_path / "none").touch()
    (tmp_path / "long").write_bytes(bytes(number % 251 for number in range(102_400)))
    assert xxh128_of(tmp_path / "none") == "99aa06d3014798d86001c324468d497f"
    assert xxh128_of(tmp_path / "long") == "ecd387d36185351b1428e17f1cac2837"


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 4), rig.graph(tmp_path))
    run(jobs, tmp_path / "out")
    before = rig.states(tmp_path / "out")
    again = batch(jobs, tmp_path / "out")
    assert (list(again), again.before, again.total) == ([], 4, 4)
    assert rig.states(tmp_path / "out") == before


def test_only_what_changed_is_rendered_again(tmp_path: Path) -> None:
    paths, graph = rig.sounds(tmp_path / "in", 5), rig.graph(tmp_path)
    jobs = rig.jobs(paths, graph)
    run(jobs, tmp_path / "out")
    before = rig.states(tmp_path / "out")
    sf.write(paths[1], rig.noise(77), rig.RATE, subtype="PCM_24")
    jobs[3] = msgspec.structs.replace(jobs[3], settings={"g.gain": -3})
    results = run(jobs, tmp_path / "out")
    now = rig.states(tmp_path / "out")
    assert sorted((result.place, result.state) for result in results) == [
        ("001.{output}.{ext}", "done"),
        ("003.{output}.{ext}", "done"),
    ]
    assert {name for name in now if now[name] != before[name]} == {"001.quiet.wav", "003.quiet.wav"}
    sound = sf.read(tmp_path / "out" / "003.quiet.wav", dtype="float32")[0]
    np.testing.assert_allclose(sound, sf.read(paths[3])[0] * 10 ** (-3 / 20), atol=2**-23)


def test_a_changed_graph_renders_all_of_its_jobs_again(tmp_path: Path) -> None:
    paths, graph = rig.sounds(tmp_path / "in", 3), rig.graph(tmp_path)
    other = rig.graph(tmp_path, rig.GAIN, "other.yaml")
    jobs = [*rig.jobs(paths[:2], graph), *rig.jobs(paths[2:], other)]
    run(jobs, tmp_path / "out")
    rig.graph(tmp_path, rig.GAIN.replace("-6", "-7"))
    assert sorted(result.place[:3] for result in run(jobs, tmp_path / "out")) == ["000", "001"]


def test_an_input_that_was_only_touched_is_read_but_not_rendered(tmp_path: Path) -> None:
    paths = rig.sounds(tmp_path / "in", 2)
    jobs = rig.jobs(paths, rig.graph(tmp_path))
    run(jobs, tmp_path / "out")
    before = rig.states(tmp_path / "out")
    os.utime(paths[0])
    assert states(run(jobs, tmp_path / "out")) == {"unchanged": 1}
    assert rig.states(tmp_path / "out") == before
    assert run(jobs, tmp_path / "out") == []


def test_an_output_that_is_gone_is_made_again(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 3), rig.graph(tmp_path))
    run(jobs, tmp_path / "out")
    before = rig.hashes(tmp_path / "out")
    (tmp_path / "out" / "001.quiet.wav").unlink()
    assert states(run(jobs, tmp_path / "out")) == {"done": 1}
    assert rig.hashes(tmp_path / "out") == before


def test_an_output_that_was_altered_is_found_when_asked_for(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 3), rig.graph(tmp_path))
    run(jobs, tmp_path / "out")
    before, victim = rig.hashes(tmp_path / "out"), tmp_path / "out" / "001.quiet.wav"
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    assert run(jobs, tmp_path / "out") == []
    assert states(run(jobs, tmp_path / "out", verify=True)) == {"done": 1}
    assert rig.hashes(tmp_path / "out") == before


def test_a_new_version_of_a_plugin_renders_again(tmp_path: Path, trouble: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 2), trouble)
    run(jobs, tmp_path / "out")
    info = tmp_path / "site" / "trouble-1.0.dist-info" / "METADATA"
    info.write_text(info.read_text().replace("Version: 1.0", "Version: 1.1"))
    assert states(run(jobs, tmp_path / "out")) == {"done": 2}


def test_jobs_that_are_no_longer_in_the_manifest_keep_their_outputs(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 3), rig.graph(tmp_path))
    run(jobs, tmp_path / "out")
    less = batch(jobs[:1], tmp_path / "out")
    assert (list(less), less.total, less.counts["done"]) == ([], 1, 1)
    assert len(rig.files(tmp_path / "out")) == 3


# Others' files


def test_a_file_that_is_not_the_batchs_is_never_replaced(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 2), rig.graph(tmp_path))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "000.quiet.wav").write_text("mine")
    results = {result.place[:3]: result for result in run(jobs, tmp_path / "out")}
    assert (results["000"].state, results["001"].state) == ("failed", "done")
    assert "000.quiet.wav: exists already" in results["000"].reason
    assert (tmp_path / "out" / "000.quiet.wav").read_text() == "mine"
    assert states(run(jobs, tmp_path / "out", overwrite=True)) == {"done": 1}
    assert sf.info(tmp_path / "out" / "000.quiet.wav").frames == 800


def test_a_link_does_not_lead_outputs_out_of_the_folder(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 1), rig.graph(tmp_path))
    jobs = [msgspec.structs.replace(jobs[0], place="reel/a.{output}.{ext}")]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "reel").symlink_to(tmp_path / "elsewhere")
    (result,) = run(jobs, tmp_path / "out")
    assert (result.state, "leads out of" in result.reason) == ("failed", True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_two_jobs_cannot_have_one_output(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 2), rig.graph(tmp_path))
    jobs = [
        msgspec.structs.replace(jobs[0], place="a.quiet.{ext}"),
        msgspec.structs.replace(jobs[1], place="a.{output}.{ext}"),
    ]
    results = run(jobs, tmp_path / "out", workers=1)
    assert [
        (result.state, "is the output of" in result.reason or "exists" in result.reason) for result in results
    ] == [
        ("done", False),
        ("failed", True),
    ]


def test_an_input_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    paths = rig.sounds(tmp_path / "in", 1)
    jobs = rig.jobs(paths, rig.graph(tmp_path))
    paths[0].rename(tmp_path / "secret.wav")
    paths[0].symlink_to(tmp_path / "secret.wav")
    (result,) = run(jobs, tmp_path / "out")
    assert (result.state, result.kind, "leads elsewhere" in result.reason) == ("failed", "MediaError", True)


def test_two_outputs_of_a_job_cannot_have_one_name(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 1), rig.graph(tmp_path, rig.TWO))
    (result,) = run([msgspec.structs.replace(jobs[0], place="a.{ext}")], tmp_path / "out")
    assert (result.state, "quiet and quieter would both be a.wav" in result.reason) == ("failed", True)
    assert rig.files(tmp_path / "out") == []


def test_only_one_batch_at_a_time_writes_into_a_folder(tmp_path: Path) -> None:
    with open_ledger(tmp_path), pytest.raises(LedgerError, match="another batch is at work there"):
        run([], tmp_path)


# What goes wrong costs its own job


def test_what_goes_wrong_costs_its_own_job(tmp_path: Path, trouble: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 200), trouble)
    for number, how in {3: "raise", 60: "spin", 120: "segfault", 180: "bomb"}.items():
        jobs[number] = msgspec.structs.replace(
            jobs[number], settings={"t.how": how}, timeout=4 if how == "spin" else None
        )
    results = run(jobs, tmp_path / "out", terms=Terms(memory=700 << 20), attempts=2)
    wrong = {result.place[:3]: result for result in results if result.state in ("failed", "quarantined")}
    assert states(results) == {"done": 196, "failed": 3, "quarantined": 1, "retried": 1}
    assert {place: result.state for place, result in wrong.items()} == {
        "003": "failed",
        "060": "failed",
        "120": "quarantined",
        "180": "failed",
    }
    assert "told to" in wrong["003"].reason
    assert "trouble" in wrong["003"].reason
    assert "longer than 4 s" in wrong["060"].reason
    assert "SIGSEGV" in wrong["120"].reason
    assert "held more than 700 MiB" in wrong["180"].reason
    assert len(rig.files(tmp_path / "out")) == 196
    with read_ledger(tmp_path / "out") as ledger:
        row = next(ledger.rows("quarantined"))
        assert (row.crashes, row.attempts, len(ledger.attempts(row.id))) == (2, 2, 2)
        assert "Segmentation fault" in row.trace


def test_what_failed_is_tried_again_when_asked_or_when_it_changed(tmp_path: Path, trouble: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 2), trouble)
    wrong = [msgspec.structs.replace(jobs[0], settings={"t.how": "raise"}), jobs[1]]
    assert states(run(wrong, tmp_path / "out")) == {"failed": 1, "done": 1}
    assert run(wrong, tmp_path / "out") == []
    assert retry(tmp_path / "out") == ["000.{output}.{ext}"]
    assert states(run(wrong, tmp_path / "out")) == {"failed": 1}
    assert states(run(jobs, tmp_path / "out")) == {"done": 1}


def test_only_what_failed_can_be_tried_again(tmp_path: Path) -> None:
    run(rig.jobs(rig.sounds(tmp_path / "in", 1), rig.graph(tmp_path)), tmp_path / "out")
    with pytest.raises(unbraid.UnbraidError, match=r"000\.\{output\}\.\{ext\}: is no job that failed"):
        retry(tmp_path / "out", ["000.{output}.{ext}"])
    with pytest.raises(LedgerError, match="holds no batch"):
        retry(tmp_path / "in")


def test_a_vanished_input_is_its_own_jobs_failure_and_found_again_later(tmp_path: Path) -> None:
    paths = rig.sounds(tmp_path / "in", 3)
    jobs = rig.jobs(paths, rig.graph(tmp_path))
    paths[1].rename(tmp_path / "away.wav")
    results = run(jobs, tmp_path / "out")
    assert states(results) == {"done": 2, "failed": 1}
    (failed,) = (result for result in results if result.state == "failed")
    assert (failed.kind, failed.reason) == (
        "MediaError",
        f"{paths[1]}: cannot be read: No such file or directory",
    )
    (tmp_path / "away.wav").rename(paths[1])
    assert states(run(jobs, tmp_path / "out")) == {"done": 1}


def test_an_input_that_changes_while_it_is_read_is_refused(tmp_path: Path, trouble: Path) -> None:
    (path,) = rig.sounds(tmp_path / "in", 1, samples=200_000)
    job = rig.jobs([path], trouble)[0]
    job = msgspec.structs.replace(job, settings={"t.how": "slow"}, options={"max_block": 8192})
    started: list[str] = []

    def told(_: str, event: object) -> None:
        if not isinstance(event, Began) and not started:  # it is under way
            started.append("yes")
            with path.open("r+b") as file:
                file.seek(-3, os.SEEK_END)
                file.write(b"abc")

    (result,) = run([job], tmp_path / "out", told=told)
    assert started
    assert (result.state, result.kind) == ("failed", "MediaError")
    assert "changed while it was read" in result.reason
    assert rig.files(tmp_path / "out") == []


def test_workers_that_cannot_start_end_the_batch_with_their_reason(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 2), rig.graph(tmp_path))
    terms = Terms(environment=(("UNBRAID_PLUGINS", "x"), ("PYTHONHOME", str(tmp_path))))
    with pytest.raises(BatchError, match="no worker can be started"):
        run(jobs, tmp_path / "out", terms=terms)
    assert states(run(jobs, tmp_path / "out")) == {"done": 2}


# How it ends


def test_a_cancelled_batch_ends_what_runs_and_goes_on_later(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 12), rig.graph(tmp_path))
    seen: list[JobResult] = []
    first = batch(jobs, tmp_path / "out", cancelled=lambda: len(seen) >= 3)
    for result in first:
        seen.append(result)  # noqa: PERF402 - the batch looks at it meanwhile
    assert first.interrupted
    assert 3 <= len(seen) < 12
    assert first.counts["done"] == len(seen) == len(rig.files(tmp_path / "out"))
    assert first.counts["running"] == 0
    rest = run(jobs, tmp_path / "out")
    assert states(rest) == {"done": 12 - len(seen)}
    with read_ledger(tmp_path / "out") as ledger:
        assert [row.attempts for row in ledger.rows()] == [1] * 12


def test_a_batch_that_nobody_reads_on_is_put_down_cleanly(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 6), rig.graph(tmp_path))
    results = iter(batch(jobs, tmp_path / "out"))
    next(results)
    results.close()  # type: ignore[attr-defined]
    with read_ledger(tmp_path / "out") as ledger:
        counts = ledger.counts()
    assert counts["running"] == counts["failed"] == 0
    run(jobs, tmp_path / "out")
    assert len(rig.files(tmp_path / "out")) == 6


POINTS = ["before any name", "between two names", "with both names of one file", "before it is written down"]


@pytest.mark.parametrize("point", POINTS)
def test_a_driver_killed_between_render_and_names_leaves_work_for_renaming_only(
    tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 1), rig.graph(tmp_path, rig.TWO))
    run(jobs, tmp_path / "quiet")

    class Killed(BaseException):
        pass

    put = Placing.put

    def fall(self: Placing, number: int, outputs: Any) -> set[Path]:
        staging, first = self.staging(number), next(iter(outputs))
        if point == "between two names":
            (staging / first.staged).rename(self.folder / first.path)
        if point == "with both names of one file":
            os.link(staging / first.staged, self.folder / first.path)
        if point == "before it is written down":
            put(self, number, outputs)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Placing, "put", fall)
        with pytest.raises(Killed):
            run(jobs, tmp_path / "out")
    (result,) = run(jobs, tmp_path / "out")
    assert (result.state, result.attempts) == ("done", 1)
    assert rig.hashes(tmp_path / "out") == rig.hashes(tmp_path / "quiet")
    assert not list((tmp_path / "out" / ".unbraid-batch" / "staging").iterdir())


def test_twenty_kills_at_any_moment_lose_nothing_and_do_nothing_twice(tmp_path: Path, trouble: Path) -> None:
    graph = rig.graph(tmp_path, rig.TWO)
    paths = rig.sounds(tmp_path / "in", 200)
    run(rig.jobs(paths, graph), tmp_path / "quiet")
    manifest = tmp_path / "manifest.jsonl"
    lines = [
        {"input": f"in/{path.name}", "graph": "graph.yaml", "name": "{input}.{output}.{ext}"}
        for path in paths
    ]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    dice, kills, ends = np.random.default_rng(5), 0, list[int]()
    while not ends or ends[-1] != 0:
        assert len(ends) < 60
        driver = _unbraid("batch", manifest, "-o", tmp_path / "out", "--workers", 2, "--attempts", 9)
        while driver.poll() is None and kills < 20:
            time.sleep(float(dice.uniform(0.1, 0.5)))
            victims = _children(driver.pid) if dice.uniform() < 0.6 else [driver.pid]
            if victims and driver.poll() is None:
                os.kill(int(dice.choice(victims)), signal.SIGKILL)
                kills += 1
        ends.append(driver.wait(timeout=120))
    assert kills == 20
    assert rig.hashes(tmp_path / "out") == rig.hashes(tmp_path / "quiet")
    with read_ledger(tmp_path / "out") as ledger:
        assert ledger.counts()["done"] == 200
        done = [sum(each["outcome"] == "done" for each in ledger.attempts(row.id)) for row in ledger.rows()]
    assert done == [1] * 200
    assert not list((tmp_path / "out" / ".unbraid-batch" / "staging").iterdir())


def _unbraid(*arguments: object, **more: Any) -> subprocess.Popen[bytes]:
    code = "import sys; from unbraid.host.cli.app import main; main(sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        **more,
    )


def _children(process: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == process:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_workers_do_not_outlive_a_driver_that_is_killed(tmp_path: Path, trouble: Path) -> None:
    note = tmp_path / "pids"
    rig.sounds(tmp_path / "in", 1)
    manifest = tmp_path / "m.jsonl"
    settings = {"t.how": "sleep-in-c", "t.note": str(note)}
    manifest.write_text(
        json.dumps({"input": "in/000.wav", "graph": "trouble.yaml", "settings": settings}) + "\n"
    )
    driver = _unbraid("batch", manifest, "-o", tmp_path / "out", "--workers", 1)
    _until(lambda: note.is_file() and bool(note.read_text().strip()))
    worker = int(note.read_text().split()[0])
    driver.kill()
    driver.wait()
    _until(lambda: not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text())
    assert rig.files(tmp_path / "out") == []


def _until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_lets_running_jobs_end_and_twice_kills_them(tmp_path: Path, trouble: Path, times: int) -> None:
    rig.sounds(tmp_path / "in", 6, samples=80_000)
    note, manifest = tmp_path / "pids", tmp_path / "m.jsonl"
    job = {
        "graph": "trouble.yaml",
        "settings": {"t.how": "slow", "t.note": str(note)},
        "options": {"block": 4096},
    }
    manifest.write_text(
        "".join(json.dumps({"input": f"in/{number:03}.wav", **job}) + "\n" for number in range(6))
    )
    driver = _unbraid("batch", manifest, "-o", tmp_path / "out", "--workers", 1)
    _until(lambda: note.is_file() and len(note.read_text().split()) > 3)
    driver.send_signal(signal.SIGINT)
    if times == 2:
        time.sleep(0.3)
        driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=60) == 130
    done = rig.files(tmp_path / "out")
    assert len(done) < 6 if times == 1 else done == []
    assert times == 2 or len(done) >= 1
    for name in done:
        assert sf.info(tmp_path / "out" / name).frames == 80_000
    with read_ledger(tmp_path / "out") as ledger:
        counts = ledger.counts()
    assert (counts["done"], counts["failed"]) == (len(done), 0)


# Disks


def _on_a_small_disk(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a namespace of its own, where it may mount."""
    flags = "-m" if os.geteuid() == 0 else "-rm"
    tried = subprocess.run(
        ["unshare", flags, "sh", "-c", "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip("a tmpfs cannot be mounted here: run as root, or allow user namespaces")
    return subprocess.run(
        ["unshare", flags, "sh", "-c", code, "sh", *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


CLI = "-c 'import sys; from unbraid.host.cli.app import main; main(sys.argv[1:])'"


def test_a_full_disk_fails_what_does_not_fit_and_leaves_no_partial_file(tmp_path: Path) -> None:
    paths = rig.sounds(tmp_path / "in", 3)
    sf.write(paths[1], rig.noise(1, 400_000), rig.RATE, subtype="PCM_24")
    graph, out = rig.graph(tmp_path), tmp_path / "out"
    out.mkdir()
    script = f"""
mount -t tmpfs -o size=1m tmpfs "$1" || exit 99
{sys.executable} {CLI} batch "$2" --pattern '*.wav' --graph "$3" -o "$1" --workers 1
echo "exit $?"
cd "$1" && find . -type f | grep -v /.unbraid-batch/l | sort
"""
    done = _on_a_small_disk(script, out, tmp_path / "in", graph)
    assert "no space left on the disk" in done.stderr, done
    assert done.stdout.splitlines()[-3:] == ["exit 1", "./000.quiet.wav", "./002.quiet.wav"]


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    rig.sounds(tmp_path / "in", 1)
    graph, out = rig.graph(tmp_path), tmp_path / "out"
    out.mkdir()
    script = f"""
mount -t tmpfs -o ro tmpfs "$1" || exit 99
{sys.executable} {CLI} batch "$2" --pattern '*.wav' --graph "$3" -o "$1" --workers 1
echo "exit $?"
"""
    done = _on_a_small_disk(script, out, tmp_path / "in", graph)
    assert done.stdout.splitlines()[-1] == "exit 1"
    assert "Read-only file system" in done.stderr
    assert str(out) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(LedgerError, match=r"out.*(Not a directory|File exists)"):
        run([], tmp_path / "out")


def test_a_damaged_ledger_is_told(tmp_path: Path) -> None:
    run(rig.jobs(rig.sounds(tmp_path / "in", 1), rig.graph(tmp_path)), tmp_path / "out")
    home = tmp_path / "out" / ".unbraid-batch"
    for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
        (home / name).unlink(missing_ok=True)
    (home / "ledger.sqlite").write_bytes(b"x" * 8192)
    with pytest.raises(LedgerError, match="is damaged"):
        run([], tmp_path / "out")


# Workers


def test_priorities_decide_who_goes_first(tmp_path: Path) -> None:
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 4), rig.graph(tmp_path))
    jobs = [msgspec.structs.replace(job, priority=number % 3) for number, job in enumerate(jobs)]
    order = [result.place[:3] for result in run(jobs, tmp_path / "out", workers=1)]
    assert order == ["002", "001", "000", "003"]


def test_a_worker_keeps_to_its_threads_in_every_library(tmp_path: Path) -> None:
    slot = Slot(Terms(threads=3))
    slot._start()  # the process, without a task
    try:
        assert slot._process is not None
        place = Path(f"/proc/{slot._process.pid}/environ")
        _until(lambda: bool(place.read_bytes()))  # it is empty for a moment
        given = place.read_bytes().split(b"\0")
    finally:
        slot.end()
    wanted = {b"UNBRAID_THREADS=3", b"OMP_NUM_THREADS=3", b"MKL_NUM_THREADS=3", b"NUMBA_NUM_THREADS=3"}
    assert wanted <= set(given)


def test_a_worker_is_one_process_for_all_its_jobs(tmp_path: Path, trouble: Path) -> None:
    note = tmp_path / "pids"
    jobs = rig.jobs(
        rig.sounds(tmp_path / "in", 6), trouble, settings={"t.where": "prepare", "t.note": str(note)}
    )
    run(jobs, tmp_path / "out", workers=2)
    assert len(note.read_text().split()) == 6
    assert len(set(note.read_text().split())) == 2


def test_an_attempt_tells_how_far_it_is(tmp_path: Path, trouble: Path) -> None:
    (path,) = rig.sounds(tmp_path / "in", 1, samples=200_000)
    job = rig.jobs([path], trouble, settings={"t.how": "slow"}, options={"max_block": 8192})[0]
    slot, heard = Slot(Terms()), list[tuple[int, int]]()
    task = Task(number=1, job=job, folder=str(tmp_path), staging=str(tmp_path / "s"))
    try:
        outcome = slot.run(task, lambda said: heard.append((said.done, said.total)))
    finally:
        slot.end()
    assert isinstance(outcome, Done)
    assert len(heard) >= 3
    assert heard == sorted(heard)
    assert {total for _, total in heard} == {200_000}
    assert outcome.memory > 1 << 20
    assert outcome.programme == pytest.approx(25)


def test_a_job_measures_its_outputs_against_a_target(tmp_path: Path) -> None:
    sine = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * np.arange(48000 * 4) / 48000)
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in" / "a.wav", np.stack([sine, sine], 1), 48000, subtype="PCM_24")
    graph = rig.graph(tmp_path, rig.TWO.replace("-6}", "0}"))
    (result,) = run(rig.jobs([tmp_path / "in" / "a.wav"], graph, target={"": "ebu-r128"}), tmp_path / "out")
    # EBU Tech 3341, signal 1: a stereo sine of 1 kHz at -23 dBFS is -23.0 LUFS
    assert set(result.verdicts) == {"quieter"}
    assert "-35.0 LUFS" in result.verdicts["quieter"]
    with read_ledger(tmp_path / "out") as ledger:
        heard = {output.name: output.heard for output in ledger.outputs(next(ledger.rows()).id)}
    assert heard["quiet"] is not None
    assert heard["quiet"].integrated == pytest.approx(-23, abs=0.1)
