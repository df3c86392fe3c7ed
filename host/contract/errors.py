"""Every error Unbraid raises on purpose: what is wrong, where, and what to do about it.

All derive from `UnbraidError`, whose ``exit_code`` is the command line's exit status: 2 when
the request itself is wrong (graph, parameter, name), 1 when the work failed (file, node, disk).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Cancelled",
    "GraphError",
    "LayoutRefusedError",
    "MediaError",
    "MediaRequestError",
    "NodeError",
    "Place",
    "PluginError",
    "Problem",
    "ReaderGoneError",
    "UnbraidError",
    "nearest",
    "one_line",
    "plain",
]

#: Characters that break a line, do something to a terminal, or turn the direction of text round.
_UNSEEN = re.compile("[\x01-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file or "graph", a line (1-based) where known, and a dotted path."""

    source: str
    line: int | None = None
    path: str = ""

    def __str__(self) -> str:
        spot = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{spot}: {self.path}" if self.path else spot


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: its place, what it is, and the remedy (may be empty)."""

    place: Place
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}"
        return plain(f"{text}; {self.remedy}" if self.remedy else text)


class UnbraidError(Exception):
    """The base of every deliberate error. ``str()`` is one readable line for each problem."""

    exit_code: ClassVar[int] = 1


class GraphError(UnbraidError):
    """A graph that cannot run. ``problems`` lists everything found, in order of lines."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class PluginError(UnbraidError):
    """A plugin is unknown, ambiguous, broken, or breaks the contract."""

    exit_code = 2


class LayoutRefusedError(UnbraidError):
    """Raised by a card's ``layouts_for``: these inputs do not fit, and why."""

    exit_code = 2


class MediaError(UnbraidError):
    """A file or stream cannot be read or written. Names the file and the remedy, whatever the name holds."""

    def __init__(self, message: str) -> None:
        super().__init__(plain(message))


class MediaRequestError(MediaError):
    """What is asked of a file or stream cannot be: a track that is not there, a format that has no pipes."""

    exit_code = 2


class ReaderGoneError(MediaError):
    """The program that read an output through a pipe has closed it: no fault of the render's."""

    exit_code = 141


class NodeError(UnbraidError):
    """A node failed while audio was running.

    Attributes:
        node: the node's name in the graph.
        plugin: the id of its plugin.
        sample: first sample of the block in which it failed, in programme time at the graph's rate; None
            when no audio had run.
        place: where the node stands in the graph, if known.
    """

    def __init__(
        self,
        node: str,
        plugin: str,
        sample: int | None,
        reason: str,
        place: Place | None = None,
    ) -> None:
        self.node, self.plugin, self.sample, self.reason, self.place = node, plugin, sample, reason, place
        where = "" if place is None else f"{place}: "
        when = "" if sample is None else f" at sample {sample}"
        super().__init__(f"{where}node {node!r} ({plugin}) failed{when}: {reason}")


class Cancelled(UnbraidError):  # noqa: N818 - not a fault: the caller asked for it
    """The caller cancelled the render; nothing was left behind."""

    exit_code = 130


def plain(text: str) -> str:
    r"""Return a text that may hold a stranger's names as one line, which reads as it is.

    Example:
        >>> print(plain("take\n1.wav"))
        take\n1.wav
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(error: BaseException) -> str:
    r"""Return an error's text as one line, with its type unless it is one of ours.

    Example:
        >>> one_line(ValueError("two\nlines")), one_line(KeyError())
        ('ValueError: two lines', 'KeyError: no message')
    """
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, UnbraidError) else f"{type(error).__name__}: {text}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a remedy that offers the nearest known name, or lists them all when there are few.

    Example:
        >>> nearest("gian", ["gain", "mix"])
        "did you mean 'gain'?"
        >>> nearest("xyz", ["gain", "mix"])
        'known: gain, mix'
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "none is known"
    listed = ", ".join(names[:12])
    return f"known: {listed}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")
