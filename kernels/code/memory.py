"""Typed views of addresses, for the bodies of kernels."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import carray, njit, types  # type: ignore[attr-defined]  # carray is missing from its __all__
from numba.extending import intrinsic

__all__ = ["c64", "call_node", "f32", "f64", "i32", "i64", "inline"]

_types: Any = types


def inline(function: Any) -> Any:
    """Compile a helper that kernels call; LLVM inlines it where that pays."""
    return njit(nogil=True, error_model="numpy")(function)


def _pointer_to(element: Any) -> Any:
    @intrinsic
    def pointer(typingctx: Any, address: Any) -> Any:
        signature = _types.CPointer(element)(_types.int64)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return signature, codegen

    return pointer


_f32, _f64, _c64 = (_pointer_to(t) for t in (_types.float32, _types.float64, _types.complex64))
_i32, _i64 = _pointer_to(_types.int32), _pointer_to(_types.int64)


@inline
def f32(address: Any, n: Any) -> Any:
    """Return ``n`` float32 at this address as an array."""
    return carray(_f32(address), (n,))


@inline
def f64(address: Any, n: Any) -> Any:
    """Return ``n`` float64 at this address as an array."""
    return carray(_f64(address), (n,))


@inline
def c64(address: Any, n: Any) -> Any:
    """Return ``n`` complex64 at this address as an array."""
    return carray(_c64(address), (n,))


@inline
def i32(address: Any, n: Any) -> Any:
    """Return ``n`` int32 at this address as an array."""
    return carray(_i32(address), (n,))


@inline
def i64(address: Any, n: Any) -> Any:
    """Return ``n`` int64 at this address as an array."""
    return carray(_i64(address), (n,))


@intrinsic
def _call_node(typingctx: Any, address: Any, state: Any, ins: Any, outs: Any, n: Any) -> Any:
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


#: ``call_node(address, state, ins, outs, n)``: the compiled node at this address, see `kernels.program`.
call_node: Any = _call_node
