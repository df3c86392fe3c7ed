"""`BandLevels`: between spectra and a network that hears levels of bands and answers with gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array, check_count, check_number
from .errors import KernelError
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["BandLevels"]

_levels, _spread = Kernel("band_levels.levels", 6), Kernel("band_levels.spread", 5)


class BandLevels:
    """Levels of bands beside their running means, and gains of bands as masks of bins.

    A band's level is ``10 log10(power * scale + floor)`` dB. Its mean follows by ``mean = keep * mean +
    (1 - keep) * level``. The bits do not depend on how frames are cut into calls. A power that is NaN,
    infinite or above ``most`` counts as ``most``, so that a broken frame is not remembered for long.

    Args:
        channels: rows of every call; each stands alone.
        edges: first bin of each band, and behind the last one's last.
        scale: times which powers are relative to full scale.
        floor: added to them.
        keep: share of the mean that stays from frame to frame, 0 to 1.
        start: the mean before the first frame, dB.
        shift: added to the level, dB.
        unit: dB by which both are divided.
        most: the largest power, before ``scale``.

    Raises:
        KernelError: an argument is out of its range.

    Example:
        >>> heard = BandLevels(1, [0, 1, 3], floor=1e-10, keep=0.5, start=0.0)
        >>> heard.levels(np.ones((1, 2, 3), np.complex64)).astype(float).round(2).tolist()
        [[[0.0, 0.0, 1.51, 3.01], [0.0, 0.0, 0.75, 3.01]]]
    """

    def __init__(  # noqa: PLR0913 - all by name
        self,
        channels: int,
        edges: Sequence[int],
        *,
        scale: float = 1.0,
        floor: float = 1e-10,
        keep: float = 0.99,
        start: float = -60.0,
        shift: float = 0.0,
        unit: float = 1.0,
        most: float = 1e30,
    ) -> None:
        self._edges = np.array(edges, np.int64)
        if (
            self._edges.ndim != 1
            or len(self._edges) < 2
            or self._edges[0] < 0
            or (np.diff(self._edges) < 1).any()
        ):
            raise KernelError("edges must rise from a bin of at least 0, and be two or more")
        self.channels, self.bands = check_count("channels", channels, 1, 1 << 16), len(self._edges) - 1
        self.bins = int(self._edges[-1])
        values = (
            check_number("scale", scale, 1e-30, 1e30),
            check_number("floor", floor, 1e-30, 1e30),
            check_number("keep", keep, 0, 1),
            check_number("shift", shift, -1e6, 1e6),
            1 / check_number("unit", unit, 1e-6, 1e6),
            check_number("most", most, 1e-30, 1e300),
        )
        self._settings, self._start = np.array(values), check_number("start", start, -1e6, 1e6)
        self._mean = aligned((channels, self.bands), np.float64)
        tables = [address_of(table) for table in (self._edges, self._settings, self._mean)]
        self._header = np.array([channels, self.bins, self.bands, *tables], np.int64)
        self.state = address_of(self._header)
        self.reset()

    def reset(self) -> None:
        """Forget every frame."""
        self._mean[:] = self._start

    def levels(self, spectra: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        """Return, for every band, how far it is above its mean, and its level.

        Args:
            spectra: complex64 ``[channels, frames, bins]``, bins side by side.

        Returns:
            float32 ``[channels, frames, 2 * bands]``, the two of a band side by side.

        Raises:
            KernelError: the array has another shape or type.
        """
        shape = tuple(getattr(spectra, "shape", ()))
        if (
            getattr(spectra, "dtype", None) != np.complex64
            or len(shape) != 3
            or shape[::2] != (self.channels, self.bins)
        ):
            raise KernelError(
                f"spectra must be complex64 [channels = {self.channels}, frames, bins = {self.bins}], not "
                f"{getattr(spectra, 'dtype', type(spectra).__name__)} {list(shape)}"
            )
        if spectra.strides[2] != spectra.itemsize:
            raise KernelError(
                "spectra must have the bins of a frame side by side; use numpy.ascontiguousarray"
            )
        out = aligned((self.channels, shape[1], 2 * self.bands))
        _levels(self.state, address_of(spectra), *spectra.strides[:2], address_of(out), shape[1])
        return out

    def masks(self, gains: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the gain of every bin, float32 ``[channels, frames, bins]``, 1 below the first edge.

        Args:
            gains: float32 ``[channels, frames, bands * heads]``, 0 to 1. With two heads or more the first is
                the gain of what shall stay and the second that of what shall go; the mean of the first and of
                what the second leaves counts, because the two err in different places.

        Raises:
            KernelError: the array has another shape or type.
        """
        check_array("gains", gains, np.float32, (self.channels, None, None))
        heads, rest = divmod(gains.shape[2], self.bands)
        if rest or not heads:
            raise KernelError(
                f"gains have {gains.shape[2]} values a frame, no multiple of {self.bands} bands"
            )
        out = aligned((self.channels, gains.shape[1], self.bins))
        _spread(self.state, address_of(gains), heads, address_of(out), gains.shape[1])
        return out
