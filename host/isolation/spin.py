"""Watching a shared word for a moment before going to sleep: two wake-ups cost more than most blocks."""

from __future__ import annotations

import os
from itertools import repeat

__all__ = ["Spin"]

_LOOKS = 6000  # about 0.2 ms
_MOST_REST = 256  # turns


class Spin:
    """Waits for a word to take a value, by looking; learns when that is in vain.

    To wake a process takes from 5 us, where both share a core, to 100 us, where a virtual machine has to
    rouse an idle one; often more than the block itself. Looking takes a core, but no time. So every time that
    it was in vain it rests twice as long, up to 256 turns, and blocks that take milliseconds are slept
    through. It looks only on machines with several cores, and whose stores are seen in the order in which
    they were made (x86).

    Args:
        words: shared memory, as int64.
        at: which of them.
    """

    def __init__(self, words: memoryview[int], at: int) -> None:
        self._words, self._at = words, at
        self._able = os.uname().machine == "x86_64" and len(os.sched_getaffinity(0)) > 1
        self._vain = self._rest = 0

    def sees(self, value: int) -> bool:
        """Return whether the word took this value while it was looked at."""
        if not self._able:
            return False
        words, at = self._words, self._at
        if self._rest:
            self._rest -= 1
            return words[at] == value
        for _ in repeat(None, _LOOKS):
            if words[at] == value:
                self._vain = 0
                return True
        self._vain += 1
        self._rest = min(2**self._vain, _MOST_REST)
        return False
