"""The memory that host and child both see: a few words, and one region for every port."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.audio import Layout, Spec
    from ..contract.processor import Array

__all__ = ["Blocks", "Exchange", "open_memory", "size_of"]

_LINE = 64  # bytes: no two ports share a cache line
_WORDS = 8  # of int64, one line
_BINDINGS = 64


@dataclass(frozen=True, slots=True)
class Blocks:
    """Views of the regions for one block length, float32 ``[channels, n]`` by port."""

    ins: Mapping[str, Array]
    outs: Mapping[str, Array]


def _region(layout: Layout, max_block: int) -> int:
    return -(-4 * layout.channels * max_block // _LINE) * _LINE


def size_of(spec: Spec) -> int:
    """Return how many bytes the exchange for these terms takes."""
    layouts = (*spec.inputs.values(), *spec.outputs.values())
    return 8 * _WORDS + sum(_region(layout, spec.max_block) for layout in layouts)


def open_memory(size: int) -> int:
    """Return the descriptor of memory that has no name and whose size nobody can change.

    It goes away with the last process that holds it, however that process ends.
    """
    file = os.memfd_create("unbraid", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(file, size)
        # A file cut short under a mapping would kill whoever reads there.
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(file)
        raise
    return file


class Exchange:
    """One side's view of the shared memory.

    Args:
        file: descriptor from `open_memory`; may be closed afterwards.
        spec: terms of the processor; they decide the layout, for both sides alike.
        writes: the ports this side writes, "ins" or "outs"; the others are read-only for it.

    Attributes:
        words: int64; see `messages`.
    """

    def __init__(self, file: int, spec: Spec, *, writes: str) -> None:
        self._map = mmap.mmap(file, size_of(spec))
        self.words = memoryview(self._map)[: 8 * _WORDS].cast("q")
        self._ins, at = self._regions(spec.inputs, spec.max_block, 8 * _WORDS, writeable=writes == "ins")
        self._outs, _ = self._regions(spec.outputs, spec.max_block, at, writeable=writes == "outs")
        self._bindings: OrderedDict[int, Blocks] = OrderedDict()

    def _regions(
        self, layouts: Mapping[str, Layout], max_block: int, at: int, *, writeable: bool
    ) -> tuple[dict[str, tuple[int, Array]], int]:
        """Return channels and memory of each port, and where the next region begins."""
        regions = {}
        for port, layout in layouts.items():
            whole = np.frombuffer(self._map, np.float32, layout.channels * max_block, at)
            whole.flags.writeable = writeable
            regions[port] = layout.channels, whole
            at += _region(layout, max_block)
        return regions, at

    def blocks(self, n: int) -> Blocks:
        """Return the views for blocks of ``n`` samples, behind proxies; the newest 64 lengths are kept."""
        found = self._bindings.get(n)
        if found is None:
            found = self._bindings[n] = Blocks(_views(self._ins, n), _views(self._outs, n))
            if len(self._bindings) > _BINDINGS:
                self._bindings.popitem(last=False)
        else:
            self._bindings.move_to_end(n)
        return found

    def close(self) -> None:
        """Let go of the memory; what `blocks` gave must not be used any more."""
        self._bindings.clear()
        self._ins.clear()
        self._outs.clear()
        self.words.release()
        with suppress(BufferError):  # a traceback still holds a view, and the memory goes with it
            self._map.close()


def _views(regions: Mapping[str, tuple[int, Array]], n: int) -> Mapping[str, Array]:
    found = {port: whole[: channels * n].reshape(channels, n) for port, (channels, whole) in regions.items()}
    return MappingProxyType(found)
