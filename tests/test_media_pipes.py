"""Pipes: the same samples as files, as they come, and every ending as programs expect it."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from unbraid import Graph, MediaError, render
from unbraid.host import RenderOptions
from unbraid.host.contract.errors import ReaderGoneError
from unbraid.host.media.open_input import InputForm

if TYPE_CHECKING:
    from collections.abc import Callable

    from unbraid.host.registry import Registry

Samples = npt.NDArray[Any]
RATE = 48_000
UNBRAID = [sys.executable, "-c", "from unbraid.host.cli import main; main()"]
LIMIT = 60

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs ffmpeg: apt-get install ffmpeg"
)
needs_sox = pytest.mark.skipif(shutil.which("sox") is None, reason="needs sox: apt-get install sox")


def noise(samples: int = 60_000, channels: int = 2) -> npt.NDArray[np.int32]:
    """24-bit noise in the upper bits of int32."""
    return np.random.default_rng(5).integers(-(2**22), 2**22, (samples, channels)).astype(np.int32) << 8


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with graphs and a 24-bit file, as the current one."""
    monkeypatch.chdir(tmp_path)
    unity = Graph()
    unity.output("out", unity.node("level", "gain", unity.input("mix")))
    Path("unity.yaml").write_text(unity.to_yaml())
    ears = Graph()
    parts = ears.node("ears", "split", ears.input("mix"), layout="stereo")
    ears.output("left", parts["L"])
    ears.output("right", parts["R"])
    Path("ears.yaml").write_text(ears.to_yaml())
    soundfile.write("in.wav", noise(), RATE, subtype="PCM_24")
    return tmp_path


def run(*arguments: str, stdin: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*UNBRAID, *arguments], input=stdin, capture_output=True, check=False, timeout=LIMIT, **more
    )


def start(*arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*UNBRAID, *arguments], **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **more})


def decoded(sound: bytes, place: Path) -> Samples:
    """The samples of WAV bytes, in the upper bits of int32, by libsndfile."""
    path = place / "decoded.wav"
    path.write_bytes(sound)
    values: Samples = soundfile.read(path, dtype="int32", always_2d=True)[0]
    return values


def lines(text: bytes) -> list[str]:
    return text.decode().splitlines()


# The same samples


@needs_ffmpeg
def test_between_two_ffmpegs_not_a_bit_changes(here: Path) -> None:
    before = ["ffmpeg", "-v", "error", "-i", "in.wav", "-c:a", "pcm_s24le", "-f", "wav", "-"]
    after = ["ffmpeg", "-v", "error", "-i", "-", "-f", "s32le", "-"]
    first = subprocess.Popen(before, stdout=subprocess.PIPE)
    middle = start("render", "unity.yaml", "-", "-o", "-", stdin=first.stdout)
    last = subprocess.run(after, stdin=middle.stdout, capture_output=True, check=True, timeout=LIMIT)
    assert (first.wait(), middle.wait()) == (0, 0)
    np.testing.assert_array_equal(np.frombuffer(last.stdout, "<i4").reshape(-1, 2), noise())
    for pipe in (first.stdout, middle.stdout, middle.stderr, middle.stdin):
        if pipe is not None:
            pipe.close()


@needs_sox
def test_between_two_soxes_not_a_bit_changes(here: Path) -> None:
    first = subprocess.run(["sox", "in.wav", "-t", "wav", "-"], capture_output=True, check=True)
    middle = run("render", "unity.yaml", "-", "-o", "-", stdin=first.stdout)
    assert middle.returncode == 0
    last = subprocess.run(
        ["sox", "-t", "wav", "-", "-t", "raw", "-e", "signed", "-b", "32", "-"],
        input=middle.stdout,
        capture_output=True,
        check=True,
    )
    np.testing.assert_array_equal(np.frombuffer(last.stdout, "<i4").reshape(-1, 2), noise())


