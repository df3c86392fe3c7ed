"""How much memory a process holds, and how much there is."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = ["held", "most_memory"]

#: What a process alone keeps from others: not the pages of files, which the system can drop.
_OWN = (b"RssAnon:", b"RssShmem:", b"VmSwap:")
#: Where a container says how much it may take: cgroup 2 and 1.
_GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def held(process: int) -> int:
    """Return the bytes that a process holds, without pages of files; 0 when it is gone.

    Example:
        >>> held(os.getpid()) > 1 << 20
        True
    """
    found = 0
    with suppress(OSError, ValueError, IndexError), Path(f"/proc/{process}/status").open("rb") as file:
        for line in file:
            if line.startswith(_OWN):
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
