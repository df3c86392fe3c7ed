"""Makes `_signatures`: cffi's description of the C types of kernels, parsed once and kept as a module."""

from __future__ import annotations

import tempfile
from pathlib import Path

__all__ = ["MOST", "WITH_POINTERS", "described"]

#: The most arguments a kernel can take.
MOST = 10
#: Kernels that are called with arrays block by block take them as pointers: w int64_t, p void*.
WITH_POINTERS = ("wpwpww", "wpwwwww", "wwpww")
_PLACE = Path(__file__).with_name("_signatures.py")


def described() -> str:
    """Return cffi's code for the types ``words1`` to ``words10`` and those with pointers."""
    import cffi

    ffi = cffi.FFI()
    for n in range(1, MOST + 1):
        ffi.cdef(f"typedef int64_t (*words{n})({', '.join(['int64_t'] * n)});")
    for form in WITH_POINTERS:
        types = ", ".join("void *" if letter == "p" else "int64_t" for letter in form)
        ffi.cdef(f"typedef int64_t (*{form})({types});")
    ffi.set_source("_signatures", None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "_signatures.py"
        ffi.emit_python_code(str(path))
        return path.read_text().partition("\n")[2]


def main() -> None:
    """Write the module anew, below its own heading."""
    heading = _PLACE.read_text().partition("import _cffi_backend")[0]
    _PLACE.write_text(heading + described())


if __name__ == "__main__":
    main()
