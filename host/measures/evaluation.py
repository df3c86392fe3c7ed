"""Measures pairs of files: one pass over each, all gauges at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..contract.audio import Layout
from .bss import BSSEVAL, bsseval, unfit
from .catalogue import IMPROVEMENTS, MEASURES, Measure, chosen
from .gauge import over_arrays
from .lag import LagGauge
from .measured import Measured, unmeasured
from .together import Together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ..contract.processor import Array
    from .gauge import Figure, Gauge
    from .pairs import Pair

__all__ = ["Row", "compare", "evaluate", "evaluate_track", "figures_of", "tracks_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one pair.

    Attributes:
        pair: which.
        rate: Hz.
        layout: of the channels.
        length: samples.
        figures: by name; see `figures_of` for titles and units.
        lag: samples that the estimate is late; see `best_lag`.
        notes: sentences about the pair as a whole: a lag, what the files' readers said.
    """

    pair: Pair
    rate: int
    layout: str
    length: int
    figures: dict[str, Measured]
    lag: int = 0
    notes: tuple[str, ...] = ()


def figures_of(measures: Sequence[Measure], *, mixture: bool = False) -> list[Figure]:
    """Return the figures that these measures give, in order; with improvements where mixtures are known."""
    figures: list[Figure] = []
    for measure in measures:
        figures += measure.figures
        if mixture and measure.name in IMPROVEMENTS:
            figures.append(IMPROVEMENTS[measure.name])
    return figures


