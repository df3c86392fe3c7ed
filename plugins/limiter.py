"""The true-peak limiter as a node: `kernels.limiter` does the work."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..host.contract.compiled_processor import CompiledProcessor
from ..host.contract.errors import PluginError
from ..kernels.errors import KernelError
from ..kernels.limiter import LEAST_LOOKAHEAD, LimiterState
from .loudness import LimiterParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..host.contract.audio import Spec

__all__ = ["Limiter"]


class Limiter(CompiledProcessor[LimiterParams]):
    """One or several signals, turned down together in time for every peak of their sum.

    All channels of all stems get one gain, so stems go on summing to the limited mixture and the image
    does not move. The LFE channel is limited like any other, and its peaks count: it may clip like them.
    """

    def prepare(self, spec: Spec) -> None:
        """Allocate the delays and what the gain is made of.

        Raises:
            PluginError: the rate is beyond what true peak is measured at.
        """
        super().prepare(spec)
        names = [*spec.inputs]
        ahead = max(round(self.params.lookahead * spec.rate / 1000), LEAST_LOOKAHEAD)
        try:
            self.state = self._limiter = LimiterState(
                next(iter(spec.inputs.values())).channels,
                spec.rate,
                ceiling=self.params.ceiling,
                lookahead=ahead,
                release=self.params.release / 1000,
                signals=len(names),
                outputs=[names.index(name) for name in spec.outputs] if self.params.stems else None,
            )
        except KernelError as error:
            raise PluginError(str(error)) from None
        self.latency = self._limiter.latency

    def set(self, params: LimiterParams) -> None:
        """Take a new ceiling and release, for peaks that are still to come."""
        super().set(params)
        if hasattr(self, "_limiter"):
            self._limiter.change(ceiling=params.ceiling, release=params.release / 1000)

    def findings(self) -> Mapping[str, float | str]:
        """Return the most by which the gain was reduced."""
        most = self._limiter.largest_reduction if hasattr(self, "_limiter") else math.inf
        return {"largest reduction / dB": most} if math.isfinite(most) else {}
