"""Several sounds read side by side; they must be of one rate, length and number of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from ...kernels.pcm import first_non_finite
from ..contract.errors import MediaError
from ..media.open_input import open_input
from .gauge import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from ..contract.processor import Array
    from ..media.source import Source

__all__ = ["Together"]


class Together:
    """Open sounds whose samples belong beside each other; the first one sets the measure.

    Use it in a ``with`` statement, which closes them.

    Args:
        paths: what to open.

    Attributes:
        rate: Hz.
        layout: of the first.
        length: samples that were read, of the whole sound once `blocks` is through.

    Raises:
        MediaError: one cannot be read, or they differ; names both files, the numbers and the remedy.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._sources: list[Source] = []
        try:
            for path in paths:
                self._sources.append(open_input(path))
            self._check()
        except BaseException:
            self.close()
            raise
        first = self._sources[0]
        self.rate, self.layout, self.length = first.rate, first.layout, 0
        self.declared = first.length

    def _check(self) -> None:
        first = self._sources[0]
        for source in self._sources[1:]:
            if source.rate != first.rate:
                remedy = f"render it with --output-rate {first.rate}"
                raise self._differ(source, "rate", f"{source.rate} Hz", f"{first.rate} Hz", remedy)
            mine, its = (_channels(one) for one in (first, source))
            if source.layout.channels != first.layout.channels:
                raise self._differ(source, "layout", its, mine, "measure files of the same channels")
            if None not in {source.length, first.length} and source.length != first.length:
                raise self._lengths(source, source.length or 0, first.length or 0)

    def _lengths(self, source: Source, its: int, mine: int) -> MediaError:
        remedy = "cut or pad one of them so that both cover the same time"
        return self._differ(source, "length", f"{its} samples", f"{mine}", remedy)

    def _differ(self, source: Source, what: str, its: str, mine: str, remedy: str) -> MediaError:
        name = self._sources[0].name
        return MediaError(f"{source.name}: its {what} is {its}, that of {name} is {mine}; {remedy}")

    def blocks(self) -> Iterator[list[Array]]:
        """Give the next samples of all, float32 ``[channels, n]`` each, until the end.

        Raises:
            MediaError: a file is damaged, ends before another, or holds a sample that is not finite.
        """
        while True:
            blocks = [np.empty((source.layout.channels, BLOCK), np.float32) for source in self._sources]
            counts = [source.read(out) for source, out in zip(self._sources, blocks, strict=True)]
            for source, count in zip(self._sources, counts, strict=True):
                if count != counts[0]:
                    its, mine = (self._rest(one) for one in (source, self._sources[0]))
                    raise self._lengths(source, self.length + count + its, self.length + counts[0] + mine)
            if not counts[0]:
                return
            blocks = [np.ascontiguousarray(block[:, : counts[0]]) for block in blocks]
            for source, block in zip(self._sources, blocks, strict=True):
                bad = first_non_finite(block)
                if bad >= 0:
                    raise MediaError(
                        f"{source.name}: sample {self.length + bad} is not a finite number; repair the file, "
                        "or render it again with --non-finite zero"
                    )
            self.length += counts[0]
            yield blocks

    def _rest(self, source: Source) -> int:
        """Read a sound to its end; return how many samples that were."""
        block, total = np.empty((source.layout.channels, BLOCK), np.float32), 0
        while count := source.read(block):
            total += count
        return total

    def warnings(self) -> list[str]:
        """Return what the files' readers have to say; final once all is read."""
        return [line for source in self._sources for line in source.warnings]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every file."""
        for source in self._sources:
            source.close()


def _channels(source: Source) -> str:
    count = source.layout.channels
    return f"{source.layout} ({count} channel{'' if count == 1 else 's'})"
