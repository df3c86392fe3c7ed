"""Calling compiled nodes: one C signature, called by address from one nogil loop.

``int32 f(void* state, const float* const* in, float* const* out, int64 n)``

A program is an int64 table with one row a node: address, state, address of its table of input
channel pointers, address of its table of output channel pointers. A call through an address in
cached njit code costs about 5 ns and hits numba's disk cache in later processes; closures would not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = [
    "NODE",
    "CompiledCallError",
    "call_once",
    "channel_pointers",
    "pointer_f32",
    "pointer_f64",
    "run_program",
]

# numba's own annotations stop at its decorators; inside, its objects are Any.
_types: Any = types
_channels = _types.CPointer(_types.CPointer(_types.float32))

#: numba signature of a compiled node: ``@cfunc(NODE, cache=True)``.
NODE = _types.int32(_types.voidptr, _channels, _channels, _types.int64)


class _Compiled(Protocol):
    @property
    def address(self) -> int: ...
    @property
    def state(self) -> int: ...


class CompiledCallError(RuntimeError):
    """A compiled node returned non-zero. ``row`` is its row in the program, ``code`` what it returned."""

    def __init__(self, row: int, code: int) -> None:
        self.row, self.code = row, code
        super().__init__(f"compiled node returned {code}")


def _pointer_to(element: Any) -> Any:
    @intrinsic
    def pointer(typingctx: Any, address: Any) -> Any:
        signature = _types.CPointer(element)(_types.int64)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return signature, codegen

    return pointer


pointer_f32 = _pointer_to(_types.float32)
pointer_f64 = _pointer_to(_types.float64)


@intrinsic
def _intrinsic_call(typingctx: Any, address: Any, state: Any, ins: Any, outs: Any, n: Any) -> Any:
    word = _types.int64
    signature = _types.int32(word, word, word, word, word)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        void = ir.IntType(8).as_pointer()
        channels = ir.FloatType().as_pointer().as_pointer()
        function = ir.FunctionType(ir.IntType(32), [void, channels, channels, ir.IntType(64)])
        pointer = builder.inttoptr(args[0], function.as_pointer())
        pointers = [builder.inttoptr(args[i], kind) for i, kind in ((1, void), (2, channels), (3, channels))]
        return builder.call(pointer, [*pointers, args[4]])

    return signature, codegen


_call: Any = _intrinsic_call


@njit(_types.int64(_types.int64[:, ::1], _types.int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _run(program: Any, n: Any) -> Any:
    for row in range(program.shape[0]):
        code = _call(program[row, 0], program[row, 1], program[row, 2], program[row, 3], n)
        if code != 0:
            return (np.int64(row) << 32) | (np.int64(code) & 0xFFFFFFFF)
    return -1


def run_program(program: npt.NDArray[np.int64], n: int) -> None:
    """Run every row of ``program [rows, 4]`` for ``n`` samples.

    Raises:
        CompiledCallError: a node returned non-zero; the rows after it did not run.
    """
    failed = int(_run(program, n))
    if failed >= 0:
        code = failed & 0xFFFFFFFF
        raise CompiledCallError(failed >> 32, code - (1 << 32) if code >= 1 << 31 else code)


def channel_pointers(blocks: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.int64]:
    """Return the address of every channel of every ``[channels, n]`` block, in order."""
    rows = [block.ctypes.data + np.arange(block.shape[0]) * block.strides[0] for block in blocks]
    return np.concatenate(rows, dtype=np.int64) if rows else np.empty(0, np.int64)


def call_once(
    compiled: _Compiled,
    ins: Sequence[npt.NDArray[np.float32]],
    outs: Sequence[npt.NDArray[np.float32]],
) -> None:
    """Call one compiled node (``address`` and ``state``) on these blocks.

    Raises:
        CompiledCallError: it returned non-zero.
    """
    sources, sinks = channel_pointers(ins), channel_pointers(outs)
    row = [compiled.address, compiled.state, sources.ctypes.data, sinks.ctypes.data]
    n = (*ins, *outs)[0].shape[1]
    run_program(np.array([row], np.int64), n)
