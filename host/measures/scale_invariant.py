"""Scale-invariant signal to distortion ratio: the gain that fits best is forgiven, all else is error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .gauge import Figure, over_arrays
from .measured import Measured, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array

__all__ = ["SI_SDR", "SiSdrGauge", "si_sdr"]

SI_SDR = Figure("si_sdr", "SI-SDR")
#: An error this far below the target is what float64 leaves of none: a copy at another level is perfect.
_NOTHING = 1e-28


class SiSdrGauge:
    """Fits the estimate by the reference, channel by channel; see `si_sdr`.

    Sums of products would lose errors far below the signal. So each block is fitted by itself, and two
    fits are joined as Chan, Golub and LeVeque join variances (The American Statistician 37, 1983):
    for reference energies p and q with gains a and b, the joint error is the sum of both and
    ``(a - b)^2 p q / (p + q)``.
    """

    def __init__(self, rate: int, roles: Sequence[str]) -> None:  # noqa: ARG002 - as every gauge is made
        self._energy = np.zeros(len(roles))
        self._gain = np.zeros(len(roles))
        self._error = np.zeros(len(roles))

    def push(self, reference: Array, estimate: Array) -> None:
        """Take the next samples of both."""
        s, e = reference.astype(np.float64), estimate.astype(np.float64)
        energy = (s * s).sum(axis=1)
        gain = np.divide((s * e).sum(axis=1), energy, out=np.zeros_like(energy), where=energy > 0)
        error = ((e - gain[:, None] * s) ** 2).sum(axis=1)
        total = self._energy + energy
        share = np.divide(energy, total, out=np.zeros_like(energy), where=total > 0)
        step = gain - self._gain
        self._error += error + step * step * share * self._energy
        self._gain += step * share
        self._energy = total

    def figures(self) -> dict[str, Measured]:
        """Return ``si_sdr``."""
        heard = np.flatnonzero(self._energy)
        if not heard.size:
            return {SI_SDR.name: Measured(None, "the reference is silent")}
        values = []
        for channel in heard:
            target = float(self._gain[channel] ** 2 * self._energy[channel])
            error = float(self._error[channel])
            if target == error == 0:
                return {SI_SDR.name: Measured(None, _silent_channel(int(channel), len(self._energy)))}
            values.append(ratio(target, 0.0 if error < _NOTHING * target else error))
        left = len(self._energy) - len(values)
        note = f"without {left} of {len(self._energy)} channels, silent in the reference" if left else ""
        return {SI_SDR.name: Measured(float(np.mean(values)), note)}


def _silent_channel(channel: int, channels: int) -> str:
    where = f" in channel {channel + 1}" if channels > 1 else ""
    return f"the estimate is silent{where}"


def si_sdr(reference: Array, estimate: Array) -> Measured:
    """Return the mean over channels of ``10 log10(|a s|^2 / |e - a s|^2)``, dB, with ``a = <e, s> / <s, s>``.

    As Le Roux et al. define it ("SDR - half-baked or well done?", ICASSP 2019), for each channel by itself.
    Means are not removed: an offset in the estimate is an error. Channels that are silent in the reference
    are left out, and the note says so. Polarity is part of the gain. A copy at another level gives ``inf``
    where its samples are exact, about 150 where they were rounded to float32.

    Args:
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite.

    Example:
        >>> s = np.float32([[1, 1, 1, 1]])
        >>> e = np.float32([[1.1, 0.9, 1.1, 0.9]])  # the error is orthogonal, 20 dB lower
        >>> round(si_sdr(s, e).value, 3), round(si_sdr(s, 2 * e).value, 3)
        (20.0, 20.0)
    """
    gauge = SiSdrGauge(0, [""] * len(reference))
    return over_arrays(gauge, reference, estimate)[SI_SDR.name]
