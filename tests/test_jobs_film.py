"""Batches of films: titles with their stems, timecode kept, deliveries checked, sound put back."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile as sf

import jobs_rig as rig
import unbraid
from unbraid.host.contract.audio import Layout
from unbraid.host.media.film.ffmpeg import available
from unbraid.host.media.metadata import Metadata
from unbraid.host.media.open_input import open_input
from unbraid.host.media.wave.bext import Bext
from unbraid.host.media.writer import FileWriter, OutputForm

if TYPE_CHECKING:
    from pathlib import Path

RATE = 48_000
TEN_OCLOCK = 10 * 3600 * RATE
MIX = """\
unbraid: 1
inputs: {dialogue: null, music: null, effects: null}
nodes:
  m: {use: mix, from: [dialogue, music, effects], params: {gains: [0, -6, -6]}}
  d: {use: gain, from: dialogue, params: {gain: -1}}
outputs: {mix: m, dialogue: d}
"""


def stem(path: Path, seed: int) -> None:
    """Write 24 bit that begin at ten o'clock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    x = np.ascontiguousarray(rig.noise(seed, RATE // 2).T)
    metadata = Metadata(bext=Bext(description=path.stem, time_reference=TEN_OCLOCK))
    form = OutputForm(RATE, Layout.parse("stereo"), x.shape[1], "PCM_24", metadata=metadata)
    writer = FileWriter(path, form)
    writer.write(x)
    writer.finish()
    writer.commit()


def test_titles_are_gathered_by_convention_and_keep_their_timecode(tmp_path: Path) -> None:
    for number, title in enumerate(("Night Bus", "Harbour")):
        for index, code in enumerate(("DX", "MX", "FX")):
            stem(tmp_path / "stems" / f"{title}_{code}.wav", 10 * number + index)
    rig.graph(tmp_path, MIX)
    (tmp_path / "film.yaml").write_text(
        "unbraid-batch: 1\ngraph: graph.yaml\n"
        'stems:\n  as: inputs\n  dialogue: "stems/{title}_DX.wav"\n  music: "stems/{title}_MX.wav"\n'
        '  effects: "stems/{title}_FX.wav"\n'
    )
    results = list(unbraid.batch(tmp_path / "film.yaml", tmp_path / "out", workers=1))
    assert [(result.state, result.reason) for result in results] == [("done", "")] * 2
    names = rig.files(tmp_path / "out")
    assert [name for name in names if "DX" in name] == [
        "Harbour/Harbour_DX.wav",
        "Night Bus/Night Bus_DX.wav",
    ]
    assert len(names) == 4
    for name in names:
        with closing(open_input(tmp_path / "out" / name)) as source:
            assert source.metadata.bext is not None
            assert (source.metadata.bext.time_reference, source.length) == (TEN_OCLOCK, RATE // 2)


@pytest.mark.skipif(not available(), reason="ffmpeg and ffprobe are not installed: apt-get install ffmpeg")
def test_an_output_is_put_into_a_copy_of_its_film(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", rig.noise(1, RATE), RATE, subtype="PCM_24")
    picture = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=1"]
    sound = ["-i", "a.wav", "-map", "0:v", "-map", "1:a", "-c:a", "pcm_s24le", "-c:v", "mpeg4"]
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *picture, *sound, "a.mov"], cwd=tmp_path, check=True)
    rig.graph(tmp_path, rig.TWO)
    job = {"input": "a.mov", "film": "a.mov", "track": "quieter", "graph": "graph.yaml"}
    (tmp_path / "m.jsonl").write_text(json.dumps(job) + "\n")
    (result,) = unbraid.batch(tmp_path / "m.jsonl", tmp_path / "out", workers=1)
    assert (result.state, result.reason) == ("done", "")
    assert rig.files(tmp_path / "out") == ["a.film.mov", "a.quiet.wav", "a.quieter.wav"]
    film, quieter = tmp_path / "out" / "a.film.mov", tmp_path / "out" / "a.quieter.wav"

    def packets(path: Path) -> bytes:
        command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-map", "0:v", "-c", "copy"]
        return subprocess.run([*command, "-f", "streamhash", "-"], capture_output=True, check=True).stdout

    assert packets(film) == packets(tmp_path / "a.mov")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(film), "-map", "0:a:1", "-f", "s32le", "-"]
    heard = subprocess.run(command, capture_output=True, check=True).stdout
    assert heard == sf.read(quieter, dtype="int32")[0].astype("<i4").tobytes()


def test_outputs_that_miss_their_delivery_are_told_and_kept(tmp_path: Path) -> None:
    seconds = np.arange(4 * RATE) / RATE
    sine = 10 ** (-20 / 20) * np.sin(2 * np.pi * 1000 * seconds)  # -20 LUFS in stereo (EBU Tech 3341)
    sf.write(tmp_path / "a.wav", np.stack([sine, sine], 1), RATE, subtype="PCM_24")
    rig.graph(tmp_path, rig.GAIN.replace("-6", "0"))
    (tmp_path / "m.jsonl").write_text(
        json.dumps({"input": "a.wav", "graph": "graph.yaml", "target": "ebu-r128"}) + "\n"
    )
    (result,) = unbraid.batch(tmp_path / "m.jsonl", tmp_path / "out", workers=1)
    assert (result.state, rig.files(tmp_path / "out")) == ("done", ["a.quiet.wav"])
    assert "-20.0 LUFS, 3.0 LU above ebu-r128's -23" in result.verdicts["quiet"]


def test_every_output_may_have_a_delivery_of_its_own_or_none(tmp_path: Path) -> None:
    seconds = np.arange(4 * RATE) / RATE
    sine = 10 ** (-20 / 20) * np.sin(2 * np.pi * 1000 * seconds)
    sf.write(tmp_path / "a.wav", np.stack([sine, sine], 1), RATE, subtype="PCM_24")
    rig.graph(tmp_path, rig.TWO)  # -26 and -32 LUFS

    def heard(target: object) -> tuple[str, dict[str, str]]:
        job = {"input": "a.wav", "graph": "graph.yaml", "target": target}
        (tmp_path / "m.jsonl").write_text(json.dumps(job) + "\n")
        (result,) = unbraid.batch(tmp_path / "m.jsonl", tmp_path / "out", workers=1)
        return result.state, {name: text.split(",")[0] for name, text in result.verdicts.items()}

    assert heard({"quiet": "netflix-dialogue"}) == ("done", {})
    assert heard({"quiet": "ebu-r128"}) == ("done", {"quiet": "-26.0 LUFS"})
    assert heard("netflix-dialogue") == ("done", {"quieter": "-32.0 LUFS"})
    (tmp_path / "m.csv").write_text("input,graph,target.quietest\na.wav,graph.yaml,ebu-r128\n")
    (result,) = unbraid.batch(tmp_path / "m.csv", tmp_path / "out", workers=1)
    assert (result.state, "did you mean 'quieter'" in result.reason) == ("failed", True)
