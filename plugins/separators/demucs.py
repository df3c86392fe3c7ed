"""Demucs 3 and 4 (hybrid, and hybrid with transformers): one network, or several that vote on each stem.

The networks are the library's own (``pip install 'unbraid[demucs]'``), built from the published checkpoints
as they are. A segment is brought to mean 0 and deviation 1 before and back after, as the library's separator
does it to a whole track.

Source: see `demucs_network`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from ...host.contract.torch_segments import on_device
from ...host.models import CheckpointError, Store, load_network, load_notes
from .options import Options, card_fault, read_options
from .separator import Geometry
from .torch_separator import TorchSeparator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...host.models import ModelCard, Weights
    from .separator import Separator

__all__ = ["DemucsOptions", "geometry", "load"]

#: Keeps silence finite; the library's own.
_EPS = 1e-8

_Weight = Annotated[float, Meta(ge=0)]


class DemucsOptions(Options, frozen=True):
    """What a card may say; everything about the networks stands in their files.

    Attributes:
        segment: seconds that are separated at once.
        longest: seconds that the network takes at most, its training segment; 0 where there is no limit.
        overlap: share of a segment that neighbours have in common.
        weights: for each file, how much it has to say on each stem; without them all the same.
    """

    segment: Annotated[float, Meta(gt=0, le=600)]
    longest: Annotated[float, Meta(ge=0, le=600)] = 0.0
    overlap: Annotated[float, Meta(ge=0, lt=1)] = 0.25
    weights: tuple[tuple[_Weight, ...], ...] = ()


def geometry(card: ModelCard) -> Geometry:
    """Return the segments: for networks with transformers at most what they were trained on, 7.8 s.

    Raises:
        ModelCardError: options are unknown, missing or do not fit.
    """
    options = _options(card)
    return Geometry(
        segment=round(options.segment * card.rate),
        overlap=options.overlap,
        most=round(options.longest * card.rate),
    )


def load(card: ModelCard, device: str) -> Separator:
    """Return the model; its networks are loaded once in a process for each device.

    Args:
        card: the model's, with one file for each network.
        device: "cpu" or "cuda".

    Raises:
        ModelCardError: options are unknown, missing or do not fit the networks.
        ModelError: a file is missing, corrupt, not of this architecture, or the library is not installed.
    """
    options = _options(card)

    def build(card: ModelCard, weights: list[Weights]) -> Any:
        from torch.nn import ModuleList

        return on_device(ModuleList(_network(card, i, one) for i, one in enumerate(weights)), device)

    networks = load_network(card, build, device)
    for network, file in zip(networks, card.files, strict=True):
        _check(card, options, network, f"{card.id}: {file.name}")
    votes = options.weights or ((1.0,) * len(card.stems),) * len(card.files)
    return TorchSeparator(networks, device, lambda batch: _separated(batch, networks, votes))


def _options(card: ModelCard) -> DemucsOptions:
    options = read_options(card, DemucsOptions)
    if not card.files:
        raise card_fault(card, "files", "must be a list of at least one")
    if options.longest and options.segment > options.longest:
        told = f"{options.segment:g} s is longer than the longest, {options.longest:g} s"
        raise card_fault(card, "options.segment", told)
    if options.weights:
        rows = {len(row) for row in options.weights}
        if len(options.weights) != len(card.files) or rows != {len(card.stems)}:
            told = f"must be {len(card.files)} rows (files) of {len(card.stems)} numbers (stems)"
            raise card_fault(card, "options.weights", told)
        if not all(sum(column) > 0 for column in zip(*options.weights, strict=True)):
            raise card_fault(
                card, "options.weights", "leave a stem to nobody: each column needs a number above 0"
            )
    return options


def _network(card: ModelCard, number: int, weights: Weights) -> Any:
    from .demucs_network import demucs_network

    file = card.files[number]
    notes = load_notes(Store().find(card)[number], file.format)
    return demucs_network(notes, weights, f"{card.id}: {file.name}")


def _check(card: ModelCard, options: DemucsOptions, network: Any, source: str) -> None:
    """Raise unless a network gives what the card says."""
    stems, channels, rate = tuple(network.sources), network.audio_channels, network.samplerate
    if (stems, channels, rate) != (card.stems, card.channels, card.rate):
        raise CheckpointError(
            f"{source}: gives {', '.join(stems)} of {channels} channels at {rate} Hz, the card says "
            f"{', '.join(card.stems)} of {card.channels} at {card.rate} Hz; correct the card"
        )
    if getattr(network, "use_train_segment", False):
        most = int(network.segment * rate)
        if not 0 < round(options.longest * rate) <= most:
            told = f"the network takes at most {most / rate:g} s, what it was trained on"
            raise card_fault(card, "options.longest", told, f"write longest: {most / rate:g}")


def _separated(batch: Any, networks: Sequence[Any], votes: Sequence[Sequence[float]]) -> Any:
    """Return the stems of ``[batch, channels, samples]``, as the networks vote."""
    mono = batch.mean(1, keepdim=True)
    mean, deviation = mono.mean(-1, keepdim=True), mono.std(-1, keepdim=True) + _EPS
    level = (batch - mean) / deviation
    stems: Any = 0
    for network, row in zip(networks, votes, strict=True):
        votes_of = level.new_tensor(row)[:, None, None]
        stems = stems + votes_of * _called(network, level)
    total = level.new_tensor([sum(column) for column in zip(*votes, strict=True)])[:, None, None]
    return stems / total * deviation[:, None] + mean[:, None]


def _called(network: Any, batch: Any) -> Any:
    """Run one network on segments of any length that it takes, with zeros around where it needs more."""
    from torch.nn.functional import pad

    samples = batch.shape[-1]
    wanted = network.valid_length(samples) if hasattr(network, "valid_length") else samples
    left = (wanted - samples) // 2
    made = network(pad(batch, (left, wanted - samples - left)))
    return made[..., left : left + samples]
