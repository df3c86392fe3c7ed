"""What measures of speech share: a mono signal at their rate, in parts that they can take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..media.resample import Resampler
from .measured import Measured, unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..contract.processor import Array

    #: Gives the figures of one part, or the reason why there are none.
    Score = Callable[[Array, Array], tuple[float, ...] | str]

__all__ = ["Parts", "SpeechScores"]


class Parts:
    """A signal's mono downmix (the mean of its channels) at another rate, in parts of bounded length.

    Args:
        rate: Hz.
        target: Hz; soxr's best quality where it differs.
        longest: seconds of a part.
        least: seconds of the last one; what is shorter goes to the part before it.
    """

    def __init__(self, rate: int, target: int, longest: float, least: float) -> None:
        self._longest, self._least = round(longest * target), round(least * target)
        self._resampler = None if rate == target else Resampler(rate, target, 1, "speech")
        self._held: list[Array] = []
        self._count = 0

    def push(self, block: Array) -> None:
        """Take the next samples, float32 ``[channels, n]``."""
        mono = block.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._hold(mono if self._resampler is None else self._resampler.push(mono[None])[0])

    def _hold(self, mono: Array) -> None:
        self._held.append(mono)
        self._count += len(mono)

    def ready(self) -> bool:
        """Return whether a part is whole, and enough for the last one behind it."""
        return self._count >= self._longest + self._least

    def take(self) -> Array:
        """Return the next part, float32 ``[samples]``; after `finish` and without `ready`, the last one."""
        held = np.concatenate(self._held)
        end = self._longest if self.ready() else len(held)
        self._held, self._count = [held[end:]], len(held) - end
        return held[:end]

    def finish(self) -> None:
        """Add what the resampler still holds."""
        if self._resampler is not None:
            self._hold(self._resampler.finish()[0])


class SpeechScores:
    """A gauge that scores part by part and gives the mean.

    Args:
        names: of the figures.
        parts: one for the reference and one for the estimate.
        score: what scores a part of the two.
        refusal: why nothing can be measured, known beforehand; "" otherwise.
    """

    def __init__(
        self, names: tuple[str, ...], parts: Callable[[], Parts], score: Score, refusal: str = ""
    ) -> None:
        self._names, self._score, self._refusal = names, score, refusal
        self._parts = [] if refusal else [parts(), parts()]
        self._scores: list[tuple[float, ...]] = []
        self._reasons: list[str] = []

    def push(self, reference: Array, estimate: Array) -> None:
        """Take the next samples of both."""
        if self._refusal:
            return
        for part, block in zip(self._parts, (reference, estimate), strict=True):
            part.push(block)
        while self._parts[0].ready():
            self._take()

    def _take(self) -> None:
        reference, estimate = (part.take() for part in self._parts)
        silent = "the reference is silent" if not reference.any() else ""
        silent = silent or ("the estimate is silent" if not estimate.any() else "")
        found = silent or self._score(reference, estimate)
        if isinstance(found, str):
            self._reasons.append(found)
        else:
            self._scores.append(found)

    def figures(self) -> dict[str, Measured]:
        """Return the mean of every figure over the parts that could be scored."""
        if self._refusal:
            return unmeasured(self._refusal, *self._names)
        for part in self._parts:
            part.finish()
        while self._parts[0].ready():
            self._take()
        self._take()
        if not self._scores:
            return unmeasured(self._reasons[0], *self._names)
        means = np.mean(self._scores, axis=0).tolist()
        return {name: Measured(value, self._note()) for name, value in zip(self._names, means, strict=True)}

    def _note(self) -> str:
        parts, whole = len(self._scores), len(self._scores) + len(self._reasons)
        if whole == 1:
            return ""
        skipped = f"; in the others: {self._reasons[0]}" if self._reasons else ""
        return f"mean of {parts} of {whole} parts{skipped}"
