"""Loudness as stated: there, once, readable, and possible (ITU-R BS.2076-2, section 5.8.1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..finding import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elements import Element
    from ..finding import Finding, Subject

__all__ = ["FIGURES", "loudness"]

#: What loudnessMetadata may hold, with the least and the most that can be.
FIGURES = {
    "integratedLoudness": (-100.0, 20.0),
    "loudnessRange": (0.0, 100.0),
    "maxTruePeak": (-200.0, 40.0),
    "maxMomentary": (-200.0, 40.0),
    "maxShortTerm": (-200.0, 40.0),
    "dialogueLoudness": (-100.0, 20.0),
}
_ATTRIBUTES = ("loudnessMethod", "loudnessRecType", "loudnessCorrectionType")


def loudness(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with loudnessMetadata."""
    for programme in subject.all("audioProgramme"):
        stated = programme.all("loudnessMetadata")
        if not stated:
            what = "states no loudness"
            yield warning("loudness-missing", programme.place, what, "measure it and write it")
        if len(stated) > 1 and subject.dolby:
            what = f"states its loudness {len(stated)} times"
            yield error("loudness-twice", programme.place, what, "leave one")
        for each in stated:
            yield from _figures(each)
            if subject.dolby and (extra := [name for name in _ATTRIBUTES if name in each.attributes]):
                what = f"has {', '.join(extra)}, which the profile does not take"
                yield error("loudness-attributes", each.place, what, "leave them out")
    for content in subject.all("audioContent"):
        for each in content.all("loudnessMetadata"):
            yield from _figures(each)


def _figures(element: Element) -> Iterator[Finding]:
    for name, (least, most) in FIGURES.items():
        stated = element.all(name)
        if len(stated) > 1:
            yield error("loudness-value", element.place, f"states {name} {len(stated)} times", "leave one")
        for each in stated:
            try:
                value = float(each.text)
            except ValueError:
                value = math.nan
            if not least <= value <= most:
                what = f"{each.text!r} is no loudness, or none that can be"
                yield error("loudness-value", each.place, what, f"write a number, {least:g} to {most:g}")
