"""What a file says about its sound beside the samples, and what of it an output may still say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .wave.bext import Bext

__all__ = ["Metadata", "Timecode"]

_RATE = re.compile(rb"(<FILE_SAMPLE_RATE>)[^<]*(</FILE_SAMPLE_RATE>)")
_TIME = tuple(
    re.compile(rb"(<BWF_TIME_REFERENCE_%s>)[^<]*(</BWF_TIME_REFERENCE_%s>)" % (part, part))
    for part in (b"HIGH", b"LOW")
)
_TRACKS = re.compile(rb"\s*<TRACK_LIST>.*?</TRACK_LIST>", re.DOTALL)
#: The last line of a coding history: its coding, its width, and what follows.
_LAST_STEP = re.compile(r"A=PCM(,F=\d+),W=\d+(?=[^\r\n]*\s*\Z)")
_DEPTH = re.compile(rb"(<AUDIO_BIT_DEPTH>)[^<]*(</AUDIO_BIT_DEPTH>)")


@dataclass(frozen=True, slots=True)
class Timecode:
    """Where a film begins.

    Attributes:
        start: ``HH:MM:SS:FF``, with ``;`` before FF when frames are dropped; "" when not stated.
        frame_rate: frames a second as a fraction, ``25/1`` or ``30000/1001``.
    """

    start: str
    frame_rate: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says beside its samples.

    Attributes:
        tags: texts by name, in lower case as in Vorbis comments (``title``, ``artist``, ``date`` ...); a RIFF
            INFO id that has no such name stands under itself (``IENG``).
        bext: broadcast extension: origin, time reference.
        ixml: production metadata of field recorders, as it stands.
        axml: ADM metadata, as it stands.
        chna: which track holds which ADM channel, as it stands.
        cue: cue points, as they stand; they count samples.
        adtl: names of the cue points (a LIST chunk's body), as they stand.
        mask: WAVE channel mask; 0 where there is none.
        timecode: of the film that the sound belongs to.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    bext: Bext | None = None
    ixml: bytes | None = None
    axml: bytes | None = None
    chna: bytes | None = None
    cue: bytes | None = None
    adtl: bytes | None = None
    mask: int = 0
    timecode: Timecode | None = None

    def at_rate(self, source: int, target: int) -> Metadata:
        """Return it for the sound at another rate: what counts samples counts the new ones.

        Cue points do not follow: their place in the sound would move by parts of a sample.
        """
        if source == target:
            return self
        bext = None if self.bext is None else self.bext.at_rate(source, target)
        ixml = None if self.ixml is None else _RATE.sub(rb"\g<1>%d\g<2>" % target, self.ixml)
        if ixml is not None and bext is not None:
            for element, value in zip(_TIME, divmod(bext.time_reference, 1 << 32), strict=True):
                ixml = element.sub(rb"\g<1>%d\g<2>" % value, ixml)
        return replace(self, bext=bext, ixml=ixml, cue=None, adtl=None)

    def passed_on(self, *, step: str, bits: int, same_layout: bool) -> Metadata:
        """Return what an output says.

        Args:
            step: the line of coding history that tells what was done.
            bits: bits of the output's samples.
            same_layout: whether the output has the input's channels, which ADM names one by one and the mask
                means.
        """
        bext = None if self.bext is None else self.bext.passed_on(step)
        ixml = None if self.ixml is None else _DEPTH.sub(rb"\g<1>%d\g<2>" % bits, self.ixml)
        kept = replace(self, bext=bext, ixml=ixml)
        if same_layout:
            return kept
        # iXML lists the input's tracks; what it says of scene, take and time stays true.
        ixml = None if ixml is None else _TRACKS.sub(b"", ixml)
        return replace(kept, axml=None, chna=None, mask=0, ixml=ixml)

    def as_float(self) -> Metadata:
        """Return it for an output that became FLOAT although integers were asked for."""
        bext = self.bext
        if bext is not None:
            bext = replace(bext, coding_history=_LAST_STEP.sub(r"A=FLOAT\1", bext.coding_history))
        ixml = None if self.ixml is None else _DEPTH.sub(rb"\g<1>32\g<2>", self.ixml)
        return replace(self, bext=bext, ixml=ixml)

    def lost(self, kept: Metadata) -> list[str]:
        """Return a line for each thing that is here and not in what was ``kept``."""
        lines = []
        if (self.cue is not None or self.adtl is not None) and kept.cue is None and kept.adtl is None:
            lines.append("cue points count samples of the input's rate and are not carried to another")
        if self.bext is not None and (any(self.bext.umid) or self.bext.has_loudness):
            lines.append("UMID and loudness in bext are those of the input's samples and are not carried")
        if (self.axml is not None or self.chna is not None) and kept.axml is None and kept.chna is None:
            lines.append("ADM metadata (axml, chna) names the input's channels and is not carried")
        return lines

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data for JSON; chunks that are carried as they stand by their size."""
        data: dict[str, Any] = {}
        if self.tags:
            data["tags"] = {name: _clean(text) for name, text in self.tags.items()}
        if self.bext is not None:
            data["bext"] = {
                "description": _clean(self.bext.description),
                "originator": _clean(self.bext.originator),
                "originator_reference": _clean(self.bext.originator_reference),
                "origination_date": _clean(self.bext.origination_date),
                "origination_time": _clean(self.bext.origination_time),
                "time_reference": self.bext.time_reference,
                "version": self.bext.version,
                "coding_history": _clean(self.bext.coding_history),
            }
        for name in ("ixml", "axml", "chna", "cue", "adtl"):
            if (body := getattr(self, name)) is not None:
                data[f"{name}_bytes"] = len(body)
        if self.mask:
            data["channel_mask"] = f"0x{self.mask:X}"
        if self.timecode is not None:
            data["timecode"] = {"start": self.timecode.start, "frame_rate": self.timecode.frame_rate}
        return data


def _clean(text: str) -> str:
    """Return a text that JSON can hold: bytes that were not UTF-8 are marked."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
