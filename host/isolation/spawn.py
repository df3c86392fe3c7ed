"""A child process in a session of its own: how it starts, how it is ended, and how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from .family import end_strays

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["end_group", "exit_of", "how_it_ended", "spawn"]

#: The child finds what this process finds: its path comes first, and only then a module of ours.
_BOOT = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from importlib import import_module
module, files = sys.argv[2], [int(file) for file in sys.argv[3:]]
del sys.argv[1:]
import_module(module).main(files)
"""
_PATIENCE = 5.0  # seconds for a child that was killed to be gone
_UNKNOWN = (0, 0)  # instead of the code and status of a child that someone else has waited for


def spawn(
    module: str,
    files: list[int],
    *,
    messages: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own: Ctrl-C does not reach it, and `end_group` ends all it started.

    Args:
        module: full name of the module whose ``main(files)`` it runs.
        files: descriptors that it gets.
        messages: descriptor of its standard output and error; by default this process's standard error,
            since standard output may be carrying sound.
        environment: variables that differ from this process's.

    Raises:
        OSError: it cannot be started.
    """
    if not sys.executable or hasattr(sys, "frozen"):
        raise OSError("this program does not know where its Python is")
    if messages is None:  # without standard error, its number may belong to any file
        messages = subprocess.DEVNULL if sys.__stderr__ is None else 2
    path = json.dumps([*map(str, sys.path)])
    return subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
        [sys.executable, "-c", _BOOT, path, module, *map(str, files)],
        stdin=subprocess.DEVNULL,
        stdout=messages,
        stderr=messages,
        pass_fds=files,
        start_new_session=True,
        env=None if environment is None else {**os.environ, **environment},
    )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and all it started; again does nothing.

    Of a child that has ended by itself, what it had put into other sessions is nobody's, and stays.
    """
    if process.returncode is None:
        end_strays(process.pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # a driver may hold on to it
            process.wait(_PATIENCE)


def exit_of(process: subprocess.Popen[bytes]) -> tuple[int, int] | None:
    """Return code and status as in ``waitid``, or None while it runs; it is not reaped."""
    try:
        found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # someone else in this program waits for every child
        return _UNKNOWN
    return None if found is None else (found.si_code, found.si_status)


def how_it_ended(end: tuple[int, int] | None) -> str:
    """Return in words how a process ended that `exit_of` tells of."""
    code, status = end or _UNKNOWN
    if code == _UNKNOWN[0]:
        return "its process ended; how, another part of this program has heard"
    if code == os.CLD_EXITED:
        return f"its process ended by itself, with exit code {status}"
    why = ", as the system does when memory runs out" if status == signal.SIGKILL else ""
    return f"its process was killed by signal {_signal_name(status)}{why}"


def _signal_name(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal
        return str(number)
