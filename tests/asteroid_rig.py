"""Checkpoints in asteroid's published form: made by asteroid where it is installed, or by a formula."""

from __future__ import annotations

import hashlib
import sys
import types
import zlib
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from unbraid.host.models import Licence, ModelCard, ModelFile, Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

#: How to have what these parity tests need, without the forty packages that asteroid asks for.
_HOW = "pip install --no-deps asteroid asteroid-filterbanks PyYAML"


def asteroid_models() -> Any:
    """Return ``asteroid.models``, or skip with what would bring it.

    It imports three packages at its head that building a network does not touch; empty ones stand in.
    """
    missing = [name for name in ("asteroid", "asteroid_filterbanks", "yaml") if find_spec(name) is None]
    if missing:
        pytest.skip(f"parity with asteroid itself needs {', '.join(missing)}: {_HOW}")
    stand_ins = {"requests": {}, "torchaudio": {}, "huggingface_hub": {"HUGGINGFACE_CO_URL_HOME": "https://"}}
    added = []
    for name, values in stand_ins.items():
        if name not in sys.modules and find_spec(name) is None:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__dict__.update(values)
            added.append(name)
    try:
        return import_module("asteroid.models")
    finally:
        for name in added:
            del sys.modules[name]


def randomised(network: Any) -> Any:
    """Return a network of torch whose every weight is moved at random, the norms' too."""
    import torch

    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(0.1 * torch.randn(value.shape, generator=generator).abs())
    return network.eval()


def published(network: Any, path: Path) -> Path:
    """Save one of asteroid's networks as its ``serialize`` does, without the versions of Lightning."""
    import torch

    content = {
        "model_name": type(network).__name__,
        "state_dict": network.state_dict(),
        "model_args": network.get_model_args(),
        "infos": {"software_versions": {"asteroid_version": "0.7.0"}},
        "licenses": "CC-BY-SA-4.0",
    }
    torch.save(content, path)
    return path


def by_formula(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Return tensors of these names and shapes, the same everywhere: sines whose phase is the name's."""
    made = {}
    for name, shape in shapes.items():
        places = np.arange(int(np.prod(shape, dtype=int)))
        values = np.sin(1.7 * places + zlib.crc32(name.encode()) % 1000)
        values = 0.25 + 0.2 * values if name.endswith(("gamma", "_filters")) else 0.7 * values
        made[name] = values.reshape(shape).astype(np.float32)
    return made


def formed(network: Any, path: Path, name: str, arguments: dict[str, Any]) -> Path:
    """Save a checkpoint in the published form for one of our networks, its tensors by formula."""
    import torch

    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    tensors = {key: torch.from_numpy(value) for key, value in by_formula(shapes).items()}
    torch.save({"model_name": name, "state_dict": tensors, "model_args": arguments}, path)
    return path


def stored(path: Path, card: ModelCard) -> ModelCard:
    """Put a file into the store under a card, and return the card with what it measures."""
    data = path.read_bytes()
    file = msgspec.structs.replace(card.files[0], sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    card = msgspec.structs.replace(card, files=(file,))
    target = Store().path(card, file)
    target.parent.mkdir(parents=True)
    target.write_bytes(data)
    return card


def card_of(architecture: str, options: dict[str, Any], *, speakers: int = 2, rate: int = 8000) -> ModelCard:
    """Return a card for a checkpoint that is about to be stored."""
    return ModelCard(
        id="meeting",
        name="Meeting",
        architecture=architecture,
        rate=rate,
        layout="mono",
        stems=tuple(f"speaker_{speaker + 1}" for speaker in range(speakers)),
        files=(ModelFile("model.pth", "torch", inside="state_dict"),),
        licence=Licence("MIT", "CC-BY-SA-4.0"),
        options=options,
    )


def sweep(length: int) -> Array:
    """Return a rising tone ``[1, 1, length]``, the same everywhere."""
    places = np.arange(length)
    tone: Array = (0.1 * np.sin(2e-4 * places * places)).astype(np.float32)
    return tone[None, None]


def voices(length: int, seed: int = 0) -> Array:
    """Return a mixture ``[1, 1, length]`` at the level of speech."""
    return np.random.default_rng(seed).normal(scale=0.1, size=(1, 1, length)).astype(np.float32)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store and a folder of cards, all of the test's own; returns the folder above them."""
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("UNBRAID_OFFLINE", "1")
    return tmp_path
