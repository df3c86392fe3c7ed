"""What a worker is told of a job, and what it answers: plain data that crosses processes and machines."""

from __future__ import annotations

import os
import stat
from typing import Any

import msgspec

from ..contract.errors import MediaError
from .job import Job  # noqa: TC001 - msgspec reads annotations

__all__ = [
    "Done",
    "Failed",
    "Heard",
    "Lost",
    "Outcome",
    "Output",
    "Progress",
    "Ready",
    "Seen",
    "Task",
    "Unchanged",
    "state_of",
]


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was when it was hashed.

    Attributes:
        name: of the input that it is.
        path: absolute.
        state: length in bytes, times of change of content and entry in ns, inode, device.
        xxh128: of all its bytes.
    """

    name: str
    path: str
    state: tuple[int, ...]
    xxh128: str


class Heard(msgspec.Struct, frozen=True):
    """How loud an output is, after ITU-R BS.1770-4 and EBU R 128; None where it is silent.

    Attributes:
        integrated: LUFS.
        range: LU.
        true_peak: dBTP.
    """

    integrated: float | None
    range: float | None
    true_peak: float | None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One finished output.

    Attributes:
        name: of the graph's output; "film" is the copy of a film.
        staged: file name in the task's staging folder.
        path: where it goes, below the batch's folder.
        xxh128: of the file.
        bytes: its length.
        form: WAV, FLAC ...
        rate: Hz.
        layout: its channels.
        length: samples.
        subtype: sample format.
        clipped: samples beyond full scale.
        heard: how loud it is, where it was measured.
        verdict: how it misses the job's loudness target; "" where it does not, or there is none.
        replaces: whether a file that has its name may be replaced.
    """

    name: str
    staged: str
    path: str
    xxh128: str
    bytes: int
    form: str = ""
    rate: int = 0
    layout: str = ""
    length: int = 0
    subtype: str = ""
    clipped: int = 0
    heard: Heard | None = None
    verdict: str = ""
    replaces: bool = False


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a job.

    Attributes:
        number: of the job in its ledger.
        job: what to do.
        folder: absolute path of the batch's folder.
        staging: absolute path of a folder of this attempt's own, where its outputs are made.
        known: inputs that were hashed before, as they were then.
        expected: identity of the job's present outputs; when it still holds there is nothing to do.
        own: paths of the job's present outputs, which it may replace.
        overwrite: whether it may replace files that are not its own, too.
        seconds: that it may take, or None.
    """

    number: int
    job: Job
    folder: str
    staging: str
    known: tuple[Seen, ...] = ()
    expected: str = ""
    own: tuple[str, ...] = ()
    overwrite: bool = False
    seconds: float | None = None


class Done(msgspec.Struct, tag=True, kw_only=True):
    """The outputs are complete in the staging folder.

    Attributes:
        identity: hash of all that decides the outputs' bits.
        recipe: the part of it that is not the inputs'.
        machine: the part of it that is the machine's.
        inputs: as they were read.
        outputs: what was made.
        programme: seconds of sound.
        seconds: wall time.
        cpu: seconds of processor time.
        memory: most bytes the process held.
        findings: what nodes found out.
        warnings: one line each.
    """

    identity: str
    recipe: str
    machine: str
    inputs: tuple[Seen, ...]
    outputs: tuple[Output, ...]
    programme: float
    seconds: float
    cpu: float
    memory: int
    findings: dict[str, dict[str, Any]] = {}
    warnings: tuple[str, ...] = ()


class Unchanged(msgspec.Struct, tag=True, kw_only=True):
    """The present outputs are what this job would make again."""

    identity: str
    recipe: str
    inputs: tuple[Seen, ...]


class Failed(msgspec.Struct, tag=True, kw_only=True):
    """The job cannot be done; to try again would not help.

    Attributes:
        kind: name of the error's type.
        message: what is wrong, where, and the remedy.
        trace: of an error that is nobody's word, for whoever mends it.
        inputs: as far as they had been read.
        recipe: as far as it was known.
        seconds: wall time.
        memory: most bytes the process held.
    """

    kind: str
    message: str
    trace: str = ""
    inputs: tuple[Seen, ...] = ()
    recipe: str = ""
    seconds: float = 0.0
    memory: int = 0


class Lost(msgspec.Struct, tag=True, kw_only=True):
    """The worker came to no answer.

    Attributes:
        kind: "crash", "hang", "memory", "cancelled", "gone" with the machine that it ran on, or "start" when
            no worker can be started at all.
        message: how it ended, and the remedy.
        trace: the last lines that it printed.
        seconds: wall time.
    """

    kind: str
    message: str
    trace: str = ""
    seconds: float = 0.0


class Progress(msgspec.Struct, tag=True):
    """How far a job is, in samples of how many; 0 where that is not known."""

    done: int
    total: int


class Ready(msgspec.Struct, tag=True):
    """A worker has started."""


Outcome = Done | Unchanged | Failed | Lost


def state_of(path: str) -> tuple[int, ...]:
    """Return what changes when a file does: length, times, inode, device.

    Raises:
        MediaError: it is not there, or no file.

    Example:
        >>> state_of("/nowhere.wav")
        Traceback (most recent call last):
        unbraid.host.contract.errors.MediaError: /nowhere.wav: cannot be read: No such file or directory
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - one spelling for all its fields
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise MediaError(f"{path!r}: cannot be read: {error}") from None
    if not stat.S_ISREG(found.st_mode):  # to open a FIFO may take for ever
        raise MediaError(f"{path}: is no plain file; name one that can be read again")
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
