"""Samples: plain PCM, of bits and a rate that the profile takes and the ADM states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..finding import Finding, Subject

__all__ = ["samples"]

_PCM, _EXTENSIBLE = 1, 0xFFFE
_BITS = {"dolby": {24}, "bs2127": {16, 24, 32}}
_RATES = {"dolby": {48000, 96000}, "bs2127": {44100, 48000, 88200, 96000, 192000}}
_PLACE = "the fmt chunk"


def samples(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the format of the sound, and what the ADM says of it."""
    container = subject.container
    if container.format is None:
        return
    if container.format.fault or not container.format.encoding.startswith("s"):
        what = container.format.fault or "does not say PCM of whole numbers"
        yield error("sample-format", _PLACE, what, "export the file as PCM, 24 bit")
        return
    if container.tag != _PCM:
        what = "is of the extensible form, which ADM files do not use"
        yield warning("format-tag", _PLACE, what, "write the plain form, format tag 1")
    if container.bits not in _BITS[subject.profile]:
        wanted = " or ".join(map(str, sorted(_BITS[subject.profile])))
        yield error("sample-bits", _PLACE, f"says {container.bits} bits", f"export the file with {wanted}")
    if subject.rate not in _RATES[subject.profile]:
        wanted = " or ".join(map(str, sorted(_RATES[subject.profile])))
        yield error("sample-rate", _PLACE, f"says {subject.rate} Hz", f"export the file at {wanted} Hz")
    if not container.frames:
        yield error("sound-empty", "the data chunk", "holds no sample", "export the file again")
    for element in subject.all("audioTrackUID"):
        for name, true in (("sampleRate", subject.rate), ("bitDepth", container.bits)):
            stated = element.attributes.get(name, "").strip()
            if stated and stated != str(true):
                what = f"its {name} says {stated}, but the sound has {true}"
                yield error("uid-samples", element.place, what, f"write {true}")