@pytest.mark.parametrize("encoding", ["s16le", "s24le", "s32le", "f32le"])
def test_raw_samples_pass_bit_for_bit(here: Path, encoding: str) -> None:
    values = noise() >> 16 << 16  # what 16 bits hold, all hold
    given = {
        "s16le": (values >> 16).astype("<i2").tobytes(),
        "s24le": values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes(),
        "s32le": values.astype("<i4").tobytes(),
        "f32le": (values / 2.0**31).astype("<f4").tobytes(),
    }[encoding]
    raw = ["--raw", encoding, "--rate", str(RATE), "--channels", "2", "--format", encoding]
    done = run("render", "unity.yaml", "-", "-o", "-", *raw, stdin=given)
    assert done.returncode == 0, done.stderr
    assert done.stdout == given


def test_raw_channels_may_be_a_layout(here: Path) -> None:
    eight = np.arange(8 * 500, dtype="<i2").reshape(-1, 8)
    raw = ["--raw", "s16le", "--rate", "48000", "--channels", "7.1", "--json"]
    done = run("render", "unity.yaml", "-", "-o", "o", *raw, stdin=eight.tobytes())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"][0]["layout"] == "7.1"
    # Ours is film order, sides before rears; a WAV has the rears first, and says so.
    result = soundfile.read("o/stdin.out.wav", dtype="int16")[0]
    np.testing.assert_array_equal(result, eight[:, [0, 1, 2, 3, 6, 7, 4, 5]])


def test_a_wav_of_known_length_says_so_on_the_pipe(here: Path) -> None:
    done = run("render", "unity.yaml", "in.wav", "-o", "-")
    assert done.returncode == 0
    assert int.from_bytes(done.stdout[4:8], "little") == len(done.stdout) - 8
    np.testing.assert_array_equal(decoded(done.stdout, here), noise())


def test_a_wav_of_unknown_length_says_that_it_does_not_know(here: Path) -> None:
    raw = ["--raw", "s16le", "--rate", "48000", "--channels", "1"]
    done = run("render", "unity.yaml", "-", "-o", "-", *raw, stdin=bytes(2000))
    assert done.stdout[4:8] == b"\xff" * 4
    assert done.stdout[done.stdout.index(b"data") + 4 :] == b"\xff" * 4 + bytes(2000)


def test_standard_output_that_is_a_file_gets_its_sizes_in_the_end(here: Path) -> None:
    raw = ["--raw", "s24le", "--rate", "48000", "--channels", "1"]
    values = noise(12_345, 1)
    given = values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()  # odd: it is padded
    with Path("out.wav").open("wb") as out:
        done = subprocess.run(
            [*UNBRAID, "render", "unity.yaml", "-", "-o", "-", *raw],
            input=given,
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
            timeout=LIMIT,
        )
    assert done.returncode == 0
    assert soundfile.info("out.wav").frames == 12_345
    assert int.from_bytes(Path("out.wav").read_bytes()[4:8], "little") == Path("out.wav").stat().st_size - 8
    np.testing.assert_array_equal(soundfile.read("out.wav", dtype="int32", always_2d=True)[0], values)


@pytest.mark.parametrize("form", ["FLAC", "OGG", "AIFF"])
def test_what_can_only_be_read_from_a_file_comes_through_a_pipe_too(
    here: Path, form: str, registry: Registry
) -> None:
    soundfile.write("in.snd", noise(), RATE, format=form, subtype=None if form == "OGG" else "PCM_24")
    done = run("render", "unity.yaml", "-", "-o", "-", stdin=Path("in.snd").read_bytes())
    assert done.returncode == 0, done.stderr
    graph = Graph.load("unity.yaml")
    report = render(graph, "in.snd", "o", registry=registry)
    expected = soundfile.read(report.outputs[0].path, dtype="int32", always_2d=True)[0]
    np.testing.assert_array_equal(decoded(done.stdout, here), expected)
    left = [path.name for path in Path(os.environ.get("TMPDIR", "/tmp")).glob("unbraid-*.spool")]  # noqa: S108
    assert left == []


