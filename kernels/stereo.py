"""Where the sound of a stereo pair stands and how much of it both channels share, bin by bin.

`CrossStatistics` averages powers and cross power over frames; the functions beside it read cues from the
averages. Conventions, everywhere here: channel 1 is left; P12 is the mean of X1 times the conjugate of X2,
so a positive phase means that left leads; positions run from -1, left alone, to 1, right alone. Silence has
coherence 0, position 0, level and phase difference 0, no direct and no ambient power: never NaN. A bin
that is not finite makes NaN of that bin in that frame only, for its memory then starts anew.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .arguments import check_array, check_count, check_number
from .errors import KernelError
from .machine import Kernel, address_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "CrossPowers",
    "CrossStatistics",
    "DirectAmbient",
    "ambience_gain",
    "balance",
    "coherence",
    "direct_ambient",
    "forgetting_factor",
    "level_difference",
    "panning",
    "phase_difference",
]

_update = Kernel("stereo.update", 6)
_balance = Kernel("stereo.balance", 5)
_coherence = Kernel("stereo.coherence", 5)
_level_difference = Kernel("stereo.level_difference", 5)
_panning = Kernel("stereo.panning", 5)
_phase_difference = Kernel("stereo.phase_difference", 5)
_direct_ambient = Kernel("stereo.direct_ambient", 6)
_ambience_gain = Kernel("stereo.ambience_gain", 6)


class CrossPowers(NamedTuple):
    """Averages of a stereo pair, each ``[frames, bins]``.

    Attributes:
        p11: power of the left channel, float64.
        p22: power of the right channel, float64.
        p12: mean of left times the conjugate of right, complex128.
    """

    p11: npt.NDArray[np.float64]
    p22: npt.NDArray[np.float64]
    p12: npt.NDArray[np.complex128]


class DirectAmbient(NamedTuple):
    """A stereo pair's power by origin.

    Attributes:
        direct: power of the sound that both channels share, in each of them, float32 ``[2, frames, bins]``.
        ambient: power of what each channel has alone, the same in both, float32 ``[frames, bins]``.
    """

    direct: npt.NDArray[np.float32]
    ambient: npt.NDArray[np.float32]


def forgetting_factor(time: float, rate: float, hop: int) -> float:
    """Return the factor by which averages shrink from frame to frame to fall to 1/e in ``time`` seconds.

    Raises:
        KernelError: one of them is not positive.

    Example:
        >>> round(forgetting_factor(0.1, rate=48000, hop=480), 6)
        0.904837
    """
    for name, value in (("time", time), ("rate", rate), ("hop", hop)):
        if check_number(name, value) <= 0:
            raise KernelError(f"{name} must be positive, not {value}")
    return math.exp(-hop / (rate * time))


class CrossStatistics:
    """One-pole means ``P = f P + (1 - f) X X*`` over frames, in float64, from nothing at the start.

    So powers rise from 0 at first; ratios of them do not feel it. What is below 1e-30 is 0.

    Args:
        bins: of each frame.
        forgetting: f, 0 (the frame alone) to below 1; see `forgetting_factor`.

    Raises:
        KernelError: an argument is out of range.

    Example:
        >>> statistics = CrossStatistics(bins=1, forgetting=0.5)
        >>> left, right = [[1], [1]], [[1j], [1j]]
        >>> powers = statistics.push(np.array([left, right], np.complex64))
        >>> powers.p11.ravel().tolist(), powers.p12.ravel().tolist()
        ([0.5, 0.75], [-0.5j, -0.75j])

    Source: Avendano and Jot, JAES 52, 2004; Faller, JAES 54, 2006.
    """

    def __init__(self, bins: int, forgetting: float) -> None:
        self.bins, self.forgetting = check_count("bins", bins), check_number("forgetting", forgetting)
        if not 0 <= forgetting < 1:
            raise KernelError(f"forgetting must be 0 to below 1, not {forgetting}")
        self._factor, self._memory = np.array([forgetting], np.float64), np.zeros(4 * self.bins)
        self._header = np.array([bins, address_of(self._factor), address_of(self._memory)], np.int64)

    def push(self, spectra: npt.NDArray[np.complex64], out: CrossPowers | None = None) -> CrossPowers:
        """Take the next frames, complex64 ``[2, frames, bins]``; return the averages after each.

        However frames are cut into calls, the bits are the same.

        Args:
            spectra: left and right.
            out: arrays to fill.

        Raises:
            KernelError: an array has another type, shape or layout.
        """
        check_array("spectra", spectra, np.complex64, (2, None, self.bins))
        shape = (spectra.shape[1], self.bins)
        if out is None:
            out = CrossPowers(np.empty(shape), np.empty(shape), np.empty(shape, np.complex128))
        _check_powers(out, shape, writable=True)
        _check_apart(spectra, *out)
        addresses = (address_of(array) for array in (self._header, spectra, *out))
        _update(*addresses, shape[0])
        return out

    def reset(self) -> None:
        """Forget the signal."""
        self._memory[:] = 0


def balance(powers: CrossPowers, out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
    """Return the position by power, ``(P22 - P11) / (P22 + P11)``, float32 ``[frames, bins]``.

    It moves smoothly and does not ask whether the channels share anything.

    Raises:
        KernelError: an array has another type, shape or layout.

    Example:
        >>> left_alone = CrossPowers(np.ones((1, 1)), np.zeros((1, 1)), np.zeros((1, 1), complex))
        >>> float(balance(left_alone)[0, 0])
        -1.0
    """
    return _quantity(_balance, powers, out)


def panning(powers: CrossPowers, out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
    """Return Avendano's panning index, -1 to 1, float32 ``[frames, bins]``.

    One minus the similarity ``2 |P12| / (P11 + P22)``, with the sign of the louder side. It is made for one
    coherent source to a bin; whatever is not shared between the channels pushes it outwards.

    Raises:
        KernelError: an array has another type, shape or layout.

    Source: Avendano, WASPAA 2003; Avendano and Jot, JAES 52, 2004.
    """
    return _quantity(_panning, powers, out)


def coherence(powers: CrossPowers, out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
    """Return the magnitude-squared coherence ``|P12|^2 / (P11 P22)``, 0 to 1, float32 ``[frames, bins]``.

    0 where a channel is silent. Avendano and Jot's coherence is the square root of this, and their
    ambience index one minus that root.

    Raises:
        KernelError: an array has another type, shape or layout.
    """
    return _quantity(_coherence, powers, out)


def level_difference(
    powers: CrossPowers, out: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """Return ``10 log10(P11 / P22)`` in dB, float32 ``[frames, bins]``, held within -120 to 120 dB.

    Raises:
        KernelError: an array has another type, shape or layout.
    """
    return _quantity(_level_difference, powers, out)


def phase_difference(
    powers: CrossPowers, out: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """Return the phase of left against right, the angle of P12, -pi to pi rad, float32 ``[frames, bins]``.

    Raises:
        KernelError: an array has another type, shape or layout.
    """
    return _quantity(_phase_difference, powers, out)


def direct_ambient(powers: CrossPowers, out: DirectAmbient | None = None) -> DirectAmbient:
    """Split powers into a direct sound in both channels and ambience of equal power in each.

    The model: ``x1 = s + n1, x2 = a s + n2``, with s, n1 and n2 uncorrelated and n1 as strong as n2.
    So the ambient power is the smaller eigenvalue of the pair's covariance; Faller's P_S is ``direct[0]``,
    his P_N ``ambient``, his A the root of ``direct[1] / direct[0]``.

    Raises:
        KernelError: an array has another type, shape or layout.

    Source: Faller, JAES 54, 2006.

    Example:
        >>> one = np.ones((1, 1))
        >>> shared = direct_ambient(CrossPowers(2 * one, 2 * one, 1 + 0j * one))
        >>> shared.direct.ravel().tolist(), shared.ambient.ravel().tolist()
        ([1.0, 1.0], [1.0])
    """
    frames, bins = _check_powers(powers)
    if out is None:
        out = DirectAmbient(np.empty((2, frames, bins), np.float32), np.empty((frames, bins), np.float32))
    check_array("out.direct", out.direct, np.float32, (2, frames, bins), writable=True)
    check_array("out.ambient", out.ambient, np.float32, (frames, bins), writable=True)
    _check_apart(*out, *powers)
    _direct_ambient(*(address_of(array) for array in (*powers, *out)), frames * bins)
    return out


def ambience_gain(
    powers: CrossPowers,
    out: npt.NDArray[np.float32] | None = None,
    *,
    threshold: float = 0.3,
    slope: float = 2.0,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> npt.NDArray[np.float32]:
    """Return a gain that lets ambience through: high where channels share little, float32 ``[frames, bins]``.

    ``(highest - lowest) / 2 tanh(slope pi (threshold - c)) + (highest + lowest) / 2``, where c is the root
    of `coherence`. A source in one channel alone has no coherence either, and passes.

    Args:
        powers: averages.
        out: where to put the result.
        threshold: coherence c at the middle of the step, 0 to 1.
        slope: steepness, above 0.
        lowest: gain towards full coherence, linear, at least 0.
        highest: gain towards none, linear, at least ``lowest``.

    Raises:
        KernelError: a parameter is out of range, or an array has another type, shape or layout.

    Source: Avendano and Jot, ICASSP 2002; JAES 52, 2004.
    """
    given = {"threshold": threshold, "slope": slope, "lowest": lowest, "highest": highest}
    curve = np.array([check_number(name, value) for name, value in given.items()])
    if not 0 <= threshold <= 1 or slope <= 0 or not 0 <= lowest <= highest:
        raise KernelError(
            f"threshold {threshold} must be 0 to 1, slope {slope} above 0, and lowest {lowest} and highest "
            f"{highest} gains with 0 <= lowest <= highest"
        )
    return _quantity(_ambience_gain, powers, out, address_of(curve))


def _quantity(
    kernel: Kernel, powers: CrossPowers, out: npt.NDArray[np.float32] | None, *more: int
) -> npt.NDArray[np.float32]:
    shape = _check_powers(powers)
    if out is None:
        out = np.empty(shape, np.float32)
    check_array("out", out, np.float32, shape, writable=True)
    _check_apart(out, *powers)
    addresses = [address_of(array) for array in (*powers, out)]
    kernel(*addresses, out.size, *more)
    return out


def _check_powers(
    powers: CrossPowers, shape: tuple[int, int] | None = None, *, writable: bool = False
) -> tuple[int, int]:
    """Check three arrays of one shape; return it."""
    if not isinstance(powers, CrossPowers):
        raise KernelError(f"powers must be CrossPowers, not {type(powers).__name__}")
    name = "out" if writable else "powers"
    check_array(f"{name}.p11", powers.p11, np.float64, shape or (None, "bins"), writable=writable)
    found: tuple[int, int] = powers.p11.shape
    check_array(f"{name}.p22", powers.p22, np.float64, found, writable=writable)
    check_array(f"{name}.p12", powers.p12, np.complex128, found, writable=writable)
    return found


def _check_apart(*arrays: npt.NDArray[Any]) -> None:
    for i, one in enumerate(arrays):
        if any(np.may_share_memory(one, other) for other in arrays[i + 1 :]):
            raise KernelError("arrays to write must share no memory with any other")
