"""`SceneRender`: beds, and objects whose places are signals beside their sound, to loudspeakers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array, check_count
from .moving import MovingMix, check_rows
from .panner import Panner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["OBJECT_ROWS", "SceneRender", "changes"]

#: Rows of an object: its sound, azimuth, elevation, distance, extent.
OBJECT_ROWS = 5


class SceneRender:
    """Renders a scene's stream after ITU-R BS.2127-1; the bits do not depend on how it is cut into blocks.

    Args:
        beds: the roles of the channels of each bed.
        objects: how many.
        ramp: samples within which gains move when a place changes; the first place is there at once.
        roles: of the loudspeakers.

    Example:
        >>> block = np.array([[1, 1], [30, 30], [0, 0], [1, 1], [0, 0]], np.float32)
        >>> SceneRender([], 1, 2, ("L", "R")).process(block).tolist()
        [[1.0, 1.0], [0.0, 0.0]]
    """

    def __init__(self, beds: Sequence[Sequence[str]], objects: int, ramp: int, roles: Sequence[str]) -> None:
        self._panner, self._ramp = Panner(roles), check_count("ramp", ramp, 0)
        self._beds = [gains for bed in beds for gains in self._panner.bed(bed)]
        self._objects = range(len(self._beds), len(self._beds) + OBJECT_ROWS * objects, OBJECT_ROWS)
        self._rows = len(self._beds) + OBJECT_ROWS * objects
        self._tracks = [*range(len(self._beds)), *self._objects]
        self._mix = MovingMix(len(self._tracks), len(self._panner.roles))
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first sample."""
        self._mix.reset()
        self._heard, self._last = 0, np.full((len(self._objects), OBJECT_ROWS - 1), np.nan, np.float32)
        for number, gains in enumerate(self._beds):
            self._mix.move(number, at=0, ramp=0, gains=gains)

    def process(
        self, block: NDArray[np.float32], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Render the next samples.

        Args:
            block: float32 ``[channels, n]``, samples side by side: the beds' channels, then `OBJECT_ROWS` of
                each object.
            out: where to; by default a new array.

        Returns:
            float32 ``[loudspeakers, n]``.

        Raises:
            KernelError: a block has another shape or type, or an object moves again before a move has ended.
        """
        check_rows("block", block, (self._rows, block.shape[1] if block.ndim == 2 else 0))
        shape = (len(self._panner.roles), block.shape[1])
        if out is None:
            out = np.zeros(shape, np.float32)
        else:
            check_array("out", out, np.float32, shape, writable=True)
            out[:] = 0
        self._follow(block)
        self._mix.add(block, out, self._tracks)
        self._heard += block.shape[1]
        return out

    def _follow(self, block: NDArray[np.float32]) -> None:
        """Tell the mix of every move in a block; all places are panned at once."""
        moves, places = [], []
        for number, row in enumerate(self._objects):
            controls = block[row + 1 : row + OBJECT_ROWS]
            for at in changes(controls, self._last[number]):
                moves.append((number, at))
                places.append(controls[:, at])
            if controls.shape[1]:
                self._last[number] = controls[:, -1]
        if not moves:
            return
        first = len(self._beds)
        for (number, at), gains in zip(moves, self._panner.objects(places), strict=True):
            sample = self._heard + at
            self._mix.move(first + number, at=sample, ramp=self._ramp if sample else 0, gains=gains)


def changes(controls: NDArray[np.float32], last: NDArray[np.float32]) -> list[int]:
    """Return the samples of ``[4, n]`` controls that differ from the one before, the first from ``last``."""
    if not controls.shape[1]:
        return []
    first = [0] if (controls[:, 0] != last).any() else []
    return first + (np.flatnonzero((controls[:, 1:] != controls[:, :-1]).any(axis=0)) + 1).tolist()
