"""Planar float32 to the samples of a file: order, rounding, dither, clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...kernels.pcm import encoded, interleave, quantise
from ..contract.errors import MediaError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..contract.processor import Array
    from .channels import ChannelOrder

__all__ = ["BITS", "ENCODINGS", "Dither", "Encoder", "OnClip"]

OnClip = Literal["clip", "error", "float"]
Dither = Literal["tpdf", "none"]
#: Bits of integer sample formats.
BITS = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
#: How each sample format is stored.
ENCODINGS = {"PCM_16": "s16le", "PCM_24": "s24le", "PCM_32": "s32le", "FLOAT": "f32le"}


@dataclass
class Encoder:
    """Turns blocks of one output into samples of its format.

    Attributes:
        name: for error texts.
        subtype: PCM_16, PCM_24, PCM_32 or FLOAT.
        order: which channel goes where.
        on_clip: "error" refuses samples beyond full scale in integer formats; otherwise they are held there.
        dither: "tpdf" adds noise before rounding to 16 bits; longer samples are rounded as they are.
        seed: of the noise.
        written: samples so far.
        clipped: samples beyond full scale so far.
    """

    name: str
    subtype: str
    order: ChannelOrder
    on_clip: OnClip = "clip"
    dither: Dither = "tpdf"
    seed: int = 0
    written: int = 0
    clipped: int = 0

    def __post_init__(self) -> None:
        if self.subtype not in ENCODINGS:
            choice = f"{', '.join(BITS)} or FLOAT"
            raise MediaError(f"{self.name}: cannot hold {self.subtype}; choose {choice}")

    def values(self, block: Array) -> npt.NDArray[np.int32] | npt.NDArray[np.float32]:
        """Return ``[samples, channels]``: float32, or integers in the upper bits of int32.

        Raises:
            MediaError: a sample clips and ``on_clip`` is "error".
        """
        give = self.order.give
        if give is not None:
            block = block[list(give)]
        bits = BITS.get(self.subtype)
        if bits is None:
            self.written += block.shape[1]
            return interleave(block)
        dither = (self.seed, self.written) if bits == 16 and self.dither == "tpdf" else None
        values, clipped = quantise(block, bits, dither=dither)
        self.clipped += clipped
        if clipped and self.on_clip == "error":
            raise MediaError(
                f"{self.name}: {clipped} samples after sample {self.written} are beyond full scale; "
                "lower the level, or render with --subtype FLOAT or --on-clip clip",
            )
        self.written += block.shape[1]
        return values

    def encode(self, block: Array) -> memoryview:
        """Return the bytes of ``[channels, n]`` samples, interleaved and little-endian."""
        values = self.values(block)
        if values.dtype == np.int32:
            return encoded(values.astype(np.int32, copy=False), BITS[self.subtype]).data
        return np.ascontiguousarray(values, "<f4").reshape(-1).view(np.uint8).data
