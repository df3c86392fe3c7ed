"""Check of sample rates: 8 to 192 kHz, each run or refused in words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .check import FINITE, Check, PromiseBrokenError, RefusedError
from .driven import Driven
from .extremes import finite
from .finding import Level
from .graphs import run
from .signals import noise

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["CHECKS", "islands", "rates"]

_RATES = {
    Level.QUICK: (44100, 48000),
    Level.STANDARD: (8000, 44100, 96000, 192_000),
    Level.STRICT: (8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 176_400, 192_000),
}


def rates(subject: Subject) -> str:
    """Prepare and run at each rate; a `PluginError` from prepare() is a clear refusal."""
    tried = subject.rates or _RATES[subject.level]
    refused = []
    for rate in tried:
        case = replace(subject.case, rate=rate, label=f"a rate of {rate} Hz")
        try:
            with Driven(subject, case) as driven:
                programme = noise(case.inputs, min(driven.latency, 20_000) + 4096)
                subject.afford(programme.samples)
                finite(driven.feed(programme), str(case))
        except RefusedError as error:
            if rate in subject.rates:
                raise PromiseBrokenError(
                    f"its card names {rate} Hz, but {error}",
                    f"take {rate} off the card's rates, or run there",
                ) from None
            refused.append(rate)
        except PromiseBrokenError as error:
            raise PromiseBrokenError(
                f"at {rate} Hz, {error}",
                "run at any rate, name yours in the card's rates, or refuse in prepare() with a PluginError",
            ) from None
    told = f"{len(tried) - len(refused)} rates run"
    return told + (f", refused in words: {', '.join(map(str, refused))} Hz" if refused else "")


def islands(subject: Subject) -> str:
    """Run in a graph of another rate, where the host resamples around a plugin that names its rates."""
    other = next(rate for rate in (48000, 44100, 32000) if rate not in subject.rates)
    rate = other if subject.rates else subject.case.rate
    programme = noise(subject.case.inputs, 9600)
    subject.afford(programme.samples + 2 * subject.latency)
    for name, data in run(subject, programme, rate=rate).items():
        finite({name: data}, f"a graph at {rate} Hz")
        if data.shape[1] != programme.samples:
            raise PromiseBrokenError(
                f"output {name!r} has {data.shape[1]} samples of {programme.samples}",
                "fill outs, which are as long as ins",
            )
    around = "resampled around it" if subject.rates else "as it is"
    return f"a graph at {rate} Hz, {around}, gives outputs of the input's length"


CHECKS = (
    Check("rates", "every rate from 8 to 192 kHz runs or is refused in words", Level.STANDARD, rates, FINITE),
    Check("graph", "in a graph, outputs have the input's length", Level.STANDARD, islands, FINITE),
)
