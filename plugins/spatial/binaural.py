"""A scene for headphones: loudspeakers around a head, each heard by both ears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...host.contract.audio import NAMED_LAYOUTS
from ...host.contract.processor import BlockProcessor
from ...kernels.convolution import BlockConvolution
from ...kernels.loudspeakers import loudspeakers
from ..upmix import BinauralParams
from .hrtf import read_hrtf
from .loudspeakers import render_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...host.contract.audio import Spec
    from ...host.contract.processor import Array

__all__ = ["Binaural"]

_LAYOUT = "7.1.4"


class Binaural(BlockProcessor[BinauralParams]):
    """Beds and objects to two ears, by way of 7.1.4."""

    def prepare(self, spec: Spec) -> None:
        """Read the responses of the head.

        Raises:
            PluginError: there are none.
        """
        super().prepare(spec)
        shape = spec.inputs["in"].scene
        assert shape is not None  # noqa: S101 - the card refuses all else
        speakers = loudspeakers(NAMED_LAYOUTS[_LAYOUT])
        heard, arrival = read_hrtf(
            self.params.hrtf, [(each.azimuth, each.elevation) for each in speakers], spec.rate
        )
        roles = [each.role for each in speakers]
        heard[roles.index("LFE")] = heard[roles.index("C")]
        self._render = render_of(shape, _LAYOUT, spec.rate)
        self._ears = BlockConvolution(heard)
        self.latency, self.tail = self._ears.latency + arrival, heard.shape[2]
        self._room = np.empty(len(speakers) * spec.max_block, np.float32)

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Render, and filter."""
        if "out" in outs:
            n = ins["in"].shape[1]
            channels = len(NAMED_LAYOUTS[_LAYOUT])
            around = self._room[: channels * n].reshape(channels, n)
            self._ears.process(self._render.process(ins["in"], around), outs["out"])

    def reset(self) -> None:
        """Forget the signal."""
        self._render.reset()
        self._ears.reset()
