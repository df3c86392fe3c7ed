"""What host and child say to each other: requests as pickles, answers as plain data of bounded size.

The host is trusted by its child, not the other way round: an answer is decoded into one of three
structs, or refused. Both go through one stream socket, each behind its length in four bytes.
"""

from __future__ import annotations

import pickle
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ..contract.errors import PluginError, UnbraidError, one_line

if TYPE_CHECKING:
    from ..contract.audio import Spec

__all__ = [
    "ANALYSE",
    "DONE",
    "LENGTH",
    "PROCESS",
    "REQUEST",
    "RING",
    "TURN",
    "WHAT",
    "Answer",
    "Done",
    "Failed",
    "Found",
    "Start",
    "failed",
    "framed",
    "pack_answer",
    "pack_request",
    "receive",
    "unpack_answer",
    "unpack_request",
]

#: What the host rings for, in the word `WHAT`; for blocks their length is in `LENGTH`.
REQUEST, PROCESS, ANALYSE = 0, 1, 2
#: The shared words. The host counts its turns in `TURN`; the child copies that to `DONE` after a block that
#: went well. After anything else it sends an answer.
WHAT, LENGTH, TURN, DONE = 0, 1, 2, 3
#: What is written to ring.
RING = (1).to_bytes(8, sys.byteorder)

_HEAD = struct.Struct("<I")
_MOST = 1 << 20  # bytes of one message
_TEXT, _TRACE = 1 << 14, 1 << 16  # characters


@dataclass(frozen=True, slots=True)
class Start:
    """All that a child needs to build and prepare a processor.

    Attributes:
        plugin: the card's id.
        factory: as on the card.
        passes: as on the card.
        params: pickled by itself, because its class may fail to load.
        spec: the terms.
        threads: how many threads kernels may use, or None for what the child finds.
    """

    plugin: str
    factory: str
    passes: int
    params: bytes
    spec: Spec
    threads: int | None


class Done(msgspec.Struct, tag=True):
    """A call returned; this is what the processor declares now, in samples."""

    latency: int = 0
    tail: int = 0


class Found(msgspec.Struct, tag=True):
    """What the processor found out."""

    findings: dict[str, float | str]


class Failed(msgspec.Struct, tag=True):
    """A call raised.

    Attributes:
        text: what `one_line` says of it, without the type.
        kind: the name of its type where that is no type of ours; else "PluginError" or "UnbraidError".
        ours: whether it is a type of ours.
        trace: the traceback, as Python prints it.
    """

    text: str
    kind: str
    ours: bool
    trace: str


Answer = Done | Found | Failed
_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Done | Found | Failed] = msgspec.msgpack.Decoder(Answer)


def failed(error: BaseException) -> Failed:
    """Return an exception as an answer."""
    import traceback

    trace = "".join(traceback.format_exception(error))[-_TRACE:]
    text = one_line(error)
    if isinstance(error, UnbraidError):
        kind = "PluginError" if isinstance(error, PluginError) else "UnbraidError"
        return Failed(text[:_TEXT], kind, True, trace)  # noqa: FBT003 - a struct's field
    kind = type(error).__name__
    return Failed(text.removeprefix(f"{kind}: ")[:_TEXT], kind[:200], False, trace)  # noqa: FBT003


def framed(data: bytes) -> bytes:
    """Return a message with its length before it, as `receive` takes it."""
    return _HEAD.pack(len(data)) + data


def pack_request(call: str, argument: Any) -> bytes:
    """Return a request as bytes for the child."""
    data = pickle.dumps((call, argument), pickle.HIGHEST_PROTOCOL)
    return framed(data)


def unpack_request(data: bytes) -> tuple[str, Any]:
    """Return a request's name and argument; only for what the host sent."""
    call, argument = pickle.loads(data)  # noqa: S301 - from the parent, through a socket of its own
    return call, argument


def pack_answer(answer: Answer) -> bytes:
    """Return an answer as bytes for the host."""
    data = _ENCODER.encode(answer)
    if len(data) > _MOST:
        error = PluginError(f"it gave {len(data)} bytes of findings, more than {_MOST}")
        data = _ENCODER.encode(failed(error))
    return framed(data)


def unpack_answer(data: bytes) -> Answer:
    """Return an answer.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _DECODER.decode(data)


def receive(source: socket.socket, most: int = _MOST) -> bytes | None:
    """Return the next message, or None at the end of the stream.

    Raises:
        ValueError: it says that it is longer than ``most`` bytes.
        TimeoutError: the socket has a time limit, and the rest did not come.
    """
    head = _exactly(source, _HEAD.size)
    if head is None:
        return None
    (length,) = _HEAD.unpack(head)
    if length > most:
        raise ValueError(f"a message of {length} bytes")
    return _exactly(source, length)


def _exactly(source: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        piece = source.recv(min(count - len(data), 1 << 16))
        if not piece:
            return None
        data += piece
    return bytes(data)
