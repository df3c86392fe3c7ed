"""What models without weights share: cards without files, one stem out of the spectrum, and what is left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from ...host.contract.errors import PluginError
from ...kernels.spectra import istft, stft
from .options import card_fault

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...host.models import ModelCard

__all__ = ["HOP", "N_FFT", "SpectralShare", "check_card", "check_device"]

#: Hann frames, in samples.
N_FFT, HOP = 4096, 1024


def check_card(card: ModelCard, stems: tuple[str, ...], least_rate: int) -> None:
    """Raise where a card does not suit a model of two stems that needs no files.

    Args:
        card: the model's.
        stems: that it must name.
        least_rate: in Hz, below which the frames are too long for what the model listens to.

    Raises:
        ModelCardError: the card has files, other stems, or too low a rate.
    """
    if card.files:
        raise card_fault(card, "files", "this architecture has none", "write files: []")
    if card.stems != stems:
        raise card_fault(card, "stems", f"are {list(card.stems)}", f"write stems: [{', '.join(stems)}]")
    if card.rate < least_rate:
        raise card_fault(card, "rate", f"{card.rate} Hz is too low for its frames", "write rate: 44100")


def check_device(card: ModelCard, device: str) -> None:
    """Raise unless it is the CPU that is asked for.

    Raises:
        PluginError: another device would not be used.
    """
    if device != "cpu":
        raise PluginError(f"model {card.id} runs on the CPU only: leave out device: {device}")


class SpectralShare(ABC):
    """A `Separator` whose first stem is a share of the mixture's spectrum, and the second what is left."""

    @abstractmethod
    def share(self, spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.complex64]:
        """Return the first stem's spectrum, ``[channels, frames, bins]``.

        Args:
            spectrum: the mixture's, which may be changed.
        """

    def separate(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return both stems of every segment; they sum to it."""
        out = np.empty((len(batch), 2, *batch.shape[1:]), np.float32)
        for mixture, (first, rest) in zip(batch, out, strict=True):
            share = self.share(stft(np.ascontiguousarray(mixture), N_FFT, HOP))
            istft(share, N_FFT, HOP, length=mixture.shape[1], out=first)
            np.subtract(mixture, first, out=rest)
        return out
