"""From places to loudspeakers of a layout, after ITU-R BS.2127-1."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from .loudspeakers import loudspeakers
from .point_source import PointSource, times
from .spread import Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Panner"]

#: Section 6.1.3: two loudspeakers are a downmix of five, L R C Ls Rs.
_TO_STEREO = np.array([[1, 0], [0, 1], [3**-0.5, 3**-0.5], [0.5**0.5, 0], [0, 0.5**0.5]])


class Panner:
    """Gains of the channels of a layout.

    Args:
        roles: of its channels: those of stereo, 5.1, 7.1, 7.1.2, 5.1.4 or 7.1.4.

    Raises:
        KernelError: a role is no loudspeaker's.

    Example:
        >>> gains = Panner(("L", "R", "C", "LFE", "Ls", "Rs")).objects([[15, 0, 1, 0]])
        >>> gains.astype(float).round(3).tolist()
        [[0.707, 0.0, 0.707, 0.0, 0.0, 0.0]]
    """

    def __init__(self, roles: Sequence[str]) -> None:
        self.roles = tuple(roles)
        self._speakers = loudspeakers(self.roles)
        self._heard = [at for at, speaker in enumerate(self._speakers) if not speaker.low]

    def objects(self, places: ArrayLike) -> NDArray[np.float32]:
        """Return gains ``[places, channels]``.

        Args:
            places: ``[places, 4]``: azimuth, elevation, distance, extent. The distance changes nothing: it is
                that of the loudspeakers.
        """
        azimuth, elevation, _, extent = np.asarray(places, float).reshape(-1, 4).T
        held = _spread(self.roles).gains(azimuth, elevation, extent)
        gains = np.zeros((len(held), len(self.roles)), np.float32)
        gains[:, self._heard] = held
        return gains

    def bed(self, roles: Sequence[str]) -> NDArray[np.float32]:
        """Return gains ``[channels of the bed, channels]`` for a bed of another layout, or of the same.

        A channel goes to its own loudspeaker where there is one, else to those around its place; low
        frequencies go to the channel for them, or nowhere.
        """
        gains = np.zeros((len(roles), len(self.roles)), np.float32)
        ours = {speaker.label: at for at, speaker in enumerate(self._speakers)}
        for at, speaker in enumerate(loudspeakers(roles)):
            if speaker.label in ours:
                gains[at, ours[speaker.label]] = 1
            elif not speaker.low:
                gains[at] = self.objects([speaker.azimuth, speaker.elevation, 1, 0])[0]
        return gains


@cache
def _spread(roles: tuple[str, ...]) -> Spread:
    """Return the panner of one layout; a grid of points is panned once for each."""
    if roles != ("L", "R"):
        return Spread(_around(roles).gains)
    around = _around(("L", "R", "C", "LFE", "Ls", "Rs"))

    def gains(azimuth: NDArray[np.float64], elevation: NDArray[np.float64]) -> NDArray[np.float64]:
        five = around.gains(azimuth, elevation)
        two = times(five, _TO_STEREO)
        two /= np.linalg.norm(two, axis=1, keepdims=True)
        front, rear = five[:, :3].max(axis=1), five[:, 3:].max(axis=1)
        # What comes from behind is up to 3 dB quieter, as in a downmix.
        quieter: NDArray[np.float64] = two * 0.5 ** (0.5 * rear / (front + rear))[:, None]
        return quieter

    return Spread(gains)


def _around(roles: tuple[str, ...]) -> PointSource:
    return PointSource([(each.azimuth, each.elevation) for each in loudspeakers(roles) if not each.low])
