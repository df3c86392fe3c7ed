"""The multichannel Wiener filter with expectation-maximisation: magnitudes of stems and a mixture to stems.

A stem's spectrum in a bin is a Gaussian vector over channels with covariance v R: a power v for every frame
and a spatial covariance R, the same in all frames. Given these, the best estimate from the mixture x is
``v_j R_j (sum_k v_k R_k + e I)^-1 x``; and from estimates, v and R are had again. That is an iteration.

Sources: N. Q. K. Duong, E. Vincent, R. Gribonval, IEEE TASLP 18(7), 2010 (the model and the filter); A. A.
Nugraha, A. Liutkus, E. Vincent, IEEE/ACM TASLP 24(9), 2016 (the update from estimates alone). Scales and
epsilons are those of the package norbert 0.2 (A. Liutkus, F.-R. Stoeter), with which results agree.

Bins never meet, but for one number: the mixture's greatest finite magnitude in a window. A NaN or infinity
in a bin therefore makes NaN in that bin, in the windows that hold its frame, and nowhere else. Results have
the same bits for any number of threads, and in a stream for any cut of the frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_array, check_count
from .code import wiener_task as task
from .errors import KernelError
from .machine import Kernel, address_of, aligned
from .threads import run_jobs, thread_count

if TYPE_CHECKING:
    import numpy.typing as npt

    Spectra = npt.NDArray[np.complex64]
    Magnitudes = npt.NDArray[np.float32]

__all__ = ["MultichannelWiener", "multichannel_wiener"]

_fade = Kernel("multichannel.fade", 6)
_peak = Kernel("multichannel.peak", 4)
_scratch_bytes = Kernel("multichannel.scratch_bytes", 2)
_separate = Kernel("multichannel.separate", 4)

#: The epsilon of float32, as norbert chooses for complex64.
EPS = float(np.finfo(np.float32).eps)
MOST_CHANNELS = 16
_LEAST_EPS = 1e-30  # float32 still divides by it


@dataclass(frozen=True)
class _Settings:
    """What `multichannel_wiener` takes by name, checked."""

    window: int
    overlap: int
    iterations: int
    use_softmask: bool
    residual: bool
    eps: float

    def __post_init__(self) -> None:
        for name, least in (("window", 1), ("overlap", 0), ("iterations", 0)):
            check_count(name, getattr(self, name), least)
        if 2 * self.overlap > self.window:
            raise KernelError(f"overlap {self.overlap} must be at most half of window {self.window}")
        for name in ("use_softmask", "residual"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise KernelError(f"{name} must be True or False, not {getattr(self, name)!r}")
        _check_eps("eps", self.eps)

    @property
    def step(self) -> int:
        """Frames from a window's start to the next one's."""
        return self.window - self.overlap


def _check_eps(name: str, value: object) -> None:
    real = isinstance(value, float | int | np.floating) and not isinstance(value, bool)
    if not real or not isfinite(value) or value < _LEAST_EPS:  # type: ignore[arg-type, operator]
        raise KernelError(f"{name} must be a finite number, at least {_LEAST_EPS}, not {value!r}")


class _Solver:
    """Separates one window at a time, whatever its length; every thread has a range of bins."""

    def __init__(self, stems: int, channels: int, bins: int, settings: _Settings) -> None:
        self.settings, self.bins, self.stems = settings, bins, stems + int(settings.residual)
        self._blocks = -(-bins // task.LANES)
        self._jobs = min(thread_count(), self._blocks)
        self._peaks = aligned((self._jobs, task.LANES), np.float64)
        self._scratch = aligned((self._jobs, _scratch_bytes(self.stems, channels)), np.uint8)
        self._numbers = np.zeros(task.PARAMETERS)
        self._task = np.zeros(task.FIELDS, np.int64)
        self._task[[task.STEMS, task.CHANNELS, task.BINS]] = self.stems, channels, bins
        self._task[task.ITERATIONS] = settings.iterations
        self._task[[task.SOFTMASK, task.RESIDUAL]] = settings.use_softmask, settings.residual
        self._task[task.NUMBERS] = address_of(self._numbers)
        self._address = address_of(self._task)

    def solve(self, mixture: Spectra, magnitudes: Magnitudes, out: Spectra) -> None:
        """Fill ``out``; arrays are cut along frames out of contiguous ones."""
        self._task[task.FRAMES] = mixture.shape[1]
        self._task[[task.X, task.X_STEP]] = address_of(mixture), mixture.strides[0]
        self._task[[task.V, task.V_STEP]] = address_of(magnitudes), _step(magnitudes)
        self._task[[task.Y, task.Y_STEP]] = address_of(out), _step(out)
        run_jobs(self._jobs, lambda: self._find_peak)
        self._set_numbers(float(self._peaks.max()), mixture.shape[0])
        run_jobs(self._jobs, lambda: self._filter_bins)

    def _set_numbers(self, peak: float, channels: int) -> None:
        """Scale the epsilons up where norbert scales the signal down, to a greatest magnitude of 10."""
        eps, scale = self.settings.eps, max(1.0, peak / 100)
        # To a single channel norbert adds both, when it builds the covariance and when it inverts it.
        floor = np.sqrt(eps) + (eps if channels == 1 else 0.0)
        self._numbers[[task.EPS, task.FLOOR, task.WEIGHT]] = eps, scale * floor, scale * eps

    def _find_peak(self, job: int) -> None:
        _peak(self._address, *self._range(job), address_of(self._peaks[job]))

    def _filter_bins(self, job: int) -> None:
        _separate(self._address, *self._range(job), address_of(self._scratch[job]))

    def _range(self, job: int) -> tuple[int, int]:
        first, last = (self._blocks * k // self._jobs * task.LANES for k in (job, job + 1))
        return first, min(last, self.bins)


def _step(array: npt.NDArray[Any]) -> int:
    """Bytes between channels of ``[stems, channels, frames, bins]``; a lone axis may claim any stride."""
    return array.strides[1] if array.shape[1] > 1 else array.strides[0]


def _fade_in(before: Spectra, after: Spectra) -> None:
    """Make ``after``'s first frames a fade from ``before``, which is contiguous."""
    stems, channels, overlap, bins = before.shape
    _fade(address_of(before), address_of(after), stems * channels, _step(after), overlap, bins)


