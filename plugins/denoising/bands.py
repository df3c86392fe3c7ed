"""The bands in which networks hear and act: single bins where pitch lies, half ERBs above.

Frames are 20 ms at 48 kHz, 10 ms apart, bins 50 Hz apart. Up to 3.3 kHz every bin is a band, so that gains
can reach between the partials of a voice; above, bands grow with the ear's (Glasberg and Moore, Hearing
Research 47, 1990).
"""

from __future__ import annotations

import numpy as np

__all__ = ["BANDS", "BINS", "EDGES", "FRAME", "FULL_SCALE", "HOP", "RATE"]

#: Samples per second, samples in a frame, samples between frames.
RATE, FRAME, HOP = 48000, 960, 480
BINS = FRAME // 2 + 1
BANDS, _SINGLE = 96, 64
#: Power of a bin in which a sine of amplitude 1 stands, under the root-Hann window: (2 FRAME / pi / 2)^2.
FULL_SCALE = (FRAME / np.pi) ** 2


def _edges() -> tuple[int, ...]:
    """Return the first bin of each band, and behind the last band's last bin."""
    spacing = RATE / FRAME
    first, last = 21.4 * np.log10(1 + 0.00437 * spacing * np.array([_SINGLE + 1.0, BINS - 1.0]))
    erb = np.linspace(first, last, BANDS - _SINGLE + 1)[1:-1]
    upper = np.round((10 ** (erb / 21.4) - 1) / 0.00437 / spacing).astype(int).tolist()
    # 0 Hz shares the first band: it is never speech.
    return (0, *range(2, _SINGLE + 2), *upper, BINS)


#: First bin of each band, and one more: band b is bins ``EDGES[b]`` to ``EDGES[b + 1] - 1``.
EDGES = _edges()
