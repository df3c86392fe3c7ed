"""Compiled signal primitives: arrays in, arrays out. Knows neither host nor plugins.

`stft`, `istft` and `masked_roundtrip` are here; the rest loads on first use from its module, as in
``from unbraid.kernels.streaming import StreamingStft``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import KernelError
    from .roundtrip import masked_roundtrip
    from .spectra import istft, stft
    from .threads import use_threads

__all__ = ["KernelError", "istft", "masked_roundtrip", "stft", "use_threads"]

_HOMES = {
    "KernelError": "errors",
    "istft": "spectra",
    "masked_roundtrip": "roundtrip",
    "stft": "spectra",
    "use_threads": "threads",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
