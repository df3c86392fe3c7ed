"""Head-related impulse responses in the directions of loudspeakers: of a sphere, or from SOFA files."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...host.contract.errors import PluginError
from ...kernels.point_source import directions
from .sphere_head import sphere_responses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["read_hrtf"]


def read_hrtf(path: str, angles: Sequence[tuple[float, float]], rate: int) -> tuple[NDArray[np.float32], int]:
    """Return the responses of both ears, ``[directions, 2, taps]``, and when sound arrives, in samples.

    Those measured next to each direction. Both ears together hear every direction at the same time; between
    the ears the time is that of the head.

    They are scaled so that sound from all the directions is on average as loud in both ears together as it
    came.

    Args:
        path: of a SOFA file of free-field responses; empty for a sphere.
        angles: azimuth to the left and elevation in degrees.
        rate: Hz.

    Raises:
        PluginError: there is no such file, it holds something else, or ``sofar`` is not installed.
    """
    if not path:
        return _together(_levelled(sphere_responses(angles, rate)))
    place = Path(path)
    if not place.is_file():
        raise PluginError(f"{place}: there is no such file; set hrtf to a SOFA file, or leave it out")
    try:
        sofar: Any = import_module("sofar")
    except ImportError:
        raise PluginError("SOFA files need sofar: pip install 'unbraid[binaural]'") from None
    try:
        found = sofar.read_sofa(str(place), verify=False)
        responses, own = np.asarray(found.Data_IR, float), float(np.ravel(found.Data_SamplingRate)[0])
        kind, sources = found.SourcePosition_Type, np.asarray(found.SourcePosition, float)
        delays = np.broadcast_to(np.asarray(found.Data_Delay, float), responses.shape[:2])
    except (OSError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        raise PluginError(f"{place}: is no SOFA file of free-field responses: {error}") from None
    if responses.ndim != 3 or responses.shape[1] != 2 or kind != "spherical":
        raise PluginError(f"{place}: holds responses {list(responses.shape)} ({kind}), not those of two ears")
    nearest = (directions(*np.array(angles, float).T) @ directions(sources[:, 0], sources[:, 1]).T).argmax(
        axis=1
    )
    heard = _at_rate(responses[nearest], delays[nearest], own, rate)
    return _together(_levelled(heard))


def _levelled(heard: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return responses at a level at which directions are on average as loud in both ears as they came."""
    power = np.square(heard, dtype=np.float64).sum(axis=(1, 2)).mean()
    return np.asarray(heard / np.sqrt(power or 1), np.float32)


def _together(heard: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Return responses moved so that their sums over both ears peak at one sample, and which."""
    peaks = np.abs(heard.sum(axis=1)).argmax(axis=1)
    arrival = int(peaks.max())
    moved = np.zeros((*heard.shape[:2], heard.shape[2] + arrival - int(peaks.min())), np.float32)
    for row, (pair, peak) in enumerate(zip(heard, peaks, strict=True)):
        moved[row, :, arrival - peak : arrival - peak + heard.shape[2]] = pair
    return moved, arrival


def _at_rate(responses: Any, delays: Any, own: float, rate: int) -> NDArray[np.float32]:
    """Return responses with their delays in samples, brought to another rate at the same level."""
    import soxr

    longest = int(np.ceil(delays.max()))
    late = np.zeros((*responses.shape[:2], responses.shape[2] + longest))
    for ear in np.ndindex(responses.shape[:2]):
        shift = round(delays[ear])
        late[ear][shift : shift + responses.shape[2]] = responses[ear]
    if own == rate:
        return late.astype(np.float32)
    flat = late.reshape(-1, late.shape[-1]).T
    resampled = soxr.resample(flat, own, rate, quality="VHQ").T
    return np.asarray(resampled.reshape(*late.shape[:2], -1), np.float32)
