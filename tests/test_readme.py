"""What the README shows works as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

README = Path(__file__).parent.parent / "README.md"
MAIN = "import sys; from unbraid.host.cli import main; main(sys.argv[1:])"


def fences(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def unbraid(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [str(cwd), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", MAIN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the README's graph and a recording of 15 s to run it over."""
    (tmp_path / "dialogue.yaml").write_text(fences("yaml")[0], encoding="utf-8")
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (15 * 48000, 2))
    soundfile.write(tmp_path / "interview.wav", noise, 48000, "PCM_24")
    return tmp_path


def test_the_first_graph_checks_draws_and_renders(folder: Path) -> None:
    commands = fences("sh")[2].strip().splitlines()
    assert len(commands) == 3
    for command in commands:
        done = unbraid(*command.split()[1:], cwd=folder)
        assert done.returncode == 0, done.stderr
    for name in ("dialogue", "ambience"):
        info = soundfile.info(folder / "out" / f"interview.{name}.wav")
        assert (info.frames, info.samplerate, info.subtype) == (15 * 48000, 48000, "PCM_24")


def test_the_errors_it_quotes_are_the_errors_one_gets(folder: Path) -> None:
    quoted = next(block for block in fences("text") if "out of bounds" in block).strip().splitlines()
    graph = folder / "dialogue.yaml"
    text = graph.read_text().replace("limit: 24", "limit: 240")
    graph.write_text(text.replace("use: highpass", "use: higpass"))
    done = unbraid("graph", "check", "dialogue.yaml", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == quoted


needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs ffmpeg: apt-get install ffmpeg"
)


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as a person would, with the command on the path and no microphone."""
    line = re.sub(r"arecord [^|]*", "ffmpeg -v error -i interview.wav -f s24le - ", line)
    (folder / "unbraid").write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{MAIN}" "$@"\n')
    (folder / "unbraid").chmod(0o755)
    environment = {**os.environ, "PATH": os.pathsep.join([str(folder), os.environ["PATH"]])}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=100,
    )


def ffmpeg(*arguments: str, cwd: Path) -> bytes:
    command = ["ffmpeg", "-v", "error", *arguments]
    return subprocess.run(command, check=True, cwd=cwd, capture_output=True).stdout


@needs_ffmpeg
def test_the_pipes_it_shows_run(folder: Path) -> None:
    ffmpeg("-i", "interview.wav", "-c:a", "flac", "talk.mkv", cwd=folder)
    ffmpeg("-i", "interview.wav", "-c:a", "copy", "talk.wav", cwd=folder)
    between, live, fifos = next(block for block in fences("sh") if "arecord" in block).strip().splitlines()
    done = shell(between, folder)
    assert done.returncode == 0, done.stderr
    assert len(ffmpeg("-i", "talk.opus", "-f", "s16le", "-", cwd=folder)) == 15 * 48000 * 4
    assert soundfile.info(folder / "wind.wav").frames == 15 * 48000
    done = shell(live, folder)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(folder / "out" / "stdin.clean.wav").frames == 15 * 48000
    os.mkfifo(folder / "one.fifo")
    os.mkfifo(folder / "two.fifo")
    done = shell(f"{fifos} & cat one.fifo > one.wav & cat two.fifo > two.wav; wait", folder)
    for name in ("one.wav", "two.wav"):
        assert soundfile.info(folder / name).frames == 15 * 48000, done.stderr


@needs_ffmpeg
def test_the_film_it_shows_keeps_its_picture(folder: Path) -> None:
    sound = ["-i", "interview.wav", "-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:a", "pcm_s24le"]
    picture = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=15"]
    ffmpeg(*picture, *sound, "-c:v", "mpeg4", "film.mov", cwd=folder)
    lines = next(block for block in fences("sh") if "remux" in block).strip().splitlines()
    for line in lines:
        done = shell(line, folder)
        assert done.returncode == 0, done.stderr

    def picture_of(name: str) -> bytes:
        return ffmpeg("-i", name, "-map", "0:v", "-c", "copy", "-f", "streamhash", "-", cwd=folder)

    def second_track(name: str) -> bytes:
        return ffmpeg("-i", name, "-map", "0:a:1", "-f", "s32le", "-", cwd=folder)

    assert picture_of("film.new.mov") == picture_of("film.mov")
    clean = soundfile.read(folder / "stems" / "film.clean.wav", dtype="int32")[0]
    assert second_track("film.new.mov") == clean.astype("<i4").tobytes()


def test_the_loudness_it_shows_is_reached_by_a_programme_and_by_stems(folder: Path) -> None:
    normalize, measure = next(b for b in fences("sh") if "unbraid loudness" in b).strip().splitlines()
    assert shell(normalize, folder).returncode == 0
    assert re.search(r"interview.normalized.wav +-16.0 ", shell(measure, folder).stdout)
    (folder / "stems.yaml").write_text(next(b for b in fences("yaml") if "normalize" in b))
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, (15 * 48000, 2))
    soundfile.write(folder / "music.wav", noise, 48000, "PCM_24")
    stems = ["--input", "dialogue=interview.wav", "--input", "music=music.wav"]
    done = unbraid("render", "stems.yaml", *stems, "-o", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = unbraid("loudness", "out/interview.dialogue.wav", cwd=folder).stdout
    assert re.search(r"interview.dialogue.wav +-27.0 ", found)


def test_the_scene_it_shows_in_python_is_a_file_that_flies(folder: Path) -> None:
    code = next(block for block in fences("python") if "write_adm" in block)
    here = Path.cwd()
    os.chdir(folder)
    try:
        exec(code, {})  # noqa: S102 - the README's own
    finally:
        os.chdir(here)
    assert unbraid("adm", "check", "garden.wav", cwd=folder).returncode == 0
    assert "Bee" in unbraid("adm", "show", "garden.wav", cwd=folder).stdout


def test_the_batches_it_shows_run(folder: Path) -> None:
    reels, films = (next(b for b in fences("yaml") if f"# {name}.yaml" in b) for name in ("reels", "films"))
    (folder / "reels.yaml").write_text(reels)
    (folder / "films.yaml").write_text(films)
    (folder / "reels").mkdir()
    shutil.copy(folder / "interview.wav", folder / "reels" / "one.wav")
    for line in next(b for b in fences("sh") if "unbraid batch reels" in b).strip().splitlines():
        done = shell(line.partition("#")[0], folder)
        assert done.returncode == 0, done.stderr
    assert {path.name for path in (folder / "out" / "reels").iterdir()} >= {"one.dialogue.wav"}
    assert "one" in (folder / "out" / "report.html").read_text()
    for seed, code in enumerate(("DX", "MX", "FX")):
        x = np.random.default_rng(seed).uniform(-0.1, 0.1, (48000, 2))
        soundfile.write(folder / f"Harbour_{code}.wav", x, 48000, "PCM_24")
    done = unbraid("batch", "films.yaml", "-o", "out2", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "out2" / "Harbour" / "Harbour_adm.wav").is_file()
    code = next(block for block in fences("python") if "unbraid.batch" in block)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr  # all of it is done already


def test_the_measuring_it_shows_runs_over_folders_and_arrays(folder: Path) -> None:
    for name in ("stems/talk", "mixes", "out"):
        (folder / name).mkdir(parents=True)
    x = np.random.default_rng(2).uniform(-0.3, 0.3, (2, 48000)).astype(np.float32)
    soundfile.write(folder / "stems" / "talk" / "clean.wav", x.T, 48000, "FLOAT")
    soundfile.write(folder / "out" / "talk.clean.wav", 0.9 * x.T, 48000, "FLOAT")
    soundfile.write(folder / "mixes" / "talk.wav", 2 * x.T, 48000, "FLOAT")
    (line,) = next(b for b in fences("sh") if "unbraid eval" in b).strip().splitlines()
    done = shell(line.replace("--pictures pictures", "--measure sdr,si-sdr"), folder)
    assert done.returncode == 0, done.stderr
    assert "20.00" in done.stdout  # a tenth of the amplitude is missing: -20 dB
    assert "talk,clean," in (folder / "scores.csv").read_text()
    code = next(block for block in fences("python") if "find_pairs" in block)
    names: dict[str, object] = {"reference": x, "estimate": np.float32(0.9) * x}
    here = Path.cwd()
    os.chdir(folder)
    try:
        exec(code, names)  # noqa: S102 - the README's own
    finally:
        os.chdir(here)
    assert names["scores"]["sdr"].value == pytest.approx(20, abs=0.01)  # type: ignore[index]
    assert len(names["rows"]) == 1  # type: ignore[arg-type]


def installed(name: str, code: str, folder: Path) -> None:
    """Put a module with a card into a folder, as an installed distribution."""
    (folder / f"{name}.py").write_text(code)
    package = folder / f"{name}-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[unbraid.plugins]\n{name} = {name}\n")


def test_the_first_plugin_is_short_found_and_sums_to_its_input(folder: Path) -> None:
    plugin = next(block for block in fences("python") if "class Gate" in block)
    assert len(plugin.strip().splitlines()) < 30
    entry = re.search(r'"unbraid.plugins"\]\n(.*?)\n', fences("toml")[0])
    assert entry is not None
    assert entry[1] == 'gate = "gate"'
    installed("gate", plugin, folder)
    graph = "unbraid: 1\nnodes: {g: {use: gate, from: mix, params: {floor: -38}}}\n"
    (folder / "g.yaml").write_text(graph + "outputs: {kept: g.kept, dropped: g.dropped}\n")
    done = unbraid("render", "g.yaml", "interview.wav", "-o", "out", "--subtype", "FLOAT", cwd=folder)
    assert done.returncode == 0, done.stderr
    whole = soundfile.read(folder / "interview.wav", dtype="float32")[0]
    parts = [
        soundfile.read(folder / "out" / f"interview.{n}.wav", dtype="float32")[0] for n in ("kept", "dropped")
    ]
    assert np.abs(parts[0]).max() > 0.01
    assert np.abs(parts[1]).max() > 0.01
    np.testing.assert_allclose(parts[0] + parts[1], whole, atol=1e-7)


def test_the_model_it_shows_runs_at_its_own_rate_and_sums_to_its_input(folder: Path) -> None:
    model = next(block for block in fences("python") if "class Voice" in block)
    installed("voice", model, folder)
    graph = "unbraid: 1\nnodes: {v: {use: voice, from: mix}}\noutputs: {voice: v.voice, rest: v.rest}\n"
    (folder / "v.yaml").write_text(graph)
    done = unbraid("render", "v.yaml", "interview.wav", "-o", "out", "--subtype", "FLOAT", cwd=folder)
    assert done.returncode == 0, done.stderr
    whole = soundfile.read(folder / "interview.wav", dtype="float32")[0]
    parts = [
        soundfile.read(folder / "out" / f"interview.{n}.wav", dtype="float32")[0] for n in ("voice", "rest")
    ]
    assert np.abs(parts[0]).max() > 0.01
    np.testing.assert_allclose(parts[0] + parts[1], whole, atol=1e-7)


def test_what_a_plugin_prints_does_not_get_into_the_sound(folder: Path) -> None:
    loud = next(block for block in fences("python") if "class Gate" in block)
    loud = loud.replace(
        "    def masks(",
        "    def start(self, spec):\n        import os\n\n"
        "        print('from Python')\n        os.write(1, b'from below')\n\n    def masks(",
    )
    installed("gate", "print('as it loads')\n" + loud, folder)
    (folder / "g.yaml").write_text(
        "unbraid: 1\nnodes: {g: {use: gate, from: mix}}\noutputs: {kept: g.kept}\n"
    )
    done = shell("./unbraid render g.yaml interview.wav -o - > kept.wav", folder)
    assert done.returncode == 0, done.stderr
    for line in ("as it loads", "from Python", "from below"):
        assert line in done.stderr
    unbraid("render", "g.yaml", "interview.wav", "-o", "out", cwd=folder)
    sound = soundfile.read(folder / "kept.wav", dtype="int32")[0]
    np.testing.assert_array_equal(
        sound, soundfile.read(folder / "out" / "interview.kept.wav", dtype="int32")[0]
    )
    said = unbraid("render", "g.yaml", "interview.wav", "-o", "out", "--overwrite", "--json", cwd=folder)
    assert json.loads(said.stdout)["outputs"]


@pytest.mark.parametrize("plugin", ["gate", "voice"])
def test_the_plugins_it_shows_hold_what_is_promised(folder: Path, plugin: str) -> None:
    installed(plugin, next(b for b in fences("python") if f'id="{plugin}"' in b), folder)
    done = unbraid("plugins", "check", plugin, "--level", "strict", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert "0 advisor" in done.stdout or "advisor" not in done.stdout.splitlines()[-1]


def test_the_checks_it_shows_run(folder: Path) -> None:
    installed("gate", next(b for b in fences("python") if "class Gate" in b), folder)
    module, strict, pytests = next(b for b in fences("sh") if "plugins check" in b).strip().splitlines()
    done = shell(module, folder)
    assert done.returncode == 0, done.stdout
    done = shell(strict.replace("strict", "quick"), folder)
    assert done.returncode == 0, done.stdout
    assert "<testsuite" in (folder / "gate.xml").read_text()
    line = re.sub(r"^pytest", f"PYTHONPATH=. {sys.executable} -m pytest --unbraid-level quick", pytests)
    done = shell(line, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[0-9]+ passed", done.stdout)


def test_python_over_files_arrays_and_streams(folder: Path) -> None:
    code = next(block for block in fences("python") if "open_stream" in block)
    names = {
        "array": np.zeros((2, 9600), np.float32),
        "some_block": np.zeros((2, 100), np.float32),
    }
    here = Path.cwd()
    os.chdir(folder)
    try:
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - the README's own code
    finally:
        os.chdir(here)
    assert names["stems"]["dialogue"].shape == (2, 9600)  # type: ignore[call-overload]
    assert names["block"]["dialogue"].shape == (2, 100)  # type: ignore[call-overload]
    assert (folder / "out" / "interview.dialogue.wav").exists()


def test_the_kernels_alone_do_what_is_shown() -> None:
    names: dict[str, object] = {}
    for code in fences("python"):
        if "masked_roundtrip" in code or "function_roundtrip" in code:
            exec(code, names)  # noqa: S102 - it is the README's own
    x, y, z, gated = (np.asarray(names[name]) for name in ("x", "y", "z", "gated"))
    np.testing.assert_allclose(y, x, rtol=0, atol=2e-6)
    assert 0.1 < np.linalg.norm(z) / np.linalg.norm(x) < 1
    # the same rule, |X| > 10, once on an array and once in a function
    np.testing.assert_allclose(gated, z, rtol=0, atol=0.02)
    assert np.sqrt(np.mean((gated - z) ** 2)) < 1e-4


def test_the_table_of_kernels_names_modules_that_exist() -> None:
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\|", README.read_text(encoding="utf-8"), re.MULTILINE)
    modules = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    kernels = README.parent / "kernels"
    found = {path.stem for path in kernels.glob("*.py")} | {"reference"}
    assert {"spectra", "streaming", "masks", "fft", "ring"} <= modules & found
