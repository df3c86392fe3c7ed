"""What came of a batch: its status at a glance, and a report that holds all of it and reaches nowhere."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.image
import msgspec
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from unbraid.host.cli.batch import command
from unbraid.host.contract.errors import MediaError
from unbraid.host.jobs.hashes import xxh128_of
from unbraid.host.jobs.job import Job
from unbraid.host.jobs.ledger import FOLDER, LedgerError, open_ledger
from unbraid.host.jobs.report import thumbnails
from unbraid.host.jobs.report.status import as_text, at_work, status
from unbraid.host.jobs.report.thumbnails import thumbnail
from unbraid.host.jobs.report.writing import Wish, report, stream_json
from unbraid.host.jobs.task import Done, Failed, Lost, Output, Seen, Unchanged
from unbraid.host.media.bytes_in import FileBytes

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    from unbraid.host.contract.processor import Array
    from unbraid.host.jobs.ledger import Ledger


def sine(level: float, frequency: float, seconds: float = 8.0) -> Array:
    """A sine of this peak level in dBFS in two channels, ``[samples, 2]``."""
    wave = 10 ** (level / 20) * np.sin(2 * np.pi * frequency / 48_000 * np.arange(round(48_000 * seconds)))
    return np.repeat(wave[:, None].astype(np.float32), 2, axis=1)


def wav(path: Path, x: Array, subtype: str = "PCM_24") -> Path:
    soundfile.write(path, x, 48_000, subtype)
    return path


def job(name: str, **more: Any) -> Job:
    return Job(place=f"{name}.{{output}}.{{ext}}", graph="dewind", inputs={"": f"/in/{name}.wav"}, **more)


def output(path: str, **more: Any) -> Output:
    return Output(
        name="clean", staged="clean.wav", path=path, xxh128=more.pop("xxh128", "ab" * 32), bytes=1000, **more
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
    assert found.last is not None
    assert found.began is not None
    assert found.elapsed == found.last - found.began  # the clock stands still
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
    assert lines[2] == "sound: 0.0 s rendered"
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
        "import sys; from pathlib import Path; from unbraid.host.jobs.report.status import status, as_text; "
        "as_text(status(Path(sys.argv[1]))); print(*sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", text, tmp_path], capture_output=True, text=True, check=True
    ).stdout
    assert {"numpy", "torch", "numba", "scipy", "soundfile"}.isdisjoint(said.split())


# Pictures


def pixels(data: bytes) -> npt.NDArray[np.uint8]:
    """The colours of a PNG, ``[rows, columns, 3]``, the top row first, as another decoder sees it."""
    return (matplotlib.image.imread(io.BytesIO(data))[..., :3] * 255).round().astype(np.uint8)


def lightness(data: bytes) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = pixels(data).sum(axis=2, dtype=np.float64)
    return found


def row_of(frequency: float) -> int:
    """The row of a frequency, from the top: 48 equal steps of its logarithm from 40 Hz to 20 kHz."""
    return 47 - int(48 * math.log(frequency / 40) / math.log(20_000 / 40))


def test_a_picture_is_160_by_48_in_the_colours_of_magma(tmp_path: Path) -> None:
    data = thumbnail(wav(tmp_path / "a.wav", sine(-20, 1000)), output("a.wav"))
    colours = pixels(data)
    assert colours.shape == (48, 160, 3)
    magma = (matplotlib.colormaps["magma"](np.linspace(0, 1, 48))[:, :3] * 255).round()
    off = np.abs(colours.reshape(-1, 1, 3).astype(float) - magma).max(axis=2).min(axis=1)
    assert off.max() <= 6


@pytest.mark.parametrize("frequency", [100.0, 1000.0, 8000.0])
def test_a_tone_is_brightest_in_its_row(tmp_path: Path, frequency: float) -> None:
    found = lightness(thumbnail(wav(tmp_path / "a.wav", sine(-30, frequency)), output("a.wav")))
    assert np.abs(found.argmax(axis=0) - row_of(frequency)).max() <= 1


def test_time_goes_to_the_right(tmp_path: Path) -> None:
    for seconds in (4, 20):  # read in one piece, and by seeking
        half = sine(-20, 1000, seconds=seconds / 2)
        found = lightness(
            thumbnail(wav(tmp_path / f"{seconds}.wav", np.concatenate([0 * half, half])), output("a"))
        )
        assert found[:, :79].max() == found.min()
        assert found[row_of(1000), 81:].min() > 300


def test_silence_is_dark_and_what_is_no_number_is_silence(tmp_path: Path) -> None:
    dark = lightness(thumbnail(wav(tmp_path / "a.wav", np.zeros((48_000, 2), np.float32)), output("a.wav")))
    assert dark.min() == dark.max() == 4  # magma's first colour is (0, 0, 4)
    wrong = sine(-20, 1000)
    wrong[5] = np.nan, np.inf
    found = lightness(thumbnail(wav(tmp_path / "b.wav", wrong, "FLOAT"), output("b.wav")))
    assert found[row_of(1000), -10:].min() > 300


def test_other_formats_give_the_same_picture(tmp_path: Path) -> None:
    x = (sine(-20, 1000, 4) + sine(-30, 200, 4)).astype(np.float32)
    whole = thumbnail(wav(tmp_path / "a.wav", x), output("a.wav"))
    soundfile.write(tmp_path / "a.flac", x, 48_000, "PCM_24")
    assert thumbnail(tmp_path / "a.flac", output("a.flac")) == whole
    (tmp_path / "a.f32le").write_bytes(x.astype("<f4").tobytes())
    told = output("a.f32le", rate=48_000, layout="stereo")
    assert np.abs(lightness(thumbnail(tmp_path / "a.f32le", told)) - lightness(whole)).mean() < 10
    wav(tmp_path / "short.wav", x[:50])
    assert pixels(thumbnail(tmp_path / "short.wav", output("short.wav"))).shape == (48, 160, 3)


def test_a_film_of_hours_is_read_in_a_few_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = 3 * 3600 * 48_000  # 3 h of silence that take no room on the disk
    path = wav(tmp_path / "long.wav", np.zeros((1, 2), np.float32), "PCM_16")
    head = bytearray(path.read_bytes()[:44])
    head[4:8], head[40:44] = (4 * frames + 36).to_bytes(4, "little"), (4 * frames).to_bytes(4, "little")
    path.write_bytes(head)
    os.truncate(path, 44 + 4 * frames)
    taken = list[int]()
    plain = FileBytes.readinto

    def counted(self: FileBytes, buffer: memoryview) -> int:
        taken.append(plain(self, buffer))
        return taken[-1]

    monkeypatch.setattr(FileBytes, "readinto", counted)
    thumbnail(path, output("long.wav"))
    assert 160 * 2048 * 4 <= sum(taken) < 2 * 160 * 2048 * 4


@pytest.mark.parametrize("name", ["no.wav", "text.wav", "text.flac", "compressed.wav"])
def test_what_is_no_sound_has_no_picture(tmp_path: Path, name: str) -> None:
    wav(tmp_path / "compressed.wav", sine(-20, 1000, 1), "ALAW")
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "text.flac").write_text("hello")
    with pytest.raises(MediaError, match=name):
        thumbnail(tmp_path / name, output(name))


# The report


def made(folder: Path, path: str, x: Any, **more: Any) -> Output:
    """An output whose file is there."""
    file = wav(folder / path, x)
    about = {"form": "WAV", "rate": 48_000, "layout": "stereo", "length": len(x), "subtype": "PCM_24"}
    return msgspec.structs.replace(
        output(path, xxh128=xxh128_of(file), **about, **more), bytes=file.stat().st_size
    )


EVIL = '</bdi><script>alert("1")</script><img src=http://evil.test/x onerror=alert(1)>\u202egpj.\x1b[31m'


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch with one of everything: EBU Tech 3341's tone, a louder one, silence, and each way to fail."""
    tmp_path = tmp_path_factory.mktemp("batch")
    with open_ledger(tmp_path) as ledger:
        target = {"target": {"": "ebu-r128"}}
        names = ["right", "loud", "mute", "raises", "crashes", "hangs", EVIL, "warned", "later", "gone"]
        ledger.enter(
            job(name, title="The <Film>", **(target if name in {"right", "loud"} else {})) for name in names
        )
        finish(ledger, 1, done(made(tmp_path, "right.wav", sine(-23, 1000))))
        finish(ledger, 2, done(made(tmp_path, "loud.wav", sine(-17, 1000))))
        finish(ledger, 3, done(made(tmp_path, "mute.wav", 0 * sine(0, 1000))))
        ledger.begin(4)
        ledger.failed(
            4, Failed(kind="ValueError", message=EVIL, trace=f"Traceback\n  {EVIL}\n</pre>"), "worker 1"
        )
        for _ in range(3):
            ledger.begin(5)
            ledger.lost(
                5, Lost(kind="crash", message="killed by SIGSEGV"), "quarantined", "w 1", recipe="", inputs=()
            )
        ledger.begin(6)
        ledger.lost(6, Lost(kind="hang", message="took 60 s"), "failed", "w 1", recipe="", inputs=())
        finish(
            ledger,
            7,
            done(made(tmp_path, "evil.wav", sine(-30, 200)), warnings=(EVIL,), findings={"n": {"x": 1}}),
        )
        finish(
            ledger, 8, done(made(tmp_path, "warned.wav", sine(-30, 200)), warnings=("12 samples clipped",))
        )
        finish(ledger, 10, done(made(tmp_path, "gone.wav", sine(-30, 200))))
        ledger.commit()
    (tmp_path / "gone.wav").unlink()
    return tmp_path


