"""Files: reading and writing by blocks against soundfile, and both together with a gain between."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from unbraid.host import Graph, Registry, RenderOptions, render
from unbraid.host.contract.audio import Layout
from unbraid.host.media.open_input import open_input
from unbraid.host.media.write_behind import WriteBehind
from unbraid.host.media.writer import OutputForm, open_writer

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE, SECONDS, CHANNELS, BLOCK = 48000, 120, 2, 8192
PEER = "soundfile, blocks of 8192"
KINDS = [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("FLAC", "PCM_24")]
READ = [*KINDS, ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]


def _second() -> Any:
    random = np.random.default_rng(0)
    return (0.1 * random.standard_normal((RATE, CHANNELS))).astype(np.float32)


def _make(path: Path, form: str, subtype: str) -> None:
    second = _second()
    with soundfile.SoundFile(path, "w", RATE, CHANNELS, subtype, format=form) as file:
        for _ in range(SECONDS):
            file.write(second)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _read(form: str, subtype: str) -> Contest:
    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / f"in.{form.lower()}"
            _make(path, form, subtype)
            frames = np.empty((BLOCK, CHANNELS), np.float32)
            planar = np.empty((CHANNELS, BLOCK), np.float32)

            def theirs() -> None:
                with soundfile.SoundFile(path) as file:
                    while len(file.read(out=frames)):
                        pass

            def ours() -> None:
                with closing(open_input(path)) as source:
                    while source.read(planar) == BLOCK:
                        pass

            yield {PEER: theirs, "unbraid": ours}

    return Contest(f"reading {form} {subtype}, 2 min stereo", PEER, (PEER, "unbraid"), opened)


def _write(form: str, subtype: str) -> Contest:
    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        with tempfile.TemporaryDirectory() as name:
            frames = np.tile(_second(), (SECONDS, 1))
            planar = np.ascontiguousarray(frames.T)
            their, our = Path(name) / "theirs", Path(name) / f"ours.{form.lower()}"
            asked = OutputForm(
                RATE, Layout.parse("stereo"), len(frames), subtype, form.lower(), dither="none"
            )

            def theirs() -> None:
                with soundfile.SoundFile(their, "w", RATE, CHANNELS, subtype, format=form) as file:
                    for at in range(0, len(frames), BLOCK):
                        file.write(frames[at : at + BLOCK])
                _sync(their)

            def ours() -> None:
                writer = WriteBehind(open_writer(our, asked, overwrite=True), CHANNELS)
                for at in range(0, planar.shape[1], BLOCK):
                    writer.write(planar[:, at : at + BLOCK])
                writer.finish()
                writer.commit()

            yield {PEER: theirs, "unbraid": ours}

    return Contest(f"writing {form} {subtype} to the disk, 2 min stereo", PEER, (PEER, "unbraid"), opened)


def _both(form: str, subtype: str) -> Contest:
    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path, out = folder / f"in.{form.lower()}", folder / "theirs"
            _make(path, form, subtype)
            frames = np.empty((BLOCK, CHANNELS), np.float32)
            graph, registry = Graph(), Registry.discover()
            graph.output("out", graph.node("level", "gain", graph.input("mix"), gain=-3.0))
            options = RenderOptions(overwrite=True, form=form.lower(), dither="none")

            def theirs() -> None:
                with (
                    soundfile.SoundFile(path) as source,
                    soundfile.SoundFile(out, "w", RATE, CHANNELS, subtype, format=form) as sink,
                ):
                    while len(block := source.read(out=frames)):
                        block *= np.float32(10 ** (-3 / 20))
                        sink.write(block)
                _sync(out)

            yield {
                PEER: theirs,
                "unbraid": lambda: render(graph, path, folder, options=options, registry=registry),
            }

    return Contest(
        f"{form} {subtype} through a gain to the disk, 2 min stereo", PEER, (PEER, "unbraid"), opened
    )


def _film() -> Contest:
    """Decoding FLAC in Matroska: ffmpeg's own speed into nothing, and ours out of it."""

    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        with tempfile.TemporaryDirectory() as name:
            path, film = Path(name) / "in.wav", Path(name) / "film.mkv"
            _make(path, "WAV", "PCM_24")
            ffmpeg = ["ffmpeg", "-v", "error", "-nostdin"]
            subprocess.run([*ffmpeg, "-i", str(path), "-c:a", "flac", str(film)], check=True)
            planar = np.empty((CHANNELS, BLOCK), np.float32)

            def ours() -> None:
                with closing(open_input(film)) as source:
                    while source.read(planar) == BLOCK:
                        pass

            decode = [*ffmpeg, "-i", str(film), "-f", "s24le", "-y", os.devnull]
            yield {"ffmpeg": lambda: subprocess.run(decode, check=True), "unbraid": ours}

    return Contest("reading FLAC in Matroska, 2 min stereo", "ffmpeg", ("ffmpeg", "unbraid"), opened)


CONTESTS = [
    *(_read(*kind) for kind in READ),
    *(_write(*kind) for kind in KINDS),
    *(_both(*kind) for kind in KINDS),
    *([_film()] if shutil.which("ffmpeg") else []),
]
