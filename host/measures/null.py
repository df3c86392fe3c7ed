"""Null depth: what is left when the estimate is taken from the reference, as engineers test two files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .gauge import Figure, over_arrays
from .measured import Measured, decibels, unmeasured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array

__all__ = ["NULL_PEAK", "NULL_RMS", "NullGauge", "null_depth"]

NULL_RMS = Figure("null_rms", "null rms", digits=1)
NULL_PEAK = Figure("null_peak", "null peak", digits=1)


class NullGauge:
    """Level and peak of the difference; see `null_depth`."""

    def __init__(self, rate: int, roles: Sequence[str]) -> None:  # noqa: ARG002 - as every gauge is made
        self._energies = np.zeros(2)
        self._peaks = np.zeros(2)

    def push(self, reference: Array, estimate: Array) -> None:
        """Take the next samples of both."""
        signal = reference.astype(np.float64)
        for k, x in enumerate((signal, signal - estimate)):
            self._energies[k] += (x * x).sum()
            self._peaks[k] = max(self._peaks[k], np.abs(x).max(initial=0))

    def figures(self) -> dict[str, Measured]:
        """Return ``null_rms`` and ``null_peak``."""
        if self._energies[0] == 0:
            return unmeasured("the reference is silent", NULL_RMS.name, NULL_PEAK.name)
        rms = self._energies[1] / self._energies[0]
        peak = self._peaks[1] / self._peaks[0]
        return {
            NULL_RMS.name: Measured(decibels(float(rms))),
            NULL_PEAK.name: Measured(decibels(float(peak * peak))),
        }


def null_depth(reference: Array, estimate: Array) -> dict[str, Measured]:
    """Return ``null_rms`` and ``null_peak``: the difference re the reference, dB, over all channels.

    ``null_rms`` compares mean squares (it is minus the SDR), ``null_peak`` the largest magnitudes. Equal
    files give ``-inf``; 24-bit rounding of a full programme about -120 dB.

    Args:
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite.

    Example:
        >>> s = np.float32([[1, -1, 1, -1]])
        >>> e = np.float32([[1, -1, 1, -0.5]])
        >>> {name: round(figure.value, 1) for name, figure in null_depth(s, e).items()}
        {'null_rms': -12.0, 'null_peak': -6.0}
    """
    return over_arrays(NullGauge(0, ()), reference, estimate)
