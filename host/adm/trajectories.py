"""Objects over time in one picture: from above, and their azimuth and elevation."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.errors import MediaError
from ..measures.libraries import missing
from ..media.atomic import AtomicFile, why_not

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..scene.model import Scene
    from ..scene.motion import Motion

    Curve = NDArray[np.float64]

__all__ = ["draw_scene", "trajectory"]

#: Colours that people with any eyes tell apart (Paul Tol's bright scheme), one for each content.
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
_SPEAKERS = {"L": 30, "R": -30, "C": 0, "Lss": 90, "Rss": -90, "Lrs": 135, "Rrs": -135}
#: More blocks than this are drawn at as many places, evenly spread.
_MOST = 4000


def draw_scene(path: Path, scene: Scene, *, overwrite: bool = False) -> None:
    """Write a PNG of a scene's objects: a view from above, and azimuth and elevation over time.

    Args:
        path: where to; stands there only when it is whole.
        scene: with motions.
        overwrite: whether a file of that name may be replaced.

    Raises:
        MediaError: matplotlib is not installed, or the file cannot be written.
    """
    if lacking := missing(("matplotlib",)):
        raise MediaError(f"pictures need matplotlib, which is {lacking}")
    file = AtomicFile(path, overwrite=overwrite)
    try:
        _draw(file.partial, scene)
        file.sync()
        file.commit()
        file.settle()
    except OSError as error:
        file.abort()
        raise MediaError(f"{path}: cannot be written: {why_not(path, error)}") from None
    except BaseException:
        file.abort()
        raise


def trajectory(motion: Motion, rate: int, length: int) -> tuple[Curve, Curve]:
    """Return where an object is over time, as a line: each block's place from its start to its end.

    Args:
        motion: of the object.
        rate: Hz.
        length: of the programme, in samples.

    Returns:
        Seconds ``[points]``, and ``[4, points]``: azimuth, elevation, distance, extent. At most some
        thousand points.

    Example:
        >>> from ..scene.motion import Motion
        >>> trajectory(Motion.still([30, 0, 1, 0]), 48000, 96000)[0].tolist()
        [0.0, 2.0]
    """
    kept = np.unique(np.linspace(0, motion.blocks - 1, min(motion.blocks, _MOST)).astype(np.int64))
    start = np.append(motion.start[kept], max(length, int(motion.start[-1]) + 1))
    seconds = np.stack([start[:-1] + motion.ramp[kept], start[1:]], axis=1).reshape(-1) / rate
    seconds[0] = 0
    return seconds, np.repeat(motion.places[kept], 2, axis=0).T.astype(np.float64)


def _draw(path: Path, scene: Scene) -> None:
    with warnings.catch_warnings():
        # A name may hold letters that matplotlib's font lacks; the picture is none the worse for a box.
        warnings.simplefilter("ignore")
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Sheet

        sheet = Sheet(figsize=(15, 7.5), dpi=100, layout="constrained")
        FigureCanvasAgg(sheet)
        title = f"{scene.programme.name}   beds: {len(scene.beds)},  objects: {len(scene.objects)}"
        sheet.suptitle(title, fontsize=11, parse_math=False)
        grid = sheet.add_gridspec(2, 2, width_ratios=[2, 3])
        above = sheet.add_subplot(grid[:, 0])
        azimuth, elevation = sheet.add_subplot(grid[0, 1]), sheet.add_subplot(grid[1, 1])
        _room(above)
        _axes(azimuth, elevation, scene)
        _curves(scene, above, azimuth, elevation)
        sheet.savefig(path, format="png", metadata={"Software": "unbraid"})


def _room(axis: Any) -> None:
    """Draw loudspeakers around the listener, the front above."""
    axis.set_title("from above, front at the top", fontsize=10)
    turn = np.linspace(0, 2 * np.pi, 181)
    axis.plot(np.sin(turn), np.cos(turn), color="#dddddd", lw=1)
    for name, angle in _SPEAKERS.items():
        x, y = -np.sin(np.radians(angle)), np.cos(np.radians(angle))
        axis.text(1.12 * x, 1.12 * y, name, ha="center", va="center", color="#888888", fontsize=8)
        axis.plot(x, y, marker="s", color="#bbbbbb", ms=5)
    axis.plot(0, 0, marker="+", color="#888888")
    axis.set_aspect("equal")
    axis.set_xlim(-1.25, 1.25)
    axis.set_ylim(-1.25, 1.25)
    axis.set_axis_off()


def _axes(azimuth: Any, elevation: Any, scene: Scene) -> None:
    seconds = scene.programme.length / scene.programme.rate
    for axis, name, least, most, step in (
        (azimuth, "azimuth, degrees to the left", -180, 180, 90),
        (elevation, "elevation, degrees", -90, 90, 30),
    ):
        axis.set_ylabel(name)
        axis.set_ylim(least, most)
        axis.set_yticks(range(least, most + 1, step))
        axis.set_xlim(0, max(seconds, 1e-3))
        axis.grid(visible=True, alpha=0.3)
    elevation.set_xlabel("time, s")


def _curves(scene: Scene, above: Any, azimuth: Any, elevation: Any) -> None:
    named = set()
    for each in scene.objects:
        seconds, places = trajectory(each.motion, scene.programme.rate, scene.programme.length)
        colour = _COLOURS[each.content % len(_COLOURS)]
        label = scene.contents[each.content].name if each.content not in named else None
        named.add(each.content)
        turned = np.radians(places[0])
        out = places[2] * np.cos(np.radians(places[1]))
        x, y = -out * np.sin(turned), out * np.cos(turned)
        above.plot(x, y, color=colour, lw=1, alpha=0.5)
        above.scatter(x[:1], y[:1], color=colour, s=18, zorder=3)
        # Behind the listener a line leaves the picture below and comes back above.
        line = np.unwrap(places[0], period=360)
        for turns in range(int(line.min() // 360) - 1, int(line.max() // 360) + 2):
            shown = line - 360 * turns
            if shown.min() <= 180 and shown.max() >= -180:
                azimuth.plot(seconds, shown, color=colour, lw=1, label=label)
                label = None
        elevation.plot(seconds, places[1], color=colour, lw=1)
    if named:
        legend = azimuth.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False, fontsize=9
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
