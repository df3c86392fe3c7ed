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
#: The format's types as NumPy has them; bfloat16, which it has not, as the bits.
_TYPES = {
    "BOOL": "|b1", "I8": "|i1", "U8": "|u1", "I16": "<i2", "U16": "<u2", "F16": "<f2", "BF16": "<u2",
    "I32": "<i4", "U32": "<u4", "F32": "<f4", "I64": "<i8", "U64": "<u8", "F64": "<f8", "C64": "<c8",
}  # fmt: skip
_WIDTHS = {kind: int(name[2:]) for kind, name in _TYPES.items()}
_KINDS = {name[1:]: kind for kind, name in _TYPES.items() if kind != "BF16"}
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
        CheckpointError: as `read_header`.
        OSError: it cannot be read.
    """
    import numpy as np

    header = read_header(path)
    found: dict[str, npt.NDArray[Any]] = {}
    # Read, not mapped: a mapped file counts as memory once more.
    with path.open("rb") as file:
        for name, entry in header.tensors.items():
            file.seek(header.begin + entry.data_offsets[0])
            values = np.fromfile(file, _TYPES[entry.dtype], prod(entry.shape))
            if values.size < prod(entry.shape):  # it became shorter since its header was read
                raise CheckpointError(f"{path}: {name!r:.80} ends too early: {_CUT}")
            if entry.dtype == "BF16":
                values = (values.astype("<u4") << np.uint32(16)).view("<f4")
            found[name] = values.astype(values.dtype.newbyteorder("="), copy=False).reshape(entry.shape)
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
        CheckpointError: a tensor is of a type that the format does not have.
        ModelError: the disk does not take it.
    """
    import numpy as np

    # Wide numbers first, so that all of them lie where they can be mapped.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))
    header: dict[str, Any] = {"__metadata__": dict(texts)} if texts else {}
    end = 0
    for name, value in ordered:
        kind = _KINDS.get(value.dtype.newbyteorder("=").str[1:])
        if kind is None:
            raise CheckpointError(f"{path}: {name!r:.80} is of type {value.dtype}, which is not supported")
        header[name] = {"dtype": kind, "shape": value.shape, "data_offsets": (end, end + value.nbytes)}
        end += value.nbytes
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % 8)
    with whole_file(path) as partial, partial.open("wb") as file:
        # The library's own writing holds all of it twice, and hides a full disk.
        file.write(len(text).to_bytes(8, "little") + text)
        for _, value in ordered:
            plain = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(-1)
            file.write(plain.view(np.uint8).data)
