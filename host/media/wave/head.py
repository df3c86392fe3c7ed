"""The head of a WAV, RF64 or BW64 file that is being written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ....kernels.pcm import ENCODINGS
from .carried_chunks import chunks_of
from .format import build_format
from .info_list import build_info
from .riff import UNSAID, chunk, ds64_body, file_head

if TYPE_CHECKING:
    from ..channels import ChannelOrder
    from ..metadata import Metadata

__all__ = ["RIFF_LIMIT", "WaveHead"]

#: Files longer than this get 64-bit sizes; with room for tags that are known only at the end.
RIFF_LIMIT = (1 << 32) - (1 << 20)
_DS64_BYTES = 36


@dataclass(frozen=True)
class WaveHead:
    """Everything before the sound, of a length that does not depend on the sound's.

    Attributes:
        form: "wav" for RIFF that becomes RF64 (or BW64, when there is ADM metadata) beyond 4 GiB; "rf64" or
            "bw64" for these at any size.
        encoding: a name of `kernels.pcm.ENCODINGS`.
        rate: Hz.
        order: which channel is which.
        length: samples per channel; None when the end tells.
        metadata: what goes in front of the sound; tags only with ``tags_first``.
        tags_first: put the tags in front too: what is behind the sound is lost on a pipe.
        format_tag: "extensible" tells more than two channels as WAVE wants; "plain" is PCM and nothing else,
            as BS.2088 has it.
    """

    form: str
    encoding: str
    rate: int
    order: ChannelOrder
    length: int | None
    metadata: Metadata
    tags_first: bool = False
    format_tag: Literal["extensible", "plain"] = "extensible"

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        return ENCODINGS[self.encoding] * self.order.layout.channels

    def _middle(self) -> bytes:
        """Return the chunks between the sizes and the sound."""
        parts = [chunk(name, body) for name, body in chunks_of(self.metadata)]
        # Broadcast WAV has bext before fmt, and readers that know no more than RIFF want fmt early.
        first = 1 if parts and self.metadata.bext is not None else 0
        parts.insert(
            first, chunk(b"fmt ", build_format(self.encoding, self.rate, self.order, self.format_tag))
        )
        if self.tags_first:
            parts.append(build_info(self.metadata.tags))
        return b"".join(parts)

    def _has_place(self, middle: int) -> bool:
        """Return whether 64-bit sizes have, or may yet need, a place in front."""
        if self.form != "wav" or self.length is None:
            return True
        behind = 0 if self.tags_first else len(build_info(self.metadata.tags))
        return 12 + middle + 8 + self.length * self.frame + behind > RIFF_LIMIT

    def bytes(self, samples: int | None, behind: int = 0) -> bytes:
        """Return the head of a file that holds so many samples.

        Args:
            samples: per channel; None for a sound of unknown length on a pipe.
            behind: bytes of chunks after the sound and its padding.
        """
        middle = self._middle()
        place = self._has_place(len(middle))
        size = UNSAID if samples is None else samples * self.frame
        whole = 4 + _DS64_BYTES * place + len(middle) + 8 + size + size % 2 + behind
        if self.form != "wav":
            magic = self.form.upper().encode()
        elif samples is None or whole + 8 <= RIFF_LIMIT or not place:
            magic = b"RIFF"
        else:
            magic = b"BW64" if self.metadata.axml is not None or self.metadata.chna is not None else b"RF64"
        if samples is None:
            sizes = chunk(b"ds64" if magic != b"RIFF" else b"JUNK", bytes(28))
            return file_head(magic, UNSAID) + sizes + middle + b"data" + UNSAID.to_bytes(4, "little")
        sizes = b""
        if place:
            long = magic != b"RIFF"
            sizes = chunk(
                b"ds64" if long else b"JUNK", ds64_body(whole, size, samples) if long else bytes(28)
            )
        short = size if magic == b"RIFF" else UNSAID
        return file_head(magic, whole) + sizes + middle + b"data" + short.to_bytes(4, "little")
