"""The fields of a stem that is taken apart: int64 counts and addresses, and float64 settings.

Imported by the kernel and by what fills the header, so it imports nothing.
"""

from __future__ import annotations

# The stream's job; how many objects, frames of lookahead, frames that were decided so far
(JOB, OBJECTS, LOOKAHEAD, FRAMES, BINS, CELLS, PINNED) = range(7)
# Arrays: spectra of the last frames, averages, cues of a frame, settings, what the objects do
(RING, MEMORY, CUES, SETTINGS, POSITIONS, PRESENCE, SILENT) = range(7, 14)
# The histogram, the same smoothed, its shape; one frame's spectra out; positions of the last frames
(HISTOGRAM, SMOOTH, SHAPE, SPECTRA, OUT, TRACK, TRACKED) = range(14, 21)
# The input, kept until its frames are done, and how many samples that keeps
(KEPT, KEPT_SIZE, LATENCY) = range(21, 24)
# Rows of samples of one piece: the input, objects, ambience, room for the decorrelators
(ROWS, PIECE) = range(24, 26)
# Where objects are said to be: number of a step, whether it moves, what it added to two loudspeakers and adds
(STEPS, MOVING, GAINS, TABLE, STEP_COUNT, RAMP, SINCE) = range(26, 33)
# Pan positions between steps; how many steps away an object sets off, settles, and is said to have moved
(BORDERS, SETS_OFF, SETTLES, TREAD) = range(33, 37)
# Beds: channels on each side: how many, which, what of each ambience they get, what they add to the fold-down
(SIDES, CHANNELS, MATRIX, FOLD, SECTIONS, DELAYS, FEEDBACK, BED, AT) = range(37, 46)
# Short averages, their cues, pan positions of the last frames, by how many frames these averages come late
(QUICK, QUICK_CUES, PLACED, LAG) = range(46, 50)
FIELDS = 50

# Settings, float64
(KEEP, BIAS, WIDTH, APART, LEAST, PRESENT, PATIENCE, PAUSE, EDGE, QUICK_KEEP) = range(10)
SETTINGS_COUNT = 10

# Cues of a frame: after three rows of float64, the averages, rows as long of float32. PLACES and WEIGHTS are
# first those of bins in it, then what near objects add up to, and what scales all shares; MINE, the
# shares of objects, come last.
(SHARE, ROOT, COSINE, SINE, POSITION, PLACES, WEIGHTS, MINE) = range(8)
CUE_ROWS = 10
