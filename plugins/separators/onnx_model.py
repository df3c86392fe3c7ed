"""The architecture ``onnx``: any model of waveforms that was exported to ONNX, run by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...host.models import CheckpointError, load_program
from .onnx_file import self_contained
from .onnx_sessions import open_session
from .waveform_model import Tensor, WaveformSeparator, waveform_geometry

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from ...host.models import ModelCard
    from .separator import Geometry

__all__ = ["geometry", "load"]

_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}


def geometry(card: ModelCard) -> Geometry:
    """Return the geometry that the card states.

    Raises:
        ModelCardError: its options are not those of `WaveformOptions`.
    """
    return waveform_geometry(card)


def load(card: ModelCard, device: str) -> WaveformSeparator:
    """Return the model, loaded once in a process for each device.

    The first of the card's files is the model, further ones of the format ``onnx-data`` are its external
    data. Operators of other domains than ONNX's and ONNX Runtime's own are refused, and no file is opened
    but the card's. Models that draw random numbers are refused.

    Args:
        card: the model's.
        device: "cpu", or "cuda", which needs onnxruntime-gpu.

    Raises:
        ModelError: the files are missing or corrupt, or the model is refused.
        ModelCardError: the model is not as its card says.
        PluginError: ONNX Runtime is not installed, refuses the model, or lacks the device.
    """
    waveform_geometry(card)
    return load_program(card, _on_cuda if device == "cuda" else _on_cpu)


def _on_cpu(card: ModelCard, paths: list[Path]) -> WaveformSeparator:
    return _build(card, paths, "cpu")


def _on_cuda(card: ModelCard, paths: list[Path]) -> WaveformSeparator:
    return _build(card, paths, "cuda")


def _build(card: ModelCard, paths: list[Path], device: str) -> WaveformSeparator:
    model = self_contained(card, paths)
    session = open_session(model, f"model {card.id}", extra="onnx", device=device)
    given, made = session.get_inputs(), session.get_outputs()
    for tensor in (*given, *made):
        if tensor.type not in _TYPES:
            raise CheckpointError(f"{paths[0]}: {tensor.name} is {tensor.type}, not a tensor of real numbers")
    names = [tensor.name for tensor in made]

    def run(batch: npt.NDArray[np.float32]) -> list[npt.NDArray[Any]]:
        (sound,) = given
        return list(session.run(names, {sound.name: batch.astype(_TYPES[sound.type], copy=False)}))

    return WaveformSeparator(card, run, [_tensor(one) for one in given], [_tensor(one) for one in made])


def _tensor(found: Any) -> Tensor:
    return Tensor(found.name, tuple(side if isinstance(side, int) else None for side in found.shape))
