"""Batches among strangers: plugins, files and disks that do what nobody foresaw cost their own job only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import soundfile as sf

import jobs_rig as rig
from unbraid.host.contract.errors import MediaError
from unbraid.host.isolation.spawn import exit_of
from unbraid.host.jobs.batch import Batch, BatchError, JobResult
from unbraid.host.jobs.job import FILM
from unbraid.host.jobs.ledger import Ledger, LedgerError, read_ledger
from unbraid.host.jobs.local import LocalExecutor
from unbraid.host.jobs.placing import Placing
from unbraid.host.jobs.slot import Slot, Terms
from unbraid.host.jobs.task import Done, Task
from unbraid.host.models import Store, model_card

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from command_rig import Unbraid
    from unbraid.host.jobs.job import Job


def run(jobs: Sequence[Job], folder: Path, *, terms: Terms | None = None, **more: Any) -> list[JobResult]:
    return list(results(jobs, folder, terms=terms, **more))


def results(
    jobs: Sequence[Job], folder: Path, *, terms: Terms | None = None, **more: Any
) -> Iterator[JobResult]:
    return iter(Batch(lambda: jobs, folder, lambda: LocalExecutor(1, terms or Terms()), **more))


def states(results: Sequence[JobResult]) -> Counter[str]:
    return Counter(result.state for result in results)


def told(job: Job, code: str = "", finds: str = "{}", **more: Any) -> Job:
    return msgspec.structs.replace(job, settings={"t.code": code, "t.finds": finds}, **more)


@pytest.fixture
def deeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    rig.install_trouble(tmp_path / "site", monkeypatch, "deeds", "deeds_rig")
    return rig.jobs(rig.sounds(tmp_path / "in", 4), rig.graph(tmp_path, rig.DEED, "deed.yaml"))


@pytest.fixture
def gains(tmp_path: Path) -> list[Job]:
    return rig.jobs(rig.sounds(tmp_path / "in", 2), rig.graph(tmp_path))


# Plugins


def test_whatever_a_plugin_raises_or_finds_is_told_once(tmp_path: Path, deeds: list[Job]) -> None:
    odd = ["class Odd(BaseException): pass\nraise Odd('it')", "raise ValueError('half ' + chr(0xD800))"]
    odd += ["raise ValueError('long ' * (1 << 20))"]
    finds = ["{'half': chr(0xD800)}", "{'long': 'x' * (5 << 20)}"]
    jobs = [told(deeds[0], code, place=f"c{n}.{{ext}}") for n, code in enumerate(odd)]
    jobs += [told(deeds[0], finds=found, place=f"f{n}.{{ext}}") for n, found in enumerate(finds)]
    found = {result.label: result for result in run([*jobs, deeds[1]], tmp_path / "out")}
    assert states([*found.values()]) == {"failed": 5, "done": 1}
    assert found["c0"].reason == "Odd: it; the trace says where"
    assert "half \\ud800" in found["c1"].reason
    assert len(found["c2"].reason) < 10_000
    assert "cannot be written down" in found["f0"].reason
    assert "bytes of findings" in found["f1"].reason
    assert run([*jobs, deeds[1]], tmp_path / "out") == []


def test_what_a_plugin_says_does_not_steer_the_terminal(
    tmp_path: Path, deeds: list[Job], unbraid: Unbraid
) -> None:
    settings = {"t.code": "raise ValueError('\\x1b[2J gone')"}
    job = {"input": "in/000.wav", "graph": "deed.yaml", "settings": settings}
    (tmp_path / "one.jsonl").write_text(json.dumps(job) + "\n")
    done = unbraid("batch", str(tmp_path / "one.jsonl"), "-o", str(tmp_path / "out"), "--workers", 1)
    assert "ValueError: \\x1b[2J gone" in done.err
    assert "\x1b" not in done.err


def test_a_fork_that_comes_back_does_not_answer_for_others(tmp_path: Path, deeds: list[Job]) -> None:
    done = run([told(deeds[0], "import os; os.fork()"), *deeds[1:]], tmp_path / "out")
    assert [result.state for result in done if not result.place.startswith("000")] == ["done"] * 3
    for name, job in (("001.out.wav", deeds[1]), ("003.out.wav", deeds[3])):
        assert (sf.read(tmp_path / "out" / name)[0] == sf.read(job.inputs[""])[0]).all()


def test_a_worker_that_dies_after_its_answer_costs_nobody_anything(tmp_path: Path, deeds: list[Job]) -> None:
    code = "import os, threading; threading.Timer(0.5, os._exit, [7]).start()"
    slot = Slot(Terms())
    try:
        first = slot.run(_task(tmp_path, told(deeds[0], code)))
        process = slot._process
        assert process is not None
        while exit_of(process) is None:
            time.sleep(0.01)
        second = slot.run(_task(tmp_path, deeds[1]))
    finally:
        slot.end()
    assert isinstance(first, Done)
    assert isinstance(second, Done)


def _task(folder: Path, job: Job) -> Task:
    return Task(number=1, job=job, folder=str(folder), staging=str(folder / "staging"))


def test_what_earlier_jobs_left_in_memory_is_not_the_next_ones_fault(
    tmp_path: Path, deeds: list[Job]
) -> None:
    leak = told(deeds[0], "import builtins; builtins.kept = bytearray(400 << 20)")
    large = told(deeds[1], "import time; held = bytearray(300 << 20); time.sleep(0.3)")
    done = run([leak, large, deeds[2]], tmp_path / "out", terms=Terms(memory=600 << 20))
    assert states(done) == {"done": 3}


HOLDS = "import time; kept = bytearray({} << 20); time.sleep(60)"
STARTS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {code!r}], start_new_session=True)
with open({note!r}, "w") as file:
    file.write(str(child.pid))
child.wait()
"""


