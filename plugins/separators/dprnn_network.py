"""The masker of DPRNN: recurrent networks along chunks of frames and across them.

Importing this module imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .asteroid_network import TasNet, activation, norm

if TYPE_CHECKING:
    from collections.abc import Callable

    from .dprnn import DprnnOptions

__all__ = ["dprnn"]


def dprnn(options: DprnnOptions, speakers: int) -> TasNet:
    """Return DPRNN-TasNet without its weights, as asteroid names them.

    Args:
        options: the model's.
        speakers: how many it separates.
    """
    bank = (options.n_filters, options.kernel_size, options.stride)
    return TasNet(_Masker(options, speakers), *bank, options.encoder_activation)


class _Masker(nn.Module):
    """Maps ``[batch, filters, frames]`` to masks ``[batch, speakers, filters, frames]``.

    Inside, chunks lie as ``[batch, chunks, places, channels]``, which recurrent networks take without a copy.
    """

    def __init__(self, options: DprnnOptions, speakers: int) -> None:
        super().__init__()
        channels = options.bn_chan
        self._chunk, self._hop, self._speakers = options.chunk_size, options.hop, speakers
        self.bottleneck = nn.Sequential(
            norm(options.norm_type, options.n_filters), nn.Conv1d(options.n_filters, channels, 1)
        )
        self.net = nn.Sequential(*(_Block(options) for _ in range(options.n_repeats)))
        self.first_out = nn.Sequential(nn.PReLU(), nn.Conv2d(channels, speakers * channels, 1))
        self.net_out = nn.Sequential(nn.Conv1d(channels, channels, 1), nn.Tanh())
        self.net_gate = nn.Sequential(nn.Conv1d(channels, channels, 1), nn.Sigmoid())
        self.mask_net = nn.Conv1d(channels, options.n_filters, 1, bias=False)
        self.output_act = activation(options.mask_act)

    def forward(self, frames: Tensor) -> Tensor:
        chunks = self.net(self._cut(self.bottleneck(frames)))
        spread = self.first_out(chunks.movedim(-1, 1))  # [batch, speakers * channels, chunks, places]
        x = self._overlapped(spread.unflatten(1, (self._speakers, -1)).flatten(0, 1), frames.shape[-1])
        x = self.net_out(x) * self.net_gate(x)
        masks: Tensor = self.output_act(self.mask_net(x))
        return masks.reshape(-1, self._speakers, *masks.shape[1:])

    def _cut(self, x: Tensor) -> Tensor:
        """Cut ``[batch, channels, frames]`` into overlapping chunks, with one of zeros before and behind."""
        padded = functional.pad(x, (self._chunk, self._chunk))
        return padded.unfold(-1, self._chunk, self._hop).movedim(1, -1).contiguous()

    def _overlapped(self, chunks: Tensor, frames: int) -> Tensor:
        """Add ``[batch, channels, chunks, places]`` up to ``[batch, channels, frames]``."""
        batch, channels = chunks.shape[:2]
        columns = chunks.transpose(2, 3).reshape(batch, channels * self._chunk, -1)
        window = {"kernel_size": (self._chunk, 1), "padding": (self._chunk, 0), "stride": (self._hop, 1)}
        return functional.fold(columns, (frames, 1), **window)[..., 0]


class _Block(nn.Module):
    """Along each chunk in both directions, then from chunk to chunk, each with a residual."""

    def __init__(self, options: DprnnOptions) -> None:
        super().__init__()
        channels = options.bn_chan
        recurrent: Any = _Gated if options.use_mulcat else _Plain
        self.intra_RNN = recurrent(options, both=True)
        self.intra_linear = nn.Linear(self.intra_RNN.width, channels)
        self.intra_norm = norm(options.norm_type, channels)
        self.inter_RNN = recurrent(options, both=options.bidirectional)
        self.inter_linear = nn.Linear(self.inter_RNN.width, channels)
        self.inter_norm = norm(options.norm_type, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[batch, chunks, places, channels]`` of the same shape."""
        along = self.intra_linear(self.intra_RNN(x.flatten(0, 1))).reshape(x.shape)
        x = x + self.intra_norm(along.movedim(-1, 1)).movedim(1, -1)
        turned = x.transpose(1, 2)
        across = self.inter_linear(self.inter_RNN(turned.flatten(0, 1))).reshape(turned.shape)
        normed: Tensor = self.inter_norm(across.movedim(-1, 1))
        return x + normed.movedim(1, -1).transpose(1, 2)


class _Plain(nn.Module):
    """One recurrent network."""

    def __init__(self, options: DprnnOptions, *, both: bool) -> None:
        super().__init__()
        self.rnn = _recurrent(options, both=both)
        self.width = options.hid_size * (1 + both)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.rnn(x)[0]
        return made


class _Gated(nn.Module):
    """The product of two recurrent networks, beside what goes in.

    Source: Nachmani, Adi and Wolf, "Voice Separation with an Unknown Number of Multiple Speakers", ICML 2020.
    """

    def __init__(self, options: DprnnOptions, *, both: bool) -> None:
        super().__init__()
        self.rnn1 = _recurrent(options, both=both)
        self.rnn2 = _recurrent(options, both=both)
        self.width = options.hid_size * (1 + both) + options.bn_chan

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.rnn1(x)[0] * self.rnn2(x)[0], x], -1)


def _recurrent(options: DprnnOptions, *, both: bool) -> nn.Module:
    kinds: dict[str, Callable[..., nn.Module]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
    return kinds[options.rnn_type](
        options.bn_chan,
        options.hid_size,
        num_layers=options.num_layers,
        batch_first=True,
        bidirectional=both,
    )
