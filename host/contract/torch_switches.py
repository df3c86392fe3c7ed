"""torch's switches for CUDA: all of float32, and the same bits every time."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["whole_float32"]

_LOCK = threading.Lock()
#: How many threads compute at present, and what puts the switches back, the last to be called first.
_inside = 0
_back: list[Callable[[], object]] = []


@contextmanager
def whole_float32() -> Iterator[None]:
    """Let CUDA compute products, convolutions and recurrences in all of float32, and repeatably.

    Whatever the process allows (TF32 keeps 10 of float32's 23 bits), by torch's older switches or by those
    of torch 2.9; it has them back afterwards. They are the whole process's: where several threads compute,
    the first sets them and the last puts them back.
    """
    global _inside  # noqa: PLW0603 - torch's switches are of the process, too
    with _LOCK:
        if _inside == 0:
            _set()
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if _inside == 0:
                _put_back()


def _set() -> None:
    import torch

    backends: Any = torch.backends
    cudnn, matmul = backends.cudnn, backends.cuda.matmul
    operations = (matmul, cudnn.conv, cudnn.rnn) if hasattr(cudnn, "conv") else ()  # switches of torch 2.9
    for owner in operations:
        # One that says the same as that above it follows it.
        own = "none" if owner.fp32_precision == cudnn.fp32_precision else owner.fp32_precision
        _will_be(owner, "fp32_precision", own)
    for name, value in (("enabled", True), ("benchmark", False), ("deterministic", True)):
        _will_be(cudnn, name, getattr(cudnn, name))
        setattr(cudnn, name, value)
    with _older_switches():
        if _told(torch.get_float32_matmul_precision) == "medium":
            _back.append(lambda: torch.set_float32_matmul_precision("medium"))
        for owner in (matmul, cudnn):
            if _told(partial(getattr, owner, "allow_tf32")):
                _will_be(owner, "allow_tf32", before=True)
            owner.allow_tf32 = False  # moves those of torch 2.9, too
    for owner in operations:
        owner.fp32_precision = "ieee"


def _put_back() -> None:
    with _older_switches():
        while _back:
            _back.pop()()


def _will_be(owner: Any, name: str, before: object) -> None:
    _back.append(lambda: setattr(owner, name, before))


def _told(read: Callable[[], Any]) -> Any:
    """Return what an older switch says; None where those of torch 2.9 say otherwise, and it says nothing."""
    try:
        return read()
    except RuntimeError:
        return None


@contextmanager
def _older_switches() -> Iterator[None]:
    """Use them without torch 2.9 to 2.12 saying that there are newer ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
