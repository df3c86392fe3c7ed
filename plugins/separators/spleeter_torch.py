"""Spleeter's U-Net as a torch module with the key names of its published conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...host.contract.torch_segments import on_device, run_network
from ...host.models import check_keys
from .spleeter_shapes import DOWN, UP

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ...host.models import ModelCard, Weights

__all__ = ["Networks", "UNet", "build_networks"]


#: How many batches a normalisation saw in training; files do not say it.
_COUNTER = ".num_batches_tracked"


class UNet(nn.Module):
    """Magnitudes ``[batch, 2, frames, 1024]`` to the estimate of one stem's; frames in multiples of 64."""

    def __init__(self) -> None:
        super().__init__()
        for level, (before, after) in enumerate(DOWN, 1):
            conv = nn.Conv2d(before, after, 5, stride=2)
            self.add_module(f"down{level}_conv", nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), conv))
            norm = nn.BatchNorm2d(after, eps=1e-3)
            self.add_module(f"down{level}_act", nn.Sequential(norm, nn.LeakyReLU(0.2)))
        for level, (before, after) in enumerate(UP, 1):
            layers = [
                nn.ConvTranspose2d(before, after, 5, stride=2),
                nn.ReLU(),
                nn.Identity(),
                nn.BatchNorm2d(after, eps=1e-3),
            ]
            self.add_module(f"up{level}", nn.Sequential(*layers))
        self.up7 = nn.Sequential(nn.Conv2d(1, 2, 4, dilation=2, padding=3), nn.Sigmoid())

    def forward(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Return the estimate, at most the mixture's magnitude."""
        x, skips = magnitudes, []
        for level in range(1, len(DOWN) + 1):
            skips.append(self.get_submodule(f"down{level}_conv")(x))
            x = self.get_submodule(f"down{level}_act")(skips[-1])
        x = skips.pop()
        for level in range(1, len(UP) + 1):
            if level > 1:
                x = torch.cat([skips.pop(), x], dim=1)
            convolve, relu, _, normalise = self.get_submodule(f"up{level}").children()
            x = normalise(relu(convolve(x)[:, :, 1:-2, 1:-2]))
        estimate: torch.Tensor = self.up7(x) * magnitudes
        return estimate


class Networks:
    """The networks of all stems on one device."""

    def __init__(self, nets: list[UNet], device: str) -> None:
        self._nets, self._device = nets, device

    def __call__(self, magnitudes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return estimates ``[stems, channels, frames, bins]`` from ``[channels, frames, bins]``."""

        def estimates(x: Any) -> Any:
            return torch.cat([net(x) for net in self._nets])

        return run_network(estimates, magnitudes[None], self._device)


def build_networks(card: ModelCard, weights: list[Weights], device: str) -> Networks:
    """Return the networks of a card on a device, in evaluation mode.

    Raises:
        CheckpointError: a file is not a Spleeter's.
        PluginError: torch cannot use the device.
    """
    nets = []
    for file, given in zip(card.files, weights, strict=True):
        with torch.device("meta"):  # neither time nor random numbers for values that are replaced at once
            net = UNet()
        state = net.state_dict()
        wanted = {name: value for name, value in state.items() if not name.endswith(_COUNTER)}
        check_keys(wanted, given, file.name, architecture="spleeter")
        tensors = {name: torch.from_numpy(given[name]) for name in wanted}
        counters = {name: torch.zeros((), dtype=torch.int64) for name in state if name not in wanted}
        net.load_state_dict({**tensors, **counters}, assign=True)
        nets.append(on_device(net.eval().requires_grad_(requires_grad=False), device))
    return Networks(nets, device)
