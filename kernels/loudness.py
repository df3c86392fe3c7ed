"""Loudness and true peak of a stream, as ITU-R BS.1770-4 and EBU R 128 measure them.

Sources: Recommendation ITU-R BS.1770-4, 2015 (weighting, gating, true peak); EBU Tech 3341, 2023 (windows
of 400 ms and 3 s, maxima); EBU Tech 3342, 2023 (loudness range).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_array, check_count
from .errors import KernelError
from .machine import Kernel, address_of, aligned
from .true_peak import TruePeakMeter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["CHANNEL_WEIGHTS", "LoudnessMeter", "k_weighting"]

_energies = Kernel("loudness.energies", 4)

#: What a channel's energy counts for, by role; a numbered role ("1", "2", ...) counts 1. BS.1770-4, tables 3
#: to 5: 1.41 for what stands 60 to 120 degrees to the side and less than 30 degrees high, 0 for the LFE
#: channel, 1 for all else: rear channels stand at 135 degrees and heights 30 degrees or more above.
CHANNEL_WEIGHTS: dict[str, float] = {
    "M": 1.0,
    "L": 1.0,
    "R": 1.0,
    "C": 1.0,
    "LFE": 0.0,
    **dict.fromkeys(("Ls", "Rs", "Lss", "Rss"), 1.41),
    **dict.fromkeys(("Lrs", "Rrs"), 1.0),
    **dict.fromkeys(("Lts", "Rts", "Ltf", "Rtf", "Ltr", "Rtr"), 1.0),
}

_ABSOLUTE = 10 ** ((-70 + 0.691) / 10)  # -70 LUFS as a mean square


class LoudnessMeter:
    """Loudness, loudness range and peaks of everything pushed so far.

    Whatever the blocks, the figures are the same to the last bit. Loudness is in LUFS, ``-inf`` for silence
    and where no window is whole yet. ``momentary`` and ``short_term`` move every 10 ms and take what came
    before the programme for silence; ``integrated`` and ``range`` use windows within the programme alone, one
    every 100 ms. Samples that are not finite count as silence.

    Memory grows by 80 bytes a second and twice that at most, 3 to 6 MB in ten hours: one energy for every
    100 ms, so that the gates are exact.

    Args:
        roles: of the channels, in order: names of `CHANNEL_WEIGHTS`, or numbers as text.
        rate: 8000 to 384000 Hz.

    Raises:
        KernelError: a role is unknown, or the rate is out of range.

    Example:
        >>> meter = LoudnessMeter(["L", "R"], 48000)
        >>> tone = 0.1 * np.sin(2 * np.pi * 1000 / 48000 * np.arange(96000))
        >>> meter.push(np.stack([tone, tone]).astype(np.float32))
        >>> round(meter.integrated, 1), round(meter.true_peak, 1)
        (-20.0, -20.0)
    """

    def __init__(self, roles: Sequence[str], rate: int) -> None:
        self.roles, self.rate = _checked(roles), check_count("rate", rate, 8000, 384000)
        weights = [_weight(role) for role in self.roles]
        heard = [channel for channel, weight in enumerate(weights) if weight]
        width = 2 if len(heard) <= 2 else 4  # channels that are filtered side by side
        groups = -(-len(heard) // width)
        self._channels = np.zeros(groups * width, np.int64)  # those of weight 0 fill the last group
        self._weights = np.zeros(groups * width)
        self._channels[: len(heard)] = heard
        self._weights[: len(heard)] = [weights[channel] for channel in heard]
        shelf, high = k_weighting(self.rate)
        self._coefficients = np.concatenate([shelf, high[3:]])
        self._memory, self._ring = aligned((groups, 5, width), np.float64), np.empty(300)
        self._hops, self._figures, self._rows = np.empty(64), np.empty(5), np.empty(width, np.int64)
        parts = (self._channels, self._weights, self._coefficients, self._memory, self._ring)
        addresses = [address_of(part) for part in (*parts, self._hops, self._figures, self._rows)]
        self._header = np.array([groups, width, self.rate, 0, 0, *addresses], np.int64)
        self._address, self._pushed = address_of(self._header), 0
        self._peaks = TruePeakMeter(len(self.roles), self.rate)
        self.reset()

    def push(self, block: npt.NDArray[np.float32]) -> None:
        """Measure the next samples, float32 ``[channels, n]``, C-contiguous, of any length.

        Raises:
            KernelError: the block has another type, shape or layout.
        """
        check_array("block", block, np.float32, (len(self.roles), None))
        n = block.shape[1]
        self._pushed += n
        hops = self._pushed * 10 // self.rate + 1  # one too many, or one that ends a sample early
        if hops > len(self._hops):
            self._hops = np.concatenate([self._hops, np.empty(max(hops, len(self._hops)))])
            self._header[10] = address_of(self._hops)
        at = address_of(block)
        _energies.function(self._address, at, 4 * n, n)
        self._peaks.push_at(at, n)

    def reset(self) -> None:
        """Forget everything that was pushed."""
        for array in (self._memory, self._ring, self._figures):
            array[:] = 0
        self._header[3:5] = self._pushed = 0
        self._peaks.reset()

    @property
    def seconds(self) -> float:
        """How much was pushed."""
        return self._pushed / self.rate

    @property
    def momentary(self) -> float:
        """The loudness of the last 400 ms, LUFS."""
        return _lufs(self._figures[0])

    @property
    def short_term(self) -> float:
        """The loudness of the last 3 s, LUFS."""
        return _lufs(self._figures[1])

    @property
    def maximum_momentary(self) -> float:
        """The largest momentary loudness so far, LUFS."""
        return _lufs(self._figures[2])

    @property
    def maximum_short_term(self) -> float:
        """The largest short-term loudness so far, LUFS."""
        return _lufs(self._figures[3])

    @property
    def integrated(self) -> float:
        """The loudness of the programme, LUFS: blocks of 400 ms above -70 LUFS and above -10 LU relative."""
        return self.integrated_after(0.0)

    def integrated_after(self, gain: float) -> float:
        """Return what `integrated` would be had the programme been louder by ``gain`` dB.

        That is not always ``gain`` more: passages may pass the gate at -70 LUFS, or no longer.
        """
        blocks, change = self._windows(4), 10 ** (gain / 10)
        heard = blocks[blocks * change > _ABSOLUTE]
        if not heard.size:
            return -math.inf
        return _lufs(heard[heard > heard.mean() / 10].mean() * change)

    @property
    def range(self) -> float:
        """The loudness range (LRA), LU: from the 10th to the 95th percentile of gated short-term loudness.

        0 for less than 3 s, and for silence.
        """
        blocks = self._windows(30)
        heard = blocks[blocks >= _ABSOLUTE]
        if not heard.size:
            return 0.0
        heard = np.sort(heard[heard >= heard.mean() / 100])
        low, high = (heard[math.floor((len(heard) - 1) * share + 0.5)] for share in (0.10, 0.95))
        return 10 * math.log10(high / low)

    @property
    def true_peak(self) -> float:
        """The largest magnitude of any channel between samples, dBTP, as if silence followed."""
        return self._peaks.true_peak

    @property
    def sample_peak(self) -> float:
        """The largest magnitude of any sample, dBFS."""
        return self._peaks.sample_peak

    def _windows(self, hops: int) -> npt.NDArray[np.float64]:
        """Mean squares of every window of so many times 100 ms."""
        done = int(self._header[4]) // 10
        if done < hops:
            return np.empty(0)
        edges = np.arange(done + 1) * self.rate // 10
        total = np.zeros(done - hops + 1)
        for k in range(hops):
            total += self._hops[k : done - hops + 1 + k]
        means: npt.NDArray[np.float64] = total / (edges[hops:] - edges[:-hops])
        return means


def k_weighting(rate: float) -> npt.NDArray[np.float64]:
    """Return the K-weighting filter at this rate, ``[2, 5]``: b0 b1 b2 a1 a2 of shelf and high-pass.

    BS.1770-4 prints coefficients for 48 kHz alone. The analogue prototype behind them, a high shelf at
    1682 Hz of 4.0 dB and a high-pass at 38 Hz, comes from De Man, "Evaluation of implementations of the EBU
    R128 loudness measurement", AES 145, 2018, as in libebur128; the bilinear transform takes it to any rate.

    Example:
        >>> k_weighting(48000)[0].round(6).tolist()
        [1.535125, -2.691696, 1.198393, -1.690659, 0.732481]
    """
    k, q = math.tan(math.pi * 1681.974450955533 / rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [
        (high + band * k / q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / q + k * k) / a0,
        2 * (k * k - 1) / a0,
        (1 - k / q + k * k) / a0,
    ]
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return np.array([shelf, [1, -2, 1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]])


def _checked(roles: Any) -> tuple[str, ...]:
    if isinstance(roles, str):
        raise KernelError(f"roles must be a sequence of names, one a channel, not {roles!r}")
    names = tuple(roles)
    if not names:
        raise KernelError("roles must name at least one channel")
    return names


def _weight(role: object) -> float:
    if isinstance(role, str):
        if role in CHANNEL_WEIGHTS:
            return CHANNEL_WEIGHTS[role]
        if role.isdecimal():
            return 1.0
    raise KernelError(f"roles must be of {', '.join(CHANNEL_WEIGHTS)} or numbers as text, not {role!r}")


def _lufs(mean_square: float) -> float:
    return -0.691 + 10 * math.log10(mean_square) if mean_square > 0 else -math.inf
