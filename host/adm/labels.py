"""Names of loudspeakers in files, and the beds that sets of them are (ITU-R BS.2051-3; Dolby's RC_ names)."""

from __future__ import annotations

from functools import cache

from ...kernels.loudspeakers import loudspeakers
from ..contract.audio import NAMED_LAYOUTS
from ..scene.model import BED_LAYOUTS

__all__ = ["bed_of", "is_room_label", "plain_label"]

_URN = "urn:itu:bs:2051:"
_LOW = {"LFE": "LFE1", "LFEL": "LFE1"}
_ROOM = "RC_"


def plain_label(text: str) -> str:
    """Return a label without what stands around it.

    Example:
        >>> plain_label("urn:itu:bs:2051:0:speaker:M+030"), plain_label(" LFE ")
        ('M+030', 'LFE1')
    """
    label = text.strip()
    if label.startswith(_URN):
        label = label.rpartition(":")[2]
    return _LOW.get(label, label)


def is_room_label(label: str) -> bool:
    """Return whether a label is of Dolby's room."""
    return label.startswith(_ROOM)


def bed_of(labels: list[str]) -> tuple[str, list[int]] | None:
    """Return the layout that labels name, in any order, and for each of its channels the label's number.

    Returns:
        None where they name no layout of ours.

    Example:
        >>> bed_of(["M-030", "M+030"])
        ('stereo', [1, 0])
        >>> bed_of(["RC_L", "RC_R"])
        ('stereo', [0, 1])
    """
    room = bool(labels) and all(is_room_label(label) for label in labels)
    wanted = frozenset(label.removeprefix(_ROOM) for label in labels) if room else frozenset(labels)
    for layout in BED_LAYOUTS:
        names = NAMED_LAYOUTS[layout] if room else _labels(layout)
        if len(labels) == len(names) and wanted == frozenset(names):
            given = [label.removeprefix(_ROOM) for label in labels] if room else labels
            return layout, [given.index(name) for name in names]
    return None


@cache
def _labels(layout: str) -> tuple[str, ...]:
    return tuple(speaker.label for speaker in loudspeakers(NAMED_LAYOUTS[layout]))
