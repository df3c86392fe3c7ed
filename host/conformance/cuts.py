"""Check that the output does not depend on how the signal is cut into blocks."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from .check import REPEATS, Check, PromiseBrokenError
from .driven import MAX_BLOCK, Driven
from .finding import Level
from .signals import difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .subject import Subject

__all__ = ["CHECKS", "cuts", "sequence"]

_SIZES = (256, 0, 37, 1, 7, MAX_BLOCK)  # the most telling first, for those that have time for few
_RANDOM = {Level.QUICK: 1, Level.STANDARD: 5, Level.STRICT: 20}
#: How many small blocks a sequence has: half at the start, half around the sample where output begins.
_CALLS = 480
_REMEDY = "carry state from block to block and count samples, not calls; keep no view of ins after the call"


def sequence(size: int, latency: int) -> list[int]:
    """Return block lengths: ``size`` at the start and where the latency ends; for 0, empty ones in between.

    The rest of a programme, which is not in the list, goes in the largest blocks.
    """
    if size == 0:
        return [0, 256, 0, 0, 1000, 0, 37, 0, MAX_BLOCK, 0, 1, 0]
    half = _CALLS // 2
    jump = max(0, latency - half * size - half * size // 2)
    steps = [MAX_BLOCK] * (jump // MAX_BLOCK) + [jump % MAX_BLOCK]
    return [size] * half + steps + [size] * half


def _random(seed: int, samples: int) -> list[int]:
    """Return lengths drawn evenly on a logarithmic scale, with an empty block now and then."""
    rng = np.random.default_rng(seed)
    sizes: list[int] = []
    while sum(sizes) < samples and len(sizes) < _CALLS:
        sizes.append(0 if rng.random() < 0.05 else round(float(np.exp(rng.uniform(0, np.log(MAX_BLOCK))))))
    return sizes


def _sequences(subject: Subject) -> Iterator[tuple[str, list[int], int]]:
    """Yield a name, the blocks, and the largest block in the spec."""
    for size in _SIZES:
        yield f"blocks of {size}", sequence(size, subject.latency), MAX_BLOCK
    yield "a spec of 64 samples at most", [], 64
    for seed in range(_RANDOM[subject.level]):
        yield f"random blocks (seed {seed})", _random(seed, subject.programme.samples), MAX_BLOCK


def cuts(subject: Subject) -> str:
    """Compare every sequence with blocks of 4096 samples."""
    programme, began, done = subject.programme, perf_counter(), 0
    subject.afford(2 * programme.samples)
    wanted = subject.fresh(programme, [4096] * (programme.samples // 4096))
    for name, sizes, most in _sequences(subject):
        spent = perf_counter() - began
        if spent * (done + 2) / (done + 1) > 0.8 * subject.seconds:  # the next would not end in time
            return f"{done} block sequences give identical output; for more, give a longer --limit"
        if most == 64 and programme.samples > 64 * 4 * _CALLS:
            continue
        with Driven(subject, subject.case, max_block=most) as driven:
            found = driven.learn(programme, sizes).feed(programme, sizes)
        told = difference(found, wanted, subject.tolerance)
        if told is not None:
            raise PromiseBrokenError(f"with {name}, {told}", _REMEDY)
        done += 1
    same = "identical output" if subject.card.deterministic else "output equal to 1e-4 of the peak"
    return f"{done} block sequences give {same}"


CHECKS = (Check("cuts", "the output does not depend on block sizes", Level.QUICK, cuts, REPEATS),)
