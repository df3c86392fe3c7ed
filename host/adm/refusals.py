"""What files may hold that our scenes do not: refused where the sound would be another, else told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .elements import Channel, Document, Element

__all__ = ["object_refusals", "object_warnings", "pack_refusal", "stated_profiles", "unheard"]

_TYPES = {"0001": "DirectSpeakers", "0002": "Matrix", "0003": "Objects", "0004": "HOA", "0005": "Binaural"}
_KNOWN_VERSIONS = {f"ITU-R_BS.2076-{number}" for number in range(4)}
#: Elements of blocks that our renderer does not follow, and the values with which they do nothing.
_UNHEARD: dict[str, set[str | None]] = {
    "diffuse": {"0", "0.0"},
    "channelLock": {"0"},
    "objectDivergence": {"0", "0.0"},
    "zoneExclusion": {None},
    "screenRef": {"0"},
    "headLocked": {"0"},
    "importance": {"10"},
    "position": {None},
}


def type_of(element: Element) -> str:
    """Return the type of a pack or channel: its definition, else what its label means, else "".

    Example:
        >>> from .elements import Element
        >>> type_of(Element("audioPackFormat", {"typeLabel": "0004"}, 1))
        'HOA'
    """
    stated = element.attributes.get("typeDefinition", "")
    return stated or _TYPES.get(element.attributes.get("typeLabel", ""), "")


def stated_profiles(document: Document) -> Iterator[str]:
    """Yield the names of profiles that a file says it follows (BS.2076-3, profileList)."""
    for listed in document.others:
        if listed.kind == "profileList":
            for profile in listed.all("profile"):
                yield " ".join([profile.attributes.get("profileName", ""), profile.text]).strip() or "unnamed"


def version_warning(document: Document) -> str:
    """Return what is to be said of a document's version; "" when it is known, or not stated."""
    version = document.attributes.get("version", "")
    if not version or version in _KNOWN_VERSIONS:
        return ""
    return f"its version {version!r} is not known here; it is read as ITU-R_BS.2076-2"


def pack_refusal(pack: Element) -> str:
    """Return why a pack cannot be part of a scene; "" when it can."""
    kind = type_of(pack)
    if kind not in {"DirectSpeakers", "Objects"}:
        return f"{pack.place}: is of type {kind or 'unknown'}; scenes hold DirectSpeakers and Objects"
    if pack.refs("audioPackFormat"):
        return f"{pack.place}: holds other packs; scenes hold packs of channels alone"
    return ""


def object_refusals(element: Element) -> Iterator[str]:
    """Yield why an audioObject cannot be part of a scene."""
    if element.refs("audioObject"):
        yield f"{element.place}: holds other audioObjects; give each its own tracks"
    if element.first("audioComplementaryObjectIDRef") is not None:
        yield f"{element.place}: is one of several to choose from; export the file with the chosen one alone"
    if element.first("positionOffset") is not None:
        yield f"{element.place}: has a positionOffset; export the file with places that hold it"
    packs = element.refs("audioPackFormat")
    if len(packs) != 1:
        yield f"{element.place}: refers to {len(packs)} audioPackFormats instead of 1"
    if not element.refs("audioTrackUID"):
        yield f"{element.place}: refers to no audioTrackUID, so it has no sound"


def object_warnings(element: Element) -> Iterator[str]:
    """Yield what an audioObject says that a scene does not hold."""
    for name in ("interact", "importance"):
        if element.attributes.get(name, "") not in {"", "0", "10"}:
            yield f"{element.place}: its {name} is left out"
    if (locked := element.first("headLocked")) is not None and locked.text != "0":
        yield f"{element.place}: its headLocked is left out"


def unheard(channel: Channel) -> Iterator[str]:
    """Yield what blocks of a channel say that is not rendered here."""
    for name, nothing in _UNHEARD.items():
        for block, odd in channel.blocks.having(name):
            if odd.text not in nothing:
                yield f"{channel.block_place(block)}: its {name} is left out"
                break
    blocks = channel.blocks
    differ = blocks.extents[:, 0] != blocks.extents[:, 1]
    if differ.any():
        at = channel.block_place(int(differ.argmax()))
        yield f"{at}: its width and height differ; it spreads by the larger one"
