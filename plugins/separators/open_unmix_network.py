"""The network of Open-Unmix: three LSTM layers that tell from a mixture's magnitudes those of one stem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ...host.models import CheckpointError, check_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = ["OpenUnmixNet", "Sizes", "network_of", "sizes_of"]

#: What published files hold beside the network: the rate, and the transform's window under two names.
_BESIDE = ("sample_rate", "stft.window", "transform.0.window")
_COUNTER = ".num_batches_tracked"


class Sizes:
    """The sizes of a network, as the shapes of its tensors tell them.

    Attributes:
        channels: of the mixture.
        heard: bins from 0 Hz on that the network looks at.
        bins: bins that it answers for.
        hidden: width between the layers.
        layers: of the LSTM.
        both_ways: whether the LSTM also runs backwards.
    """

    def __init__(self, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        # Where a tensor is missing the published size stands in, so that `check_keys` tells all at once.
        self.hidden, inputs = _shape(weights, "fc1.weight", (512, 2974))
        (self.heard,) = _shape(weights, "input_mean", (1487,))
        (self.bins,) = _shape(weights, "output_scale", (2049,))
        self.channels = max(1, inputs // max(1, self.heard))
        self.layers = max(1, sum(name.startswith("lstm.weight_ih_l") for name in weights))
        self.both_ways = "lstm.weight_ih_l0_reverse" in weights
        if self.both_ways:
            self.layers = max(1, self.layers // 2)


def _shape(weights: Mapping[str, npt.NDArray[Any]], name: str, published: tuple[int, ...]) -> tuple[int, ...]:
    shape = weights[name].shape if name in weights else ()
    return shape if len(shape) == len(published) and all(shape) else published


def sizes_of(weights: Mapping[str, npt.NDArray[Any]]) -> Sizes:
    """Return the sizes that a checkpoint's tensors tell."""
    return Sizes(weights)


class OpenUnmixNet(nn.Module):
    """From a mixture's magnitudes to those of one stem, by a mask.

    Its parameters have the names of the published checkpoints.

    Args:
        sizes: of its layers.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        hidden, outputs = sizes.hidden, sizes.channels * sizes.bins
        ways = 2 if sizes.both_ways else 1
        self.fc1 = nn.Linear(sizes.channels * sizes.heard, hidden, bias=False)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.lstm = nn.LSTM(hidden, hidden // ways, sizes.layers, bidirectional=sizes.both_ways)
        self.fc2 = nn.Linear(2 * hidden, hidden, bias=False)
        self.bn2 = nn.BatchNorm1d(hidden)
        self.fc3 = nn.Linear(hidden, outputs, bias=False)
        self.bn3 = nn.BatchNorm1d(outputs)
        self.input_mean = nn.Parameter(torch.zeros(sizes.heard))  # minus the mean, as it is published
        self.input_scale = nn.Parameter(torch.ones(sizes.heard))
        self.output_mean = nn.Parameter(torch.ones(sizes.bins))
        self.output_scale = nn.Parameter(torch.ones(sizes.bins))

    def forward(self, magnitudes: Any) -> Any:
        """Return the stem's magnitudes, of the input's shape.

        Args:
            magnitudes: ``[batch, channels, frames, bins]``.
        """
        batch, channels, frames, bins = magnitudes.shape
        heard = (magnitudes[..., : self.sizes.heard] + self.input_mean) * self.input_scale
        rows = heard.permute(2, 0, 1, 3).reshape(frames * batch, -1)  # time first, as the LSTM wants it
        narrow = torch.tanh(self.bn1(self.fc1(rows)))
        remembered, _ = self.lstm(narrow.view(frames, batch, -1))
        both = torch.cat([narrow, remembered.reshape(frames * batch, -1)], dim=1)
        wide = self.bn3(self.fc3(torch.relu(self.bn2(self.fc2(both)))))
        mask = torch.relu(wide.view(frames, batch, channels, bins) * self.output_scale + self.output_mean)
        return mask.permute(1, 2, 0, 3) * magnitudes


def network_of(
    weights: Mapping[str, npt.NDArray[Any]],
    source: str,
    *,
    rate: int,
    channels: int,
    n_fft: int,
) -> OpenUnmixNet:
    """Return the network of one published file, in evaluation mode on the CPU.

    Args:
        weights: the file's tensors.
        source: its name in error texts.
        rate: the card's, in Hz.
        channels: the card's.
        n_fft: samples in a frame, as the card's options say.

    Raises:
        CheckpointError: the tensors are of another network, or of another rate, window or layout than the
            card says.
    """
    sizes = sizes_of(weights)
    with torch.device("meta"):  # shapes without memory: a file may claim any size
        net = OpenUnmixNet(sizes)
    wanted = net.state_dict()
    given = {name: array for name, array in weights.items() if name not in _BESIDE}
    # How many batches a normalisation saw in training says nothing about its result.
    given |= {name: np.zeros((), np.int64) for name in wanted if name.endswith(_COUNTER)}
    check_keys(wanted, given, source, architecture="open-unmix")
    _check_card(weights, sizes, source, rate, channels, n_fft)
    tensors = {name: _tensor(given[name], wanted[name].dtype, f"{source}: {name}") for name in wanted}
    net.load_state_dict(tensors, assign=True)
    return net.eval().requires_grad_(requires_grad=False)


def _check_card(
    weights: Mapping[str, npt.NDArray[Any]],
    sizes: Sizes,
    source: str,
    rate: int,
    channels: int,
    n_fft: int,
) -> None:
    """Hold what the file says of itself against the card."""
    told = {"channels": (sizes.channels, channels), "bins": (sizes.bins, n_fft // 2 + 1)}
    if "sample_rate" in weights:
        told["Hz"] = (round(float(weights["sample_rate"].max(initial=0))), rate)
    for name in _BESIDE[1:]:
        if name in weights:
            told[f"samples of {name}"] = (weights[name].size, n_fft)
    for what, (found, wanted) in told.items():
        if found != wanted:
            raise CheckpointError(
                f"{source}: is for {found} {what}, the card says {wanted}; correct the card, or is it "
                "the checkpoint of another model?"
            )


def _tensor(array: npt.NDArray[Any], dtype: Any, place: str) -> Any:
    if array.dtype.kind not in ("f" if dtype.is_floating_point else "iu"):
        raise CheckpointError(f"{place} holds {array.dtype}; is it the checkpoint of another network?")
    return torch.from_numpy(array).to(dtype)
