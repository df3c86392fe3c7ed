"""Open-Unmix: a network for each stem on magnitudes, and a multichannel Wiener filter that joins them.

The path of a segment is that of the authors' own separator: the transform of torch.stft (Hann, centred,
mirrored at the ends), every network on the mixture's magnitudes, one iteration of expectation-maximisation in
excerpts of 300 frames, and the inverse transform. The filter computes in float64, as the authors advise.

Sources: F.-R. Stoeter, S. Uhlich, A. Liutkus and Y. Mitsufuji, "Open-Unmix - A Reference Implementation for
Music Source Separation", Journal of Open Source Software 4(41), 2019 (the networks and the path); for the
filter see `kernels.multichannel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta

from ...host.contract.torch_segments import on_device, run_network
from ...host.models import ModelCard, Weights, load_network
from ...kernels.multichannel import multichannel_wiener
from ...kernels.spectra import istft, stft
from .options import Options, card_fault, read_options
from .separator import Geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .separator import Separator

__all__ = ["OpenUnmixOptions", "geometry", "load"]

#: The authors' regularisation of the filter.
_EPS = 1e-10
#: Frames of a default segment: whole excerpts of the filter, and as long as songs need for its statistics.
_FRAMES = 897


class OpenUnmixOptions(Options, frozen=True):
    """What a card may say; the sizes of the networks stand in their files.

    Attributes:
        n_fft: samples in a frame.
        hop: samples between frames, at most half a frame.
        iterations: of expectation-maximisation; 0 takes the networks' magnitudes with the mixture's phase.
        excerpt: frames that share a spatial covariance.
        residual: whether the last stem is what the networks leave of the mixture; it joins the filter.
    """

    n_fft: Annotated[int, Meta(ge=64, le=65536)] = 4096
    hop: Annotated[int, Meta(ge=16, le=32768)] = 1024
    iterations: Annotated[int, Meta(ge=0, le=10)] = 1
    excerpt: Annotated[int, Meta(ge=1, le=100_000)] = 300
    residual: bool = False


def geometry(card: ModelCard) -> Geometry:
    """Return the segments: 20.8 s by default for the published models, which know no longest one.

    Raises:
        ModelCardError: options are unknown or do not fit, or stems and files do not.

    Example:
        >>> from unbraid.host.models import Licence, ModelCard, ModelFile
        >>> file = ModelFile("vocals.pth", "torch", "0" * 64, 1)
        >>> stems, mit = ("vocals", "rest"), Licence("MIT", "MIT")
        >>> a = ("a", "A", "open-unmix", 44100, "stereo", stems, (file,), mit, "", {"residual": True})
        >>> card = ModelCard(*a)
        >>> geometry(card).samples(10, card.rate)
        442368
    """
    options = _options(card)
    windows = max(1, _FRAMES * options.hop // options.n_fft)
    return Geometry(segment=windows * options.n_fft, overlap=0.1, multiple=options.n_fft)


def load(card: ModelCard, device: str) -> Separator:
    """Return the model; its networks are loaded once in a process for each device.

    Args:
        card: the model's; its files are one for each stem, in the order of the stems.
        device: "cpu" or "cuda"; the transforms and the filter run on the CPU.

    Raises:
        ModelCardError: options are unknown or do not fit, or stems and files do not.
        ModelError: a file is missing, corrupt, or not of this architecture.
    """
    options = _options(card)

    def build(card: ModelCard, weights: list[Weights]) -> Any:
        from torch.nn import ModuleList

        from .open_unmix_network import network_of

        nets = [
            network_of(
                one,
                f"{card.id}: {file.name}",
                rate=card.rate,
                channels=card.channels,
                n_fft=options.n_fft,
            )
            for one, file in zip(weights, card.files, strict=True)
        ]
        return on_device(ModuleList(nets), device)

    return _OpenUnmix(
        load_network(card, build, device, options.n_fft, card.rate, card.channels), options, device
    )


def _options(card: ModelCard) -> OpenUnmixOptions:
    options = read_options(card, OpenUnmixOptions)
    if options.n_fft.bit_count() != 1 or options.hop.bit_count() != 1 or 2 * options.hop > options.n_fft:
        told = f"n_fft {options.n_fft} and hop {options.hop} must be powers of 2, hop at most half of n_fft"
        raise card_fault(card, "options", told, "the published models have n_fft: 4096 and hop: 1024")
    wanted = len(card.files) + options.residual
    if len(card.stems) != wanted:
        one_more = ", and one for the residual" if options.residual else ""
        told = f"has {len(card.stems)} for {len(card.files)} files: each file makes one stem{one_more}"
        raise card_fault(card, "stems", told)
    if options.iterations and wanted < 2:
        remedy = "add residual: true and a second stem, or iterations: 0"
        raise card_fault(card, "options.iterations", "a single stem has nothing to be filtered from", remedy)
    return options


class _OpenUnmix:
    """The networks with their filter; see `Separator`."""

    def __init__(self, nets: Sequence[Any], options: OpenUnmixOptions, device: str) -> None:
        self._nets, self._options, self._device = nets, options, device

    def separate(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the stems of every segment."""
        segments, channels, samples = batch.shape
        n_fft, hop = self._options.n_fft, self._options.hop
        mixtures = stft(np.ascontiguousarray(batch.reshape(-1, samples)), n_fft, hop)
        mixtures = mixtures.reshape(segments, channels, *mixtures.shape[1:])
        magnitudes = self._magnitudes(np.abs(mixtures))
        out = np.empty((segments, len(magnitudes), channels, samples), np.float32)
        for k, mixture in enumerate(mixtures):
            stems = self._filtered(mixture, np.ascontiguousarray(magnitudes[:, k]))
            flat = stems.reshape(-1, *stems.shape[2:])
            out[k] = istft(flat, n_fft, hop, length=samples).reshape(out.shape[1:])
        return out

    def _magnitudes(self, mixture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``[stems, segments, channels, frames, bins]``."""
        found = np.empty((len(self._nets) + self._options.residual, *mixture.shape), np.float32)
        for k, net in enumerate(self._nets):
            found[k] = run_network(net, mixture, self._device)
        if self._options.residual:
            # Below zero where the networks see more than there is: the filter then turns the phase around.
            np.subtract(mixture, found[:-1].sum(axis=0), out=found[-1])
        return found

    def _filtered(
        self, mixture: npt.NDArray[np.complex64], magnitudes: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.complex64]:
        return multichannel_wiener(
            mixture,
            magnitudes,
            window=self._options.excerpt,
            overlap=0,
            iterations=self._options.iterations,
            use_softmask=False,
            eps=_EPS,
        )
