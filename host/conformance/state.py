"""Checks of state between runs: reset, prepare anew, two instances at once, set() without news."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .check import CUTS, REPEATS, Check, PromiseBrokenError
from .driven import Driven
from .finding import Level
from .signals import Programme, difference, noise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.processor import Array
    from .subject import Subject

__all__ = ["CHECKS", "instances", "reprepare", "reset", "same_set"]


def _other(subject: Subject) -> Programme:
    """Return another signal: half of it leaves a processor in the middle of something."""
    return noise(subject.case.inputs, subject.programme.samples // 2 + 777, seed=2)


def _must_match(subject: Subject, found: Mapping[str, Array], when: str, remedy: str) -> None:
    told = difference(found, subject.reference, subject.tolerance)
    if told is not None:
        raise PromiseBrokenError(f"{when}, {told}", remedy)


def reset(subject: Subject) -> str:
    """Process, reset, and compare with a fresh instance; what was learnt beforehand stays."""
    subject.afford(2 * subject.programme.samples)
    with Driven(subject, subject.case) as driven:
        driven.learn(subject.programme).feed(_other(subject))
        driven.reset()
        found = driven.feed(subject.programme)
        _must_match(
            subject,
            found,
            "after reset()",
            "let reset() forget all of the signal: filters, delays, counters; draw anew from spec.seed",
        )
    return "after reset() it is as fresh"


def reprepare(subject: Subject) -> str:
    """Run under other terms, release, prepare anew, and compare with a fresh instance."""
    subject.afford(2 * subject.programme.samples)
    with Driven(subject, subject.case) as driven:
        driven.learn(_other(subject)).feed(_other(subject))
        driven.release()
        driven.prepare()
        found = driven.learn(subject.programme).feed(subject.programme)
        _must_match(
            subject,
            found,
            "after release() and prepare()",
            "let prepare() make all state anew, from the parameters and the spec alone",
        )
    return "prepared anew it is as fresh"


def instances(subject: Subject) -> str:
    """Run another instance in between, block by block."""
    subject.afford(2 * subject.programme.samples)
    half = subject.programme.samples // 2
    parts = [
        Programme(half, {name: data[:, :half] for name, data in subject.programme.ports.items()}),
        Programme(
            subject.programme.samples - half,
            {name: data[:, half:] for name, data in subject.programme.ports.items()},
        ),
    ]
    other = _other(subject)
    with Driven(subject, subject.case) as one, Driven(subject, subject.case) as two:
        one.learn(subject.programme)
        two.learn(other)
        first = one.feed(parts[0])
        two.feed(other)
        second = one.feed(parts[1])
    found = {name: np.concatenate([first[name], second[name]], axis=1) for name in first}
    _must_match(
        subject,
        found,
        "while a second instance runs",
        "keep state in self, never in the class, the module or a default argument",
    )
    return "two instances do not hear each other"


def same_set(subject: Subject) -> str:
    """Set the parameters that are in force already, before every block."""
    size = 1024
    with Driven(subject, subject.case) as driven:
        driven.learn(subject.programme)
        made = []
        for at in range(0, subject.programme.samples, size):
            n = min(size, subject.programme.samples - at)
            piece = Programme(n, {k: data[:, at : at + n] for k, data in subject.programme.ports.items()})
            driven.set(subject.params)
            made.append(driven.feed(piece))
    found = {name: np.concatenate([each[name] for each in made], axis=1) for name in made[0]}
    _must_match(
        subject,
        found,
        "after set() with unchanged parameters",
        "let set() take the new values and leave the signal's state alone",
    )
    return "set() with nothing new changes nothing"


CHECKS = (
    Check("reset", "reset() gives a fresh instance's output", Level.QUICK, reset, REPEATS),
    Check(
        "reprepare", "release() and prepare() give a fresh instance's output", Level.QUICK, reprepare, REPEATS
    ),
    Check("instances", "two instances share no state", Level.STANDARD, instances, CUTS),
    Check("set", "set() with unchanged parameters is not heard", Level.STANDARD, same_set, CUTS),
)
