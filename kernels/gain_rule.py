"""`GainRule`: what gives gains of frames, compiled; `gain_stream` makes a node of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .arguments import check_count
from .machine import address_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from .machine import Kernel

__all__ = ["GainRule"]


class GainRule(ABC):
    """Base of compiled rules: `BandGains`, `OmLsa`, `WindGains`.

    Its function is ``int32 f(void* state, const float* spectra, float* gains, int64 frames)``: it reads
    complex64 ``spectra [channels, frames, bins]``, fills float32 ``gains [channels, frames, bins]`` and
    returns 0, or a code that ends the stream as an error. What it does must not depend on how frames are cut
    into calls.

    Args:
        channels: of every call.
        bins: of every frame.
        block: the most frames of one call; None for any number.

    Attributes:
        channels, bins, block: as given.
        state: address that goes with `function`, from `_keep` on.
    """

    kernel: ClassVar[Kernel]

    def __init__(self, channels: int, bins: int, block: int | None = None) -> None:
        self.channels = check_count("channels", channels, 1, 1 << 16)
        self.bins = check_count("bins", bins, 1, 1 << 24)
        self.block = None if block is None else check_count("block", block)

    def _keep(self, *fields: int | npt.NDArray[np.generic]) -> None:
        """Make the table that the function reads, of numbers and of arrays' addresses; the arrays stay."""
        self._kept = [field for field in fields if isinstance(field, np.ndarray)]
        values = [address_of(field) if isinstance(field, np.ndarray) else field for field in fields]
        self._table = np.array(values, np.int64)
        self.state = address_of(self._table)

    @property
    def function(self) -> int:
        """The address of the function."""
        return self.kernel.address

    @abstractmethod
    def reset(self) -> None:
        """Forget every frame."""
