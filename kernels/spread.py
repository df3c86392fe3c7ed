"""Gains of loudspeakers for a sound as wide as a cap of the sphere (ITU-R BS.2127-1, section 6.1.2)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .point_source import directions, times

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Spread"]

Values = NDArray[np.float64]
_ROWS = 37  # every 5 degrees of elevation
_FADE = 10.0  # degrees over which the edge of the cap fades


class Spread:
    """Spreads a sound over a circle around its place.

    The cap is filled with points 5 degrees apart that are panned one by one; their gains add.

    Args:
        gains: gains ``[places, loudspeakers]`` of points, for azimuths and elevations.
    """

    def __init__(self, gains: Callable[[Values, Values], Values]) -> None:
        self._gains = gains

    @cached_property
    def _filling(self) -> tuple[Values, Values]:
        """Directions of the points that fill caps, and their gains: made once something is wide."""
        azimuth, elevation = _grid()
        return directions(azimuth, elevation), self._gains(azimuth, elevation)

    def gains(self, azimuth: Values, elevation: Values, extent: Values) -> Values:
        """Return gains ``[places, loudspeakers]`` of unit power.

        Args:
            azimuth: degrees, ``[places]``.
            elevation: degrees.
            extent: the angle of the cap in degrees, 0 (a point) to 360 (all around).
        """
        point = self._gains(azimuth, elevation)
        wide = extent > 0
        if not wide.any():
            return point
        points, held = self._filling
        near = times(directions(azimuth, elevation), points.T)
        angle = np.degrees(np.arccos(np.clip(near, -1, 1)))
        half = np.maximum(extent, _FADE / 2)[:, None] / 2
        weight = np.clip((half + _FADE - angle) / _FADE, 0, 1)
        # One by one, so that the bits of a place do not depend on the others.
        around = np.stack([each @ held for each in weight])
        around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-12)
        share = np.clip(extent / _FADE, 0, 1)[:, None]
        mixed: Values = np.where(wide[:, None], np.sqrt((1 - share) * point**2 + share * around**2), point)
        return mixed


def _grid() -> tuple[Values, Values]:
    """Return points about 5 degrees apart: rows of elevation, in each as many as its circle is long."""
    rows = np.linspace(-90, 90, _ROWS)
    counts = np.maximum(np.round(np.cos(np.radians(rows)) * 2 * (_ROWS - 1)), 1).astype(int)
    azimuth = np.concatenate([np.arange(count) * 360 / count for count in counts])
    return azimuth, np.repeat(rows, counts)
