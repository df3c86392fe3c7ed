"""File names that come from somewhere else, kept in the folder they are meant for."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from ..contract.errors import MediaError

__all__ = ["inside"]

_LONGEST = 255
#: Characters that turn the direction of text round, so that a name reads as another; and line breaks.
_ODD = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)}


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file of this name directly in a folder.

    The name is text of a stranger's (a graph, a manifest, an input's name), so it must be one plain name: no
    folder, nothing that leads elsewhere, nothing that a screen does not show.

    Raises:
        MediaError: it is not; says what is wrong with it.

    Example:
        >>> inside(Path("out"), "take.dialogue.wav").as_posix()
        'out/take.dialogue.wav'
        >>> inside(Path("out"), "../take.wav")
        Traceback (most recent call last):
        unbraid.host.contract.errors.MediaError: '../take.wav' is not a file name: it holds '/'
    """
    wrong = _wrong(name)
    if wrong:
        raise MediaError(f"{name[:80]!r} is not a file name: {wrong}")
    return folder / name


def _wrong(name: str) -> str:
    if not name.strip(". "):
        return "it holds nothing but dots"
    if "/" in name:
        return "it holds '/'"
    odd = next((letter for letter in name if letter in _ODD or unicodedata.category(letter) == "Cc"), "")
    if odd:
        return f"it holds the character U+{ord(odd):04X}, which no screen shows as it is"
    try:
        size = len(os.fsencode(name))
    except UnicodeEncodeError:
        return "it holds half a character, which no file's name can"
    return f"File name too long: it has {size} bytes of at most {_LONGEST}" if size > _LONGEST else ""
