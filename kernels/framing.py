"""Where frames lie: which samples each covers, and what stands beyond the signal's ends.

Frame k covers samples ``[start + k hop, start + k hop + n_fft)``.

``"centered"``
    starts at ``-(n_fft // 2)``, ``1 + samples // hop`` frames (n_fft even), the signal mirrored beyond its
    ends: torch.stft by default.
``"centered-zeros"``
    the same with zeros beyond the ends: librosa.stft by default, torch.stft with pad_mode="constant".
``"inside"``
    starts at 0, whole frames only: torch.stft with center=False.
``"scipy"``
    every frame with weight on the signal, centred on multiples of hop, zeros beyond the ends:
    scipy.signal.ShortTimeFFT.stft.
``"stream"``
    starts at ``hop - n_fft``, until every sample lies in as many frames as any other, zeros beyond the
    ends: the frames of `StreamingStft`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from .errors import KernelError
from .windows import check_hop

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FRAMINGS", "Frames", "Framing", "frames_of", "natural_length"]

Framing = Literal["centered", "centered-zeros", "inside", "scipy", "stream"]
FRAMINGS: tuple[str, ...] = get_args(Framing)


@dataclass(frozen=True)
class Frames:
    """The frames of a signal of ``samples`` samples.

    Attributes:
        samples: length of the signal.
        n_fft: samples in a frame.
        hop: samples between frames.
        start: first sample of frame 0, at most 0.
        count: number of frames.
        mirrored: beyond its ends the signal is mirrored; otherwise it is zero.
    """

    samples: int
    n_fft: int
    hop: int
    start: int
    count: int
    mirrored: bool = False

    @property
    def leading(self) -> int:
        """How many frames begin before the signal."""
        return min(self.count, max(0, -(self.start // self.hop)))

    @property
    def trailing_from(self) -> int:
        """The first frame after the leading ones that ends behind the signal."""
        first = (self.samples - self.n_fft - self.start) // self.hop + 1
        return min(self.count, max(first, self.leading))

    def padded(self, first: int, last: int, signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the samples of frames ``[first, last)`` of ``signal [channels, samples]``, ends padded."""
        if last <= first:
            return np.zeros((len(signal), 0), np.float32)
        begin = self.start + first * self.hop
        at = np.arange(begin, self.start + (last - 1) * self.hop + self.n_fft)
        if self.mirrored:
            at = np.where(at < 0, -at, at)
            at = np.where(at >= self.samples, 2 * (self.samples - 1) - at, at)
            return np.ascontiguousarray(signal[:, at])
        inside = (at >= 0) & (at < self.samples)
        out = np.zeros((len(signal), len(at)), np.float32)
        out[:, inside] = signal[:, at[inside]]
        return out

    def correction(
        self, window: npt.NDArray[np.float64], dual: npt.NDArray[np.float64]
    ) -> list[tuple[slice, npt.NDArray[np.float32]]]:
        """Return what overlap-add must be multiplied by where frames before the first or after the last lack.

        Args:
            window: analysis window.
            dual: synthesis window, such that a full overlap sums to one.

        Raises:
            KernelError: some sample lies in no frame with weight.
        """
        overlap, weight = -(-self.n_fft // self.hop), window * dual
        full_from = min(self.samples, max(0, self.start - self.hop + self.n_fft))
        full_to = max(0, min(self.samples, self.start + self.count * self.hop))
        if self.count <= 2 * overlap or full_from >= full_to:
            zones = [(0, self.samples, range(self.count))] if full_from or full_to < self.samples else []
        else:
            last = range(self.count - overlap, self.count)
            zones = [(0, full_from, range(overlap)), (full_to, self.samples, last)]
        return [(slice(a, b), self._missing(a, b, frames, weight)) for a, b, frames in zones if a < b]

    def _missing(
        self, first: int, last: int, frames: range, weight: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float32]:
        total = np.zeros(last - first)
        for k in frames:
            begin = self.start + k * self.hop - first
            a, b = max(0, begin), min(len(total), begin + self.n_fft)
            if a < b:
                total[a:b] += weight[a - begin : b - begin]
        if total.min() < 1e-8:
            at = first + int(total.argmin())
            raise KernelError(
                f"sample {at} of {self.samples} lies in no frame with weight ({self.count} frames of "
                f"{self.n_fft}, hop {self.hop}, from {self.start}), so it cannot be restored; use a centred "
                "framing, a smaller hop or a shorter length",
            )
        return (1 / total).astype(np.float32)


def frames_of(framing: str, samples: int, n_fft: int, hop: int, window: npt.NDArray[np.float64]) -> Frames:
    """Return the frames of a signal.

    Args:
        framing: one of `FRAMINGS`.
        samples: length of the signal, at least 1.
        n_fft: samples in a frame.
        hop: samples between frames.
        window: analysis window; ``"scipy"`` leaves out frames in which it is zero wherever the signal is.

    Raises:
        KernelError: the framing is unknown, the hop is not 1 to n_fft, or the signal is too short for it.
    """
    hop = check_hop(hop, n_fft)
    if framing not in FRAMINGS:
        raise KernelError(f"framing {framing!r} is unknown; there are {', '.join(FRAMINGS)}")
    if framing == "stream":
        return Frames(samples, n_fft, hop, hop - n_fft, -(-(samples + n_fft - hop) // hop))
    if framing == "inside":
        if samples < n_fft:
            raise KernelError(f"framing 'inside' needs n_fft = {n_fft} samples at least, not {samples}")
        return Frames(samples, n_fft, hop, 0, 1 + (samples - n_fft) // hop)
    if framing in {"centered", "centered-zeros"}:
        mirrored, half = framing == "centered", n_fft // 2
        if mirrored and samples <= half:
            raise KernelError(
                f"{samples} samples are too few to be mirrored by n_fft // 2 = {half}; use framing="
                "'centered-zeros'",
            )
        return Frames(samples, n_fft, hop, -half, 1 + (samples + 2 * half - n_fft) // hop, mirrored)
    return _scipy_frames(samples, n_fft, hop, window)


def _scipy_frames(samples: int, n_fft: int, hop: int, window: npt.NDArray[Any]) -> Frames:
    weighted = np.flatnonzero(window)
    if not len(weighted):
        raise KernelError("the window is zero everywhere")
    half, first, last = n_fft // 2, int(weighted[0]), int(weighted[-1])
    # Frame p covers from p hop - half; it has weight on the signal if any of first..last falls inside it.
    lowest = -((last - half) // hop)
    highest = (samples - 1 + half - first) // hop
    return Frames(samples, n_fft, hop, lowest * hop - half, highest - lowest + 1)


def natural_length(framing: str, count: int, n_fft: int, hop: int) -> int:
    """Return how many samples a signal of so many frames has, as far as that is known.

    Args:
        framing: one of `FRAMINGS`.
        count: frames.
        n_fft: samples in a frame.
        hop: samples between frames.

    Raises:
        KernelError: the framing does not say, or the frames hold no whole sample.

    Example:
        >>> natural_length("centered", 188, 1024, 256)
        47872
    """
    hop = check_hop(hop, n_fft)
    if framing == "inside":
        return (count - 1) * hop + n_fft
    if framing == "stream":
        if count * hop <= n_fft - hop:
            raise KernelError(f"{count} frames with hop {hop} hold no whole sample of framing 'stream'")
        return count * hop - (n_fft - hop)
    if framing == "scipy":
        raise KernelError("framing 'scipy' needs length=, the number of samples of the signal")
    return max(1, (count - 1) * hop + n_fft % 2)
