"""The network of BS-RoFormer and Mel-RoFormer, with the key names that published checkpoints have.

Bands of the complex spectrum become features; transformers with rotary positions look along time and along
bands in turn; a small network for each stem and band makes a complex mask of what they found.

Sources: W.-T. Lu, J.-C. Wang, Q. Kong and Y.-N. Hung, "Music Source Separation with Band-Split RoPE
Transformer", ICASSP 2024; J.-C. Wang, W.-T. Lu and M. Won, "Mel-Band RoFormer for Music Source Separation",
ISMIR 2023 LBD; J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Shape", "network"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a network.

    Attributes:
        channels: of sound.
        stems: how many masks it makes.
        n_fft: samples in a frame.
        hop: samples between frames.
        window: samples of the Hann window.
        normalized: whether spectra are divided by the root of ``n_fft``.
        zero_dc: whether the lowest bin is set to zero.
        width: numbers that describe a band at a time.
        heads: of attention.
        head_width: numbers of each head.
        depth: pairs of transformers.
        along_time: layers of a transformer along time.
        along_bands: layers of a transformer along bands.
        norm_each: whether each transformer normalises its output; otherwise the last one's only.
        all_before: whether the input of each pair also holds the outputs of all pairs before.
        mask_layers: hidden layers of the mask networks.
        mask_width: their width, as a multiple of ``width``.
    """

    channels: int
    stems: int
    n_fft: int
    hop: int
    window: int
    normalized: bool
    zero_dc: bool
    width: int
    heads: int
    head_width: int
    depth: int
    along_time: int
    along_bands: int
    norm_each: bool
    all_before: bool
    mask_layers: int
    mask_width: int


def network(shape: Shape, bands: npt.NDArray[np.bool_]) -> Any:
    """Return a network with random weights that maps ``[batch, channels, samples]`` to stems of it.

    Args:
        shape: its sizes.
        bands: which bins each band takes, ``[bands, bins]``; each bin belongs to one at least.
    """
    return _RoFormer(shape, bands)