def tracks_of(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    """Return pairs by their track, in order."""
    tracks: dict[str, list[Pair]] = {}
    for pair in pairs:
        tracks.setdefault(pair.track, []).append(pair)
    return tracks


def evaluate(
    pairs: Iterable[Pair],
    measures: Sequence[str] | None = None,
    *,
    progress: Callable[[Pair, int, int | None], None] | None = None,
) -> list[Row]:
    """Measure pairs of files.

    Memory does not grow with their length, but for ``bsseval``, which holds all stems of a track.

    Args:
        pairs: as `find_pairs` gives them; those of one track belong together for ``bsseval``.
        measures: names of `MEASURES`; by default all, those of libraries that are not installed with a note
            instead of numbers (``dnsmos`` only where it is installed).
        progress: called with a pair, the samples of it that were read, and how many it has, if known.

    Returns:
        a row for each pair, in order of tracks.

    Raises:
        MediaError: a file cannot be read, is damaged or holds a sample that is not finite, or the files of a
            pair differ in rate, length or channels.
        MediaRequestError: a measure is unknown.

    Example:
        >>> from unbraid.host.measures import find_pairs
        >>> pairs, left = find_pairs("stems", "out")  # doctest: +SKIP
        >>> evaluate(pairs, ["sdr"])[0].figures["sdr"].value  # doctest: +SKIP
        11.2
    """
    wanted = chosen(measures)
    return [row for track in tracks_of(pairs).values() for row in evaluate_track(track, wanted, progress)]


def evaluate_track(
    pairs: Sequence[Pair],
    measures: Sequence[Measure],
    progress: Callable[[Pair, int, int | None], None] | None = None,
    watch: Callable[[Pair, int, Sequence[str]], Gauge] | None = None,
) -> list[Row]:
    """Measure the pairs of one track; see `evaluate`.

    Args:
        pairs: all stems.
        measures: see `chosen`.
        progress: see `evaluate`.
        watch: makes one more gauge for each pair, from its rate and channel roles, that sees both signals go
            by; its figures are ignored.
    """
    rows = [_row(pair, measures, progress, watch) for pair in pairs]
    if any(measure.gauge is None for measure in measures):
        found = _bsseval(rows)
        rows = [replace(row, figures=row.figures | figures) for row, figures in zip(rows, found, strict=True)]
    return rows


def _row(
    pair: Pair,
    measures: Sequence[Measure],
    progress: Callable[[Pair, int, int | None], None] | None,
    watch: Callable[[Pair, int, Sequence[str]], Gauge] | None,
) -> Row:
    mixture = [] if pair.mixture is None else [pair.mixture]
    with Together([pair.reference, pair.estimate, *mixture]) as files:
        rate, roles = files.rate, files.layout.roles
        gauges = [measure.gauge(rate, roles) for measure in measures if measure.gauge]
        before = [MEASURES[name].gauge for name in IMPROVEMENTS if mixture and MEASURES[name] in measures]
        untouched = [gauge(rate, roles) for gauge in before if gauge]
        lag = LagGauge(rate, roles)
        watching: list[Gauge] = [lag] if watch is None else [lag, watch(pair, rate, roles)]
        for reference, estimate, *rest in files.blocks():
            for gauge in (*gauges, *watching):
                gauge.push(reference, estimate)
            for gauge in untouched:
                gauge.push(reference, rest[0])
            if progress is not None:
                progress(pair, files.length, files.declared)
        figures = _merged(gauges)
        figures |= _improvements(figures, _merged(untouched))
        found = lag.found()
        notes = tuple(filter(None, [found.note, *files.warnings()]))
        return Row(pair, rate, str(files.layout), files.length, figures, found.samples, notes)


def _merged(gauges: Iterable[Gauge]) -> dict[str, Measured]:
    return {name: figure for gauge in gauges for name, figure in gauge.figures().items()}


def _improvements(after: dict[str, Measured], before: dict[str, Measured]) -> dict[str, Measured]:
    """Return how much better the estimate is than the mixture."""
    found = {}
    for figure in IMPROVEMENTS.values():
        name = figure.name.removesuffix("_improvement")
        if name not in before:
            continue
        new, old = after[name], before[name]
        if new.value is None or old.value is None:
            note = new.note if new.value is None else f"of the mixture: {old.note}"
            found[figure.name] = Measured(None, note)
        elif np.isinf(old.value):
            found[figure.name] = Measured(None, "the mixture is the reference")
        else:
            found[figure.name] = Measured(new.value - old.value)
    return found


def _bsseval(rows: Sequence[Row]) -> list[dict[str, Measured]]:
    """Return the figures of museval for each row of a track."""
    names = tuple(figure.name for figure in BSSEVAL)
    shapes = {(row.rate, row.layout, row.length) for row in rows}
    reason = MEASURES["bsseval"].missing
    if len(shapes) > 1:
        reason = reason or "the stems of the track differ in rate, layout or length"
    first = rows[0]
    channels = Layout.parse(first.layout).channels
    reason = reason or unfit(len(rows), channels, first.length, first.rate)
    if reason:
        return [unmeasured(reason, *names) for _ in rows]
    references = {row.pair.stem: _whole(row.pair.reference) for row in rows}
    estimates = {row.pair.stem: _whole(row.pair.estimate) for row in rows}
    found = bsseval(references, estimates, first.rate)
    return [found[row.pair.stem] for row in rows]


def _whole(path: Path) -> Array:
    with Together([path]) as file:
        return np.concatenate([block for (block,) in file.blocks()], axis=1)


def compare(
    reference: Array,
    estimate: Array,
    rate: int,
    measures: Sequence[str] | None = None,
    *,
    layout: Layout | None = None,
) -> dict[str, Measured]:
    """Measure one array against another.

    Args:
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.
        rate: Hz.
        measures: names of `MEASURES`, by default all that are usual; of ``bsseval`` see `bsseval` for several
            stems.
        layout: of the channels; by default that of a plain file of so many.

    Returns:
        figures by name, and ``lag``.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite.
        MediaRequestError: a measure is unknown.

    Example:
        >>> s = np.ones((1, 48000), np.float32)
        >>> found = compare(s, s, 48000, ["sdr", "null"])
        >>> found["sdr"].value, found["null_rms"].value, found["lag"].value
        (inf, -inf, 0.0)
    """
    wanted = chosen(measures)
    layout = Layout.of_channels(len(reference)) if layout is None else layout
    figures: dict[str, Measured] = {}
    for measure in wanted:
        if measure.gauge is None:
            figures |= bsseval({"": reference}, {"": estimate}, rate)[""]
        else:
            figures |= over_arrays(measure.gauge(rate, layout.roles), reference, estimate)
    return figures | over_arrays(LagGauge(rate, layout.roles), reference, estimate)
