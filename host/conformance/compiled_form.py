"""Check that the compiled function and process() agree to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...kernels.program import CompiledCallError, Program
from ..contract.compiled import Compiled
from .check import CUTS, Check, NotApplicableError, PromiseBrokenError
from .driven import Driven, calling
from .finding import Level
from .signals import difference

if TYPE_CHECKING:
    from ..contract.processor import Array
    from .subject import Subject

__all__ = ["CHECKS", "compiled"]

_SIZES = (256, 1, 0, 37, 4096, 7, 256)


def _form(driven: Driven) -> Compiled | None:
    with calling("compiled()"):
        found: Any = driven.processor.compiled()
    if found is None:
        return None
    if not isinstance(found, Compiled) or not found.address:
        raise PromiseBrokenError(
            f"compiled() gave {found!r}",
            "return Compiled(address, state, owner) with the address of the function",
        )
    return found


def compiled(subject: Subject) -> str:
    """Run two instances, one through each, and compare."""
    programme = subject.programme
    with Driven(subject, subject.case) as driven:
        form = _form(driven)
        if form is None:
            raise NotApplicableError("it has no compiled form")
        driven.learn(programme)
        made: dict[str, list[Array]] = {name: [] for name in driven.outputs}
        at = 0
        sizes = [*_SIZES, *[4096] * (programme.samples // 4096)]
        for size in sizes:
            n = min(size, programme.samples - at)
            ins = [np.ascontiguousarray(data[:, at : at + n]) for data in programme.ports.values()]
            outs = [np.full((lay.channels, n), np.nan, np.float32) for lay in driven.outputs.values()]
            try:
                Program([(form, ins, outs)]).run(n)
            except CompiledCallError as error:
                raise PromiseBrokenError(
                    f"the compiled function returned {error.code} for a block of {n} samples",
                    "return 0 when all is well",
                ) from None
            for name, block in zip(made, outs, strict=True):
                made[name].append(block)
            at += n
        again = _form(driven)
        if again is None or (again.address, again.state) != (form.address, form.state):
            raise PromiseBrokenError(
                "compiled() gave another address or state while sound ran", "make both once, in prepare()"
            )
    found = {name: np.concatenate(blocks, axis=1) for name, blocks in made.items()}
    wanted = {name: data[:, :at] for name, data in subject.reference.items()}
    told = difference(
        found, {name: np.ascontiguousarray(data) for name, data in wanted.items()}, subject.tolerance
    )
    if told is not None:
        raise PromiseBrokenError(
            f"compiled and process() part: {told}",
            "let process() call the compiled function, as CompiledProcessor does",
        )
    return "compiled and process() give the same bits"


CHECKS = (Check("compiled", "the compiled function and process() agree", Level.STANDARD, compiled, CUTS),)
