"""Where loudspeakers stand, by their roles, and what standards call them.

Source: ITU-R BS.2051-3 (labels and nominal angles; the heights of 7.1.2, which is Dolby's, over the sides).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import KernelError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Loudspeaker", "loudspeakers"]


@dataclass(frozen=True, slots=True)
class Loudspeaker:
    """One channel of a layout.

    Attributes:
        role: in our layouts.
        label: in BS.2051.
        azimuth: degrees to the left.
        elevation: degrees up.
    """

    role: str
    label: str
    azimuth: float
    elevation: float

    @property
    def low(self) -> bool:
        """Whether it is for low frequencies alone."""
        return self.role == "LFE"


_PLACES: dict[str, tuple[str, float, float]] = {
    "M": ("M+000", 0, 0),
    "L": ("M+030", 30, 0),
    "R": ("M-030", -30, 0),
    "C": ("M+000", 0, 0),
    "LFE": ("LFE1", 45, -30),
    "Ls": ("M+110", 110, 0),
    "Rs": ("M-110", -110, 0),
    "Lss": ("M+090", 90, 0),
    "Rss": ("M-090", -90, 0),
    "Lrs": ("M+135", 135, 0),
    "Rrs": ("M-135", -135, 0),
    "Lts": ("U+090", 90, 30),
    "Rts": ("U-090", -90, 30),
}
_FRONT_HEIGHTS = {"5.1.4": 30, "7.1.4": 45}
_REAR_HEIGHTS = {"5.1.4": 110, "7.1.4": 135}


def loudspeakers(roles: Sequence[str]) -> tuple[Loudspeaker, ...]:
    """Return the loudspeakers of a layout, by the roles of its channels.

    Heights stand where the loudspeakers of the layout do: further apart where there are seven around.

    Raises:
        KernelError: a role is no loudspeaker's.

    Example:
        >>> [speaker.label for speaker in loudspeakers(("L", "R", "C", "LFE", "Ls", "Rs"))]
        ['M+030', 'M-030', 'M+000', 'LFE1', 'M+110', 'M-110']
    """
    layout = "7.1.4" if "Lrs" in roles else "5.1.4"
    return tuple(_loudspeaker(role, layout) for role in roles)


def _loudspeaker(role: str, layout: str) -> Loudspeaker:
    if role in _PLACES:
        return Loudspeaker(role, *_PLACES[role])
    heights = {"tf": _FRONT_HEIGHTS, "tr": _REAR_HEIGHTS}.get(role[1:])
    if heights is None or role[0] not in "LR":
        raise KernelError(f"the channel {role!r} is no loudspeaker's")
    azimuth = heights[layout] if role[0] == "L" else -heights[layout]
    return Loudspeaker(role, f"U{azimuth:+04d}", azimuth, 30)
