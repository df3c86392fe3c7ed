"""`stft` and `istft` of whole signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from .arguments import CudaArray, check_array, check_count, on_cuda
from .code import job as at
from .code.job import GAP
from .errors import KernelError
from .framing import Frames, frames_of, natural_length
from .machine import Kernel, address_of, aligned
from .pairs import run_pairs
from .plan import plan_of
from .stretches import overlap_add, padded
from .threads import thread_count
from .windows import dual_window, window_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from .framing import Framing
    from .windows import Window

__all__ = ["istft", "point_at_samples", "point_at_windows", "stft"]

OnDevice = TypeVar("OnDevice", bound=CudaArray)

_analysis = Kernel("signals.analysis", 1)
_LEAST = 64  # frames that are worth a thread


@overload
def stft(
    x: npt.NDArray[np.float32],
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    framing: Framing = "centered",
    out: npt.NDArray[np.complex64] | None = None,
    width: int | None = None,
) -> npt.NDArray[np.complex64]: ...


@overload
def stft(
    x: OnDevice,
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    framing: Framing = "centered",
    out: OnDevice | None = None,
) -> OnDevice: ...


def stft(
    x: Any,
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    framing: Framing = "centered",
    out: Any = None,
    width: int | None = None,
) -> Any:
    """Return the short-time Fourier transform.

    ``X[c, k, f] = sum_n x[c, start + k hop + n] window[n] exp(-2 pi i f n / n_fft)``, unscaled, as torch.stft
    has it (whose axes are ``[channels, bins, frames]``). Channels are transformed in pairs, so about
    -140 dB of a channel, and NaN, reach the other of its pair (0 and 1, 2 and 3, ...).

    Args:
        x: float32 ``[channels, samples]``, C-contiguous: a NumPy array, or a torch tensor or CuPy array on a
            CUDA device, see `kernels.cuda`.
        n_fft: samples in a frame, 2^a 3^b 5^c 7^d, 2 to 2^20; on CUDA a multiple of 16 from 32 to 8192.
        hop: samples between frames, 1 to ``n_fft``.
        window: a name from `kernels.windows.WINDOWS`, or an array ``[n_fft]``.
        framing: where frames lie, see `kernels.framing`.
        out: where to write, complex64 ``[channels, frames, n_fft // 2 + 1]``, C-contiguous.
        width: float32 lanes of vectors, 16, 8, 4 or 1; by default the CPU's.

    Returns:
        complex64 ``[channels, frames, n_fft // 2 + 1]``, of x's kind; ``out`` if given.

    Raises:
        KernelError: an argument cannot be, or the signal is too short for the framing.

    Example:
        >>> x = np.zeros((1, 48000), np.float32)
        >>> stft(x, 1024, 256).shape
        (1, 188, 513)
    """
    if on_cuda(x, width):
        from .cuda import stft as with_cuda

        return with_cuda(x, n_fft, hop, window, framing, out)
    check_array("x", x, np.float32, ("channels", "samples"))
    plan, values = plan_of(n_fft, width), window_of(window, n_fft)
    frames = frames_of(framing, x.shape[1], n_fft, hop, values)
    shape = (len(x), frames.count, plan.bins)
    if out is None:
        out = aligned(shape, np.complex64)
    else:
        check_array("out", out, np.complex64, shape, writable=True)
        _check_apart(out, "x", x)
    job = plan.job(len(x), "forward", "unpack")
    kept = [point_at_samples(job, x, frames), point_at_windows(job, values)]
    job[at.OUT], job[at.OUT_CHANNEL], job[at.OUT_FRAME] = address_of(out), out.strides[0], out.strides[1]
    cuts = max(1, min(4 * thread_count(), frames.count // _LEAST)) if thread_count() > 1 else 1
    rooms = {at.WORK: 2 * padded(plan.n_fft + GAP)}
    run_pairs(_analysis, job, channels=len(x), extent=frames.count, cuts=cuts, rooms=rooms)
    del kept
    return out


def point_at_samples(job: npt.NDArray[np.int64], x: npt.NDArray[np.float32], frames: Frames) -> list[Any]:
    """Enter the signal and its padded ends into a job; return what must stay alive."""
    head = frames.padded(0, frames.leading, x)
    tail = frames.padded(frames.trailing_from, frames.count, x)
    job[at.HOP], job[at.FRAMES], job[at.START] = frames.hop, frames.count, frames.start
    job[at.IN], job[at.IN_STRIDE] = address_of(x), x.strides[0]
    job[at.HEAD], job[at.HEAD_STRIDE], job[at.HEAD_FRAMES] = address_of(head), head.strides[0], frames.leading
    job[at.TAIL], job[at.TAIL_STRIDE] = address_of(tail), tail.strides[0]
    job[at.TAIL_FROM] = frames.trailing_from
    return [head, tail]


def point_at_windows(job: npt.NDArray[np.int64], window: npt.NDArray[np.float64]) -> list[Any]:
    """Enter the analysis windows for two packed channels and for one; return what must stay alive."""
    kept = aligned((2, len(window)))
    kept[0], kept[1] = window / 2, window  # two packed channels come apart as sums, twice too large
    job[at.ANALYSIS], job[at.ANALYSIS_ALONE] = address_of(kept[0]), address_of(kept[1])
    return [kept]


@overload
def istft(
    X: npt.NDArray[np.complex64],
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    framing: Framing = "centered",
    length: int | None = None,
    out: npt.NDArray[np.float32] | None = None,
    width: int | None = None,
) -> npt.NDArray[np.float32]: ...


@overload
def istft(
    X: OnDevice,
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    framing: Framing = "centered",
    length: int | None = None,
    out: OnDevice | None = None,
) -> OnDevice: ...


def istft(
    X: Any,
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    framing: Framing = "centered",
    length: int | None = None,
    out: Any = None,
    width: int | None = None,
) -> Any:
    """Return the signal whose `stft` comes closest to ``X`` (Griffin and Lim, IEEE TASSP 32, 1984).

    Overlap-add with the dual of the window; at the ends, where fewer frames overlap, with the weights that
    are there, as torch.istft does.

    Args:
        X: complex64 ``[channels, frames, n_fft // 2 + 1]``, C-contiguous, of the kinds that `stft`
            takes. Imaginary parts at 0 Hz and at half the rate are ignored.
        n_fft: samples in a frame.
        hop: samples between frames.
        window: the analysis window.
        framing: where frames lie, as in `stft`.
        length: samples of the signal. By default ``(frames - 1) hop``, and one more if ``n_fft`` is odd, for
            centred framings (torch.istft), and all that is whole for "inside" and "stream"; "scipy" must be
            told.
        out: where to write, float32 ``[channels, length]``, C-contiguous.
        width: float32 lanes of vectors; by default the CPU's.

    Returns:
        float32 ``[channels, length]``; ``out`` if given.

    Raises:
        KernelError: an argument cannot be, the window and hop cannot reconstruct, or ``length`` asks for
            samples that lie in no frame, or implies another number of frames.

    Example:
        >>> x = np.sin(np.arange(48000, dtype=np.float32))[None]
        >>> y = istft(stft(x, 1024, 256), 1024, 256, length=48000)
        >>> bool(np.abs(y - x).max() < 1e-5)
        True
    """
    if on_cuda(X, width):
        from .cuda import istft as with_cuda

        return with_cuda(X, n_fft, hop, window, framing, length, out)
    plan, values = plan_of(n_fft, width), window_of(window, n_fft)
    check_array("X", X, np.complex64, ("channels", "frames", plan.bins))
    channels, count, _ = X.shape
    length = natural_length(framing, count, n_fft, hop) if length is None else check_count("length", length)
    unmirrored = "centered-zeros" if framing == "centered" else framing  # the same frames, of any length
    frames = frames_of(unmirrored, length, n_fft, hop, values)
    if frames.count != count:
        raise KernelError(
            f"X has {count} frames, but {length} samples have {frames.count} in framing {framing!r} with "
            f"n_fft {n_fft}, hop {hop}",
        )
    if out is None:
        out = aligned((channels, length))
    else:
        check_array("out", out, np.float32, (channels, length), writable=True)
        _check_apart(out, "X", X)
    job = plan.job(channels, "pack", "inverse_add")
    job[at.IN], job[at.IN_STRIDE], job[at.IN_FRAME] = address_of(X), X.strides[0], X.strides[1]
    overlap_add(plan, job, frames, values, dual_window(values, hop), out[None])
    return out


def _check_apart(out: npt.NDArray[Any], name: str, source: npt.NDArray[Any]) -> None:
    if np.may_share_memory(out, source):
        raise KernelError(f"out must not share memory with {name}: frames overlap")
