"""Checks of channels: every layout runs or is refused in words, and each channel stays where it was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..contract.audio import Layout
from ..contract.errors import LayoutRefusedError, PluginError
from .check import FINITE, Advice, Check, NotApplicableError, PromiseBrokenError, RefusedError
from .driven import Driven
from .extremes import finite
from .finding import Level
from .signals import Programme, noise
from .subject import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from ..contract.processor import Array
    from .subject import Case, Subject

__all__ = ["CHECKS", "layouts", "roles"]

_SAMPLES = 6000
_HEARD = 1e-5  # -100 dB
_CLEAR = 0.5  # a correlation beyond this says where a channel comes from


def layouts(subject: Subject) -> str:
    """Ask the card about every layout, and run those it accepts."""
    ports = subject.card.ports_of(subject.params).inputs
    refused = []
    for name in LAYOUTS if ports else ():
        inputs = {port.name: Layout.parse(name) for port in ports}
        try:
            subject.card.layouts_of(subject.params, inputs)
        except (LayoutRefusedError, PluginError) as error:
            if len(str(error)) < 10:
                raise PromiseBrokenError(
                    f"{name} is refused without words: {str(error)!r}",
                    "say which layout does not fit and what would",
                ) from None
            refused.append(name)
    run = 0
    for inputs in subject.layout_choices(subject.params):
        named = ", ".join(f"{port} {layout}" for port, layout in inputs.items())
        try:
            _run(subject, replace(subject.case, inputs=inputs, label=named))
        except RefusedError:
            refused.append(named)
        except PromiseBrokenError as error:
            raise PromiseBrokenError(
                f"with {named}, {error}", "refuse in layouts_for what cannot run, or let it run"
            ) from None
        else:
            run += 1
    return f"{run} layouts run" + (f", refused in words: {', '.join(refused)}" if refused else "")


def _run(subject: Subject, case: Case) -> None:
    with Driven(subject, case) as driven:
        programme = noise(case.inputs, min(driven.latency, 100_000) + _SAMPLES)
        subject.afford(len(LAYOUTS) * programme.samples)
        finite(driven.feed(programme), "noise")


def _correlations(
    a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], latency: int
) -> npt.NDArray[np.float64]:
    """Return how alike each channel of ``b``, ``latency`` samples later, is to each of ``a``: ``[b, a]``.

    The largest over lags of up to 512 samples either way, so that filters are recognised too.
    """
    size = 1 << (2 * a.shape[1]).bit_length()
    late = b[:, max(0, latency - 512) : latency + a.shape[1]]
    A, B = np.fft.rfft(a.astype(np.float64), size), np.fft.rfft(late.astype(np.float64), size)
    cross = np.abs(np.fft.irfft(B[:, None] * A[None].conj(), size)[:, :, :1024]).max(axis=2)
    norms = np.outer(np.linalg.norm(late, axis=1), np.linalg.norm(a, axis=1))
    return np.asarray(cross / np.maximum(norms, 1e-12))


def roles(subject: Subject) -> str | Advice:
    """Send other noise through every channel of 5.1, and see in which channel it comes back.

    A channel that comes back nowhere is lost: in no output that the plugin makes, and there is no residual
    that would hold it. One that only some outputs lack is told.
    """
    inputs = {port.name: Layout.parse("5.1") for port in subject.card.ports_of(subject.params).inputs}
    if not inputs or not subject.accepts(subject.params, inputs):
        raise NotApplicableError("its card does not take 5.1 with these parameters")
    case = replace(subject.case, inputs=inputs, label="5.1")
    kept = [name for name, layout in subject.outputs_of(case).items() if layout.name == "5.1"]
    if not kept:
        raise NotApplicableError("none of its outputs is 5.1")
    rng = np.random.default_rng(6)
    sound = Programme(
        12_000,
        {name: rng.uniform(-0.5, 0.5, (6, 12_000)).astype(np.float32) for name in inputs},
    )
    with Driven(subject, case) as driven:
        subject.afford(sound.samples + driven.latency)
        late = driven.latency
        rest = Programme(late, {name: np.zeros((6, late), np.float32) for name in inputs})
        made = driven.learn(sound).feed(sound.then(rest))
    for name in kept:
        for source, data in sound.ports.items():
            _must_stay(case, name, source, _correlations(data, made[name], late))
    return _lost(subject, case, {name: made[name] for name in kept}) or (
        f"each channel of 5.1 is where it was in {', '.join(kept)}"
    )


def _lost(subject: Subject, case: Case, made: Mapping[str, Array]) -> Advice | None:
    """Return what to tell of channels that are silent in an output although none was in the inputs.

    Raises:
        PromiseBrokenError: no output holds the channel, and others do sound.
    """
    sounds = {name: np.abs(data).max(axis=1) > _HEARD for name, data in made.items()}
    anywhere = np.logical_or.reduce(list(sounds.values()))
    if not anywhere.any():
        raise NotApplicableError("nothing of this sound comes out")
    all_told = list(made) == list(subject.outputs_of(case)) and not subject.card.residuals_of(case.params)
    names = next(iter(case.inputs.values())).roles
    if all_told and not anywhere.all():
        gone = ", ".join(role for role, heard in zip(names, anywhere, strict=True) if not heard)
        raise PromiseBrokenError(
            f"of 5.1, {gone} went in and is silent in every output",
            "process every channel of the layout, or refuse 5.1 in layouts_for",
        )
    for name, heard in sounds.items():
        if heard.any() and not heard.all():
            gone = ", ".join(role for role, there in zip(names, heard, strict=True) if not there)
            return Advice(
                f"of 5.1, {gone} went in and is silent in output {name!r}",
                "process every channel, if that is not what the output is for",
            )
    return None


def _must_stay(case: Case, output: str, source: str, alike: npt.NDArray[np.float64]) -> None:
    names = case.inputs[source].roles
    for channel, row in enumerate(alike):
        best = int(row.argmax())
        if best != channel and row[best] > _CLEAR and row[best] > 1.5 * row[channel]:
            raise PromiseBrokenError(
                f"in 5.1, {names[channel]} of output {output!r} holds {names[best]} of input {source!r} "
                f"(correlation {row[best]:.2f}, with its own {row[channel]:.2f})",
                "keep the channel order of Spec.inputs: L, R, C, LFE, Ls, Rs",
            )


CHECKS = (
    Check("layouts", "every layout runs or is refused in words", Level.STANDARD, layouts, FINITE),
    Check("roles", "the channels of 5.1 stay where they were", Level.STANDARD, roles, FINITE),
)
