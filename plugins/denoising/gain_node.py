"""Nodes around compiled rules of gains, classical and learnt: the controls, and nothing beside them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ...host.contract.compiled_processor import CompiledProcessor
from .parameters import FilterParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...host.contract.audio import Spec
    from ...kernels.gain_rule import GainRule
    from .controls import Preset

__all__ = ["GainNode"]

P = TypeVar("P", bound=FilterParams)


class GainNode(CompiledProcessor[P]):
    """Runs a rule's gains, as strong and as far down as the parameters say when a frame's middle comes.

    Attributes:
        presets: by name.
        lookahead: frames that the rule hears before it has to decide.
    """

    presets: ClassVar[Mapping[str, Preset]]
    lookahead: ClassVar[int] = 0

    @abstractmethod
    def frames(self, rate: int) -> tuple[int, int]:
        """Return samples in a frame and between frames, for a rate in Hz."""

    @abstractmethod
    def rule(self, channels: int, rate: int) -> GainRule:
        """Return a fresh rule."""

    def prepare(self, spec: Spec) -> None:
        """Allocate the frames and the rule's memory."""
        from ...kernels.gain_stream import GainStream

        super().prepare(spec)
        (layout,) = spec.inputs.values()
        n_fft, hop = self.frames(spec.rate)
        rule = self.rule(layout.channels, spec.rate)
        self.state = self._stream = GainStream(
            rule, n_fft, hop, lookahead=self.lookahead, exponent=self._preset.exponent
        )
        self.latency, self.tail = self._stream.latency, n_fft
        self._control()

    def set(self, params: P) -> None:
        """Take new controls, for frames whose middle is yet to come."""
        super().set(params)
        if hasattr(self, "_stream"):
            self._control()

    @property
    def _preset(self) -> Preset:
        return self.presets[self.params.preset]

    def _control(self) -> None:
        limit = min(self._preset.limit, self.params.limit)
        self._stream.control(strength=self.params.strength, limit=limit)
