"""Checks that a plugin leaves the process as it is: nothing on standard output, no global setting changed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .check import Check, PromiseBrokenError
from .finding import Level
from .signals import noise

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["CHECKS", "globals_kept", "prints_nothing", "settings"]


def prints_nothing(subject: Subject) -> str:
    """Look at how far standard output, which is a file here, has come since the plugin was opened."""
    subject.fresh(noise(subject.case.inputs, 4096))
    if sys.stdout is not None:
        sys.stdout.flush()
    size = os.fstat(1).st_size - subject.printed
    if size > 0:
        said = os.pread(1, 60, subject.printed).decode("utf-8", "backslashreplace")
        raise PromiseBrokenError(
            f"it wrote {size} bytes to standard output: {said!r}",
            "use logging, or standard error: standard output may carry the sound itself",
        )
    return "standard output is left to the sound"


def settings() -> dict[str, object]:
    """Return the settings that belong to everybody in the process."""
    return {
        "the working folder": Path.cwd(),
        "environment variables": dict(os.environ),
        "numpy.seterr": np.geterr(),
        "signal handlers": [
            signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
        ],
        "the global NumPy random state": np.random.get_state()[1].tobytes(),  # type: ignore[index] # noqa: NPY002
        "the recursion limit": sys.getrecursionlimit(),
    }


def globals_kept(subject: Subject) -> str:
    """Compare with what was before any of the plugin's code ran."""
    subject.fresh(noise(subject.case.inputs, 4096))
    before, after = subject.settings, settings()
    changed = [name for name, value in before.items() if after[name] != value]
    given = before["environment variables"]  # libraries add some when they load; what was there must stay
    if isinstance(given, dict) and given.items() <= os.environ.items():
        changed = [name for name in changed if name != "environment variables"]
    if changed:
        raise PromiseBrokenError(
            f"it changed {', '.join(changed)}",
            "leave to others what belongs to all, or put it back before returning",
        )
    return f"{len(before)} global settings are as before"


CHECKS = (
    Check("prints", "nothing is written to standard output", Level.QUICK, prints_nothing),
    Check("globals", "global settings of the process are left alone", Level.STANDARD, globals_kept),
)
