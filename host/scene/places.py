"""Places in two systems: angles and a distance, and a room whose corners are its loudspeakers.

Sources: ITU-R BS.2127-1, section 10 (the mapping by sectors, and heights); Dolby Atmos Master ADM Profile
(side loudspeakers of the room at its walls, rear ones in its corners).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["DOLBY", "ITU", "Corners", "to_angles", "to_room"]

Values = NDArray[np.float64]
#: Azimuths, falling, and where on the walls of the room they lie: x to the right, y to the front.
Corners = tuple[tuple[float, float, float], ...]

ITU: Corners = ((30, -1, 1), (0, 0, 1), (-30, 1, 1), (-110, 1, -1), (-250, -1, -1), (-330, -1, 1))
DOLBY: Corners = (
    (30, -1, 1),
    (0, 0, 1),
    (-30, 1, 1),
    (-90, 1, 0),
    (-135, 1, -1),
    (-225, -1, -1),
    (-270, -1, 0),
    (-330, -1, 1),
)
_TOP, _TOP_IN_ROOM = 30.0, 45.0


def to_room(azimuth: ArrayLike, elevation: ArrayLike, distance: ArrayLike, corners: Corners = ITU) -> Values:
    """Return x, y, z in a room of -1 to 1 for places in degrees: ``[3, ...]``.

    Args:
        azimuth: degrees to the left of the front.
        elevation: degrees up, -90 to 90.
        distance: 1 where loudspeakers stand.
        corners: which azimuths become the corners and walls of the room.

    Example:
        >>> to_room(30.0, 0.0, 1.0).round(6).tolist()
        [-1.0, 1.0, 0.0]
    """
    azimuth, elevation, distance = np.broadcast_arrays(
        *(np.asarray(value, np.float64) for value in (azimuth, elevation, distance))
    )
    high = np.abs(elevation) > _TOP
    steep = _TOP_IN_ROOM + (90 - _TOP_IN_ROOM) * (np.abs(elevation) - _TOP) / (90 - _TOP)
    flat = elevation * _TOP_IN_ROOM / _TOP
    z = np.where(high, np.sign(elevation), np.tan(np.radians(np.where(high, 0, flat)))) * distance
    radius = np.where(high, np.tan(np.radians(90 - np.where(high, steep, 90 - 1e-9))), 1.0) * distance
    turned = _falling(azimuth)
    x, y = np.zeros_like(turned), np.zeros_like(turned)
    for (left, left_x, left_y), (right, right_x, right_y) in pairwise(corners):
        inside = (turned <= left) & (turned >= right)
        share = _linear(left, right, turned)
        x = np.where(inside, left_x + (right_x - left_x) * share, x)
        y = np.where(inside, left_y + (right_y - left_y) * share, y)
    return np.stack([radius * x, radius * y, z])


def to_angles(x: ArrayLike, y: ArrayLike, z: ArrayLike, corners: Corners = ITU) -> Values:
    """Return azimuth (-180 to 180), elevation and distance for places in the room: ``[3, ...]``.

    The other way round of `to_room`. The middle of the room has no direction: 0, 0 and distance 0.

    Example:
        >>> to_angles(1.0, -1.0, 0.0).round(6).tolist()
        [-110.0, 0.0, 1.0]
    """
    x, y, z = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in (x, y, z)))
    radius = np.maximum(np.abs(x), np.abs(y))
    level = radius < 1e-10
    azimuth = np.zeros_like(radius)
    around = _falling(np.degrees(np.arctan2(-x, y)), 45.0)
    for (left, left_x, left_y), (right, right_x, right_y) in pairwise(corners):
        begin, end = _bearing(left_x, left_y, left), _bearing(right_x, right_y, right)
        inside = ~level & (around <= begin) & (around >= end)
        # The place lies between two corners: scale it onto the line that joins them.
        share = _share(x, y, (left_x, left_y), (right_x, right_y))
        azimuth = np.where(inside, _angle(left, right, share), azimuth)
    safe = np.where(level, 1, radius)
    rise = np.degrees(np.arctan2(np.abs(z), safe))
    steep = _TOP + (90 - _TOP) * (rise - _TOP_IN_ROOM) / (90 - _TOP_IN_ROOM)
    elevation = np.sign(z) * np.where(rise > _TOP_IN_ROOM, steep, rise * _TOP / _TOP_IN_ROOM)
    elevation = np.where(level, np.sign(z) * np.where(z == 0, 0, 90), elevation)
    distance = np.where(np.abs(z) > radius, np.abs(z), radius)
    return np.stack([(azimuth + 180) % 360 - 180, elevation, distance])


def _falling(angle: Values, first: float = 30.0) -> Values:
    """Return angles on the turn that falls from the first corner, as sectors are listed."""
    turned: Values = first - (first - angle) % 360
    return turned


def _bearing(x: float, y: float, near: float) -> float:
    """Return the angle at which a corner is seen, on the turn of its azimuth."""
    bearing = float(np.degrees(np.arctan2(-x, y)))
    return bearing + 360 * round((near - bearing) / 360)


def _linear(left: float, right: float, azimuth: Values) -> Values:
    """Return how far from left to right an azimuth lies, along the wall."""
    middle, half = (left + right) / 2, (right - left) / 2
    tangent = np.tan(np.radians(np.clip(azimuth, right, left) - middle)) / np.tan(np.radians(half))
    gain = 0.5 * (1 + tangent)
    share: Values = np.arctan2(gain, 1 - gain) * 2 / np.pi
    return share


def _angle(left: float, right: float, share: Values) -> Values:
    """Return the azimuth that lies so far from left to right along the wall."""
    middle, half = (left + right) / 2, (right - left) / 2
    gain = np.sin(share * np.pi / 2) / (np.sin(share * np.pi / 2) + np.cos(share * np.pi / 2))
    azimuth: Values = middle + np.degrees(np.arctan((2 * gain - 1) * np.tan(np.radians(half))))
    return azimuth


def _share(x: Values, y: Values, left: tuple[float, float], right: tuple[float, float]) -> Values:
    """Return where the ray through (x, y) meets the line from left to right, 0 to 1."""
    cross_left = x * left[1] - y * left[0]
    cross_right = right[0] * y - right[1] * x
    total = cross_left + cross_right
    return np.clip(np.where(total == 0, 0, cross_left / np.where(total == 0, 1, total)), 0, 1)