class _Norm(nn.Module):
    """Brings vectors to the length of the root of their width, times a gain for each number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Any) -> Any:
        return functional.normalize(x, dim=-1) * (x.shape[-1] ** 0.5) * self.gamma


class _Rotary(nn.Module):
    """Turns each pair of numbers by an angle that grows with the position."""

    freqs: Any

    def __init__(self, width: int) -> None:
        super().__init__()
        steps = torch.arange(0, width, 2, device="cpu")
        self.register_buffer("freqs", 10000.0 ** (-steps / width))

    def forward(self, x: Any) -> Any:
        angles = torch.arange(x.shape[-2], device=x.device)[:, None] * self.freqs
        cos, sin = angles.cos(), angles.sin()
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack((even * cos - odd * sin, odd * cos + even * sin), -1).flatten(-2)


class _Attention(nn.Module):
    """Attention with rotary positions and a gate for each head."""

    def __init__(self, shape: Shape, rotary: _Rotary) -> None:
        super().__init__()
        inner = shape.heads * shape.head_width
        self.heads = shape.heads
        self.rotary_embed = rotary
        self.norm = _Norm(shape.width)
        self.to_qkv = nn.Linear(shape.width, 3 * inner, bias=False)
        self.to_gates = nn.Linear(shape.width, shape.heads)
        self.to_out = nn.Sequential(nn.Linear(inner, shape.width, bias=False))

    def forward(self, x: Any) -> Any:
        x = self.norm(x)
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.to_qkv(x).chunk(3, -1)
        )
        seen = functional.scaled_dot_product_attention(self.rotary_embed(q), self.rotary_embed(k), v)
        gated = seen * self.to_gates(x).sigmoid().transpose(1, 2)[..., None]
        return self.to_out(gated.transpose(1, 2).flatten(-2))


class _FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        # The published networks have a dropout where the identity stands.
        self.net = nn.Sequential(
            _Norm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Identity(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Any) -> Any:
        return self.net(x)


class _Transformer(nn.Module):
    """Layers of attention and feed-forward over ``[sequences, positions, width]``."""

    def __init__(self, shape: Shape, layers: int, rotary: _Rotary) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList((_Attention(shape, rotary), _FeedForward(shape.width))) for _ in range(layers)
        )
        self.norm = _Norm(shape.width) if shape.norm_each else nn.Identity()

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            for part in layer:  # type: ignore[attr-defined]
                x = part(x) + x
        return self.norm(x)


class _Bands(nn.Module):
    """One small network for each band."""

    def __init__(self, nets: list[nn.Module], name: str) -> None:
        super().__init__()
        self.add_module(name, nn.ModuleList(nets))


def _splitting(width: int, sizes: list[int]) -> _Bands:
    return _Bands([nn.Sequential(_Norm(size), nn.Linear(size, width)) for size in sizes], "to_features")


def _masking(shape: Shape, sizes: list[int]) -> _Bands:
    hidden = [shape.mask_width * shape.width] * shape.mask_layers
    nets: list[nn.Module] = []
    for size in sizes:
        layers: list[nn.Module] = []
        for wide, narrow in zip([shape.width, *hidden], [*hidden, 2 * size], strict=True):
            layers += [nn.Linear(wide, narrow), nn.Tanh()]
        nets.append(nn.Sequential(nn.Sequential(*layers[:-1]), nn.GLU(dim=-1)))
    return _Bands(nets, "to_freqs")


class _RoFormer(nn.Module):
    layers: Any
    band_split: Any
    mask_estimators: Any
    taken: Any
    givers: Any
    counts: Any
    window: Any

    def __init__(self, shape: Shape, bands: npt.NDArray[np.bool_]) -> None:
        super().__init__()
        self.shape = shape
        taken = _taken(bands, shape.channels)
        # Two numbers for each channel of each bin.
        self.sizes = [2 * shape.channels * int(bins) for bins in bands.sum(axis=1)]
        self.register_buffer("taken", torch.from_numpy(taken), persistent=False)
        givers, counts = _givers(taken, shape.channels * bands.shape[1])
        self.register_buffer("givers", torch.from_numpy(givers), persistent=False)
        self.register_buffer("counts", torch.from_numpy(counts), persistent=False)
        self.register_buffer("window", torch.hann_window(shape.window, device="cpu"), persistent=False)
        time, band = _Rotary(shape.head_width), _Rotary(shape.head_width)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                (_Transformer(shape, shape.along_time, time), _Transformer(shape, shape.along_bands, band))
            )
            for _ in range(shape.depth)
        )
        self.final_norm = nn.Identity() if shape.norm_each else _Norm(shape.width)
        self.band_split = _splitting(shape.width, self.sizes)
        self.mask_estimators = nn.ModuleList(_masking(shape, self.sizes) for _ in range(shape.stems))

    def forward(self, batch: Any) -> Any:
        """Return ``[batch, stems, channels, samples]``."""
        spectrum = self._spectrum(batch)
        masks = self._masks(self._described(spectrum[:, self.taken]))
        # Overlapping bands are averaged. Gathered, not scattered: the same bits on every device.
        masks = functional.pad(torch.view_as_real(masks), (0, 0, 0, 0, 0, 1))
        whole: Any = sum(masks[:, :, self.givers[:, i]] for i in range(self.givers.shape[1]))
        whole = torch.view_as_complex(whole) / self.counts[:, None]
        return self._sound(spectrum[:, None] * whole, batch.shape[-1])

    def _spectrum(self, batch: Any) -> Any:
        """Return ``[batch, bins x channels, frames]``, complex."""
        made: Any = torch.stft(batch.flatten(0, 1), **self._transform(), return_complex=True)
        return made.unflatten(0, batch.shape[:2]).transpose(1, 2).flatten(1, 2)

    def _described(self, spectrum: Any) -> Any:
        """Return what the transformers find, ``[batch, frames, bands, width]``."""
        numbers: Any = torch.view_as_real(spectrum).transpose(1, 2).flatten(2)
        pieces = zip(self.band_split.to_features, numbers.split(self.sizes, -1), strict=True)
        x: Any = torch.stack([net(piece) for net, piece in pieces], -2)
        before: list[Any] = []
        for along_time, along_bands in self.layers:
            for one in before:
                x = x + one
            x = along_time(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(x), -1)).transpose(1, 2)
            x = along_bands(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            if self.shape.all_before:
                before.append(x)
        return self.final_norm(x)

    def _masks(self, x: Any) -> Any:
        """Return complex masks ``[batch, stems, bins of all bands, frames]``."""
        stems: list[Any] = []
        for estimator in self.mask_estimators:
            pieces = zip(estimator.to_freqs, x.unbind(-2), strict=True)
            stems.append(torch.cat([net(piece) for net, piece in pieces], -1))
        numbers: Any = torch.stack(stems, 1)
        return torch.view_as_complex(numbers.unflatten(-1, (-1, 2))).transpose(2, 3)

    def _sound(self, spectra: Any, samples: int) -> Any:
        shape = self.shape
        spectra = spectra.unflatten(2, (-1, shape.channels)).transpose(2, 3)
        if shape.zero_dc:
            spectra = functional.pad(spectra[..., 1:, :], (0, 0, 1, 0))
        made: Any = torch.istft(spectra.flatten(0, 2), **self._transform(), length=samples)
        return made.unflatten(0, spectra.shape[:3])

    def _transform(self) -> dict[str, Any]:
        shape = self.shape
        sizes = {"n_fft": shape.n_fft, "hop_length": shape.hop, "win_length": shape.window}
        return {**sizes, "normalized": shape.normalized, "window": self.window}


def _taken(bands: npt.NDArray[np.bool_], channels: int) -> npt.NDArray[np.int64]:
    """Return the rows of a spectrum (bins, in each its channels) that the bands take, one after the other."""
    bins = np.nonzero(bands)[1]
    return (bins[:, None] * channels + np.arange(channels)).reshape(-1)


def _givers(taken: npt.NDArray[np.int64], rows: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return where each row stands in the bands' masks, filled up with one past the end; and how often."""
    counts = np.bincount(taken, minlength=rows)
    givers = np.full((rows, counts.max()), len(taken))
    order = np.argsort(taken, kind="stable")
    starts = np.cumsum(counts) - counts
    givers[taken[order], np.arange(len(taken)) - starts[taken[order]]] = order
    return givers, counts.astype(np.float32)