def multichannel_wiener(  # noqa: PLR0913 - norbert's options by name
    mixture: Spectra,
    magnitudes: Magnitudes,
    *,
    window: int = 512,
    overlap: int = 64,
    iterations: int = 1,
    use_softmask: bool = True,
    residual: bool = False,
    eps: float = EPS,
    out: Spectra | None = None,
) -> Spectra:
    """Separate a mixture into stems, given estimates of their magnitudes.

    Within one window the result is that of ``norbert.wiener`` in complex128, to 1e-7 of a stem's peak (1e-5
    with ``residual``, for which norbert adds in the type of the magnitudes). Arithmetic is float64 for that:
    in complex64 norbert is off by up to 1e-2 where channels are alike. From three channels on norbert also
    drops directions with less than ``eps`` times the power of the strongest; here none is dropped.

    Frames are cut into windows that begin every ``window - overlap`` frames, as long as one holds more than
    the one before; each has covariances of its own, and outputs pass linearly from one to the next. Memory
    beside the arrays is ``overlap`` frames of the output and a few rows of bins.

    Silence gives zeros. Bins with NaN or infinity are NaN throughout the windows that hold it; other bins
    are not touched.

    Args:
        mixture: its spectrum, complex64 ``[channels, frames, bins]``, 1 to 16 channels.
        magnitudes: of the stems, float32 ``[stems, channels, frames, bins]``, none negative.
        window: frames that share a spatial covariance; as many as there are, or more, for a single window.
        overlap: frames of the fade between windows, at most half of one.
        iterations: of expectation-maximisation; 0 returns the first estimates.
        use_softmask: the first estimates are shares of the mixture, ``v_j / (eps + sum_k v_k) x``; without,
            they are the magnitudes with the mixture's phase (that of 0 is 0).
        residual: fit the sum of magnitudes to the mixture's by a gain in each channel and bin, and append
            one more stem for what they left of it (``norbert.residual_model``).
        eps: regularisation, at least 1e-30: a power, after a window whose greatest magnitude is above 10 was
            scaled to 10.
        out: where to put the result.

    Returns:
        The stems, complex64 ``[stems, channels, frames, bins]``, with ``residual`` one more.

    Raises:
        KernelError: an option is out of range, or an array has another type, shape or layout.

    See Also:
        `MultichannelWiener`, the same for a stream.

    Example:
        >>> import numpy as np
        >>> voice = np.zeros((2, 50, 3), np.complex64)
        >>> voice[:, ::2] = 1
        >>> drum = np.zeros_like(voice)
        >>> drum[0, 1::2] = 2j
        >>> magnitudes = np.abs(np.stack([voice, drum]))
        >>> stems = multichannel_wiener(voice + drum, magnitudes)
        >>> bool(np.abs(stems[1] - drum).max() < 0.01)
        True
    """
    settings = _Settings(window, overlap, iterations, use_softmask, residual, eps)
    check_array("mixture", mixture, np.complex64, ("channels", "frames", "bins"))
    check_count("mixture's number of channels", mixture.shape[0], 1, MOST_CHANNELS)
    check_array("magnitudes", magnitudes, np.float32, ("stems", *mixture.shape))
    solver = _Solver(len(magnitudes), mixture.shape[0], mixture.shape[2], settings)
    out = _output(out, (solver.stems, *mixture.shape), mixture, magnitudes)
    frames, start = mixture.shape[1], settings.step
    solver.solve(mixture[:, :window], magnitudes[:, :, :window], out[:, :, :window])
    while frames - start > overlap:
        before = out[:, :, start : start + overlap].copy()
        cut = slice(start, min(start + window, frames))
        solver.solve(mixture[:, cut], magnitudes[:, :, cut], out[:, :, cut])
        _fade_in(before, out[:, :, cut])
        start += settings.step
    return out


