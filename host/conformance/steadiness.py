"""Checks of what a plugin leaves behind: threads, files and processes after release, memory over time."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .check import Check, NotApplicableError, PromiseBrokenError
from .driven import Driven
from .finding import Level
from .signals import noise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.processor import Array
    from .subject import Subject

__all__ = ["CHECKS", "left_behind", "memory"]

_BLOCK = 64
_BLOCKS = {Level.QUICK: 500, Level.STANDARD: 2000, Level.STRICT: 10_000}
_GROWTH = 1 << 20  # bytes that resident memory may grow by once warm; objects, one for every fourth block
_TASK, _HANDLES, _MEMORY = Path("/proc/self/task"), Path("/proc/self/fd"), Path("/proc/self/statm")


def _counts() -> dict[str, int]:
    """Return how many threads, open files and child processes there are."""
    children = 0
    for task in _TASK.iterdir():
        try:
            children += len((task / "children").read_text().split())
        except OSError:  # the thread ended just now, or the kernel does not tell
            continue
    return {
        "threads": max(threading.active_count(), len(list(_TASK.iterdir()))),
        "open files": len(list(_HANDLES.iterdir())),
        "child processes": children,
    }


def _settled(wanted: Mapping[str, int]) -> dict[str, int]:
    """Return the counts once they are down to what is wanted, or after half a second."""
    until = time.monotonic() + 0.5
    while True:
        gc.collect()
        found = _counts()
        if time.monotonic() > until or all(found[name] <= wanted[name] for name in wanted):
            return found
        time.sleep(0.05)


def left_behind(subject: Subject) -> str:
    """Use the plugin three times after a first warm one, and count what is there after release."""
    if not _TASK.is_dir():
        raise NotApplicableError("this system has no /proc to count in")
    programme = noise(subject.case.inputs, 4096)
    uses = 3
    subject.fresh(programme)
    before = _counts()
    for _ in range(uses):
        subject.fresh(programme)
    after = _settled(before)
    grown = [f"{after[name] - count} more {name}" for name, count in before.items() if after[name] > count]
    if grown:
        names = sorted({thread.name for thread in threading.enumerate()} - {"MainThread"})
        told = f" (threads alive: {', '.join(names[:5])})" if names else ""
        raise PromiseBrokenError(
            f"after {uses} uses and releases there are {', '.join(grown)}{told}",
            "end and close in release() what prepare() started and opened",
        )
    return "threads, open files and processes are as before"


@dataclass(frozen=True)
class _Held:
    """What the process holds: bytes of resident memory, and Python's own pieces of it, nearly its objects."""

    resident: int
    objects: int

    @classmethod
    def now(cls) -> _Held:
        gc.collect()
        # What is free would hide a leak until it is used up: glibc can give it back.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        pages = int(_MEMORY.read_text().split()[1])
        return cls(pages * os.sysconf("SC_PAGE_SIZE"), sys.getallocatedblocks())


def _grows(amounts: tuple[int, int, int], allowed: int) -> bool:
    """Return whether amounts at the start, half way and at the end grow without end."""
    start, middle, end = amounts
    return end - start > allowed and end - middle > (end - start) / 4


def _run(driven: Driven, ins: Mapping[str, Array], outs: Mapping[str, Array], blocks: int) -> None:
    for _ in range(blocks):
        driven.process(ins, outs)


def memory(subject: Subject) -> str:
    """Process many blocks; what grows with their number is a leak."""
    if not _MEMORY.is_file():
        raise NotApplicableError("this system has no /proc to measure in")
    blocks = _BLOCKS[subject.level]
    subject.afford(blocks * _BLOCK)
    ins = dict(noise(subject.case.inputs, _BLOCK).ports)
    for block in ins.values():
        block.flags.writeable = False
    with Driven(subject, subject.case, max_block=_BLOCK) as driven:
        driven.learn(noise(subject.case.inputs, _BLOCK))
        outs = {name: np.empty((lay.channels, _BLOCK), np.float32) for name, lay in driven.outputs.items()}
        # Buffers that fill up and empty, as those of a latency do, are no leak: they are let fill first, and
        # the memory of all that is late may come and go.
        _run(driven, ins, outs, min(200 + 3 * driven.latency // _BLOCK, 4 * blocks))
        channels = sum(len(block) for block in (*ins.values(), *outs.values()))
        allowed = _GROWTH + 4 * channels * driven.latency
        held = [_Held.now()]
        for _ in range(2):
            _run(driven, ins, outs, blocks // 2)
            held.append(_Held.now())
        start, middle, end = held
        told = (
            f"memory grew by {(end.resident - start.resident) / 2**20:.2f} MiB and "
            f"{end.objects - start.objects} objects over {blocks} blocks of {_BLOCK} samples"
        )
        if _grows((start.resident, middle.resident, end.resident), allowed) or _grows(
            (start.objects, middle.objects, end.objects), blocks // 4
        ):
            raise PromiseBrokenError(
                told + _where(driven, ins, outs),
                "keep no more of the past than the latency needs; allocate in prepare()",
            )
    return told


def _where(driven: Driven, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> str:
    """Return the line that allocated most of what stayed, in words."""
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        _run(driven, ins, outs, 200)
        gc.collect()
        most = tracemalloc.take_snapshot().compare_to(before, "lineno")[:1]
    finally:
        tracemalloc.stop()
    if not most or most[0].size_diff < 4096:
        return ""
    frame = most[0].traceback[0]
    return f", most of it at {Path(frame.filename).name}:{frame.lineno}"


CHECKS = (
    Check("left-behind", "release() leaves no thread, open file or process", Level.STANDARD, left_behind),
    Check("memory", "memory is steady over many blocks", Level.STANDARD, memory),
)
