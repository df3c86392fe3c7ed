"""`AnalysisProcessor`: hears the whole programme first, then processes it with what it learnt."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

from .params import Params
from .processor import BlockProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .processor import Array

__all__ = ["AnalysisProcessor"]

P = TypeVar("P", bound=Params)


class AnalysisProcessor(BlockProcessor[P]):
    """Base for processors that need the whole programme before its first sample: loudness, global statistics.

    The card states how often the programme must be heard: ``PluginCard(passes=1, ...)``. For each time the
    host calls ``begin(number)``, then `analyse` for every block of the programme, then `finish`; it renders
    what lies before the node anew each time. Then `process` runs as in any processor. Graphs with such nodes
    run over files and arrays, and over pipes that are spooled to the disk; they cannot run live.

    ``prepare`` comes before the first pass. ``reset`` forgets the signal, and keeps what was learnt.

    Example:
        >>> import numpy as np
        >>> class Peak(AnalysisProcessor[Params]):
        ...     def begin(self, number):
        ...         self.peak = 0.0
        ...     def analyse(self, ins):
        ...         self.peak = max(self.peak, float(np.abs(ins["in"]).max(initial=0)))
        ...     def process(self, ins, outs):
        ...         outs["out"][:] = ins["in"] / np.float32(self.peak or 1)
    """

    def begin(self, number: int) -> None:
        """Begin pass ``number``, from 0. The default does nothing."""

    @abstractmethod
    def analyse(self, ins: Mapping[str, Array]) -> None:
        """Hear the next samples.

        Args:
            ins: by input port, float32 ``[channels, samples]``, C-contiguous, read-only, valid during the
                call only. All blocks together are exactly the programme: lined up, without the zeros that
                latency brings.
        """

    def finish(self) -> None:
        """End the pass: every sample was heard. The default does nothing."""