# Several outputs


@needs_ffmpeg
def test_two_fifos_feed_one_ffmpeg_that_opens_them_one_after_the_other(here: Path) -> None:
    for name in ("l.fifo", "r.fifo"):
        os.mkfifo(name)
    ours = start("render", "ears.yaml", "in.wav", "--to", "left=l.fifo", "--to", "right=r.fifo")
    merge = ["-filter_complex", "[0:a][1:a]amerge=inputs=2", "-c:a", "pcm_s24le", "-f", "wav", "both.wav"]
    read = ["ffmpeg", "-v", "error", "-i", "l.fifo", "-i", "r.fifo", *merge]
    subprocess.run(read, check=True, timeout=LIMIT)
    out, err = ours.communicate(timeout=LIMIT)
    assert ours.returncode == 0, err
    assert "l.fifo" in out.decode()
    np.testing.assert_array_equal(soundfile.read("both.wav", dtype="int32")[0], noise())


def test_fifos_read_in_the_other_order_work_too(here: Path) -> None:
    for name in ("l.fifo", "r.fifo"):
        os.mkfifo(name)
    ours = start("render", "ears.yaml", "in.wav", "--to", "left=l.fifo", "--to", "right=r.fifo")
    right, left = Path("r.fifo").read_bytes(), Path("l.fifo").read_bytes()
    ours.communicate(timeout=LIMIT)
    assert ours.returncode == 0
    np.testing.assert_array_equal(decoded(right, here)[:, 0], noise()[:, 1])
    np.testing.assert_array_equal(decoded(left, here)[:, 0], noise()[:, 0])


def test_several_outputs_share_standard_output_side_by_side(here: Path) -> None:
    done = run("render", "ears.yaml", "in.wav", "-o", "-")
    assert done.returncode == 0
    assert "left+right" in done.stderr.decode() or "discrete:2" in done.stderr.decode()
    np.testing.assert_array_equal(decoded(done.stdout, here), noise())


def test_outputs_of_different_latency_meet_in_one_stream(registry: Registry, tmp_path: Path) -> None:
    graph = Graph()
    mix = graph.input("mix")
    graph.output("dry", mix)
    graph.output("late", graph.node("late", "late", mix, latency=3777))
    soundfile.write(tmp_path / "in.wav", noise(), RATE, subtype="PCM_24")
    os.mkfifo(tmp_path / "o")
    reader = threading.Thread(target=lambda: (tmp_path / "o.wav").write_bytes((tmp_path / "o").read_bytes()))
    reader.start()
    descriptor = os.open(tmp_path / "o", os.O_WRONLY)
    saved = os.dup(1)
    os.dup2(descriptor, 1)
    try:
        render(graph, tmp_path / "in.wav", "-", registry=registry)
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(descriptor)
        reader.join(LIMIT)
    both = soundfile.read(tmp_path / "o.wav", dtype="int32")[0]
    np.testing.assert_array_equal(both, np.hstack([noise(), noise()]))


def test_a_file_and_a_fifo_and_a_folder_can_be_had_at_once(here: Path) -> None:
    os.mkfifo("l.fifo")
    ours = start("render", "ears.yaml", "in.wav", "--to", "left=l.fifo", "-o", "rest")
    left = Path("l.fifo").read_bytes()
    _, err = ours.communicate(timeout=LIMIT)
    assert ours.returncode == 0, err
    np.testing.assert_array_equal(decoded(left, here)[:, 0], noise()[:, 0])
    assert [path.name for path in Path("rest").iterdir()] == ["in.right.wav"]


