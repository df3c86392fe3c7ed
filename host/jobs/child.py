"""The worker's side: takes tasks from its socket, one at a time, and answers each."""

from __future__ import annotations

import faulthandler
import io
import os
import socket
import sys
from contextlib import suppress

import msgspec

from ..contract.errors import one_line
from ..isolation.lifeline import die_with_host, leave_the_end_to_the_host
from ..isolation.messages import framed, receive
from .task import Done, Failed, Lost, Outcome, Progress, Ready, Task, Unchanged

__all__ = ["ANSWERS", "TASKS", "main", "packed"]

TASKS = msgspec.msgpack.Decoder(Task)
ANSWERS: msgspec.msgpack.Decoder[Done | Failed | Unchanged | Lost | Progress | Ready] = (
    msgspec.msgpack.Decoder(Done | Failed | Unchanged | Lost | Progress | Ready)
)
_MOST = 1 << 28
_ANSWER = 1 << 22  # bytes that an answer may have, which the ledger keeps
_MODELS = 4  # networks that stay loaded between jobs: as many as a folder of film stems may take turns with


def packed(message: msgspec.Struct) -> bytes:
    """Return a message with its length before it."""
    return framed(msgspec.msgpack.encode(message))


def main(files: list[int]) -> None:
    """Serve until the host closes the socket.

    Args:
        files: descriptors: the socket of messages, and a pipe whose other end the host holds.
    """
    control, line = files
    for file in files:
        os.set_inheritable(file, False)  # noqa: FBT003 - the standard library's signature
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a plugin prints must not go when it crashes
        sys.stdout.reconfigure(line_buffering=True)
    faulthandler.enable(all_threads=False)
    leave_the_end_to_the_host()
    die_with_host(line)
    with suppress(BrokenPipeError, ConnectionResetError), socket.socket(fileno=control) as talk:
        _serve(talk)
    # To take the interpreter apart, or to wait for a plugin's threads, serves nobody.
    os._exit(0)


def _serve(talk: socket.socket) -> None:
    from ..models import keep_loaded
    from .work import Bench

    own = os.getpid()

    def say(data: bytes) -> None:
        if os.getpid() != own:  # a plugin has forked, and this copy of the worker has no say
            os._exit(1)
        talk.sendall(data)

    keep_loaded(_MODELS)
    bench = Bench()
    say(packed(Ready()))
    while (data := receive(talk, _MOST)) is not None:
        say(_answer(bench.perform(TASKS.decode(data), lambda said: say(packed(said)))))


def _answer(outcome: Outcome) -> bytes:
    """Return an outcome as bytes; what plugins found out may be no plain data, or too much of it."""
    try:
        data = packed(outcome)
    except Exception as error:  # noqa: BLE001 - it depends on a stranger's objects
        why = f"findings that cannot be written down: {one_line(error)}"
    else:
        if len(data) <= _ANSWER:
            return data
        why = f"{len(data)} bytes of findings and warnings"
    failed = Failed(kind="PluginError", message=f"its plugins gave {why[:500]}; mend them")
    if not isinstance(outcome, Lost):
        failed.inputs, failed.recipe = outcome.inputs, outcome.recipe
    return packed(failed)
