"""Gains of loudspeakers for a sound from one point: polar panning after ITU-R BS.2127-1, section 6.1.

The directions of the loudspeakers, and of helpers where there are none, make a convex hull; a direction meets
one of its faces, and the corners of that face get the sound. What goes to a helper is given to loudspeakers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PointSource", "directions", "times"]

Values = NDArray[np.float64]
_LAYERS = ((-30.0, -90.0, -10.0), (30.0, 10.0, 70.0))  # where helpers stand, and what counts as their layer
_RANGE = 40.0  # degrees behind the last loudspeaker of a layer from which on helpers stand
_NEAR = 1e-5


def directions(azimuth: ArrayLike, elevation: ArrayLike) -> Values:
    """Return unit vectors ``[..., 3]``: x to the right, y to the front, z up.

    Args:
        azimuth: degrees to the left.
        elevation: degrees up.

    Example:
        >>> directions(90.0, 0.0).round(6).tolist()
        [-1.0, 0.0, 0.0]
    """
    left, up = np.radians(np.asarray(azimuth, float)), np.radians(np.asarray(elevation, float))
    return np.stack(
        np.broadcast_arrays(-np.sin(left) * np.cos(up), np.cos(left) * np.cos(up), np.sin(up)), -1
    )


def times(rows: Values, matrix: Values) -> Values:
    """Return ``rows @ matrix``; unlike BLAS, with bits of each row that do not depend on the other rows.

    Example:
        >>> times(np.array([[1.0, 2.0]]), np.eye(2)).tolist()
        [[1.0, 2.0]]
    """
    total: Values = rows[:, :1] * matrix[0]
    for column in range(1, len(matrix)):
        total = total + rows[:, column : column + 1] * matrix[column]
    return total


class PointSource:
    """Panning among loudspeakers around and above a listener.

    Args:
        angles: azimuth and elevation in degrees of each loudspeaker, none of them for low frequencies alone;
            at least three in the middle layer, all around.

    Example:
        >>> square = PointSource([(45, 0), (-45, 0), (135, 0), (-135, 0)])
        >>> square.gains([0.0], [0.0]).round(4).tolist()
        [[0.7071, 0.7071, 0.0, 0.0]]
    """

    def __init__(self, angles: Sequence[tuple[float, float]]) -> None:
        self.loudspeakers = len(angles)
        points, self._downmix = _with_helpers(angles)
        poles = [at for at, point in enumerate(points) if abs(point[2]) > 1 - _NEAR and at >= len(angles)]
        self._faces: list[_Face] = []
        for corners in _hull(points):
            pole = next((at for at in corners if at in poles), None)
            self._faces.append(_face(points, corners) if pole is None else _Triplet(corners, points[corners]))
        self._downmix = _shared(self._downmix, self._faces, poles)

    def gains(self, azimuth: ArrayLike, elevation: ArrayLike) -> Values:
        """Return gains ``[places, loudspeakers]``, of unit power, for places in degrees.

        Args:
            azimuth: ``[places]``, to the left.
            elevation: ``[places]``, up.
        """
        wanted = np.atleast_2d(directions(azimuth, elevation))
        found = np.zeros((len(wanted), len(self._downmix)))
        open_ = np.ones(len(wanted), bool)
        for tolerance in (-1e-11, -1e-6, -1e-3):  # a direction on an edge belongs to either face
            for face in self._faces:
                if not open_.any():
                    break
                at = np.flatnonzero(open_)
                held, ok = face.gains(wanted[at], tolerance)
                found[at[ok][:, None], face.corners] = held[ok]
                open_[at[ok]] = False
        total: Values = np.maximum(times(found, self._downmix), 0)
        unit: Values = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
        return unit


def _with_helpers(angles: Sequence[tuple[float, float]]) -> tuple[Values, Values]:
    """Return the directions of loudspeakers and helpers, and what of each goes to which loudspeaker."""
    places, owners = list(angles), list(range(len(angles)))
    middle = [(at, place) for at, place in enumerate(angles) if abs(place[1]) <= 10]
    for height, least, most in _LAYERS:
        layer = [abs(azimuth) for azimuth, elevation in angles if least <= elevation <= most]
        begin = max(layer) + _RANGE if layer else 0.0
        for at, (azimuth, _) in middle:
            if abs(azimuth) >= begin:
                places.append((azimuth, height))
                owners.append(at)
    downmix = np.zeros((len(places), len(angles)))
    downmix[range(len(places)), owners] = 1
    for pole in (-90.0, 90.0):
        if not any(elevation == pole for _, elevation in angles):
            places.append((0.0, pole))
            downmix = np.vstack([downmix, np.zeros(len(angles))])
    around, up = np.array(places, float).T
    return directions(around, up), downmix


def _shared(downmix: Values, faces: Sequence[_Face], poles: Sequence[int]) -> Values:
    """Return the downmix with each helper at a pole shared out at equal power among its neighbours."""
    downmix = downmix.copy()
    for pole in poles:
        beside = sorted({at for face in faces if pole in face.corners for at in face.corners} - {pole})
        downmix[pole] = downmix[beside].sum(axis=0) / np.sqrt(len(beside))
    return downmix


def _hull(points: Values) -> list[list[int]]:
    """Return the faces of the convex hull, corners in order around each; few points, so all are tried."""
    faces: dict[tuple[int, ...], Values] = {}
    for three in combinations(range(len(points)), 3):
        a, b, c = points[list(three)]
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal)
        if length < _NEAR:
            continue
        height = (points - a) @ normal / length
        if (height > _NEAR).any():
            normal, height = -normal, -height
        if (height > _NEAR).any():
            continue
        faces[tuple(np.flatnonzero(np.abs(height) <= _NEAR).tolist())] = normal / length
    return [_around(points, list(corners), normal) for corners, normal in faces.items()]


def _around(points: Values, corners: list[int], normal: Values) -> list[int]:
    """Return corners in their order around the face."""
    spokes = points[corners] - points[corners].mean(axis=0)
    first = spokes[0] / np.linalg.norm(spokes[0])
    turn = np.arctan2(spokes @ np.cross(normal, first), spokes @ first)
    return [corners[at] for at in np.argsort(turn)]


@dataclass(frozen=True)
class _Face:
    """One face of the hull."""

    corners: list[int]
    points: Values

    def gains(self, wanted: Values, tolerance: float) -> tuple[Values, NDArray[np.bool_]]:
        """Return gains of the corners for directions ``[n, 3]``, and whether each lies in the face."""
        raise NotImplementedError


class _Triplet(_Face):
    """Three corners: the gains are the direction's coordinates along them."""

    def gains(self, wanted: Values, tolerance: float) -> tuple[Values, NDArray[np.bool_]]:
        """See `_Face`."""
        along = times(wanted, np.asarray(np.linalg.inv(self.points), np.float64))
        return _unit(along), np.asarray((along >= tolerance).all(axis=1))


