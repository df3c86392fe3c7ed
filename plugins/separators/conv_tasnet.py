"""Conv-TasNet as asteroid trains and publishes it: the architecture ``conv-tasnet``.

Source: Luo and Mesgarani, "Conv-TasNet: Surpassing Ideal Time-Frequency Magnitude Masking for Speech
Separation", IEEE/ACM TASLP 27(8), 2019; checkpoints and their key names: https://github.com/asteroid-team/asteroid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from .asteroid_checkpoint import geometry_of, load_asteroid
from .asteroid_options import AsteroidOptions, Count
from .options import read_options

if TYPE_CHECKING:
    from typing import Any

    from ...host.models import ModelCard
    from .separator import Geometry
    from .torch_separator import TorchSeparator

__all__ = ["ConvTasNetOptions", "geometry", "load"]


class ConvTasNetOptions(AsteroidOptions, frozen=True, kw_only=True):
    """Options of a Conv-TasNet, by asteroid's names; a card of a published model states those of its recipe.

    Attributes:
        n_blocks: convolutions in a stack, each with twice the dilation of the one before.
        n_repeats: stacks.
        bn_chan: channels between the convolutions.
        hid_chan: channels inside them.
        skip_chan: channels of the skip connections; 0: there are none.
        conv_kernel_size: frames in a convolution.
        causal: whether it looks at no later frame.
    """

    n_filters: Count = 512
    n_blocks: Annotated[int, Meta(ge=1, le=16)]
    n_repeats: Annotated[int, Meta(ge=1, le=64)]
    bn_chan: Count = 128
    hid_chan: Count = 512
    skip_chan: Annotated[int, Meta(ge=0, le=65536)] = 128
    conv_kernel_size: Count = 3
    causal: bool = False


def geometry(card: ModelCard) -> Geometry:
    """Return the geometry of a Conv-TasNet.

    Raises:
        ModelCardError: the card's options are not those of a Conv-TasNet.
    """
    return geometry_of(card, read_options(card, ConvTasNetOptions))


def load(card: ModelCard, device: str) -> TorchSeparator:
    """Return a Conv-TasNet with its weights.

    Raises:
        ModelError: its file is missing, corrupt, or not of this network.
        ModelCardError: the card's options are not those of a Conv-TasNet.
    """
    options = read_options(card, ConvTasNetOptions)

    def network() -> Any:
        from .conv_tasnet_network import conv_tasnet

        return conv_tasnet(options, len(card.stems))

    return load_asteroid(card, options, network, device)
