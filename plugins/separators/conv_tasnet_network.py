"""The masker of Conv-TasNet: stacks of dilated convolutions. Importing this module imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from .asteroid_network import TasNet, activation, norm

if TYPE_CHECKING:
    from .conv_tasnet import ConvTasNetOptions

__all__ = ["conv_tasnet"]


def conv_tasnet(options: ConvTasNetOptions, speakers: int) -> TasNet:
    """Return Conv-TasNet without its weights, as asteroid names them.

    Args:
        options: the model's.
        speakers: how many it separates.
    """
    bank = (options.n_filters, options.kernel_size, options.stride)
    return TasNet(_Masker(options, speakers), *bank, options.encoder_activation)


class _Masker(nn.Module):
    """Maps ``[batch, filters, frames]`` to masks ``[batch, speakers, filters, frames]``."""

    def __init__(self, options: ConvTasNetOptions, speakers: int) -> None:
        super().__init__()
        self._shape = (speakers, options.n_filters)
        self._skips = bool(options.skip_chan)
        self.bottleneck = nn.Sequential(
            norm(options.norm_type, options.n_filters), nn.Conv1d(options.n_filters, options.bn_chan, 1)
        )
        dilations = [2**block for block in range(options.n_blocks)] * options.n_repeats
        self.TCN = nn.ModuleList([_Block(options, dilation) for dilation in dilations])
        self.mask_net = nn.Sequential(
            nn.PReLU(), nn.Conv1d(options.skip_chan or options.bn_chan, speakers * options.n_filters, 1)
        )
        self.output_act = activation(options.mask_act)

    def forward(self, frames: Tensor) -> Tensor:
        x = self.bottleneck(frames)
        skips: Tensor | None = None
        for block in self.TCN:
            residual, skip = block(x)
            x = x + residual
            if skip is not None:
                skips = skip if skips is None else skips + skip
        scores = self.mask_net(x if skips is None else skips)
        masks: Tensor = self.output_act(scores.unflatten(1, self._shape))
        return masks


class _Block(nn.Module):
    """One dilated depth-wise convolution between two of length one."""

    def __init__(self, options: ConvTasNetOptions, dilation: int) -> None:
        super().__init__()
        hidden = options.hid_chan
        reach = (options.conv_kernel_size - 1) * dilation
        depthwise: nn.Module = nn.Conv1d(
            hidden,
            hidden,
            options.conv_kernel_size,
            padding=reach if options.causal else reach // 2,
            dilation=dilation,
            groups=hidden,
        )
        if options.causal:
            depthwise = nn.Sequential(depthwise, _Without(reach))
        self.shared_block = nn.Sequential(
            nn.Conv1d(options.bn_chan, hidden, 1),
            nn.PReLU(),
            norm(options.norm_type, hidden),
            depthwise,
            nn.PReLU(),
            norm(options.norm_type, hidden),
        )
        self.res_conv = nn.Conv1d(hidden, options.bn_chan, 1)
        self.skip_conv = nn.Conv1d(hidden, options.skip_chan, 1) if options.skip_chan else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        shared = self.shared_block(x)
        return self.res_conv(shared), None if self.skip_conv is None else self.skip_conv(shared)


class _Without(nn.Module):
    """Takes off what a causal convolution's padding has added behind."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self._frames = frames

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : x.shape[-1] - self._frames]
