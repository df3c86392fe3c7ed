"""`BandGains`: networks that hear levels of bands and answer with their gains, as one compiled rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array
from .errors import KernelError
from .gain_rule import GainRule
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .band_levels import BandLevels
    from .neural import Network

__all__ = ["BandGains"]


class BandGains(GainRule):
    """Gains of bins by networks, frame by frame: spectra to levels, levels to gains of bands, those to bins.

    Args:
        levels: what the networks hear.
        networks: one, or several that take so many channels each, from the first on; each takes
            ``2 * levels.bands`` values a frame and gives one or more for every band (`BandLevels.masks`).
        block: the most frames of one call.

    Raises:
        KernelError: the networks do not fit the bands, or not all channels have one.

    Example:
        >>> from unbraid.kernels.band_levels import BandLevels
        >>> from unbraid.kernels.neural import Network
        >>> from unbraid.kernels.neural_layers import Dense
        >>> half = Network(4, [Dense(np.zeros((2, 4)), activation="sigmoid")])
        >>> rule = BandGains(BandLevels(1, [0, 1, 3]), [half])
        >>> rule.process(np.ones((1, 2, 3), np.complex64)).tolist()
        [[[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]]
    """

    kernel = Kernel("band_levels.gains", 4)

    def __init__(self, levels: BandLevels, networks: Sequence[Network], *, block: int = 8) -> None:
        super().__init__(levels.channels, levels.bins, block)
        taken, heads = sum(network.channels for network in networks), 0
        if taken != self.channels:
            raise KernelError(f"networks take {taken} channels, the levels are of {self.channels}")
        for network in networks:
            heads, rest = divmod(network.outputs.values, levels.bands)
            if network.inputs.values != 2 * levels.bands or rest or not heads:
                raise KernelError(
                    f"a network takes {network.inputs.values} values and gives {network.outputs.values}; "
                    f"{levels.bands} bands need {2 * levels.bands} and a multiple of {levels.bands}"
                )
        if len({network.outputs.values for network in networks}) > 1:
            raise KernelError("networks give unlike numbers of values for a band")
        room = self.channels * block * levels.bands
        self._levels, self._networks = levels, tuple(networks)
        each = [number for one in networks for number in (one.address, one.state, one.channels)]
        self._keep(levels.state, len(networks), heads, aligned(2 * room), aligned(heads * room), *each)

    def reset(self) -> None:
        """Forget every frame."""
        self._levels.reset()
        for network in self._networks:
            network.reset()

    def process(self, spectra: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        """Return the gains of the next frames, float32 of the same shape.

        Args:
            spectra: complex64 ``[channels, frames, bins]``, C-contiguous, at most ``block`` frames.

        Raises:
            KernelError: the array does not fit.
        """
        check_array("spectra", spectra, np.complex64, (self.channels, None, self.bins))
        if self.block is not None and spectra.shape[1] > self.block:
            raise KernelError(f"spectra have {spectra.shape[1]} frames, block is {self.block}")
        out = aligned(spectra.shape)
        self.kernel(self.state, address_of(spectra), address_of(out), spectra.shape[1])
        return out
