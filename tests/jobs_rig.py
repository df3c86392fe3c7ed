"""Batches for tests: short sounds, graphs with plugins that go wrong, and a place where workers find them."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile as sf

from unbraid.host.jobs.job import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

RATE = 8000
GAIN = "unbraid: 1\nnodes:\n  g: {use: gain, from: mix, params: {gain: -6}}\noutputs: {quiet: g}\n"
TWO = """\
unbraid: 1
nodes:
  g: {use: gain, from: mix, params: {gain: -6}}
  h: {use: gain, from: mix, params: {gain: -12}}
outputs: {quiet: g, quieter: h}
"""
TROUBLE = "unbraid: 1\nnodes:\n  t: {use: trouble, from: mix}\noutputs: {out: t}\n"
DEED = "unbraid: 1\nnodes:\n  t: {use: deed, from: mix}\noutputs: {out: t}\n"


def noise(seed: int, samples: int = 800, channels: int = 2) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Noise that differs for every seed."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)


def sounds(folder: Path, count: int, samples: int = 800) -> list[Path]:
    """Write short sounds, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        sf.write(path, noise(number, samples), RATE, subtype="PCM_24")
    return paths


def graph(folder: Path, text: str = GAIN, name: str = "graph.yaml") -> Path:
    """Write a graph."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def jobs(paths: Sequence[Path], graph: Path, **more: Any) -> list[Job]:
    """One job for each sound."""
    return [
        Job(
            place=f"{path.stem}.{{output}}.{{ext}}",
            graph=str(graph),
            inputs={"": str(path)},
            line=number,
            **more,
        )
        for number, path in enumerate(paths, 1)
    ]


def files(folder: Path) -> list[str]:
    """Names of all outputs below a batch's folder, without what is the ledger's."""
    found = list[str]()
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".unbraid-batch"]
        found += [str((Path(place) / name).relative_to(folder)) for name in names]
    return sorted(found)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every output."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files(folder)}


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of every output: they differ when it was written again."""
    return {
        name: ((folder / name).stat().st_ino, (folder / name).stat().st_mtime_ns) for name in files(folder)
    }


def install_trouble(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "trouble", module: str = "isolation_rig"
) -> Path:
    """Install plugins of a module here where this process and its children find them; return the package."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[unbraid.plugins]\n{name} = {module}\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(folder), str(Path(__file__).parent), *sys.path])
    return info
