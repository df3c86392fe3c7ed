"""Reading `axml` as it passes, in memory that grows only with what is kept (ITU-R BS.2076-2).

Documents that declare entities or a type are refused: ADM needs neither, and they can be made to grow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from ..contract.errors import MediaError, plain
from .block_parser import BlockParser
from .elements import KINDS, Channel, Document, Element

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["parse_axml"]

_ROOT = "audioFormatExtended"
_DEEPEST = 64
#: Pieces of at most 8 KiB that the text of one element may have.
_LONGEST_TEXT = 512


def parse_axml(name: str, pieces: Iterable[bytes]) -> Document:
    """Return what a document says.

    Args:
        name: for error texts.
        pieces: its bytes, in any pieces.

    Raises:
        MediaError: it is no XML, declares a document type or entities, or goes too deep; names the line.

    Example:
        >>> text = b'<audioFormatExtended><audioObject audioObjectID="AO_1001"/></audioFormatExtended>'
        >>> parse_axml("night.wav", [text]).elements["audioObject"][0].place
        'audioObject AO_1001 (line 1)'
    """
    parser = _Parser(name)
    try:
        for piece in _without_padding(pieces, parser.document):
            parser.feed(piece)
        parser.end()
    except expat.ExpatError as error:
        raise parser.fail(expat.ErrorString(error.code), error.lineno) from None
    return parser.document


def _without_padding(pieces: Iterable[bytes], document: Document) -> Iterable[bytes]:
    """Yield all but zero bytes at the end, which some writers count into the chunk."""
    held, wide = 0, None
    for piece in pieces:
        if wide is None:
            wide = piece[:2] in {b"\xff\xfe", b"\xfe\xff"}
        if wide:
            yield piece
            continue
        text = piece.rstrip(b"\0")
        if text:
            yield bytes(held) + text
            held = 0
        held += len(piece) - len(text)
    if held:
        document.warnings.append(f"its axml chunk ends with {held} zero bytes, which are no XML")


class _Parser:
    """Elements as a tree; the blocks of channels apart from it."""

    def __init__(self, name: str) -> None:
        self.name, self.document = name, Document()
        self._open: list[Element] = []
        self._texts: list[str] = []
        self._inside = False
        self._expat = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        # A method of C: no text costs a call of Python.
        parser.CharacterDataHandler = self._texts.append
        self._blocks = BlockParser(parser, self._texts, self.document, self._follow)
        self._follow()

    def _follow(self) -> None:
        """Hear of elements, once more after blocks."""
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._expat.Parse(piece, False)  # noqa: FBT003 - expat's signature
        if len(self._texts) > _LONGEST_TEXT:
            raise self.fail("an element holds too much text", self._expat.CurrentLineNumber)

    def end(self) -> None:
        """Say that nothing more comes."""
        self._expat.Parse(b"", True)  # noqa: FBT003 - expat's signature

    def fail(self, why: str, line: int) -> MediaError:
        return MediaError(f"{self.name}: its axml chunk, line {line}: {why}; export the file again")

    def _refuse(self, *_: object) -> None:
        raise self.fail("declares a document type or entities, which ADM has no use for", self._line)

    @property
    def _line(self) -> int:
        return self._expat.CurrentLineNumber

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self._inside:
            self._inside = local == _ROOT
            prefix = name.rpartition(":")[0]
            stated = attributes.pop(f"xmlns:{prefix}" if prefix else "xmlns", None)
            if stated is not None:
                self.document.namespace = stated
            if self._inside:
                self.document.attributes, self.document.found = attributes, True
            self._texts.clear()
            return
        if local == "audioBlockFormat" and self._open and isinstance(self._open[-1], Channel):
            self._texts.clear()
            self._blocks.start(self._open[-1], attributes)
            return
        if len(self._open) >= _DEEPEST:
            raise self.fail(f"elements stand more than {_DEEPEST} deep", self._line)
        kind = Channel if local == "audioChannelFormat" and not self._open else Element
        element = kind(local, {plain(key): plain(value) for key, value in attributes.items()}, self._line)
        if self._open:
            self._open[-1].children.append(element)
        self._open.append(element)
        self._texts.clear()

    def _end(self, name: str) -> None:
        if (
            name.rpartition(":")[2] == "audioBlockFormat"
            and self._open
            and isinstance(self._open[-1], Channel)
        ):
            return  # one that held another
        if not self._open:
            self._inside = self._inside and name.rpartition(":")[2] != _ROOT
            self._texts.clear()
            return
        element = self._open.pop()
        if not element.children:
            element.text = plain("".join(self._texts).strip())
        self._texts.clear()
        if not self._open:
            kept = self.document.elements[element.kind] if element.kind in KINDS else self.document.others
            kept.append(element)