def test_what_a_job_starts_counts_for_its_memory_and_ends_with_it(tmp_path: Path, deeds: list[Job]) -> None:
    note = tmp_path / "child"
    code = STARTS.format(code=HOLDS.format(500), note=str(note))
    (lost, done) = run([told(deeds[0], code), deeds[1]], tmp_path / "out", terms=Terms(memory=450 << 20))
    assert (lost.state, done.state) == ("failed", "done")
    assert "held more than 450 MiB" in lost.reason
    assert not is_running(int(note.read_text()))


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_memory_that_a_fork_shares_counts_once(tmp_path: Path, deeds: list[Job]) -> None:
    fork = "if not (child := os.fork()):\n    time.sleep(1.5)\n    os._exit(0)\nos.waitpid(child, 0)"
    code = f"import os, time\nkept = bytearray(400 << 20)\n{fork}"
    done = run([told(deeds[0], code)], tmp_path / "out", terms=Terms(memory=750 << 20))
    assert states(done) == {"done": 1}


@pytest.mark.parametrize("kind", ["ModelMissingError", "ModelCorruptError"])
def test_a_job_whose_model_is_missing_or_damaged_is_tried_again_by_the_next_run(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if kind == "ModelCorruptError":
        card = model_card("umxhq")
        for file in card.files:
            place = Store().path(card, file)
            place.parent.mkdir(parents=True)
            place.write_bytes(b"not it")
    jobs = rig.jobs(rig.sounds(tmp_path / "in", 1), Path("karaoke"))
    jobs = [msgspec.structs.replace(job, settings={"voice.model": "umxhq"}) for job in jobs]
    for attempts in (1, 2):
        (result,) = run(jobs, tmp_path / "out")
        assert (result.state, result.kind, result.attempts) == ("failed", kind, attempts)
        assert "unbraid models fetch umxhq" in result.reason


def test_a_jobs_time_begins_when_its_worker_is_there(tmp_path: Path, deeds: list[Job]) -> None:
    job = msgspec.structs.replace(deeds[0], timeout=3.0)
    terms = Terms(environment=(("DEEDS_SLOW_TO_LOAD", "3.5"),))
    assert states(run([job], tmp_path / "out", terms=terms)) == {"done": 1}


def test_what_a_plugin_prints_without_end_does_not_fill_the_disk(tmp_path: Path, deeds: list[Job]) -> None:
    most, over = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.02):
            for file in Path("/proc/self/fd").iterdir():
                try:
                    if str(file.readlink()).endswith("(deleted)"):
                        most = max(most, file.stat().st_blocks * 512)
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = "import os, time\nfor _ in range(300): os.write(1, bytes(1 << 20)); time.sleep(0.003)"
    done = run([told(deeds[0], code)], tmp_path / "out")
    over.set()
    watcher.join()
    assert states(done) == {"done": 1}
    assert 1 << 20 < most < 150 << 20


