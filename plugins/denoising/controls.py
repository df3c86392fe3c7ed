"""Presets: how hard a model's gains are applied unless people say otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLASSICAL", "ENGINES", "LEARNT", "Preset"]


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
    "aggressive": Preset(exponent=1.0, limit=60.0),
}
#: For networks, whose gains err less.
LEARNT: Mapping[str, Preset] = {
    "speech-safe": Preset(exponent=0.7, limit=15.0),
    "balanced": Preset(exponent=0.9, limit=60.0),  # as 1 in noise, and less is lost of clean speech
    "aggressive": Preset(exponent=1.25, limit=100.0),
}
#: For engines of others, whose gains are not seen.
ENGINES: Mapping[str, Preset] = {
    "speech-safe": Preset(exponent=1.0, limit=15.0),
    "balanced": Preset(exponent=1.0, limit=100.0),
    "aggressive": Preset(exponent=1.0, limit=100.0),
}
