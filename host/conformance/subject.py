"""The plugin under examination: its card, the terms it can run under, and runs of it over programmes."""

from __future__ import annotations

import itertools
import math
import os
import time
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..contract.audio import Layout
from ..contract.errors import UnbraidError, one_line
from ..contract.params import ParamsError, convert_one, describe, replaced
from ..contract.scene import BedShape, Content, ObjectShape, SceneShape
from .check import NotApplicableError, NotReadyError, PromiseBrokenError, RefusedError
from .driven import Driven
from .manners import settings
from .signals import Programme, noise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..contract.card import PluginCard
    from ..contract.params import ParamInfo, Params
    from ..contract.processor import Array
    from ..registry import Registry
    from .finding import Level

__all__ = ["LAYOUTS", "Case", "Subject"]

#: Layouts that are tried, the most telling first.
LAYOUTS = ("stereo", "mono", "5.1", "discrete:3", "7.1", "7.1.4")
#: Tried where none of these fits: a bed and two objects.
_SCENE = SceneShape(
    "Scene", (Content("All"),), (BedShape("Bed", "5.1"),), (ObjectShape("Left"), ObjectShape("Front"))
)
#: Rates in Hz that are tried when the card names none, the first for everything.
_RATES = (48000, 44100, 96000, 16000, 8000)


@dataclass(frozen=True)
class Case:
    """Terms to run a plugin under; ``label`` tells them from the default ones."""

    params: Params
    inputs: Mapping[str, Layout]
    rate: int
    label: str = ""

    def __str__(self) -> str:
        return f"with {self.label}" if self.label else "with the default parameters"


