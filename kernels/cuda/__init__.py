"""Kernels on CUDA devices, for arrays of torch and CuPy: one launch a call, on the caller's current stream.

The source is CUDA C++, put together for each frame length and hop (`source`, `*.cuh`), compiled by NVRTC
for the device at first use and kept on disk (`compiler`), launched through the driver (`driver`). No torch
and no CuPy is imported: whoever hands over such an array has.
"""

from __future__ import annotations

from .spectra import istft, masked_roundtrip, stft

__all__ = ["istft", "masked_roundtrip", "stft"]