def test_a_fifo_can_be_an_input(here: Path) -> None:
    os.mkfifo("in.fifo")
    ours = start("render", "unity.yaml", "in.fifo", "-o", "o")
    Path("in.fifo").write_bytes(Path("in.wav").read_bytes())
    _, err = ours.communicate(timeout=LIMIT)
    assert ours.returncode == 0, err
    np.testing.assert_array_equal(soundfile.read("o/in.out.wav", dtype="int32")[0], noise())


# As it comes


def _header(samples_follow: int = 0xFFFFFFFF) -> bytes:
    """The start of a mono 16-bit WAV on a pipe, as ffmpeg writes it."""
    fmt = b"fmt " + (16).to_bytes(4, "little") + bytes.fromhex("01000100 80bb0000 00770100 02001000")
    return b"RIFF\xff\xff\xff\xffWAVE" + fmt + b"data" + samples_follow.to_bytes(4, "little")


def _read_within(pipe: Any, size: int, seconds: float = 20) -> bytes:
    got = b""
    until = time.monotonic() + seconds
    while len(got) < size and time.monotonic() < until:
        if select.select([pipe], [], [], 0.2)[0]:
            piece = os.read(pipe.fileno(), size - len(got))
            if not piece:
                break
            got += piece
    return got


def test_the_first_output_is_there_before_the_last_input(here: Path) -> None:
    ours = start("render", "unity.yaml", "-", "-o", "-", "--block", "256", "--format", "s16le")
    assert ours.stdin is not None
    assert ours.stdout is not None
    first = np.arange(256, dtype="<i2").tobytes()
    ours.stdin.write(_header() + first)
    ours.stdin.flush()
    assert _read_within(ours.stdout, len(first)) == first  # and the input is still open
    ours.stdin.write(first)
    out, _ = ours.communicate(timeout=LIMIT)
    assert (ours.returncode, out) == (0, first)


def test_the_program_before_is_not_cut_off_behind_the_sound(here: Path) -> None:
    """cat would die of SIGPIPE if what follows the sound (1 MiB here) were not taken."""
    data = Path("in.wav").read_bytes() + b"JUNK" + (1 << 20).to_bytes(4, "little") + bytes(1 << 20)
    Path("long.wav").write_bytes(data)
    ours = f'"{sys.executable}" -c "{UNBRAID[2]}" render unity.yaml - -o o'
    line = f"cat long.wav | {ours}; echo ${{PIPESTATUS[*]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=LIMIT)
    assert done.stdout.splitlines()[-1] == "0 0"
    np.testing.assert_array_equal(soundfile.read("o/stdin.out.wav", dtype="int32")[0], noise())


def test_a_partial_last_sample_of_a_raw_file_is_told(here: Path, registry: Registry) -> None:
    Path("in.raw").write_bytes(bytes(6 * 100 + 5))
    options = RenderOptions(source=InputForm(raw="s24le", rate=RATE, channels="2"))
    report = render(Graph.load("unity.yaml"), "in.raw", "o", options=options, registry=registry)
    assert report.outputs[0].length == 100
    assert any("its 5 bytes are left out" in line for line in report.warnings)


def test_what_is_late_is_drained_at_the_end(here: Path, registry: Registry, tmp_path: Path) -> None:
    graph = Graph()
    graph.output("out", graph.node("late", "late", graph.input("mix"), latency=3777))
    os.mkfifo("in.fifo")
    data = Path("in.wav").read_bytes()
    writer = threading.Thread(target=lambda: Path("in.fifo").write_bytes(data))
    writer.start()
    report = render(graph, "in.fifo", "o", registry=registry)
    writer.join(LIMIT)
    assert report.outputs[0].length == 60_000
    np.testing.assert_array_equal(soundfile.read("o/in.out.wav", dtype="int32")[0], noise())


# Endings


def _wait_for_partial(folder: Path) -> None:
    """Wait until a render has opened its outputs."""
    until = time.monotonic() + 30
    while not list(folder.glob("o/.unbraid-*.partial")):
        assert time.monotonic() < until, "nothing is being written"
        time.sleep(0.02)


