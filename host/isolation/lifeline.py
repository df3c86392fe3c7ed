"""What binds a child to the process that started it: it leaves its end to that, and never outlives it."""

from __future__ import annotations

import fcntl
import os
import select
import signal
from contextlib import suppress
from pathlib import Path

__all__ = ["die_with_host", "leave_the_end_to_the_host"]


def die_with_host(line: int) -> None:
    """Let the kernel kill this process and its own when the other end of ``line`` goes away.

    The host holds that end and never writes. PR_SET_PDEATHSIG would speak as soon as the *thread* ends that
    started the child; a thread waiting here would be held up by a plugin that hangs in machine code.

    Args:
        line: descriptor of a pipe's reading end.
    """
    own = os.getpid()
    fcntl.fcntl(line, fcntl.F_SETOWN, -own if os.getpgrp() == own else own)
    fcntl.fcntl(line, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([line], [], [], 0)[0]:  # it went before the kernel knew whom to tell
        os._exit(1)


def leave_the_end_to_the_host() -> None:
    """Let the host, whose signals may come here too, end this; be the first to go when memory runs out."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler, for what is ignored stays ignored in the programs that a plugin starts.
        signal.signal(number, lambda *_: None)
        signal.siginterrupt(number, False)  # noqa: FBT003 - the standard library's signature
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
