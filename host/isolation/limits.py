"""How much memory a process and what it has started hold, and how much there is."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from .family import family_of

__all__ = ["held", "most_memory"]

#: What a process keeps from others: not the pages of files, which the system can drop.
_OWN = (b"RssAnon:", b"RssShmem:", b"VmSwap:")
#: The same, with pages that processes share taken in parts: slower to find out.
_PARTS = (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")
#: Where a container says how much it may take: cgroup 2 and 1.
_GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def held(process: int, most: int = 0) -> int:
    """Return the bytes that a process and all that descends from it hold, without pages of files.

    Args:
        process: its number; one that is gone holds 0.
        most: what is not too much: only beyond it, pages that a fork shares with its parent count once.

    Example:
        >>> held(os.getpid()) > 1 << 20
        True
    """
    family = family_of(process)
    found = sum(_sum(each, "status", _OWN) for each in family)
    if found > most and len(family) > 1:
        found = sum(_sum(each, "smaps_rollup", _PARTS) or _sum(each, "status", _OWN) for each in family)
    return found


def _sum(process: int, table: str, names: tuple[bytes, ...]) -> int:
    """Return the bytes in some lines of one of the system's tables about a process."""
    found = 0
    with suppress(OSError, ValueError, IndexError), Path(f"/proc/{process}/{table}").open("rb") as file:
        for line in file:
            if line.startswith(names):
                found += int(line.split()[1]) << 10
    return found


@cache
def most_memory() -> int:
    """Return three quarters of the bytes this machine or container has."""
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _GROUPS:
        with suppress(OSError, ValueError):  # ValueError: it says "max"
            most = min(most, int(Path(path).read_text(encoding="ascii")))
    return most * 3 // 4