def test_a_package_that_is_updated_while_a_worker_has_the_old_one_renders_again(
    tmp_path: Path, deeds: list[Job]
) -> None:
    metadata = tmp_path / "site" / "deeds-1.0.dist-info" / "METADATA"
    for result in results(deeds, tmp_path / "out"):
        if result.place.startswith("000"):
            metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    assert states(run(deeds, tmp_path / "out")) == {"done": 4}
    assert run(deeds, tmp_path / "out") == []


# Workers that cannot start are nobody's fault


def test_without_room_for_a_worker_no_job_is_blamed(
    tmp_path: Path, gains: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
        with pytest.raises(BatchError, match=r"no worker can be started: .*nowhere.*No such file"):
            run(gains, tmp_path / "out")
    with pytest.raises(BatchError, match=r"holds \d+ MiB before its first job, of 1 .*raise --memory"):
        run(gains, tmp_path / "out", terms=Terms(memory=1 << 20))
    assert states(run(gains, tmp_path / "out")) == {"done": 2}


# Files


def test_a_file_that_appeared_under_an_outputs_name_is_not_replaced_by_the_next_run(
    tmp_path: Path, deeds: list[Job]
) -> None:
    place = tmp_path / "out" / "000.out.wav"
    job = told(deeds[0], f"open({str(place)!r}, 'w').write('mine')")
    (first,) = run([job], tmp_path / "out")
    (second,) = run([job], tmp_path / "out")
    assert "appeared while it was rendered" in first.reason
    assert "exists already" in second.reason
    assert place.read_text() == "mine"
    place.unlink()
    assert states(run([deeds[0]], tmp_path / "out")) == {"done": 1}


def test_an_old_output_is_not_taken_for_the_new_that_got_no_name(
    tmp_path: Path, gains: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(gains[:1], tmp_path / "out")
    before = rig.hashes(tmp_path / "out")
    changed = [msgspec.structs.replace(gains[0], settings={"g.gain": -3})]

    def refuse(self: Placing, folder: Path) -> None:
        raise MediaError(f"{folder}: refused")

    with monkeypatch.context() as patch:
        patch.setattr(Placing, "_make", refuse)
        assert states(run(changed, tmp_path / "out")) == {"failed": 1}
    assert rig.hashes(tmp_path / "out") == before
    assert states(run(changed, tmp_path / "out")) == {"done": 1}  # as long as the old, but not the same
    assert rig.hashes(tmp_path / "out") != before


def test_other_names_for_outputs_are_given_by_the_next_run(tmp_path: Path, gains: list[Job]) -> None:
    run(gains[:1], tmp_path / "out")
    (result,) = run([msgspec.structs.replace(gains[0], outputs={"quiet": "DX"})], tmp_path / "out")
    assert result.state == "done"
    assert result.warnings == ("000.quiet.wav: is no longer made, and was left as it is",)
    assert rig.files(tmp_path / "out") == ["000.DX.wav", "000.quiet.wav"]


def test_names_that_were_refused_are_tried_again(tmp_path: Path, gains: list[Job]) -> None:
    graph = rig.graph(tmp_path, rig.TWO, "two.yaml")
    job = msgspec.structs.replace(gains[0], graph=str(graph), outputs={"quiet": "a", "quieter": "a"})
    assert states(run([job], tmp_path / "out")) == {"failed": 1}
    mended = msgspec.structs.replace(job, outputs={"quiet": "a", "quieter": "b"})
    assert states(run([mended], tmp_path / "out")) == {"done": 1}


def test_an_input_that_is_no_file_any_more_is_not_waited_for(tmp_path: Path, gains: list[Job]) -> None:
    path = Path(gains[0].inputs[""])
    path.unlink()
    os.mkfifo(path)
    found = run([msgspec.structs.replace(gains[0], timeout=20.0), gains[1]], tmp_path / "out")
    assert states(found) == {"failed": 1, "done": 1}
    assert [each.reason for each in found if each.state == "failed"] == [
        f"{path}: is no plain file; name one that can be read again"
    ]


def test_a_graph_that_is_no_file_any_more_is_not_waited_for(tmp_path: Path, gains: list[Job]) -> None:
    graph = rig.graph(tmp_path, rig.GAIN, "other.yaml")
    graph.unlink()
    os.mkfifo(graph)
    other = msgspec.structs.replace(gains[0], graph=str(graph), timeout=20.0)
    reader = threading.Timer(30, lambda: os.close(os.open(graph, os.O_RDWR | os.O_NONBLOCK)))
    reader.start()  # so that a driver that waits for it does not do so for ever
    found = {result.place[:3]: result for result in run([other, gains[1]], tmp_path / "out")}
    reader.cancel()
    assert (found["000"].state, found["001"].state) == ("failed", "done")
    assert found["000"].reason == f"{graph}: is no plain file; name one that can be read again"


def test_a_jobs_input_is_never_its_output_too(tmp_path: Path, gains: list[Job]) -> None:
    before = rig.hashes(tmp_path / "in")
    job = msgspec.structs.replace(gains[0], place="000.{ext}")
    (result,) = run([job], tmp_path / "in", overwrite=True)
    assert (result.state, "is read by the same job" in result.reason) == ("failed", True)
    assert rig.hashes(tmp_path / "in") == before


def test_a_sound_that_is_called_as_the_film_is_told(tmp_path: Path, gains: list[Job]) -> None:
    graph = rig.graph(tmp_path, rig.GAIN.replace("quiet", FILM), "film.yaml")
    film = msgspec.structs.replace(gains[0], graph=str(graph), film=gains[1].inputs[""])
    found = {result.place[:3]: result for result in run([film, gains[1]], tmp_path / "out")}
    assert (found["000"].state, found["001"].state) == ("failed", "done")
    assert "film.yaml: calls a sound film" in found["000"].reason


def test_a_name_that_speaks_of_what_is_gone_does_not_turn_in_circles(
    tmp_path: Path, gains: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Placing, folder: Path) -> None:
        raise MediaError(f"{folder}: refused")

    monkeypatch.setattr(Placing, "_make", refuse)
    job = msgspec.structs.replace(gains[0], place="made again/a.{output}.{ext}", timeout=20.0)
    seen: list[object] = []
    found = run([job], tmp_path / "out", told=lambda *_: seen.append(1), cancelled=lambda: len(seen) > 5)
    assert states(found) == {"failed": 1}


# The ledger


@pytest.mark.parametrize("what", ["out", "out/.unbraid-batch"])
def test_a_ledger_that_is_removed_meanwhile_ends_the_batch(
    tmp_path: Path, gains: list[Job], what: str
) -> None:
    with pytest.raises(LedgerError, match="was removed while the batch was at work"):
        run(gains, tmp_path / "out", told=lambda *_: shutil.rmtree(tmp_path / what, ignore_errors=True))
    assert states(run(gains, tmp_path / "out", overwrite=True)) == {"done": 2}


def test_an_outcome_is_written_down_whole_or_not_at_all(
    tmp_path: Path, gains: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(gains[:1], tmp_path / "out")
    changed = [msgspec.structs.replace(gains[0], settings={"g.gain": -3})]
    write = Ledger._write

    def end(self: Ledger, sql: str, values: Sequence[Any] = ()) -> int:
        if sql.startswith("INSERT INTO output"):  # a second Ctrl-C
            raise KeyboardInterrupt
        return write(self, sql, values)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_write", end)
        with pytest.raises(KeyboardInterrupt):
            run(changed, tmp_path / "out")
    with read_ledger(tmp_path / "out") as ledger:
        assert len(ledger.outputs(1)) == 1
    assert states(run(changed, tmp_path / "out")) == {"done": 1}


def test_a_disk_that_is_full_for_the_ledger_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    flags = "-m" if os.geteuid() == 0 else "-rm"
    tried = subprocess.run(
        ["unshare", flags, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip("a tmpfs cannot be mounted here: run as root, or allow user namespaces")
    rig.sounds(tmp_path / "in", 12, 4000)
    graph = rig.graph(tmp_path)
    (tmp_path / "out").mkdir()
    batch = f"""{sys.executable} -c 'from unbraid.host.cli.app import main; main()' batch \
"$2" --pattern '*.wav' --graph "$3" -o "$1" --workers 1"""
    script = f"""
for size in 220k 260k; do
mount -t tmpfs -o size=$size tmpfs "$1" || exit 99
{batch}
find "$1/.unbraid-batch/staging" -type f
mount -o remount,size=9m "$1"
{batch}
ls "$1" | wc -l
umount "$1"
done
"""
    done = subprocess.run(
        ["unshare", flags, "sh", "-c", script, "sh", tmp_path / "out", tmp_path / "in", graph],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stderr.count("no space left on the disk; free some, and run the batch again") == 2, done
    lines = done.stdout.splitlines()
    assert [line.partition(" done")[0] for line in lines] == ["12 of 12 jobs", "12", "12 of 12 jobs", "12"]
