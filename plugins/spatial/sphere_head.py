"""A head without measurements: a sphere with two ears.

Source: C. P. Brown and R. O. Duda, IEEE Trans. Speech and Audio Processing 6, 1998 (the time that sound takes
around a sphere, after Woodworth; its shadow, a pole and a zero).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...kernels.point_source import directions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["sphere_responses"]

_RADIUS, _SOUND = 0.0875, 343.0  # m, m/s
_LEAST, _DARKEST = (
    0.1,
    150.0,
)  # the zero opposite the source, and the angle in degrees where the shadow is deepest
_BEFORE, _LONG = 0.0015, 0.006  # seconds before the sound reaches the middle of the head, and in all


def sphere_responses(angles: Sequence[tuple[float, float]], rate: int) -> NDArray[np.float64]:
    """Return the responses of both ears, ``[directions, 2, taps]``.

    Args:
        angles: azimuth to the left and elevation in degrees.
        rate: Hz.

    Example:
        >>> left, right = np.abs(sphere_responses([(90.0, 0.0)], 48000)[0]).argmax(axis=1)
        >>> 25 < int(right - left) < 45
        True
    """
    around, up = np.array(angles, float).T
    ears = directions([90.0, -90.0], [0.0, 0.0])
    angle = np.arccos(np.clip(directions(around, up) @ ears.T, -1, 1))  # [directions, ears]
    late = _RADIUS / _SOUND * np.where(angle < np.pi / 2, -np.cos(angle), angle - np.pi / 2)
    zero = (1 + _LEAST / 2) + (1 - _LEAST / 2) * np.cos(np.degrees(angle) / _DARKEST * np.pi)
    taps = 2 * round(_LONG * rate / 2)
    omega = 2 * np.pi * np.fft.rfftfreq(taps, 1 / rate)
    corner = 1j * omega * _RADIUS / (2 * _SOUND)
    shadow = (1 + zero[..., None] * corner) / (1 + corner)
    heard = shadow * np.exp(-1j * omega * (late[..., None] + _BEFORE))
    return np.asarray(np.fft.irfft(heard, taps, axis=2) * np.hanning(taps))
