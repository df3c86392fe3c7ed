"""Paths of a manifest, kept below the folders that it declares.

A path is judged twice: as text (nothing that leads out of a root, nothing that no screen shows), then on the
disk, where a link may lead anywhere. What comes out holds no link, so whoever opens it later can ask with
`unmoved` whether that is still so.

Not covered: the instant between that question and the opening; hard links and mounts below a root, which look
like any file or folder there.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ODD", "Found", "Roots", "unmoved"]

_LONGEST_NAME, _LONGEST, _DEEPEST = 255, 4095, 100
_KEPT = 4096  # folders

_ODD = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
#: Characters that no screen shows as they are: controls, what turns the direction of text round, and halves
#: of characters, by which bytes that are not UTF-8 are known.
ODD = re.compile(f"[{_ODD}]")
# Names between single slashes, none long or with a dot, space or tilde ahead: most paths, in one look.
_PLAIN = rf"[^/ .~:\\{_ODD}][^/:\\{_ODD}]{{0,61}}"
_EASY = re.compile(rf"/?(?:{_PLAIN}/){{0,15}}{_PLAIN}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:$")

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class Found(NamedTuple):
    """A file below a root.

    Attributes:
        path: absolute, without links.
        folder: of the file below its root, as the manifest spells it; "" for the root itself.
        name: of the file, as the manifest spells it.
        there: whether it exists.
    """

    path: str
    folder: str
    name: str
    there: bool


class Roots:
    """The folders below which a manifest's files lie.

    Args:
        folders: absolute, or relative to ``base``; a link as a root stands for the folder that it names.
        base: the manifest's folder.

    Raises:
        RefusedError: a root is no folder, or cannot be read.

    Example:
        >>> Roots(["."], "/usr").find("../etc/x")
        Traceback (most recent call last):
        unbraid.host.jobs.manifest.errors.RefusedError: '../etc/x' leads out of the roots; declare its folder in them
    """  # noqa: E501 - an example's line

    def __init__(self, folders: Sequence[Any], base: str) -> None:
        self.folders: tuple[str, ...] = tuple(dict.fromkeys(_real_root(each, base) for each in folders))
        # An absolute path may spell a root as it was declared or as it is; the longest says where it lies.
        spelt = [(os.path.normpath(os.path.join(base, each)), _real_root(each, base)) for each in folders]  # noqa: PTH118
        both = dict([*spelt, *((real, real) for real in self.folders)])
        self._spelt = sorted(both.items(), key=lambda pair: -len(pair[0]))
        self._seen: dict[str, list[tuple[str, str, bool]]] = {}

    def find(self, text: str) -> Found:
        """Return the file that a manifest's path means: below the first root that has it, else the first.

        A file that is not there is found all the same, with ``there`` false: that is its job's own failure.

        Args:
            text: relative to the roots, or absolute and below one of them; always with ``/``.

        Raises:
            RefusedError: it leads out of the roots, by its text or by a link; it is no plain file's; its text
                holds what no name should.
        """
        if not _EASY.fullmatch(text):
            text = _tidy(text)
        folder, _, name = text.rpartition("/")
        if not folder and text[0] == "/":
            folder = "/"
        places = self._seen.get(folder) or self._enter(folder, text)
        missing = ""
        for real, below, there in places:
            path = f"{real}/{name}" if real != "/" else f"/{name}"
            mode = _mode(path, text, os.lstat) if there else 0
            if mode and not stat.S_ISREG(mode):
                path, mode = self._not_plain(path, mode, text)
            if mode:
                return Found(path, below, name, there=True)
            missing = missing or path
        return Found(missing, places[0][1], name, there=False)

    def holds(self, real: str) -> bool:
        """Return whether an absolute path without links lies below a root."""
        return any(_below(real, root) is not None for root in self.folders)

    def _enter(self, folder: str, text: str) -> list[tuple[str, str, bool]]:
        """Return where a folder may lie: its real path, its path below the root, and whether it is there."""
        if folder.startswith("/"):
            places = self._absolute(folder, text)
        elif not folder:
            places = [(root, "", True) for root in self.folders]
        else:
            above, _, name = folder.rpartition("/")
            outer = self._seen.get(above) or self._enter(above, text)
            places = [self._step(*place, name, text) for place in outer]
        if len(self._seen) >= _KEPT:
            self._seen.clear()
        self._seen[folder] = places
        return places

    def _absolute(self, folder: str, text: str) -> list[tuple[str, str, bool]]:
        for spelt, real in self._spelt:
            below = _below(folder, spelt)
            if below is None:
                continue
            place = (real, "", True)
            for name in filter(None, below.split("/")):
                place = self._step(*place, name, text)
            return [place]
        raise RefusedError(
            f"{text!r:.200} lies in none of the roots {', '.join(self.folders)}", "declare its folder in them"
        )

    def _step(self, real: str, below: str, there: bool, name: str, text: str) -> tuple[str, str, bool]:  # noqa: FBT001
        """Go one folder further down, through a link if need be."""
        path = f"{real.rstrip('/')}/{name}"
        inner = f"{below}/{name}" if below else name
        if not there:
            return path, inner, False
        mode = _mode(path, text, os.lstat)
        if mode and stat.S_ISLNK(mode):
            path, mode = self._follow(path, text)
        if mode and not stat.S_ISDIR(mode):
            raise RefusedError(f"{text!r:.200}: {inner!r:.200} is no folder", "name a file")
        return path, inner, bool(mode)

    def _not_plain(self, path: str, mode: int, text: str) -> tuple[str, int]:
        """Return the plain file, and its mode, to which a link leads; a mode of 0 when that is not there."""
        if stat.S_ISLNK(mode):
            path, mode = self._follow(path, text)
        if mode and not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "no plain file")
            raise RefusedError(f"{text!r:.200} is {kind}", "name a file that can be read again")
        return path, mode

    def _follow(self, link: str, text: str) -> tuple[str, int]:
        """Return where a link leads, which must be inside, and the mode of what is there; 0 for nothing."""
        real = os.path.realpath(link)
        if not self.holds(real):
            raise RefusedError(
                f"{text!r:.200} leads through the link {link} out of the roots, to {real}",
                "declare the folder where it leads, or copy the file",
            )
        return real, _mode(link, text, os.stat)


def unmoved(path: str) -> bool:
    """Return whether a path of a `Job` still holds no link, on the way or at its end; ask before opening it.

    Example:
        >>> unmoved("/dev/null"), unmoved("/proc/self/root")
        (True, False)
    """
    return os.path.realpath(path) == path


def _mode(path: str, text: str, look: Callable[[str], os.stat_result]) -> int:
    try:
        return look(path).st_mode
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unseen(text, error) from None


def _unseen(text: str, error: OSError) -> RefusedError:
    return RefusedError(f"{text!r:.200} cannot be looked up: {error.strerror}", "check its folders and links")


def _below(path: str, root: str) -> str | None:
    """Return a path below a root, "" for the root itself; None for one that is not."""
    if path == root:
        return ""
    start = root if root.endswith("/") else f"{root}/"
    return path[len(start) :] if path.startswith(start) else None


def _real_root(folder: Any, base: str) -> str:
    if not isinstance(folder, str) or not folder.strip():
        raise RefusedError(f"a root is a folder, not {folder!r:.80}", "name a folder")
    if ODD.search(folder):
        raise RefusedError(
            f"the root {folder!r:.200} holds a character that no screen shows", "rename the folder"
        )
    if folder.startswith("~") or _SCHEME.match(folder) or "\\" in folder:
        raise RefusedError(f"the root {folder!r:.200} is no path", "write the folder's path out, with /")
    path = os.path.realpath(os.path.join(base, folder))  # noqa: PTH118
    if not os.path.isdir(path):  # noqa: PTH112
        raise RefusedError(f"the root {folder!r:.200} is no folder: {path}", "create it, or name another")
    if not os.access(path, os.R_OK | os.X_OK):
        raise RefusedError(f"the root {folder!r:.200} cannot be read: {path}", "ask for the right to read it")
    return path


def _tidy(text: str) -> str:
    """Return a path without ``.``, ``..`` and doubled slashes, judged by its text alone."""
    _check_characters(text)
    if text.startswith("~"):
        raise RefusedError(f"{text!r:.200} begins with ~", "write the folder out; ./~name for such a name")
    if _SCHEME.match(text):
        raise RefusedError(f"{text!r:.200} is an address, not a path", "write the file's path")
    if "\\" in text or _DRIVE.match(text.partition("/")[0]):
        raise RefusedError(f"{text!r:.200} is not written as paths are here", "write / between folders")
    if text.endswith(("/", "/.", "/..")) or text in {".", ".."}:
        raise RefusedError(f"{text!r:.200} names a folder", "name a file")
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            if not parts:
                raise RefusedError(f"{text!r:.200} leads out of the roots", "declare its folder in them")
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    _measure(text, parts)
    return ("/" if text.startswith("/") else "") + "/".join(parts)


def _check_characters(text: str) -> None:
    if not text.strip():
        raise RefusedError("is empty", "write a file's name")
    if odd := ODD.search(text):
        if "\ud800" <= odd[0] <= "\udfff":
            raise RefusedError(f"{text!r:.200} is not UTF-8", "rename the file")
        raise RefusedError(
            f"{text!r:.200} holds the character U+{ord(odd[0]):04X}, which no screen shows as it is",
            "rename the file",
        )


def _measure(text: str, parts: list[str]) -> None:
    longest = max(len(part.encode()) for part in parts)
    if longest > _LONGEST_NAME:
        message = f"{text!r:.80} holds a name of {longest} bytes, of at most {_LONGEST_NAME}"
        raise RefusedError(message, "give it a shorter name")
    if len(text.encode()) > _LONGEST or len(parts) > _DEEPEST:
        message = f"{text!r:.80} is longer than {_LONGEST} bytes or deeper than {_DEEPEST} folders"
        raise RefusedError(message, "put it higher up")
