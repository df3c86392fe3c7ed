"""Runs a kernel over pairs of channels and stretches of the signal, each thread in memory of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .code import job as at
from .machine import address_of, aligned
from .threads import run_jobs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from .machine import Kernel

__all__ = ["run_pairs"]

# Addresses that move with the channel, and the strides they move by.
_BY_CHANNEL = (
    (at.IN, at.IN_STRIDE),
    (at.HEAD, at.HEAD_STRIDE),
    (at.TAIL, at.TAIL_STRIDE),
    (at.MASKS, at.MASK_CHANNEL),
    (at.OUT, at.OUT_CHANNEL),
)


def run_pairs(
    kernel: Kernel,
    job: npt.NDArray[np.int64],
    *,
    channels: int,
    extent: int,
    cuts: int,
    rooms: Mapping[int, int],
) -> None:
    """Call ``kernel(job)`` for every two channels and every cut of ``[0, extent)``.

    Args:
        kernel: takes the address of a job; 1 or 2 channels, and what lies from FIRST to LAST.
        job: filled for channel 0.
        channels: of the signal.
        extent: samples or frames.
        cuts: into how many stretches each pair is cut.
        rooms: the fields that point to memory to work in, and how many floats each needs, multiples of 16.
    """
    work = [(channel, cut) for channel in range(0, channels, 2) for cut in range(cuts)]
    call = kernel.function

    def start() -> Any:
        mine, memory = job.copy(), aligned(sum(rooms.values()))
        address, place = address_of(mine), address_of(memory)
        for field, size in rooms.items():
            mine[field], place = place, place + 4 * size

        def run(index: int, _kept: Any = memory) -> None:
            channel, cut = work[index]
            mine[at.CHANNELS] = min(2, channels - channel)
            for begin, stride in _BY_CHANNEL:
                mine[begin] = job[begin] + channel * job[stride]
            mine[at.FIRST], mine[at.LAST] = extent * cut // cuts, extent * (cut + 1) // cuts
            call(address)

        return run

    run_jobs(len(work), start)