def _output(
    out: Spectra | None, shape: tuple[int, ...], *inputs: npt.NDArray[Any]
) -> npt.NDArray[np.complex64]:
    if out is None:
        return np.empty(shape, np.complex64)
    check_array("out", out, np.complex64, shape, writable=True)
    if any(np.may_share_memory(out, array) for array in inputs):
        raise KernelError("out must share no memory with mixture and magnitudes")
    return out


class MultichannelWiener:
    """`multichannel_wiener` for a stream: frames in, frames of the windows they complete out.

    Frames come back in order, each once, with the bits of `multichannel_wiener` for any cut. What is held
    is one window of inputs and outputs and one overlap, allocated here.

    Args:
        stems: how many magnitudes come, the residual not counted.
        channels: of the mixture, 1 to 16.
        bins: of every frame.
        window: see `multichannel_wiener`, like all below.
        overlap: frames of the fade between windows.
        iterations: of expectation-maximisation.
        use_softmask: how the first estimates are made.
        residual: whether there is one more stem.
        eps: regularisation.

    Raises:
        KernelError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> filter_ = MultichannelWiener(stems=2, channels=1, bins=3, window=4, overlap=1)
        >>> mixture, magnitudes = np.ones((1, 5, 3), np.complex64), np.ones((2, 1, 5, 3), np.float32)
        >>> filter_.push(mixture, magnitudes).shape, filter_.finish().shape
        ((2, 1, 3, 3), (2, 1, 2, 3))
    """

    def __init__(  # noqa: PLR0913 - norbert's options by name
        self,
        stems: int,
        channels: int,
        bins: int,
        *,
        window: int = 512,
        overlap: int = 64,
        iterations: int = 1,
        use_softmask: bool = True,
        residual: bool = False,
        eps: float = EPS,
    ) -> None:
        settings = _Settings(window, overlap, iterations, use_softmask, residual, eps)
        check_count("stems", stems, 1)
        check_count("channels", channels, 1, MOST_CHANNELS)
        check_count("bins", bins, 1)
        self._solver, self._settings = _Solver(stems, channels, bins, settings), settings
        self._mixture = np.empty((channels, window, bins), np.complex64)
        self._magnitudes = np.empty((stems, channels, window, bins), np.float32)
        self._out = np.empty((self._solver.stems, channels, window, bins), np.complex64)
        self._tail = np.empty((self._solver.stems, channels, overlap, bins), np.complex64)
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._held, self._begun = 0, False

    @property
    def pending(self) -> int:
        """How many frames have been pushed that were not returned yet."""
        return self._held

    def completes(self, frames: int) -> int:
        """Return how many frames the next push of so many will return."""
        check_count("frames", frames, 0)
        excess = self._held + frames - self._settings.window
        return 0 if excess < 0 else (1 + excess // self._settings.step) * self._settings.step

    def push(self, mixture: Spectra, magnitudes: Magnitudes, *, out: Spectra | None = None) -> Spectra:
        """Take frames, any number; return those now finished, ``[stems, channels, frames, bins]``.

        Args:
            mixture: complex64 ``[channels, frames, bins]``.
            magnitudes: float32 ``[stems, channels, frames, bins]``.
            out: where to put the result, with as many frames as `completes` says.

        Raises:
            KernelError: an array has another type, shape or layout.
        """
        stems, channels, _, bins = self._magnitudes.shape
        check_array("mixture", mixture, np.complex64, (channels, None, bins))
        n = mixture.shape[1]
        check_array("magnitudes", magnitudes, np.float32, (stems, channels, n, bins))
        shape = (self._solver.stems, channels, self.completes(n), bins)
        out = _output(out, shape, mixture, magnitudes)
        taken, given, step = 0, 0, self._settings.step
        while taken < n:
            count = min(n - taken, self._settings.window - self._held)
            here, there = slice(self._held, self._held + count), slice(taken, taken + count)
            self._mixture[:, here], self._magnitudes[:, :, here] = mixture[:, there], magnitudes[:, :, there]
            self._held, taken = self._held + count, taken + count
            if self._held == self._settings.window:
                self._solve()
                out[:, :, given : given + step] = self._out[:, :, :step]
                self._keep_overlap()
                given += step
        return out

    def _solve(self) -> None:
        """Separate the frames at hand, and fade into them from the window before."""
        n = self._held
        self._solver.solve(self._mixture[:, :n], self._magnitudes[:, :, :n], self._out[:, :, :n])
        if self._begun:
            _fade_in(self._tail, self._out)

    def _keep_overlap(self) -> None:
        """Begin the next window with the end of this one; no more than half of it, so nothing overlaps."""
        step, overlap = self._settings.step, self._settings.overlap
        self._tail[:] = self._out[:, :, step:]
        self._mixture[:, :overlap] = self._mixture[:, step:]
        self._magnitudes[:, :, :overlap] = self._magnitudes[:, :, step:]
        self._held, self._begun = overlap, True

    def finish(self, *, out: Spectra | None = None) -> Spectra:
        """Return the frames that are pending, ``[stems, channels, pending, bins]``; then start anew.

        Args:
            out: where to put the result.

        Raises:
            KernelError: ``out`` has another type, shape or layout.
        """
        n = self._held
        out = _output(out, (self._solver.stems, len(self._mixture), n, self._mixture.shape[2]))
        if n > (self._settings.overlap if self._begun else 0):
            self._solve()
            out[:] = self._out[:, :, :n]
        elif n:
            out[:] = self._tail
        self.reset()
        return out
