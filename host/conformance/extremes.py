"""Checks that silence, sound and difficult signals give finite output, and how long they take."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from .check import FINITE, Advice, Check, PromiseBrokenError
from .driven import Driven
from .finding import Level
from .signals import Programme, filled, noise, silence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..contract.audio import Layout
    from ..contract.processor import Array
    from .subject import Subject

__all__ = ["CHECKS", "EARLY", "extremes", "finite", "pace", "silence_and_sound"]

_SLOW = 5.0


def _repeated(shape: Array, channels: int) -> Array:
    return np.tile(shape, (channels, 1))


def _signals(inputs: Mapping[str, Layout], samples: int) -> Iterator[tuple[str, Programme]]:
    square = np.where(np.arange(samples) // 57 % 2, -1.0, 1.0).astype(np.float32)
    tiny = (np.random.default_rng(3).standard_normal(samples) * 1e-40).astype(np.float32)
    fastest = np.where(np.arange(samples) % 2, -1.0, 1.0).astype(np.float32)
    shapes: dict[str, Array] = {
        "denormals": tiny,
        "a full-scale square wave": square,
        "the fastest square wave": fastest,
        "direct current": np.ones(samples, np.float32),
    }
    yield "silence", silence(inputs, samples)
    for name, shape in shapes.items():
        yield name, filled(inputs, samples, partial(_repeated, shape))
    half = samples // 2
    yield "sound, then silence", noise(inputs, half).then(silence(inputs, samples - half))


def finite(outputs: Mapping[str, Array], what: str) -> None:
    """Raise unless every sample is a finite number.

    Raises:
        PromiseBrokenError: names the output and the first sample that is not.
    """
    for name, data in outputs.items():
        bad = ~np.isfinite(data)
        if bad.any():
            sample = int(bad.any(axis=0).argmax())
            value = data[int(bad[:, sample].argmax()), sample]
            raise PromiseBrokenError(
                f"{what} gives {value} in output {name!r} at sample {sample}",
                "guard divisions and logarithms (a floor under each), and keep powers inside float32",
            )


def silence_and_sound(subject: Subject) -> str:
    """Run noise, silence, and one after the other: what fails here would be told by many checks otherwise."""
    samples = subject.programme.samples
    finite(subject.reference, "noise")
    quiet = silence(subject.case.inputs, samples)
    finite(subject.fresh(quiet), "silence")
    half = samples // 2
    both = noise(subject.case.inputs, half).then(silence(subject.case.inputs, samples - half))
    finite(subject.fresh(both), "sound, then silence,")
    return "silence and noise give finite output"


def pace(subject: Subject) -> str | Advice:
    """Compare the quickest run so far with the time that its sound lasts."""
    runs = 1 / (subject.pace * subject.case.rate)
    told = f"{runs:.3g} times as fast as real time at {subject.case.rate} Hz"
    if runs < 1 and subject.card.realtime and not subject.card.passes_of(subject.case.params):
        return Advice(
            f"it claims to run live, but runs {told}", "say realtime=False on the card, or be faster"
        )
    return told


def extremes(subject: Subject) -> str | Advice:
    """Run each signal; the time of each is compared with that of noise."""
    samples = subject.programme.samples
    subject.afford(8 * samples)
    finite(subject.reference, "noise")
    usual, seen = 0.0, {}
    if subject.card.passes_of(subject.case.params):  # a programme may be empty
        with Driven(subject, subject.case) as driven:
            driven.learn(silence(subject.case.inputs, 0))
    for name, signal in [("noise", subject.programme), *_signals(subject.case.inputs, samples)]:
        with Driven(subject, subject.case) as driven:
            driven.learn(signal)
            began = perf_counter()
            found = driven.feed(signal)
            seconds = perf_counter() - began
        finite(found, name)
        usual = usual or seconds
        seen[name] = seconds / usual
    slowest = max(seen, key=seen.__getitem__)
    if seen[slowest] > _SLOW and seen[slowest] * usual > 0.02:
        return Advice(
            f"finite, but {slowest} takes {seen[slowest]:.1f} times as long as noise",
            "flush denormals in recursive filters, for example by adding and taking off 1e-20",
        )
    return f"finite; {slowest} takes longest, {seen[slowest]:.1f} times as long as noise"


EARLY = (
    Check("finite", "silence and sound give finite output", Level.QUICK, silence_and_sound, ("outputs",)),
)
CHECKS = (
    Check("pace", "how fast it runs (told, not required)", Level.STANDARD, pace),
    Check("extremes", "denormals and full scale give finite output", Level.STANDARD, extremes, FINITE),
)
