"""Signal to distortion ratio over a whole clip: how far the error lies below the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .gauge import Figure, over_arrays
from .measured import Measured, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array

__all__ = ["SDR", "SdrGauge", "sdr"]

SDR = Figure("sdr", "SDR")


class SdrGauge:
    """Sums the energies of reference and error; see `sdr`."""

    def __init__(self, rate: int, roles: Sequence[str]) -> None:  # noqa: ARG002 - as every gauge is made
        self._signal = self._error = 0.0

    def push(self, reference: Array, estimate: Array) -> None:
        """Take the next samples of both."""
        signal = reference.astype(np.float64)
        error = signal - estimate
        self._signal += float((signal * signal).sum())
        self._error += float((error * error).sum())

    def figures(self) -> dict[str, Measured]:
        """Return ``sdr``."""
        if self._signal == 0:
            return {SDR.name: Measured(None, "the reference is silent")}
        return {SDR.name: Measured(ratio(self._signal, self._error))}


def sdr(reference: Array, estimate: Array) -> Measured:
    """Return ``10 log10(|s|^2 / |s - e|^2)``, dB, energies summed over all channels and samples.

    The definition of the Music Demixing Challenge (Mitsufuji et al., "Music Demixing Challenge 2021",
    Frontiers in Signal Processing, 2022), without its small constant: equal signals give ``inf``. A gain or a
    delay counts as an error; see `si_sdr` for one that forgives the gain.

    Args:
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite.

    Example:
        >>> s = np.ones((2, 1000), np.float32)
        >>> round(sdr(s, np.float32(0.9) * s).value, 3)
        20.0
    """
    return over_arrays(SdrGauge(0, ()), reference, estimate)[SDR.name]
