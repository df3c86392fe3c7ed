"""Constants of what the networks hear: in training and in the compiled filter the same."""

from __future__ import annotations

__all__ = ["FLOOR", "KEEP", "LEVEL", "SPREAD", "START"]

#: Added to powers relative to full scale, before their logarithm: -100 dB.
FLOOR = 1e-10
#: How much of a band's mean level stays from frame to frame: a time constant of 1 s.
KEEP = 0.99
#: dB: the mean level of every band before the first frame.
START = -60.0
#: Levels in dB are shifted by the first and divided by the second, to be of order 1.
LEVEL, SPREAD = 60.0, 25.0
