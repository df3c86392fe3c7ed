"""Check that the output repeats: what every check that compares two runs builds on."""

from __future__ import annotations

import random
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .check import Check, NotApplicableError, PromiseBrokenError
from .finding import Level
from .signals import difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .subject import Subject

__all__ = ["CHECKS", "seed"]

_ELSEWHERE = 987_654_321


@contextmanager
def _others_numbers_moved() -> Iterator[None]:
    """Put the global generators, which a plugin must not use, elsewhere, and back."""
    theirs, ours = np.random.get_state(), random.getstate()  # noqa: NPY002
    torch: Any = sys.modules.get("torch")
    tensors = torch.get_rng_state() if torch is not None else None
    np.random.seed(_ELSEWHERE)  # noqa: NPY002
    random.seed(_ELSEWHERE)
    if torch is not None:
        torch.default_generator.manual_seed(_ELSEWHERE)
    try:
        yield
    finally:
        np.random.set_state(theirs)  # noqa: NPY002
        random.setstate(ours)
        if torch is not None:
            torch.set_rng_state(tensors)


def seed(subject: Subject) -> str:
    """Run again with the same seed, and everybody else's random numbers in another place."""
    if not subject.card.deterministic:
        raise NotApplicableError("its card says that it is not deterministic")
    wanted = subject.reference  # the first run comes before the numbers are moved
    with _others_numbers_moved():
        found = subject.fresh(subject.programme)
    told = difference(found, wanted)
    if told is not None:
        raise PromiseBrokenError(
            f"run again with the same seed, {told}",
            "make all state in prepare() and reset(), and draw only from "
            "numpy.random.default_rng(spec.seed) or torch.Generator().manual_seed(spec.seed); a network's "
            "weights must not be random",
        )
    return "the same seed gives the same bits"


CHECKS = (Check("seed", "the output repeats from the seed", Level.QUICK, seed),)
