"""Windows for analysis and synthesis."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import KernelError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Window = str | npt.NDArray[Any]

__all__ = ["WINDOWS", "check_hop", "dual_window", "root_hann", "window_of"]

_MOST = 1e12  # weights that float32 can square, and divide by, without overflow


def root_hann(n_fft: int) -> npt.NDArray[np.float64]:
    """Return the square root of the periodic Hann window, i.e. a half period of a sine.

    Example:
        >>> root_hann(4).round(3).tolist()
        [0.0, 0.707, 1.0, 0.707]
    """
    return np.sin(np.pi * np.arange(n_fft) / n_fft)


def _cosines(*terms: float) -> Callable[[int], npt.NDArray[np.float64]]:
    def window(n_fft: int) -> npt.NDArray[np.float64]:
        angles = 2 * np.pi * np.arange(n_fft) / n_fft
        total = np.zeros(n_fft)
        for k, term in enumerate(terms):
            total += (-1) ** k * term * np.cos(k * angles)
        return total

    return window


def _vorbis(n_fft: int) -> npt.NDArray[np.float64]:
    return np.sin(np.pi / 2 * np.sin(np.pi * (np.arange(n_fft) + 0.5) / n_fft) ** 2)


#: Periodic windows by name. "hann", "hamming", "blackman": sums of cosines (Harris, Proc. IEEE 66, 1978);
#: "root_hann": the square root of "hann"; "vorbis": the power-complementary window of the Vorbis I
#: specification, 4.3.1; "boxcar": ones.
WINDOWS: dict[str, Callable[[int], npt.NDArray[np.float64]]] = {
    "hann": _cosines(0.5, 0.5),
    "hamming": _cosines(0.54, 0.46),
    "blackman": _cosines(0.42, 0.5, 0.08),
    "root_hann": root_hann,
    "vorbis": _vorbis,
    "boxcar": np.ones,
}


@lru_cache(maxsize=64)
def _named(name: str, n_fft: int) -> npt.NDArray[np.float64]:
    found = WINDOWS[name](n_fft)
    found.flags.writeable = False
    return found


def window_of(window: Window, n_fft: int) -> npt.NDArray[np.float64]:
    """Return a window as float64 ``[n_fft]``.

    Args:
        window: a name from `WINDOWS`, or the values, real and finite, ``[n_fft]``.
        n_fft: samples in a frame.

    Raises:
        KernelError: the name is unknown, or the array has another shape or type.

    Example:
        >>> window_of("hann", 4).round(3).tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    if isinstance(window, str):
        if window not in WINDOWS:
            raise KernelError(
                f"window {window!r} is unknown; there are {', '.join(WINDOWS)}, or pass an array"
            )
        return _named(window, n_fft)
    values = np.asarray(window)
    if values.shape != (n_fft,) or values.dtype.kind not in "fiu":
        raise KernelError(f"window must be real [n_fft = {n_fft}], not {values.dtype} {list(values.shape)}")
    values = values.astype(np.float64)
    if not np.all(np.isfinite(values)):
        raise KernelError("window holds NaN or infinity")
    if np.abs(values).max() > _MOST:
        raise KernelError(f"window holds weights beyond {_MOST:g}; scale it, its dual makes up for it")
    return values


def check_hop(hop: object, n_fft: int) -> int:
    """Return ``hop`` as an int if it is an integer from 1 to ``n_fft``.

    Raises:
        KernelError: it is something else.
    """
    if isinstance(hop, bool) or not isinstance(hop, int | np.integer) or not 1 <= hop <= n_fft:
        raise KernelError(f"hop must be 1 to n_fft = {n_fft}, an integer, not {hop!r}")
    return int(hop)


def dual_window(window: npt.NDArray[np.float64], hop: int) -> npt.NDArray[np.float64]:
    """Return the synthesis window that makes overlap-add of ``window`` exact at this hop.

    The canonical dual ``w[n] / sum_k w[n + k hop]^2`` (Allen and Rabiner, Proc. IEEE 65, 1977;
    Griffin and Lim, IEEE TASSP 32, 1984).

    Args:
        window: analysis window, ``[n_fft]``.
        hop: samples between frames, 1 to ``n_fft``.

    Raises:
        KernelError: some sample is covered by no frame with weight, so nothing can restore it, or all
            weights are below 1e-12.

    Example:
        >>> w = root_hann(8)
        >>> np.add.reduce((w * dual_window(w, 2)).reshape(-1, 2)).round(12).tolist()
        [1.0, 1.0]
    """
    n_fft = len(window)
    hop = check_hop(hop, n_fft)
    folded = np.zeros(hop)
    for start in range(0, n_fft, hop):
        part = window[start : start + hop] ** 2
        folded[: len(part)] += part
    if not folded.min() > 1e-8 * folded.max():
        raise KernelError(
            f"a window of {n_fft} samples with hop {hop} leaves samples without weight, so overlap-add "
            "cannot restore them; use a smaller hop or another window",
        )
    if folded.max() < _MOST**-2:
        raise KernelError(f"window holds no weight above {1 / _MOST:g}; scale it, its dual makes up for it")
    return window / np.resize(folded, n_fft)
