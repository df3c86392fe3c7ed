"""Check of parameters at their bounds: built with each, and set to each while sound runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import FINITE, Check, NotApplicableError, PromiseBrokenError, RefusedError
from .driven import Driven
from .extremes import finite
from .finding import Level
from .signals import noise

if TYPE_CHECKING:
    from ..contract.params import ParamInfo
    from .subject import Case, Subject

__all__ = ["CHECKS", "bounds"]

_SAMPLES = 2048


def bounds(subject: Subject) -> str:
    """Run at every bound; a `PluginError` is a clear refusal, for bounds that depend on the rate."""
    tried = refused = 0
    for info in subject.infos:
        for value in subject.edges(info):
            case = subject.changed(info.name, value)
            if case is None:
                continue
            tried += 1
            try:
                _built(subject, case)
                if info.automatable:
                    _moved(subject, case)
            except RefusedError:
                refused += 1
            except PromiseBrokenError as error:
                raise PromiseBrokenError(f"{case}, {error}", _remedy(info)) from None
    if not tried:
        raise NotApplicableError("it has no parameter with bounds")
    return f"{tried} bounds run" + (f", {refused} of them refused in words" if refused else "")


def _built(subject: Subject, case: Case) -> None:
    with Driven(subject, case) as driven:
        finite(driven.feed(noise(case.inputs, _SAMPLES)), "noise")


def _moved(subject: Subject, case: Case) -> None:
    """Set the bound while sound runs, and the default again."""
    with Driven(subject, subject.case) as driven:
        sound = noise(subject.case.inputs, _SAMPLES)
        driven.learn(sound).feed(sound)
        for params in (case.params, subject.params):
            driven.set(params)
            finite(driven.feed(sound), "noise after set()")


def _remedy(info: ParamInfo) -> str:
    return f"narrow the bounds of {info.name!r}, or let it run at {info.bounds}"


CHECKS = (
    Check(
        "bounds",
        "every parameter runs at its bounds, from the start and moved",
        Level.STANDARD,
        bounds,
        FINITE,
    ),
)
