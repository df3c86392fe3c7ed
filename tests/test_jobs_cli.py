"""`unbraid batch` as people and programs drive it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import jobs_rig as rig
import unbraid as package
from unbraid.host.jobs.hashes import xxh128_of

if TYPE_CHECKING:
    from command_rig import Done, Unbraid


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three sounds, a graph, and a manifest of them; one more has no sound to it."""
    rig.sounds(tmp_path / "in", 3)
    rig.graph(tmp_path)
    (tmp_path / "batch.yaml").write_text("unbraid-batch: 1\ngraph: graph.yaml\nfiles: in/*.wav\n")
    jobs = [{"input": f"in/{number:03}.wav", "graph": "graph.yaml"} for number in range(4)]
    (tmp_path / "four.jsonl").write_text("".join(json.dumps(job) + "\n" for job in jobs))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def events(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_manifest_becomes_files_beside_their_folders_names(folder: Path, unbraid: Unbraid) -> None:
    done = unbraid("batch", "batch.yaml", "-o", "out")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("3 of 3 jobs done (3 of them now")
    assert rig.files(folder / "out") == ["in/000.quiet.wav", "in/001.quiet.wav", "in/002.quiet.wav"]
    again = unbraid("batch", "batch.yaml", "-o", "out")
    assert again.out.startswith("3 of 3 jobs done (0 of them now")


def test_a_folder_and_a_pattern_are_a_manifest_too(folder: Path, unbraid: Unbraid) -> None:
    done = unbraid("batch", "in", "--pattern", "*1.wav", "--graph", "graph.yaml", "-o", "out")
    assert (done.code, rig.files(folder / "out")) == (0, ["001.quiet.wav"])


def test_outputs_do_not_go_where_the_next_run_would_take_them_for_inputs(
    folder: Path, unbraid: Unbraid
) -> None:
    done = unbraid("batch", "in", "--graph", "graph.yaml", "-o", "in/../in")
    assert (done.code, "choose another" in done.err) == (1, True)
    assert len(rig.files(folder / "in")) == 3


def test_a_failure_is_one_line_and_exit_code_1(folder: Path, unbraid: Unbraid) -> None:
    done = unbraid("batch", "four.jsonl", "-o", "out", "--workers", 1)
    assert done.code == 1
    assert "in/003: failed: " in done.err
    assert "003.wav: cannot be read: No such file or directory" in done.err
    assert "3 of 4 jobs done (3 of them now" in done.out
    assert "1 failed" in done.out
    assert "unbraid batch retry" in done.err


def test_more_workers_than_cpus_are_warned_of(
    folder: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert unbraid("batch", "batch.yaml", "-o", "out", "--workers", 2).err == ""
    done = unbraid("batch", "batch.yaml", "-o", "out", "--workers", 3)
    assert done.err.startswith("warning: 3 workers on 2 CPUs")


def test_programs_hear_of_every_job_as_json(folder: Path, unbraid: Unbraid) -> None:
    done = unbraid("batch", "four.jsonl", "-o", "out", "--json")
    heard = events(done)
    ended = {each["place"]: each for each in heard if each["event"] == "ended"}
    began = {each["place"] for each in heard if each["event"] == "began"}
    assert began == set(ended)
    assert [each["state"] for _, each in sorted(ended.items())] == ["done", "done", "done", "failed"]
    first = ended["in/000.{output}.{ext}"]
    assert first["outputs"] == {"quiet": str(folder / "out" / "in" / "000.quiet.wav")}
    assert first["hashes"] == {"quiet": xxh128_of(folder / "out" / "in" / "000.quiet.wav")}
    summary = heard[-1]
    assert (summary["event"], summary["jobs"], summary["done"], summary["failed"]) == ("summary", 4, 3, 1)
    assert done.code == 1


def test_wrong_requests_are_exit_code_2_and_make_nothing(folder: Path, unbraid: Unbraid) -> None:
    (folder / "bad.yaml").write_text("unbraid-batch: 1\njobs:\n  - {input: ../x.wav, graph: graph.yaml}\n")
    done = unbraid("batch", "bad.yaml", "-o", "out")
    assert done.code == 2
    assert "bad.yaml:3" in done.err
    assert unbraid("batch", "nowhere.yaml", "-o", "out").code == 2
    assert unbraid("batch", "batch.yaml").code == 2
    assert unbraid("batch", "batch.yaml", "-o", "out", "--workers", 0).code == 2
    assert not (folder / "out").exists()


def test_status_and_retry_speak_of_what_failed(folder: Path, unbraid: Unbraid) -> None:
    unbraid("batch", "four.jsonl", "-o", "out")
    status = unbraid("batch", "status", "out")
    assert status.code == 0
    assert "3 done" in status.out
    assert "1 failed" in status.out
    assert unbraid("batch", "status", "out", "--json").data["counts"]["failed"] == 1
    done = unbraid("batch", "retry", "out", "in/003")
    assert (done.code, done.out) == (0, "1 jobs wait for another attempt; run the batch again\n")
    assert unbraid("batch", "status", "out", "--json").data["counts"]["waiting"] == 1
    assert unbraid("batch", "retry", "out", "in/000").code == 1
    assert unbraid("batch", "status", "in").code == 1


def test_a_report_is_a_page_and_data(folder: Path, unbraid: Unbraid) -> None:
    unbraid("batch", "four.jsonl", "-o", "out")
    done = unbraid("batch", "report", "out")
    assert (done.code, done.out) == (0, "out/report.html\n")
    page = (folder / "out" / "report.html").read_text()
    assert page.index("in/003") < page.index("in/000")  # failures first
    assert "data:image/png;base64," in page
    data = unbraid("batch", "report", "out", "--json", "-").data
    assert sorted(job["state"] for job in data["jobs"]) == ["done", "done", "done", "failed"]


def test_the_same_from_python(folder: Path) -> None:
    results = list(package.batch("four.jsonl", "out", workers=1))
    assert [result.state for result in results] == ["done", "done", "done", "failed"]
    assert results[0].outputs == {"quiet": folder / "out" / "in" / "000.quiet.wav"}
    with pytest.raises(package.UnbraidError, match="workers is 0"):
        package.batch("four.jsonl", "out", workers=0)
