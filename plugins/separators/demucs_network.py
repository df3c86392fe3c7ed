"""Builds a network of the Demucs family from what a published checkpoint says of it.

A checkpoint names the class of its network and the arguments it was built with: the ``.th`` files as a
pickled reference, the ``.safetensors`` as JSON in the header. Both are read as data. The class comes from the
installed library, and only from `CLASSES`; arguments are plain values.

Source: A. Defossez, "Hybrid Spectrogram and Waveform Source Separation", ISMIR MDX workshop 2021, and
S. Rouard, F. Massa and A. Defossez, "Hybrid Transformers for Music Source Separation", ICASSP 2023.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from ...host.models import CheckpointError, ModelError, check_keys
from ...host.models.torch_files import CLASSES

if TYPE_CHECKING:
    from ...host.models import Weights

__all__ = ["Told", "demucs_network", "told_by"]

_MOST_ENTRIES = 256
_MOST = 10**7


def demucs_network(notes: dict[str, Any], weights: Weights, source: str) -> Any:
    """Return the network with its weights, on the CPU and in evaluation mode.

    Args:
        notes: what the checkpoint says beside its tensors (see `load_notes`): ``klass``, ``args`` and
            ``kwargs``.
        weights: its tensors, of any precision; the network computes in float32.
        source: the checkpoint's name in error texts.

    Raises:
        CheckpointError: it names another class, its arguments are none of the class's, or the weights do not
            fit it.
        ModelError: the library is not installed.
    """
    import torch

    kind, args, kwargs = _described(notes, source)
    # Building draws the weights that are replaced right after; nobody else's random numbers change.
    with torch.random.fork_rng(devices=[]):
        network = _built(kind, args, kwargs, source)
    check_keys(network.state_dict(), weights, source, architecture=f"demucs ({kind.__name__})")
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return network.eval().requires_grad_(requires_grad=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What a checkpoint says of its network, and so of its card.

    Attributes:
        stems: in the network's order.
        channels: that it takes.
        rate: in Hz.
        segment: seconds that it was trained on.
        longest: seconds that it takes at most; 0 where there is no limit.
    """

    stems: tuple[str, ...]
    channels: int
    rate: int
    segment: float
    longest: float


def told_by(notes: dict[str, Any], source: str) -> Told:
    """Return what a checkpoint says of its network; no network is built.

    Args:
        notes: what the checkpoint says beside its tensors.
        source: the checkpoint's name in error texts.

    Raises:
        CheckpointError: it names another class, or its arguments are none of the class's.
        ModelError: the library is not installed.
    """
    kind, args, kwargs = _described(notes, source)
    known = inspect.signature(kind)
    try:
        bound = known.bind(*args, **{key: kwargs[key] for key in kwargs if key in known.parameters})
        bound.apply_defaults()
        said = bound.arguments
        rate = int(said["samplerate"])
        segment = int(said["segment"] * rate) / rate
        longest = segment if said.get("use_train_segment") else 0.0
        return Told(tuple(said["sources"]), int(said["audio_channels"]), rate, segment, longest)
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        told = " ".join(str(error).split())
        raise CheckpointError(f"{source}: its arguments make no {kind.__name__}: {told:.160}") from None


def _described(notes: dict[str, Any], source: str) -> tuple[type, list[Any], dict[str, Any]]:
    """Return the class and the arguments that a checkpoint names."""
    if not {"klass", "args", "kwargs"} <= notes.keys():
        raise CheckpointError(f"{source}: does not say how its network is built: it is no Demucs checkpoint")
    if "structure" in notes:
        raise CheckpointError(
            f"{source}: holds quantized weights, which are not supported; take the model's others"
        )
    name = notes["klass"]
    if not isinstance(name, str) or name not in CLASSES:
        known = ", ".join(known.rpartition(".")[2] for known in CLASSES)
        raise CheckpointError(f"{source}: refused: it names {name!s:.80} as its network; known are {known}")
    args, kwargs = _decoded(notes["args"], source), _decoded(notes["kwargs"], source)
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise CheckpointError(f"{source}: holds no arguments for {name}")
    module, _, attribute = name.rpartition(".")
    try:
        kind: type = getattr(import_module(module), attribute)
    except ImportError as error:
        remedy = "pip install 'unbraid[demucs]'"
        raise ModelError(f"{source}: needs the library demucs ({error}); {remedy}") from None
    return kind, args, kwargs


def _decoded(value: Any, source: str) -> Any:
    """Return arguments as plain values; JSON where they are text."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise CheckpointError(f"{source}: its arguments are no JSON") from None
    if isinstance(value, dict):
        return {str(key): _plain(item, source) for key, item in value.items()}
    return _plain(value, source)


def _plain(value: Any, source: str) -> Any:
    """Return a number, text, fraction, or list of these; anything else is refused."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) < _MOST_ENTRIES:
        return str(value)
    if isinstance(value, (int, float, Fraction)) and abs(float(value)) <= _MOST:
        return value
    if isinstance(value, (list, tuple)) and len(value) < _MOST_ENTRIES:
        return [_plain(item, source) for item in value]
    if isinstance(value, dict) and value.get("_type") == "fraction":
        over: Any = value.get("numerator")
        under: Any = value.get("denominator")
        if isinstance(over, int) and isinstance(under, int) and 0 < under <= _MOST >= abs(over):
            return Fraction(over, under)
    raise CheckpointError(f"{source}: refused: {value!r:.60} is no argument of a network")


def _built(kind: type, args: list[Any], kwargs: dict[str, Any], source: str) -> Any:
    """Build the network; arguments that the library no longer has are left out, as it does itself."""
    known = inspect.signature(kind).parameters
    kept = {key: value for key, value in kwargs.items() if key in known}
    if "t_sin_random_shift" in kept:
        kept["t_sin_random_shift"] = 0  # a draw at each call, of training only
    try:
        return kind(*args, **kept)
    except Exception as error:  # noqa: BLE001 - the library raises anything for arguments that do not fit
        told = " ".join(str(error).split()) or type(error).__name__
        name = kind.__name__
        raise CheckpointError(f"{source}: its arguments make no {name}: {told:.160}") from None
