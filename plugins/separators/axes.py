"""How a model lays out its sound: a notation of one letter an axis, and the way from it to ours and back.

``B`` is the batch, ``S`` the stem, ``C`` the channel, ``T`` time; ``1`` is an axis of one; what stands in
brackets is one axis that holds several, the slower first: ``B(SC)T`` is
``[batch, stems * channels, samples]``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

__all__ = ["Axes"]

_FORM = re.compile(r"([BSCT1]|\([BSCT]{2,4}\))+")
_OURS = "BSCT"


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of a tensor, as they were written, and one group of letters for each.

    Example:
        >>> Axes.parse("B(SC)T").groups
        ('B', 'SC', 'T')
    """

    text: str
    groups: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Axes:
        """Return the axes that a text names.

        Raises:
            ValueError: it is none, names a letter twice, or has no time.
        """
        letters = re.sub(r"[^BSCT]", "", text)
        if not _FORM.fullmatch(text) or len(set(letters)) < len(letters) or "T" not in letters:
            raise ValueError(
                f"{text!r:.40} names no axes: B batch, S stems, C channels, T time, each once, 1 for an axis "
                "of one, brackets for several in one, as in BCT or B(SC)T"
            )
        return cls(text, tuple(group.strip("()") for group in re.findall(r"\([A-Z]+\)|.", text)))

    def has(self, letter: str) -> bool:
        """Return whether a letter is among them."""
        return letter in self.text

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Return the shape of a tensor, given the length that each letter stands for.

        Example:
            >>> Axes.parse("B(SC)T").shape({"B": 4, "S": 2, "C": 2, "T": 100})
            (4, 4, 100)
        """
        return tuple(math.prod(sizes[letter] for letter in group if letter != "1") for group in self.groups)

    def pack(self, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``[batch, channels, samples]`` as these axes; those they lack must be of one.

        Example:
            >>> import numpy as np
            >>> Axes.parse("TC").pack(np.zeros((1, 2, 100), np.float32)).shape
            (100, 2)
        """
        import numpy as np

        sizes = dict(zip("BCT", sound.shape, strict=True))
        present = [letter for group in self.groups for letter in group if letter != "1"]
        bare = sound.reshape([size for letter, size in sizes.items() if letter in present])
        order = [letter for letter in sizes if letter in present]
        turned = bare.transpose([order.index(letter) for letter in present])
        return np.ascontiguousarray(turned.reshape(self.shape(sizes)))

    def unpack(self, made: npt.NDArray[Any], sizes: Mapping[str, int]) -> npt.NDArray[Any]:
        """Return a tensor of these axes as ``[batch, stems, channels, samples]``.

        Args:
            made: of the shape that `shape` gives for ``sizes``.
            sizes: the length of each letter; 1 for those that the axes lack.

        Example:
            >>> import numpy as np
            >>> Axes.parse("(SC)T").unpack(np.zeros((4, 100)), {"B": 1, "S": 2, "C": 2, "T": 100}).shape
            (1, 2, 2, 100)
        """
        present = [letter for group in self.groups for letter in group if letter != "1"]
        apart = made.reshape([sizes[letter] for letter in present])
        ours = [letter for letter in _OURS if letter in present]
        turned = apart.transpose([present.index(letter) for letter in ours])
        return turned.reshape([sizes[letter] for letter in _OURS])
