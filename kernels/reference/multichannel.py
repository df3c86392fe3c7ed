"""The multichannel Wiener filter in float64, as its papers and the package norbert write it.

Sources: N. Q. K. Duong, E. Vincent, R. Gribonval, "Under-determined reverberant audio source separation using
a full-rank spatial covariance model", IEEE TASLP 18(7), 2010: a stem's spectrum y_j(t, f) is Gaussian with
covariance v_j(t, f) R_j(f), so its mean given the mixture x is v_j R_j (sum_k v_k R_k)^-1 x (section II). The
update of v and R from the latest estimates is that of A. A. Nugraha, A. Liutkus, E. Vincent, "Multichannel
audio source separation with deep neural networks", IEEE/ACM TASLP 24(9), 2016 (section III), without the
posterior covariance, as norbert 0.2 has it; its epsilons and its scale are followed too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Complex = npt.NDArray[np.complex128]
    Real = npt.NDArray[np.float64]

__all__ = ["EPS", "first_estimates", "refine", "wiener", "wiener_in_windows", "with_residual"]

EPS = float(np.finfo(np.float32).eps)


def with_residual(x: Complex, v: Real) -> Real:
    """Scale magnitudes ``[stems, channels, frames, bins]`` to the mixture and append what they leave of it.

    norbert's `residual_model`: the scale is a least-squares fit over frames, but what is left is counted
    before it. Where the mixture is 0, so is the residual.
    """
    sizes = np.maximum(np.abs(x), EPS)
    total = v.sum(axis=0)
    gains = (sizes * total).sum(axis=1, keepdims=True) / (EPS + (total**2).sum(axis=1, keepdims=True))
    rest = np.where(x == 0, 0, np.maximum(0, sizes - total))
    return np.concatenate([v * gains, rest[None]])


def first_estimates(x: Complex, v: Real, eps: float, *, use_softmask: bool) -> Complex:
    """Give every stem its share of the mixture, or the mixture's phase (that of 0 is 0)."""
    turn: Complex = x / (eps + v.sum(axis=0)) if use_softmask else np.exp(1j * np.angle(x + 0))
    estimates: Complex = v * turn
    return estimates


def refine(x: Complex, y: Complex, eps: float) -> Complex:
    """Do one iteration: powers and covariances from y, then the filter they make."""
    channels = len(x)
    v = (np.abs(y) ** 2).mean(axis=1)
    R = np.einsum("jctf,jdtf->jfcd", y, y.conj()) / (eps + v.sum(axis=1))[..., None, None]
    noise = np.sqrt(eps) + (eps if channels == 1 else 0)  # norbert adds eps once more to a single channel
    mixture = np.einsum("jtf,jfcd->tfcd", v, R) + noise * np.eye(channels)
    solved = np.linalg.solve(mixture, x.transpose(1, 2, 0)[..., None])[..., 0]
    filtered: Complex = np.einsum("jtf,jfcd,tfd->jctf", v, R, solved)
    return filtered


def wiener(
    mixture: npt.NDArray[Any],
    magnitudes: npt.NDArray[Any],
    *,
    iterations: int = 1,
    use_softmask: bool = True,
    residual: bool = False,
    eps: float = EPS,
) -> Complex:
    """Separate ``mixture [channels, frames, bins]``: ``[stems, channels, frames, bins]``."""
    x, v = mixture.astype(np.complex128), magnitudes.astype(np.float64)
    if residual:
        v = with_residual(x, v)
    y = first_estimates(x, v, eps, use_softmask=use_softmask)
    scale = max(1.0, float(np.abs(x).max()) / 10) if iterations else 1.0
    y = y / scale
    for _ in range(iterations):
        y = refine(x / scale, y, eps)
    return y * scale


def wiener_in_windows(
    mixture: npt.NDArray[Any], magnitudes: npt.NDArray[Any], window: int, overlap: int, **options: Any
) -> Complex:
    """Separate every window by itself and fade linearly from one to the next.

    A window begins every ``window - overlap`` frames as long as it holds more than the one before.
    """
    frames, parts, start = mixture.shape[1], [], 0
    while start == 0 or frames - start > overlap:
        cut = slice(start, start + window)
        parts.append((start, wiener(mixture[:, cut], magnitudes[:, :, cut], **options)))
        start += window - overlap
    out = np.zeros((parts[0][1].shape[0], *mixture.shape), np.complex128)
    for start, part in parts:
        rise = np.ones(part.shape[2])
        if start:
            rise[:overlap] = (np.arange(overlap) + 0.5) / max(overlap, 1)
        here = out[:, :, start : start + part.shape[2]]
        here[:] = (1 - rise)[:, None] * here + rise[:, None] * part
    return out
