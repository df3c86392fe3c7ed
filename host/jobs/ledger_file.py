"""The SQLite file of a ledger: its tables, how it is opened and locked, and what its errors mean."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ..contract.errors import UnbraidError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["SCHEMA", "VERSION", "LedgerError", "connect", "lock", "unmake", "why_not"]

VERSION = 2
SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  place TEXT NOT NULL UNIQUE,
  spec BLOB NOT NULL,
  line INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  run INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting',
  attempts INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  identity TEXT NOT NULL DEFAULT '',
  recipe TEXT NOT NULL DEFAULT '',
  machine TEXT NOT NULL DEFAULT '',
  kind TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  trace TEXT NOT NULL DEFAULT '',
  ended REAL,
  programme REAL,
  seconds REAL,
  cpu REAL,
  memory INTEGER,
  findings TEXT NOT NULL DEFAULT '{}',
  warnings TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX job_turn ON job (state, crashes, priority DESC, id);
CREATE TABLE input (
  job INTEGER NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, xxh128 TEXT NOT NULL,
  PRIMARY KEY (job, name)
) WITHOUT ROWID;
CREATE TABLE output (
  job INTEGER NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL UNIQUE, data BLOB NOT NULL,
  PRIMARY KEY (job, name)
) WITHOUT ROWID;
CREATE TABLE attempt (
  job INTEGER NOT NULL, number INTEGER NOT NULL, ended REAL NOT NULL, outcome TEXT NOT NULL,
  reason TEXT NOT NULL, seconds REAL NOT NULL, worker TEXT NOT NULL,
  PRIMARY KEY (job, number)
) WITHOUT ROWID;
"""


class LedgerError(UnbraidError):
    """The ledger cannot be used: in use, of another version, damaged, or its disk is full."""


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Open the file; where it is writable, it is made when missing, and transactions are for the caller.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    if not writable:
        base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        base.execute("PRAGMA query_only = 1")
        return base
    base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # WAL lets others read meanwhile; FULL makes a commit outlast a loss of power.
    for setting in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 256",
        "journal_size_limit = 1048576",
        "busy_timeout = 10000",
    ):
        base.execute(f"PRAGMA {setting}")
    return base


def why_not(error: sqlite3.Error) -> str:
    """Return what an error means, and the remedy."""
    text = str(error)
    if "full" in text:
        return "no space left on the disk; free some, and run the batch again: what is done is kept"
    if "readonly" in text or "unable to open" in text:
        return f"cannot be written ({text}); check the folder's rights"
    if "malformed" in text or "not a database" in text:
        return f"is damaged ({text}); move it away, and run the batch again with --overwrite"
    return f"cannot be used: {text}"


def unmake(home: Path, made: Sequence[Path]) -> None:
    """Remove a ledger that no run began with, and the folders that were made for it."""
    shutil.rmtree(home, ignore_errors=True)
    with suppress(OSError):
        for folder in made:
            folder.rmdir()


def lock(descriptor: int) -> None:
    """Take the lock; whoever only looks at whether a batch is at work holds it for a moment."""
    for _ in range(5):
        with suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.02)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
