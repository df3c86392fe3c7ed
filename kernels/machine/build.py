"""A kernel's source to object code: numba or our own emitters make LLVM code, we keep one function of it.

numba wraps every function for the interpreter; here those wrappers are stripped, and what is left must
not refer to Python or to numba's runtime. So a kernel that allocates, boxes or raises through the
interpreter does not build, rather than doing so in an audio thread.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from .load import target_machine

__all__ = ["RAISED", "build"]

_WORD = ir.IntType(64)
#: What a kernel returns when its body raised; kernels must return codes instead.
RAISED = -(1 << 62)
#: What every process has: C's functions for memory and, for float64 and float32, its mathematics.
_STANDARD = re.compile(
    r"mem(cpy|move|set)"
    r"|(a?(sin|cos|tan)h?|atan2|cbrt|ceil|copysign|erfc?|exp|exp2|expm1|fabs|floor|fma|fmax|fmin|fmod|hypot"
    r"|lgamma|log|log10|log1p|log2|nearbyint|pow|remainder|rint|round|sqrt|tgamma|trunc)f?"
)


def build(source: str, arguments: int, key: dict[str, int], symbol: str) -> bytes:
    """Compile ``module.function`` of `unbraid.kernels.code` for this CPU.

    Args:
        source: module and function. With a key the function is called with it and returns the kernel.
        arguments: how many int64 the kernel takes.
        key: constants built into the code.
        symbol: the name under which the object code offers it.

    Raises:
        RuntimeError: the code needs Python, numba's runtime or anything else that a process may lack; or it
            must be compiled by numba and NUMBA_DISABLE_JIT forbids that.
    """
    from ..code.emitted import Emitted

    module, _, name = source.rpartition(".")
    kernel = getattr(importlib.import_module(f"...code.{module}", __name__), name)
    if key:
        kernel = kernel(**key)
    if isinstance(kernel, Emitted):
        whole = _emitted(kernel, arguments, symbol)
    else:
        whole = _lowered(kernel, arguments, symbol)
    foreign = _foreign(whole)
    if foreign:
        what = f"{source} {key}" if key else source
        raise RuntimeError(f"kernel {what} needs {', '.join(foreign)}; kernels do not allocate, raise or box")
    return bytes(target_machine().emit_object(whole))


def _foreign(module: Any) -> list[str]:
    """Names that the code refers to beyond LLVM's intrinsics and C's standard functions."""
    values = (*module.functions, *module.global_variables)
    names = [value.name for value in values if value.is_declaration]
    return [name for name in names if not name.startswith("llvm.") and not _STANDARD.fullmatch(name)]


def _emitted(kernel: Any, arguments: int, symbol: str) -> Any:
    """Return an optimised module with the function that the kernel's emitter writes."""
    module = ir.Module("emitted")
    module.triple = llvm.get_default_triple()
    function = ir.Function(module, ir.FunctionType(_WORD, [_WORD] * arguments), symbol)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    kernel.emit(builder, *function.args)
    builder.ret(_WORD(0))
    whole = llvm.parse_assembly(str(module))
    machine = target_machine()
    # What is written is vectors already, unrolled where it pays.
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(whole, passes)
    return whole


def _lowered(kernel: Any, arguments: int, symbol: str) -> Any:
    """Return a module with numba's code for a Python function, and nothing beside it."""
    from numba import config as settings
    from numba import njit
    from numba import types as untyped

    types: Any = untyped
    config: Any = settings
    if config.DISABLE_JIT:
        raise RuntimeError(f"{symbol} is not compiled yet, and NUMBA_DISABLE_JIT forbids it: unset that once")
    signature = types.int64(*[types.int64] * arguments)
    compiled = njit(signature, nogil=True, error_model="numpy")(kernel).overloads[signature.args]
    native = compiled.fndesc.llvm_func_name
    whole = llvm.parse_assembly(compiled.library.get_llvm_str())
    whole.link_in(llvm.parse_assembly(_entry(whole.triple, native, arguments, symbol)))
    _strip(whole, keep=symbol)
    return whole


def _entry(triple: str, native: str, arguments: int, symbol: str) -> str:
    """A C function around numba's own calling convention ``(result*, error**, arguments...) -> status``."""
    module = ir.Module("entry")
    module.triple = triple
    pointer = ir.IntType(8).as_pointer()
    inner_type = ir.FunctionType(
        ir.IntType(32), [_WORD.as_pointer(), pointer.as_pointer(), *[_WORD] * arguments]
    )
    inner = ir.Function(module, inner_type, native)
    outer = ir.Function(module, ir.FunctionType(_WORD, [_WORD] * arguments), symbol)
    builder = ir.IRBuilder(outer.append_basic_block())
    result, error = builder.alloca(_WORD), builder.alloca(pointer)
    status = builder.call(inner, [result, error, *outer.args])
    failed = builder.icmp_signed("!=", status, ir.IntType(32)(0))
    builder.ret(builder.select(failed, _WORD(RAISED), builder.load(result)))
    return str(module)


def _strip(module: Any, keep: str) -> None:
    """Remove whatever ``keep`` does not reach."""
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != keep:
            value.linkage = "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    passes.run(module, llvm.create_pass_builder(target_machine(), options))
