"""Windows for analysis and synthesis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["dual_window", "root_hann"]


def root_hann(n_fft: int) -> npt.NDArray[np.float64]:
    """Return the square root of the periodic Hann window, i.e. a half period of a sine.

    Example:
        >>> root_hann(4).round(3).tolist()
        [0.0, 0.707, 1.0, 0.707]
    """
    return np.sin(np.pi * np.arange(n_fft) / n_fft)


def dual_window(window: npt.NDArray[np.float64], hop: int) -> npt.NDArray[np.float64]:
    """Return the synthesis window that makes overlap-add of ``window`` exact at this hop.

    The canonical dual ``w[n] / sum_k w[n + k hop]^2`` (Allen and Rabiner, Proc. IEEE 65, 1977;
    Griffin and Lim, IEEE TASSP 32, 1984).

    Args:
        window: analysis window, ``[n_fft]``.
        hop: samples between frames, 1 to ``n_fft``.

    Raises:
        ValueError: some sample is covered by no frame with weight, so nothing can restore it.

    Example:
        >>> w = root_hann(8)
        >>> np.add.reduce((w * dual_window(w, 2)).reshape(-1, 2)).round(12).tolist()
        [1.0, 1.0]
    """
    n_fft = len(window)
    if not 1 <= hop <= n_fft:
        raise ValueError(f"hop must be 1 to n_fft = {n_fft}, not {hop}")
    folded = np.zeros(hop)
    for start in range(0, n_fft, hop):
        part = window[start : start + hop] ** 2
        folded[: len(part)] += part
    if folded.min() < 1e-8 * folded.max():
        raise ValueError(f"window {n_fft} with hop {hop} leaves samples without weight; use a smaller hop")
    return window / np.resize(folded, n_fft)
