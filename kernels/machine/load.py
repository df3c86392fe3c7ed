"""Object code into this process, by llvmlite's MCJIT; numba is not needed for it."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import llvmlite.binding as llvm

__all__ = ["cpu", "link", "target_machine", "vector_width"]

_LOCK = threading.Lock()
_KEPT: list[Any] = []  # what the engine links to must live as long as the process


def cpu() -> tuple[str, str]:
    """Return name and features of the CPU, as LLVM knows them."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def vector_width() -> int:
    """Return how many float32 the CPU's vectors hold: 16, 8 or 4."""
    _, features = cpu()
    found = set(features.split(","))
    return 16 if "+avx512f" in found else 8 if "+avx2" in found else 4


def target_machine() -> Any:
    """Return LLVM's code generator for this CPU."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name, features = cpu()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=features, opt=3, jit=True)


@cache
def _engine() -> Any:
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())


def link(code: bytes, symbol: str) -> int:
    """Return the address of ``symbol`` in this object code, or 0 if it has none of that name.

    The address stays valid to the end of the process.
    """
    with _LOCK:
        engine = _engine()
        held = llvm.object_file.ObjectFileRef.from_data(code)
        _KEPT.append(held)
        engine.add_object_file(held)
        engine.finalize_object()
        return int(engine.get_function_address(symbol))
