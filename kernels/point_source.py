"""Gains of loudspeakers for a sound from one point: polar panning after ITU-R BS.2127-1, section 6.1.

The directions of the loudspeakers, and of helpers where there are none, make a convex hull; a direction meets
one of its faces, and the corners of that face get the sound. What goes to a helper is given to loudspeakers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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

    So a scene's sound does not depend on how many of its places stand in one block.

    Example:
        >>> times(np.array([[1.0, 2.0]]), np.eye(2)).tolist()
        [[1.0, 2.0]]
    """
    total: Values = rows[..., :1] * matrix[..., :1, :]
    for k in range(1, matrix.shape[-2]):
        total = total + rows[..., k : k + 1] * matrix[..., k : k + 1, :]
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
        corners = _hull(points)
        for face in corners:
            if len(face) > 4:
                raise ValueError(
                    f"a face of the hull has {len(face)} corners; move a loudspeaker by a degree"
                )
        self._triplets = _Triplets([face for face in corners if len(face) == 3], points)
        self._quads = _Quads([face for face in corners if len(face) == 4], points)
        self._downmix = _shared(self._downmix, corners, poles)

    def gains(self, azimuth: ArrayLike, elevation: ArrayLike) -> Values:
        """Return gains ``[places, loudspeakers]``, of unit power, for places in degrees.

        Args:
            azimuth: ``[places]``, to the left.
            elevation: ``[places]``, up.
        """
        wanted = np.atleast_2d(directions(azimuth, elevation))
        found = np.zeros((len(wanted), len(self._downmix)))
        best = np.full(len(wanted), -np.inf)
        for faces in (self._triplets, self._quads):
            faces.enter(wanted, found, best)
        total = np.maximum(times(found, self._downmix), 0)
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


def _shared(downmix: Values, faces: Sequence[Sequence[int]], poles: Sequence[int]) -> Values:
    """Return the downmix with each helper at a pole shared out at equal power among its neighbours."""
    downmix = downmix.copy()
    for pole in poles:
        beside = sorted({at for face in faces if pole in face for at in face} - {pole})
        downmix[pole] = downmix[beside].sum(axis=0) / np.sqrt(len(beside))
    return downmix


def _hull(points: Values) -> list[list[int]]:
    """Return the faces of the convex hull, corners in order around each; few points, so all are tried."""
    three = np.array([*combinations(range(len(points)), 3)])
    a, b, c = np.moveaxis(points[three], 1, 0)
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    flat = length < _NEAR
    normal /= np.where(flat, 1, length)[:, None]
    height = np.einsum("fpd,fd->fp", points[None] - a[:, None], normal)
    # A plane bounds the hull when all points lie on one side of it; normals point away from them.
    outward = np.where((height > _NEAR).any(axis=1), -1.0, 1.0)
    height, normal = height * outward[:, None], normal * outward[:, None]
    faces: dict[tuple[int, ...], Values] = {}
    for at in np.flatnonzero(~flat & ~(height > _NEAR).any(axis=1)):
        faces[tuple(np.flatnonzero(np.abs(height[at]) <= _NEAR).tolist())] = normal[at]
    return [_around(points, list(corners), normal) for corners, normal in faces.items()]


def _around(points: Values, corners: list[int], normal: Values) -> list[int]:
    """Return corners in their order around the face."""
    spokes = points[corners] - points[corners].mean(axis=0)
    first = spokes[0] / np.linalg.norm(spokes[0])
    turn = np.arctan2(spokes @ np.cross(normal, first), spokes @ first)
    return [corners[at] for at in np.argsort(turn)]


class _Faces(ABC):
    """Faces of the hull with as many corners each.

    Args:
        corners: of each face, in order around it.
        points: directions of all corners.
    """

    def __init__(self, corners: Sequence[Sequence[int]], points: Values) -> None:
        self._corners = np.array(corners, int).reshape(len(corners), -1)
        self._points = points[self._corners]

    @abstractmethod
    def _gains(self, wanted: Values) -> tuple[Values, Values]:
        """Return gains ``[faces, n, corners]``, and how far inside each direction lies, ``[faces, n]``."""

    def enter(self, wanted: Values, found: Values, best: Values) -> None:
        """Write the gains of directions that lie further inside one of these faces than in any before."""
        if not len(self._corners):
            return
        held, inside = self._gains(wanted)
        face, at = inside.argmax(axis=0), np.arange(len(wanted))
        better = np.flatnonzero(inside[face, at] > best)
        face = face[better]
        best[better] = inside[face, better]
        found[better] = 0
        found[better[:, None], self._corners[face]] = held[face, better]


class _Triplets(_Faces):
    """Three corners: the gains are the direction's coordinates along them."""

    def __init__(self, corners: Sequence[Sequence[int]], points: Values) -> None:
        super().__init__(corners, points)
        self._inverse: Values = self._points
        if len(corners):
            self._inverse = np.asarray(np.linalg.inv(self._points), np.float64)

    def _gains(self, wanted: Values) -> tuple[Values, Values]:
        """See `_Faces`."""
        along = times(wanted[None], self._inverse)
        return _unit(along), along.min(axis=2)


class _Quads(_Faces):
    """Four corners: gains are products of two positions, along one pair of edges and along the other.

    A plane through the middle and the points at x on the edges from a to b and from d to c holds the
    direction p: ``((1 - x) a + x b) cross ((1 - x) d + x c) . p = 0``, a quadratic in x.
    """

    def __init__(self, corners: Sequence[Sequence[int]], points: Values) -> None:
        super().__init__(corners, points)
        if len(corners):
            self._terms = [self._quadratic(np.roll(self._points, -turn, axis=1)) for turn in (0, 1)]

    @staticmethod
    def _quadratic(points: Values) -> Values:
        """Return vectors whose products with a direction are the coefficients, ``[faces, 3, 3]``."""
        a, b, c, d = np.moveaxis(points, 1, 0)
        second = np.cross(a, c - d) + np.cross(b - a, d)
        return np.stack([np.cross(b - a, c - d), second, np.cross(a, d)], axis=1)

    def _gains(self, wanted: Values) -> tuple[Values, Values]:
        """See `_Faces`."""
        x, y = (_root(times(terms, wanted.T)) for terms in self._terms)
        there = ~np.isnan(x) & ~np.isnan(y)
        x, y = np.nan_to_num(x), np.nan_to_num(y)
        held = np.stack([(1 - x) * (1 - y), x * (1 - y), x * y, (1 - x) * y], axis=2)
        # The same quadratic has a solution on the far side of the sphere.
        ahead = (times(held, self._points) * wanted).sum(axis=2) > 0
        return _unit(held), np.where(there & ahead, held.min(axis=2), -np.inf)


def _root(coefficients: Values) -> Values:
    """Return the root from 0 to 1 of quadratics ``[faces, 3, n]``, highest power first, or NaN."""
    q, p, r = np.moveaxis(coefficients, 1, 0)
    flat, slack = np.abs(q) < 1e-9, 1e-6
    with np.errstate(all="ignore"):
        spread = np.sqrt(p * p - 4 * q * r)
        first = np.where(flat, -r / p, (spread - p) / (2 * q))
        second = np.where(flat, np.nan, (-spread - p) / (2 * q))
    inside = [np.where((root >= -slack) & (root <= 1 + slack), root, np.nan) for root in (first, second)]
    return np.clip(np.where(np.isnan(inside[0]), inside[1], inside[0]), 0, 1)


def _unit(gains: Values) -> Values:
    length = np.linalg.norm(gains, axis=-1, keepdims=True)
    unit: Values = gains / np.where(length == 0, 1, length)
    return unit
