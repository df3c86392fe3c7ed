"""Scenes on loudspeakers: an ADM file rendered block by block, with moves of any length (ITU-R BS.2127-1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...kernels.moving import MovingMix
from ...kernels.panner import Panner
from ...kernels.pcm import first_non_finite
from ..contract.audio import NAMED_LAYOUTS, Layout
from ..contract.errors import MediaError, MediaRequestError, nearest
from ..media.encoder import BITS, ENCODINGS
from ..media.write_behind import WriteBehind
from ..media.writer import OutputForm, open_writer
from ..scene.model import BED_LAYOUTS
from .reader import AdmFile, read_adm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.processor import Array
    from ..media.encoder import OnClip
    from ..media.metadata import Metadata
    from ..media.sink import Writer
    from ..scene.model import Scene
    from .source import TrackSource

__all__ = ["AdmStream", "Rendered", "loudspeaker_layout", "render_adm"]

_BLOCK = 1 << 15


class AdmStream:
    """A scene's tracks to loudspeakers; the bits do not depend on how they are cut into blocks.

    Args:
        scene: with motions.
        layout: of the loudspeakers.

    Attributes:
        layout: of the loudspeakers.

    Example:
        >>> from ..contract.scene import Content
        >>> from ..scene.model import Programme, Scene, SceneObject
        >>> from ..scene.motion import Motion
        >>> rain = SceneObject("Rain", 0, Motion.still([30, 0, 1, 0]))
        >>> scene = Scene(Programme("Night", 48000, 2), (Content("Effects"),), (), (rain,))
        >>> AdmStream(scene, Layout.parse("stereo")).process(np.ones((1, 2), np.float32)).tolist()
        [[1.0, 1.0], [0.0, 0.0]]
    """

    def __init__(self, scene: Scene, layout: Layout) -> None:
        self.layout = layout
        self._panner = Panner(layout.roles)
        self._motions = [each.motion for each in scene.objects]
        beds = [gains for bed in scene.beds for gains in self._panner.bed(NAMED_LAYOUTS[bed.layout])]
        self._first = len(beds)
        self._mix = MovingMix(len(beds) + len(self._motions), layout.channels)
        for number, gains in enumerate(beds):
            self._mix.move(number, at=0, ramp=0, gains=gains)
        self._heard = 0
        self._told = [0] * len(self._motions)

    def process(self, block: Array) -> Array:
        """Render the next samples.

        Args:
            block: float32 ``[tracks, n]``, samples side by side.

        Returns:
            float32 ``[loudspeakers, n]``.
        """
        out = np.zeros((self.layout.channels, block.shape[1]), np.float32)
        self._follow(self._heard + block.shape[1])
        self._mix.add(block, out)
        self._heard += block.shape[1]
        return out

    def _follow(self, until: int) -> None:
        """Tell the mix of every move that begins before a sample; all places are panned at once."""
        moves: list[tuple[int, int, int]] = []
        places: list[NDArray[np.float32]] = []
        gains: list[NDArray[np.float32]] = []
        for number, motion in enumerate(self._motions):
            begin = self._told[number]
            end = int(np.searchsorted(motion.start, until))
            if begin == end:
                continue
            self._told[number] = end
            stretch = slice(begin, end)
            starts, ramps = motion.start[stretch].tolist(), motion.ramp[stretch].tolist()
            moves += [(number, start, ramp) for start, ramp in zip(starts, ramps, strict=True)]
            places.append(motion.places[stretch])
            gains.append(motion.gain[stretch])
        if not moves:
            return
        panned = self._panner.objects(np.concatenate(places)) * np.concatenate(gains)[:, None]
        for (number, start, ramp), to in zip(moves, panned.astype(np.float32), strict=True):
            self._mix.move(self._first + number, at=start, ramp=ramp if start else 0, gains=to)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was rendered.

    Attributes:
        path: of the file.
        layout: its loudspeakers.
        rate: Hz.
        length: samples.
        subtype: sample format.
        clipped: samples beyond full scale, in a format of whole numbers.
        warnings: for people.
    """

    path: str
    layout: str
    rate: int
    length: int
    subtype: str
    clipped: int
    warnings: tuple[str, ...]


