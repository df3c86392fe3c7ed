"""A kernel written as LLVM code, without numba."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STEP_ARGUMENTS", "Emitted"]

#: Steps of a frame all take so many arguments, so that one way to call them by address does.
STEP_ARGUMENTS = 8


@dataclass(frozen=True)
class Emitted:
    """A kernel whose body ``emit(builder, *arguments)`` writes; it returns nothing.

    Attributes:
        emit: called with llvmlite's IRBuilder at the start of the function, and its int64 arguments.
    """

    emit: Callable[..., Any]
