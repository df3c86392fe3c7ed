"""What came of a batch: its status at a glance, and a report that holds all of it and reaches nowhere."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from unbraid.host.jobs.job import Job
from unbraid.host.jobs.ledger import LedgerError, open_ledger
from unbraid.host.jobs.status import as_text, at_work, status
from unbraid.host.jobs.task import Done, Failed, Lost, Output, Seen, Unchanged

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from unbraid.host.jobs.ledger import Ledger


def job(name: str, **more: Any) -> Job:
    return Job(place=f"{name}.{{output}}.{{ext}}", graph="dewind", inputs={"": f"/in/{name}.wav"}, **more)


def output(path: str, **more: Any) -> Output:
    return Output(
        name="clean", staged="clean.wav", path=path, sha256=more.pop("sha256", "ab" * 32), bytes=1000, **more
    )


def done(*outputs: Output, programme: float = 60.0, seconds: float = 2.0, **more: Any) -> Done:
    seen = (Seen("mix", "/in/take.wav", (1, 2, 3, 4, 5), "cd" * 32),)
    return Done(
        identity="i", recipe="r", machine="m", inputs=seen, outputs=outputs, programme=programme,
        seconds=seconds, cpu=1.0, memory=123_000_000, **more,
    )  # fmt: skip


def finish(ledger: Ledger, number: int, found: Done) -> None:
    ledger.begin(number)
    ledger.rendered(number, found, "worker 1")
    ledger.finished(number)


# Status


def test_the_status_counts_jobs_sound_and_failures(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.enter(job(f"take{k}") for k in range(6))
        finish(ledger, 1, done(output("a.wav"), programme=5400.0))
        finish(ledger, 2, done(output("b.wav"), programme=1800.0))
        ledger.begin(3)
        ledger.failed(3, Failed(kind="NodeError", message="node 'x' failed at sample 7: boom"), "worker 1")
        for _ in range(3):
            ledger.begin(4)
            ledger.lost(
                4,
                Lost(kind="crash", message="killed by SIGSEGV"),
                "quarantined",
                "worker 1",
                recipe="",
                inputs=(),
            )
        ledger.begin(5)
        ledger.commit()
        found = status(tmp_path)
    assert found.counts == {
        "waiting": 1,
        "running": 1,
        "rendered": 0,
        "done": 2,
        "failed": 1,
        "quarantined": 1,
    }
    assert (found.jobs, found.failed, found.run, found.at_work) == (6, 2, 1, True)
    assert (found.programme, found.seconds, found.fresh_programme, found.fresh) == (7200.0, 4.0, 7200.0, 4)
    assert [(one.place, one.state, one.attempts) for one in found.failures] == [
        ("take3.{output}.{ext}", "quarantined", 3),
        ("take2.{output}.{ext}", "failed", 1),
    ]
    assert found.failures[1].reason == "node 'x' failed at sample 7: boom"


def test_the_time_left_is_that_of_the_jobs_that_ended(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.enter(job(f"take{k}") for k in range(5))
        ledger.note(began=str(time.time() - 100))
        finish(ledger, 1, done(output("a.wav"), programme=3000.0))
        finish(ledger, 2, done(output("b.wav"), programme=1000.0))
        ledger.commit()
        found = status(tmp_path)
        assert found.left == pytest.approx(150, abs=1)  # two in 100 s, three to come
        assert found.speed == pytest.approx(40, abs=0.5)  # 4000 s of sound in 100 s
    found = status(tmp_path)
    assert (found.at_work, found.left) == (False, None)  # nobody works at it
    assert "broken off; run the batch again to go on" in as_text(found)


def test_what_was_done_before_is_not_this_runs(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.enter([job("old"), job("new"), job("gone")])
        finish(ledger, 1, done(output("a.wav"), programme=3600.0))
        finish(ledger, 3, done(output("c.wav"), programme=3600.0))
        ledger.commit()
        time.sleep(0.01)
        ledger.enter([job("old"), job("new")])
        ledger.unchanged(1, Unchanged(identity="i", recipe="r", inputs=()))
        finish(ledger, 2, done(output("b.wav"), programme=7200.0))
        ledger.commit()
    found = status(tmp_path)
    assert (found.run, found.jobs, found.counts["done"]) == (2, 2, 2)  # the third is not in this manifest
    assert (found.programme, found.fresh_programme, found.fresh) == (10_800.0, 7200.0, 1)
    assert "finished" in as_text(found)


def test_the_text_is_a_few_lines_that_names_cannot_break(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.enter(job(f"a\x1b[31m\n\u202eb{k}") for k in range(30))
        for k in range(30):
            ledger.failed(k + 1, Failed(kind="MediaError", message="no\nsound"), "w")
        ledger.commit()
    lines = as_text(status(tmp_path)).splitlines()
    assert len(lines) == 4 + 20
    assert lines[3] == "failed: 30, of which the first 20:"
    assert lines[4] == r"  a\x1b[31m\n\u202eb0.{output}.{ext}: failed: no\nsound"


def test_to_look_does_not_keep_a_batch_from_beginning(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.enter([job("a")])
        assert at_work(tmp_path)
        with pytest.raises(LedgerError, match="another batch is at work there"), open_ledger(tmp_path):
            pass
    assert not at_work(tmp_path)
    with open_ledger(tmp_path):  # the look let go
        assert at_work(tmp_path)


def test_a_folder_without_a_batch_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="holds no batch; give the folder"):
        status(tmp_path)


def test_a_look_loads_nothing_that_takes_long(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.enter([job("a")])
    text = (
        "import sys; from pathlib import Path; from unbraid.host.jobs.status import status, as_text; "
        "as_text(status(Path(sys.argv[1]))); print(*sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", text, tmp_path], capture_output=True, text=True, check=True
    ).stdout
    assert {"numpy", "torch", "numba", "scipy", "soundfile"}.isdisjoint(said.split())
