"""Checks of parameters that move: no clicks, and the same output for any block sizes.

A steady sine runs through the plugin while one parameter moves. A click is a jump between neighbouring
samples that a sine does not have: the largest second difference, as a share of the output's level around it,
or of a tenth of its loudest level where that is more (a click far below what sounds before and after is not
heard). A hard change of gain by a factor g at full swing gives ``|1 - g|``; a 200 Hz sine alone gives 0.0007.
A linear lane that crosses the whole range in one second must stay below 0.05 (-26 dB) beyond twice what the
output has when nothing moves. The host moves linear lanes on a grid of 64 samples, so a plugin that applies
each value at once passes when its range is small for 750 steps, as 180 dB of gain are (0.028).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .check import CUTS, FINITE, Advice, Check, NotApplicableError, PromiseBrokenError, RefusedError
from .driven import Driven
from .finding import Level
from .graphs import run
from .signals import Programme, difference, noise, sine

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from ..contract.params import ParamInfo
    from ..contract.processor import Array
    from .subject import Subject

__all__ = ["CHECKS", "automation_cuts", "click", "moves", "steps"]

_HERTZ, _LEVEL = 200.0, 0.25
_ALLOWED = 0.05
_REST, _MOVE, _END = 0.2, 1.0, 1.5  # seconds: steady, then moving for so long, then steady to the end
_STEP = 0.25 + 0.25 / _HERTZ  # seconds: where the sine is at its crest
_SILENT = 1e-5


def click(data: Array, period: int) -> npt.NDArray[np.float64]:
    """Return the second difference as a share of the level around it, ``[samples - 2]``, the worst channel.

    Args:
        data: float32 ``[channels, samples]``.
        period: of the sine that went in, in samples: the stretch over which a level is measured.

    Example:
        >>> t = np.arange(4800)
        >>> wave = np.sin(2 * np.pi * 200 / 48000 * t)[None].astype(np.float32)
        >>> round(float(click(wave, 240).max()), 4)
        0.0007
        >>> wave[:, 2460:] *= 0.5
        >>> round(float(click(wave, 240).max()), 2)
        0.5
    """
    exact = data.astype(np.float64)
    bend = np.abs(np.diff(exact, 2, axis=1))
    whole = data.shape[1] // period * period
    crests = np.abs(exact[:, :whole]).reshape(len(data), -1, period).max(axis=2)
    wide = np.pad(crests, ((0, 0), (1, 1)), mode="edge")
    around = np.maximum(np.maximum(wide[:, :-2], wide[:, 1:-1]), wide[:, 2:])
    level = np.repeat(around, period, axis=1)
    level = np.pad(level, ((0, 0), (0, max(0, bend.shape[1] - level.shape[1]))), mode="edge")[
        :, : bend.shape[1]
    ]
    level = np.maximum(level, 0.1 * crests.max(axis=1, initial=0)[:, None])
    share: npt.NDArray[np.float64] = np.where(level > _SILENT, bend / np.maximum(level, _SILENT), 0.0)
    return np.asarray(share.max(axis=0))


def _range(subject: Subject, info: ParamInfo) -> tuple[float, float] | None:
    """Return the widest range the plugin accepts; bounds that the rate forbids move towards the default."""
    own = float(getattr(subject.params, info.name))
    ends = []
    for bound in (info.ge, info.le):
        end = own if bound is None else float(bound)
        for _ in range(10):
            if _accepts(subject, info.name, end):
                break
            end = own + (end - own) / 2
        else:
            end = own
        ends.append(end)
    low, high = ends
    return (low, high) if high > low else None


def _accepts(subject: Subject, name: str, value: float) -> bool:
    case = subject.changed(name, value)
    if case is None:
        return False
    try:
        with Driven(subject, case):
            return True
    except RefusedError:
        return False


def _movable(subject: Subject) -> Iterator[tuple[ParamInfo, tuple[float, float]]]:
    """Yield the numbers that can be automated, with their range.

    Raises:
        NotApplicableError: there is none, or no input to hear them by.
    """
    found = False
    for info in subject.infos:
        if info.automatable and info.kind == "number" and subject.case.inputs:
            ends = _range(subject, info)
            if ends is not None:
                found = True
                yield info, ends
    if not found:
        raise NotApplicableError("it has no number that can be automated")


def _steady(subject: Subject, seconds: float) -> Programme:
    rate = subject.case.rate
    return sine(subject.case.inputs, round(seconds * rate), _HERTZ, rate, _LEVEL)


def _worst(
    subject: Subject, name: str, ends: tuple[float, float], seconds: float, curve: str
) -> tuple[float, float]:
    """Return the largest click while the parameter moves, and the largest while it stands."""
    low, high = ends
    rate, period = subject.case.rate, round(subject.case.rate / _HERTZ)
    points: list[tuple[Any, Any]] = [(0, low), (_STEP, high)]
    first, last = _STEP - 0.01, _STEP + 0.1
    if curve == "linear":
        points = [(0, low), (_REST, low), (_REST + _MOVE, high)]
        first, last = _REST - 0.01, _REST + _MOVE + 0.1
    subject.afford(round(seconds * rate) + subject.latency)
    made = run(subject, _steady(subject, seconds), lanes={name: points}, curve=curve)
    moving = standing = 0.0
    for data in made.values():
        share = click(data, period)
        begun, start, stop = (round(second * rate) for second in (0.05, first, last))
        moving = max(moving, float(share[start:stop].max(initial=0)))
        rest = np.concatenate([share[begun:start], share[stop:]])
        standing = max(standing, float(rest.max(initial=0)))
    return moving, standing


def _told(info: ParamInfo, ends: tuple[float, float], moving: float, standing: float) -> str:
    return (
        f"{info.name} from {ends[0]:g} to {ends[1]:g} {info.unit}".rstrip()
        + f" jumps by {moving:.2g} of the level ({20 * np.log10(max(moving, 1e-9)):.0f} dB), "
        f"at rest by {standing:.2g}"
    )


def moves(subject: Subject) -> str:
    """Cross each parameter's range in a second, in a straight line."""
    worst = ""
    most = -1.0
    for info, ends in _movable(subject):
        moving, standing = _worst(subject, info.name, ends, _END, "linear")
        if moving > 2 * standing + _ALLOWED:
            raise PromiseBrokenError(
                _told(info, ends, moving, standing) + f"; allowed are {_ALLOWED:g}",
                "glide to the new value over some milliseconds, or take it at every frame, not in lumps",
            )
        if moving > most:
            most, worst = moving, _told(info, ends, moving, standing)
    return f"no clicks; {worst}"


