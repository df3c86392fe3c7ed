"""The fields of a job: int64 counts, strides in bytes and addresses, in the block that a kernel is handed.

Imported by the kernels and by what fills the block, so it imports nothing.
"""

from __future__ import annotations

# The plan: sizes, tables, windows, and the steps of a frame, each for one channel and then for two
(LENGTH, BINS, HOP, ANALYSIS_ALONE, ANALYSIS, SYNTHESIS, TWIDDLES, PLACES) = range(8)
(FORWARD, INVERSE, APPLY, UNPACK, SPREAD, PACK) = range(8, 20, 2)
STEPS = {
    "forward": FORWARD,
    "inverse_add": INVERSE,
    "apply": APPLY,
    "unpack": UNPACK,
    "spread": SPREAD,
    "pack": PACK,
}
# The signal
(CHANNELS, STEMS, FRAMES, START) = range(20, 24)
# Samples or spectra in; frames that reach beyond the signal read padded copies of its ends
(IN, IN_STRIDE, IN_FRAME, HEAD, HEAD_STRIDE, HEAD_FRAMES, TAIL, TAIL_STRIDE, TAIL_FROM) = range(24, 33)
# Masks, or the function that makes them
(MASKS, MASK_STEM, MASK_CHANNEL, MASK_FRAME, CALLEE, CALLEE_STATE, SPECTRA) = range(33, 40)
# Out: the range of samples or frames that this job owns
(OUT, OUT_STEM, OUT_CHANNEL, OUT_FRAME, FIRST, LAST) = range(40, 46)
# Room to work in
(WORK, SPARE, SUMS) = range(46, 49)
# A stream: samples taken, frames done, where its memories begin
(TAKEN, DONE, PENDING, HISTORY, HISTORY_SIZE, HISTORY_FROM, SUMS_SIZE, SUMS_FROM) = range(49, 57)
LOOKAHEAD = 57  # frames that the function sees ahead of the one whose masks it gives
FIELDS = 58

#: Floats between two arrays of a frame: without it equal places would fall into one set of the cache.
GAP = 16
