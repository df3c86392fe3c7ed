"""Which loudspeaker each channel of a file belongs to: WAVE masks, Vorbis order, and our layouts.

Formats agree on 5.1 in most places and on nothing beyond: WAVE and FLAC put the rear pair of 7.1 before
the side pair, film puts the sides first, Vorbis and Opus put the centre second. Files are therefore
read and written by role, never by position alone.

Sources: Microsoft, "Multiple channel audio data and WAVE files"; RFC 9639, section 9.1.3 (FLAC);
Vorbis I specification, section 4.3.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..contract.audio import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MASK_TAG", "ChannelOrder", "by_count", "by_mask", "flac", "for_file", "vorbis"]

#: The comment by which a FLAC file states a mask (RFC 9639, section 8.6.2).
MASK_TAG = "waveformatextensible_channel_mask"
_HEIGHTS = ("Ltf", "Rtf", "Ltr", "Rtr")
_HEIGHT_BITS = 0x2D000
_FRONT = ("L", "R", "C", "LFE")
#: The roles of each mask, in the order of its bits, which is the order of channels in the file.
_MASKS: dict[int, tuple[str, tuple[str, ...]]] = {
    0x4: ("mono", ("M",)),
    0x3: ("stereo", ("L", "R")),
    0x3F: ("5.1", (*_FRONT, "Ls", "Rs")),
    0x60F: ("5.1", (*_FRONT, "Ls", "Rs")),
    0x63F: ("7.1", (*_FRONT, "Lrs", "Rrs", "Lss", "Rss")),
    0x3F | _HEIGHT_BITS: ("5.1.4", (*_FRONT, "Ls", "Rs", *_HEIGHTS)),
    0x60F | _HEIGHT_BITS: ("5.1.4", (*_FRONT, "Ls", "Rs", *_HEIGHTS)),
    0x63F | _HEIGHT_BITS: ("7.1.4", (*_FRONT, "Lrs", "Rrs", "Lss", "Rss", *_HEIGHTS)),
}
_DEFAULT = {"mono": 0x4, "stereo": 0x3, "5.1": 0x3F, "7.1": 0x63F}
_DEFAULT |= {"5.1.4": 0x3F | _HEIGHT_BITS, "7.1.4": 0x63F | _HEIGHT_BITS}
_VORBIS: dict[int, tuple[str, tuple[str, ...]]] = {
    6: ("5.1", ("L", "C", "R", "Ls", "Rs", "LFE")),
    8: ("7.1", ("L", "C", "R", "Lss", "Rss", "Lrs", "Rrs", "LFE")),
}


@dataclass(frozen=True, slots=True)
class ChannelOrder:
    """How a file's channels become a layout's.

    Attributes:
        layout: what the signal is inside the host.
        take: for each channel of the layout, the channel of the file it is; None where they are the same.
        mask: the file's WAVE channel mask; 0 where it has none.
    """

    layout: Layout
    take: tuple[int, ...] | None = None
    mask: int = 0

    @property
    def give(self) -> tuple[int, ...] | None:
        """For each channel of the file, the channel of the layout it is; None where they are the same."""
        if self.take is None:
            return None
        return tuple(self.take.index(i) for i in range(len(self.take)))


def _ordered(name: str, roles: tuple[str, ...], mask: int = 0) -> ChannelOrder:
    layout = Layout.parse(name)
    take = tuple(roles.index(role) for role in layout.roles)
    return ChannelOrder(layout, None if take == tuple(range(len(take))) else take, mask)


def by_count(channels: int) -> ChannelOrder:
    """Return what a file that says nothing of loudspeakers is taken for: see `Layout.of_channels`."""
    return ChannelOrder(Layout.of_channels(channels))


def by_mask(mask: int, channels: int) -> ChannelOrder:
    """Return the order that a WAVE channel mask states.

    A mask that names as many loudspeakers as there are channels, but no layout of ours, gives a discrete
    layout and is kept. One that names another number says nothing.

    Example:
        >>> order = by_mask(0x63F, 8)
        >>> order.layout.name, order.take
        ('7.1', (0, 1, 2, 3, 6, 7, 4, 5))
    """
    if mask in _MASKS and len(_MASKS[mask][1]) == channels:
        return _ordered(*_MASKS[mask], mask)
    if mask.bit_count() != channels or channels == 1:
        return by_count(channels)
    return ChannelOrder(Layout.parse(f"discrete:{channels}"), None, mask)


def vorbis(channels: int) -> ChannelOrder:
    """Return the order of an Ogg file, Vorbis or Opus, where the centre comes second."""
    return _ordered(*_VORBIS[channels]) if channels in _VORBIS else by_count(channels)


def flac(channels: int, comments: Mapping[str, str]) -> ChannelOrder:
    """Return the order of a FLAC file: eight channels are 7.1 as in WAVE unless a comment gives a mask."""
    stated = comments.get(MASK_TAG, "")
    try:
        mask = int(stated, 16) if stated else 0x63F if channels == 8 else 0
    except ValueError:
        mask = 0
    return by_mask(mask if 0 <= mask < 1 << 32 else 0, channels)


def for_file(layout: Layout, wanted: int = 0) -> ChannelOrder:
    """Return the order in which a layout is written, with its mask.

    Args:
        layout: of the output.
        wanted: the input's mask, which is kept where it means the same layout.

    Layouts that no mask can name (7.1.2: its heights stand at the sides) are written in their own order,
    without a mask.
    """
    same = by_mask(wanted, layout.channels) if wanted else None
    if same is not None and same.mask and same.layout == layout:
        return same
    mask = _DEFAULT.get(layout.name, 0)
    return by_mask(mask, layout.channels) if mask else ChannelOrder(layout)
