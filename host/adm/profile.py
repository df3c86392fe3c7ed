"""What files of one kind may hold, and how they say it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from ..contract.errors import MediaRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ...kernels.loudspeakers import Loudspeaker
    from ..contract.scene import Content, SceneShape
    from ..scene.model import Scene

__all__ = ["PROFILES", "Profile", "profile_of"]

#: Names of the profiles, and where each lives.
PROFILES = {"bs2127": ".bs2127:Bs2127", "dolby": ".dolby:Dolby"}


class Profile(ABC):
    """Rules of one kind of file, and its dialect of ADM.

    Attributes:
        name: as asked for.
        rates: Hz.
        subtypes: sample formats.
        most_tracks, most_objects: that a file may hold.
        first_object: number in the id of the first audioObject that is no bed.
        pack_in_stream: whether audioStreamFormat names the audioPackFormat.
    """

    name: ClassVar[str]
    rates: ClassVar[tuple[int, ...]]
    subtypes: ClassVar[tuple[str, ...]]
    most_tracks: ClassVar[int]
    most_objects: ClassVar[int]
    first_object: ClassVar[int | None] = None
    pack_in_stream: ClassVar[bool] = False

    def refusals(self, shape: SceneShape, rate: int, subtype: str) -> Iterator[str]:
        """Yield a line for each reason why a scene cannot be such a file; subclasses add theirs."""
        tracks = len(shape.track_rows)
        if subtype not in self.subtypes:
            formats = " or ".join(self.subtypes)
            yield f"the {self.name} profile takes {formats}, not {subtype}; choose with --subtype"
        if rate not in self.rates:
            rates = " or ".join(f"{rate} Hz" for rate in self.rates)
            yield f"the {self.name} profile takes {rates}, not {rate} Hz; render with inputs of such a rate"
        if len(shape.objects) > self.most_objects:
            objects = len(shape.objects)
            yield f"the {self.name} profile takes {self.most_objects} objects, not {objects}; merge some"
        if tracks > self.most_tracks:
            limit = f"{self.most_tracks} tracks, not {tracks}"
            yield f"the {self.name} profile takes {limit}; merge beds or objects"

    def faults(self, scene: Scene) -> Iterator[str]:  # noqa: ARG002 - for those that have such rules
        """Yield a line for each thing that changes with time and cannot be said; by default all can."""
        yield from ()

    @abstractmethod
    def programme_name(self, shape: SceneShape) -> str:
        """Return what the audioProgramme is called."""

    @abstractmethod
    def version(self) -> dict[str, str]:
        """Return attributes of audioFormatExtended."""

    @abstractmethod
    def loudness(self, figures: Mapping[str, float]) -> Iterator[str]:
        """Yield the elements that tell loudness."""

    @abstractmethod
    def contents(self, shape: SceneShape) -> list[tuple[Content, list[int]]]:
        """Return the audioContents: what each is, and the numbers of the beds and objects in it."""

    @abstractmethod
    def dialogue(self, content: Content) -> str:
        """Return the element that tells what a content is."""

    @abstractmethod
    def speaker(self, speaker: Loudspeaker) -> tuple[str, list[str]]:
        """Return the name of a bed's channel, and what its block holds."""

    @abstractmethod
    def low_pass(self, speaker: Loudspeaker) -> list[str]:
        """Return what a channel says of its frequencies."""

    @abstractmethod
    def block(self, place: NDArray[np.float32], gain: float, ramp: int, held: int, rate: int) -> str:
        """Return what a block of an object holds.

        Args:
            place: azimuth, elevation, distance, extent.
            gain: linear.
            ramp: samples that the move takes; 0 for a jump.
            held: samples of the block.
            rate: Hz.
        """


def profile_of(name: str) -> Profile:
    """Return a profile by name.

    Raises:
        MediaRequestError: there is none of that name.
    """
    from ..contract.errors import nearest

    if name not in PROFILES:
        raise MediaRequestError(f"unknown ADM profile {name!r}; {nearest(name, PROFILES)}")
    module, _, kind = PROFILES[name].partition(":")
    made: Profile = getattr(import_module(module, __package__), kind)()
    return made
