"""A track in one picture: what was wanted, what came, what is wrong, and when."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .spectrogram import SILENCE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .evaluation import Row
    from .gauge import Figure
    from .spectrogram import PairPicture, Spectrogram

__all__ = ["draw"]

_RANGE = 90  # dB of the colour scale
_TICKS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)
_TITLES = ("reference", "estimate", "error (reference - estimate)")
_SHOWN = ("sdr", "si_sdr", "si_sdr_improvement", "null_peak", "lsd", "pesq", "estoi", "dnsmos_overall")


def draw(path: Path, rows: Sequence[Row], pictures: Sequence[PairPicture], figures: Sequence[Figure]) -> None:
    """Write a PNG of a track's stems.

    For each stem, spectrograms of reference, estimate and error on one colour scale, and below them the
    levels of reference and error in every 100 ms, over one axis of time.

    Args:
        path: where to.
        rows: of the stems.
        pictures: what was gathered of each.
        figures: to choose the title's from.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    with warnings.catch_warnings():
        # A name may hold letters that matplotlib's font lacks; the picture is none the worse for a box.
        warnings.simplefilter("ignore")
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Sheet

        sheet = Sheet(figsize=(15, 5.2 * len(rows) + 0.3), dpi=100, layout="constrained")
        FigureCanvasAgg(sheet)
        parts: Any = sheet.subfigures(len(rows), 1, squeeze=False)[:, 0]
        for part, row, picture in zip(parts, rows, pictures, strict=True):
            _draw_stem(part, row, picture, figures)
        sheet.savefig(path, format="png", metadata={"Software": "unbraid"})


def _draw_stem(part: Any, row: Row, picture: PairPicture, figures: Sequence[Figure]) -> None:
    part.suptitle(_title(row, figures), fontsize=11, parse_math=False)
    grid = part.add_gridspec(2, 3, height_ratios=[3, 2])
    top = _top(picture.spectrograms)
    axes = [part.add_subplot(grid[0, k]) for k in range(3)]
    several = zip(axes, picture.spectrograms, _TITLES, strict=True)
    images = [_draw_spectrogram(axis, spectrogram, title, top) for axis, spectrogram, title in several]
    axes[0].set_ylabel("frequency, Hz")
    if images[0] is not None:
        part.colorbar(images[0], ax=axes, label="dB re full-scale sine", pad=0.01)
    _draw_levels(part.add_subplot(grid[1, :]), picture)


def _title(row: Row, figures: Sequence[Figure]) -> str:
    words = []
    for figure in figures:
        found = row.figures.get(figure.name)
        if figure.name in _SHOWN and found is not None and found.value is not None:
            words.append(f"{figure.title} {found.value:.{figure.digits}f} {figure.unit}".rstrip())
    return f"{row.pair}   {',  '.join(words)}"


def _top(spectrograms: Sequence[Spectrogram]) -> float:
    """Return the top of the colour scale: the loudest of reference and estimate, to the next 5 dB."""
    peaks = [found.levels().max(initial=-150.0) for found in spectrograms[:2]]
    return float(np.ceil(max(peaks) / 5) * 5)


def _draw_spectrogram(axis: Any, spectrogram: Spectrogram, title: str, top: float) -> Any:
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("time, s")
    levels = spectrogram.levels()
    if not levels.size:
        axis.text(0.5, 0.5, "too short for a spectrogram", ha="center", va="center", transform=axis.transAxes)
        axis.set_xticks([])
        axis.set_yticks([])
        return None
    edges = np.log(spectrogram.edges)
    image = axis.imshow(
        levels,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        vmin=top - _RANGE,
        vmax=top,
        extent=(*spectrogram.seconds, edges[0], edges[-1]),
    )
    axis.set_xlim(0, spectrogram.seconds[1])
    ticks = [tick for tick in _TICKS if edges[0] <= np.log(tick) <= edges[-1]]
    axis.set_yticks(np.log(ticks), [f"{tick // 1000}k" if tick >= 1000 else str(tick) for tick in ticks])
    return image


def _draw_levels(axis: Any, picture: PairPicture) -> None:
    for levels, colour, label in (
        (picture.reference, "#4477aa", "reference"),
        (picture.error, "#cc3311", "error"),
    ):
        values = levels.levels()
        edges = np.arange(len(values) + 1) * levels.step
        axis.stairs(values, edges, baseline=None, color=colour, label=label, lw=1)
    both = np.concatenate([picture.reference.levels(), picture.error.levels()])
    heard = both[both > SILENCE] if (both > SILENCE).any() else np.array([-100.0, 0.0])
    axis.set_ylim(max(heard.min(), heard.max() - 100) - 10, heard.max() + 5)
    axis.set_xlim(0, max(len(picture.reference.levels()), 1) * picture.reference.step)
    axis.set_xlabel("time, s, in steps of 100 ms")
    axis.set_ylabel("level, dBFS")
    axis.grid(visible=True, alpha=0.3)
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, fontsize=9)
