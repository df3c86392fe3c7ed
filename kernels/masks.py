"""Masks that share a spectrum among stems, and gains that take noise out of one.

Powers and gains are float32 ``[channels, frames, bins]``; stems lead: ``[stems, channels, frames, bins]``.
A noise power may also be ``[channels, 1, bins]``: the same in every frame. NaN in a bin gives NaN in that
bin (where another rule does not say so), and nowhere else.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_array, check_count, check_number, check_output, described
from .errors import KernelError
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "DecisionDirected",
    "common_ratio_kernels",
    "over_subtraction",
    "posterior_wiener_gain",
    "ratio_masks",
    "subtraction_gain",
    "wiener_gain",
]

_decision_directed = Kernel("masks.decision_directed", 8)
_over_subtraction = Kernel("masks.over_subtraction", 7)
_posterior_gain = Kernel("masks.posterior_gain", 8)
_subtraction_gain = Kernel("masks.subtraction_gain", 6)
_wiener_gain = Kernel("masks.wiener_gain", 4)

#: Beyond some thousands the largest mask could not take up what the others were rounded by.
_MOST_STEMS = 1024
#: Up to here exponents 1 and 2 have a kernel for each number of stems, compiled when it is first needed.
_FEW_STEMS = 8
_TILE = 512  # of `code.masks`
_PARTS: dict[Any, int] = {np.dtype(np.float32): 1, np.dtype(np.complex64): 2}


@cache
def _ratio(stems: int, power: int, parts: int) -> Kernel:
    """Return the kernel for so many stems, an exponent of 1, 2 or any (0), and real or complex estimates."""
    if power and stems <= _FEW_STEMS:
        return Kernel("masks.ratio_few", 4, stems=stems, power=power, parts=parts)
    return Kernel("masks.ratio_many", 6, power=power, parts=parts)


def common_ratio_kernels() -> list[Kernel]:
    """Return the kernels of `ratio_masks` for 2 and for 4 stems, and for any exponent: for a warm-up."""
    keys = [(stems, power, parts) for stems in (2, 4) for power in (1, 2, 0) for parts in _PARTS.values()]
    return list({kernel.name: kernel for kernel in (_ratio(*key) for key in keys)}.values())


def ratio_masks(
    estimates: npt.NDArray[np.float32] | npt.NDArray[np.complex64],
    exponent: float = 1.0,
    *,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return each stem's share of every bin, ``|S_k|^p / sum_j |S_j|^p``.

    With p = 1 the ratio mask of magnitudes; with p = 2 the Wiener filter of independent stems whose powers
    are ``|S_k|^2`` (A. Liutkus and R. Badeau, ICASSP 2015, for any p). Powers as estimates ask for half the
    exponent.

    In every bin the float32 sum of the masks is 1.0 exactly, in any order, so masked stems add up to the
    mixture: masks are multiples of 2^-24 (shares below 2^-25, -150 dB, become zero), and the largest one
    (the first of them) is what the others leave. Each is within ``stems * 2^-23`` of the true value. Bins
    where all stems are zero are shared equally. Estimates from the smallest to the largest float32 do not
    under- or overflow, since they are divided by the largest in their bin first. A bin with NaN, or with
    infinity, is NaN in all masks.

    Args:
        estimates: ``[stems, channels, frames, bins]``, float32 magnitudes (signs do not matter) or
            complex64 spectra; 1 to 1024 stems.
        exponent: p, 0.01 to 100; 1 and 2 are the fastest.
        out: float32 array of that shape for the masks.

    Raises:
        KernelError: an argument does not fit.

    Example:
        >>> stems = np.array([3, 1, 0], np.float32).reshape(3, 1, 1, 1)
        >>> ratio_masks(stems).ravel().tolist(), ratio_masks(stems, 2).ravel().astype(float).round(6).tolist()
        ([0.75, 0.25, 0.0], [0.9, 0.1, 0.0])
    """
    parts = _PARTS.get(getattr(estimates, "dtype", None))
    if parts is None:
        raise KernelError(f"estimates must be an array of float32 or complex64, not {described(estimates)}")
    check_array("estimates", estimates, estimates.dtype, ("stems", "channels", None, "bins"))
    stems = check_count("the number of stems", estimates.shape[0], 1, _MOST_STEMS)
    p = np.array([check_number("exponent", exponent, 0.01, 100)])
    out = check_output("out", out, estimates.shape, estimates)
    scratch, n = aligned((6 + stems) * _TILE), estimates.size // stems
    kernel = _ratio(stems, int(p[0]) if p[0] in {1.0, 2.0} else 0, parts)
    counts = [n] if kernel.arguments == 4 else [stems, n, address_of(p)]
    kernel(address_of(estimates), address_of(out), *counts, address_of(scratch))
    return out


