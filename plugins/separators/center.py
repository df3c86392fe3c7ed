"""Vocals without a trained model: what is in the centre, moves, sounds and belongs to the leading pitch.

A mask in the short-time spectrum (Hann, 4096/1024) joins four classical cues: alike in both channels, unlike
the seconds around, tonal rather than struck, and near a partial of the melody that the first two let through.
It needs no files and a fraction of a network's time, and it is the bar that a network must pass.

Sources are named where they are used, in `center_masks` and `center_pitch`; that vocals are what medians over
a long and a short time both leave is from D. Fitzgerald and M. Gainza, "Single Channel Vocal Separation using
Median Filtering and Factorisation Techniques", ISAST Trans. on Electronics and Signal Processing 4(1), 2010.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from msgspec import Meta

from .center_masks import changing_mask, likeness_mask, tonal_mask
from .center_pitch import comb_mask, melody
from .classical import N_FFT, SpectralShare, check_card, check_device
from .options import Options, card_fault, read_options
from .separator import Geometry

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...host.models import ModelCard
    from .separator import Separator

__all__ = ["CenterOptions", "geometry", "load"]

#: Of voices, the melody is looked for up to here.
_MELODY_HZ = 5000
#: In Hz; below, little of a voice is left.
_LEAST_RATE = 8000


class CenterOptions(Options, frozen=True):
    """The numbers on the card.

    Attributes:
        lowest: Hz below which nothing counts as voice.
        highest: Hz above which nothing does.
        narrowness: how strictly the centre is meant, see `likeness_mask`.
        steady: weight of what is held or comes again, see `changing_mask`.
        lowest_pitch: of the melody, in Hz.
        highest_pitch: likewise.
        between: what passes between the melody's partials, 0 to 1.
    """

    lowest: Annotated[float, Meta(ge=20, le=1000)] = 120.0
    highest: Annotated[float, Meta(ge=2000, le=100_000)] = 10_000.0
    narrowness: Annotated[float, Meta(ge=0, le=100)] = 2.0
    steady: Annotated[float, Meta(ge=0, le=10)] = 1.5
    lowest_pitch: Annotated[float, Meta(ge=40, le=400)] = 80.0
    highest_pitch: Annotated[float, Meta(ge=500, le=2000)] = 1000.0
    between: Annotated[float, Meta(ge=0, le=1)] = 0.2


def geometry(card: ModelCard) -> Geometry:
    """Return the segments: 20 s by default, so that the medians over 3 s and the melody have their room.

    Raises:
        ModelCardError: options are unknown or out of range, or the card has files, other stems or a layout
            that is neither mono nor stereo.
    """
    _options(card)
    return Geometry(segment=round(20 * card.rate / N_FFT) * N_FFT, overlap=0.25, multiple=N_FFT)


def load(card: ModelCard, device: str) -> Separator:
    """Return the model, which has nothing to load.

    Raises:
        ModelCardError: as `geometry`.
        PluginError: another device than the CPU is asked for.
    """
    check_device(card, device)
    return _Center(_options(card), card.rate)


def _options(card: ModelCard) -> CenterOptions:
    check_card(card, ("vocals", "accompaniment"), _LEAST_RATE)
    if card.layout not in {"mono", "stereo"}:
        raise card_fault(card, "layout", f"{card.layout} has no centre", "write layout: stereo")
    return read_options(card, CenterOptions)


class _Center(SpectralShare):
    """The masks over one segment after the other."""

    def __init__(self, options: CenterOptions, rate: int) -> None:
        self._options = options
        self._spacing = rate / N_FFT
        bins = N_FFT // 2 + 1
        self._first = min(int(np.ceil(options.lowest / self._spacing)), bins - 1)
        self._end = min(int(options.highest / self._spacing) + 1, bins)
        self._melody_end = min(int(_MELODY_HZ / self._spacing) + 1, bins)
        self._hz = (np.arange(self._first, self._end) * self._spacing).astype(np.float32)

    def share(self, spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.complex64]:
        """Return the vocals'."""
        kept = np.zeros_like(spectrum)
        voice = slice(self._first, self._end)
        kept[..., voice] = spectrum[..., voice] * self._mask(spectrum)
        return kept

    def _mask(self, spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        options, end = self._options, max(self._end, self._melody_end)
        left, right = spectrum[0, :, :end], spectrum[-1, :, :end]
        magnitudes = np.sqrt((np.square(np.abs(left)) + np.square(np.abs(right))) / 2)
        alike = likeness_mask(left, right, options.narrowness)
        changing = changing_mask(magnitudes, options.steady)
        heard = (magnitudes * alike * changing)[:, : self._melody_end]
        heard[:, : int(options.lowest_pitch / self._spacing)] = 0
        pitch = melody(heard, self._spacing, options.lowest_pitch, options.highest_pitch)
        comb = comb_mask(pitch, self._hz, self._spacing, options.between)
        # The root: two masks of medians at once would take too much of a voice.
        moving = np.sqrt(changing * tonal_mask(magnitudes))
        mask: npt.NDArray[np.float32] = (alike * moving)[:, self._first : self._end] * comb
        return mask
