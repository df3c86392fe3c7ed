"""What an ADM document holds, as it stands there: elements with their places, nothing resolved or judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from .blocks import Blocks

__all__ = ["KINDS", "Channel", "Document", "Element", "Fault"]

#: Elements of audioFormatExtended, and the attributes that hold their ids and names.
KINDS: dict[str, tuple[str, str]] = {
    "audioProgramme": ("audioProgrammeID", "audioProgrammeName"),
    "audioContent": ("audioContentID", "audioContentName"),
    "audioObject": ("audioObjectID", "audioObjectName"),
    "audioPackFormat": ("audioPackFormatID", "audioPackFormatName"),
    "audioChannelFormat": ("audioChannelFormatID", "audioChannelFormatName"),
    "audioStreamFormat": ("audioStreamFormatID", "audioStreamFormatName"),
    "audioTrackFormat": ("audioTrackFormatID", "audioTrackFormatName"),
    "audioTrackUID": ("UID", ""),
}


@dataclass(slots=True)
class Element:
    """One element.

    Attributes:
        kind: its name.
        attributes: as they stand.
        line: of the text, from 1.
        text: directly in it, without spaces around.
        children: elements in it; not audioBlockFormats.
    """

    kind: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    @property
    def id(self) -> str:
        """As it stands; "" where there is none."""
        return self.attributes.get(KINDS.get(self.kind, ("", ""))[0], "")

    @property
    def key(self) -> str:
        """The id as others are compared with it: upper and lower case are the same."""
        return self.id.strip().lower()

    @property
    def name(self) -> str:
        """For people; "" where there is none."""
        return self.attributes.get(KINDS.get(self.kind, ("", ""))[1], "")

    @property
    def place(self) -> str:
        """Where it stands."""
        return " ".join(filter(None, (self.kind, self.id, f"(line {self.line})")))

    def all(self, kind: str) -> list[Element]:
        """Return the elements in it of a kind."""
        return [child for child in self.children if child.kind == kind]

    def first(self, kind: str) -> Element | None:
        """Return the first element in it of a kind."""
        return next((child for child in self.children if child.kind == kind), None)

    def refs(self, kind: str) -> list[str]:
        """Return the keys of the elements of a kind that it refers to.

        Example:
            >>> ref = Element("audioPackFormatIDRef", {}, 3, "AP_0003100A")
            >>> Element("audioObject", {}, 2, children=[ref]).refs("audioPackFormat")
            ['ap_0003100a']
        """
        name = f"{kind}Ref" if kind == "audioTrackUID" else f"{kind}IDRef"
        return [child.text.lower() for child in self.children if child.kind == name]


@dataclass(slots=True)
class Channel(Element):
    """An audioChannelFormat.

    Attributes:
        blocks: its audioBlockFormats.
    """

    blocks: Blocks = field(default_factory=Blocks)

    def block_place(self, number: int) -> str:
        """Return where a block of it stands, by its number from 0."""
        return f"{self.kind} {self.id} audioBlockFormat {number + 1} (line {self.blocks.line[number]})"


@dataclass(frozen=True, slots=True)
class Fault:
    """Text that is not what it has to be: a number, a time.

    Attributes:
        place: where.
        message: what.
    """

    place: str
    message: str


@dataclass(slots=True)
class Document:
    """All of an `axml` chunk.

    Attributes:
        namespace: of audioFormatExtended; "" where none is stated.
        attributes: of audioFormatExtended.
        elements: by kind (`KINDS`), each in the order of the text.
        others: elements of audioFormatExtended of other kinds.
        faults: values that cannot be read, the first thousand.
        found: whether there is an audioFormatExtended.
        warnings: for people.
    """

    namespace: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    elements: dict[str, list[Element]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    others: list[Element] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    found: bool = False
    warnings: list[str] = field(default_factory=list)
    _index: dict[str, dict[str, Element]] = field(default_factory=dict)

    @property
    def channels(self) -> list[Channel]:
        """The audioChannelFormats."""
        return [each for each in self.elements["audioChannelFormat"] if isinstance(each, Channel)]

    def find(self, kind: str, key: str) -> Element | None:
        """Return the element of a kind and id, the first of several; upper and lower case are the same."""
        if kind not in self._index:
            self._index[kind] = {each.key: each for each in reversed(self.elements[kind])}
        return self._index[kind].get(key.strip().lower())

    def channel(self, key: str) -> Channel | None:
        """Return the audioChannelFormat of an id."""
        found = self.find("audioChannelFormat", key)
        return found if isinstance(found, Channel) else None

    def linked(self, element: Element, kind: str) -> list[Element]:
        """Return what an element refers to, of a kind, as far as it is there."""
        found = (self.find(kind, key) for key in element.refs(kind))
        return [each for each in found if each is not None]
