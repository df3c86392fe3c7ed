"""BS-RoFormer and Mel-RoFormer: complex masks from transformers along time and along bands.

The network is ours (`roformer_network`), for the checkpoints that are published: state dicts of torch, with
the key names of the package ``bs-roformer`` up to 0.3. Checkpoints of its later versions, which have other
parts, are built by the package itself (`roformer_package`). Options have the names of the published
configurations, from which `roformer_config` makes a card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta

from ...host.contract.torch_segments import on_device
from ...host.models import CheckpointError, check_keys, load_network
from .options import Options, card_fault, read_options
from .roformer_bands import mel_bands
from .separator import Geometry
from .torch_separator import TorchSeparator

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...host.models import ModelCard, Weights
    from .roformer_network import Shape
    from .separator import Separator

__all__ = ["MEL", "SPLIT", "MelRoformerOptions", "RoformerOptions", "geometry", "load", "options_of"]

#: The two architectures.
SPLIT, MEL = "bs-roformer", "mel-band-roformer"

_Count = Annotated[int, Meta(ge=1, le=1000)]
_Size = Annotated[int, Meta(ge=1, le=65536)]

#: The bins of each band where a card does not say: 62 bands of 1025 bins.
_BINS = (2,) * 24 + (4,) * 12 + (12,) * 8 + (24,) * 8 + (48,) * 8 + (128, 129)


class RoformerOptions(Options, frozen=True):
    """What a card of a BS-RoFormer may say; stems, channels and rate stand in the card itself.

    Attributes:
        dim: numbers that describe a band at a time.
        depth: pairs of transformers.
        segment: samples that are separated at once.
        overlap: share of a segment that neighbours have in common.
        time_transformer_depth: layers of a transformer along time.
        freq_transformer_depth: layers of a transformer along bands.
        dim_head: numbers of each head of attention.
        heads: of attention.
        stft_n_fft: samples in a frame.
        stft_hop_length: samples between frames.
        stft_win_length: samples of the Hann window.
        stft_normalized: whether spectra are divided by the root of ``stft_n_fft``.
        zero_dc: whether the lowest bin is set to zero.
        mask_estimator_depth: layers of the mask networks, as the package counts them.
        mlp_expansion_factor: their width, as a multiple of ``dim``.
        skip_connection: whether the input of each pair also holds the outputs of all pairs before.
        freqs_per_bands: bins of each band.
        num_residual_streams: of the package's later versions.
        num_residual_fracs: of the package's later versions.
        use_pope: of the package's later versions.
    """

    dim: _Size
    depth: _Count
    segment: Annotated[int, Meta(ge=1, le=1 << 28)]
    overlap: Annotated[float, Meta(ge=0, lt=1)] = 0.5
    time_transformer_depth: _Count = 2
    freq_transformer_depth: _Count = 2
    dim_head: _Size = 64
    heads: _Count = 8
    stft_n_fft: _Size = 2048
    stft_hop_length: _Size = 512
    stft_win_length: _Size = 2048
    stft_normalized: bool = False
    zero_dc: bool = False
    mask_estimator_depth: _Count = 2
    mlp_expansion_factor: _Count = 4
    skip_connection: bool = False
    freqs_per_bands: tuple[_Size, ...] = _BINS
    num_residual_streams: _Count = 4
    num_residual_fracs: _Count = 1
    use_pope: bool = False


class MelRoformerOptions(RoformerOptions, frozen=True):
    """What a card of a Mel-RoFormer may say: as `RoformerOptions`, with bands on the mel scale.

    Attributes:
        num_bands: how many there are.
        linear_transformer_depth: of the package's later versions.
        add_value_residual: of the package's later versions.
    """

    mask_estimator_depth: _Count = 1
    num_bands: _Count = 60
    linear_transformer_depth: Annotated[int, Meta(ge=0, le=100)] = 0
    add_value_residual: bool = True


def geometry(card: ModelCard) -> Geometry:
    """Return the segments: as long as the card says, of whole hops; the network knows no longest one.

    Raises:
        ModelCardError: options are unknown, missing or do not fit.
    """
    options = options_of(card)
    return Geometry(segment=options.segment, overlap=options.overlap, multiple=options.stft_hop_length)


def load(card: ModelCard, device: str) -> Separator:
    """Return the model, loaded once in a process for each device.

    Args:
        card: the model's, with one file.
        device: "cpu" or "cuda".

    Raises:
        ModelCardError: options are unknown, missing or do not fit.
        ModelError: the file is missing, corrupt, or not of this architecture.
    """
    options = options_of(card)

    def build(card: ModelCard, weights: list[Weights]) -> Any:
        source = f"{card.id}: {card.files[0].name}"
        if any(".branch." in name for name in weights[0]):
            from .roformer_package import package_network

            return on_device(package_network(card, options, weights[0], source), device)
        return on_device(_network(card, options, weights[0], source), device)

    return TorchSeparator(load_network(card, build, device, options, card.rate, card.channels), device)


def options_of(card: ModelCard) -> RoformerOptions:
    """Return a card's options, of the architecture that it names.

    Raises:
        ModelCardError: options are unknown, missing or do not fit.
    """
    options = read_options(card, MelRoformerOptions if card.architecture == MEL else RoformerOptions)
    if len(card.files) != 1:
        raise card_fault(card, "files", f"must be one, are {len(card.files)}")
    if card.channels > 2:
        raise card_fault(card, "layout", "the network takes mono or stereo")
    if options.dim_head % 2:
        raise card_fault(card, "options.dim_head", "must be even: positions turn pairs of numbers")
    if not options.stft_hop_length <= options.stft_win_length <= options.stft_n_fft:
        told = "stft_hop_length, stft_win_length and stft_n_fft must grow in this order"
        raise card_fault(card, "options", told)
    if not _bands(card, options).any(axis=1).all():
        told = f"leaves bands without a bin: stft_n_fft {options.stft_n_fft} is too short for them"
        raise card_fault(card, "options.num_bands", told, "take fewer bands")
    return options


def _bands(card: ModelCard, options: RoformerOptions) -> npt.NDArray[np.bool_]:
    """Return which bins each band takes, ``[bands, bins]``."""
    if isinstance(options, MelRoformerOptions):
        return mel_bands(card.rate, options.stft_n_fft, options.num_bands)
    bins = options.stft_n_fft // 2 + 1
    if sum(options.freqs_per_bands) != bins:
        told = f"sum to {sum(options.freqs_per_bands)}; stft_n_fft {options.stft_n_fft} has {bins} bins"
        raise card_fault(card, "options.freqs_per_bands", told)
    numbers = np.arange(len(options.freqs_per_bands))
    owned: npt.NDArray[np.bool_] = np.repeat(numbers, options.freqs_per_bands) == numbers[:, None]
    return owned


def _network(card: ModelCard, options: RoformerOptions, weights: Weights, source: str) -> Any:
    import torch

    from .roformer_network import network

    if isinstance(options, MelRoformerOptions) and options.linear_transformer_depth:
        told = "linear attention is of the package's later versions, the checkpoint is not"
        raise card_fault(card, "options.linear_transformer_depth", told, "write 0")
    try:
        with torch.device("meta"):  # neither time nor memory for values that are replaced at once
            net = network(_shape(card, options), _bands(card, options))
    except (RuntimeError, MemoryError) as error:
        raise CheckpointError(
            f"{source}: no network is built with the card's options: {error!s:.120}"
        ) from None
    check_keys(net.state_dict(), weights, source, architecture=card.architecture)
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    net.load_state_dict({name: value.float() for name, value in tensors.items()}, assign=True)
    return net.eval().requires_grad_(requires_grad=False)


def _shape(card: ModelCard, options: RoformerOptions) -> Shape:
    from .roformer_network import Shape

    mel = card.architecture == MEL
    return Shape(
        channels=card.channels,
        stems=len(card.stems),
        n_fft=options.stft_n_fft,
        hop=options.stft_hop_length,
        window=options.stft_win_length,
        normalized=options.stft_normalized,
        zero_dc=options.zero_dc,
        width=options.dim,
        heads=options.heads,
        head_width=options.dim_head,
        depth=options.depth,
        along_time=options.time_transformer_depth,
        along_bands=options.freq_transformer_depth,
        norm_each=mel,
        all_before=options.skip_connection,
        # The package counts the last layer in one of them, and does not in the other.
        mask_layers=options.mask_estimator_depth - (not mel),
        mask_width=options.mlp_expansion_factor,
    )