class Subject:
    """One plugin with one set of parameters.

    Args:
        card: the plugin's card.
        params: the parameters to check it with.
        registry: where its code is built.
        level: how much to do.
        seconds: how long one check may take; what would take longer is not begun.
        began: when the present check began, on the monotonic clock.

    Attributes:
        settings: those of the process, from before any code of the plugin ran.
        printed: bytes on standard output by then.
    """

    def __init__(
        self, card: PluginCard, params: Params, registry: Registry, level: Level, seconds: float
    ) -> None:
        self.card, self.params, self.registry = card, params, registry
        self.level, self.seconds = level, seconds
        self._pace = math.inf  # seconds for a sample
        self.began = time.monotonic()
        self.settings, self.printed = settings(), os.fstat(1).st_size

    # Terms

    @property
    def device(self) -> str:
        """Where it is checked: on the CPU if it can run there."""
        devices = self.card.devices
        return "cpu" if "cpu" in devices or not devices else devices[0]

    def layout_choices(self, params: Params) -> Iterator[dict[str, Layout]]:
        """Yield the layouts of the inputs that the card accepts, of those that are tried."""
        ports = self.card.ports_of(params).inputs
        if not ports:
            yield {}
            return
        uniform = [dict.fromkeys((port.name for port in ports), name) for name in LAYOUTS]
        own = [{port.name: port.layouts[0] if port.layouts else "stereo" for port in ports}]
        mixed: Iterable[dict[str, str]] = ()
        if 1 < len(ports) <= 4:
            names = [port.name for port in ports]
            mixed = (
                dict(zip(names, each, strict=True))
                for each in itertools.product(LAYOUTS[:3], repeat=len(ports))
            )
        seen: list[dict[str, str]] = []
        for each in itertools.chain(uniform, own, mixed):
            if each in seen:
                continue
            seen.append(each)
            inputs = {name: Layout.parse(layout) for name, layout in each.items()}
            if self.accepts(params, inputs):
                yield inputs
        scene = {port.name: Layout.of_scene(_SCENE) for port in ports}
        if self.accepts(params, scene):
            yield scene

    def accepts(self, params: Params, inputs: Mapping[str, Layout]) -> bool:
        """Return whether the card accepts these layouts."""
        try:
            self.card.layouts_of(params, inputs)
        except UnbraidError:
            return False
        return True

    def inputs_for(self, params: Params) -> dict[str, Layout]:
        """Return the layouts that a plugin with these parameters is mostly checked with.

        Raises:
            NotReadyError: a parameter must be given first.
            PromiseBrokenError: no layout that was tried is accepted.
        """
        found = next(self.layout_choices(params), None)
        if found is None:
            try:
                ports = self.card.ports_of(params).inputs
                self.card.layouts_of(params, {port.name: Layout.parse("stereo") for port in ports})
            except ParamsError as error:
                raise NotReadyError(f"{one_line(error)} (here: --param NAME=VALUE)") from error
            except UnbraidError:
                pass  # a layout that is refused
            raise PromiseBrokenError(
                f"its card accepts none of the layouts that were tried: {', '.join(LAYOUTS)}",
                "let layouts_for accept at least one of them with these parameters",
            )
        return found

    @cached_property
    def case(self) -> Case:
        """The terms that most checks run under.

        Raises:
            PromiseBrokenError: the plugin cannot be prepared for any of the usual rates.
        """
        inputs = self.inputs_for(self.params)
        refusal: RefusedError | None = None
        rates = self.rates or _RATES
        for rate in sorted(rates, key=lambda rate: rate != 48000):
            case = Case(self.params, inputs, rate)
            try:
                with Driven(self, case):
                    return case
            except RefusedError as error:
                refusal = refusal or error
        assert refusal is not None  # noqa: S101 - there is at least one rate
        raise refusal

    @property
    def rates(self) -> tuple[int, ...]:
        """The sample rates that the card names."""
        return self.card.rates_of(self.params)

    def outputs_of(self, case: Case) -> dict[str, Layout]:
        """Return the outputs that the processor makes itself; the host forms residuals."""
        layouts = self.card.layouts_of(case.params, case.inputs)
        names = [port.name for port in self.card.ports_of(case.params).outputs]
        formed = self.card.residuals_of(case.params)
        return {name: layouts[name] for name in names if name not in formed}

    @cached_property
    def infos(self) -> tuple[ParamInfo, ...]:
        """The parameters."""
        return describe(self.card.params)

    def changed(self, name: str, value: Any) -> Case | None:
        """Return the usual case with one parameter changed; None when the parameters refuse it together."""
        try:
            params = replaced(self.params, {name: convert_one(self.card.params, name, value)})
        except ParamsError:
            return None
        inputs = self.case.inputs
        if not self.accepts(params, inputs):
            try:
                inputs = self.inputs_for(params)
            except PromiseBrokenError:
                return None
        return replace(self.case, params=params, inputs=inputs, label=f"{name}={value}")

    def edges(self, info: ParamInfo) -> list[Any]:
        """Return the values at a parameter's bounds: both ends, every choice."""
        if info.kind == "boolean":
            return [False, True]
        if info.kind == "choice":
            return list(info.choices)
        return [value for value in (info.ge, info.le) if value is not None]

    def variants(self) -> Iterator[Case]:
        """Yield a case for each bound of each parameter that is `fixed`."""
        for info in self.infos:
            if info.fixed:
                for value in self.edges(info):
                    case = self.changed(info.name, value)
                    if case is not None and case.params != self.params:
                        yield case

    def other_rates(self) -> Iterator[Case]:
        """Yield the usual case at other rates: the card's own, or two that are common."""
        for rate in self.rates or (44100, 96000):
            if rate != self.case.rate:
                yield replace(self.case, rate=rate, label=f"a rate of {rate} Hz")

    # Runs

    @property
    def tolerance(self) -> float:
        """How far two runs may differ, as a share of the peak: 0 for a plugin that is deterministic."""
        return 0.0 if self.card.deterministic else 1e-4

    def fresh(
        self, programme: Programme, cuts: Iterable[int] = (), *, case: Case | None = None, **terms: Any
    ) -> dict[str, Array]:
        """Return what a fresh instance makes of a programme; ``terms`` are those of `Driven`."""
        sizes = list(cuts)
        with Driven(self, case or self.case, **terms) as driven:
            began = perf_counter()
            made = driven.learn(programme, sizes).feed(programme, sizes)
        if programme.samples >= 4096:  # the quickest run counts: others may have compiled or loaded something
            self._pace = min(self._pace, (perf_counter() - began) / programme.samples)
        return made

    @cached_property
    def latency(self) -> int:
        """The declared latency of the usual case, in samples."""
        with Driven(self, self.case) as driven:
            return driven.latency

    @cached_property
    def programme(self) -> Programme:
        """Noise that is longer than the latency by two and a half of the largest blocks."""
        return noise(self.case.inputs, self.latency + 20_000)

    @cached_property
    def reference(self) -> Mapping[str, Array]:
        """What a fresh instance makes of `programme` in the largest blocks."""
        return self.fresh(self.programme)

    @property
    def pace(self) -> float:
        """Seconds that a sample takes, in the quickest run so far."""
        if math.isinf(self._pace):
            assert self.reference  # noqa: S101 - it sets the pace
        return self._pace

    def afford(self, samples: int) -> None:
        """Refuse to begin what would not end within the limit.

        Raises:
            NotApplicableError: so many samples would take longer.
        """
        needed = self.pace * samples
        most = max(0.0, 0.8 * self.seconds - (time.monotonic() - self.began))
        if needed > most:
            raise NotApplicableError(
                f"it would take about {needed:.0f} s; what takes more than {most:.3g} s is not begun under "
                f"--limit {self.seconds:g}, give a longer one"
            )
