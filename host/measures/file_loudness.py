"""How loud a file is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..contract.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from ..media.open_input import InputForm
    from ..media.source import Source

__all__ = ["FileLoudness", "measure_file", "measure_source"]

_BLOCK = 16384  # samples


@dataclass(frozen=True, slots=True)
class FileLoudness:
    """Loudness and peaks of a whole file, after ITU-R BS.1770-4, EBU Tech 3341 and 3342.

    Attributes:
        path: as it was named.
        rate: Hz.
        layout: its channels.
        length: samples.
        integrated: LUFS; ``-inf`` for silence and for less than 0.4 s.
        range: LU; 0 for silence and for less than 3 s.
        maximum_momentary: the largest loudness of 0.4 s, LUFS.
        maximum_short_term: the largest loudness of 3 s, LUFS.
        true_peak: between samples, dBTP.
        sample_peak: at samples, dBFS.
        warnings: of the file, and of what could not count; one line each.
    """

    path: str
    rate: int
    layout: str
    length: int
    integrated: float
    range: float
    maximum_momentary: float
    maximum_short_term: float
    true_peak: float
    sample_peak: float
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.length / self.rate


def measure_file(where: str | Path, form: InputForm | None = None) -> FileLoudness:
    """Measure a file from beginning to end, in memory that hardly grows with it.

    Args:
        where: a path, or ``-`` for standard input, as `open_input` takes it.
        form: what is known of it, and which of its sounds.

    Raises:
        MediaError: it cannot be read, or has a rate or channels whose loudness is not defined.
    """
    from ..media.open_input import open_input

    source = open_input(where, form)
    try:
        return measure_source(source)
    finally:
        source.close()


def measure_source(source: Source) -> FileLoudness:
    """Measure what an open source still gives, to its end; the caller closes it.

    Raises:
        MediaError: see `measure_file`.
    """
    import numpy as np

    from ...kernels.errors import KernelError
    from ...kernels.loudness import LoudnessMeter
    from ...kernels.pcm import first_non_finite

    try:
        meter = LoudnessMeter(source.layout.roles, source.rate)
    except KernelError as error:
        raise MediaError(f"{source.name}: its loudness cannot be measured: {error}") from None
    block, length, wrong = np.empty((source.layout.channels, _BLOCK), np.float32), 0, 0
    while count := source.read(block):
        piece = np.ascontiguousarray(block[:, :count])
        if first_non_finite(piece) >= 0:
            wrong += int((~np.isfinite(piece)).sum())
        meter.push(piece)
        length += count
    return FileLoudness(
        path=source.name,
        rate=source.rate,
        layout=str(source.layout),
        length=length,
        integrated=meter.integrated,
        range=meter.range,
        maximum_momentary=meter.maximum_momentary,
        maximum_short_term=meter.maximum_short_term,
        true_peak=meter.true_peak,
        sample_peak=meter.sample_peak,
        warnings=_warnings(source, wrong),
    )


def _warnings(source: Source, wrong: int) -> tuple[str, ...]:
    warnings = list(source.warnings)
    if wrong:
        warnings.append(f"{source.name}: {wrong} samples are not finite numbers; they count as silence")
    if source.layout.roles[0].isdecimal():
        count = source.layout.channels
        warnings.append(f"{source.name}: its {count} channels have no names; each counts like a front one")
    return tuple(warnings)
