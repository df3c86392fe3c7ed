"""The loop over a program's compiled nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import call_node, i64

__all__ = ["run"]


def run(program: Any, rows: Any, n: Any) -> Any:
    """Call every row; -1, or the row that failed in the upper and its code in the lower half."""
    table = i64(program, 4 * rows)
    for row in range(rows):
        code = call_node(table[4 * row], table[4 * row + 1], table[4 * row + 2], table[4 * row + 3], n)
        if code != 0:
            return (row << 32) | (np.int64(code) & 0xFFFFFFFF)
    return -1