def steps(subject: Subject) -> str | Advice:
    """Step each parameter from end to end, at the crest of the sine."""
    worst = []
    for info, ends in _movable(subject):
        moving, standing = _worst(subject, info.name, ends, 0.5, "step")
        if moving > 2 * standing + _ALLOWED:
            worst.append(_told(info, ends, moving, standing))
    if worst:
        return Advice(
            "a step is heard as a click: " + "; ".join(worst),
            "glide over some milliseconds inside the plugin, or say in its doc that lanes should be linear",
        )
    return "a step from end to end does not click"


def automation_cuts(subject: Subject) -> str:
    """Move every number at once, in two cuts of the signal."""
    lanes: dict[str, list[tuple[Any, Any]]] = {
        info.name: [(0, ends[0]), (0.15, ends[1]), (0.2, ends[0])] for info, ends in _movable(subject)
    }
    programme = noise(subject.case.inputs, 12_000)
    subject.afford(2 * (programme.samples + subject.latency))
    wanted = run(subject, programme, lanes=lanes)
    found = run(subject, programme, lanes=lanes, blocks=[1, 63, 64, 65, 7, 1000, 37] * 9)
    told = difference(found, wanted, subject.tolerance)
    if told is not None:
        raise PromiseBrokenError(
            f"while {', '.join(lanes)} moves, other blocks give another output: {told}",
            "apply what set() gives from the next sample on, whatever the block",
        )
    return f"output is the same in any blocks while {', '.join(lanes)} moves"


CHECKS = (
    Check("automation", "linear automation does not click", Level.STANDARD, moves, FINITE),
    Check(
        "steps", "whether a step of a parameter clicks (told, not required)", Level.STANDARD, steps, FINITE
    ),
    Check(
        "automation-cuts",
        "automation does not depend on block sizes",
        Level.STANDARD,
        automation_cuts,
        CUTS,
    ),
)
