"""Compiled nodes: a processor's inner loop as the address of one C function.

The signature is ``int32 f(void* state, const float* const* in, float* const* out, int64 n)``.
``in`` and ``out`` hold one pointer per channel: the connected ports in the order the card declares
them, each port's channels in layout order. Return 0; any other value becomes a `NodeError`. Never
raise inside: numba prints and swallows exceptions in a cfunc.

Runs of compiled nodes are called one after another from machine code, without the interpreter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Compiled", "NodeState"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """An address, a state pointer, and whatever must stay alive while they are in use."""

    address: int
    state: int
    owner: object


class NodeState(Protocol):
    """A compiled function with its memory; ``unbraid.kernels.nodes`` has some, an author may write more."""

    @property
    def function(self) -> int:
        """The address of the function."""
        ...

    @property
    def address(self) -> int:
        """The address of its state."""
        ...

    def reset(self) -> None:
        """Forget the signal."""
