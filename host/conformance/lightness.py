"""Check that a card costs next to nothing: its module loads fast, alone, and without heavy imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Advice, Check, NotApplicableError, PromiseBrokenError
from .finding import Level

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["CHECKS", "light"]

_REMEDY = "name the heavy code in the card's factory only, in another file: it loads when a node is built"


def light(subject: Subject) -> str | Advice:
    """Load the entry point's object alone, and ask its hooks."""
    from .entry_points import SLOW, look

    home = subject.registry.homes.get(subject.card.id, "")
    if not home:
        raise NotApplicableError("it was not brought by a module")
    looked = look([home], seconds=min(subject.seconds, 60.0))
    if not looked.points:
        raise NotApplicableError(f"its module {home} cannot be loaded alone")
    point = looked.points[0]
    if point.trouble:
        raise PromiseBrokenError(f"its module {home} {point.trouble} in a fresh interpreter", _REMEDY)
    if point.heavy:
        raise PromiseBrokenError(
            f"listing it imports {', '.join(point.heavy)} ({point.seconds:.2f} s)", _REMEDY
        )
    if point.seconds > SLOW:
        return Advice(
            f"slow import: {home} takes {point.seconds:.2f} s, and every command waits for it", _REMEDY
        )
    return f"{home} loads in {point.seconds * 1000:.0f} ms"


CHECKS = (Check("light", "the card loads at once and imports nothing heavy", Level.QUICK, light),)
