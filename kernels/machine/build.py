"""A kernel's Python source to object code: numba lowers and optimises, we keep one function of it.

numba wraps every function for the interpreter; here those wrappers are stripped, and what is left must
not refer to Python or to numba's runtime. So a kernel that allocates, boxes or raises through the
interpreter does not build, rather than doing so in an audio thread.
"""

from __future__ import annotations

import importlib
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types

from .load import target_machine

__all__ = ["RAISED", "build"]

_types: Any = types
_WORD = ir.IntType(64)
#: What a kernel returns when its body raised; kernels must return codes instead.
RAISED = -(1 << 62)
_FOREIGN = ("Py", "_Py", "NRT_", "numba_", "NUMBA_")


def build(source: str, arguments: int, key: dict[str, int], symbol: str) -> bytes:
    """Compile ``module.function`` of `unbraid.kernels.code` for this CPU.

    Args:
        source: module and function. With a key the function is called with it and returns the kernel.
        arguments: how many int64 the kernel takes.
        key: constants built into the code.
        symbol: the name under which the object code offers it.

    Raises:
        RuntimeError: the code needs Python or numba's runtime.
    """
    module, _, name = source.rpartition(".")
    function = getattr(importlib.import_module(f"...code.{module}", __name__), name)
    if key:
        function = function(**key)
    signature = _types.int64(*[_types.int64] * arguments)
    compiled = njit(signature, nogil=True, error_model="numpy")(function).overloads[signature.args]
    native = compiled.fndesc.llvm_func_name
    whole = llvm.parse_assembly(compiled.library.get_llvm_str())
    whole.link_in(llvm.parse_assembly(_entry(whole.triple, native, arguments, symbol)))
    _strip(whole, keep=symbol)
    foreign = [f.name for f in whole.functions if f.is_declaration and f.name.startswith(_FOREIGN)]
    if foreign:
        what = f"{source} {key}" if key else source
        raise RuntimeError(f"kernel {what} needs {', '.join(foreign)}; kernels do not allocate, raise or box")
    return bytes(target_machine().emit_object(whole))


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
    """Remove whatever ``keep`` does not reach, and inline what it alone calls."""
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != keep:
            value.linkage = "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    passes.run(module, llvm.create_pass_builder(target_machine(), options))
