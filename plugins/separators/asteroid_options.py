"""What the cards of asteroid's models say, under asteroid's own names for it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from .options import Options

__all__ = ["Activation", "AsteroidOptions", "Count", "Norm"]

Count: TypeAlias = Annotated[int, Meta(ge=1, le=65536)]
Norm: TypeAlias = Literal["gLN", "cLN", "cgLN", "fgLN", "bN"]
Activation: TypeAlias = Literal[
    "linear", "relu", "prelu", "leaky_relu", "sigmoid", "softmax", "tanh", "gelu", "swish"
]


class AsteroidOptions(Options, frozen=True, kw_only=True):
    """Options that all of them have.

    What a wrong value of would give wrong sound and no error has no default: a checkpoint's tensors do not
    tell it. The rest is as asteroid has it where nobody says otherwise.

    Attributes:
        kernel_size: samples in a filter of encoder and decoder.
        stride: samples between frames.
        mask_act: what the masks go through.
        n_filters: of encoder and decoder each.
        encoder_activation: what the encoder's output goes through.
        norm_type: global, channel-wise, cumulative, feature-wise, or of the batch.
        segment: seconds that the model is given at once where nobody asks for another length.
    """

    kernel_size: Count
    stride: Count
    mask_act: Activation
    n_filters: Count
    encoder_activation: Activation = "linear"
    norm_type: Norm = "gLN"
    segment: Annotated[float, Meta(ge=0.1, le=600)] = 8.0
