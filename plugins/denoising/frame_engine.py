"""`FrameEngine`: an engine that takes and gives frames of one length becomes a node for any block length.

Frames lie on an absolute grid (the k-th is complete at sample ``(k + 1) * hop``), so the output does not
depend on how the sound is cut into blocks. What the engine takes off is known to the sample, because the
input waits for the engine's delay; so a part of it can be given back.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ...host.contract.errors import PluginError
from ...host.contract.timeline import TimedProcessor
from .controls import ENGINES
from .parameters import FilterParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...host.contract.audio import Spec
    from ...host.contract.processor import Array

__all__ = ["FrameEngine", "residual_share"]

P = TypeVar("P", bound=FilterParams)

#: An attenuation limit from here on is none, as the engines themselves have it.
_NO_LIMIT = 100.0
#: The engines hear no more than this: 20 dB over full scale. Far beyond, their float32 overflows.
_LOUDEST = 10.0


def residual_share(controls: FilterParams) -> float:
    """Return how much stays of what the engine would take off, 0 to 1.

    The output is ``speech + share * (input - speech)``: at full strength, noise that the engine removes
    altogether is heard ``limit`` dB lower.
    """
    limit = min(controls.limit, ENGINES[controls.preset].limit)
    floor = 0.0 if limit >= _NO_LIMIT else 10 ** (-limit / 20)
    return float(1 - controls.strength * (1 - floor))


class FrameEngine(TimedProcessor[P]):
    """Base of nodes around engines of frames: one input, one output, every channel by itself.

    The author writes `open_channels` and `frame`. Parameters may change at any sample: what stays of the
    residual moves in a straight line from frame to frame. NaN and infinity in the input are heard as 0, so
    that no engine is lost to them.

    Attributes:
        model: the id of its model card.
        rate: Hz; the plugin's card lets the host resample.
        hop: samples in a frame.
        delay: samples by which what the engine gives is later than what it takes, measured.
        ringing: samples for which the engine sounds on after its input, beyond the delay.
    """

    model: ClassVar[str]
    rate: ClassVar[int] = 48000
    hop: ClassVar[int] = 480
    delay: ClassVar[int]
    ringing: ClassVar[int]

    @abstractmethod
    def open_channels(self, channels: int) -> None:
        """Make the engine's state anew, as if nothing had been heard; called by prepare and reset."""

    def close_channels(self) -> None:
        """Give the engine's state back."""

    @abstractmethod
    def frame(self, channel: int, samples: Array) -> Array:
        """Return what the engine makes of the next frame of one channel.

        Args:
            channel: counted from 0.
            samples: float32 ``[hop]``, finite, full scale 1, C-contiguous.

        Returns:
            float32 ``[hop]``; the engine's own, `delay` samples late.
        """

    def prepare(self, spec: Spec) -> None:
        """Allocate, and open the engine.

        Raises:
            PluginError: the rate is not the engine's, or there is not one input.
            ModelError: the engine is not here.
        """
        super().prepare(spec)
        if spec.rate != self.rate:
            raise PluginError(f"it runs at {self.rate} Hz, not {spec.rate} Hz")
        if len(spec.inputs) != 1:
            raise PluginError(f"it has exactly one input, not {len(spec.inputs)}")
        self.latency = self.delay + self.hop - 1
        self.tail = self.ringing
        self._fresh = False
        self.reset()

    def reset(self) -> None:
        """Start afresh with the present parameters."""
        import numpy as np

        (layout,) = self.spec.inputs.values()
        self.rewind()
        if not self._fresh:  # opening may take half a second a channel
            self.close_channels()
            self.open_channels(layout.channels)
            self._fresh = True
        self._share = residual_share(self.params)
        self._line = np.zeros((layout.channels, self.delay + self.hop), np.float32)
        self._taken = np.zeros((layout.channels, self.hop), np.float32)
        self._given = np.zeros((layout.channels, self.hop), np.float32)
        self._rise = np.arange(1, self.hop + 1, dtype=np.float32) / np.float32(self.hop)

    def release(self) -> None:
        """Give the engine back."""
        super().release()
        self._fresh = False
        self.close_channels()

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Cut the block at the frames' ends."""
        (block,) = ins.values()
        samples, done = block.shape[1], 0
        while done < samples:
            at = self._position % self.hop
            count = min(samples - done, self.hop - at)
            self._taken[:, at : at + count] = block[:, done : done + count]
            self._position += count
            complete = at + count == self.hop
            old = count - 1 if complete else count  # the last sample of a frame gives the first of the next
            for out in outs.values():
                out[:, done : done + old] = self._given[:, at + 1 : at + 1 + old]
            if complete:
                self._advance()
                for out in outs.values():
                    out[:, done + old] = self._given[:, 0]
            done += count
        self.params = self._timeline.newest

    def findings(self) -> Mapping[str, float | str]:
        """Return the model with its licences."""
        from ...host.models import model_card

        return {"model": model_card(self.model).notice}

    def _advance(self) -> None:
        """Run the engine over one frame, and give back what stays of the residual."""
        import numpy as np

        taken = np.nan_to_num(self._taken, copy=True, nan=0.0, posinf=0.0, neginf=0.0)
        self._line[:, : -self.hop] = self._line[:, self.hop :]
        self._line[:, -self.hop :] = taken
        heard = np.clip(taken, -_LOUDEST, _LOUDEST)
        self._fresh = False
        for channel, samples in enumerate(heard):
            self._given[channel] = self.frame(channel, samples)
        end = self._position - self.delay
        share = residual_share(self._timeline.at(end))
        if share or self._share:
            kept = np.float32(self._share) + np.float32(share - self._share) * self._rise
            dry = self._line[:, : self.hop]
            self._given *= np.float32(1) - kept
            self._given += kept * dry
        self._share = share
