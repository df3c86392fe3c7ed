"""Whole renders: ten minutes of stereo through gain and high-pass, against ffmpeg doing the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GRAPH = """\
unbraid: 1
nodes:
  low: {use: highpass, from: mix, params: {frequency: 80}}
  level: {use: gain, from: low, params: {gain: -3}}
outputs:
  out: level
"""


def _programme(path: Path, minutes: float) -> None:
    random = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", 48000, 2, "PCM_24") as file:
        for _ in range(round(minutes * 60)):
            file.write((random.standard_normal((48000, 2)) * 0.1).astype(np.float32))


def _contest(minutes: float) -> Contest:
    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        """Make the programme and the two commands."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source, graph = folder / "in.wav", folder / "graph.yaml"
            _programme(source, minutes)
            graph.write_text(GRAPH)
            program = "import sys; from unbraid.host.cli import main; main(sys.argv[1:])"
            ours = [
                sys.executable,
                "-c",
                program,
                "render",
                str(graph),
                str(source),
                "-o",
                name,
                "--overwrite",
            ]
            chain = ["-af", "highpass=f=80:p=2,volume=-3dB", "-c:a", "pcm_s24le", str(folder / "ffmpeg.wav")]
            theirs = ["ffmpeg", "-v", "error", "-y", "-i", str(source), *chain]
            yield {
                "ffmpeg": lambda: subprocess.run(theirs, check=True),
                "unbraid render": lambda: subprocess.run(ours, check=True, stdout=subprocess.DEVNULL),
            }

    title = f"{minutes:g} min stereo 24 bit from file to file, high-pass and gain"
    return Contest(title, "ffmpeg", ("ffmpeg", "unbraid render"), opened, turns=7)


CONTESTS = [_contest(10)] if shutil.which("ffmpeg") else []
