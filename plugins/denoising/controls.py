"""What people turn: from a model's gains to those that are applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Singles = npt.NDArray[np.float32]

__all__ = ["CLASSICAL", "ENGINES", "LEARNT", "Preset", "applied"]


@dataclass(frozen=True)
class Preset:
    """How a model's gain is bent, and how far down it may go unless the user says otherwise.

    Attributes:
        exponent: the gain is raised to this power: below 1 gentler, above 1 harder.
        limit: most attenuation in dB.
    """

    exponent: float
    limit: float


#: By name, for the classical cores. `balanced` is the default.
CLASSICAL: Mapping[str, Preset] = {
    "speech-safe": Preset(exponent=0.8, limit=12.0),
    "balanced": Preset(exponent=1.0, limit=24.0),
    "aggressive": Preset(exponent=1.3, limit=60.0),
}
#: For networks, whose gains err less.
LEARNT: Mapping[str, Preset] = {
    "speech-safe": Preset(exponent=0.7, limit=15.0),
    "balanced": Preset(exponent=1.0, limit=60.0),
    "aggressive": Preset(exponent=1.5, limit=100.0),
}
#: For engines of others, whose gains are not seen.
ENGINES: Mapping[str, Preset] = {
    "speech-safe": Preset(exponent=1.0, limit=15.0),
    "balanced": Preset(exponent=1.0, limit=100.0),
    "aggressive": Preset(exponent=1.0, limit=100.0),
}


def applied(
    gain: Singles,
    strength: float | Singles = 1.0,
    limit: float | Singles = 100.0,
    *,
    exponent: float = 1.0,
    out: Singles | None = None,
) -> Singles:
    """Return the gains to apply: ``1 - strength (1 - max(gain^exponent, 10^(-limit / 20)))``.

    Linear in ``strength``, so output and residual cross-fade between untouched and the model's own without a
    step; the limit comes first, so at full strength nothing falls by more than it.

    Args:
        gain: a model's, 0 to 1, float32 of any shape.
        strength: 0 (untouched) to 1, one or an array that broadcasts to ``gain``, such as one a frame.
        limit: most attenuation in dB, 0 to 100; alike.
        exponent: of a `Preset`.
        out: float32 array of ``gain``'s shape for the result, which may be ``gain``.

    Example:
        >>> applied(np.float32([0.0, 0.5, 1.0]), strength=0.5, limit=20).astype(float).round(3).tolist()
        [0.55, 0.75, 1.0]
    """
    floor = np.power(np.float32(10), np.asarray(limit, np.float32) / np.float32(-20))
    shaped = gain if exponent == 1 else np.power(gain, np.float32(exponent))
    floored: Singles = np.maximum(shaped, floor, out=out)
    floored -= np.float32(1)
    floored *= np.asarray(strength, np.float32)
    floored += np.float32(1)
    return floored
