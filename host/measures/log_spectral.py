"""Log-spectral distance: how far two spectrograms lie apart, in dB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .frames import N_FFT, Frames
from .gauge import Figure, over_arrays
from .measured import Measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array

__all__ = ["LSD", "LsdGauge", "lsd"]

LSD = Figure("lsd", "LSD")
_FLOOR = np.float32(1e-10)


class LsdGauge:
    """Sums distances frame by frame; see `lsd`."""

    def __init__(self, rate: int, roles: Sequence[str]) -> None:  # noqa: ARG002 - as every gauge is made
        self._reference, self._estimate = Frames(len(roles)), Frames(len(roles))
        self._sum, self._count = 0.0, 0

    def push(self, reference: Array, estimate: Array) -> None:
        """Take the next samples of both."""
        levels = []
        for frames, block in ((self._reference, reference), (self._estimate, estimate)):
            spectra = frames.push(block)
            power = spectra.real * spectra.real + spectra.imag * spectra.imag
            levels.append(np.log10(np.maximum(power, _FLOOR)))
        step = 10 * (levels[0] - levels[1])
        distances = np.sqrt((step * step).mean(axis=2, dtype=np.float64))
        self._sum += float(distances.sum())
        self._count += distances.size

    def figures(self) -> dict[str, Measured]:
        """Return ``lsd``."""
        if not self._count:
            return {LSD.name: Measured(None, f"shorter than one window of {N_FFT} samples")}
        return {LSD.name: Measured(self._sum / self._count)}


def lsd(reference: Array, estimate: Array) -> Measured:
    """Return the log-spectral distance, dB: 0 for equal magnitudes, whatever the phases.

    The root of the mean over bins of ``(10 log10 P_s - 10 log10 P_e)^2``, averaged over frames and channels
    (Gray and Markel, "Distance measures for speech processing", IEEE TASSP 24, 1976). Frames of 2048 samples
    under a Hann window, every 512, whole ones only. Powers below -100 dB re a full-scale sine count as
    -100 dB, so that digital silence against faint noise is no infinite distance.

    Args:
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite.

    Example:
        >>> s = np.random.default_rng(0).uniform(-1, 1, (1, 8000)).astype(np.float32)
        >>> round(lsd(s, np.float32(0.5) * s).value, 2)
        6.02
    """
    return over_arrays(LsdGauge(0, [""] * len(reference)), reference, estimate)[LSD.name]
