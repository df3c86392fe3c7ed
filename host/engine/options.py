"""What a render is asked and what it reports."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..contract.errors import UnbraidError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["OutputReport", "RenderOptions", "RenderReport", "check_block", "whole_rate"]

MAX_BLOCK = 1 << 24
_CHOICES = {"form": ("wav", "flac"), "on_clip": ("clip", "error"), "non_finite": ("reject", "zero")}


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a render treats its files.

    Attributes:
        overwrite: replace outputs that exist.
        tails: let outputs sound on past the input's end.
        form: "wav" or "flac".
        subtype: PCM_16, PCM_24, PCM_32 or FLOAT for every output; by default the graph's, else the input's.
        on_clip: "clip" counts and reports samples beyond full scale in integer files, "error" refuses them.
        non_finite: "reject" refuses NaN and infinity in the input, "zero" replaces and counts them.
        max_block: samples processed at a time.
        seed: for plugins that draw random numbers.
    """

    overwrite: bool = False
    tails: bool = False
    form: Literal["wav", "flac"] = "wav"
    subtype: str | None = None
    on_clip: Literal["clip", "error"] = "clip"
    non_finite: Literal["reject", "zero"] = "reject"
    max_block: int = 8192
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UnbraidError(f"{name} is {getattr(self, name)!r}, not {' or '.join(allowed)}")
        check_block(self.max_block)


def check_block(max_block: int) -> None:
    """Raise `UnbraidError` unless a block can hold a sample."""
    if type(max_block) is not int or not 1 <= max_block <= MAX_BLOCK:
        raise UnbraidError(f"max_block is {max_block!r}; a block holds 1 to {MAX_BLOCK} samples")


def whole_rate(rate: object) -> int:
    """Return a sample rate as an int; raise `UnbraidError` unless it is a whole number of Hz."""
    try:
        return operator.index(rate)  # type: ignore[arg-type]
    except TypeError:
        raise UnbraidError(f"the rate is {rate!r}; give whole Hz, as an integer") from None


@dataclass(frozen=True, slots=True)
class OutputReport:
    """One finished file."""

    name: str
    path: Path
    rate: int
    layout: str
    length: int
    subtype: str
    clipped: int


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What a render did. ``seconds`` is wall time, ``programme`` the input's length in seconds."""

    graph: str
    inputs: Mapping[str, str]
    outputs: tuple[OutputReport, ...]
    programme: float
    seconds: float
    latency: int
    zeroed: int
    warnings: tuple[str, ...]
