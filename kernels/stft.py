"""Streaming STFT and its inverse on an absolute frame grid, in NumPy.

Frame k (from 0) covers samples ``[(k + 1) * hop - n_fft, (k + 1) * hop)``; samples before 0 are zero.
So every sample lies in as many frames as any other, frames never depend on block sizes, and
``StreamingIstft`` returns sample m as soon as sample ``m + n_fft - 1`` has been pushed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .windows import dual_window, root_hann

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["StreamingIstft", "StreamingStft"]


class StreamingStft:
    """Analysis half: samples in, spectra of the frames they complete out.

    Args:
        channels: rows of every block.
        n_fft: samples in a frame.
        hop: samples between frames.
        max_block: longest block `push` will see.

    Example:
        >>> stft = StreamingStft(channels=1, n_fft=8, hop=4, max_block=16)
        >>> stft.push(np.ones((1, 9), np.float32)).shape
        (1, 2, 5)
    """

    def __init__(self, channels: int, n_fft: int, hop: int, max_block: int) -> None:
        self._n_fft, self._hop = n_fft, hop
        self._window = root_hann(n_fft).astype(np.float32)
        # The samples before the block that its first frame may still need, then the block.
        self._past = n_fft + hop
        self._samples = np.zeros((channels, self._past + max_block), np.float32)
        self._position = 0

    @property
    def frames_done(self) -> int:
        """The number of frames returned so far."""
        return self._position // self._hop

    def push(self, block: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
        """Take ``[channels, n]`` samples; return ``[channels, frames, n_fft // 2 + 1]``, maybe no frame."""
        n = block.shape[1]
        self._samples[:, self._past : self._past + n] = block
        first = self.frames_done
        self._position += n
        count = self.frames_done - first
        start = self._past + (first + 1) * self._hop - self._n_fft - (self._position - n)
        windows = np.lib.stride_tricks.sliding_window_view(self._samples, self._n_fft, axis=1)
        frames = windows[:, start : start + count * self._hop : self._hop] if count else windows[:, :0]
        spectra = np.fft.rfft(frames * self._window, axis=-1).astype(np.complex64, copy=False)
        self._samples[:, : self._past] = self._samples[:, n : n + self._past].copy()
        return spectra


class StreamingIstft:
    """Synthesis half: spectra in as they come from `StreamingStft`, samples out, ``n_fft - 1`` late.

    For each block, `push` the spectra of its frames, then `pull` as many samples as the block had.
    """

    def __init__(self, channels: int, n_fft: int, hop: int, max_block: int) -> None:
        self._n_fft, self._hop = n_fft, hop
        self._window = dual_window(root_hann(n_fft), hop).astype(np.float32)
        # Index 0 is the next sample to leave, which is position - (n_fft - 1) of the stream.
        self._sum = np.zeros((channels, n_fft + max_block), np.float32)
        self._position = 0
        self._frames = 0

    def push(self, spectra: npt.NDArray[np.complex64]) -> None:
        """Overlap-add frames ``[channels, frames, bins]``, in order."""
        frames = np.fft.irfft(spectra, n=self._n_fft, axis=-1) * self._window
        for k in range(frames.shape[1]):
            start = (self._frames + 1) * self._hop - 1 - self._position
            self._sum[:, start : start + self._n_fft] += frames[:, k]
            self._frames += 1

    def pull(self, out: npt.NDArray[np.float32]) -> None:
        """Fill ``out [channels, n]`` with the next samples."""
        n = out.shape[1]
        out[:] = self._sum[:, :n]
        rest = self._sum.shape[1] - n
        self._sum[:, :rest] = self._sum[:, n:].copy()
        self._sum[:, rest:] = 0
        self._position += n