def loudspeaker_layout(name: str) -> Layout:
    """Return the layout of loudspeakers of that name.

    Raises:
        MediaRequestError: there is none.

    Example:
        >>> loudspeaker_layout("5.1").channels
        6
    """
    if name not in BED_LAYOUTS:
        raise MediaRequestError(f"unknown layout of loudspeakers {name!r}; {nearest(name, BED_LAYOUTS)}")
    return Layout.parse(name)


def render_adm(
    path: str | Path,
    layout: str,
    out: str | Path,
    *,
    subtype: str | None = None,
    on_clip: OnClip = "clip",
    overwrite: bool = False,
) -> Rendered:
    """Render an ADM file on loudspeakers into a WAV file, in constant memory but for where objects are.

    Args:
        path: of the ADM file.
        layout: stereo, 5.1, 7.1, 7.1.2, 5.1.4 or 7.1.4.
        out: of the WAV file, which stands under its name only when it is whole.
        subtype: PCM_16, PCM_24, PCM_32 or FLOAT; by default the ADM file's.
        on_clip: what to do with samples beyond full scale in a format of whole numbers.
        overwrite: whether a file of that name may be replaced.

    Raises:
        MediaRequestError: there is no such layout.
        MediaError: the file cannot be read as a scene, its sound is damaged or not finite, or the output
            cannot be written.

    Example:
        >>> render_adm("film.wav", "5.1", "film.5.1.wav").length   # doctest: +SKIP
        4800000
    """
    loudspeakers = loudspeaker_layout(layout)
    file = read_adm(path)
    stream = AdmStream(file.scene, loudspeakers)
    with file.open() as source:
        chosen = subtype or (source.subtype if source.subtype in ENCODINGS else "PCM_24")
        form = OutputForm(
            source.rate,
            loudspeakers,
            source.length,
            chosen,
            on_clip=on_clip,
            metadata=_metadata(source.metadata, loudspeakers, source.rate, chosen),
        )
        writer = WriteBehind(open_writer(Path(out), form, overwrite=overwrite), loudspeakers.channels)
        done = _rendered(str(path), source, stream, writer)
    return Rendered(
        str(out),
        layout,
        source.rate,
        done,
        writer.subtype,
        writer.clipped,
        (*_named(file), *writer.warnings),
    )


def _rendered(name: str, source: TrackSource, stream: AdmStream, writer: Writer) -> int:
    """Render all of the sound into a file and give it its name; return how many samples."""
    done = 0
    try:
        for block in source.blocks(_BLOCK):
            _check(name, block, done)
            writer.write(stream.process(block))
            done += block.shape[1]
        writer.finish()
        writer.commit()
        writer.settle()
    except BaseException:
        writer.abort()
        raise
    return done


def _check(name: str, block: Array, done: int) -> None:
    """Raise unless every sample is a number: one that is none would spread to every loudspeaker."""
    if (wrong := first_non_finite(block)) >= 0:
        raise MediaError(f"{name}: sample {done + wrong} is not a finite number; export the file again")


def _named(file: AdmFile) -> list[str]:
    return [f"{file.path}: {line}" for line in file.warnings]


def _metadata(given: Metadata, layout: Layout, rate: int, subtype: str) -> Metadata:
    """Return what the render says of itself: what the file does, without its ADM."""
    from importlib.metadata import version

    width = f",W={BITS[subtype]}" if subtype in BITS else ""
    kind = "PCM" if subtype in BITS else "FLOAT"
    step = f"A={kind},F={rate}{width},M={layout},T=Unbraid {version('unbraid')};adm render"
    return given.passed_on(step=step, bits=BITS.get(subtype, 32), same_layout=False)
