"""Checks of the terms in `Spec` that must not be heard: live or not, the programme's length known or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..contract.segment_processor import SegmentProcessor
from .check import REPEATS, Check, NotApplicableError, PromiseBrokenError
from .driven import Driven
from .finding import Level
from .signals import difference, noise, silence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.processor import Array
    from .subject import Subject

__all__ = ["CHECKS", "length", "live"]

_ROUNDING = 1e-4  # of the peak: what a model may round otherwise in a batch of one
_PROGRAMME = 20_000  # samples


def _part(outputs: Mapping[str, Array], first: int, samples: int) -> dict[str, Array]:
    return {name: np.ascontiguousarray(data[:, first : first + samples]) for name, data in outputs.items()}


def live(subject: Subject) -> str:
    """Run under a deadline's terms, and compare with the usual run, each shifted by its own latency.

    A plugin gives the same bits; one of segments, whose batch is 1 when live, the same to 1e-4 of the peak:
    that is far more than a model's rounding, and far less than what one segment of a batch does to another.
    Segments are compared so whether the card says that they run live or not.
    """
    if subject.card.passes_of(subject.case.params):
        raise NotApplicableError("it hears the programme first, so it cannot run live")
    with Driven(subject, subject.case) as usual:
        segments = isinstance(usual.processor, SegmentProcessor)
    if not subject.card.realtime and not segments:
        raise NotApplicableError("its card says that it does not run live")
    try:
        driven = Driven(subject, subject.case, realtime=True)
    except PromiseBrokenError as error:
        if not subject.card.realtime:
            raise NotApplicableError("it does not run live, and refuses to be prepared so") from None
        raise PromiseBrokenError(
            f"under Spec(realtime=True), {error}", "let it run live too, or say realtime=False on the card"
        ) from None
    with driven:
        programme, usual_run = subject.programme, subject.reference
        if driven.latency > subject.latency:
            programme = noise(subject.case.inputs, driven.latency + _PROGRAMME)
            subject.afford(2 * programme.samples)
            usual_run = subject.fresh(programme)
        subject.afford(programme.samples)
        try:
            found = driven.feed(programme)
        except PromiseBrokenError as error:
            raise PromiseBrokenError(f"under Spec(realtime=True), {error}", error.remedy) from None
        late = driven.latency
    told = difference(
        _part(found, late, _PROGRAMME),
        _part(usual_run, subject.latency, _PROGRAMME),
        _ROUNDING if segments else subject.tolerance,
    )
    if told is not None:
        remedy = "let the output be the same live; take what needs no deadline out, or make it fast enough"
        if segments:
            remedy = "treat each segment of a batch by itself: no statistics, no normalising over the batch"
        raise PromiseBrokenError(
            f"live and over files part, counted from the latency of each: {told}", remedy
        )
    how = "to 1e-4 of the peak, in batches of one" if segments else "as over files"
    return f"live, its output is the same {how}, after {late} samples"


def length(subject: Subject) -> str:
    """Run a programme and what drains it, once with its length known and once without."""
    late = subject.latency
    subject.afford(2 * (_PROGRAMME + late))
    programme = noise(subject.case.inputs, _PROGRAMME)
    whole = programme.then(silence(subject.case.inputs, late))
    made = []
    for known in (None, _PROGRAMME):
        try:
            with Driven(subject, subject.case, length=known) as driven:
                made.append(driven.learn(programme).feed(whole))
        except PromiseBrokenError as error:
            when = "with" if known else "without"
            raise PromiseBrokenError(
                f"{when} a length in its Spec, {error}", "let it run with a length and with None"
            ) from None
    told = difference(made[1], made[0], subject.tolerance)
    if told is not None:
        raise PromiseBrokenError(
            f"when the programme's length is known, {told}",
            "use Spec.length only to spare work past the programme's end: over a pipe it is None",
        )
    return "the output is the same whether the programme's length is known or not"


CHECKS = (
    Check("live", "live, the output is the same", Level.STANDARD, live, REPEATS),
    Check("length", "the output does not depend on the programme's length", Level.STANDARD, length, REPEATS),
)