@pytest.fixture
def batch(example: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(example, tmp_path / "batch"))


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes, and the text of each row."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags, self.attributes = list[str](), list[tuple[str, str, str]]()
        self.rows, self.texts = list[str](), dict[str, str]()
        self._tag, self._deep = "", False
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._tag = tag
        if tag == "tr":
            self.rows.append("")

    def handle_data(self, data: str) -> None:
        self.texts[self._tag] = self.texts.get(self._tag, "") + data
        if self.rows and self._tag != "script":
            self.rows[-1] += data + " "


def test_failures_come_first_then_what_is_amiss_then_the_rest(batch: Path) -> None:
    report(batch, html=batch / "r.html")
    rows = Page(batch / "r.html").rows[1:]  # the first is the heading
    order = [text.split(".{output}")[0].strip() for text in rows]
    assert order[:3] == ["raises", "crashes", "hangs"]
    assert set(order[3:7]) == {"loud", "warned", "gone", order[4]}
    assert order[7:] == ["right", "mute", "later"]
    assert len(order) == 10


def test_a_row_tells_everything_of_its_job(batch: Path) -> None:
    report(batch, html=batch / "r.html")
    rows = {text.split(".{output}")[0].strip(): text for text in Page(batch / "r.html").rows}
    found = xxh128_of(batch / "right.wav")
    right = rows["right"]
    for told in (
        "The <Film>",
        "done",
        "clean",
        "right.wav",
        "stereo · 48000 Hz · PCM_24 · 0:08.0",
        found[:12],
    ):
        assert told in right
    for told in ("1:00.0", "2.0 s", "30 x", "123.0 MB", "mix: /in/take.wav (cdcdcdcdcdcd)", "graph dewind"):
        assert told in right
    assert found not in right  # shortened
    # EBU Tech 3341, case 1: this tone is at -23 LUFS; its peak is that of the sine
    assert "-23.0 LUFS, 0.0 LU range, -23.0 dBTP" in right
    assert "ebu-r128" not in right
    assert "-17.0 LUFS, 6.0 LU above ebu-r128's -23 +-0.5; lower it by 6.0 dB" in rows["loud"]
    assert "silent" in rows["mute"]
    assert "its file is gone" in rows["gone"]
    assert "crash: killed by SIGSEGV" in rows["crashes"].replace("  ", " ")
    assert "3 attempts" in rows["crashes"]
    assert "12 samples clipped" in rows["warned"]


