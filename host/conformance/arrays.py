"""Checks of the arrays that pass between host and plugin: who may write where, and what must be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .check import REPEATS, Check, NotApplicableError, PromiseBrokenError
from .driven import MAX_BLOCK, Driven
from .finding import Level
from .signals import difference, noise

if TYPE_CHECKING:
    from ..contract.processor import Array
    from .signals import Programme
    from .subject import Subject

__all__ = ["CHECKS", "inputs_unwritten", "outputs_written", "subsets"]

_SIZES = (256, 1, 37, 0, 4096, 256, MAX_BLOCK)
_LONG = 65_536  # samples in the longest block that is tried, once, where there is time
_LATEST = 200_000  # samples of latency that are waited for
_GUARD = 64  # float32 before and after every block
_POISONS = (np.float32("nan"), np.float32(1234.5678), np.float32(-7.25e30))


class _Fenced:
    """Blocks with a guard on both sides, so that a write beside them is seen."""

    def __init__(self, channels: int, n: int, fill: np.float32) -> None:
        self._whole = np.full(channels * n + 2 * _GUARD, 0.625, np.float32)
        self.block: Array = self._whole[_GUARD : _GUARD + channels * n].reshape(channels, n)
        self.block[:] = fill

    @property
    def whole(self) -> bool:
        return bool((self._whole[:_GUARD] == 0.625).all() and (self._whole[-_GUARD:] == 0.625).all())


def _sizes(subject: Subject) -> list[int]:
    """Return block lengths: a run through the latency between telling ones, unless that is very long."""
    return [*_SIZES, *[4096] * (min(subject.latency, _LATEST) // 4096), *_SIZES]


def _run(
    subject: Subject, programme: Programme, poison: np.float32, sizes: list[int], most: int = MAX_BLOCK
) -> tuple[dict[str, Array], dict[str, list[Array]]]:
    """Return the inputs that a call changed, and every output block, from fenced arrays."""
    changed: dict[str, Array] = {}
    made: dict[str, list[Array]] = {}
    with Driven(subject, subject.case, max_block=most) as driven:
        driven.learn(programme)
        made = {name: [] for name in driven.outputs}
        at = 0
        for n in sizes:
            pieces = {name: data[:, at : at + n] for name, data in programme.ports.items()}
            ins = {name: _Fenced(len(piece), n, np.float32(0)) for name, piece in pieces.items()}
            outs = {name: _Fenced(lay.channels, n, poison) for name, lay in driven.outputs.items()}
            for name, piece in pieces.items():
                ins[name].block[:] = piece
                ins[name].block.flags.writeable = False
            driven.process(
                {k: fenced.block for k, fenced in ins.items()},
                {k: fenced.block for k, fenced in outs.items()},
            )
            for name, fenced in (*ins.items(), *outs.items()):
                if not fenced.whole:
                    raise PromiseBrokenError(
                        f"it wrote beside the {n} samples of the array {name!r}",
                        "write [channels, samples] as given; a compiled function must not exceed its n",
                    )
            changed |= {
                name: piece for name, piece in pieces.items() if not np.array_equal(ins[name].block, piece)
            }
            for name, fenced in outs.items():
                made[name].append(fenced.block.copy())
            at += n
    return changed, made


def inputs_unwritten(subject: Subject) -> str:
    """Compare inputs before and after."""
    sizes = _sizes(subject)
    changed, _ = _run(subject, noise(subject.case.inputs, sum(sizes)), _POISONS[0], sizes)
    if changed:
        raise PromiseBrokenError(
            f"process() changed its input {next(iter(changed))!r}",
            "copy what you want to change: ins are read-only",
        )
    return f"{len(subject.case.inputs)} inputs as they were"


def outputs_written(subject: Subject) -> str:
    """Fill the outputs with three different values first: what keeps them was not written."""
    sizes = _sizes(subject)
    programme = noise(subject.case.inputs, sum(sizes))
    runs = [_run(subject, programme, poison, sizes)[1] for poison in _POISONS]
    _all_written(runs, _POISONS)
    first, *others = ({name: np.concatenate(each, axis=1) for name, each in run.items()} for run in runs)
    for other in others:
        told = difference(other, first, subject.tolerance)
        if told is not None:
            raise PromiseBrokenError(
                f"the output depends on what the arrays held before: {told}",
                "outs are uninitialised: assign to them, never add to them or read them first",
            )
    if subject.pace * _LONG < 0.2 * subject.seconds:
        programme = noise(subject.case.inputs, _LONG)
        _all_written([_run(subject, programme, _POISONS[-1], [_LONG], _LONG)[1]], _POISONS[-1:])
    return f"{len(runs[0])} outputs wholly written, whatever they held before"


def _all_written(runs: list[dict[str, list[Array]]], poisons: tuple[np.float32, ...]) -> None:
    """Raise if a sample holds, in every run, what was there before it."""
    for name, blocks in runs[0].items():
        for k, block in enumerate(blocks):
            kept = np.ones(block.shape, bool)
            for made, poison in zip(runs, poisons, strict=True):
                kept &= made[name][k].view(np.uint32) == poison.view(np.uint32)
            if kept.any():
                share = "nothing" if kept.all() else f"only {(~kept).mean():.0%}"
                raise PromiseBrokenError(
                    f"it wrote {share} of output {name!r} in a block of {block.shape[1]} samples",
                    f'write the whole block: outs["{name}"][:] = ...',
                )


def subsets(subject: Subject) -> str:
    """Connect each output alone: it must be what it is among the others."""
    names = list(subject.reference)
    if len(names) < 2:
        raise NotApplicableError("it makes one output itself")
    subject.afford(len(names) * subject.programme.samples)
    for name in names:
        alone = subject.fresh(subject.programme, outputs=[name])
        told = difference(alone, {name: subject.reference[name]}, subject.tolerance)
        if told is not None:
            raise PromiseBrokenError(
                f"with output {name!r} alone connected, {told}", "let each output be the same whoever listens"
            )
    return f"each of {len(names)} outputs is the same alone"


CHECKS = (
    Check("inputs", "inputs are not written", Level.QUICK, inputs_unwritten),
    Check("outputs", "outputs are written wholly, and not read", Level.QUICK, outputs_written, ("seed",)),
    Check(
        "subsets", "an output is the same whichever others are connected", Level.STANDARD, subsets, REPEATS
    ),
)
