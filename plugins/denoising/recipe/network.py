"""The networks in torch, as they are trained; exported, they run on compiled kernels without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["BandNet", "MinGru", "scan"]


class _Scan(torch.autograd.Function):
    """h[t] = keep[t] h[t - 1] + new[t] over the first axis; torch has no fast one for a CPU."""

    @staticmethod
    def forward(ctx: Any, keep: Tensor, new: Tensor) -> Tensor:
        a, h = keep.detach().numpy(), new.detach().numpy().copy()
        for t in range(1, len(h)):
            h[t] += a[t] * h[t - 1]
        state = torch.from_numpy(h)
        ctx.save_for_backward(keep, state)
        return state

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        keep, state = ctx.saved_tensors
        a, h, g = keep.detach().numpy(), state.detach().numpy(), grads[0].numpy().copy()
        for t in range(len(g) - 2, -1, -1):
            g[t] += a[t + 1] * g[t + 1]
        of_keep = np.zeros_like(g)
        np.multiply(g[1:], h[:-1], out=of_keep[1:])
        return torch.from_numpy(of_keep), torch.from_numpy(g)


def scan(keep: Tensor, new: Tensor) -> Tensor:
    """Return the linear recurrence ``h[t] = keep[t] h[t - 1] + new[t]``, ``h[-1] = 0``, ``[frames, ...]``."""
    found: Tensor = _Scan.apply(keep.contiguous(), new.contiguous())  # type: ignore[no-untyped-call]
    return found


class MinGru(nn.Module):
    """A recurrence whose gate sees the input only (Feng et al., "Were RNNs all we needed?", 2024).

    ``h[t] = (1 - z) h[t - 1] + z c`` with ``z`` and ``c`` linear in ``x[t]``, ``z`` through a sigmoid. Its
    time constants start out between two frames and half a second.
    """

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * size)
        with torch.no_grad():
            self.linear.bias[:size] = torch.linspace(-4, 1, size)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[frames, ..., size]`` of ``[frames, ..., inputs]``."""
        z, c = self.linear(x).chunk(2, -1)
        z = torch.sigmoid(z)
        return scan(1 - z, z * c)


class BandNet(nn.Module):
    """Gains for every band: convolutions over frequency around recurrences over time.

    Args:
        bands: a multiple of 8.
        channels: of the three levels of the encoder.
        hidden: size of the recurrences over the whole spectrum.
        heads: gains for each band; the first is the target's, the second that of the rest, learnt beside it.
    """

    def __init__(
        self, bands: int = 96, channels: tuple[int, int, int] = (8, 16, 32), hidden: int = 192, heads: int = 2
    ) -> None:
        super().__init__()
        one, two, three = channels
        self.places = bands // 8
        self.encode1 = nn.Conv2d(2, one, (3, 5), (1, 2), (0, 2))
        self.encode2 = nn.Conv2d(one, two, (1, 3), (1, 2), (0, 1))
        self.encode3 = nn.Conv2d(two, three, (1, 3), (1, 2), (0, 1))
        self.local = MinGru(three, three)
        self.squeeze = nn.Linear(self.places * three, hidden)
        self.first, self.between, self.second = (
            MinGru(hidden, hidden),
            nn.Linear(hidden, hidden),
            MinGru(hidden, hidden),
        )
        self.widen = nn.Linear(hidden, self.places * three)
        self.decode3 = nn.ConvTranspose2d(three, two, (1, 4), (1, 2), (0, 1))
        self.decode2 = nn.ConvTranspose2d(two, one, (1, 4), (1, 2), (0, 1))
        self.decode1 = nn.ConvTranspose2d(one, heads, (1, 4), (1, 2), (0, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return gains of features ``[mixtures, frames, 2, bands]``.

        They are 0 to 1, ``[mixtures, frames - 2, heads, bands]``. The first are those of the second frame: a
        network sees one frame before and one after.
        """
        a = torch.relu(self.encode1(x.transpose(1, 2)))
        b = torch.relu(self.encode2(a))
        c = torch.relu(self.encode3(b))
        count, channels, frames, places = c.shape
        z = c.permute(2, 0, 3, 1)
        z = z + self.local(z)
        g = torch.relu(self.squeeze(z.reshape(frames, count, places * channels)))
        g = g + self.first(g)
        g = g + self.second(torch.relu(self.between(g)))
        z = z + self.widen(g).view(frames, count, places, channels)
        u = torch.relu(self.decode3(z.permute(1, 3, 0, 2))) + b
        u = torch.relu(self.decode2(u)) + a
        gains: Tensor = torch.sigmoid(self.decode1(u)).transpose(1, 2)
        return gains
