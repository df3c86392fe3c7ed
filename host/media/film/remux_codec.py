"""How a container holds a new sound: without loss where it can, and said aloud where it can't."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...contract.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from .container import AudioTrack

__all__ = ["Coding", "coding_for"]

#: The bits that a codec keeps; 33 stands for float32.
_KEEPS = {"pcm_s16le": 16, "pcm_s24le": 24, "pcm_s32le": 32, "pcm_f32le": 33, "pcm_f64le": 64}
_KEEPS |= {"flac": 24, "alac": 24, "copy": 64, "pcm_s16be": 16, "pcm_s24be": 24, "pcm_s32be": 32}
_NEEDS = {"u8": 8, "s16le": 16, "s24le": 24, "s32le": 32, "f32le": 33, "f64le": 64}
_PCM = {"u8": "pcm_s16le", "s16le": "pcm_s16le", "s24le": "pcm_s24le", "s32le": "pcm_s32le"}
_PCM |= {"f32le": "pcm_f32le", "f64le": "pcm_f64le"}
_NAME = re.compile(r"[a-z0-9_]+")
#: Kilobits a second for each channel of AAC: beyond what listening tests can tell from the original.
_AAC_RATE = 128


@dataclass(frozen=True, slots=True)
class Coding:
    """How the new track is written.

    Attributes:
        codec: ffmpeg's name of the encoder.
        lossless: it keeps the sound's samples.
        options: of the encoder.
        remark: for the report; "" when all is well.
    """

    codec: str
    lossless: bool
    options: tuple[tuple[str, str], ...] = ()
    remark: str = ""


def coding_for(output: Path, muxer: str, sound: AudioTrack, codec: str | None) -> Coding:
    """Return how a container holds a sound.

    Args:
        output: for error texts.
        muxer: ``mov``, ``mp4``, ``matroska`` or ``mxf``.
        sound: the new track.
        codec: the one asked for; None for the best.

    Raises:
        MediaError: the codec's name is none.
    """
    chosen = _default(muxer, sound) if codec is None else codec
    if not _NAME.fullmatch(chosen):
        raise MediaError(f"{output}: codec {chosen!r} is none; see ffmpeg -encoders for names")
    keeps, needs = _KEEPS.get(chosen, 0), _NEEDS[sound.encoding]
    # 24 bits in float32 are exact, but float32 doesn't fit into integers.
    lossless = keeps >= needs
    options = [("sample_fmt", _FLAC[sound.encoding])] if chosen == "flac" and sound.encoding in _FLAC else []
    remark = ""
    if chosen == "aac":
        options = [("b", f"{_AAC_RATE * sound.channels}k")]
        if sound.layout == "5.1(side)":
            # The same loudspeakers under the name that AAC has a number for; no sample changes.
            options += [("filter", "channelmap=map=0|1|2|3|4|5:channel_layout=5.1")]
    if not lossless:
        kind = "rounds the sound" if keeps else "is lossy"
        remark = f"{chosen} {kind}: the new track isn't the sound to the bit{_advice(muxer, chosen)}"
    elif muxer == "matroska" and chosen.startswith("pcm_") and sound.channels > 2 and sound.layout:
        remark = (
            f"Matroska doesn't say which channel of PCM is which; they stand in the order of {sound.layout}"
        )
    elif muxer == "mov" and sound.layout == "7.1":
        remark = (
            "ffmpeg before version 7 writes 7.1 with the rears before the sides under a tag that Apple "
            "defines the other way round; check the channels where another program reads the file"
        )
    return Coding(chosen, lossless, tuple(options), remark)


_FLAC = {"s16le": "s16", "s24le": "s32"}


def _default(muxer: str, sound: AudioTrack) -> str:
    if muxer == "mp4":
        return "aac"
    if muxer == "mxf":
        return "pcm_s16le" if sound.encoding in {"u8", "s16le"} else "pcm_s24le"
    if muxer == "matroska" and 2 < sound.channels <= 8 and sound.layout and sound.encoding in _FLAC:
        return "flac"
    return _PCM[sound.encoding]


def _advice(muxer: str, chosen: str) -> str:
    if muxer == "mp4" and chosen == "aac":
        return ", for MP4 can't hold PCM; for that write a .mov, or pass --codec alac"
    return "; choose another --codec where that matters"