def wiener_gain(
    prior_snr: npt.NDArray[np.float32],
    *,
    floor: float = 0.0,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return the Wiener filter ``max(floor, xi / (1 + xi))`` of the a priori SNR xi.

    Args:
        prior_snr: power of the signal over that of the noise, linear, ``[channels, frames, bins]``;
            infinity gives 1, negative values count as 0.
        floor: least gain, 0 to 1.
        out: where to put the gains.

    Raises:
        KernelError: an argument does not fit.

    Example:
        >>> wiener_gain(np.array([[[0, 1, 3]]], np.float32), floor=0.1).astype(float).round(3).tolist()
        [[[0.1, 0.5, 0.75]]]
    """
    check_array("prior_snr", prior_snr, np.float32, ("channels", None, "bins"))
    setting = np.array([check_number("floor", floor, 0, 1)])
    out = check_output("out", out, prior_snr.shape, prior_snr)
    _wiener_gain(address_of(prior_snr), address_of(out), prior_snr.size, address_of(setting))
    return out


def _noise_step(power: npt.NDArray[Any], noise: npt.NDArray[Any]) -> int:
    """Check powers of signal and noise; return the distance between the noise's frames in bins."""
    check_array("power", power, np.float32, ("channels", None, "bins"))
    channels, frames, bins = power.shape
    single = getattr(noise, "shape", ())[1:2] == (1,)
    check_array("noise", noise, np.float32, (channels, 1 if single else frames, bins))
    return 0 if single else bins


def posterior_wiener_gain(
    power: npt.NDArray[np.float32],
    noise: npt.NDArray[np.float32],
    *,
    floor: float = 0.0,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return the Wiener filter of the SNR that a frame shows by itself, ``xi = max(power / noise - 1, 0)``.

    The maximum-likelihood estimate of R. McAulay and M. Malpass, IEEE TASSP 28 (2), 1980, without memory;
    for less musical noise see `DecisionDirected`. Noise below 1e-30 counts as 1e-30.

    Args:
        power: ``|Y|^2``, ``[channels, frames, bins]``.
        noise: ``[channels, frames, bins]`` or ``[channels, 1, bins]``.
        floor: least gain, 0 to 1.
        out: where to put the gains.

    Raises:
        KernelError: an argument does not fit.

    Example:
        >>> power, noise = np.array([[[0.5, 2, 4]]], np.float32), np.ones((1, 1, 3), np.float32)
        >>> posterior_wiener_gain(power, noise, floor=0.1).astype(float).round(3).tolist()
        [[[0.1, 0.5, 0.75]]]
    """
    step = _noise_step(power, noise)
    setting = np.array([check_number("floor", floor, 0, 1)])
    out = check_output("out", out, power.shape, power, noise)
    arrays = address_of(power), address_of(noise), step, address_of(out)
    _posterior_gain(*arrays, *power.shape, address_of(setting))
    return out


class DecisionDirected:
    """A priori SNR by the decision-directed rule, and the Wiener gain of it, frame by frame.

    ``xi[t] = w G[t-1]^2 gamma[t-1] + (1 - w) max(gamma[t] - 1, 0)`` with the a posteriori SNR
    ``gamma = power / noise``, starting with ``w + (1 - w) max(gamma[0] - 1, 0)`` (Y. Ephraim and D. Malah,
    IEEE TASSP 32 (6), 1984, equations 51 and 53); a floor under xi of about -25 dB keeps noise from ringing
    (O. Cappe, IEEE TSAP 2 (2), 1994). The gain is ``max(gain_floor, xi / (1 + xi))``, and as such comes
    back in the next frame. Noise below 1e-30 counts as 1e-30.

    However the frames are cut into calls, the bits are the same. NaN gives NaN and infinite power 1 in its
    own bin and frame; the next frame goes on from the one before.

    Args:
        channels: rows of every call, from 1.
        bins: bins of every frame, from 1.
        weight: w, 0 to 1, of the frame before.
        prior_floor: least xi, linear, 0 to 1.
        gain_floor: least gain, 0 to 1.

    Raises:
        KernelError: an argument is out of its range.

    Example:
        >>> rule = DecisionDirected(1, 1)
        >>> power, noise = np.array([[[1], [100], [100]]], np.float32), np.ones((1, 1, 1), np.float32)
        >>> rule.process(power, noise).ravel().astype(float).round(3).tolist()
        [0.495, 0.689, 0.98]
    """

    def __init__(
        self,
        channels: int,
        bins: int,
        *,
        weight: float = 0.98,
        prior_floor: float = 10**-2.5,
        gain_floor: float = 0.0,
    ) -> None:
        self._channels = check_count("channels", channels, 1, 1 << 16)
        self._bins = check_count("bins", bins, 1, 1 << 24)
        limits = {"weight": weight, "prior_floor": prior_floor, "gain_floor": gain_floor}
        self._parameters = np.array([check_number(name, value, 0, 1) for name, value in limits.items()])
        self._past = aligned((self._channels, self._bins), np.float64)
        self._scratch = aligned((2, self._bins), np.float64)
        self.reset()

    def reset(self) -> None:
        """Forget every frame."""
        self._past[:] = 1

    def process(
        self,
        power: npt.NDArray[np.float32],
        noise: npt.NDArray[np.float32],
        out: npt.NDArray[np.float32] | None = None,
        *,
        prior: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the gains of the next frames.

        Args:
            power: ``|Y|^2``, ``[channels, frames, bins]``.
            noise: ``[channels, frames, bins]`` or ``[channels, 1, bins]``.
            out: where to put the gains.
            prior: where to put the a priori SNR too.

        Raises:
            KernelError: an array does not fit.
        """
        step = _noise_step(power, noise)
        check_array("power", power, np.float32, (self._channels, None, self._bins))
        out = check_output("out", out, power.shape, power, noise)
        if prior is not None:
            check_output("prior", prior, power.shape, power, noise, out)
        told = 0 if prior is None else address_of(prior)
        shape = np.array([*power.shape, step], np.int64)
        state = [address_of(a) for a in (shape, self._past, self._parameters, self._scratch)]
        _decision_directed(address_of(power), address_of(noise), address_of(out), told, *state)
        return out


def over_subtraction(
    power: npt.NDArray[np.float32],
    noise: npt.NDArray[np.float32],
    *,
    at_0_db: float = 4.0,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return how many times the noise is to be subtracted from each frame, by the frame's SNR.

    ``a0 - (a0 - 1) SNR / 20`` with ``SNR = 10 log10(sum of power / sum of noise)`` held between -5 and
    20 dB, so 1 from 20 dB on (M. Berouti, R. Schwartz and J. Makhoul, ICASSP 1979, with a0 from 3 to 6).
    A frame without noise is at 20 dB. NaN anywhere in a frame gives NaN.

    Args:
        power: ``|Y|^2``, ``[channels, frames, bins]``.
        noise: ``[channels, frames, bins]`` or ``[channels, 1, bins]``.
        at_0_db: a0, 1 to 100.
        out: float32 ``[channels, frames]`` for the result.

    Raises:
        KernelError: an argument does not fit.

    Example:
        >>> noise = np.ones((1, 1, 4), np.float32)
        >>> power = np.float32([[0.01], [1], [10], [1000]]) * noise
        >>> over_subtraction(power, noise).tolist()
        [[4.75, 4.0, 2.5, 1.0]]
    """
    step = _noise_step(power, noise)
    setting = np.array([check_number("at_0_db", at_0_db, 1, 100)])
    out = check_output("out", out, power.shape[:2], power, noise)
    shape, scratch = np.array(power.shape, np.int64), aligned(64 + power.shape[2], np.float64)
    memory = [address_of(a) for a in (shape, setting, scratch)]
    _over_subtraction(address_of(power), address_of(noise), step, address_of(out), *memory)
    return out


def subtraction_gain(
    power: npt.NDArray[np.float32],
    noise: npt.NDArray[np.float32],
    factor: float | npt.NDArray[np.float32] = 1.0,
    *,
    floor: float = 0.01,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return the gain of power spectral subtraction, ``sqrt(max(P - factor N, floor N) / P)``, at most 1.

    M. Berouti, R. Schwartz and J. Makhoul, "Enhancement of speech corrupted by acoustic noise", ICASSP
    1979: what stays of the noise, ``floor`` of its power, masks the musical noise of the subtraction.
    Power below 1e-30 counts as 1e-30.

    Args:
        power: P, ``|Y|^2``, ``[channels, frames, bins]``.
        noise: N, ``[channels, frames, bins]`` or ``[channels, 1, bins]``.
        factor: over-subtraction, 0 to 100, or one for each frame, float32 ``[channels, frames]``, as
            `over_subtraction` gives it.
        floor: share of the noise's power that stays, 0 to 1.
        out: where to put the gains.

    Raises:
        KernelError: an argument does not fit.

    Example:
        >>> power, noise = np.array([[[1, 4, 16]]], np.float32), np.ones((1, 1, 3), np.float32)
        >>> subtraction_gain(power, noise, 2, floor=0.04).astype(float).round(3).tolist()
        [[[0.2, 0.707, 0.935]]]
    """
    step = _noise_step(power, noise)
    each = isinstance(factor, np.ndarray)
    if each:
        factors = check_array("factor", factor, np.float32, power.shape[:2])
    else:
        factors = np.array([check_number("factor", factor, 0, 100)], np.float32)
    setting = np.array([check_number("floor", floor, 0, 1)])
    out = check_output("out", out, power.shape, power, noise, factors)
    shape = np.array([*power.shape, step, int(each)], np.int64)
    arrays = [address_of(a) for a in (power, noise, factors, out, shape, setting)]
    _subtraction_gain(*arrays)
    return out
