"""`StftProcessor`: the author writes masks, the host owns frames, windows, overlap and latency."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .errors import PluginError
from .params import Params
from .timeline import TimedProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ...kernels.streaming import StreamingStft
    from .audio import Spec
    from .processor import Array

__all__ = ["StftProcessor"]

P = TypeVar("P", bound=Params)


class StftProcessor(TimedProcessor[P]):
    """Base for processors that multiply the spectrum of their one input by real masks.

    The author writes `masks`, and `start` when there is state. Frames lie on an absolute grid (the
    k-th ends at sample ``(k + 1) * hop``), so the output does not depend on block sizes; the latency
    is ``n_fft - 1 + lookahead * hop`` samples. Analysis and synthesis window are a root-Hann and its dual
    (Allen and Rabiner, Proc. IEEE 65, 1977), so masks of one give the input back. Two channels share one
    transform, which leaks about -140 dB, and NaN, from one to the other.

    Attributes:
        n_fft: samples in a frame, 2^a 3^b 5^c 7^d. `geometry` chooses another for other rates.
        hop: samples between frames.
        lookahead: frames that `masks` may see before it has to decide: what it returns for the frames from
            k on is applied to the frames from ``k - lookahead`` on.
        params: while `masks` runs, the parameters in force at the centre of the frames that it decides on.

    Example:
        >>> import numpy as np
        >>> class Gate(StftProcessor[Params]):
        ...     def masks(self, X):
        ...         return {"out": (np.abs(X) > 1e-3).astype(np.float32)}
    """

    n_fft: ClassVar[int] = 2048
    hop: ClassVar[int] = 512
    lookahead: ClassVar[int] = 0

    @abstractmethod
    def masks(self, X: npt.NDArray[np.complex64]) -> Mapping[str, npt.NDArray[np.float32]]:
        """Return a real mask for every output in ``self.spec.outputs`` (others may be given too).

        Args:
            X: spectra of the frames at hand, ``[channels, frames, bins]``; ``frames`` is at least 1 and
                depends on the block size, so a frame's mask may use earlier frames but must not depend on
                how many frames come in one call. Read-only.

        Returns:
            By output: float32, broadcastable to ``X.shape``.
        """

    def start(self, spec: Spec) -> None:
        """Create the state that `masks` carries from frame to frame. Called by prepare and reset."""

    def geometry(self, rate: int) -> tuple[int, int]:  # noqa: ARG002 - authors may use it
        """Return ``(n_fft, hop)`` for this sample rate in Hz."""
        return self.n_fft, self.hop

    def prepare(self, spec: Spec) -> None:
        """Allocate frames and overlap-add buffers."""
        super().prepare(spec)
        n_fft, hop = self.geometry(spec.rate)
        self._size, self._hop = n_fft, hop
        self.latency, self.tail = n_fft - 1 + self.lookahead * hop, n_fft
        self.reset()

    def reset(self) -> None:
        """Start afresh with the present parameters."""
        from ...kernels.streaming import StreamingStft

        if len(self.spec.inputs) != 1:
            raise PluginError(f"an StftProcessor has exactly one input, not {len(self.spec.inputs)}")
        ((_, layout),) = self.spec.inputs.items()
        sizes = (layout.channels, self._size, self._hop, self.spec.max_block)
        stems = max(1, len(self.spec.outputs))
        self._stream: StreamingStft = StreamingStft(*sizes, stems=stems, lookahead=self.lookahead)
        self.rewind()
        self.start(self.spec)

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Advance the frame grid by one block."""
        (block,) = ins.values()
        X = self._stream.analyse(block).copy()  # authors may keep frames from call to call
        X.flags.writeable = False
        if X.shape[1]:
            self._mask(X)
        for stem, name in enumerate(self.spec.outputs):
            if name in outs:
                self._stream.pull(stem, outs[name])
        self._position += block.shape[1]
        self.params = self._timeline.newest

    def _mask(self, X: npt.NDArray[np.complex64]) -> None:
        """Ask for the masks of all frames, with the parameters in force at each, and apply them."""
        import numpy as np

        last = self._stream.frames_done - self.lookahead
        ends = [(last - X.shape[1] + k + 1) * self._hop for k in range(X.shape[1])]
        found = {name: np.empty(X.shape, np.float32) for name in self.spec.outputs}
        first = 0
        while first < len(ends):
            self.params, last = self._in_force(ends, first)
            part = X[:, first:last]
            masks = self.masks(part)
            for name, whole in found.items():
                whole[:, first:last] = self._broadcast(masks, name, part.shape)
            first = last
        for stem, whole in enumerate(found.values()):
            self._stream.synthesise(stem, whole)

    def _in_force(self, ends: list[int], first: int) -> tuple[P, int]:
        """Return the parameters at frame ``first`` and the first later frame that has others."""
        half = self._size // 2
        params = self._timeline.at(ends[first] - half)
        change = self._timeline.next_change(ends[first] - half)
        if change is None:
            return params, len(ends)
        return params, next((k for k in range(first, len(ends)) if ends[k] - half >= change), len(ends))

    @staticmethod
    def _broadcast(masks: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        import numpy as np

        if name not in masks:
            raise PluginError(f"masks() gave no mask for output {name!r}, only for {', '.join(masks)}")
        mask = np.asarray(masks[name], dtype=np.float32)
        try:
            return np.broadcast_to(mask, shape)
        except ValueError:
            raise PluginError(
                f"mask {name!r} has shape {mask.shape}; it must broadcast to "
                f"[channels, frames, bins] = {shape}",
            ) from None
