"""CUDA C++ to machine code of one architecture, by NVRTC; kept on disk, so that few processes compile."""

from __future__ import annotations

import ctypes
import hashlib
import re
from dataclasses import dataclass
from functools import cache

from ..machine.kept import cache_root, read_kept, write_kept
from .errors import CudaError
from .libraries import nvrtc_library

__all__ = ["Report", "architecture_for", "compiled", "cubin"]

_OPTIONS = ("--std=c++17", "--ptxas-options=-v")
_REPORT = re.compile(
    r"entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
    r".*?Used (\d+) registers",
    re.DOTALL,
)


@dataclass(frozen=True)
class Report:
    """What the assembler says of one kernel.

    Attributes:
        kernel: its name.
        registers: 32-bit registers of a thread.
        stack: bytes of a thread's stack.
        spilled: bytes that its registers did not hold.
    """

    kernel: str
    registers: int
    stack: int
    spilled: int


def cubin(source: str, architecture: str) -> bytes:
    """Return machine code, from the cache if it is there.

    Args:
        source: CUDA C++.
        architecture: such as "sm_90".

    Raises:
        CudaError: NVRTC is not installed or does not know the architecture.
    """
    key = hashlib.sha256("\0".join((architecture, *_OPTIONS, source)).encode()).hexdigest()
    path = cache_root() / "unbraid" / "cuda" / f"{architecture}-{key[:32]}.cubin"
    code = read_kept(path)
    if code is None:
        code, _ = compiled(source, architecture)
        write_kept(path, code)
    return code


def compiled(source: str, architecture: str) -> tuple[bytes, list[Report]]:
    """Compile; return machine code and what the assembler reports of each kernel.

    Raises:
        CudaError: NVRTC is not installed or refuses.
    """
    library, program = nvrtc_library(), ctypes.c_void_p()
    _check(library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"frames.cu", 0, None, None))
    try:
        options = [f"--gpu-architecture={architecture}".encode(), *(option.encode() for option in _OPTIONS)]
        failed = library.nvrtcCompileProgram(
            program, len(options), (ctypes.c_char_p * len(options))(*options)
        )
        log = _read(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program).decode()
        if failed:
            raise CudaError(f"NVRTC did not compile for {architecture}: {log.strip(chr(0)) or _name(failed)}")
        code = _read(library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN, program)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))
    found = _REPORT.findall(log)
    return code, [Report(name, int(used), int(stack), int(a) + int(b)) for name, stack, a, b, used in found]


@cache
def architecture_for(major: int, minor: int) -> str:
    """Return the architecture whose code a device of this compute capability runs.

    Raises:
        CudaError: NVRTC is too old or too new for the device.
    """
    library, count = nvrtc_library(), ctypes.c_int()
    _check(library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
    known = (ctypes.c_int * count.value)()
    _check(library.nvrtcGetSupportedArchs(known))
    # A device runs code of its own major version up to its own minor one.
    fitting = [number for number in known if number // 10 == major and number % 10 <= minor]
    if major < 7 or not fitting:
        raise CudaError(
            f"the installed NVRTC knows {min(known)} to {max(known)}, not this device's {major}.{minor}; "
            "install a version of nvidia-cuda-nvrtc that does"
        )
    return f"sm_{max(fitting)}"


def _read(size: object, content: object, program: ctypes.c_void_p) -> bytes:
    length = ctypes.c_size_t()
    _check(size(program, ctypes.byref(length)))  # type: ignore[operator]
    room = ctypes.create_string_buffer(length.value)
    _check(content(program, room))  # type: ignore[operator]
    return room.raw


def _check(code: int) -> None:
    if code:
        raise CudaError(f"NVRTC: {_name(code)}")


def _name(code: int) -> str:
    name = nvrtc_library().nvrtcGetErrorString
    name.restype = ctypes.c_char_p
    return str(name(code).decode())
