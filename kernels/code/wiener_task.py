"""What the front of the multichannel Wiener filter hands to its kernels.

Imported by the kernels and by what fills the block, so it imports nothing.
"""

from __future__ import annotations

__all__ = [
    "BINS",
    "CHANNELS",
    "EPS",
    "FIELDS",
    "FLOOR",
    "FRAMES",
    "ITERATIONS",
    "LANES",
    "NUMBERS",
    "PARAMETERS",
    "RESIDUAL",
    "SOFTMASK",
    "STEMS",
    "V_STEP",
    "WEIGHT",
    "X_STEP",
    "Y_STEP",
    "V",
    "X",
    "Y",
]

#: Bins that are worked on at once.
LANES = 96

# A task is int64. Stems count the residual. X, V and Y are addresses of `[..., channels, frames, bins]` with
# frames side by side; their steps are bytes from a channel to the next, a stem's last channel included.
(STEMS, CHANNELS, FRAMES, BINS, ITERATIONS, SOFTMASK, RESIDUAL) = range(7)
(X, X_STEP, V, V_STEP, Y, Y_STEP, NUMBERS) = range(7, 14)
FIELDS = 14

# At NUMBERS, float64: what is added to a sum of magnitudes, to the eigenvalues of the mixture's covariance,
# to a stem's total power.
(EPS, FLOOR, WEIGHT) = range(3)
PARAMETERS = 3
