"""Calling compiled nodes: one C signature, called by address from one loop outside the interpreter.

``int32 f(void* state, const float* const* in, float* const* out, int64 n)``

A call through an address costs about 5 ns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .machine import Kernel, address_of, row_addresses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    Blocks = Sequence[npt.NDArray[np.float32]]

__all__ = ["CompiledCallError", "Program", "call_once", "node_signature"]

_run = Kernel("program.run", 3)


class _Compiled(Protocol):
    @property
    def address(self) -> int: ...
    @property
    def state(self) -> int: ...


class CompiledCallError(RuntimeError):
    """A compiled node returned non-zero. ``row`` is its place in the program, ``code`` what it returned."""

    def __init__(self, row: int, code: int) -> None:
        self.row, self.code = row, code
        super().__init__(f"compiled node returned {code}")


def node_signature() -> object:
    """Return numba's type of a compiled node, for ``@cfunc(node_signature(), cache=True)``; imports numba."""
    from numba import types as untyped

    types: Any = untyped
    channels = types.CPointer(types.CPointer(types.float32))
    return types.int32(types.voidptr, channels, channels, types.int64)


class Program:
    """Compiled nodes in a row, each bound to its blocks.

    The table has a row of four int64 for every node: its address, its state, and the addresses of its
    tables of channel pointers. The blocks must not move while the program is in use.

    Args:
        calls: for every node what to call (``address`` and ``state``), its input and its output blocks,
            float32 ``[channels, n]``.
    """

    def __init__(self, calls: Iterable[tuple[_Compiled, Blocks, Blocks]]) -> None:
        rows = []
        self._pointers = []
        for compiled, ins, outs in calls:
            sources, sinks = row_addresses(ins), row_addresses(outs)
            self._pointers += [sources, sinks]
            rows.append([compiled.address, compiled.state, address_of(sources), address_of(sinks)])
        self._table = np.array(rows, np.int64)
        self._address, self._rows, self._call = address_of(self._table), len(rows), _run.function

    def __len__(self) -> int:
        return self._rows

    def run(self, n: int) -> None:
        """Call every node in order for ``n`` samples.

        Raises:
            CompiledCallError: a node returned non-zero; those after it did not run.
        """
        failed = self._call(self._address, self._rows, n)
        if failed >= 0:
            code = failed & 0xFFFFFFFF
            raise CompiledCallError(failed >> 32, code - (1 << 32) if code >= 1 << 31 else code)


def call_once(compiled: _Compiled, ins: Blocks, outs: Blocks) -> None:
    """Call one compiled node on these blocks.

    Raises:
        CompiledCallError: it returned non-zero.
    """
    Program([(compiled, ins, outs)]).run((*ins, *outs)[0].shape[1])
