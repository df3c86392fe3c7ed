"""XML as text: elements one by one, so that millions of blocks never stand in memory together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["around", "empty", "leaf", "number"]

#: What XML 1.0 cannot hold, even escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(_FORBIDDEN.sub('?', value))}" for name, value in values.items())


def leaf(name: str, text: str, **attributes: str) -> str:
    r"""Return an element that holds text.

    Example:
        >>> leaf("gain", "0.5", gainUnit="linear")
        '<gain gainUnit="linear">0.5</gain>\n'
    """
    return f"<{name}{_attributes(attributes)}>{escape(_FORBIDDEN.sub('?', text))}</{name}>\n"


def empty(name: str, **attributes: str) -> str:
    """Return an element without content."""
    return f"<{name}{_attributes(attributes)}/>\n"


def around(name: str, inside: Iterable[str], **attributes: str) -> Iterator[str]:
    """Yield an element with what it holds."""
    yield f"<{name}{_attributes(attributes)}>\n"
    yield from inside
    yield f"</{name}>\n"


def number(value: float) -> str:
    """Return a number with at most six decimals and no more than it needs.

    Example:
        >>> number(-0.0), number(30.1), number(1 / 3)
        ('0', '30.1', '0.333333')
    """
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
