"""Chunks: sizes that are true, padding, and that all are there (ITU-R BS.2088-1; EBU Tech 3306)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..container import Container
    from ..finding import Finding

__all__ = ["chunks"]

_NEEDED = {b"fmt ": "the format", b"data": "the sound", b"chna": "which track is which", b"axml": "the ADM"}
_REMEDY = "export the file again"


def chunks(container: Container) -> Iterator[Finding]:
    """Yield what is wrong with the file before anything in it is understood."""
    form = container.form
    if unpadded := list(_padding(container)):
        yield from unpadded
        return  # what follows was read at wrong places
    for each in container.chunks:
        if each.start + each.size > container.size:
            missing = each.start + each.size - container.size
            yield error("chunk-size", _name(each.name), f"{missing} bytes of it are missing", _REMEDY)
    if form != "RIFF":
        yield from _long_sizes(container)
    if container.declared is not None and container.declared + 8 != container.size:
        what = f"says {container.declared + 8} bytes, but the file has {container.size}"
        yield error("file-size", f"the {form} head", what, _REMEDY)
    for name, what in _NEEDED.items():
        count = sum(each.name == name for each in container.chunks)
        if count == 0:
            yield error("chunk-missing", form, f"has no chunk {_name(name)}, which holds {what}", _REMEDY)
        elif count > 1:
            yield error("chunk-twice", _name(name), f"stands {count} times in the file", "leave one")


def _name(name: bytes) -> str:
    return name.decode("latin-1").strip()


def _padding(container: Container) -> Iterator[Finding]:
    """Yield the first chunk of odd size behind which no zero byte stands."""
    odd = [each for each in container.chunks if each.size % 2 and each.start + each.size <= container.size]
    with container.path.open("rb") as file:
        for each in odd:
            file.seek(each.start + each.size)
            if file.read(1) != b"\0":
                what = f"has an odd size, {each.size}, and no zero byte behind it"
                yield error("chunk-padding", _name(each.name), what, "write a zero byte after it")
                return


def _long_sizes(container: Container) -> Iterator[Finding]:
    """Yield what is wrong with sizes of 64 bits."""
    first = container.chunks[0].name if container.chunks else b""
    if container.ds64 is None:
        yield error("ds64", container.form, "has no ds64 chunk, so nothing says its sizes", _REMEDY)
        return
    if first != b"ds64":
        yield error("ds64", "ds64", "is not the first chunk", "put it first")
    sound = container.find(b"data")
    if sound is not None and sound.size != container.ds64.data:
        what = f"says {container.ds64.data} bytes of sound, but the data chunk has {sound.size}"
        yield error("ds64", "ds64", what, _REMEDY)
    frame = 0 if container.format is None or not container.format.encoding else container.format.frame
    counted = container.ds64.samples
    if frame and sound is not None and counted not in {0, sound.size // frame}:
        what = f"counts {counted} samples, but the sound has {sound.size // frame}"
        yield warning("ds64", "ds64", what, "write the true number, or 0")
