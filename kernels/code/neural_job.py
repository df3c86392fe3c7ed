"""The fields of a neural network's tables: int64 counts, strides in bytes and addresses.

Imported by the kernels and by what fills the tables, so it imports nothing.
"""

from __future__ import annotations

#: Floats in a vector, the same on every CPU, and outputs in a panel of packed weights: a cache line.
LANES, PANEL = 8, 16

# A buffer: where channel 0's first value of slot 0 is, slots in its ring, bytes between slots and channels
(BASE, SLOTS, SLOT, CHANNEL) = range(4)
BUFFER_FIELDS = 4

# An operation: its kind, the function that does it, buffers read and written
(KIND, STEP, SOURCE, SECOND, TARGET) = range(5)
# What is summed: runs of so many values at TAPS places, times weights, plus bias; slopes below zero
(TAPS, RUN, OUTS, WEIGHTS, BIAS, SLOPES) = range(5, 11)
# Rows of one frame, and where they are
(ROWS, X_OFFSET, X_STRIDE, OUT_OFFSET, OUT_STRIDE) = range(11, 16)
# Taps: frames of them, frames between them, places in each, bytes between these
(TIMES, DILATION, COLUMNS, COLUMN_STRIDE) = range(16, 20)
# Recurrent: operations on the input and on the state, a choice (of function, direction or combination), room
# for the sums over the state, and for those over the input
(INNER, OUTER, CHOICE, ROOM, SUMS) = range(20, 25)
OPERATION_FIELDS = 25

# Kinds
(LINEAR, ACTIVATE, NORM, COMBINE, COPY, GRU, FREQUENCY_GRU, MIN_GRU) = range(8)

# Choices: functions of one value, combinations of two
(IDENTITY, TANH, SIGMOID, SHIFTED) = range(4)
(SUM, PRODUCT) = range(2)

# A network: its sizes, table, buffers of input and output with values a frame, room for tap addresses
(CHANNELS, BLOCK, POSITION, OPERATIONS, TABLE, X, X_VALUES, Y, Y_VALUES, PLACES) = range(10)
NETWORK_FIELDS = 10
#: Frames count from so many groups on, so that those before the first are not below zero.
BEGIN = 4096