class _Quad(_Face):
    """Four corners: gains are products of two positions, along one pair of edges and along the other."""

    def gains(self, wanted: Values, tolerance: float) -> tuple[Values, NDArray[np.bool_]]:
        """See `_Face`."""
        across = _along(self.points, wanted)
        up = _along(np.roll(self.points, -1, axis=0), wanted)
        ok = ~np.isnan(across) & ~np.isnan(up)
        x, y = np.nan_to_num(across), np.nan_to_num(up)
        held = np.stack([(1 - x) * (1 - y), x * (1 - y), x * y, (1 - x) * y], axis=1)
        # The same quadratic has a solution on the far side of the sphere.
        ahead = (times(held, self.points) * wanted).sum(axis=1) > 0
        return _unit(held), np.asarray(ok & ahead & (np.minimum(held.min(axis=1), 0) >= tolerance))


def _along(points: Values, wanted: Values) -> Values:
    """Return where between the edge 0-3 (0) and the edge 1-2 (1) each direction lies; NaN where on neither.

    A plane through the middle and the points at x on the edges 0-1 and 3-2 holds the direction:
    ``((1-x) a + x b) × ((1-x) d + x c) · p = 0``, a quadratic in x.
    """
    a, b, c, d = points
    first = np.cross(b - a, c - d)
    second = np.cross(a, c - d) + np.cross(b - a, d)
    third = np.cross(a, d)
    q, p, r = times(wanted, np.stack([first, second, third], axis=1)).T
    roots = np.full((len(wanted), 2), np.nan)
    flat = np.abs(q) < 1e-9
    with np.errstate(all="ignore"):
        roots[flat, 0] = (-r / p)[flat]
        root = np.sqrt(p * p - 4 * q * r)
        roots[~flat, 0] = ((-p + root) / (2 * q))[~flat]
        roots[~flat, 1] = ((-p - root) / (2 * q))[~flat]
    slack = 1e-6
    roots[(roots < -slack) | (roots > 1 + slack)] = np.nan
    found = np.where(np.isnan(roots[:, 0]), roots[:, 1], roots[:, 0])
    return np.clip(found, 0, 1)


def _face(points: Values, corners: list[int]) -> _Face:
    """Return the face of that many corners."""
    if len(corners) == 3:
        return _Triplet(corners, points[corners])
    if len(corners) == 4:
        return _Quad(corners, points[corners])
    raise ValueError(f"a face of the hull has {len(corners)} corners; move a loudspeaker by a degree")


def _unit(gains: Values) -> Values:
    length = np.linalg.norm(gains, axis=1, keepdims=True)
    unit: Values = gains / np.where(length == 0, 1, length)
    return unit
