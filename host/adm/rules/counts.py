"""Counts: how many programmes, beds, objects, contents and tracks a file may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..finding import Finding, Subject

__all__ = ["counts"]

_OBJECTS, _TRACKS, _CONTENTS, _BED_TRACKS = 118, 128, 123, 10
_PLACE = "audioFormatExtended"


def counts(subject: Subject) -> Iterator[Finding]:
    """Yield what there is too much or too little of."""
    programmes = len(subject.all("audioProgramme"))
    if programmes != 1:
        level = error if subject.dolby or not programmes else warning
        what = f"holds {programmes} programmes; renderers play one"
        yield level("programme-count", _PLACE, what, "write one file for each")
    if not subject.dolby:
        return
    beds, objects = subject.objects_of("DirectSpeakers"), subject.objects_of("Objects")
    channels = 0 if subject.container.format is None else subject.container.format.channels
    limits = [
        ("object-count", "objects", len(objects), 0, _OBJECTS),
        ("content-count", "audioContents", len(subject.all("audioContent")), 1, _CONTENTS),
        ("track-count", "tracks", channels, 1, _TRACKS),
        ("bed-count", "beds", len(beds), 1, 1),
    ]
    for rule, name, count, least, most in limits:
        if not least <= count <= most:
            wanted = f"{most}" if least == most else f"{least} to {most}"
            yield error(rule, _PLACE, f"holds {count} {name}; the profile takes {wanted}", "merge some")
    for element, _ in objects:
        if (count := len(element.refs("audioTrackUID"))) > 1:
            yield error("object-tracks", element.place, f"has {count} tracks instead of 1", "split it")
    for element, _ in beds:
        if (count := len(element.refs("audioTrackUID"))) > _BED_TRACKS:
            yield error("object-tracks", element.place, f"has {count} tracks; a bed has up to 10", "split it")