def test_an_interrupt_while_a_pipe_is_being_delivered_is_no_success(here: Path) -> None:
    """The render is done, but nobody has taken the output; no file may claim otherwise."""
    os.mkfifo("o.fifo")
    ours = start("render", "ears.yaml", "in.wav", "--to", "left=o.fifo", "-o", "o", stdin=subprocess.DEVNULL)
    _wait_for_partial(here)
    ours.send_signal(signal.SIGINT)
    ours.communicate(timeout=20)
    assert ours.returncode == 130
    assert not Path("o").exists()


def test_a_pipe_whose_header_says_too_little_is_an_error(here: Path) -> None:
    data = Path("in.wav").read_bytes()
    at = data.index(b"data") + 4
    short = data[:at] + (6 * 100).to_bytes(4, "little") + data[at + 4 :]
    done = run("render", "unity.yaml", "-", "-o", "o", stdin=short)
    assert done.returncode == 1
    assert "declares 100 samples, but 59900 more follow" in done.stderr.decode()
    assert not Path("o").exists()


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/fd/1"])
def test_standard_output_by_its_other_names_holds_sound_alone(here: Path, place: str) -> None:
    done = run("render", "unity.yaml", "in.wav", "--to", f"out={place}")
    assert done.returncode == 0, done.stderr
    assert int.from_bytes(done.stdout[4:8], "little") == len(done.stdout) - 8
    np.testing.assert_array_equal(decoded(done.stdout, here), noise())


def test_one_fifo_for_two_outputs_is_refused(here: Path) -> None:
    os.mkfifo("o.fifo")
    done = run("render", "ears.yaml", "in.wav", "--to", "left=o.fifo", "--to", "right=o.fifo")
    assert done.returncode == 2
    assert "is the place of left and of right" in done.stderr.decode()


@pytest.mark.parametrize("raw", [True, False])
def test_a_program_that_gave_no_sample_is_an_error(here: Path, raw: bool) -> None:
    more = ["--raw", "s16le", "--rate", "48000", "--channels", "1"] if raw else []
    done = run("render", "unity.yaml", "-", "-o", "o", *more, stdin=b"" if raw else _header())
    assert done.returncode == 1
    assert "gave no samples" in done.stderr.decode()
    assert not Path("o").exists()


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("- -o o <&-", 1, "is closed"),
        ("in.wav -o o 2>&-", 0, ""),
        ("in.wav -o o --seed 99999999999999999999999", 2, "--seed"),
        ("in.wav -o o --output-rate 5000000000", 2, "--output-rate"),
        ("in.wav -o o --json > /dev/full", 1, "No space left on device"),
    ],
)
def test_closed_full_and_absurd_is_one_line(here: Path, line: str, code: int, says: str) -> None:
    command = f'"{sys.executable}" -c "{UNBRAID[2]}" render unity.yaml {line}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=LIMIT)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert says in done.stderr
    assert len(done.stderr.splitlines()) <= 1


def test_errors_in_json_stay_out_of_the_sound(here: Path) -> None:
    done = run("render", "unity.yaml", "missing.wav", "-o", "-", "--json")
    assert (done.returncode, done.stdout) == (1, b"")
    assert "No such file" in json.loads(done.stderr)["error"]["message"]


def test_a_reader_that_goes_away_ends_it_quietly_with_141(here: Path) -> None:
    soundfile.write("long.wav", noise(2_000_000), RATE, subtype="PCM_24")
    ours = start("render", "unity.yaml", "long.wav", "-o", "-", stdin=subprocess.DEVNULL)
    assert ours.stdout is not None
    ours.stdout.read(1000)
    ours.stdout.close()
    assert ours.wait(LIMIT) == 141
    assert ours.stderr is not None
    assert ours.stderr.read() == b""
    ours.stderr.close()


