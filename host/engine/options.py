"""What a render is asked and what it reports."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..contract.errors import UnbraidError
from ..isolation.policy import Isolation
from ..media.open_input import InputForm
from ..media.resample import HIGHEST, LOWEST
from ..media.writer import FORMS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..isolation.policy import Policy
    from ..media.encoder import Dither, OnClip
    from ..media.metadata import Metadata

__all__ = ["InputReport", "OutputReport", "RenderOptions", "RenderReport", "check_block", "whole_rate"]

MAX_BLOCK = 1 << 24
_CHOICES = {
    "form": FORMS,
    "on_clip": ("clip", "error", "float"),
    "dither": ("tpdf", "none"),
    "non_finite": ("reject", "zero"),
}


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a render treats its files.

    Attributes:
        overwrite: replace outputs that exist.
        tails: let outputs sound on past the input's end.
        form: what outputs are: "wav" (RF64 beyond 4 GiB), "flac", "rf64", "bw64", or bare samples: "s16le",
            "s24le", "s32le", "f32le".
        subtype: PCM_16, PCM_24, PCM_32 or FLOAT for every output; by default the graph's, else the input's.
        output_rate: Hz of the outputs; by default the input's.
        on_clip: "clip" counts and reports samples beyond full scale in integer files, "error" refuses them,
            "float" writes a file as FLOAT when it has any.
        dither: "tpdf" adds triangular noise before rounding to 16 bits, "none" rounds.
        non_finite: "reject" refuses NaN and infinity in the input, "zero" replaces and counts them.
        resample: bring inputs of other rates to the first one's, instead of refusing them.
        graph_rate: Hz of the graph, to which every input is brought; by default the first input's.
        line_up: let inputs begin where their time references say, with silence before and behind, instead of
            refusing such as do not begin and end together.
        source: what is known of the inputs, and how to take them.
        spool: the folder in which inputs from pipes are kept when a node must hear the programme more than
            once.
        stdout: the descriptor that ``-`` stands for among the outputs.
        max_block: samples processed at a time.
        seed: for plugins that draw random numbers, and for dither.
        isolate: which nodes run in processes of their own: "asked", "third-party" or "all", or an `Isolation`
            with limits.
    """

    overwrite: bool = False
    tails: bool = False
    form: str = "wav"
    subtype: str | None = None
    output_rate: int | None = None
    on_clip: OnClip = "clip"
    dither: Dither = "tpdf"
    non_finite: Literal["reject", "zero"] = "reject"
    resample: bool = False
    graph_rate: int | None = None
    line_up: bool = False
    source: InputForm = InputForm()  # noqa: RUF009 - frozen
    spool: str | None = None
    stdout: int = 1
    max_block: int = 8192
    seed: int = 0
    isolate: Policy | Isolation = "asked"

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UnbraidError(f"{name} is {getattr(self, name)!r}, not {' or '.join(allowed)}")
        check_block(self.max_block)
        Isolation.of(self.isolate)
        if type(self.seed) is not int or not 0 <= self.seed < 1 << 63:
            raise UnbraidError(f"seed is {self.seed!r}; it is a whole number from 0 to 2^63 - 1")
        for name in ("output_rate", "graph_rate"):
            rate = getattr(self, name)
            if rate is not None and (type(rate) is not int or not LOWEST <= rate <= HIGHEST):
                raise UnbraidError(f"{name} is {rate!r}; rates are {LOWEST} to {HIGHEST} Hz")


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
class InputReport:
    """One sound that was read.

    Attributes:
        name: of the graph's input.
        path: as it was given.
        form: container: WAV, RF64, FLAC, MOV ...
        rate: Hz, of the file.
        layout: by which channels came in.
        length: samples per channel at ``rate`` that were read.
        subtype: the sample format that keeps them.
        metadata: what the file says beside its samples.
        salvaged: samples declared (None when not known) and samples taken, when the file was not whole.
    """

    name: str
    path: str
    form: str
    rate: int
    layout: str
    length: int
    subtype: str
    metadata: Metadata
    salvaged: tuple[int | None, int] | None


@dataclass(frozen=True, slots=True)
class OutputReport:
    """One finished output; its path is "-" when it left through standard output."""

    name: str
    path: Path
    form: str
    rate: int
    layout: str
    length: int
    subtype: str
    clipped: int


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What a render did.

    Attributes:
        graph: where it came from.
        inputs: by name of the graph's inputs.
        outputs: in the graph's order.
        programme: the input's length in seconds.
        seconds: wall time.
        latency: samples that were compensated.
        zeroed: non-finite input samples that were replaced.
        findings: what nodes found out, by node.
        interrupted: a live input was told to stop; the outputs hold what had come until then.
        warnings: one line each.
    """

    graph: str
    inputs: Mapping[str, InputReport]
    outputs: tuple[OutputReport, ...]
    programme: float
    seconds: float
    latency: int
    zeroed: int
    findings: Mapping[str, Mapping[str, float | str]]
    interrupted: bool
    warnings: tuple[str, ...]
