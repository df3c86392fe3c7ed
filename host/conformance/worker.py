"""A child process that answers questions, one JSON line each, and whose end or silence is an answer too."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Ended", "Worker"]

_FRAME = re.compile(r'File "([^"]+)", line (\d+) in (\S+)')
_OWN = str(Path(__file__).parent)
_LIBRARY = sysconfig.get_paths()["stdlib"]


def _in_library(file: str) -> bool:
    """Return whether a file is Python's own; packages may be installed below it."""
    return file.startswith(_LIBRARY) and not {"site-packages", "dist-packages"} & set(Path(file).parts)


@dataclass(frozen=True)
class Ended:
    """Why a child gave no answer.

    Attributes:
        how: in words: "hung for 60 s", "died of SIGSEGV", "ended the process with exit status 3".
        place: file, line and function where it was, or "".
        hung: true when it was alive and silent.
        signal: the number of the signal that it died of, 0 for none.
        seconds: how long it was waited for, when it hung.
    """

    how: str
    place: str
    hung: bool
    signal: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.how} at {self.place}" if self.place else self.how


class Worker:
    """A child in a session of its own; questions and answers have their own pipes, so prints do not disturb.

    It ends with the thread that made it.

    Args:
        module: the name of a module inside this package, whose ``main`` reads questions from the descriptor
            in ``sys.argv[1]`` and writes answers to the one in ``sys.argv[2]``.
        folders: where modules are searched for besides the caller's own path.
    """

    def __init__(self, module: str, folders: Iterable[Path] = ()) -> None:
        asks, self._questions = os.pipe()
        self._answers, answers = os.pipe()
        self._rest = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        with tempfile.TemporaryFile() as out:
            # The same modules are found as here, the caller's own folders among them.
            found = [entry or str(Path.cwd()) for entry in sys.path]
            path = os.pathsep.join([*found, *(str(folder) for folder in folders)])
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-P", "-m", f"{__package__}.{module}", str(asks), str(answers)],
                pass_fds=(asks, answers),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=self._errors,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": path},
            )
        os.close(asks)
        os.close(answers)

    def ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any] | Ended:
        """Return the answer, or why there is none after so many seconds; then the child is gone."""
        try:
            os.write(self._questions, json.dumps(question).encode() + b"\n")
        except BrokenPipeError:
            return self._ended()
        return self.hear(seconds)

    def hear(self, seconds: float) -> dict[str, Any] | Ended:
        """Return the next answer."""
        until = time.monotonic() + seconds
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return self._hung(seconds)
            piece = os.read(self._answers, 65536)
            if not piece:
                return self._ended()
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _hung(self, seconds: float) -> Ended:
        """Ask the child where it is, and end it."""
        size = os.fstat(self._errors.fileno()).st_size
        self._signal(signal.SIGUSR1)
        for _ in range(20):
            time.sleep(0.02)
            if os.fstat(self._errors.fileno()).st_size > size:
                break
        self._finish()
        place = self._place(size)
        self._close()
        return Ended(f"hung for {seconds:g} s", place, hung=True, seconds=seconds)

    def _ended(self) -> Ended:
        until = time.monotonic() + 2  # what closed the pipe is about to end
        look = os.WEXITED | os.WNOWAIT | os.WNOHANG  # its number stays taken while what it started is ended
        while os.waitid(os.P_PID, self._process.pid, look) is None and time.monotonic() < until:
            time.sleep(0.005)
        self._signal(signal.SIGKILL)
        code = self._process.wait()
        place = self._place(0)
        self._close()
        if code < 0:
            return Ended(f"died of {signal.Signals(-code).name}", place, hung=False, signal=-code)
        return Ended(f"ended the process with exit status {code}", place, hung=False)

    def _place(self, start: int) -> str:
        """Return where the child said it was: the innermost place outside of Python's library and of this."""
        said = os.pread(self._errors.fileno(), 1 << 20, start).decode("utf-8", "replace")
        said = said[max(0, said.rfind("Current thread")) :]
        frames = [frame for frame in _FRAME.findall(said) if not frame[0].startswith((_OWN, "<frozen"))]
        theirs = [frame for frame in frames if not _in_library(frame[0])]
        for file, line, function in (theirs or frames)[:1]:
            return f"{Path(file).name}:{line} in {function}"
        return ""

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def _finish(self) -> None:
        """End the child and whatever it started, and take its exit status."""
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _close(self) -> None:
        if not self._errors.closed:
            self._errors.close()
            os.close(self._questions)
            os.close(self._answers)

    def stop(self) -> None:
        """End the child, at once; there is no harm in doing so twice."""
        self._finish()
        self._close()
