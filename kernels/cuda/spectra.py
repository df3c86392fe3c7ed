"""`stft`, `istft` and `masked_roundtrip` of arrays on CUDA devices, on the caller's current stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments import check_count
from ..errors import KernelError
from ..framing import natural_length
from ..windows import check_hop
from .arrays import place_of, view, written
from .plans import checked_frames, plan_of, window_key

if TYPE_CHECKING:
    from ..framing import Frames
    from ..windows import Window

__all__ = ["istft", "masked_roundtrip", "stft"]


def stft(x: Any, n_fft: int, hop: int, window: Window, framing: str, out: Any) -> Any:
    """Do what `unbraid.kernels.stft` does; frames 2j and 2j + 1 of a channel share one transform."""
    place = place_of("x", x)
    samples = view("x", x, place, "float32", ("channels", "samples"))
    key, hop = window_key(window, n_fft), check_hop(hop, n_fft)
    channels, length = samples.shape
    frames = checked_frames(framing, length, n_fft, hop, key, back=False)
    plan = plan_of(place.ordinal, n_fft, hop, key, back=False)
    shape = (channels, frames.count, n_fft // 2 + 1)
    out, to = written("out", out, place, "complex64", shape, samples)
    job = plan.job(frames, channels)
    job.x, job.transformed = samples.address, to.address
    plan.launch("analysis", job, -(-frames.count // 2), place.stream)
    return out


def istft(X: Any, n_fft: int, hop: int, window: Window, framing: str, length: int | None, out: Any) -> Any:
    """Do what `unbraid.kernels.istft` does."""
    place, bins = place_of("X", X), n_fft // 2 + 1
    spectra = view("X", X, place, "complex64", ("channels", "frames", bins))
    key, hop = window_key(window, n_fft), check_hop(hop, n_fft)
    channels, count, _ = spectra.shape
    length = natural_length(framing, count, n_fft, hop) if length is None else check_count("length", length)
    # The same frames, of any length.
    unmirrored = "centered-zeros" if framing == "centered" else framing
    frames = checked_frames(unmirrored, length, n_fft, hop, key, back=True)
    if frames.count != count:
        raise KernelError(
            f"X has {count} frames, but {length} samples have {frames.count} in framing {framing!r} with "
            f"n_fft {n_fft}, hop {hop}",
        )
    plan = plan_of(place.ordinal, n_fft, hop, key, back=True)
    out, to = written("out", out, place, "float32", (channels, length), spectra)
    job = plan.job(frames, channels)
    job.spectra, job.out = spectra.address, to.address
    plan.launch("synthesis", job, _hops(frames), place.stream)
    return out


def masked_roundtrip(x: Any, masks: Any, n_fft: int, hop: int, window: Window, framing: str, out: Any) -> Any:
    """Do what `unbraid.kernels.masked_roundtrip` does."""
    place = place_of("x", x)
    samples = view("x", x, place, "float32", ("channels", "samples"))
    key, hop = window_key(window, n_fft), check_hop(hop, n_fft)
    channels, length = samples.shape
    frames = checked_frames(framing, length, n_fft, hop, key, back=True)
    per_stem = (channels, frames.count, n_fft // 2 + 1)
    many = getattr(masks, "ndim", 0) == 4
    values = view("masks", masks, place, "float32", ("stems", *per_stem) if many else per_stem)
    plan = plan_of(place.ordinal, n_fft, hop, key, back=True)
    shape = (values.shape[0], channels, length) if many else (channels, length)
    out, to = written("out", out, place, "float32", shape, samples, values)
    job, stems = plan.job(frames, channels), values.shape[0] if many else 1
    job.mask_stem, job.out_stem = per_stem[0] * per_stem[1] * per_stem[2], channels * length
    job.x, stream = samples.address, place.stream
    most = 1 if stems == 1 else plan.most_stems(stems)
    kernel, pairs = "roundtrip" if stems == 1 else "roundtrips", _hops(frames)
    for first in range(0, stems, most):
        job.stems = min(most, stems - first)
        job.masks = values.address + 4 * first * job.mask_stem
        job.out = to.address + 4 * first * job.out_stem
        plan.launch(kernel, job, pairs, stream)
    return out


def _hops(frames: Frames) -> int:
    """Return how many pairs of hops the output has, which may be more than frames."""
    return -(-(frames.samples - frames.start) // (2 * frames.hop))
