"""Check of `findings()`: what a plugin tells the render's report is plain, small, and there at any time."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from .check import Check, NotApplicableError, PromiseBrokenError
from .driven import Driven, calling
from .finding import Level
from .signals import noise

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["CHECKS", "findings"]

_MOST = 64 << 10  # characters of all names and texts
_REMEDY = 'return names with numbers or texts, for example {"loudness / LUFS": -23.4}'


def _asked(driven: Driven, when: str) -> int:
    """Return how many findings there are, if all of them are plain."""
    with calling(f"findings() {when}", "answer at any time after prepare(); without news return {}"):
        found: Any = driven.processor.findings()
    if not isinstance(found, Mapping):
        raise PromiseBrokenError(f"findings() {when} gave a {type(found).__name__}", _REMEDY)
    size = 0
    for name, value in found.items():
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, (str, Real)):
            raise PromiseBrokenError(
                f"findings() {when} gave {name!r}: a {type(value).__name__}, neither number nor text", _REMEDY
            )
        size += len(name) + (len(value) if isinstance(value, str) else 8)
    if size > _MOST:
        raise PromiseBrokenError(
            f"findings() {when} gave {size} characters", f"tell what matters, in {_MOST} characters at most"
        )
    return len(found)


def findings(subject: Subject) -> str:
    """Ask after prepare() and after a run."""
    programme = noise(subject.case.inputs, 4096)
    with Driven(subject, subject.case) as driven:
        if not hasattr(driven.processor, "findings"):
            raise NotApplicableError("it has no findings()")
        _asked(driven, "before a run")
        driven.learn(programme).feed(programme)
        count = _asked(driven, "after a run")
    return f"{count} findings, plain and small"


CHECKS = (
    Check("findings", "findings() are numbers and texts, few and at any time", Level.STANDARD, findings),
)