def test_a_reader_that_goes_away_is_a_typed_error_in_python(tmp_path: Path, registry: Registry) -> None:
    graph = Graph()
    graph.output("out", graph.input("mix"))
    soundfile.write(tmp_path / "in.wav", noise(2_000_000), RATE, subtype="PCM_24")
    os.mkfifo(tmp_path / "o")

    def glance() -> None:
        with (tmp_path / "o").open("rb") as file:
            file.read(100)

    reader = threading.Thread(target=glance)
    reader.start()
    with pytest.raises(ReaderGoneError, match="has gone away"):
        render(graph, tmp_path / "in.wav", to={"out": tmp_path / "o"}, registry=registry)
    reader.join(LIMIT)


def test_an_interrupt_ends_an_endless_input_and_completes_the_files(here: Path) -> None:
    ours = start(
        "render", "ears.yaml", "-", "-o", "o", "--raw", "s16le", "--rate", "48000", "--channels", "2"
    )
    assert ours.stdin is not None
    given = (noise() >> 16).astype("<i2")
    ours.stdin.write(given.tobytes())
    ours.stdin.flush()
    until = time.monotonic() + 20
    while not any(path.stat().st_size > 50_000 for path in here.glob("o/.unbraid-*.partial")):
        assert time.monotonic() < until, "nothing is being written"
        time.sleep(0.05)
    ours.send_signal(signal.SIGINT)
    assert ours.wait(LIMIT) == 130
    assert sorted(path.name for path in Path("o").iterdir()) == ["stdin.left.wav", "stdin.right.wav"]
    left = soundfile.read("o/stdin.left.wav", dtype="int16")[0]
    assert 20_000 < len(left) <= 60_000
    np.testing.assert_array_equal(left, given[: len(left), 0])
    assert "interrupted" in ours.communicate()[1].decode()


def test_an_interrupt_while_nobody_reads_the_fifo_ends_it_at_once(here: Path) -> None:
    soundfile.write("long.wav", noise(4_000_000), RATE, subtype="PCM_24")
    os.mkfifo("o.fifo")
    ours = start("render", "ears.yaml", "long.wav", "--to", "left=o.fifo", "-o", "o")
    _wait_for_partial(here)
    ours.send_signal(signal.SIGINT)
    assert ours.wait(20) == 130
    ours.communicate()


def test_a_partial_last_sample_is_told(here: Path) -> None:
    raw = ["--raw", "s24le", "--rate", "48000", "--channels", "2", "--format", "s24le"]
    done = run("render", "unity.yaml", "-", "-o", "-", *raw, stdin=bytes(6 * 100 + 4))
    assert (done.returncode, len(done.stdout)) == (0, 600)
    assert any("in the middle of a sample; its 4 bytes are left out" in line for line in lines(done.stderr))


def test_a_pipe_that_breaks_off_before_its_declared_end_is_an_error(here: Path) -> None:
    cut = Path("in.wav").read_bytes()[: -6 * 1000]
    done = run("render", "unity.yaml", "-", "-o", "o", stdin=cut)
    assert done.returncode == 1
    assert "declares 60000 samples but ends after 59000: 1000 are missing" in done.stderr.decode()
    assert not Path("o").exists()


