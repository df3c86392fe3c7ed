"""The parts that asteroid's TasNets share: learnt filterbanks, norms, activations, and the mask between.

Importing this module imports torch, so it is imported only when a network is built. Names of submodules and
parameters are those of the published checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from .asteroid_options import Activation, Norm

__all__ = ["TasNet", "activation", "norm"]

_EPSILON = 1e-8


class TasNet(nn.Module):
    """Masks over a learnt filterbank: ``[batch, 1, samples]`` to ``[batch, speakers, 1, samples]``.

    The waveform is cut into frames of ``kernel_size`` samples, one each ``stride``, and correlated with the
    encoder's filters; each speaker's mask weighs the result, and the decoder's filters are overlap-added.
    Samples at the end that fill no frame come out as zeros.

    Args:
        masker: maps ``[batch, filters, frames]`` to masks ``[batch, speakers, filters, frames]``.
        n_filters: of encoder and decoder each.
        kernel_size: samples in a filter.
        stride: samples between frames.
        encoder_activation: what the encoder's output goes through.

    Source: Luo and Mesgarani, "Conv-TasNet: Surpassing Ideal Time-Frequency Magnitude Masking for Speech
    Separation", IEEE/ACM TASLP 27(8), 2019.
    """

    def __init__(
        self,
        masker: nn.Module,
        n_filters: int,
        kernel_size: int,
        stride: int,
        encoder_activation: Activation,
    ) -> None:
        super().__init__()
        self.encoder = _Bank(n_filters, kernel_size)
        self.masker = masker
        self.decoder = _Bank(n_filters, kernel_size)
        self.enc_activation = activation(encoder_activation)
        self.stride = stride

    def forward(self, mixture: Tensor) -> Tensor:
        """Return every speaker of every mixture."""
        samples = mixture.shape[-1]
        short = self.encoder.filters.shape[-1] - samples
        if short > 0:
            mixture = functional.pad(mixture, (0, short))
        frames = self.enc_activation(functional.conv1d(mixture, self.encoder.filters, stride=self.stride))
        masks = self.masker(frames)
        batch, speakers = masks.shape[:2]
        masked = (masks * frames[:, None]).flatten(0, 1)
        decoded = functional.conv_transpose1d(masked, self.decoder.filters, stride=self.stride)
        whole = functional.pad(decoded, (0, samples - decoded.shape[-1]))
        return whole.reshape(batch, speakers, 1, samples)


class _Bank(nn.Module):
    """Holds filters ``[filters, 1, samples]`` under the name that the checkpoints give them."""

    def __init__(self, n_filters: int, kernel_size: int) -> None:
        super().__init__()
        self.filterbank = nn.ParameterDict({"_filters": torch.zeros(n_filters, 1, kernel_size)})

    @property
    def filters(self) -> Tensor:
        filters: Tensor = self.filterbank["_filters"]
        return filters


class _Norm(nn.Module):
    """A norm with a gain and an offset for each channel, over ``[batch, channels, ...]``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))


class _GlobalNorm(_Norm):
    """Over everything of one item of the batch (gLN)."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.group_norm(x, 1, self.gamma, self.beta, _EPSILON)


class _ChannelNorm(_Norm):
    """Over the channels, at each place by itself (cLN)."""

    def forward(self, x: Tensor) -> Tensor:
        last = x.movedim(1, -1)
        return functional.layer_norm(last, last.shape[-1:], self.gamma, self.beta, _EPSILON).movedim(-1, 1)


class _FeatureNorm(_Norm):
    """Over time, for each channel by itself (fgLN)."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.instance_norm(x, weight=self.gamma, bias=self.beta, eps=_EPSILON)


class _CumulativeNorm(_Norm):
    """Over all channels and all frames so far (cgLN); for ``[batch, channels, frames]`` only."""

    def forward(self, x: Tensor) -> Tensor:
        # In float64: in float32 a mean of squares minus a squared mean loses what matters in a long segment.
        each = [one.sum(1, keepdim=True, dtype=torch.float64) for one in (x, x.square())]
        # Both at once: of a single row CUDA gives other bits each time.
        both = torch.stack(each).cumsum(-1)
        sums, squares = both[0], both[1]
        count = x.shape[1] * torch.arange(1, x.shape[-1] + 1, dtype=torch.float64, device=x.device)
        mean = sums / count
        deviation = (squares / count - mean.square() + _EPSILON).sqrt()
        return (x - mean.float()) / deviation.float() * self.gamma[:, None] + self.beta[:, None]


class _BatchNorm(nn.BatchNorm1d):
    """The statistics of training (bN), over any number of axes behind the channels."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        pass


def norm(kind: Norm, channels: int) -> nn.Module:
    """Return a norm over ``[batch, channels, ...]`` by asteroid's name for it."""
    kinds: dict[Norm, Callable[[int], nn.Module]] = {
        "gLN": _GlobalNorm,
        "cLN": _ChannelNorm,
        "cgLN": _CumulativeNorm,
        "fgLN": _FeatureNorm,
        "bN": _BatchNorm,
    }
    return kinds[kind](channels)


def activation(kind: Activation) -> nn.Module:
    """Return an activation by asteroid's name for it; softmax runs over the second axis."""
    kinds: dict[Activation, Callable[[], nn.Module]] = {
        "linear": nn.Identity,
        "relu": nn.ReLU,
        "prelu": nn.PReLU,
        "leaky_relu": nn.LeakyReLU,
        "sigmoid": nn.Sigmoid,
        "softmax": lambda: nn.Softmax(dim=1),
        "tanh": nn.Tanh,
        "gelu": nn.GELU,
        "swish": nn.SiLU,
    }
    return kinds[kind]()
