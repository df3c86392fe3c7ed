"""`CompiledProcessor`: a processor that is one compiled function with its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .compiled import Compiled, NodeState
from .params import Params
from .processor import BlockProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .processor import Array

__all__ = ["CompiledProcessor"]

P = TypeVar("P", bound=Params)


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
