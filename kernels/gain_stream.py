"""`GainStream`: spectra, a rule that gives their gains, and overlap-add, as one compiled node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array, check_count, check_number
from .code import gain_stream_job as at
from .errors import KernelError
from .machine import Kernel, address_of, aligned, row_addresses
from .nodes import NodeState
from .streaming import StreamingStft

if TYPE_CHECKING:
    import numpy.typing as npt

    from .gain_rule import GainRule
    from .windows import Window

__all__ = ["GainStream"]

_DEEPEST = 300.0  # dB


class GainStream(NodeState):
    """Takes a signal down where a rule says so: channels in, as many out.

    What is applied is ``1 - strength (1 - max(gain^exponent, 10^(-limit / 20)))``: linear in the strength,
    and at full strength nothing falls by more than the limit. Frames lie as those of `StreamingStft`, and
    the bits do not depend on how the signal is cut into calls.

    Args:
        rule: gives the gains.
        n_fft: samples in a frame.
        hop: samples between frames, 1 to ``n_fft``.
        lookahead: frames by which gains come after their spectra.
        block: frames that the rule is handed at once where a call brings so many; no more than it takes.
        exponent: below 1 gentler, above 1 harder.
        window: analysis window; synthesis uses its dual.

    Attributes:
        n_fft: samples in a frame.
        latency: samples by which the output is late, ``n_fft - 1 + lookahead * hop``.

    Raises:
        KernelError: an argument cannot be, or does not fit the rule.

    Example:
        >>> from unbraid.kernels.noise_gains import OmLsa, OmLsaSettings
        >>> stream = GainStream(OmLsa(1, 241, OmLsaSettings(frame_rate=400)), 480, 120)
        >>> stream.control(strength=0.0)
        >>> x, y = np.ones((1, 2000), np.float32), np.empty((1, 2000), np.float32)
        >>> stream.process(x, y)
        >>> y[0, 478:481].round(5).tolist()
        [0.0, 1.0, 1.0]
    """

    kernel = Kernel("gain_stream.node", 4)

    def __init__(
        self,
        rule: GainRule,
        n_fft: int,
        hop: int,
        *,
        lookahead: int = 0,
        block: int = 8,
        exponent: float = 1.0,
        window: Window = "root_hann",
    ) -> None:
        longest = check_count("block", block, 1, rule.block or 1 << 10) * hop
        self._stream = StreamingStft(rule.channels, n_fft, hop, longest, window=window, lookahead=lookahead)
        if self._stream.bins != rule.bins:
            raise KernelError(f"the rule takes {rule.bins} bins, a frame has {self._stream.bins}")
        self.latency, self.n_fft, self._rule = self._stream.latency, n_fft, rule
        shape = (rule.channels, block, rule.bins)
        # A change can come with every sample, and waits until a frame has its middle behind it.
        self._changes = np.zeros((n_fft + (lookahead + 1) * hop, at.CHANGE))
        arrays = aligned(shape, np.complex64), aligned(shape), self._changes
        super().__init__(*[0] * at.FIELDS)
        self.arrays = [*arrays]
        self.header[at.JOB], self.header[at.RULE] = self._stream.state, rule.function
        self.header[at.RULE_STATE], self.header[at.BLOCK], self.header[at.BINS] = rule.state, block, rule.bins
        self.header[at.SPECTRA], self.header[at.GAINS] = address_of(arrays[0]), address_of(arrays[1])
        self.header.view(np.float64)[at.EXPONENT] = check_number("exponent", exponent, 1e-3, 1e3)
        self.header[at.CHANGES], self.header[at.ROOM] = address_of(self._changes), len(self._changes)
        self._newest = (1.0, 10 ** (-_DEEPEST / 20))
        self.reset()

    def control(self, *, strength: float = 1.0, limit: float = _DEEPEST) -> None:
        """Set what applies to frames whose middle is at the next sample or behind it.

        Args:
            strength: 0, as it came, to 1, as the rule has it.
            limit: most attenuation, dB.

        Raises:
            KernelError: a control is out of its range.
        """
        floor = 10 ** (-check_number("limit", limit, 0, _DEEPEST) / 20)
        self._newest = (check_number("strength", strength, 0, 1), floor)
        sample, count = self._stream.samples_done, int(self.header[at.COUNT])
        if self._changes[(count - 1) % len(self._changes), at.SAMPLE] < sample:
            count += 1
        self._note(count - 1, sample)

    def process(self, block: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
        """Run a block of any length.

        Args:
            block: float32 ``[channels, n]``, C-contiguous.
            out: float32 ``[channels, n]``, C-contiguous; it may be ``block``.

        Raises:
            KernelError: a block has another shape or type, or the rule returned non-zero.
        """
        check_array("block", block, np.float32, (self._rule.channels, None))
        check_array("out", out, np.float32, block.shape, writable=True)
        ins, outs = (row_addresses([rows]) for rows in (block, out))
        code = self.kernel(self.address, address_of(ins), address_of(outs), block.shape[1])
        if code:
            raise KernelError(f"the rule returned {code} before sample {self._stream.samples_done}")

    def _note(self, number: int, sample: int) -> None:
        self._changes[number % len(self._changes)] = (sample, *self._newest)
        self.header[at.COUNT] = number + 1

    def reset(self) -> None:
        """Forget the signal; the controls stay as they are."""
        self._stream.reset()
        self._rule.reset()
        self.header[at.CURRENT] = 0
        self._note(0, 0)
