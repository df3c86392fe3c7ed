"""A classical wind filter: streaming masks from the signal centroid and a learnt wind spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..host.contract.stft_processor import StftProcessor
from .wind import WindParams

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..host.contract.audio import Spec

__all__ = ["WindFilter"]


class WindFilter(StftProcessor[WindParams]):
    """Placeholder body."""

    def geometry(self, rate: int) -> tuple[int, int]:
        """Return frames of about 43 ms, a power of two."""
        n_fft = 1 << round(np.log2(rate * 2048 / 48000))
        return n_fft, n_fft // 4

    def start(self, spec: Spec) -> None:
        """Forget."""

    def masks(self, X: npt.NDArray[np.complex64]) -> dict[str, npt.NDArray[np.float32]]:
        """Return a mask."""
        return {"clean": np.full(X.shape, 0.5, np.float32)}
