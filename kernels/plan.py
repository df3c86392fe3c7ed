"""What every kernel of one frame length shares: geometry, tables, compiled steps."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_count
from .code import job as at
from .code.emitted import STEP_ARGUMENTS
from .code.fft.layout import WIDTHS, Geometry
from .errors import KernelError
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Plan", "plan_of"]


class Plan:
    """Tables of one frame length.

    Args:
        n_fft: samples in a frame, 2^a 3^b 5^c 7^d, 2 to 2^20.
        width: float32 lanes of the vectors that its kernels use.

    Raises:
        KernelError: the length or the width cannot be.
    """

    def __init__(self, n_fft: int, width: int) -> None:
        try:
            self.geometry = Geometry.widest(n_fft, width)
        except ValueError as error:
            raise KernelError(f"n_fft: {error}") from None
        self.n_fft, self.width, self.bins = n_fft, self.geometry.width, n_fft // 2 + 1
        self.twiddles = aligned(self.geometry.twiddles.size)
        self.twiddles[:] = self.geometry.twiddles
        order = self.geometry.places
        blocks = order[: n_fft // self.width**2]  # vector kernels look up blocks, the scalar ones every bin
        self.places = aligned(len(blocks), np.int64)
        self.places[:] = blocks
        self._steps: dict[tuple[str, int], Kernel] = {}

    def step(self, name: str, channels: int) -> Kernel:
        """Return a step of a frame, for 1 or 2 channels; the same object every time."""
        found = self._steps.get((name, channels))
        if found is None:
            found = self._steps[name, channels] = Kernel(
                f"fft.frames.{name}",
                STEP_ARGUMENTS,
                length=self.n_fft,
                width=self.width,
                channels=channels,
            )
        return found

    def steps(self) -> list[Kernel]:
        """Return every step, for 1 and for 2 channels."""
        return [self.step(name, n) for name in at.STEPS for n in (1, 2)]

    def job(self, channels: int, *steps: str) -> npt.NDArray[np.int64]:
        """Return a job with this plan's tables in it, and these steps for so many channels."""
        job = np.zeros(at.FIELDS, np.int64)
        job[at.LENGTH], job[at.BINS] = self.n_fft, self.bins
        job[at.TWIDDLES], job[at.PLACES] = address_of(self.twiddles), address_of(self.places)
        for name in steps:
            for n in {min(2, channels), 2 - channels % 2}:
                job[at.STEPS[name] + n - 1] = self.step(name, n).address
        return job


def plan_of(n_fft: int, width: int | None = None) -> Plan:
    """Return the plan of a frame length, made once; the width is the CPU's unless given.

    Raises:
        KernelError: the length or the width cannot be.
    """
    if width is None:
        from .machine.load import vector_width

        width = vector_width()
    elif width not in WIDTHS:
        raise KernelError(f"width must be one of {', '.join(map(str, WIDTHS))}, not {width!r}")
    return _plan_of(check_count("n_fft", n_fft, 2), int(width))


@lru_cache(maxsize=64)
def _plan_of(n_fft: int, width: int) -> Plan:
    return Plan(n_fft, width)
