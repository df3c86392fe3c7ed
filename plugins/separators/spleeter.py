"""Spleeter: a U-Net for each stem on magnitudes; shares of the mixture by their squares.

R. Hennequin, A. Khlif, F. Voituret, M. Moussallam: Spleeter: a fast and efficient music source separation
tool with pre-trained models, Journal of Open Source Software 5(50), 2020; the network after A. Jansson et
al., Singing voice separation with deep U-Net convolutional networks, ISMIR 2017. Hann 4096, hop 1024, stereo
at 44.1 kHz; the networks see 1024 bins, up to 11 kHz, and 512 frames at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...host.models import load_network
from .options import Options, card_fault, read_options
from .presence import absence
from .separator import Care, Geometry

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from ...host.models import ModelCard, Weights

    Array = npt.NDArray[np.float32]

__all__ = ["SpleeterOptions", "SpleeterSeparator", "geometry", "load", "with_margins"]

N_FFT, HOP = 4096, 1024
#: Bins that the networks see.
SEEN = 1024
#: What is above follows the uppermost of these.
_TOP = 768
#: The U-Net halves frames and bins six times.
_DEPTH = 64
#: Least frames of mirrored sound before and after a segment: the networks pad with zeros, and take them for
#: an end.
_MARGIN = 16
#: Lengths of frames that make sounds of several pitches to the networks, about a semitone apart.
_VIEWS = (4096, 4320, 4608, 3840)
#: A longer segment is heard no better, and takes memory: a gibibyte from 20 s on.
_MOST_FRAMES = 704
#: Below, no voice is looked for.
_LOWEST = 8
#: The level that the networks are given, as a mean square: estimates are best near -17 dB, and several dB
#: worse 20 dB below. A segment is raised by 60 dB at most.
_POWER, _MOST = 10**-1.7, 1e6


class SpleeterOptions(Options, frozen=True):
    """What a card of a Spleeter says: nothing; its files are one for each stem."""


def geometry(card: ModelCard) -> Geometry:
    """Return the 512 frames that the networks were trained with, less 64 for margins, in multiples of 64.

    Raises:
        ModelCardError: the card is not of a Spleeter.
    """
    read_options(card, SpleeterOptions)
    if len(card.files) != len(card.stems):
        raise card_fault(card, "files", "a Spleeter has one file for each stem", "list them in their order")
    if card.channels != 2 or card.rate != 44100:
        raise card_fault(card, "layout", "a Spleeter takes stereo at 44100 Hz")
    return Geometry(448 * HOP, overlap=0.0, multiple=_DEPTH * HOP, most=_MOST_FRAMES * HOP, views=len(_VIEWS))


def load(card: ModelCard, device: str) -> SpleeterSeparator:
    """Return the model: on the CPU by ONNX Runtime, on CUDA by torch.

    Raises:
        ModelError: files are missing, corrupt, or not a Spleeter's.
        PluginError: the package that runs it on this device is not installed.
    """
    if device == "cpu":
        from .spleeter_onnx import build_session

        return SpleeterSeparator(load_network(card, build_session), _vocals(card))
    from .spleeter_torch import build_networks

    def build(card: ModelCard, weights: list[Weights]) -> Callable[[Array], Array]:
        return build_networks(card, weights, device)

    return SpleeterSeparator(load_network(card, build, device), _vocals(card))


def _vocals(card: ModelCard) -> int:
    return card.stems.index("vocals") if "vocals" in card.stems else 0


class SpleeterSeparator:
    """Shares of the mixture by the squares of the networks' estimates.

    Beyond what is published, the networks hear every segment at one level, and mirrored sound where there
    is none: before the programme, after it, and where it is digital silence.

    Args:
        estimate: from magnitudes ``[channels, frames, 1024]`` to those of the stems, ``[stems, channels,
            frames, 1024]``; ``frames`` is a multiple of 64.
        vocals: which stem may be turned down where nobody sings.
    """

    def __init__(self, estimate: Callable[[Array], Array], vocals: int = 0) -> None:
        self.estimate, self._vocals = estimate, vocals

    def separate(self, batch: Array) -> Array:
        """Return the stems of every segment; segments are multiples of 64 hops."""
        return self.separate_carefully(batch, Care())

    def separate_carefully(self, batch: Array, care: Care) -> Array:
        """Return the stems with as much care as is asked for: up to five steps, up to three views."""
        import numpy as np

        return np.stack([self._averaged(segment, care) for segment in batch])

    def _averaged(self, segment: Array, care: Care) -> Array:
        """Return the mean of what the networks make of every view."""
        stems = self._viewed(segment, _VIEWS[0], care)
        for n_fft in _VIEWS[1 : care.views]:
            stems += self._viewed(segment, n_fft, care)
        stems /= care.views
        first, last = sounding(segment)
        stems[..., :first] = stems[..., last:] = 0  # what is silence here was heard as mirrored sound
        return stems

    def _viewed(self, segment: Array, n_fft: int, care: Care) -> Array:
        """Return the stems as the networks hear them in frames of this length."""
        import numpy as np

        from ...kernels.masks import ratio_masks
        from ...kernels.roundtrip import masked_roundtrip

        hop, samples = n_fft // 4, segment.shape[1]
        heard, start = with_margins(segment, hop)
        X, magnitudes, estimates = self.estimates(heard, n_fft)
        masks = ratio_masks(estimates, 2.0)
        if care.refine:
            stems = _filtered(X, estimates, n_fft, heard.shape[1], care.refine)
            self._give(stems, heard - stems.sum(axis=0))
        else:
            masks[..., SEEN:] = masks[..., _TOP:SEEN].mean(axis=3, keepdims=True)
            stems = masked_roundtrip(heard, masks, n_fft, hop)
        if care.bleed:
            told = slice(_LOWEST, SEEN)
            share = masks[self._vocals, :, :, told]
            fall = absence(share, magnitudes[:, :, told], 44100 / hop, care.bleed)
            gain = _gain(fall, hop, heard.shape[1])
            taken = stems[self._vocals] * (1 - gain)
            stems[self._vocals] -= taken
            self._give(stems, taken)
        return np.ascontiguousarray(stems[..., start : start + samples])

    def _give(self, stems: Array, sound: Array) -> None:
        """Let the stems other than vocals share a sound equally, so that all sum to the mixture."""
        others = [k for k in range(len(stems)) if k != self._vocals]
        for k in others:
            stems[k] += sound / len(others)

    def estimates(self, heard: Array, n_fft: int) -> tuple[npt.NDArray[np.complex64], Array, Array]:
        """Return a sound's spectrum, its magnitudes, and those of its stems, which come first."""
        import numpy as np

        from ...kernels.masks import ratio_masks
        from ...kernels.spectra import stft

        X = stft(heard, n_fft, n_fft // 4)
        channels, frames, bins = X.shape
        magnitudes = np.sqrt(np.square(X.real) + np.square(X.imag))  # a third of the time of np.abs
        level = float(np.mean(np.square(heard), dtype=np.float64))
        gain = np.float32(min(_POWER / max(level, 1e-30), _MOST) ** 0.5 * N_FFT / n_fft)
        # The last frame's centre lies past the end.
        made = self.estimate(np.ascontiguousarray(magnitudes[:, : frames - 1, :SEEN] * gain))
        found = np.empty((len(made), channels, frames, bins), np.float32)
        found[:, :, :-1, :SEEN] = made / gain
        found[:, :, -1] = found[:, :, -2]
        shares = ratio_masks(np.ascontiguousarray(found[..., _TOP:SEEN])).mean(axis=3, keepdims=True)
        np.multiply(shares, magnitudes[..., SEEN:], out=found[..., SEEN:])
        return X, magnitudes, found


def _filtered(X: npt.NDArray[np.complex64], estimates: Array, n_fft: int, samples: int, steps: int) -> Array:
    """Return the stems that the multichannel Wiener filter makes of estimates.

    It begins with shares by powers of 3/4, which did better than amplitudes on both sets that were tried.
    """
    import numpy as np

    from ...kernels.multichannel import multichannel_wiener
    from ...kernels.spectra import istft

    root = np.sqrt(estimates)
    Y = multichannel_wiener(X, root * np.sqrt(root), iterations=steps)
    stems, channels, frames, bins = Y.shape
    y = istft(Y.reshape(stems * channels, frames, bins), n_fft, n_fft // 4, length=samples)
    return y.reshape(stems, channels, samples)


def _gain(fall: npt.NDArray[np.float64], hop: int, samples: int) -> Array:
    """Return a factor for every sample from dB at every frame."""
    import numpy as np

    at = np.arange(samples) / hop
    return np.interp(at, np.arange(len(fall)), 10 ** (-fall / 20)).astype(np.float32)


def sounding(segment: Array) -> tuple[int, int]:
    """Return where the sound in a segment begins and ends; all of it where it is silent throughout."""
    import numpy as np

    heard = np.flatnonzero(segment.any(axis=0))
    return (int(heard[0]), int(heard[-1]) + 1) if heard.size else (0, segment.shape[1])


def with_margins(segment: Array, hop: int) -> tuple[Array, int]:
    """Return a segment with mirrored sound around it, and for silence at its ends, and where it begins.

    The whole is a multiple of 64 hops, with 16 or more on either side.

    Example:
        >>> import numpy as np
        >>> heard, start = with_margins(np.array([[0, 0, 1, 2, 3, 0]], np.float32), 1)
        >>> heard.shape, start, heard[0, start : start + 6].tolist()
        ((1, 64), 29, [3.0, 2.0, 1.0, 2.0, 3.0, 2.0])
    """
    import numpy as np

    samples = segment.shape[1]
    whole = -(-(samples + 2 * _MARGIN * hop) // (_DEPTH * hop)) * _DEPTH * hop
    start = (whole - samples) // 2
    first, last = sounding(segment)
    ends = (start + first, whole - start - last)
    mode = "reflect" if last - first > 1 else "edge"
    heard: Array = np.pad(segment[:, first:last], ((0, 0), ends), mode=mode)  # type: ignore[call-overload]
    return heard, start