def test_strangers_texts_are_text(batch: Path) -> None:
    report(batch, html=batch / "r.html")
    page = Page(batch / "r.html")
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert "alert" not in page.texts["script"]
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert {value.split(",")[0] for _, name, value in page.attributes if name == "src"} == {
        "data:image/png;base64"
    }
    assert not {"href", "action", "data", "style"} & {name for _, name, _ in page.attributes}
    shown = EVIL.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")
    assert page.source.count(html.escape(shown)) >= 4  # name, title of nothing, reason, trace, warning
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069]", page.source)


def test_a_browser_may_run_the_pages_own_script_and_nothing_else(batch: Path) -> None:
    report(batch, html=batch / "r.html")
    page = Page(batch / "r.html")
    (policy,) = [value for _, _, value in page.attributes if value.startswith("default-src")]
    assert "default-src 'none'; img-src data:" in policy
    for tag in ("script", "style"):
        body = re.search(f"<{tag}>(.*?)</{tag}>", page.source, re.DOTALL)
        assert body is not None
        digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_many_jobs_go_on_pages_that_lead_to_one_another(batch: Path) -> None:
    made = report(batch, html=batch / "a b.html", wish=Wish(rows=4, pictures=2))
    assert [path.name for path in made.pages] == ["a b.html", "a b-2.html", "a b-3.html"]
    pages = [Page(path) for path in made.pages]
    assert [len(page.rows) - 1 for page in pages] == [4, 4, 2]
    places = [row.split(".{output}")[0].strip() for page in pages for row in page.rows[1:]]
    assert len(set(places)) == 10
    links = [
        {value for tag, name, value in page.attributes if (tag, name) == ("a", "href")} for page in pages
    ]
    assert links[0] == {"a%20b-2.html", "a%20b-3.html"}
    assert links[2] == {"a%20b.html", "a%20b-2.html"}
    assert sum(page.tags.count("img") for page in pages) == made.pictured == 2
    assert "Only the first 2 outputs have pictures" in pages[0].source


