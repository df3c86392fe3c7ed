"""From a kernel's source to the address of machine code: compiled once, kept on disk, loaded in milliseconds.

numba compiles; what is kept is the object code alone, so a process that finds all its kernels in the
cache loads them through llvmlite and never imports numba.
"""

from __future__ import annotations

from .cache import cache_folder, sources_hash
from .kernel import CompileReport, Kernel, compilations, fixed_kernels
from .memory import address_of, aligned, pointer_to, row_addresses

__all__ = [
    "CompileReport",
    "Kernel",
    "address_of",
    "aligned",
    "cache_folder",
    "compilations",
    "fixed_kernels",
    "pointer_to",
    "row_addresses",
    "sources_hash",
]
