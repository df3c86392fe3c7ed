"""`BandFilter`: a network's gains in bands, applied to the spectrum one frame later."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from ...host.contract.stft_processor import StftProcessor
from .bands import EDGES, FRAME, FULL_SCALE, HOP
from .choice import card_of, shipped
from .controls import LEARNT
from .features import FLOOR, KEEP, LEVEL, SPREAD, START
from .parameters import FilterParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ...host.contract.audio import Spec

    Array = npt.NDArray[np.float32]

__all__ = ["LearntDenoiser", "LearntWindFilter"]

P = TypeVar("P", bound=FilterParams)

#: Powers above this count as it: 40 dB over full scale, where nothing was learnt.
_LOUDEST = 1e4
_MOST = 16  # channels of one network


class _BandFilter(StftProcessor[P]):
    """Runs a trained network at 48 kHz: every channel by itself, one frame of look-ahead."""

    n_fft, hop = FRAME, HOP
    lookahead: ClassVar[int] = 1

    output: ClassVar[str]
    task: ClassVar[str]

    def prepare(self, spec: Spec) -> None:
        """Load the network.

        Raises:
            ModelError: the weights are not here, or not what they should be.
        """
        from ...host.models import load_tensors, load_weights

        model = self.params.model
        if model == "default":
            self._card, path = shipped(self.task)
            self._weights = load_tensors(path, "safetensors")
        else:
            self._card, self._weights = model, load_weights(card_of(model, self.task))
        super().prepare(spec)

    def start(self, spec: Spec) -> None:
        """Forget the noise, and what was said."""
        from ...kernels.band_levels import BandLevels
        from .band_network import band_network

        (layout,) = spec.inputs.values()
        # One network takes a few channels.
        groups = [range(layout.channels)[k : k + _MOST] for k in range(0, layout.channels, _MOST)]
        self._groups = [
            (slice(group.start, group.stop), band_network(self._weights, len(group))) for group in groups
        ]
        self._bands = BandLevels(
            layout.channels,
            EDGES,
            scale=1 / FULL_SCALE,
            floor=FLOOR,
            keep=KEEP,
            start=START,
            shift=LEVEL,
            unit=SPREAD,
            most=_LOUDEST * FULL_SCALE,
        )

    def masks(self, X: npt.NDArray[np.complex64]) -> Mapping[str, Array]:
        """Return the gains of the frames before these."""
        import numpy as np

        controls = self.params
        preset = LEARNT[controls.preset]
        levels = self._bands.levels(X)
        gains = np.concatenate([network.run(levels[group]) for group, network in self._groups])
        limit = min(preset.limit, controls.limit)
        masks = self._bands.masks(gains, exponent=preset.exponent, limit=limit, strength=controls.strength)
        return {self.output: masks}

    def findings(self) -> Mapping[str, float | str]:
        """Return the model with its licences."""
        from ...host.models import model_card

        return {"model": model_card(self._card).notice}


class LearntDenoiser(_BandFilter[P]):
    """Noise off speech by a network."""

    output, task = "speech", "denoise"


class LearntWindFilter(_BandFilter[P]):
    """Wind off a recording by a network."""

    output, task = "clean", "dewind"
