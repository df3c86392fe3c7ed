"""Running ffmpeg and ffprobe: found, fed safe names, reaped, and their reasons told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from ...contract.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["available", "environment", "reason", "run_tool", "tool", "url"]

_NO_TOOL = "needs ffmpeg, which is not installed; install it (apt-get install ffmpeg) or convert to WAV"
#: These would make it colour its lines, or write a report into the working folder.
_UNWANTED = {"FFREPORT", "AV_LOG_FORCE_COLOR"}


#: Who says it: ``[mov,mp4 @ 0x55f113263640] ``, for parts of parts several times.
_SPEAKER = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\] *)+")


def available() -> bool:
    """Return whether ffmpeg and ffprobe are installed."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


def tool(name: str, path: Path) -> str:
    """Return where ffmpeg or ffprobe is.

    Args:
        name: of the program.
        path: the file for which it is needed, for the error text.

    Raises:
        MediaError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise MediaError(f"{path}: {_NO_TOOL}")
    return found


def url(path: Path) -> str:
    """Return a path as ffmpeg never takes for an option, another protocol or a list."""
    return "file:" + os.path.abspath(path)  # noqa: PTH100 - Path.absolute() keeps `..`; ffmpeg is indifferent


def run_tool(command: Sequence[str]) -> tuple[int, bytes, str]:
    """Run a program to its end; return its exit status, its output, and its error text.

    The child is killed and reaped when anything interrupts the wait.
    """
    done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
        list(command), stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environment()
    )
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def environment() -> dict[str, str]:
    """Return this process's environment without what makes ffmpeg colour its lines or write reports."""
    left = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    return {**left, "AV_LOG_FORCE_NOCOLOR": "1"}


def reason(errors: str, path: Path) -> str:
    """Return ffmpeg's own reason: its first error lines as one, without addresses and the file's name."""
    lines = []
    for line in errors.splitlines():
        text = _SPEAKER.sub("", line.strip()).removeprefix(f"{url(path)}: ")
        if text and text not in lines:
            lines.append(text)
    return ": ".join(lines[:2]).rstrip(".") or "no reason given"
