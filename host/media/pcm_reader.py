"""Planar float32 blocks from interleaved PCM bytes: the body of WAV files, raw pipes and decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...kernels.pcm import ENCODINGS, decode
from ..contract.errors import MediaError
from .metadata import Metadata
from .whole import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..contract.processor import Array
    from .channels import ChannelOrder

__all__ = ["ByteSource", "PcmReader", "partial_sample"]

#: The sample format of an output that keeps what these samples hold.
SUBTYPES = {
    "u8": "PCM_16",
    "s16le": "PCM_16",
    "s24le": "PCM_24",
    "s32le": "PCM_32",
    "f32le": "FLOAT",
    "f64le": "FLOAT",
}
_PIECE = 1 << 18


class ByteSource(Protocol):
    """Bytes one after the other."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer from the next bytes; return how many came, 0 only at the end."""
        ...

    def close(self) -> None:
        """Give back what is held open."""


def partial_sample(name: str, left: int) -> str:
    """Return the line about a sample of which only a part came."""
    return f"{name}: ends in the middle of a sample; its {left} bytes are left out"


class PcmReader:
    """Interleaved PCM bytes as a source of planar float32 blocks.

    Args:
        name: for error texts.
        data: stands at the first sample.
        encoding: a name of `kernels.pcm.ENCODINGS`.
        rate: Hz.
        order: which channel is which.
        length: samples per channel that must be there; None when only the end of the bytes tells.
        subtype: of outputs that keep these samples; by default by the encoding.
        form: the container's name, for reports.
        metadata: what the file says beside its samples.
        warnings: lines for the report.
        salvage: take fewer samples than ``length`` for the whole sound, with a warning.
        live: the bytes come from a program that may still be at work.

    Attributes:
        layout: of the blocks.
        length: samples per channel; None when that is not known before the end.
        salvaged: samples declared and samples found, when fewer were found and taken.
        at_end: called once all declared samples have been read.
    """

    def __init__(  # noqa: PLR0913 - what a file is takes many words
        self,
        name: str,
        data: ByteSource,
        *,
        encoding: str,
        rate: int,
        order: ChannelOrder,
        length: int | None,
        subtype: str | None = None,
        form: str = "raw",
        metadata: Metadata | None = None,
        warnings: Iterable[str] = (),
        salvage: bool = False,
        live: bool = False,
    ) -> None:
        self.name, self.rate, self.form, self.encoding = name, rate, form, encoding
        self.layout, self._take = order.layout, order.take
        self.subtype = subtype or SUBTYPES[encoding]
        self.metadata = metadata or Metadata()
        self.warnings = list(warnings)
        self.salvaged: tuple[int | None, int] | None = None
        self.declared, self.live = length, live
        self.at_end: Callable[[], None] | None = None
        self.length = None if salvage else length
        self._data, self._salvage = data, salvage
        self._frame = ENCODINGS[encoding] * self.layout.channels
        self._done = 0
        self._ended = False
        self._raw = np.empty(0, np.uint8)
        self._left = 0  # bytes of a sample whose rest has not come yet

    def read(self, out: Array) -> int:
        """Fill ``out [channels, n]`` with the next samples; return how many, fewer than n only at the end.

        Raises:
            MediaError: the sound ends before the length it declares.
        """
        wanted = out.shape[1]
        if self.declared is not None:
            wanted = min(wanted, self.declared - self._done)
        done = 0
        most = max(1, _PIECE // self._frame)
        while done < wanted and not self._ended:
            count = self._samples(min(wanted - done, most))
            self._decode(out[:, done : done + count], count)
            done += count
        self._done += done
        if self._ended:
            self._at_end()
        elif self._done == self.declared and self.at_end is not None:
            self.at_end()
            self.at_end = None
        return done

    def _samples(self, wanted: int) -> int:
        """Read bytes until ``wanted`` samples are whole, or the end; return how many are."""
        size = wanted * self._frame
        if len(self._raw) < size:
            self._raw = np.empty(size, np.uint8)
        view = self._raw.data
        held = 0
        while held < size:
            came = self._data.readinto(view[held:size])
            if not came:
                self._ended = True
                break
            held += came
        self._left = held % self._frame
        return held // self._frame

    def _decode(self, out: Array, count: int) -> None:
        if self._take is None:
            decode(self._raw, self.encoding, out)
            return
        block = np.empty((len(self._take), count), np.float32)
        decode(self._raw, self.encoding, block)
        np.take(block, self._take, axis=0, out=out)

    def _at_end(self) -> None:
        """Say what is missing, or left over, once no more bytes come."""
        if self._left:
            self.warnings.append(partial_sample(self.name, self._left))
            self._left = 0
        if self.declared is None or self._done >= self.declared or self.salvaged is not None:
            return
        # A pipe that was told to stop is not cut short: it was asked to be.
        if not self._salvage and not getattr(self._data, "stopped", False):
            raise MediaError(f"{self.name}: {shortened(self.declared, self._done)}")
        self.salvaged = (self.declared, self._done)

    def close(self) -> None:
        """Close what is read from."""
        self._data.close()
