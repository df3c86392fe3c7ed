"""`StftProcessor`: the author writes masks, the host owns frames, windows, overlap and latency."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, ClassVar, TypeVar

from .errors import PluginError
from .params import Params
from .processor import BlockProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ...kernels.stft import StreamingIstft, StreamingStft
    from .audio import Spec
    from .processor import Array

__all__ = ["StftProcessor"]

P = TypeVar("P", bound=Params)


class StftProcessor(BlockProcessor[P]):
    """Base for processors that multiply the spectrum of their one input by real masks.

    The author writes `masks`, and `start` when there is state. Frames lie on an absolute grid (the
    k-th ends at sample ``(k + 1) * hop``), so the output does not depend on block sizes; the latency
    is ``n_fft - 1`` samples. Analysis and synthesis window are a root-Hann and its dual
    (Allen and Rabiner, Proc. IEEE 65, 1977), so masks of one give the input back.

    Attributes:
        n_fft: samples in a frame. `geometry` chooses another for other rates.
        hop: samples between frames.
        params: while `masks` runs, the parameters in force at the centre of its frames.

    Example:
        >>> import numpy as np
        >>> class Gate(StftProcessor[Params]):
        ...     def masks(self, X):
        ...         return {"out": (np.abs(X) > 1e-3).astype(np.float32)}
    """

    n_fft: ClassVar[int] = 2048
    hop: ClassVar[int] = 512

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
        self.latency, self.tail = n_fft - 1, n_fft
        self.reset()

    def reset(self) -> None:
        """Start afresh with the present parameters."""
        from ...kernels.stft import StreamingIstft, StreamingStft

        if len(self.spec.inputs) != 1:
            raise PluginError(f"an StftProcessor has exactly one input, not {len(self.spec.inputs)}")
        ((_, layout),) = self.spec.inputs.items()
        args = (layout.channels, self._size, self._hop, self.spec.max_block)
        self._analysis: StreamingStft = StreamingStft(*args)
        self._synthesis: dict[str, StreamingIstft] = {
            name: StreamingIstft(*args) for name in self.spec.outputs
        }
        self._position = 0
        newest = self._history[-1][1] if hasattr(self, "_history") else self.params
        self.params = newest
        self._history: deque[tuple[int, P]] = deque([(0, newest)])
        self.start(self.spec)

    def set(self, params: P) -> None:
        """Note the parameters from this sample on; each frame uses those at its centre."""
        if not hasattr(self, "_history"):  # not prepared yet
            self.params = params
            return
        if self._history[-1][0] == self._position:
            self._history.pop()
        self._history.append((self._position, params))

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Advance the frame grid by one block."""
        (block,) = ins.values()
        X = self._analysis.push(block)
        X.flags.writeable = False
        ends = [(self._analysis.frames_done - X.shape[1] + k + 1) * self._hop for k in range(X.shape[1])]
        first = 0
        while first < len(ends):
            params, last = self._in_force(ends, first)
            self.params = params
            self._apply(X[:, first:last])
            first = last
        for name, out in outs.items():
            self._synthesis[name].pull(out)
        self._position += block.shape[1]
        self.params = self._history[-1][1]

    def _in_force(self, ends: list[int], first: int) -> tuple[P, int]:
        """Return the parameters at frame ``first`` and the first later frame that has others."""
        half = self._size // 2
        while len(self._history) > 1 and self._history[1][0] <= ends[first] - half:
            self._history.popleft()
        if len(self._history) == 1:
            return self._history[0][1], len(ends)
        change = self._history[1][0]
        last = next((k for k in range(first, len(ends)) if ends[k] - half >= change), len(ends))
        return self._history[0][1], last

    def _apply(self, X: npt.NDArray[np.complex64]) -> None:
        import numpy as np

        masks = self.masks(X)
        for name, synthesis in self._synthesis.items():
            if name not in masks:
                raise PluginError(f"masks() gave no mask for output {name!r}, only for {', '.join(masks)}")
            mask = np.asarray(masks[name], dtype=np.float32)
            try:
                shaped = np.broadcast_to(mask, X.shape)
            except ValueError:
                raise PluginError(
                    f"mask {name!r} has shape {mask.shape}; it must broadcast to "
                    f"[channels, frames, bins] = {X.shape}",
                ) from None
            synthesis.push(X * shaped)
