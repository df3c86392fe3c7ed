"""What CUDA raises beyond arguments that cannot be worked on."""

from __future__ import annotations

__all__ = ["CudaError"]


class CudaError(RuntimeError):
    """The driver, its compiler or the device cannot do it; the message says what to install or change."""
