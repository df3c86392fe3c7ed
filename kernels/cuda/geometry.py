"""How a frame length is worked on: radices, threads, and where values lie in shared memory.

A frame of n samples is transformed in stages of radices r1, r2, ..., in place: a value's place is given by
one digit for each stage, and each stage exchanges its own digit of the sample for one of the frequency. So
a butterfly writes where it has read, and one barrier stands between two stages. The last stage gives
each thread the butterflies t and T - t of its T: with a frequency it has the mirrored one, which is what
takes two packed frames apart, and puts masked ones together again. Then the stages run backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod

from ..errors import KernelError

__all__ = ["LENGTHS", "Geometry", "geometry_of"]

#: The shortest and the longest frame.
LENGTHS = (32, 8192)
_WARP = 32
_REGISTERS = 65536  # of a multiprocessor
_HALF = 16  # lanes whose 8 bytes go to the 32 banks at once
#: Radices that were fastest, by frame length.
_MEASURED: dict[int, tuple[int, ...]] = {
    256: (16, 2, 8),
    512: (16, 4, 8),
    1024: (16, 8, 8),
    2048: (16, 16, 8),
    4096: (16, 16, 16),
    8192: (32, 16, 16),
}


@dataclass(frozen=True)
class Geometry:
    """One frame length at one hop.

    Attributes:
        n_fft: samples in a frame.
        hop: samples between frames.
        radices: of the stages; the last is even and so is ``n_fft`` over it.
    """

    n_fft: int
    hop: int
    radices: tuple[int, ...]

    @property
    def lanes(self) -> int:
        """Threads that work on a frame pair."""
        return self.n_fft // (2 * self.radices[-1])

    @property
    def groups(self) -> int:
        """Frame pairs that a block works on at once."""
        return max(1, 2 * _WARP // self.lanes)

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.lanes * self.groups

    @property
    def warps_apart(self) -> bool:
        """Whether no frame pair is worked on by several warps, so that no barrier is needed across warps."""
        return _WARP % self.lanes == 0

    @property
    def _small(self) -> bool:
        """Whether a thread works on 16 values and in few registers."""
        return self.radices[-1] <= 8 and all(radix & (radix - 1) == 0 for radix in self.radices)

    @property
    def blocks(self) -> int:
        """Blocks that must fit on a multiprocessor, which bounds a thread's registers: to 128, 168 or 255."""
        return self._resident(128 if self._small else 168 if self.radices == (16, 16, 16) else 255)

    @property
    def blocks_of_many(self) -> int:
        """The same for kernels that do many stems at once."""
        return self._resident((168 if self.lanes <= _WARP else 128) if self._small else 255)

    def _resident(self, registers: int) -> int:
        return max(1, _REGISTERS // (registers * -(-self.threads // _WARP) * _WARP))

    @property
    def slides(self) -> bool:
        """Whether what frames share stays with the thread that has it: no sample is read or added twice."""
        return self.hop % (self.n_fft // self.radices[0]) == 0

    @property
    def holds(self) -> bool:
        """Whether threads hold the samples that frames share, rather than read them again."""
        return self.slides and self._small

    @property
    def stores(self) -> bool:
        """Whether kernels of many stems keep the spectrum in shared memory, rather than in registers."""
        return self.radices[-1] <= 8

    @property
    def overlap(self) -> int:
        """Frames that a sample may lie in."""
        return -(-self.n_fft // self.hop)

    @cached_property
    def stride(self) -> int:
        """Places between two values whose first digit is equal: what gives the fewest bank conflicts."""
        first = self.radices[0]
        return min(range(first, first + _HALF + 1), key=lambda stride: (self._conflicts(stride), stride))

    def place(self, stage: int, butterfly: int, stride: int | None = None) -> int:
        """Return where the first value of a stage's butterfly lies; the rest follow at equal distances."""
        stride, radices = stride or self.stride, self.radices
        below = prod(radices[:stage])
        low, high = butterfly % below, butterfly // below
        if stage == 0:
            return stride * butterfly
        rest, size = high, self.n_fft // radices[0]
        first, low = low % radices[0], low // radices[0]
        for radix in radices[1:stage]:
            size //= radix
            rest += low % radix * size
            low //= radix
        return first + stride * rest

    def _conflicts(self, stride: int) -> int:
        total = 0
        for stage, radix in enumerate(self.radices):
            count = min(self.n_fft // radix, 4 * _WARP)
            for start in range(0, count, _HALF):
                lanes = range(start, min(start + _HALF, count))
                banks = [self.place(stage, u, stride) % _HALF for u in lanes]
                total += max(banks.count(bank) for bank in banks) * radix
        return total

    def shared(self, stems: int, *, many: bool) -> int:
        """Return the bytes of shared memory of a block.

        Args:
            stems: of how many the sums lie there.
            many: for the kernel that does many stems at once.
        """
        room = self.stride * (self.n_fft // self.radices[0]) + (many and self.stores) * self.n_fft
        return self.groups * (8 * room + 4 * stems * self.sums)

    @property
    def sums(self) -> int:
        """Floats that a frame pair leaves to the next, for each stem."""
        if not self.slides:
            return self.n_fft + self.hop
        apart = self.n_fft // self.radices[0]
        return -(-apart // self.lanes) * self.lanes * max(1, self.radices[0] - self.hop // apart)

    @property
    def forward_tables(self) -> list[tuple[int, int, int]]:
        """By stage the radix, the butterflies whose twiddles differ, and the circle that these divide.

        Forwards, butterfly u of a stage takes ``exp(-2 pi i (u % below) / (below radix))``, where ``below``
        is the product of the radices before; the first stage needs none.
        """
        found = []
        for stage, radix in enumerate(self.radices[1:], 1):
            below = prod(self.radices[:stage])
            found.append((radix, below, below * radix))
        return found

    @property
    def inverse_tables(self) -> list[tuple[int, int, int]]:
        """The same backwards: ``(u // below) / (above radix)``; the last stage, now the first, has none."""
        found = []
        for stage, radix in enumerate(self.radices[:-1]):
            above = prod(self.radices[stage + 1 :])
            found.append((radix, above, above * radix))
        return found


@lru_cache(maxsize=256)
def geometry_of(n_fft: int, hop: int) -> Geometry:
    """Return how frames of this length are worked on.

    Raises:
        KernelError: there are no kernels for the length on CUDA devices.

    Example:
        >>> geometry_of(2048, 512).radices
        (16, 16, 8)
    """
    if n_fft in _MEASURED:
        return Geometry(n_fft, hop, _MEASURED[n_fft])
    radices = _radices(n_fft, hop) if LENGTHS[0] <= n_fft <= LENGTHS[1] and n_fft % 16 == 0 else None
    if radices is None:
        raise KernelError(
            f"n_fft {n_fft} has no CUDA kernel; multiples of 16 from {LENGTHS[0]} to {LENGTHS[1]} whose "
            "prime factors are 2, 3, 5 and 7 have, and NumPy arrays take any other",
        )
    return Geometry(n_fft, hop, radices)


def _radices(n_fft: int, hop: int) -> tuple[int, ...] | None:
    """Choose a last radix of 8, a first one that lets frames slide if one does, and few between."""
    last = 8
    rest = n_fft // last
    firsts = [r for r in range(16, 1, -1) if rest % r == 0 and _smooth(r)]
    if not _smooth(rest) or not firsts:
        return None
    sliding = [r for r in firsts if hop % (n_fft // r) == 0]
    first = (sliding or firsts)[0]
    middle, rest = [], rest // first
    while rest > 1:
        radix = next(r for r in range(16, 1, -1) if rest % r == 0 and _smooth(r))
        middle.append(radix)
        rest //= radix
    return (first, *middle, last)


def _smooth(n: int) -> bool:
    for prime in (2, 3, 5, 7):
        while n % prime == 0:
            n //= prime
    return n == 1
