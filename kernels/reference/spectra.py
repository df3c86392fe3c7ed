"""Short-time Fourier transforms in float64: frames one by one, as the definition has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..framing import Frames

__all__ = ["istft", "masked_roundtrip", "stft"]


def _sample(x: npt.NDArray[Any], n: int, *, mirrored: bool) -> Any:
    """Return ``x[:, n]``, beyond the ends zero or mirrored."""
    last = x.shape[1] - 1
    if mirrored:
        n = -n if n < 0 else n
        n = 2 * last - n if n > last else n
    return x[:, n] if 0 <= n <= last else np.zeros(len(x))


def stft(x: npt.NDArray[Any], window: npt.NDArray[np.float64], frames: Frames) -> npt.NDArray[np.complex128]:
    """Return ``X[c, k, f] = sum_n x[c, start + k hop + n] window[n] exp(-2 pi i f n / n_fft)``.

    Args:
        x: ``[channels, samples]``.
        window: ``[n_fft]``.
        frames: where frames lie.

    Returns:
        complex128 ``[channels, frames, n_fft // 2 + 1]``.
    """
    first, last = frames.start, frames.start + (frames.count - 1) * frames.hop + frames.n_fft
    padded = [_sample(x, n, mirrored=frames.mirrored) for n in range(first, last)]
    signal = np.stack(padded, axis=1).astype(np.float64)
    cut = [signal[:, k * frames.hop : k * frames.hop + frames.n_fft] for k in range(frames.count)]
    return np.fft.rfft(np.stack(cut, axis=1) * window)


def istft(X: npt.NDArray[Any], window: npt.NDArray[np.float64], frames: Frames) -> npt.NDArray[np.float64]:
    """Return the least-squares signal, ``sum_k window y_k / sum_k window^2`` (Griffin and Lim, 1984).

    Args:
        X: ``[channels, frames, n_fft // 2 + 1]``.
        window: ``[n_fft]``.
        frames: where frames lie.

    Returns:
        float64 ``[channels, samples]``.
    """
    span = (frames.count - 1) * frames.hop + frames.n_fft
    total, weight = np.zeros((len(X), span)), np.zeros(span)
    for k in range(frames.count):
        at = slice(k * frames.hop, k * frames.hop + frames.n_fft)
        total[:, at] += window * np.fft.irfft(np.asarray(X[:, k], np.complex128), frames.n_fft)
        weight[at] += window**2
    at = slice(-frames.start, -frames.start + frames.samples)
    return np.asarray(total[:, at] / weight[at])


def masked_roundtrip(
    x: npt.NDArray[Any], masks: npt.NDArray[Any], window: npt.NDArray[np.float64], frames: Frames
) -> npt.NDArray[np.float64]:
    """Return ``istft(stft(x) * mask)`` for ``masks [channels, frames, bins]`` or those of many stems."""
    X = stft(x, window, frames)
    if masks.ndim == 3:
        return istft(X * masks, window, frames)
    return np.stack([istft(X * mask, window, frames) for mask in masks])
