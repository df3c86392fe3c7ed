"""Kernel: the name of a compiled function, which becomes an address when it is first needed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

__all__ = ["CompileReport", "Kernel", "compilations", "fixed_kernels"]

_LOCK = threading.RLock()
_COMPILED: list[CompileReport] = []
_LINKED: dict[str, int] = {}  # addresses by symbol: kernels of one name share them
_FIXED: dict[str, Kernel] = {}


@dataclass(frozen=True)
class CompileReport:
    """One compilation in this process.

    Attributes:
        name: the kernel.
        seconds: how long it took.
        kept: whether the cache has the object code now.
    """

    name: str
    seconds: float
    kept: bool


def compilations() -> tuple[CompileReport, ...]:
    """Return what this process had to compile so far; nothing where the cache was warm."""
    return tuple(_COMPILED)


def fixed_kernels() -> tuple[Kernel, ...]:
    """Return every kernel without a key that modules imported so far have named."""
    return tuple(_FIXED.values())


class Kernel:
    """A function in `unbraid.kernels.code`, as machine code; loaded from the cache or compiled at first use.

    Every argument is an int64: a count, or the address of memory that the caller keeps alive. Calling
    releases the interpreter's lock.

    Args:
        source: module and function below `unbraid.kernels.code`, ``"nodes.mix"``.
        arguments: how many it takes, 1 to 10; or a form of `signatures.WITH_POINTERS`, "w" for an int64 and
            "p" for a pointer, which calls take from `pointer_to`.
        key: constants compiled in, by name: the source's function takes them and returns the kernel.

    Example:
        >>> import numpy as np
        >>> x = np.array([[0.0, np.nan]], np.float32)
        >>> Kernel("pcm.first_non_finite", 4)(x.ctypes.data, 1, 2, 8)
        1
    """

    def __init__(self, source: str, arguments: int | str, **key: int) -> None:
        self.source, self.key = source, key
        self.arguments = arguments if isinstance(arguments, int) else len(arguments)
        self._form = f"words{arguments}" if isinstance(arguments, int) else arguments
        if not key:
            _FIXED.setdefault(source, self)

    @property
    def name(self) -> str:
        """The source with its key, fit for a file name."""
        return "-".join([self.source, *(f"{name}={value}" for name, value in sorted(self.key.items()))])

    @cached_property
    def address(self) -> int:
        """The function's address, ``int64 f(int64, ...)``; valid to the end of the process."""
        from .cache import load_object
        from .load import link

        # With the count, so that no kept code is ever called with fewer arguments than it takes.
        symbol = f"unbraid.{self.name}.{self.arguments}"
        with _LOCK:
            if symbol not in _LINKED:
                code = load_object(self.name)
                address = link(code, symbol) if code else 0
                _LINKED[symbol] = address or link(self._compiled(symbol), symbol)
            return _LINKED[symbol]

    def _compiled(self, symbol: str) -> bytes:
        from .build import build
        from .cache import store_object

        started = perf_counter()
        code = build(self.source, self.arguments, self.key, symbol)
        kept = store_object(self.name, code)
        _COMPILED.append(CompileReport(self.name, perf_counter() - started, kept))
        return code

    @cached_property
    def function(self) -> Any:
        """The function as a cffi callable; the fastest way to call it many times."""
        from ._signatures import ffi

        return ffi.cast(self._form, self.address)

    def __call__(self, *arguments: int) -> int:
        """Call it; returns what its body returns."""
        return int(self.function(*arguments))

    def __getstate__(self) -> dict[str, Any]:
        """Pickled and copied without the address, which is this process's own."""
        return {name: value for name, value in vars(self).items() if name not in {"address", "function"}}

    def warm_up(self) -> bool:
        """Make sure the cache has it; return whether it had to be compiled."""
        before = len(_COMPILED)
        _ = self.address
        return len(_COMPILED) > before
