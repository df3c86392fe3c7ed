"""What a signal is: its layout (named channels with roles) and the terms a processor runs under."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import UnbraidError, nearest
from .scene import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .scene import SceneShape

__all__ = ["MAX_CHANNELS", "NAMED_LAYOUTS", "Layout", "LayoutNameError", "Spec"]

# Channel order: film order for 5.1 (SMPTE ST 428-12, also WAVE mask 0x3F/0x60F); for the rest the
# order of Dolby's ADM profile, sides before rears, then heights.
NAMED_LAYOUTS: dict[str, tuple[str, ...]] = {
    "mono": ("M",),
    "stereo": ("L", "R"),
    "5.1": ("L", "R", "C", "LFE", "Ls", "Rs"),
    "7.1": ("L", "R", "C", "LFE", "Lss", "Rss", "Lrs", "Rrs"),
    "7.1.2": ("L", "R", "C", "LFE", "Lss", "Rss", "Lrs", "Rrs", "Lts", "Rts"),
    "5.1.4": ("L", "R", "C", "LFE", "Ls", "Rs", "Ltf", "Rtf", "Ltr", "Rtr"),
    "7.1.4": ("L", "R", "C", "LFE", "Lss", "Rss", "Lrs", "Rrs", "Ltf", "Rtf", "Ltr", "Rtr"),
}
MAX_CHANNELS = 1024
_DISCRETE = re.compile(r"discrete:0*([1-9][0-9]{0,3})")
_BY_COUNT = {1: "mono", 2: "stereo", 6: "5.1"}


class LayoutNameError(UnbraidError):
    """A layout name that does not exist."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """A channel layout: a name and one role per channel, in channel order.

    Attributes:
        name: as written in graphs and shown to people.
        roles: which channel is which.
        scene: what the channels of a scene are; None where they are loudspeakers, or nothing in particular.

    Example:
        >>> Layout.parse("5.1").roles
        ('L', 'R', 'C', 'LFE', 'Ls', 'Rs')
        >>> Layout.parse("discrete:3").channels
        3
    """

    name: str
    roles: tuple[str, ...]
    scene: SceneShape | None = None

    @property
    def channels(self) -> int:
        """The number of channels."""
        return len(self.roles)

    @property
    def sound(self) -> list[int]:
        """The channels that are sound: all but what a scene says of its objects' places."""
        return [*range(self.channels)] if self.scene is None else self.scene.track_rows

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, name: str) -> Layout:
        """Return the layout of that name: mono, stereo, 5.1 ... 7.1.4, or ``discrete:N`` (1 to 1024).

        Raises:
            LayoutNameError: the name is none of these; the text offers the nearest.
        """
        if not isinstance(name, str):
            raise LayoutNameError(f"a layout is named by text, not {name!r}")
        if name in NAMED_LAYOUTS:
            return cls(name, NAMED_LAYOUTS[name])
        numbered = _DISCRETE.fullmatch(name)
        if numbered and (count := int(numbered[1])) <= MAX_CHANNELS:
            return cls(f"discrete:{count}", tuple(str(i + 1) for i in range(count)))
        raise LayoutNameError(
            f"unknown layout {name!r}; {nearest(name, [*NAMED_LAYOUTS, 'discrete:N'])}",
        )

    @classmethod
    def of_scene(cls, shape: SceneShape) -> Layout:
        """Return the layout of a scene's stream: see `SceneShape` for its channels."""
        beds = [
            f"bed{i + 1}.{role}" for i, bed in enumerate(shape.beds) for role in cls.parse(bed.layout).roles
        ]
        parts = ("", *(f".{control}" for control in CONTROLS))
        objects = [f"object{i + 1}{part}" for i in range(len(shape.objects)) for part in parts]
        return cls(str(shape), (*beds, *objects), shape)

    @classmethod
    def of_channels(cls, channels: int) -> Layout:
        """Return the layout a plain file of that many channels is taken for.

        1, 2 and 6 channels are mono, stereo and 5.1. Eight are ``discrete:8``, because film and
        WAVE order 7.1 differently: declare ``inputs: {mix: 7.1}`` in the graph to name them.
        """
        return cls.parse(_BY_COUNT.get(channels, f"discrete:{channels}"))


@dataclass(frozen=True, slots=True)
class Spec:
    """The terms a processor is prepared for; constant until the next ``prepare()``.

    Attributes:
        rate: sample rate in Hz at which this processor runs.
        max_block: the longest block ``process()`` will be given, in samples.
        inputs: the layout of each connected input port.
        outputs: the layout of each connected output port; other outputs are absent from ``outs``.
        device: ``"cpu"`` or ``"cuda"``.
        seed: the only source of randomness a processor may use.
        realtime: true when a deadline stands behind every block.
        length: how many samples will have come when the programme ends, at ``rate``: its length and what the
            input lags behind it. What comes later only drains what is late. None when the end is not known,
            or when outputs may sound on past it.
    """

    rate: int
    max_block: int
    inputs: Mapping[str, Layout]
    outputs: Mapping[str, Layout]
    device: str = "cpu"
    seed: int = 0
    realtime: bool = False
    length: int | None = None
