"""Power spectra of a signal that comes in blocks, the same frames however it is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...kernels.spectra import stft

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..contract.processor import Array

__all__ = ["HOP", "N_FFT", "Frames"]

N_FFT, HOP = 2048, 512
#: Brings the peak of a full-scale sine to 1: half the sum of a Hann window.
_SCALE = np.float32(4 / N_FFT)


class Frames:
    """Frames of `N_FFT` samples under a Hann window, every `HOP` samples, whole ones only."""

    def __init__(self, channels: int) -> None:
        self._held = np.empty((channels, 0), np.float32)

    def push(self, block: Array) -> npt.NDArray[np.complex64]:
        """Take the next samples; return the spectra that became whole.

        Returns:
            complex64 ``[channels, frames, N_FFT // 2 + 1]``, the peak of a full-scale sine of magnitude 1.
        """
        held = np.concatenate([self._held, block], axis=1)
        count = max(0, (held.shape[1] - N_FFT) // HOP + 1)
        if not count:
            self._held = held
            return np.empty((len(held), 0, N_FFT // 2 + 1), np.complex64)
        used = np.ascontiguousarray(held[:, : (count - 1) * HOP + N_FFT])
        self._held = held[:, count * HOP :].copy()
        spectra: npt.NDArray[Any] = stft(used, N_FFT, HOP, framing="inside") * _SCALE
        return spectra
