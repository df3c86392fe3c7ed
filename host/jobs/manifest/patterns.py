"""Patterns of file names, as shells have them, and the files below a folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from .errors import RefusedError
from .roots import ODD

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["compiled", "walk"]

#: Reels as they are written: R1, r01, Reel 2, 3A; "lp" and "longplay" stand for all in one.
_REEL = r"(?:(?:[Rr](?:eel)?[ _-]?)?[0-9]{1,3}[A-Za-z]?|[Ll][Pp]|[Ll]ong ?[Pp]lay)"
_FIELDS = {"title": r"[^/.][^/]*", "reel": _REEL}
_MOST = 8  # more would make a name slow to compare
_TOKEN = re.compile(r"\{([^{}]*)\}|\*\*/|\*\*|\*|\?|\[!?[^/\[\]]+\]|.", re.DOTALL)


def compiled(pattern: str, fields: Collection[str] = ()) -> re.Pattern[str]:
    """Return a pattern of paths below a root as a regular expression.

    ``*`` stands for any part of a name, ``?`` for a character, ``[ab]`` for one of several, ``**/`` for any
    folders or none. Names that begin with a dot match only what writes the dot.

    Args:
        pattern: with ``/`` between folders.
        fields: names in braces that it may hold, each a group of that name: "title", "reel". A field that
            stands twice is the same text both times.

    Raises:
        RefusedError: it leads out of its root, or has fields that are not known here.

    Example:
        >>> [bool(compiled(each).fullmatch("a/b/take.wav")) for each in ("**/*.wav", "*.wav", "a/?/t*")]
        [True, False, True]
        >>> compiled("{title}/{title}_DX.wav", ["title"]).fullmatch("Dune/Dune_DX.wav")["title"]
        'Dune'
    """
    parts = pattern.split("/")
    if (
        not pattern
        or ODD.search(pattern)
        or "\\" in pattern
        or "" in parts
        or not {".", ".."}.isdisjoint(parts)
    ):
        raise RefusedError(
            f"{pattern!r:.80} is no pattern of files below a root",
            "write one like **/*.wav, relative and with /",
        )
    tokens = list(_TOKEN.finditer(pattern))
    if sum(token[0][0] in "*?[{" for token in tokens) > _MOST:
        raise RefusedError(
            f"{pattern!r:.80} has more than {_MOST} wildcards and fields", "write several patterns"
        )
    made, seen, at_start = "", set[str](), True
    for token in tokens:
        piece = _piece(token, fields, seen)
        wild = token[0][0] in "*?["
        made += f"(?!\\.){piece}" if wild and at_start and token[0] != "**/" else piece
        at_start = token[0].endswith("/")
    try:
        return re.compile(made, re.DOTALL)
    except re.error:
        raise RefusedError(
            f"{pattern!r:.80} has brackets that hold no characters", "write them as [a-z]"
        ) from None


def _piece(token: re.Match[str], fields: Collection[str], seen: set[str]) -> str:
    text, field = token[0], token[1]
    if field is not None:
        if field not in fields:
            known = " and ".join(f"{{{each}}}" for each in fields)
            raise RefusedError(
                f"the field {text:.40} is not known here", f"known: {known}" if known else "write *"
            )
        if field in seen:
            return f"(?P={field})"
        seen.add(field)
        return f"(?P<{field}>{_FIELDS[field]})"
    simple = {"**/": r"(?:[^/.][^/]*/)*", "**": "[^/]*", "*": "[^/]*", "?": "[^/]"}
    if text in simple:
        return simple[text]
    if text.startswith("[") and len(text) > 1:
        inner = text[1:-1]
        return f"[^/{_set(inner[1:])}]" if inner.startswith("!") else f"[{_set(inner)}]"
    return re.escape(text)


def _set(inner: str) -> str:
    return inner.replace("\\", r"\\").replace("^", r"\^").replace("&&", r"\&&")


def walk(root: str, skipped: Collection[str] = ()) -> Iterator[str]:
    """Yield the paths of files below a folder, relative to it, in order of names within each folder.

    Links to folders are not followed; what is no folder is yielded, whatever it is. Folders whose names begin
    with a dot are left out, and so are those in ``skipped`` (absolute, without links).

    Raises:
        RefusedError: a folder cannot be read.
    """
    open_folders = [""]
    while open_folders:
        below = open_folders.pop()
        folders: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(f"{root}/{below}") as entries:
                for entry in entries:
                    (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
        except OSError as error:
            message = f"the folder {below or root!r:.200} cannot be read: {error.strerror}"
            raise RefusedError(message, "ask for the right to read it") from None
        for name in sorted(files):
            yield below + name
        open_folders += [
            f"{below}{name}/"
            for name in sorted(folders, reverse=True)
            if not name.startswith(".") and f"{root.rstrip('/')}/{below}{name}" not in skipped
        ]
