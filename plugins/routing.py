"""Routing of channels: split and join."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..host.contract.compiled_processor import CompiledProcessor
from ..kernels import nodes
from .basics import JoinParams, SplitParams

if TYPE_CHECKING:
    from ..host.contract.audio import Spec

__all__ = ["Join", "Split"]


class Split(CompiledProcessor[SplitParams]):
    """Each part's channels, copied from the whole."""

    def prepare(self, spec: Spec) -> None:
        """Work out which channel goes where; parts nobody asked for are left out."""
        super().prepare(spec)
        groups = self.params.groups()
        self.state = nodes.CopyState([channel for part in spec.outputs for channel in groups[part]])


class Join(CompiledProcessor[JoinParams]):
    """The whole, its channels copied from the parts."""

    def prepare(self, spec: Spec) -> None:
        """Work out which channel comes from where."""
        super().prepare(spec)
        targets = [channel for group in self.params.groups().values() for channel in group]
        self.state = nodes.CopyState([targets.index(channel) for channel in range(len(targets))])
