"""What an architecture is to the nodes that run it: a geometry on its card, and a model that separates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ...host.contract.errors import PluginError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ...host.models import ModelCard

__all__ = ["Architecture", "Care", "CarefulSeparator", "Geometry", "Separator"]


@dataclass(frozen=True, slots=True)
class Geometry:
    """The stretches of sound that a model takes, in samples at its own rate.

    Attributes:
        segment: what it takes by default, as it was trained or as its authors run it.
        overlap: share of a segment that its authors let neighbours overlap, 0 to below 1.
        multiple: a segment is a multiple of this.
        most: the longest segment it can take; 0 where there is no limit.
        views: at how many pitches it can be heard, where it is a `CarefulSeparator`; 0 where it is none.
    """

    segment: int
    overlap: float = 0.25
    multiple: int = 1
    most: int = 0
    views: int = 0

    def samples(self, seconds: float, rate: int) -> int:
        """Return the segment nearest to a length; 0 seconds is the default one.

        Args:
            seconds: what somebody asks for.
            rate: the model's, in Hz.

        Raises:
            PluginError: it is longer than the model takes.

        Example:
            >>> Geometry(segment=441_000, multiple=1024).samples(2, 44100)
            88064
        """
        if seconds == 0:
            return self.segment
        samples = max(1, round(seconds * rate / self.multiple)) * self.multiple
        if self.most and samples > self.most:
            raise PluginError(
                f"segment = {seconds:g} s is longer than the model takes: at most {self.most / rate:.2f} s"
            )
        return samples


class Separator(Protocol):
    """A model with its weights on its device. It keeps nothing from one call to the next."""

    def separate(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the stems of every segment, float32 ``[batch, stems, channels, samples]``.

        Args:
            batch: float32 ``[batch, channels, samples]``, channels as on the model's card; not to be changed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Care:
    """What may be done beyond what a model's authors publish.

    Attributes:
        refine: steps of the multichannel Wiener filter, which shares the mixture by direction too.
        views: how often the model hears it, each time at another pitch; the results are averaged.
        bleed: dB by which vocals are turned down at most where nobody seems to sing.
    """

    refine: int = 0
    views: int = 1
    bleed: float = 0.0


@runtime_checkable
class CarefulSeparator(Protocol):
    """A `Separator` that can do more than its authors publish."""

    def separate_carefully(self, batch: npt.NDArray[np.float32], care: Care) -> npt.NDArray[np.float32]:
        """Return the stems of every segment, as `Separator.separate` does.

        Args:
            batch: float32 ``[batch, channels, samples]``.
            care: what to do.
        """
        ...


class Architecture(Protocol):
    """What each module of this package offers. Importing it imports no torch."""

    def geometry(self, card: ModelCard) -> Geometry:
        """Return the geometry of a model of this architecture.

        Raises:
            ModelCardError: the card's options are not of this architecture.
        """
        ...

    def load(self, card: ModelCard, device: str) -> Separator:
        """Return a model with its weights, loaded once in a process for each device.

        Args:
            card: the model's.
            device: "cpu" or "cuda".

        Raises:
            ModelError: its files are missing, corrupt, or not of this architecture.
        """
        ...
