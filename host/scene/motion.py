"""Where an object is over time, as blocks: arrays that grow while a scene is heard, and stay small."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...kernels.scene_render import changes
from ..contract.scene import CONTROLS
from .errors import SceneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Motion", "MotionRecorder"]


@dataclass(frozen=True, eq=False)
class Motion:
    """Places of one object.

    A block holds from its start to the next one's. Within it gains go in straight lines from what they were
    to those of its place, for ``ramp`` samples, and stay.

    Attributes:
        start: int64 ``[blocks]``, samples from the programme's beginning, rising from 0.
        ramp: int64 ``[blocks]``, samples; 0 jumps.
        places: float32 ``[blocks, 4]``, the `CONTROLS`.
        gain: float32 ``[blocks]``, linear.
    """

    start: NDArray[np.int64]
    ramp: NDArray[np.int64]
    places: NDArray[np.float32]
    gain: NDArray[np.float32]

    @property
    def blocks(self) -> int:
        """How many there are."""
        return len(self.start)

    def at(self, sample: int) -> NDArray[np.float32]:
        """Return the place, ``[4]``, of the block that holds a sample."""
        found: NDArray[np.float32] = self.places[np.searchsorted(self.start, sample, side="right") - 1]
        return found

    @classmethod
    def still(cls, place: Sequence[float], gain: float = 1.0) -> Motion:
        """Return the motion of an object that stays.

        Example:
            >>> Motion.still([30, 0, 1, 0]).at(48000).tolist()
            [30.0, 0.0, 1.0, 0.0]
        """
        zero = np.zeros(1, np.int64)
        return cls(zero, zero, np.array([place], np.float32), np.array([gain], np.float32))


class MotionRecorder:
    """Follows the control channels of one object and keeps a block for each change.

    Args:
        name: of the object, for error texts.
        ramp: samples that a move takes.
    """

    def __init__(self, name: str, ramp: int) -> None:
        self._name, self._ramp, self._heard = name, ramp, 0
        self._start, self._places = array("q"), array("f")
        self._last = np.full(len(CONTROLS), np.nan, np.float32)

    def push(self, controls: NDArray[np.float32]) -> None:
        """Take the next samples of the control channels, ``[4, n]``.

        Raises:
            SceneError: the object moves again before a move has ended.
        """
        for at in changes(controls, self._last):
            if not np.isfinite(controls[:, at]).all():
                text = f"has no place at sample {self._heard + at}: a control is not finite"
                raise SceneError([f"object {self._name!r}: {text}"])
            sample = self._heard + at
            if len(self._start) > 1 and sample - self._start[-1] < self._ramp:
                text = f"moves at sample {sample}, {sample - self._start[-1]} samples after its last move"
                raise SceneError([f"object {self._name!r}: {text}; a move takes {self._ramp}"])
            self._start.append(sample)
            self._places.extend(controls[:, at].tolist())
        if controls.shape[1]:
            self._last = controls[:, -1].copy()
        self._heard += controls.shape[1]

    def motion(self) -> Motion:
        """Return what was followed so far.

        Raises:
            ValueError: nothing was.
        """
        if not len(self._start):
            raise ValueError("no sample has been followed yet")
        start = np.frombuffer(self._start, np.int64).copy()
        ramp = np.full(len(start), self._ramp, np.int64)
        ramp[0] = 0
        places = np.frombuffer(self._places, np.float32).reshape(-1, len(CONTROLS)).copy()
        return Motion(start, ramp, places, np.ones(len(start), np.float32))
