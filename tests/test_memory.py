"""Memory does not depend on the programme's length: half an hour here, a day with ``-m soak``."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

RATE = 48000
LIMIT = 32 << 20

RENDER = """
import json, os, sys
import unbraid
from unbraid.host import RenderOptions
from unbraid.host.media.open_input import InputForm

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

seen = []
def progress(done, total):
    if not seen or done - seen[-1][0] > (total // 500 or 100_000):
        seen.append((done, resident()))

registry = unbraid.Registry.discover()
graph = unbraid.Graph()
if sys.argv[3] == "gain":
    node = graph.node("quiet", "gain", graph.input("mix"), gain=-6.0)
else:
    import segment_rig
    registry.add(segment_rig, "segment_rig")
    node = graph.node("model", "identity", graph.input("mix"), segment=80_000, hop=60_000, batch=4)
    segment_rig.Identity.seen = type("Nothing", (), {"append": lambda self, batch: None})()
graph.output("out", node)
rate = 48000 if sys.argv[3] == "gain" else 8000
raw = InputForm(raw="s16le", rate=rate, channels="1") if sys.argv[1] == "-" else InputForm()
options = RenderOptions(source=raw)
report = unbraid.render(
    graph, sys.argv[1], sys.argv[2], options=options, progress=progress, registry=registry
)
after_start = next(size for done, size in seen if done > seen[-1][0] // 100)
peak = max(size for _, size in seen)
length = report.outputs[0].length
print(json.dumps({"growth": peak - after_start, "length": length, "seconds": report.seconds}))
"""


def sparse_file(path: Path, hours: float) -> int:
    """Write a 16-bit mono file of silence that takes no disk space, as RF64 (EBU Tech 3306) when it must."""
    samples = round(hours * 3600 * RATE)
    size = samples * 2
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16)
    if size < 1 << 31:
        head = struct.pack("<4sI4s", b"RIFF", 4 + len(form) + 8 + size, b"WAVE") + form
        head += struct.pack("<4sI", b"data", size)
    else:
        sizes = struct.pack("<4sIQQQI", b"ds64", 28, 4 + 36 + len(form) + 8 + size, size, samples, 0)
        head = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + sizes + form
        head += struct.pack("<4sI", b"data", 0xFFFFFFFF)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    return samples


def growth(folder: Path, hours: float) -> dict[str, float]:
    """Render a sparse file of that length in a process of its own; return what it says."""
    source = folder / "long.wav"
    samples = sparse_file(source, hours)
    command = [sys.executable, "-c", RENDER, str(source), str(folder / "out"), "gain"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    assert found["length"] == samples
    return found


def test_half_an_hour_needs_no_more_memory_than_its_beginning(tmp_path: Path) -> None:
    assert growth(tmp_path, 0.5)["growth"] <= LIMIT


def test_half_an_hour_through_a_pipe_needs_no_more_either(tmp_path: Path) -> None:
    samples = RATE * 1800
    command = [sys.executable, "-c", RENDER, "-", str(tmp_path / "out"), "gain"]
    silence = subprocess.Popen(["head", "-c", str(2 * samples), "/dev/zero"], stdout=subprocess.PIPE)
    done = subprocess.run(command, stdin=silence.stdout, capture_output=True, text=True, check=True)
    silence.communicate()
    found = json.loads(done.stdout)
    assert found["length"] == samples
    assert found["growth"] <= LIMIT


def through_segments(folder: Path, hours: float) -> dict[str, float]:
    """Render noise at 8 kHz through a `SegmentProcessor`, from a pipe; silence would not be handed over."""
    seconds = round(hours * 3600)
    noise = (
        "import os, numpy as np\n"
        f"second = np.random.default_rng(0).integers(-999, 999, 8000).astype('<i2').tobytes()\n"
        f"for _ in range({seconds}): os.write(1, second)\n"
    )
    source = subprocess.Popen([sys.executable, "-c", noise], stdout=subprocess.PIPE)
    command = [sys.executable, "-c", RENDER, "-", str(folder / "out"), "segments"]
    tests = Path(__file__).parent
    done = subprocess.run(command, stdin=source.stdout, capture_output=True, text=True, check=True, cwd=tests)
    source.communicate()
    found: dict[str, float] = json.loads(done.stdout)
    assert found["length"] == seconds * 8000
    return found


def test_an_hour_in_segments_needs_no_more_memory_than_its_beginning(tmp_path: Path) -> None:
    assert through_segments(tmp_path, 1)["growth"] <= LIMIT


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_ten_hours_in_segments_need_no_more_memory_than_their_beginning(tmp_path: Path) -> None:
    found = through_segments(tmp_path, 10)
    print(f"10 h: growth {found['growth'] / 2**20:.1f} MiB in {found['seconds']:.0f} s")  # noqa: T201
    assert found["growth"] <= LIMIT


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_day_needs_no_more_memory_than_its_beginning(tmp_path: Path) -> None:
    """24 hours, 8.3 GB in (sparse) and out; needs that much disk under the temporary folder."""
    found = growth(tmp_path, 24)
    print(f"24 h: growth {found['growth'] / 2**20:.1f} MiB in {found['seconds']:.0f} s")  # noqa: T201
    assert found["growth"] <= LIMIT
    (tmp_path / "out" / "long.out.wav").unlink()
