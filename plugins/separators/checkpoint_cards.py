"""Makes a card of a checkpoint whose network is known here: what the file says, under what its owner says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from ...host.models import CheckpointError, load_notes, load_tensors
from .architectures import architecture_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from ...host.models import Checkpoint, ModelCard

__all__ = ["card_for"]

#: Keys by which published checkpoints hold their tensors, where they hold more.
_INSIDE = ("state_dict", "state", "model_state_dict", "model")
#: What an Open-Unmix has, and what it is measured by.
_UNMIX = {"fc1.weight", "lstm.weight_ih_l0", "fc3.weight", "input_mean", "output_mean"}
_LAYOUTS = {1: "mono", 2: "stereo"}


def card_for(checkpoint: Checkpoint) -> ModelCard | None:
    """Return a card that its architecture takes; None where the checkpoint is of no network known here.

    Args:
        checkpoint: the files, and what is said of them.

    Raises:
        CheckpointError: a file cannot be read, or lacks something that its owner must say.
        ModelCardError: what the configuration or the owner says cannot be.
    """
    card = _found(checkpoint)
    if card is not None:
        architecture_of(card).geometry(card)
    return card


def _found(checkpoint: Checkpoint) -> ModelCard | None:
    form = checkpoint.forms[0]
    if form in {"onnx", "torch-export"}:
        return checkpoint.card(form, {})
    if checkpoint.config:
        return _roformer(checkpoint)
    notes = load_notes(checkpoint.paths[0], form)
    if "klass" in notes:
        return _demucs(checkpoint, notes)
    if "model_args" in notes:
        return _asteroid(checkpoint)
    inside = next((key for key in _INSIDE if isinstance(notes.get(key), dict)), "")
    tensors = load_tensors(checkpoint.paths[0], form, inside=inside)
    return _open_unmix(checkpoint, tensors, inside) if tensors.keys() >= _UNMIX else None


def _roformer(checkpoint: Checkpoint) -> ModelCard:
    from .roformer_config import card_from_config

    found = card_from_config(
        checkpoint.config,
        checkpoint.source,
        checkpoint.id,
        checkpoint.licence,
        form=checkpoint.forms[0],
    )
    # A file that is cut short or holds code is told here, before it has a card.
    notes = load_notes(checkpoint.paths[0], checkpoint.forms[0])
    if checkpoint.forms[0] == "numpy-pickle":
        load_tensors(checkpoint.paths[0], checkpoint.forms[0])
    inside = next((key for key in _INSIDE if isinstance(notes.get(key), dict)), "")
    return _as_said(checkpoint, found, inside)


def _asteroid(checkpoint: Checkpoint) -> ModelCard:
    from .asteroid_checkpoint import asteroid_card

    found = asteroid_card(checkpoint.paths[0], checkpoint.id, licence=checkpoint.licence.weights)
    card = _as_said(checkpoint, found, "state_dict")
    return card if checkpoint.name else msgspec.structs.replace(card, name=found.name)


def _as_said(checkpoint: Checkpoint, found: ModelCard, inside: str) -> ModelCard:
    return checkpoint.card(
        found.architecture,
        found.options,
        rate=found.rate,
        layout=found.layout,
        stems=found.stems,
        inside=inside,
    )


def _demucs(checkpoint: Checkpoint, notes: dict[str, Any]) -> ModelCard:
    from .demucs_network import told_by

    told = told_by(notes, checkpoint.source)
    options = {"segment": told.segment} | ({"longest": told.longest} if told.longest else {})
    inside = "state" if checkpoint.forms[0] == "torch" else ""
    layout = _LAYOUTS.get(told.channels, f"discrete:{told.channels}")
    return checkpoint.card("demucs", options, rate=told.rate, layout=layout, stems=told.stems, inside=inside)


def _open_unmix(checkpoint: Checkpoint, tensors: Mapping[str, npt.NDArray[Any]], inside: str) -> ModelCard:
    """Return the card of files that make a stem each, named after it, as in ``vocals-b62c91ce.pth``."""
    bins = tensors["output_mean"].size
    if bins < 2 or tensors["fc3.weight"].shape[0] % bins:
        raise CheckpointError(f"{checkpoint.source}: its tensors do not fit each other: it is no Open-Unmix")
    channels = tensors["fc3.weight"].shape[0] // bins
    stems = [re.split(r"[-.]", path.name)[0] for path in checkpoint.paths]
    if len(stems) == 1 and not checkpoint.stems:
        stems.append("rest")  # a lone stem has nothing to be filtered from
    residual = len(checkpoint.stems or stems) > len(checkpoint.paths)
    options = {"n_fft": 2 * (bins - 1), "hop": (bins - 1) // 2} | ({"residual": True} if residual else {})
    rate = round(float(tensors["sample_rate"].max(initial=0))) if "sample_rate" in tensors else 0
    return checkpoint.card(
        "open-unmix",
        options,
        rate=rate,
        layout=_LAYOUTS.get(channels, f"discrete:{channels}"),
        stems=stems,
        inside=inside,
    )
