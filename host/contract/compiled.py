"""Compiled nodes: a processor's inner loop as the address of one C function.

The signature is ``int32 f(void* state, const float* const* in, float* const* out, int64 n)``.
``in`` and ``out`` hold one pointer per channel: the connected ports in the order the card declares
them, each port's channels in layout order. Return 0; any other value becomes a `NodeError`. Never
raise inside: numba prints and swallows exceptions in a cfunc.

Runs of compiled nodes are called one after another from machine code, without the interpreter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from .params import Params
from .processor import BlockProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .processor import Array

__all__ = ["Compiled", "CompiledProcessor", "NodeState"]

P = TypeVar("P", bound=Params)


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


class CompiledProcessor(BlockProcessor[P]):
    """Base for processors that are one compiled function: ``process()`` calls the same address.

    The author sets ``self.state`` in ``prepare``, and writes ``set`` where parameters can change.

    Attributes:
        state: the function with its memory; must not move until ``release()``.
    """

    state: NodeState

    def compiled(self) -> Compiled:
        """Return the function and its state; valid from ``prepare()`` to ``release()``."""
        return Compiled(self.state.function, self.state.address, self.state)

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Call the compiled function on these blocks."""
        from ...kernels.program import call_once

        call_once(self.compiled(), [*ins.values()], [*outs.values()])

    def reset(self) -> None:
        """Forget the signal."""
        self.state.reset()
