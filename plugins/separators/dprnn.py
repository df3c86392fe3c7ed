"""DPRNN-TasNet as asteroid trains and publishes it: the architecture ``dprnn``.

Source: Luo, Chen and Yoshioka, "Dual-Path RNN: Efficient Long Sequence Modeling for Time-Domain
Single-Channel Speech Separation", ICASSP 2020; checkpoints and their key names:
https://github.com/asteroid-team/asteroid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from .asteroid_checkpoint import geometry_of, load_asteroid
from .asteroid_options import AsteroidOptions, Count
from .options import read_options

if TYPE_CHECKING:
    from typing import Any

    from ...host.models import ModelCard
    from .separator import Geometry
    from .torch_separator import TorchSeparator

__all__ = ["DprnnOptions", "geometry", "load"]


class DprnnOptions(AsteroidOptions, frozen=True, kw_only=True):
    """Options of a DPRNN, by asteroid's names; a card of a published model states those of its recipe.

    Attributes:
        chunk_size: frames in a chunk.
        hop_size: frames between chunks; 0: half a chunk.
        n_repeats: blocks, each along the chunks and across them.
        bn_chan: channels between the recurrent networks.
        hid_size: units in each of them, for each direction.
        bidirectional: whether it looks across chunks in both directions.
        rnn_type: of what kind they are.
        num_layers: layers in each.
        use_mulcat: whether each is a product of two, beside its input.
    """

    n_filters: Count = 64
    chunk_size: Annotated[int, Meta(ge=2, le=65536)]
    hop_size: Annotated[int, Meta(ge=0, le=65536)] = 0
    n_repeats: Annotated[int, Meta(ge=1, le=64)] = 6
    bn_chan: Count = 128
    hid_size: Count = 128
    bidirectional: bool = True
    rnn_type: Literal["LSTM", "GRU", "RNN"] = "LSTM"
    num_layers: Annotated[int, Meta(ge=1, le=16)] = 1
    use_mulcat: bool = False

    def __post_init__(self) -> None:
        if self.hop_size > self.chunk_size:
            raise ValueError(f"hop_size {self.hop_size} is more than chunk_size {self.chunk_size}")

    @property
    def hop(self) -> int:
        """Frames between chunks."""
        return self.hop_size or self.chunk_size // 2


def geometry(card: ModelCard) -> Geometry:
    """Return the geometry of a DPRNN.

    Raises:
        ModelCardError: the card's options are not those of a DPRNN.
    """
    return geometry_of(card, read_options(card, DprnnOptions))


def load(card: ModelCard, device: str) -> TorchSeparator:
    """Return a DPRNN with its weights.

    Raises:
        ModelError: its file is missing, corrupt, or not of this network.
        ModelCardError: the card's options are not those of a DPRNN.
    """
    options = read_options(card, DprnnOptions)

    def network() -> Any:
        from .dprnn_network import dprnn

        return dprnn(options, len(card.stems))

    return load_asteroid(card, options, network, device)
