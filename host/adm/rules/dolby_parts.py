"""Dolby Atmos Master ADM Profile: which attributes and elements each element admits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..elements import KINDS
from ..finding import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Element
    from ..finding import Finding

__all__ = ["admitted"]

_TYPED = {"typeLabel", "typeDefinition"}
_FORMATTED = {"formatLabel", "formatDefinition"}
#: Of each kind: attributes it may have, elements it may have, and what of BS.2076 the profile leaves out.
_PARTS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "audioProgramme": (
        {"audioProgrammeLanguage", "start", "end", *_TYPED},
        {"audioContentIDRef", "loudnessMetadata", "audioProgrammeReferenceScreen"},
        {"audioProgrammeLabel", "maxDuckingDepth", "authoringInformation"},
    ),
    "audioContent": (
        set(),
        {"audioObjectIDRef", "dialogue"},
        {"audioContentLanguage", "loudnessMetadata", "audioContentLabel"},
    ),
    "audioObject": (
        {"start", "duration", "disableDucking"},
        {"audioPackFormatIDRef", "audioTrackUIDRef"},
        {
            "importance",
            "interact",
            "dialogue",
            "gain",
            "mute",
            "headLocked",
            "positionOffset",
            "audioObjectLabel",
            "audioObjectInteraction",
            "audioObjectIDRef",
            "audioComplementaryObjectIDRef",
            "audioComplementaryObjectGroupLabel",
            "alternativeValueSet",
        },
    ),
    "audioPackFormat": (
        {"importance", *_TYPED},
        {"audioChannelFormatIDRef"},
        {"audioPackFormatIDRef", "absoluteDistance"},
    ),
    "audioChannelFormat": (_TYPED, set(), {"frequency"}),
    "audioStreamFormat": (
        {*_TYPED, *_FORMATTED},
        {"audioChannelFormatIDRef", "audioPackFormatIDRef", "audioTrackFormatIDRef"},
        set(),
    ),
    "audioTrackFormat": ({*_TYPED, *_FORMATTED}, {"audioStreamFormatIDRef"}, set()),
    "audioTrackUID": (
        {"sampleRate", "bitDepth"},
        {"audioTrackFormatIDRef", "audioPackFormatIDRef"},
        {"audioChannelFormatIDRef", "audioMXFLookUp"},
    ),
}


def admitted(element: Element) -> Iterator[Finding]:
    """Yield what an element holds and may not: an error where BS.2076 knows it, else a warning."""
    attributes, children, left_out = _PARTS[element.kind]
    known = {*KINDS[element.kind], *attributes}
    held = [name for name in element.attributes if name not in known and not name.startswith("xml")]
    held += dict.fromkeys(child.kind for child in element.children if child.kind not in children)
    for name in held:
        if name == "frequency":
            what = "states a frequency, which the profile does not ask for"
            yield warning("not-admitted", element.place, what, "leave it out")
        elif name in left_out:
            what = f"has {name}, which the profile does not take"
            yield error("not-admitted", element.place, what, "leave it out")
        else:
            what = f"has {name}, which ADM does not know"
            yield warning("not-known", element.place, what, "leave it out")
