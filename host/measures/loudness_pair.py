"""Loudness and true peak of both, and how far the estimate's loudness is off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...kernels.loudness import LoudnessMeter
from ..contract.audio import Layout
from .gauge import Figure, over_arrays
from .measured import Measured, unmeasured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array

__all__ = ["LOUDNESS", "LoudnessGauge", "loudness"]

LOUDNESS = (
    Figure("loudness_reference", "ref", "LUFS", 1),
    Figure("loudness_estimate", "est", "LUFS", 1),
    Figure("loudness_difference", "est-ref", "LU", 1),
    Figure("true_peak_reference", "ref peak", "dBTP", 1),
    Figure("true_peak_estimate", "est peak", "dBTP", 1),
)
_LOWEST, _HIGHEST = 8_000, 384_000


class LoudnessGauge:
    """A loudness meter for each of the two; see `loudness`."""

    def __init__(self, rate: int, roles: Sequence[str]) -> None:
        self._rate = rate
        fits = _LOWEST <= rate <= _HIGHEST
        self._meters = [LoudnessMeter(roles, rate) for _ in range(2)] if fits else []

    def push(self, reference: Array, estimate: Array) -> None:
        """Take the next samples of both."""
        for meter, block in zip(self._meters, (reference, estimate), strict=False):
            meter.push(block)

    def figures(self) -> dict[str, Measured]:
        """Return the five figures of `LOUDNESS`."""
        names = [figure.name for figure in LOUDNESS]
        if not self._meters:
            note = f"loudness is measured at {_LOWEST} to {_HIGHEST} Hz, not at {self._rate} Hz"
            return unmeasured(note, *names)
        levels = [meter.integrated for meter in self._meters]
        peaks = [meter.true_peak for meter in self._meters]
        quiet = "silent, or shorter than 0.4 s"
        found = [_known(level, quiet) for level in levels]
        both = all(map(math.isfinite, levels))
        found.append(
            Measured(levels[1] - levels[0]) if both else Measured(None, f"one of the two is {quiet}")
        )
        found += [_known(peak, "silent") for peak in peaks]
        return dict(zip(names, found, strict=True))


def _known(value: float, note: str) -> Measured:
    return Measured(value) if math.isfinite(value) else Measured(None, note)


def loudness(
    reference: Array, estimate: Array, rate: int, roles: Sequence[str] | None = None
) -> dict[str, Measured]:
    """Return loudness and true peak of both, as ITU-R BS.1770-4 measures them.

    Args:
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.
        rate: Hz.
        roles: of the channels, see `LoudnessMeter`; by default those of a plain file of so many channels.

    Returns:
        ``loudness_reference`` and ``loudness_estimate``, integrated, LUFS; ``loudness_difference``, estimate
        minus reference, LU; ``true_peak_reference`` and ``true_peak_estimate``, dBTP.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite; a role is
            unknown.

    Example:
        >>> import numpy as np
        >>> s = 0.1 * np.sin(2 * np.pi * 1000 / 48000 * np.arange(48000, dtype=np.float32))[None]
        >>> round(loudness(s, s / 2, 48000)["loudness_difference"].value, 2)
        -6.02
    """
    roles = Layout.of_channels(len(reference)).roles if roles is None else roles
    return over_arrays(LoudnessGauge(rate, roles), reference, estimate)
