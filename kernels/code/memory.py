"""Typed views of addresses, for the bodies of kernels."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import carray, njit, types  # type: ignore[attr-defined]  # carray is missing from its __all__
from numba.extending import intrinsic

from .emitted import STEP_ARGUMENTS

__all__ = ["c64", "call_mask", "call_node", "call_step", "f32", "f64", "i16", "i32", "i64", "inline", "u8"]

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
_u8, _i16 = _pointer_to(_types.uint8), _pointer_to(_types.int16)


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
def u8(address: Any, n: Any) -> Any:
    """Return ``n`` bytes at this address as an array."""
    return carray(_u8(address), (n,))


@inline
def i16(address: Any, n: Any) -> Any:
    """Return ``n`` int16 at this address as an array; it need not be aligned on the CPUs we know."""
    return carray(_i16(address), (n,))


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


@intrinsic
def _call_step(  # noqa: PLR0913, PLR0917 - as many as steps take; intrinsics know no *args
    typingctx: Any, address: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any
) -> Any:
    word = _types.int64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64)] * STEP_ARGUMENTS)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return word(*[word] * (1 + STEP_ARGUMENTS)), codegen


#: ``call_step(address, a, ..., h)``: a kernel of `fft.frames` at this address.
call_step: Any = _call_step


@intrinsic
def _call_mask(typingctx: Any, address: Any, state: Any, spectra: Any, masks: Any, frame: Any) -> Any:
    word = _types.int64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        void, floats = ir.IntType(8).as_pointer(), ir.FloatType().as_pointer()
        kind = ir.FunctionType(ir.IntType(32), [void, floats, floats, ir.IntType(64)])
        pointers = [builder.inttoptr(a, t) for a, t in zip(args[1:4], (void, floats, floats), strict=True)]
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), [*pointers, args[4]])

    return _types.int32(word, word, word, word, word), codegen


#: ``call_mask(address, state, spectra, masks, frame)``: the caller's function at this address.
call_mask: Any = _call_mask
