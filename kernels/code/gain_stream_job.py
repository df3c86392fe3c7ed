"""The fields of a gain stream's header: int64 but for one, and of its changes, float64.

Imported by the kernel and by what fills the header, so it imports nothing.
"""

from __future__ import annotations

# The stream's job; the rule and its state; the frames it takes at most at once, and their bins; the arrays
# between the two; the exponent of gains, float64 in the same eight bytes
(JOB, RULE, RULE_STATE, BLOCK, BINS, SPECTRA, GAINS, EXPONENT) = range(8)
# A ring of changes, how many it holds, how many were ever noted, and which of these is in force
(CHANGES, ROOM, COUNT, CURRENT) = range(8, 12)
FIELDS = 12

# A change: the sample from which on it is in force, the strength, and the least gain
(SAMPLE, STRENGTH, FLOOR) = range(3)
CHANGE = 3
