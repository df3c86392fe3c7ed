"""Streams: short-time spectra, masks and overlap-add, block by block, without allocation.

Frame k covers samples ``[(k + 1) hop - n_fft, (k + 1) hop)``; samples before 0 are zero. So every sample
lies in as many frames as any other, frames do not depend on how the signal was cut into blocks, and the
output is ``n_fft - 1`` samples late. The bits are those of the whole-signal kernels with
``framing="stream"``, which run the same code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array, check_count, described, is_float32
from .code import job as at
from .code.job import GAP
from .errors import KernelError
from .machine import Kernel, address_of, aligned, pointer_to
from .nodes import NodeState
from .plan import plan_of
from .windows import check_hop, dual_window, window_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from .windows import Window

__all__ = ["MaskedStream", "StreamJob", "StreamingStft"]

_analyse = Kernel("streams.analyse", "wpwwwww")
_synthesise = Kernel("streams.synthesise", "wwpww")
_emit = Kernel("streams.emit", "wwpww")
_process = Kernel("streams.process", "wpwpww")


class StreamJob:
    """The state of a stream: a job, and the memories it points to; for nodes that run its steps themselves.

    Args:
        channels, n_fft, hop, stems, window, lookahead, width: as those of `StreamingStft`.
        longest: the most samples that are taken at once.
        frames: the most frames that these complete.
        steps: of a frame, beside forward, apply and inverse: names of `code.job.STEPS`.

    Attributes:
        job: int64, see `code.job`.
        bins: of a frame.
    """

    def __init__(  # noqa: PLR0913 - what the two public classes have in common
        self,
        channels: int,
        n_fft: int,
        hop: int,
        *,
        window: Window,
        stems: int,
        longest: int,
        frames: int,
        width: int | None,
        steps: tuple[str, ...],
        lookahead: int = 0,
    ) -> None:
        for name, value in (("channels", channels), ("stems", stems)):
            check_count(name, value)
        plan, values = plan_of(n_fft, width), window_of(window, n_fft)
        dual = dual_window(values, hop)
        windows = aligned((3, n_fft))
        windows[at.ANALYSIS - at.ANALYSIS_ALONE], windows[0], windows[2] = values / 2, values, dual / n_fft
        pairs, part = (channels + 1) // 2, 2 * (n_fft + GAP)
        # Room for twice what is needed, so that memories are moved once in many blocks.
        self.history = aligned((channels, 2 * (n_fft + longest)))
        self.sums = aligned((stems * channels, 2 * (n_fft + longest + lookahead * hop)))
        work = aligned(((frames + lookahead) * pairs + 1) * part)
        job = plan.job(channels, "forward", "apply", "inverse_add", *steps)
        job[at.HOP], job[at.CHANNELS], job[at.STEMS] = hop, channels, stems
        job[at.ANALYSIS_ALONE : at.SYNTHESIS + 1] = [address_of(row) for row in windows]
        job[at.WORK], job[at.SPARE] = address_of(work) + 4 * part, address_of(work)
        job[at.HISTORY], job[at.HISTORY_SIZE] = address_of(self.history), self.history.shape[1]
        job[at.SUMS], job[at.SUMS_SIZE] = address_of(self.sums), self.sums.shape[1]
        job[at.LOOKAHEAD] = lookahead
        self.job, self.bins, self.kept = job, plan.bins, [plan, windows, work]

    def reset(self) -> None:
        """Return to the state before the first sample."""
        n_fft, ahead = self.job[at.LENGTH], self.job[at.LOOKAHEAD] * self.job[at.HOP]
        self.job[at.TAKEN] = self.job[at.DONE] = self.job[at.PENDING] = 0
        self.job[at.HISTORY_FROM], self.job[at.SUMS_FROM] = -n_fft, 1 - n_fft - ahead
        self.history[:] = 0
        self.sums[:] = 0


class StreamingStft:
    """Spectra of the frames that each block completes, and for each stem the way back.

    For every block call `analyse`, then `synthesise` for every stem, then `pull` for every stem.

    Args:
        channels: rows of every block.
        n_fft: samples in a frame.
        hop: samples between frames, 1 to ``n_fft``.
        max_block: the longest block `analyse` will see.
        stems: how many outputs are made of the one input.
        window: analysis window; synthesis uses its dual.
        lookahead: frames by which masks come after their spectra: those given after `analyse` returned the
            frames from k on are for the frames from ``k - lookahead`` on.
        width: float32 lanes of vectors; by default the CPU's.

    Attributes:
        latency: samples by which the output is late, ``n_fft - 1 + lookahead * hop``.
        state: address of the stream's job, for compiled code.

    Raises:
        KernelError: an argument cannot be, or window and hop cannot reconstruct.

    Example:
        >>> stream = StreamingStft(channels=1, n_fft=64, hop=16, max_block=100)
        >>> X = stream.analyse(np.ones((1, 100), np.float32))
        >>> X.shape
        (1, 6, 33)
        >>> stream.synthesise(0, np.ones(X.shape, np.float32))
        >>> out = np.empty((1, 100), np.float32)
        >>> stream.pull(0, out)
        >>> out[0, 62:].round(5).tolist()[:3]
        [0.0, 1.0, 1.0]
    """

    def __init__(
        self,
        channels: int,
        n_fft: int,
        hop: int,
        max_block: int,
        *,
        stems: int = 1,
        window: Window = "root_hann",
        lookahead: int = 0,
        width: int | None = None,
    ) -> None:
        hop = check_hop(hop, plan_of(n_fft, width).n_fft)
        frames = check_count("max_block", max_block) // hop + 1
        self._stream = StreamJob(
            channels,
            n_fft,
            hop,
            window=window,
            stems=stems,
            longest=max_block,
            frames=frames,
            width=width,
            steps=("unpack",),
            lookahead=check_count("lookahead", lookahead, 0),
        )
        self.latency = n_fft - 1 + lookahead * hop
        self.channels, self.stems, self.max_block, self.bins = channels, stems, max_block, self._stream.bins
        self._spectra = aligned((channels, frames, self.bins), np.complex64)
        self._place = (address_of(self._spectra), *self._spectra.strides[:2])
        self.state = address_of(self._stream.job)
        self._analyse, self._synthesise, self._emit = _analyse.function, _synthesise.function, _emit.function
        self._rows = range(stems)
        self._frames = self._samples = 0
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._stream.reset()
        self._frames = self._samples = 0

    @property
    def samples_done(self) -> int:
        """The number of samples taken so far."""
        return int(self._stream.job[at.TAKEN])

    @property
    def frames_done(self) -> int:
        """The number of frames completed so far."""
        return int(self._stream.job[at.DONE])

    def analyse(self, block: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
        """Take a block; return the spectra of the frames that it completes, maybe none.

        Args:
            block: float32 ``[channels, n]``, n at most ``max_block``; samples of a channel side by side.

        Returns:
            complex64 ``[channels, frames, n_fft // 2 + 1]``, valid until the next call.

        Raises:
            KernelError: the block has another shape or type.
        """
        n = self._check("block", block)
        if n > self.max_block:
            raise KernelError(f"block has {n} samples, max_block is {self.max_block}")
        self._frames = self._analyse(self.state, pointer_to(block), block.strides[0], n, *self._place)
        self._samples = n
        return self._spectra[:, : self._frames]

    def synthesise(self, stem: int, masks: npt.NDArray[np.float32]) -> None:
        """Multiply the frames of the last `analyse` by masks and add them to a stem.

        With ``lookahead``, as many frames, but those that lie so far before.

        Args:
            stem: 0 to ``stems - 1``.
            masks: float32 ``[channels, frames, n_fft // 2 + 1]``, bins side by side; channels and frames may
                be broadcast.

        Raises:
            KernelError: the masks have another shape or type, or there is no such stem.
        """
        row, shape = self._stem(stem), (self.channels, self._frames, self.bins)
        if not is_float32(masks, shape):
            raise KernelError(
                f"masks must be float32 [channels, frames, bins] = {list(shape)}, not {described(masks)}"
            )
        if not self._frames:
            return
        if masks.strides[2] != masks.itemsize:
            raise KernelError("masks must have the bins of a frame side by side; use numpy.ascontiguousarray")
        self._synthesise(self.state, row, pointer_to(masks), *masks.strides[:2])

    def pull(self, stem: int, out: npt.NDArray[np.float32]) -> None:
        """Fill ``out``, of the last block's shape, with the samples of a stem that leave with it.

        Raises:
            KernelError: ``out`` has another shape or type, or there is no such stem.
        """
        if self._check("out", out) != self._samples or not out.flags.writeable:
            raise KernelError(f"out must be writable with the {self._samples} samples of the last block")
        self._emit(self.state, self._stem(stem), pointer_to(out), out.strides[0], self._samples)

    def _stem(self, stem: int) -> int:
        if stem not in self._rows:
            raise KernelError(f"stem {stem!r} is not among 0 to {self.stems - 1}")
        return stem

    def _check(self, name: str, block: npt.NDArray[np.float32]) -> int:
        n = block.shape[1] if getattr(block, "ndim", 0) == 2 else 0
        if not is_float32(block, (self.channels, n)):
            raise KernelError(
                f"{name} must be float32 [channels = {self.channels}, samples], not {described(block)}",
            )
        if n > 1 and block.strides[1] != block.itemsize:
            raise KernelError(f"{name} must have the samples of a channel side by side")
        return n


class MaskedStream(NodeState):
    """Transform, masks and overlap-add as one compiled node: channels in, ``stems * channels`` out.

    The masks are those in `masks` at the time a frame completes, or, with a function, what it writes there.

    Args:
        channels: of the input, and of every stem.
        n_fft: samples in a frame.
        hop: samples between frames, 1 to ``n_fft``.
        stems: outputs.
        window: analysis window; synthesis uses its dual.
        function: address of ``int32 f(void* state, const float* spectra, float* masks, int64 frame)``,
            called once a frame: ``spectra [2, channels, bins]`` hold real, then imaginary parts; it fills
            ``masks [stems, channels, bins]`` and returns 0, or a code that ends the stream as an error.
        state: address handed to the function.
        lookahead: frames that the function sees ahead: called with frame k, it gives the masks of frame
            ``k - lookahead``, and the output is ``lookahead * hop`` samples later.
        width: float32 lanes of vectors; by default the CPU's.

    Attributes:
        masks: float32 ``[stems, channels, n_fft // 2 + 1]``, ones at first.
        latency: samples by which the output is late, ``n_fft - 1 + lookahead * hop``.

    Raises:
        KernelError: an argument cannot be, or window and hop cannot reconstruct.

    Example:
        >>> stream = MaskedStream(channels=2, n_fft=512, hop=128)
        >>> stream.masks[:] = 0.5
        >>> out = np.empty((2, 1024), np.float32)
        >>> stream.process(np.ones((2, 1024), np.float32), out)
        >>> out[:, 511:].round(5).tolist()[0][:3]
        [0.5, 0.5, 0.5]
    """

    kernel = Kernel("streams.node", 4)

    def __init__(  # noqa: PLR0913 - what a stream is, all by name
        self,
        channels: int,
        n_fft: int,
        hop: int,
        *,
        stems: int = 1,
        window: Window = "root_hann",
        function: int = 0,
        state: int = 0,
        lookahead: int = 0,
        width: int | None = None,
    ) -> None:
        hop = check_hop(hop, plan_of(n_fft, width).n_fft)
        stream = StreamJob(
            channels,
            n_fft,
            hop,
            window=window,
            stems=stems,
            longest=hop,
            frames=1,
            width=width,
            steps=("spread",),
            lookahead=check_count("lookahead", lookahead, 0),
        )
        self._stream, self.channels, self.stems = stream, channels, stems
        self.latency = n_fft - 1 + lookahead * hop
        self.masks = aligned((stems, channels, stream.bins))
        self.masks[:] = 1
        spectra = aligned((2, channels, stream.bins))
        job = stream.job
        job[at.MASKS], job[at.SPECTRA] = address_of(self.masks), address_of(spectra)
        job[at.CALLEE], job[at.CALLEE_STATE] = check_count("function", function, 0), state
        stream.kept.append(spectra)
        self.header, self._address = job, address_of(job)
        self.arrays = [self.masks]
        self._process = _process.function
        self.reset()

    def reset(self) -> None:
        """Forget the signal; masks stay."""
        self._stream.reset()

    def process(self, block: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
        """Run a block of any length.

        Args:
            block: float32 ``[channels, n]``, C-contiguous.
            out: float32 ``[channels, n]``, or ``[stems, channels, n]``, C-contiguous; with one stem it may be
                ``block``, else they must share no memory, which is not checked.

        Raises:
            KernelError: a block has another shape or type, or the function returned non-zero.
        """
        n = block.shape[1] if getattr(block, "ndim", 0) == 2 else 0
        one = (self.channels, n)
        rows = one if self.stems == 1 and getattr(out, "ndim", 2) == 2 else (self.stems, *one)
        if not (is_float32(block, one) and block.flags.c_contiguous):
            check_array("block", block, np.float32, (self.channels, None))
        if not (is_float32(out, rows) and out.flags.carray):
            check_array("out", out, np.float32, rows, writable=True)
        code = self._process(self._address, pointer_to(block), 4 * n, pointer_to(out), 4 * n, n)
        if code:
            raise KernelError(f"the mask function returned {code} at frame {int(self.header[at.DONE]) - 1}")