def test_loudness_is_measured_in_so_many_files_and_remembered(batch: Path) -> None:
    first = report(batch, html=batch / "r.html", wish=Wish(measure=1))
    assert (first.measured, first.left) == (1, 4)  # of five, two of which hold the same
    assert "The loudness of 4 outputs is not measured yet; --measure all" in (batch / "r.html").read_text()
    again = report(batch, html=batch / "r.html", wish=Wish(measure=None))
    assert (again.measured, again.left) == (3, 0)
    last = report(batch, html=batch / "r.html", wish=Wish(measure=0))
    assert (last.measured, last.left) == (0, 0)
    assert "-17.0 LUFS, 6.0 LU above" in (batch / "r.html").read_text()


def test_pictures_are_remembered(batch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(batch, html=batch / "r.html")
    before = Page(batch / "r.html")

    def never(path: Path, output: Output) -> bytes:
        raise AssertionError(path)

    monkeypatch.setattr(thumbnails, "thumbnail", never)
    report(batch, html=batch / "r.html")
    after = Page(batch / "r.html")
    assert after.tags.count("img") == 5
    assert after.rows == before.rows


def test_a_target_is_heard_before_what_has_none(batch: Path) -> None:
    report(batch, html=batch / "r.html", wish=Wish(measure=2))
    text = (batch / "r.html").read_text()
    assert "-23.0 LUFS" in text
    assert "-17.0 LUFS" in text


def test_a_memory_that_is_damaged_only_costs_time(batch: Path) -> None:
    (batch / FOLDER / "report.sqlite").write_bytes(b"no database" * 1000)
    assert report(batch, html=batch / "r.html").measured == 4


def test_a_file_that_changed_is_not_measured_and_said(batch: Path) -> None:
    wav(batch / "right.wav", sine(-6, 1000, seconds=1))
    report(batch, html=batch / "r.html")
    assert "its file has changed since" in (batch / "r.html").read_text()


def test_the_data_are_all_of_it(batch: Path) -> None:
    report(batch, json=batch / "r.json")
    data = json.loads((batch / "r.json").read_text())
    assert data["unbraid_batch_report"] == 1
    assert data["status"]["counts"]["failed"] == 2
    jobs = {each["place"].split(".{output}")[0]: each for each in data["jobs"]}
    assert len(jobs) == len(data["jobs"]) == 10
    assert [each["state"] for each in data["jobs"]][:3] == ["failed", "quarantined", "failed"]
    assert jobs[EVIL]["warnings"] == [EVIL]  # data are not for the eye
    assert jobs["raises"]["trace"].startswith("Traceback\n")
    (out,) = jobs["loud"]["outputs"]
    assert out["heard"]["integrated"] == pytest.approx(-17, abs=0.1)
    assert out["verdict"].startswith("-17.0 LUFS, 6.0 LU above")
    assert out["xxh128"] == xxh128_of(batch / "loud.wav")
    assert jobs["mute"]["outputs"][0]["heard"] == {"integrated": None, "range": 0.0, "true_peak": None}
    assert jobs["right"]["speed"] == 30.0
    assert [each["outcome"] for each in jobs["crashes"]["attempts"]] == ["crash"] * 3
    assert jobs[EVIL]["findings"] == {"n": {"x": 1}}
    assert jobs["later"]["programme"] is None
    out_of = io.StringIO()
    stream_json(batch, out_of)
    assert json.loads(out_of.getvalue())["jobs"] == data["jobs"]


def test_a_report_replaces_an_earlier_one_and_no_other_file(batch: Path) -> None:
    report(batch, html=batch / "r.html", json=batch / "r.json")
    report(batch, html=batch / "r.html", json=batch / "r.json")
    (batch / "mine.html").write_text("<!doctype html>\nmine")
    with pytest.raises(MediaError, match=r"mine\.html: exists already"):
        report(batch, html=batch / "mine.html", json=batch / "new.json")
    assert (batch / "mine.html").read_text() == "<!doctype html>\nmine"
    assert not (batch / "new.json").exists()  # all or nothing
    assert not list(batch.glob(".unbraid-*.*"))
    report(batch, html=batch / "mine.html", wish=Wish(overwrite=True))


def test_a_report_can_be_made_while_a_batch_is_at_work(batch: Path) -> None:
    with open_ledger(batch) as ledger:
        ledger.begin(9)
        ledger.commit()
        report(batch, html=batch / "r.html")
    assert "<b>a batch is at work</b>" in (batch / "r.html").read_text()


def test_a_batch_without_jobs_has_a_report(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.enter([])
    assert report(tmp_path, html=tmp_path / "r.html", json=tmp_path / "r.json").pages == [tmp_path / "r.html"]
    assert json.loads((tmp_path / "r.json").read_text())["jobs"] == []


# Commands


def test_the_commands_say_it_in_text_and_as_data(batch: Path) -> None:
    run = CliRunner().invoke
    done = run(command, ["report", str(batch), "--measure", "1"], standalone_mode=False)
    assert str(batch / "report.html") in done.output
    assert "The loudness of 4 outputs is not measured yet" in (batch / "report.html").read_text()
    done = run(command, ["report", str(batch), "--json", "-", "--measure", "all"], standalone_mode=False)
    assert json.loads(done.output)["status"]["not_measured"] == 0
    assert run(command, ["report", str(batch), "--measure", "some"]).exit_code == 2
    done = run(command, ["status", str(batch), "--json"], standalone_mode=False)
    data = json.loads(done.output)
    assert (len(data["failures"]), data["counts"]["done"], data["at_work"]) == (3, 6, False)
    done = run(command, ["status", str(batch)], standalone_mode=False)
    assert "failed: 3:" in done.output
