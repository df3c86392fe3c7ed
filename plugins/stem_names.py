"""Names of stems, as parameters hold them: each becomes a port."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_stem_names"]

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def check_stem_names(names: Sequence[str], most: int) -> None:
    """Raise unless these can be the ports of a node.

    Raises:
        ValueError: there are more than ``most``, or one is no name, or stands there twice.

    Example:
        >>> check_stem_names(["dx", "dx"], 8)
        Traceback (most recent call last):
        ValueError: stems: 'dx' stands there twice
    """
    if len(names) > most:
        raise ValueError(f"stems: give at most {most} names, not {len(names)}")
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"stems: {name!r} must be of letters, digits, dashes and underscores")
        if names.count(name) > 1:
            raise ValueError(f"stems: {name!r} stands there twice")