def test_salvage_takes_what_a_broken_pipe_gave_and_records_it(here: Path) -> None:
    cut = Path("in.wav").read_bytes()[: -6 * 1000]
    done = run("render", "unity.yaml", "-", "-o", "o", "--salvage", stdin=cut)
    assert done.returncode == 0
    assert "59000 samples where 60000 were declared" in done.stderr.decode()
    with soundfile.SoundFile("o/stdin.out.wav") as file:
        assert "59000 samples where 60000 were declared" in file.comment
        np.testing.assert_array_equal(file.read(dtype="int32"), noise()[:59_000])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "o"], "gave no bytes"),
        (["-o", "-", "--format", "flac"], "FLAC is not written into a pipe"),
        (["-o", "-", "--on-clip", "float"], "a pipe cannot turn from PCM_24 to FLOAT"),
        (["-o", "o", "--raw", "f32le"], "give --rate and --channels"),
        (["-o", "o", "--rate", "48000"], "--raw"),
        (["-o", "o", "--raw", "s16le", "--rate", "48000", "--channels", "5.2"], "unknown layout '5.2'"),
        (["-o", "o", "--raw", "s16le", "--rate", "48000", "--channels", "0"], "discrete:0"),
        (["--to", "aut=x.wav"], "no output 'aut'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(here: Path, arguments: list[str], says: str) -> None:
    source = "-" if arguments[:2] == ["-o", "o"] or "--to" in arguments else "in.wav"
    stdin = b"" if "--raw" not in arguments and source == "-" and "--to" not in arguments else bytes(400)
    if "--to" in arguments:
        source = "in.wav"
    done = run("render", "unity.yaml", source, *arguments, stdin=stdin)
    assert done.returncode == (1 if says == "gave no bytes" else 2)
    assert len(lines(done.stderr)) == 1, done.stderr
    assert says in done.stderr.decode()
    assert done.stdout == b""
    assert sorted(path.name for path in here.iterdir()) == ["ears.yaml", "in.wav", "unity.yaml"]


def test_sound_is_neither_written_to_nor_read_from_a_terminal(here: Path) -> None:
    ours, theirs = pty.openpty()
    for arguments, more in (
        (["in.wav", "-o", "-"], {"stdout": theirs}),
        (["-", "-o", "o"], {"stdin": theirs}),
    ):
        process = start("render", "unity.yaml", *arguments, **more)
        _, err = process.communicate(timeout=LIMIT)
        assert process.returncode == 1
        assert "is a terminal" in err.decode()
    os.close(ours)
    os.close(theirs)


def test_inputs_that_end_apart_are_refused(here: Path, registry: Registry) -> None:
    graph = Graph()
    graph.output("out", graph.node("difference", "subtract", graph.input("a"), graph.input("b")))
    soundfile.write("short.wav", noise(59_000), RATE, subtype="PCM_24")
    os.mkfifo("b.fifo")
    data = Path("short.wav").read_bytes()
    head = data.index(b"data") + 4
    data = data[:head] + b"\xff" * 4 + data[head + 4 :]  # a pipe does not say how long it will be
    writer = threading.Thread(target=lambda: Path("b.fifo").write_bytes(data))
    writer.start()
    with pytest.raises(MediaError, match=r"b\.fifo: ends after 59000 samples, before in\.wav"):
        render(graph, {"a": "in.wav", "b": "b.fifo"}, "o", registry=registry)
    writer.join(LIMIT)
    assert not Path("o").exists()


@pytest.mark.parametrize("block", [1, 7, 256, 8193])
def test_a_stream_does_not_depend_on_the_block(here: Path, registry: Registry, block: int) -> None:
    graph = Graph()
    graph.output("out", graph.node("mask", "mask", graph.input("mix"), gain=0.5))
    soundfile.write("brief.wav", noise(3_000), RATE, subtype="PCM_24")
    os.mkfifo("brief.fifo")
    data = Path("brief.wav").read_bytes()
    writer = threading.Thread(target=lambda: Path("brief.fifo").write_bytes(data))
    writer.start()
    options = RenderOptions(max_block=block, subtype="FLOAT")
    render(graph, "brief.fifo", "pipe", options=options, registry=registry)
    writer.join(LIMIT)
    render(graph, "brief.wav", "file", options=RenderOptions(subtype="FLOAT"), registry=registry)
    read: Callable[[str], Samples] = lambda name: soundfile.read(name, dtype="float32")[0]  # noqa: E731
    np.testing.assert_array_equal(read("pipe/brief.out.wav"), read("file/brief.out.wav"))
