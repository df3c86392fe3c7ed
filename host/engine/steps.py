"""Steps the host itself puts into a plan, as compiled processors: delays and residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...kernels import nodes
from ..contract.compiled_processor import CompiledProcessor
from ..contract.params import Params

if TYPE_CHECKING:
    from ..contract.audio import Spec

__all__ = ["AlignDelay", "Residual"]


class AlignDelay(CompiledProcessor[Params]):
    """Holds an early branch back by a fixed number of samples, so that it meets a later one."""

    def __init__(self, samples: int) -> None:
        super().__init__(Params())
        self._samples = samples

    def prepare(self, spec: Spec) -> None:
        """Allocate the rings."""
        super().prepare(spec)
        self.state = nodes.DelayState(spec.inputs["in"].channels, self._samples)


class Residual(CompiledProcessor[Params]):
    """The first input minus every other: what a separator left over."""

    def __init__(self) -> None:
        super().__init__(Params())

    def prepare(self, spec: Spec) -> None:
        """Note the shape."""
        super().prepare(spec)
        channels = next(iter(spec.inputs.values())).channels
        self.state = nodes.SubtractState(channels, len(spec.inputs))
