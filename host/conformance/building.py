"""Checks that a plugin is there at all: its card is complete, its code builds, prepares and releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .check import Advice, Check, PromiseBrokenError
from .driven import Driven, calling
from .finding import Level
from .signals import noise

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["CHECKS", "builds", "card"]

_LATEST = 3_000_000  # samples of latency that are waited for


def card(subject: Subject) -> str | Advice:
    """Look at the card as a person would."""
    card, missing = subject.card, []
    for name in ("name", "version", "licence"):
        if not str(getattr(card, name)).strip():
            raise PromiseBrokenError(f"its {name} is blank", f"give the card a {name}")
    if not card.doc.strip():
        missing.append("doc")
    missing += [f"the doc of parameter {info.name!r}" for info in subject.infos if not info.doc.strip()]
    missing += [
        f"bounds of parameter {info.name!r}"
        for info in subject.infos
        if info.kind in {"number", "integer"} and info.ge is None and info.le is None
    ]
    if missing:
        return Advice(f"it lacks {', '.join(missing)}", "people and programs read them; give each one")
    return f"{len(subject.infos)} parameters, all with words and bounds"


def builds(subject: Subject) -> str:
    """Build, prepare, process until the first output is due and release; also release one never prepared."""
    with Driven(subject, subject.case) as driven:
        # A processor of segments calls its model only once the latency is over.
        driven.feed(noise(subject.case.inputs, max(256, min(driven.latency + 1, _LATEST))))
        told = f"latency {driven.latency}, tail {driven.tail} samples at {subject.case.rate} Hz"
    bare: Any = subject.registry.build(subject.card, subject.params)
    with calling(
        "release() of a processor that was never prepared", "let release() find nothing to give back"
    ):
        bare.release()
    return told


CHECKS = (
    Check("card", "the card says what the plugin is", Level.QUICK, card),
    Check("builds", "the code builds, prepares, processes and releases", Level.QUICK, builds),
)
