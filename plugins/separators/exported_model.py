"""The architecture ``torch-export``: any model of waveforms that ``torch.export.save`` wrote.

Nothing in the file is unpickled; see `exported_archive`. What it lists are torch's own operators, of which
those that only compute are called; see `exported_operators`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ...host.contract.torch_segments import run_network
from ...host.models import CheckpointError, load_program
from .exported_archive import read_exported
from .exported_graph import ExportedGraph
from .options import card_fault
from .waveform_model import Tensor, WaveformSeparator, waveform_geometry

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from ...host.models import ModelCard
    from .separator import Geometry

__all__ = ["geometry", "load"]


def geometry(card: ModelCard) -> Geometry:
    """Return the geometry that the card states.

    Raises:
        ModelCardError: its options are not those of `WaveformOptions`.
    """
    return waveform_geometry(card)


def load(card: ModelCard, device: str) -> WaveformSeparator:
    """Return the model, loaded once in a process for each device.

    Args:
        card: the model's, with one file of the format ``torch-export``.
        device: "cpu" or "cuda", whatever device the model was exported on.

    Raises:
        ModelError: the file is missing or corrupt, or the model is refused.
        ModelCardError: the model is not as its card says.
    """
    waveform_geometry(card)
    if [file.format for file in card.files] != ["torch-export"]:
        raise card_fault(card, "files", "are not those of an exported model", "one of format torch-export")
    return load_program(card, _on_cuda if device == "cuda" else _on_cpu)


def _on_cpu(card: ModelCard, paths: list[Path]) -> WaveformSeparator:
    return _build(card, paths[0], "cpu")


def _on_cuda(card: ModelCard, paths: list[Path]) -> WaveformSeparator:
    return _build(card, paths[0], "cuda")


def _build(card: ModelCard, path: Path, device: str) -> WaveformSeparator:
    exported = read_exported(path)
    try:
        graph = ExportedGraph(exported, device)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{path}: is not as torch.export.save writes it: {error!r:.120}") from None

    def run(batch: npt.NDArray[np.float32]) -> list[npt.NDArray[Any]]:
        made: list[Any] = []

        def call(sound: Any) -> Any:
            made.extend(graph(sound))
            return made[0]

        with warnings.catch_warnings():
            # The weights of a recurrent network lie apart in an archive; CUDA joins them, and says so.
            warnings.filterwarnings("ignore", "RNN module weights")
            first = run_network(call, batch, device)
        return [first, *(one.float().cpu().numpy() for one in made[1:])]

    given, made = ([Tensor(*one) for one in tensors] for tensors in (graph.given, graph.made))
    return WaveformSeparator(card, run, given, made)
