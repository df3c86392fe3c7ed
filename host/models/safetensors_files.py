"""Safetensors: a length, a JSON header, bytes. Nothing in it can run.

The header is read here first, so that a file that is cut short or lies about itself gives one clear line,
and so that bfloat16, which NumPy does not know, can be widened.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import CheckpointError
from .settled import whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["read_header", "read_safetensors", "save_tensors"]

#: The format's own bound for the header.
_MOST_HEADER = 100_000_000
_WIDTHS = {
    **dict.fromkeys(("BOOL", "I8", "U8"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 8),
}
_CUT = "it was cut short, or is no safetensors file; fetch or copy it again"


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class Header(msgspec.Struct, frozen=True):
    """What a file says it holds: tensors by name, texts by name, and where the bytes begin."""

    tensors: dict[str, _Entry]
    texts: dict[str, str]
    begin: int


def read_header(path: Path) -> Header:
    """Read and check a file's header.

    Raises:
        CheckpointError: the file is cut short, or the header is not one.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_MOST_HEADER, size - 8):
            raise CheckpointError(
                f"{path}: its header would be {length} bytes long, the file has {size}: {_CUT}"
            )
        text = file.read(length)
    try:
        raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        texts = msgspec.json.decode(raw.pop("__metadata__", msgspec.Raw(b"{}")), type=dict[str, str])
        tensors = {name: msgspec.json.decode(entry, type=_Entry) for name, entry in raw.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointError(f"{path}: its header is no safetensors header: {error}") from None
    header = Header(tensors, texts, 8 + length)
    _check(header, path, size)
    return header


def _check(header: Header, path: Path, size: int) -> None:
    """Hold every tensor's place against its shape, and the last one's end against the file's."""
    end = 0
    for name, entry in sorted(header.tensors.items(), key=lambda item: item[1].data_offsets):
        width = _WIDTHS.get(entry.dtype)
        if width is None:
            raise CheckpointError(
                f"{path}: {name!r:.80} is of type {entry.dtype!r:.20}, which is not supported"
            )
        begin, stop = entry.data_offsets
        if begin != end or any(side < 0 for side in entry.shape) or stop - begin != prod(entry.shape) * width:
            raise CheckpointError(f"{path}: the place of {name!r:.80} does not fit its shape {entry.shape}")
        end = stop
    if header.begin + end != size:
        raise CheckpointError(f"{path}: its tensors end at byte {header.begin + end} of {size}: {_CUT}")


def read_safetensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return all tensors; see `load_tensors`.

    Raises:
        CheckpointError: as `read_header`, or the library refuses the file.
        OSError: it cannot be read.
    """
    import numpy as np
    from safetensors import SafetensorError, safe_open

    header = read_header(path)
    found: dict[str, npt.NDArray[Any]] = {}
    try:
        with safe_open(str(path), framework="numpy") as file, path.open("rb") as raw:
            for name, entry in header.tensors.items():
                if entry.dtype != "BF16":
                    found[name] = file.get_tensor(name)
                    continue
                raw.seek(header.begin + entry.data_offsets[0])
                bits = np.frombuffer(raw.read(2 * prod(entry.shape)), "<u2").astype("<u4") << np.uint32(16)
                found[name] = bits.view(np.float32).reshape(entry.shape)
    except (SafetensorError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {' '.join(str(error).split())}") from None
    return found


def save_tensors(
    path: Path, tensors: Mapping[str, npt.NDArray[Any]], texts: Mapping[str, str] | None = None
) -> None:
    """Write tensors as a safetensors file, which appears under its name only when it is whole.

    Args:
        path: the file; one that exists is replaced.
        tensors: by name.
        texts: kept in the header.

    Raises:
        ModelError: the disk does not take it.
    """
    import numpy as np
    from safetensors.numpy import save

    native = {name: np.ascontiguousarray(value).reshape(value.shape) for name, value in tensors.items()}
    with whole_file(path) as partial:
        # The library's own writing hides a full disk, and makes files that only their owner can read.
        partial.write_bytes(save(native, metadata=dict(texts or {})))
