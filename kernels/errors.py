"""What kernels raise."""

from __future__ import annotations

__all__ = ["KernelError"]


class KernelError(ValueError):
    """An argument cannot be worked on; the message names it, what it is, and the rule."""
