"""Brings one file over HTTP to a partial file, and goes on where an earlier try stopped.

What is here stays here whatever breaks: the next try, in this run or in another, asks for the rest. The
caller checks the hash; until then nothing is believed that a server says.
"""

from __future__ import annotations

import contextlib
import shutil
import ssl
import time
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Protocol
from urllib.error import HTTPError, URLError

from .errors import ModelFetchError
from .settled import flush, why_not
from .store import megabytes
from .web import Answer, ask

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["Patience", "Progress", "transfer"]

_CHUNK = 1 << 16
#: A try that brought at least this much is not counted against the server.
_WORTH = 1 << 20
#: Answers that may be different the next time.
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class Progress(Protocol):
    """Called now and then with a file's name, the bytes that are here, and how many it will be."""

    def __call__(self, name: str, done: int, size: int) -> object:
        """Show it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how often to try.

    Attributes:
        attempts: tries in a row that bring less than 1 MiB before it counts as failed.
        pause: seconds before the second try; doubles for each further one, up to a minute.
        timeout: seconds to wait for a connection, and for any bytes on it.
    """

    attempts: int = 5
    pause: float = 1.0
    timeout: float = 30.0


class _TryAgainError(Exception):
    """A try ended before the file was whole; ``after`` is how long the server asks to wait."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class _StartOverError(Exception):
    """What is here does not belong to what the server has now."""


def transfer(url: str, partial: Path, size: int, *, progress: Progress, patience: Patience) -> None:
    """Fill ``partial`` up to ``size`` bytes from ``url``, then wait until the disk holds it.

    Args:
        url: http or https.
        partial: the file to fill; what it holds already is taken for the file's beginning.
        size: the length that the card states.
        progress: told what is here.
        patience: how long to wait and how often to try.

    Raises:
        ModelFetchError: the server does not have the file, has another one, or breaks off again and again;
            or the disk does not take it. What is here stays, except where it cannot be of use.
    """
    failures = 0
    while (here := _length(partial)) != size:
        if here > size:
            _forget(partial)
            continue
        try:
            _attempt(url, partial, size, progress, patience)
        except _StartOverError:
            _forget(partial)
            failures += 1
            reason, after = "the server's file changed again and again", 0.0
        except _TryAgainError as error:
            failures = 1 if _length(partial) - here >= _WORTH else failures + 1
            reason, after = str(error), error.after
        else:
            continue
        if failures >= patience.attempts:
            raise ModelFetchError(f"{url}: {reason}; {_kept(partial, size)}")
        time.sleep(max(min(after, 60.0), min(patience.pause * 2 ** (failures - 1), 60.0)))
    _sync(partial)


def _attempt(url: str, partial: Path, size: int, progress: Progress, patience: Patience) -> None:
    here = _length(partial)
    answer = _asked(url, here, _validator(partial), patience)
    with contextlib.closing(answer.response):
        if answer.length not in (None, size):
            wrong = f"{url}: the server's file has {answer.length} bytes, the card says {size}"
            raise ModelFetchError(f"{wrong}: it is another file; see where the model comes from")
        if answer.start not in (0, here):
            raise _StartOverError
        room = shutil.disk_usage(partial.parent).free
        if room < size - answer.start:
            raise ModelFetchError(f"{partial}: {_full(size - answer.start, room)}")
        # A server that does not resume sends all of it again.
        mode = "r+b" if answer.start and partial.exists() else "wb"
        with _opened(partial, mode) as file:
            file.seek(answer.start)
            _note_validator(partial, answer.validator)
            _pour(answer, file, partial, size, progress)
    if (got := _length(partial)) < size:
        raise _TryAgainError(f"the connection ended after {got} of {size} bytes")


def _asked(url: str, here: int, validator: str, patience: Patience) -> Answer:
    """Return the server's answer; tell failures that may pass from those that will not."""
    try:
        return ask(url, here, validator, timeout=patience.timeout)
    except HTTPError as error:
        error.close()
        if error.code == 416 and here:
            raise _StartOverError from None
        reason = f"the server answers {error.code} {error.reason}".rstrip()
        if error.code in _PASSING:
            wait = error.headers.get("Retry-After", "") if error.headers else ""
            raise _TryAgainError(reason, float(wait) if wait.isdecimal() else 0.0) from None
        remedy = "see where the model comes from, and import the file with unbraid models import"
        raise ModelFetchError(f"{url}: {reason}; {remedy}") from None
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            told = f"{url}: its certificate is not good: {error.reason.verify_message}"
            raise ModelFetchError(f"{told}; see this machine's clock and certificates") from None
        raise _TryAgainError(f"no connection: {why_not(error.reason)}") from None
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a host that no name can have
        raise _TryAgainError(f"no connection: {why_not(error)}") from None


def _pour(answer: Answer, file: BinaryIO, partial: Path, size: int, progress: Progress) -> None:
    done = answer.start
    while True:
        try:
            # read1: what came before the connection broke is kept.
            chunk = answer.response.read1(_CHUNK)
        except (OSError, HTTPException) as error:
            raise _TryAgainError(f"the connection broke after {done} bytes: {why_not(error)}") from None
        if not chunk:
            return
        if done + len(chunk) > size:
            file.close()
            _forget(partial)
            told = f"{answer.response.url}: sends more than the {size} bytes that the card says"
            raise ModelFetchError(f"{told}: it is another file; see where the model comes from")
        try:
            _write(file, chunk)
        except OSError as error:
            raise ModelFetchError(f"{partial}: {why_not(error)}") from None
        done += len(chunk)
        progress(partial.stem, done, size)


def _write(file: BinaryIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:  # an unbuffered file may take less
        rest = rest[file.write(rest) :]


def _opened(partial: Path, mode: str) -> BinaryIO:
    try:
        # Unbuffered, so that a full disk is met by the write that fills it.
        return partial.open(mode, buffering=0)  # type: ignore[return-value]
    except OSError as error:
        raise ModelFetchError(f"{partial}: cannot be written: {why_not(error)}") from None


def _sync(partial: Path) -> None:
    try:
        flush(partial)
    except OSError as error:
        raise ModelFetchError(f"{partial}: cannot be completed: {why_not(error)}") from None


def _validator_file(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.version")


def _validator(partial: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = _validator_file(partial).read_text(encoding="latin-1")
        return text if text.isprintable() else ""
    return ""


def _note_validator(partial: Path, validator: str) -> None:
    with contextlib.suppress(OSError, UnicodeEncodeError):
        _validator_file(partial).write_text(validator, encoding="latin-1")


def _forget(partial: Path) -> None:
    for path in (partial, _validator_file(partial)):
        path.unlink(missing_ok=True)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _kept(partial: Path, size: int) -> str:
    here = _length(partial)
    if not here:
        return "nothing is here yet; try again later"
    return f"{megabytes(here)} of {megabytes(size)} are here, and the next fetch goes on from there"


def _full(needed: int, room: int) -> str:
    return (
        f"no space left on the disk: {megabytes(needed)} are needed, {megabytes(room)} are free; "
        "free some, or set UNBRAID_MODELS to another folder"
    )
