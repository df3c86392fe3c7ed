"""Levels and order of the speakers in one segment: what a network that was trained without them leaves open.

Networks of this kind are trained with a scale-invariant measure and with permutation-invariant training: how
loud each output is and which speaker comes out first mean nothing, and may differ from segment to segment.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

__all__ = ["best_order", "mixture_consistent", "mixture_level"]


def mixture_level(speakers: Array, mixture: Array) -> Array:
    """Return speakers scaled by one gain, with which their sum comes nearest to the mixture.

    The gain is that of least squares. One for all leaves the levels between speakers as the model has them,
    and noise in the mixture, which resembles none of them, does not make them louder. It is negative where
    the model turns the signal over, which its training does not see either.

    Args:
        speakers: ``[speakers, samples]``.
        mixture: ``[samples]``.

    Source: Le Roux et al., "SDR - Half-Baked or Well Done?", ICASSP 2019, on scale-invariant measures.

    Example:
        >>> import numpy as np
        >>> print(mixture_level(np.array([[40.0, 0.0], [0.0, 80.0]], np.float32), np.array([1, 2])))
        [[1. 0.]
         [0. 2.]]
    """
    import numpy as np

    total = speakers.sum(axis=0, dtype=np.float64)
    energy = total @ total
    gain = (total @ mixture.astype(np.float64)) / energy if energy > 0 else 0.0
    scaled: Array = (speakers * gain).astype(np.float32)
    return scaled


def mixture_consistent(speakers: Array, mixture: Array) -> Array:
    """Return speakers that sum to the mixture: what they lack of it is spread over them equally.

    Args:
        speakers: ``[speakers, samples]``.
        mixture: ``[samples]``.

    Source: Wisdom et al., "Differentiable Consistency Constraints for Improved Deep Speech Enhancement",
    ICASSP 2019, section 3.2 with equal weights.

    Example:
        >>> import numpy as np
        >>> print(mixture_consistent(np.array([[1.0], [2.0]], np.float32), np.array([5.0])))
        [[2.]
         [3.]]
    """
    import numpy as np

    lack = (mixture - speakers.sum(axis=0, dtype=np.float64)) / len(speakers)
    consistent: Array = (speakers + lack).astype(np.float32)
    return consistent


def best_order(past: Array, speakers: Array) -> tuple[int, ...]:
    """Return the order in which speakers go on best where two segments overlap.

    Of all orders it is the one with the largest sum of correlations, and so with the smallest squared
    difference between the segments. Where nothing tells, as in a pause, the order stays.

    Args:
        past: ``[speakers, samples]``, the segment before where it overlaps, in order.
        speakers: ``[speakers, samples]``, this segment where it overlaps.

    Source: Chen et al., "Continuous Speech Separation: Dataset and Analysis", ICASSP 2020.

    Example:
        >>> import numpy as np
        >>> past = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])
        >>> best_order(past, 3 * past[::-1])
        (1, 0)
    """
    import numpy as np

    first, second = (each - each.mean(axis=1, dtype=np.float64, keepdims=True) for each in (past, speakers))
    alike = first @ second.T
    orders = list(permutations(range(len(speakers))))
    sums = [sum(alike[place, speaker] for place, speaker in enumerate(order)) for order in orders]
    return orders[int(np.argmax(sums))]
