"""Checkpoints as asteroid publishes them: tensors beside the arguments that their network was built with.

A published file is what ``torch.save`` made of ``{model_name, model_args, state_dict, ...}``. The card says
what network to build; where the file says it too, the two must agree, because a wrong stride or activation
fits every tensor and only sounds wrong. The one exception is the sample rate: files of models trained at
16 kHz are known to say 8000 (asteroid's serialisation had kept the default), so the card's holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ...host.contract.torch_segments import on_device
from ...host.models import CheckpointError, Licence, ModelCard, ModelFile, Store, check_keys, load_network
from .options import card_fault
from .separator import Geometry
from .torch_separator import TorchSeparator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ...host.models import Weights
    from .asteroid_options import AsteroidOptions

__all__ = ["asteroid_card", "geometry_of", "load_asteroid"]

_MOST_SPEAKERS = 64
_ARCHITECTURES = {"ConvTasNet": "conv-tasnet", "DPRNNTasNet": "dprnn"}
#: asteroid knows some things by two names.
_SAME = {
    "GlobLN": "gLN",
    "ChanLN": "cLN",
    "CumLN": "cgLN",
    "FeatsGlobLN": "fgLN",
    "BatchNorm": "bN",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn": "RNN",
}
#: What "none" stands for.
_NONE: dict[str, Any] = {"encoder_activation": "linear", "skip_chan": 0, "hop_size": 0}
#: Arguments that say nothing of the network in use, or the same as others.
_IGNORED = {"fb_name", "sample_rate", "in_chan", "out_chan", "dropout"}


def geometry_of(card: ModelCard, options: AsteroidOptions) -> Geometry:
    """Return the geometry of a TasNet: any length that fills its frames.

    Raises:
        ModelCardError: the card is not that of a model of one channel in one file.
    """
    if card.channels != 1:
        remedy = "write layout: mono"
        raise card_fault(card, "layout", f"{card.layout} is not what {card.architecture} takes", remedy)
    if len(card.files) != 1:
        raise card_fault(card, "files", f"has {len(card.files)} files", "a checkpoint of asteroid is one")
    stride = options.stride
    segment = max(1, round(options.segment * card.rate / stride)) * stride
    return Geometry(segment, overlap=0.5, multiple=stride)


def load_asteroid(
    card: ModelCard, options: AsteroidOptions, network: Callable[[], Any], device: str
) -> TorchSeparator:
    """Return a TasNet with its weights, loaded once in a process for each device.

    Args:
        card: the model's.
        options: those on the card.
        network: makes the module without weights; imports torch.
        device: "cpu" or "cuda".

    Raises:
        ModelError: the file is missing, corrupt, or not of this network.
        ModelCardError: the card is not that of a model of one channel in one file.
    """
    geometry_of(card, options)

    def build(card: ModelCard, weights: list[Weights]) -> Any:
        import torch

        file = card.files[0]
        if file.format == "torch":
            _agree(card, options, Store().find(card)[0])
        with torch.device("meta"):  # no time for values that are replaced at once
            net = network()
        check_keys(net.state_dict(), weights[0], file.name, architecture=card.architecture)
        tensors = {name: torch.from_numpy(array) for name, array in weights[0].items()}
        floats = {name: each.float() if each.is_floating_point() else each for name, each in tensors.items()}
        net.load_state_dict(floats, assign=True)
        return on_device(net.requires_grad_(requires_grad=False).eval(), device)

    return TorchSeparator(load_network(card, build, device, options, len(card.stems)), device)


def asteroid_card(path: Path, model: str, *, licence: str, rate: int = 0) -> ModelCard:
    """Return a card for a checkpoint that asteroid has written, ready for ``unbraid models import``.

    Args:
        path: the file: ``model.pth``, ``pytorch_model.bin``.
        model: the id that the model is to have.
        licence: of the weights, as their publisher says.
        rate: in Hz that the model was trained at, where the file says another.

    Raises:
        CheckpointError: the file cannot be read, holds code, or is of a network that is not known here.

    Example:
        >>> from unbraid.host.models import write_card
        >>> def card_text(path):
        ...     return write_card(asteroid_card(path, "meeting", licence="CC-BY-SA-4.0", rate=16000))
    """
    published = _published(path)
    if published is None:
        raise CheckpointError(f"{path}: states no model_name and model_args, so it is not one of asteroid's")
    name, stated = published
    options = {key: value for key, value in _normal(stated).items() if key not in _IGNORED}
    speakers = options.pop("n_src", None)
    if not isinstance(speakers, int) or not 1 <= speakers <= _MOST_SPEAKERS:
        raise CheckpointError(f"{path}: is for {speakers!r:.40} speakers; it must be 1 to {_MOST_SPEAKERS}")
    return ModelCard(
        id=model,
        name=f"{name}, {speakers} speakers",
        architecture=_ARCHITECTURES[name],
        rate=rate or int(stated.get("sample_rate") or 8000),
        layout="mono",
        stems=tuple(f"speaker_{speaker + 1}" for speaker in range(speakers)),
        files=(ModelFile(path.name, "torch", inside="state_dict"),),
        licence=Licence("MIT", licence),
        options=options,
    )


def _agree(card: ModelCard, options: AsteroidOptions, path: Path) -> None:
    """Raise where a file was made with other arguments than the card states."""
    published = _published(path)
    if published is None:
        return
    name, stated = published
    if _ARCHITECTURES[name] != card.architecture:
        raise CheckpointError(
            f"{path}: is a {name}, the card {card.id} says {card.architecture}; "
            f"write architecture: {_ARCHITECTURES[name]} and its options"
        )
    said = {**msgspec.to_builtins(options), "n_src": len(card.stems)}
    if said.get("hop_size") == 0:
        said["hop_size"] = said["chunk_size"] // 2
    for key, value in _normal(stated).items():
        if key in said and said[key] != value:
            raise CheckpointError(
                f"{path}: was made with {key} = {value!r}, the card {card.id} says {said[key]!r}; "
                "correct the card, or is it the checkpoint of another network?"
            )


def _published(path: Path) -> tuple[str, dict[str, Any]] | None:
    """Return a published file's model name and arguments; None where it holds tensors alone.

    Raises:
        CheckpointError: it cannot be read, holds code, or is of a network that is not known here.
    """
    from ...host.models.torch_files import read_torch

    try:
        found = read_torch(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("model_args"), dict):
        return None
    name, stated = found.get("model_name"), found["model_args"]
    if name not in _ARCHITECTURES:
        known = " and ".join(_ARCHITECTURES)
        raise CheckpointError(f"{path}: is a {name!s:.40}; of asteroid's networks {known} are known here")
    bank = stated.get("fb_name", "free")
    if bank not in {"free", "FreeFB"}:
        raise CheckpointError(f"{path}: has the filterbank {bank!s:.40}; only free ones are known here")
    return name, stated


def _normal(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with one name for each thing, and without what is none."""
    normal: dict[str, Any] = {}
    for key, value in stated.items():
        if isinstance(value, str):
            normal[key] = _SAME.get(value, value)
        elif isinstance(value, bool | int | float):
            normal[key] = value
        elif value is None and key in _NONE:
            normal[key] = _NONE[key]
    return normal
