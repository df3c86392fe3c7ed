"""`StemUpmix`: a stereo stem in, objects with places and a bed out, block by block.

Directions and shares come from short-time powers of both channels (see `reference.upmix`, which says the same
plainly). Whatever is put into objects, sides and heights is taken out of the front pair again as far as it
would be heard from two loudspeakers, so the fold-down is the stem.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_array, check_count
from .code import upmix_job as at
from .errors import KernelError
from .machine import Kernel, address_of, aligned, row_addresses
from .streaming import StreamJob
from .upmix_rule import UpmixRule, lag_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["MonoUpmix", "SideChannels", "StemUpmix", "UpmixRule", "spread_of"]

_stem = Kernel("upmix.stem", 4)
_centre = Kernel("upmix.centre", 6)
_STEPS = 300  # of a tenth of a degree, on either side of the front
_SETS_OFF, _SETTLES, _TREAD = 15, 2, 4
_WIDEST = 30.0
#: Milliseconds of the delays of each allpass, primes to each other; a channel takes one row.
_DELAYS = (
    (2.9, 7.3, 13.1),
    (3.7, 8.9, 11.3),
    (5.3, 6.1, 14.9),
    (4.3, 9.7, 12.1),
    (3.1, 6.7, 15.7),
    (4.7, 8.3, 10.9),
    (3.3, 7.9, 14.1),
    (5.1, 5.9, 13.7),
)
_FEEDBACK = 0.6


@dataclass(frozen=True)
class SideChannels:
    """Channels beside and above, in pairs, that ambience is spread over.

    Attributes:
        left, right: rows of the bed, pair by pair.
        fold: float64 ``[pairs, 2]``: what a left channel adds to the left and right of two loudspeakers; a
            right one adds the same the other way round.
        powers: share of each pair in the power of the ambience; the front pair has what is left.
    """

    left: tuple[int, ...]
    right: tuple[int, ...]
    fold: npt.NDArray[np.float64]
    powers: tuple[float, ...]


def spread_of(sides: SideChannels) -> npt.NDArray[np.float64]:
    """Return what side channels take of the ambience and its decorrelated copies, ``[pairs, pairs + 1]``.

    Front and side channels have their powers, sum up in the fold-down to the ambience itself, and are as
    little alike as that allows: all pairs of them by the same measure.

    Raises:
        KernelError: the powers leave nothing for the front, or no such parts exist.
    """
    powers = np.array([1 - sum(sides.powers), *sides.powers])
    if powers.min() <= 0:
        raise KernelError("the powers of side channels must be positive, and leave some for the front")
    fold = np.array([1, *sides.fold[:, 0]])
    loud = fold * np.sqrt(powers)
    alone, together = float((loud**2).sum()), float(loud.sum() ** 2 - (loud**2).sum())
    alike = (1 - alone) / together
    if not -1 / (len(powers) - 1) < alike < 1:
        raise KernelError(
            "front and side channels of these powers and fold-down cannot sum up to the ambience"
        )
    covariance = np.sqrt(np.outer(powers, powers)) * (alike + (1 - alike) * np.eye(len(powers)))
    root = np.linalg.cholesky(covariance)
    # Turn it so that only the first part, the ambience as it is, is left in the fold-down.
    basis, _ = np.linalg.qr(np.column_stack([root.T @ fold, np.eye(len(powers))]))
    basis *= np.sign(basis[:, 0] @ (root.T @ fold))
    return np.asarray(root @ basis, np.float64)[1:]


class StemUpmix:
    """One stereo stem.

    Args:
        hop: samples between frames, a hundredth of a second.
        table: float32 ``[601, 2]``: what an object adds to two loudspeakers when it is 30 degrees to the
            right, 29.9 ..., 30 to the left.
        bed: rows of the bed.
        sides: where ambience goes.
        ramp: samples within which the gains of a moving object change, at most ``hop``.
        rule: see `UpmixRule`.
        pinned: one object that stays in front.

    Attributes:
        latency: samples by which everything is late.
        objects: how many.

    Raises:
        KernelError: an argument cannot be.
    """

    def __init__(
        self,
        hop: int,
        table: npt.NDArray[np.float32],
        bed: int,
        sides: SideChannels,
        *,
        ramp: int,
        rule: UpmixRule | None = None,
        pinned: bool = False,
    ) -> None:
        rule = rule or UpmixRule()
        self.objects = 1 if pinned else check_count("objects", rule.objects, 1, 16)
        check_array("table", table, np.float32, (2 * _STEPS + 1, 2))
        check_count("ramp", ramp, 1, hop)
        rows = self.objects + 2
        self._stream = StreamJob(
            2,
            4 * hop,
            hop,
            window="root_hann",
            stems=-(-rows // 2),
            longest=hop,
            frames=2,
            width=None,
            steps=("unpack", "pack"),
            lookahead=rule.lookahead,
        )
        self.latency = 4 * hop - 1 + rule.lookahead * hop
        self.bed, self._rule, self._pinned = bed, rule, pinned
        self._header = np.zeros(at.FIELDS, np.int64)
        self._kept: list[Any] = [table]
        self._memories(hop, rule)
        self._steps(table, ramp)
        self._around(sides, hop)
        self._keep(at.AT, np.zeros(2 + bed + 5 * self.objects, np.int64))
        self.state = address_of(self._header)
        self.reset()

    def _keep(self, field: int, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._kept.append(array)
        self._header[field] = address_of(array)
        return array

    def _memories(self, hop: int, rule: UpmixRule) -> None:
        head, n, count = self._header, self._stream.bins, self.objects
        head[at.JOB], head[at.OBJECTS], head[at.BINS] = address_of(self._stream.job), count, n
        head[at.LOOKAHEAD], head[at.CELLS], head[at.PINNED] = rule.lookahead, rule.cells, self._pinned
        self._ring = self._keep(at.RING, aligned((rule.lookahead + 1, 2, n), np.complex64))
        self._memory = self._keep(at.MEMORY, aligned((6, n), np.float64))
        self._cues = self._keep(at.CUES, aligned((at.CUE_ROWS + count, n), np.float64))
        self._quick = self._keep(at.QUICK, aligned((6, n), np.float64))
        self._quick_cues = self._keep(at.QUICK_CUES, aligned((at.CUE_ROWS, n), np.float64))
        self._placed = self._keep(at.PLACED, aligned((rule.lookahead + 1, n)))
        head[at.LAG] = min(lag_of(rule.quick), rule.lookahead)
        settings = [rule.keep, rule.bias, rule.width, rule.apart, rule.least, rule.present]
        self._keep(
            at.SETTINGS, np.array([*settings, rule.patience, rule.pause, rule.edge, rule.quick], np.float64)
        )
        self._positions = self._keep(at.POSITIONS, np.zeros(count))
        self._presence = self._keep(at.PRESENCE, np.zeros(count))
        self._silent = self._keep(at.SILENT, np.zeros(count, np.int64))
        self._histogram = self._keep(at.HISTOGRAM, np.zeros((3, rule.cells + 1)))
        self._keep(at.SMOOTH, np.zeros(rule.cells))
        cell = 2 * rule.edge / (rule.cells - 1)
        shape = np.zeros(7 + count)
        shape[:7] = np.exp(-0.5 * (np.arange(-3, 4) * cell / 0.06) ** 2)
        self._keep(at.SHAPE, shape)
        self._keep(at.SPECTRA, aligned((2, n), np.complex64))
        self._keep(at.OUT, aligned((count + 3, n), np.complex64))[:] = 0
        self._track = self._keep(at.TRACK, np.zeros((8, count)))
        head[at.TRACKED] = len(self._track)
        head[at.LATENCY], head[at.KEPT_SIZE] = self.latency, self.latency + 1
        self._input = self._keep(at.KEPT, np.zeros((2, self.latency + 1), np.float32))
        head[at.PIECE] = hop
        self._keep(at.ROWS, aligned((count + 5, hop)))

    def _steps(self, table: npt.NDArray[np.float32], ramp: int) -> None:
        head = self._header
        self._step = self._keep(at.STEPS, np.zeros(self.objects, np.int64))
        self._moving = self._keep(at.MOVING, np.zeros(self.objects, np.int64))
        self._gains = self._keep(at.GAINS, np.zeros((self.objects, 2, 2), np.float32))
        head[at.TABLE], head[at.STEP_COUNT], head[at.RAMP] = address_of(table), _STEPS, ramp
        between = np.radians((np.arange(2 * _STEPS) + 0.5 - _STEPS) * _WIDEST / _STEPS)
        self._keep(at.BORDERS, -np.tan(between) / np.tan(np.radians(_WIDEST)))
        head[at.SETS_OFF], head[at.SETTLES], head[at.TREAD] = _SETS_OFF, _SETTLES, _TREAD
        self._table = table

    def _around(self, sides: SideChannels, hop: int) -> None:
        head, pairs = self._header, len(sides.left)
        fits = pairs == len(sides.right) == len(sides.fold) == len(sides.powers)
        if not fits or not 1 <= pairs <= len(_DELAYS) // 2:
            raise KernelError(f"side channels come in 1 to {len(_DELAYS) // 2} pairs")
        for channel in (*sides.left, *sides.right):
            if not 2 <= channel < self.bed:
                raise KernelError(f"channel {channel} is no side channel: those are 2 to {self.bed - 1}")
        head[at.SIDES], head[at.BED] = pairs, self.bed
        self._keep(at.CHANNELS, np.array([*sides.left, *sides.right], np.int64))
        self._keep(at.MATRIX, spread_of(sides).astype(np.float32))
        fold = np.concatenate([sides.fold, sides.fold[:, ::-1]])
        self._keep(at.FOLD, np.ascontiguousarray(fold, np.float32))
        lengths = [round(ms * hop / 10) for row in _DELAYS[: 2 * pairs] for ms in row]
        self._rings = [np.zeros(length, np.float32) for length in lengths]
        self._kept += self._rings
        pointers = [value for ring in self._rings for value in (len(ring), address_of(ring))]
        self._keep(at.DELAYS, np.array(pointers, np.int64))
        self._keep(at.FEEDBACK, np.full(len(lengths), _FEEDBACK, np.float32))
        head[at.SECTIONS] = len(_DELAYS[0])

    def reset(self) -> None:
        """Forget the signal."""
        self._stream.reset()
        arrays = (
            self._ring,
            self._memory,
            self._cues,
            self._quick,
            self._quick_cues,
            self._placed,
            self._histogram,
            self._positions,
            self._presence,
            self._input,
            *self._rings,
        )
        for array in (*arrays, self._track, self._step, self._moving):
            array[:] = 0
        self._silent[:] = self._rule.patience
        self._header[at.FRAMES] = self._header[at.SINCE] = 0
        self._gains[:] = self._table[_STEPS]

    def process(
        self, block: npt.NDArray[np.float32], bed: npt.NDArray[np.float32], objects: npt.NDArray[np.float32]
    ) -> None:
        """Take the next samples.

        Args:
            block: float32 ``[2, n]``, C-contiguous.
            bed: float32 ``[bed, n]``, to which the stem's is added.
            objects: float32 ``[5 objects, n]``: of each its sound, azimuth, elevation, distance and extent.

        Raises:
            KernelError: a block has another shape or type.
        """
        check_array("block", block, np.float32, (2, None))
        check_array("bed", bed, np.float32, (self.bed, block.shape[1]), writable=True)
        check_array("objects", objects, np.float32, (5 * self.objects, block.shape[1]), writable=True)
        ins, outs = row_addresses([block]), row_addresses([bed, objects])
        _stem(self.state, address_of(ins), address_of(outs), block.shape[1])


class MonoUpmix:
    """One mono stem: an object in front, as late as a stereo stem would be.

    Args:
        hop: samples between frames, a hundredth of a second.
        rule: see `UpmixRule`.

    Attributes:
        latency: samples by which everything is late.
        objects: 1.
    """

    objects = 1

    def __init__(self, hop: int, rule: UpmixRule | None = None) -> None:
        self.latency = 4 * hop - 1 + (rule or UpmixRule()).lookahead * hop
        self._ring, self._heard = np.zeros(self.latency, np.float32), 0

    def reset(self) -> None:
        """Forget the signal."""
        self._ring[:] = 0
        self._heard = 0

    def process(
        self,
        block: npt.NDArray[np.float32],
        bed: npt.NDArray[np.float32],  # noqa: ARG002 - nothing goes there
        objects: npt.NDArray[np.float32],
    ) -> None:
        """Take the next samples; see `StemUpmix.process`.

        Raises:
            KernelError: a block has another shape or type.
        """
        check_array("block", block, np.float32, (1, None))
        check_array("objects", objects, np.float32, (5, block.shape[1]), writable=True)
        outs = row_addresses([objects])
        _centre(
            address_of(self._ring),
            self.latency,
            self._heard,
            address_of(block),
            address_of(outs),
            block.shape[1],
        )
        self._heard += block.shape[1]
