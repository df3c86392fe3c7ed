"""The `fmt ` chunk: how the samples of a WAV file are stored.

Source: Microsoft, WAVEFORMATEX and WAVEFORMATEXTENSIBLE (mmreg.h).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from ....kernels.pcm import ENCODINGS
from ..channels import ChannelOrder, by_count, by_mask

__all__ = ["WaveFormat", "build_format", "parse_format"]

PCM, FLOAT, EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_HEAD = struct.Struct("<HHIIHH")
#: What follows the format tag in the GUIDs of the standard's own formats.
_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_BITS = {"u8": 8, "s16le": 16, "s24le": 24, "s32le": 32, "f32le": 32, "f64le": 64}
_PCM = {1: "u8", 2: "s16le", 3: "s24le", 4: "s32le"}
_FLOAT = {4: "f32le", 8: "f64le"}
MAX_CHANNELS = 1024


@dataclass(frozen=True, slots=True)
class WaveFormat:
    """What a `fmt ` chunk says.

    Attributes:
        encoding: a name of `kernels.pcm.ENCODINGS`; "" for compressed sound, which is not ours.
        rate: Hz.
        channels: how many.
        order: which channel is which.
        fault: why the chunk cannot be true; "" when it can.
    """

    encoding: str
    rate: int
    channels: int
    order: ChannelOrder
    fault: str = ""

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        return ENCODINGS[self.encoding] * self.channels


def parse_format(body: bytes) -> WaveFormat:
    """Return what a chunk's body says, with the reason in ``fault`` when it contradicts itself."""
    if len(body) < _HEAD.size:
        return WaveFormat("", 0, 0, by_count(1), f"its fmt chunk has {len(body)} bytes instead of 16")
    tag, channels, rate, _, align, bits = _HEAD.unpack_from(body)
    mask, extended = 0, len(body) >= 40 and tag == EXTENSIBLE
    if extended:
        mask = int.from_bytes(body[20:24], "little")
        tag = int.from_bytes(body[24:26], "little") if body[26:40] == _TAIL else 0  # 0: nobody's format
    if not 1 <= channels <= MAX_CHANNELS:
        return WaveFormat("", rate, channels, by_count(1), f"its header says {channels} channels")
    order = by_mask(mask, channels) if mask else by_count(channels)
    if tag not in {PCM, FLOAT}:
        return WaveFormat("", rate, channels, order)
    if rate == 0:
        return WaveFormat("", rate, channels, order, "its header says a rate of 0 Hz")
    container, odd = divmod(align, channels)
    # A sample fills as many bytes as its bits need. More would be read as other sound: as half the channels.
    encoding = (_PCM if tag == PCM else _FLOAT).get(container, "")
    if odd or not encoding or -(-bits // 8) != container:
        text = f"its header contradicts itself: {bits} bits, {channels} channels, {align} bytes a sample"
        return WaveFormat("", rate, channels, order, text)
    return WaveFormat(encoding, rate, channels, order)


def build_format(
    encoding: str, rate: int, order: ChannelOrder, form: Literal["extensible", "plain"] = "extensible"
) -> bytes:
    """Return a chunk's body: extensible with a mask beyond two channels, else plain, which all can read.

    "plain" makes every chunk so, whatever the channels.
    """
    channels = order.layout.channels
    tag = FLOAT if encoding.startswith("f") else PCM
    align = ENCODINGS[encoding] * channels
    bits = _BITS[encoding]
    plain = form == "plain" or (channels <= 2 and order.layout.name in {"mono", "stereo"})
    second = min(rate * align, 0xFFFFFFFF)
    head = _HEAD.pack(tag if plain else EXTENSIBLE, channels, rate, second, align, bits)
    if plain:
        return head if tag == PCM else head + b"\0\0"
    return head + struct.pack("<HHIH", 22, bits, order.mask, tag) + _TAIL
