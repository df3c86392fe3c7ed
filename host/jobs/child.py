"""The worker's side: takes tasks from its socket, one at a time, and answers each."""

from __future__ import annotations

import faulthandler
import io
import os
import socket
import sys
from contextlib import suppress

import msgspec

from ..isolation.lifeline import die_with_host, leave_the_end_to_the_host
from ..isolation.messages import framed, receive
from .task import Done, Failed, Lost, Progress, Ready, Task, Unchanged

__all__ = ["ANSWERS", "TASKS", "main", "packed"]

TASKS = msgspec.msgpack.Decoder(Task)
ANSWERS: msgspec.msgpack.Decoder[Done | Failed | Unchanged | Lost | Progress | Ready] = (
    msgspec.msgpack.Decoder(Done | Failed | Unchanged | Lost | Progress | Ready)
)
_MOST = 1 << 28


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
    from .work import Bench

    bench = Bench()
    talk.sendall(packed(Ready()))
    while (data := receive(talk, _MOST)) is not None:
        task = TASKS.decode(data)
        answer = bench.perform(task, lambda said: talk.sendall(packed(said)))
        talk.sendall(packed(answer))
