"""`MovingMix`: sounds to loudspeakers, with gains that move in straight lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array, check_count
from .errors import KernelError
from .machine import Kernel, address_of, row_addresses

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["MovingMix", "check_rows"]

_add = Kernel("moving.add", 5)


class MovingMix:
    """Adds sounds to loudspeakers block by block; gains stay, or are on their way to new ones.

    Samples count from the first block on. The bits do not depend on how the sounds are cut into blocks.

    Args:
        sounds: how many.
        speakers: how many.

    Example:
        >>> mix = MovingMix(1, 2)
        >>> mix.move(0, at=0, ramp=0, gains=np.array([1, 0], np.float32))
        >>> mix.move(0, at=2, ramp=2, gains=np.array([0, 1], np.float32))
        >>> out = np.zeros((2, 6), np.float32)
        >>> mix.add(np.ones((1, 6), np.float32), out)
        >>> out.tolist()
        [[1.0, 1.0, 1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5, 1.0, 1.0]]
    """

    def __init__(self, sounds: int, speakers: int) -> None:
        self.sounds, self.speakers = check_count("sounds", sounds, 0), check_count("speakers", speakers)
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first sample: every gain is 0."""
        self._heard = 0
        still = np.zeros(self.speakers, np.float32)
        #: For each sound, lines in the order of their beginnings: first sample, samples, gains, gains.
        self._lines = [[(0, 0, still, still)] for _ in range(self.sounds)]

    def move(self, sound: int, *, at: int, ramp: int, gains: npt.NDArray[np.float32]) -> None:
        """From a sample on, lead the gains of a sound to others.

        Args:
            sound: which.
            at: the first sample; not before those that were added, nor before the end of the last move.
            ramp: samples that it takes; 0 jumps.
            gains: float32 ``[speakers]``.

        Raises:
            KernelError: one of these is not so.
        """
        check_array("gains", gains, np.float32, (self.speakers,))
        lines = self._lines[sound]
        start, length, _, last = lines[-1]
        if at < self._heard or at < start + length or ramp < 0:
            raise KernelError(f"sound {sound} cannot move at {at} for {ramp}: it is at {self._heard}")
        lines.append((at, ramp, last, gains.copy()))

    def add(
        self,
        block: npt.NDArray[np.float32],
        out: npt.NDArray[np.float32],
        rows: Sequence[int] | None = None,
    ) -> None:
        """Add the next samples to loudspeakers.

        Args:
            block: float32 ``[sounds, n]``; samples of a sound side by side.
            out: float32 ``[speakers, n]``; samples side by side.
            rows: which rows of a larger ``block`` are the sounds; by default all of them.

        Raises:
            KernelError: a block has another shape or type, or ``out`` cannot be written to.
        """
        n = block.shape[1] if block.ndim == 2 else 0
        check_rows("block", block, (self.sounds if rows is None else len(block), n))
        if rows is not None and (len(rows) != self.sounds or not all(0 <= row < len(block) for row in rows)):
            raise KernelError(f"rows must be {self.sounds} of the block's {len(block)}")
        check_rows("out", out, (self.speakers, n))
        if not out.flags.writeable:
            raise KernelError("out must be writable")
        jobs = [job for sound in range(self.sounds) for job in self._stretches(sound, n)]
        if jobs:
            table = np.array(jobs, np.int64)
            sounds, outs = row_addresses([block]), row_addresses([out])
            if rows is not None:
                sounds = sounds[list(rows)]
            _add(address_of(table), len(table), address_of(sounds), address_of(outs), self.speakers)
        self._heard += n

    def _stretches(self, sound: int, n: int) -> list[tuple[int, ...]]:
        """Return the stretches of one sound in the next ``n`` samples, and forget lines that are over."""
        lines, begin, end = self._lines[sound], self._heard, self._heard + n
        while len(lines) > 1 and lines[1][0] <= begin:
            del lines[0]
        jobs: list[tuple[int, ...]] = []
        for number, (start, length, before, after) in enumerate(lines):
            until = lines[number + 1][0] if number + 1 < len(lines) else end
            addresses = address_of(before), address_of(after)
            first, middle, last = max(start, begin), min(start + length, end), min(until, end)
            if first < middle:
                jobs.append((sound, first - begin, middle - first, first - start, length, *addresses))
            first = max(first, middle)
            if first < last:
                jobs.append((sound, first - begin, last - first, 0, 0, *addresses))
        return jobs


def check_rows(name: str, rows: npt.NDArray[np.float32], shape: tuple[int, int]) -> None:
    """Raise unless these are float32 rows of that shape whose samples lie side by side."""
    if rows.dtype != np.float32 or rows.shape != shape or (rows.size and rows.strides[1] != 4):
        raise KernelError(f"{name} must be float32 {list(shape)} with samples side by side")
