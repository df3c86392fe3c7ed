"""`masked_roundtrip`: transform, mask, transform back, without the spectrum ever being in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from .arguments import check_array, check_count, check_output, on_cuda
from .code import job as at
from .errors import KernelError
from .framing import frames_of
from .machine import address_of
from .plan import plan_of
from .spectra import point_at_samples, point_at_windows
from .stretches import overlap_add, overlap_add_in_order
from .windows import dual_window, window_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from .framing import Framing
    from .spectra import OnDevice
    from .windows import Window

__all__ = ["function_roundtrip", "masked_roundtrip"]


@overload
def masked_roundtrip(
    x: npt.NDArray[np.float32],
    masks: npt.NDArray[np.float32],
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    framing: Framing = "centered",
    out: npt.NDArray[np.float32] | None = None,
    width: int | None = None,
) -> npt.NDArray[np.float32]: ...


@overload
def masked_roundtrip(
    x: OnDevice,
    masks: OnDevice,
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    framing: Framing = "centered",
    out: OnDevice | None = None,
) -> OnDevice: ...


def masked_roundtrip(
    x: Any,
    masks: Any,
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    framing: Framing = "centered",
    out: Any = None,
    width: int | None = None,
) -> Any:
    """Return ``istft(stft(x) * mask)`` for one mask or for each of many stems, in one pass.

    One forward transform, and an inverse for each stem. Beside the output it needs a few frames of memory.

    Args:
        x: float32 ``[channels, samples]``, C-contiguous: a NumPy array, or a torch tensor or CuPy array on a
            CUDA device, see `kernels.cuda`; masks and out are of the same kind and there too.
        masks: real, float32 ``[channels, frames, bins]``, or ``[stems, channels, frames, bins]``,
            C-contiguous, ``bins = n_fft // 2 + 1``. For the default framing ``frames = 1 + samples // hop``.
        n_fft: samples in a frame, 2^a 3^b 5^c 7^d, 2 to 2^20; on CUDA a multiple of 16 from 32 to 8192.
        hop: samples between frames, 1 to ``n_fft``.
        window: analysis window, a name or an array ``[n_fft]``; synthesis uses its dual.
        framing: where frames lie, see `kernels.framing`; by default as torch.stft frames by default.
        out: where to write, float32 ``[channels, samples]`` or ``[stems, channels, samples]``.
        width: float32 lanes of vectors; by default the CPU's.

    Returns:
        float32 of ``x``'s shape, with stems before it if the masks have them; ``out`` if given.

    Raises:
        KernelError: an argument cannot be, or window and hop cannot reconstruct.

    Example:
        >>> x = np.random.default_rng(0).standard_normal((2, 48000), np.float32)
        >>> masks = np.ones((2, 188, 513), np.float32)
        >>> y = masked_roundtrip(x, masks, n_fft=1024, hop=256)
        >>> bool(np.abs(y - x).max() < 1e-5)
        True
    """
    if on_cuda(x, width):
        from .cuda import masked_roundtrip as with_cuda

        return with_cuda(x, masks, n_fft, hop, window, framing, out)
    check_array("x", x, np.float32, ("channels", "samples"))
    plan, values = plan_of(n_fft, width), window_of(window, n_fft)
    frames = frames_of(framing, x.shape[1], n_fft, hop, values)
    per_stem = (len(x), frames.count, plan.bins)
    many = getattr(masks, "ndim", 0) == 4
    check_array("masks", masks, np.float32, ("stems", *per_stem) if many else per_stem)
    out = check_output("out", out, (len(masks), *x.shape) if many else x.shape, x, masks)
    job = plan.job(len(x), "forward", "apply", "inverse_add")
    kept = [point_at_samples(job, x, frames), point_at_windows(job, values)]
    job[at.MASKS], job[at.MASK_STEM] = address_of(masks), masks.strides[0] if many else 0
    job[at.MASK_CHANNEL], job[at.MASK_FRAME] = masks.strides[-3], masks.strides[-2]
    stems = out if many else out[None]
    overlap_add(plan, job, frames, values, dual_window(values, hop), stems)
    del kept
    return out


def function_roundtrip(  # noqa: PLR0913 - what to do, and where
    x: npt.NDArray[np.float32],
    function: int,
    n_fft: int = 2048,
    hop: int = 512,
    window: Window = "hann",
    *,
    state: int = 0,
    stems: int = 1,
    framing: Framing = "centered",
    out: npt.NDArray[np.float32] | None = None,
    width: int | None = None,
) -> npt.NDArray[np.float32]:
    """Do what `masked_roundtrip` does with masks that a compiled function makes, frame by frame.

    Neither spectrum nor masks are ever in memory as a whole. Frames come in order and each once, so the
    function may keep what it learns in its state; one thread does the work.

    Args:
        x: float32 ``[channels, samples]``, C-contiguous.
        function: address of ``int32 f(void* state, const float* spectra, float* masks, int64 frame)``.
            ``spectra [2, channels, bins]`` hold real, then imaginary parts; it fills
            ``masks [stems, channels, bins]`` (at first ones, later those of the frame before) and returns 0,
            or a code that ends the work as an error. numba's ``cfunc`` makes such functions.
        n_fft: samples in a frame.
        hop: samples between frames.
        window: analysis window; synthesis uses its dual.
        state: address handed to the function.
        stems: outputs.
        framing: where frames lie, see `kernels.framing`.
        out: where to write, float32 ``[channels, samples]``, or with more than one stem
            ``[stems, channels, samples]``.
        width: float32 lanes of vectors; by default the CPU's.

    Returns:
        float32 of ``x``'s shape, with stems before it if there are several; ``out`` if given.

    Raises:
        KernelError: an argument cannot be, window and hop cannot reconstruct, or the function returned
            non-zero (the output is then unfinished).
    """
    check_array("x", x, np.float32, ("channels", "samples"))
    stems, function = check_count("stems", stems), check_count("function (an address)", function)
    plan, values = plan_of(n_fft, width), window_of(window, n_fft)
    frames = frames_of(framing, x.shape[1], n_fft, hop, values)
    out = check_output("out", out, x.shape if stems == 1 else (stems, *x.shape), x)
    job = plan.job(len(x), "forward", "apply", "inverse_add", "spread")
    kept = [point_at_samples(job, x, frames), point_at_windows(job, values)]
    job[at.CALLEE], job[at.CALLEE_STATE] = function, state
    rows = out.reshape(stems, *x.shape)
    failed = overlap_add_in_order(plan, job, frames, values, dual_window(values, hop), rows)
    del kept
    if failed:
        code = failed & 0xFFFFFFFF
        code -= (code >> 31) << 32
        raise KernelError(f"the mask function returned {code} at frame {failed >> 32}")
    return out
