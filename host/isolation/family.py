"""What a process has started, and what that has started, while it lives."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

__all__ = ["end_strays", "family_of"]


def family_of(process: int) -> list[int]:
    """Return a process and all that descend from it, parents first; of the process alone where it is gone.

    Example:
        >>> family_of(os.getpid())[0] == os.getpid()
        True
    """
    found = [process]
    for each in found:
        with suppress(OSError):  # it has ended meanwhile
            # Audio threads ask, and path objects would take half as long again.
            for thread in os.listdir(f"/proc/{each}/task"):  # noqa: PTH208
                found += _children(f"/proc/{each}/task/{thread}/children")
    return found


def _children(table: str) -> list[int]:
    with suppress(OSError), open(table, "rb", buffering=0) as file:  # noqa: PTH123
        return [int(number) for number in file.read().split()]
    return []


def end_strays(process: int) -> None:
    """Kill what descends from a process but has gone into a session of its own."""
    handles = dict[int, int]()
    try:
        for each in family_of(process)[1:]:
            with suppress(OSError):
                handles[each] = os.pidfd_open(each)
        # A number may have become somebody else's before it was opened: those are no descendants any more.
        for each in handles.keys() & {*family_of(process)[1:]}:
            with suppress(OSError):
                if os.getsid(each) != process:
                    signal.pidfd_send_signal(handles[each], signal.SIGKILL)
    finally:
        for handle in handles.values():
            os.close(handle)
