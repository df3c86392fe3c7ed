"""Checks of time: the latency that is measured is the latency declared, and the tail covers what sounds on.

What a plugin is held to depends on what can be known of it. The outputs that it makes itself are summed (the
residual is left out: the host forms it from the declared latency, so it would hide a lie). Their answer
must agree with the declared latency, to the sample, in at least one of three ways:

- *onset*: the answer to an impulse begins there, wherever the impulse stands (causal filters, effects with
  a dry part, delays of none);
- *peak*: the answer to an impulse is largest there (anything in linear phase: STFT masks, look-ahead);
- *noise*: the linear system that best explains the answer to noise is largest there (adaptive plugins,
  models, gates that an impulse does not open).

Where there are several outputs, one that is a clean copy of the input must not be late by itself.

A plugin on `StftProcessor` or `SegmentProcessor` has its latency from the base, and it is right. An answer at
another time then comes from the model, and there are two kinds: a model that is late (its remedy is to shift
its stems back), and one whose answer to noise is largest elsewhere because that is its sound (an untrained
network, a comb filter). It is held to be late when the sum of its outputs is a copy at that other time: one
lag explains more than 0.8 of the energy of its answer to noise (a delay gives 1, an echo as well less).
Otherwise it is told, not failed. A residual decides nothing here: the host forms it so that the sum is right.

A delay that is the effect itself must be none by default. A variation by a fixed parameter may come later
without more latency when its tail grows by as much: that is how an effect in time says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..contract.segment_processor import SegmentProcessor
from ..contract.stft_processor import StftProcessor
from .check import FINITE, Advice, Check, NotApplicableError, PromiseBrokenError, RefusedError
from .driven import Driven
from .extremes import finite
from .finding import Level
from .signals import impulse, noise, silence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from ..contract.audio import Spec
    from ..contract.processor import Array
    from .subject import Case, Subject

__all__ = ["CHECKS", "latency", "tail"]

_AT = (1009, 2243)  # where impulses stand: no multiple of any hop, and apart by none
_ROOM = 8192  # samples after the latency in which an answer is looked for
_OTHER_PACE = 8  # how much longer a variation is taken to last than the usual case
_LONGEST = 4_000_000  # samples; a tail beyond is not listened to the end
_HEARD = 1e-5  # -100 dB: what counts as an answer
_CLEAN = 0.9  # the share of an answer's energy in one sample that makes it a clean copy
_EXPLAINED = 0.8  # the share of energy that one lag explains in an answer which is a late copy
_LISTEN = 300_000  # samples after which a sound that goes on is not listened to any more
_ENDS = 64  # samples at the end of what was heard: what sounds there has not ended
_FLOOR = 1e-5  # -100 dB re full scale: dither and other floors that nobody hears
_QUIET = 1e-4  # -80 dB: what may sound on after the tail, as a share of the peak


@dataclass(frozen=True)
class _Answer:
    """Where one input is answered, in samples after it."""

    onsets: tuple[int, ...] = ()
    peaks: tuple[int, ...] = ()
    noise: int | None = None
    explained: float = 0.0
    strays: Mapping[str, int] = field(default_factory=dict)

    @property
    def arrival(self) -> int | None:
        """The place of the answer, for words; None when there is no answer."""
        return self.peaks[0] if self.peaks else self.noise

    def agrees(self, latency: int) -> bool:
        """Return whether one of the three ways gives this latency."""
        return (
            (bool(self.onsets) and set(self.onsets) == {latency})
            or (bool(self.peaks) and set(self.peaks) == {latency})
            or self.noise == latency
        )


def _sum(outputs: Mapping[str, Array]) -> npt.NDArray[np.float64]:
    """Return the sum of all channels of all outputs; of the loudest output alone where all cancel."""
    sums = [data.sum(axis=0, dtype=np.float64) for data in outputs.values()]
    total = np.asarray(np.sum(sums, axis=0), np.float64)
    return total if np.abs(total).max() > _HEARD else max(sums, key=lambda each: float(np.abs(each).max()))


def _strays(outputs: Mapping[str, Array], at: int, latency: int) -> dict[str, int]:
    """Return the outputs whose answer to an impulse is a single sample, but not where the latency says."""
    found = {}
    for name, data in outputs.items() if len(outputs) > 1 else ():
        heard = data.astype(np.float64).sum(axis=0) ** 2
        if heard.max() > _HEARD**2 and heard.max() > _CLEAN * heard.sum() and heard.argmax() != at + latency:
            found[name] = int(heard.argmax()) - at
    return found


def _to_impulses(subject: Subject, case: Case, port: str, latency: int) -> _Answer:
    onsets, peaks = [], []
    strays: dict[str, int] = {}
    for at in _AT:
        programme = impulse(case.inputs, port, at, at + latency + _ROOM)
        outputs = subject.fresh(programme, case=case)
        finite(outputs, "an impulse in silence")
        strays |= _strays(outputs, at, latency)
        heard = np.abs(_sum(outputs))
        if heard.max() > _HEARD:
            onsets.append(int((heard > 0).argmax()) - at)
            peaks.append(int(heard.argmax()) - at)
    return _Answer(tuple(onsets), tuple(peaks), strays=strays) if len(peaks) == len(_AT) else _Answer()


def _to_noise(subject: Subject, case: Case, port: str, latency: int) -> tuple[int | None, float]:
    """Return where the best linear explanation of the output is largest, and what that lag alone explains.

    The first is None when nothing comes out; the second is a share of the output's energy.
    """
    length = 16_384
    total = length + latency + _ROOM
    source = noise({port: case.inputs[port]}, length).ports[port][:1]
    programme = silence(case.inputs, total)
    programme.ports[port][case.inputs[port].sound, :length] = source
    heard = _sum(subject.fresh(programme, case=case))
    if np.abs(heard).max() <= _HEARD:
        return None, 0.0
    size = 1 << (2 * total).bit_length()
    X, Y = np.fft.rfft(source[0], size), np.fft.rfft(heard, size)
    power = np.abs(X) ** 2
    system = np.fft.irfft(Y * X.conj() / (power + 1e-3 * power.mean()), size)
    lag = int(np.abs(system[:total]).argmax())
    late = heard[lag : lag + length]
    alike = float(np.dot(source[0, : len(late)].astype(np.float64), late))
    energy = float(np.square(source, dtype=np.float64).sum() * np.square(heard).sum())
    return lag, alike**2 / energy


def _answers(subject: Subject, case: Case, latency: int) -> dict[str, _Answer]:
    """Return the answer to each input that has one; noise is tried where impulses do not tell."""
    found = {}
    for port in case.inputs:
        answer = _to_impulses(subject, case, port, latency)
        if not answer.agrees(latency):
            lag, explained = _to_noise(subject, case, port, latency)
            answer = replace(answer, noise=lag, explained=explained)
        if answer.arrival is not None:
            found[port] = answer
    return found


def latency(subject: Subject) -> str | Advice:
    """Measure the usual case, and every variation that may have another latency."""
    if not subject.case.inputs:
        raise NotApplicableError("it has no input that could be answered late")
    answered, doubt = _measured(subject, subject.case)
    if doubt:
        return Advice(
            doubt, "if its stems are meant to lie where they were, the model shifts them: undo it there"
        )
    if not answered:
        raise NotApplicableError("no impulse and no noise comes out, so it cannot be measured")
    count = 0
    for case in _variations(subject):
        try:
            _measured(subject, case)
        except RefusedError:  # other rates and bounds may be refused in words
            continue
        except NotApplicableError:  # no time left for more
            break
        count += 1
    more = f", and in {count} variations" if count else ""
    return f"{' and '.join(map(repr, answered))} answered after {subject.latency} samples, as declared{more}"


def _variations(subject: Subject) -> Iterator[Case]:
    """Yield what is measured beside the usual case: fixed parameters at their bounds, then other rates."""
    if subject.level > Level.QUICK:
        yield from subject.variants()
    if subject.level is Level.STRICT:
        yield from subject.other_rates()


def _by_base(processor: object, latency: int, spec: Spec) -> bool:
    """Return whether the latency is the one that a base class gives."""
    if isinstance(processor, StftProcessor):
        return latency == processor.geometry(spec.rate)[0] - 1
    if isinstance(processor, SegmentProcessor):
        segment, hop, batch = processor.geometry(spec)
        return bool(latency == segment - 1 + (batch - 1) * hop)
    return False


def _measured(subject: Subject, case: Case) -> tuple[list[str], str]:
    """Return the inputs that are answered as late as declared, and what is doubtful; others have no answer.

    Raises:
        PromiseBrokenError: one is answered at another time.
        RefusedError: the plugin refuses these terms.
        NotApplicableError: it would take too long.
    """
    with Driven(subject, case) as driven:
        declared, sounding = driven.latency, driven.tail
        by_base = _by_base(driven.processor, declared, driven.spec)
    doubt = ""
    slower = _OTHER_PACE if case.label else 1  # other parameters may take longer
    subject.afford(2 * slower * len(case.inputs) * (declared + _ROOM))
    found = _answers(subject, case, declared)
    for port, answer in found.items():
        late = answer.arrival or 0
        on_purpose = bool(case.label) and declared == subject.latency and sounding >= late - declared > 0
        if not answer.agrees(declared) and not on_purpose and by_base:
            told, shift = f"{case}, input {port!r} is answered most after {late} samples", late - declared
            if answer.explained > _EXPLAINED:
                raise PromiseBrokenError(
                    f"{told}, not after {declared}",
                    f"the model shifts its stems by {shift} samples inside the segment: undo it there",
                )
            doubt = (
                f"{told}, {shift:+d} from the base's latency of {declared}; that lag explains only "
                f"{answer.explained:.0%} of its answer to noise, so it may be its sound"
            )
        elif not answer.agrees(declared) and not on_purpose:
            raise PromiseBrokenError(
                f"{case}, it declares a latency of {declared} samples, but input {port!r} is "
                f"answered after {late}",
                f"declare self.latency = {late} in prepare(), or take out the delay; a delay that is the "
                "effect itself is 0 by default",
            )
        for name, stray in answer.strays.items():
            if answer.agrees(declared):
                raise PromiseBrokenError(
                    f"{case}, output {name!r} answers input {port!r} after {stray} samples, the outputs "
                    f"together after {declared}",
                    "delay the early outputs inside the plugin, so that all are late by self.latency",
                )
    return list(found), doubt


def tail(subject: Subject) -> str | Advice:
    """Listen after the end of a programme; where it still sounds, listen on, to tell how long."""
    if not subject.case.inputs:
        raise NotApplicableError("it has no input that could end")
    with Driven(subject, subject.case) as driven:
        late = driven.latency + driven.tail
        if late > _LONGEST:
            raise NotApplicableError(f"it may sound on for {late} samples, too long to listen to the end")
        burst = 9_600
        subject.afford(burst + late + 4096)
        sound = noise(subject.case.inputs, burst)
        found = driven.learn(sound).feed(sound.then(silence(subject.case.inputs, late + 4096)))
        finite(found, "sound, then silence,")
        found = _heard(found, driven)
        limits = {name: _QUIET * float(np.abs(data).max(initial=0)) for name, data in found.items()}
        after = {name: data[:, burst + late :] for name, data in found.items()}
        heard = 4096
        while _still(after, limits) and heard < _LISTEN and subject.pace * heard < 0.2 * subject.seconds:
            more = _heard(driven.feed(silence(subject.case.inputs, heard)), driven)
            after = {name: np.concatenate([data, more[name]], axis=1) for name, data in after.items()}
            heard *= 2
    floors = [_sounds_on(name, data, limits[name], driven) for name, data in after.items()]
    floor = max(floors, default=0.0)
    if floor:
        return Advice(
            f"a floor of {20 * np.log10(floor):.0f} dB re full scale sounds on after the input's end",
            "end dither and noise with the sound, if silence matters",
        )
    return f"silent {driven.tail} samples after the input's end"


def _heard(outputs: Mapping[str, Array], driven: Driven) -> dict[str, Array]:
    """Return the channels of outputs that are sound."""
    return {name: data[driven.outputs[name].sound] for name, data in outputs.items()}


def _last(data: Array, limit: float) -> int:
    """Return how many samples it takes until nothing is above the limit."""
    above = np.flatnonzero(np.abs(data).max(axis=0) > limit)
    return int(above[-1]) + 1 if above.size else 0


def _still(after: Mapping[str, Array], limits: Mapping[str, float]) -> bool:
    """Return whether an output sounds at the very end."""
    return any(_last(data, limits[name]) > data.shape[1] - _ENDS for name, data in after.items())


def _sounds_on(name: str, after: Array, limit: float, driven: Driven) -> float:
    """Return the peak of a floor that sounds on, 0 for silence.

    Raises:
        PromiseBrokenError: more than a floor sounds on.
    """
    last, loudest = _last(after, limit), float(np.abs(after).max(initial=0))
    if not last:
        return 0.0
    if loudest <= _FLOOR:
        return loudest
    level = f"(at {20 * np.log10(loudest * _QUIET / limit):.0f} dB), but its tail is {driven.tail}"
    if last > after.shape[1] - _ENDS:
        raise PromiseBrokenError(
            f"output {name!r} still sounds after at least {driven.tail + last} samples {level}",
            "let it fall silent (a constant, noise, a loop without decay last for ever), or declare as "
            "self.tail the time in which it falls by 80 dB",
        )
    raise PromiseBrokenError(
        f"output {name!r} still sounds {driven.tail + last} samples after the input's end {level}",
        f"declare self.tail = {driven.tail + last} or more in prepare(), so that --tails keeps it",
    )


CHECKS = (
    Check("latency", "the latency measured is the latency declared", Level.QUICK, latency, FINITE),
    Check("tail", "nothing sounds on longer than the tail declared", Level.STANDARD, tail, FINITE),
)
