"""The plugin card: all that is known of a plugin without running a line of its signal code."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .audio import Layout
from .errors import LayoutRefusedError, PluginError, UnbraidError, one_line
from .params import Params, describe
from .ports import Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["API_VERSION", "PluginCard", "same_layout"]

API_VERSION = 1
MOST_PASSES = 16
_ID = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def same_layout(ports: Ports, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    """Give every output the layout of the inputs, which must all agree.

    Raises:
        LayoutRefusedError: the inputs' layouts differ.
        PluginError: there is no input, so the card must say what its outputs are.
    """
    layouts = list(inputs.values())
    if not layouts:
        raise PluginError("without inputs it needs a `layouts_for` on its card")
    if any(layout != layouts[0] for layout in layouts):
        named = ", ".join(f"{port} is {layout}" for port, layout in inputs.items())
        raise LayoutRefusedError(f"its inputs must have one layout, but {named}")
    return {port.name: layouts[0] for port in ports.outputs}


@dataclass(frozen=True)
class PluginCard:
    """What a plugin is, as data. Building a card must import nothing heavy.

    Attributes:
        id: the name used in graphs (``use: id``): a-z, 0-9, dash, underscore.
        name: a title for people.
        version: of the plugin.
        licence: SPDX expression of code and, where there are any, weights.
        factory: ``"package.module:Class"``; imported only when a node is built, called with params.
        doc: one line on what it does.
        params: the parameter struct.
        ports: the ports when they do not depend on parameters.
        ports_for: pure function from parameters to ports; overrides ``ports``.
        layouts_for: pure function ``(params, {input: layout}) -> {output: layout}`` that may raise
            `LayoutRefusedError`; by default outputs take the layout of the inputs, which must agree.
        residual: the output that the host forms itself, at the graph's rate, as the delayed first
            input minus all other outputs, so that the outputs sum to the input.
        residual_for: pure function from parameters to the residual's name, to None, or, where there are
            several, to ``{residual: outputs that are taken from the input}``; overrides ``residual``.
        rates: sample rates in Hz it runs at; empty means any. The host resamples around it.
        rates_for: pure function from parameters to ``rates``; overrides them.
        devices: where it can run.
        devices_for: pure function from parameters to ``devices``, of which it leaves some out.
        realtime: whether it can meet deadlines in a live graph.
        deterministic: whether equal input and seed give equal bits.
        passes: how often it must hear the whole programme before it can process it: 0 for most; see
            `AnalysisProcessor`. Such a plugin cannot run live, whatever ``realtime`` says.
        passes_for: pure function from parameters to ``passes``; overrides them.
        api: version of this contract it was written for.
    """

    id: str
    name: str
    version: str
    licence: str
    factory: str
    doc: str = ""
    params: type[Params] = Params
    ports: Ports = field(default_factory=Ports)
    ports_for: Callable[[Any], Ports] | None = None
    layouts_for: Callable[[Any, Mapping[str, Layout]], Mapping[str, Layout]] | None = None
    residual: str | None = None
    residual_for: Callable[[Any], str | Mapping[str, Sequence[str]] | None] | None = None
    rates: tuple[int, ...] = ()
    rates_for: Callable[[Any], Sequence[int]] | None = None
    devices: tuple[str, ...] = ("cpu",)
    devices_for: Callable[[Any], Sequence[str]] | None = None
    realtime: bool = True
    deterministic: bool = True
    passes: int = 0
    passes_for: Callable[[Any], int] | None = None
    api: int = API_VERSION

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise PluginError(f"plugin id {self.id!r} must match {_ID.pattern}")
        if not _FACTORY.fullmatch(self.factory):
            raise PluginError(f"plugin {self.id!r}: factory {self.factory!r} must read package.module:Class")
        if self.api != API_VERSION:
            raise PluginError(
                f"plugin {self.id!r} is written for contract {self.api}, this host speaks {API_VERSION}",
            )
        self._check_rates(self.rates)
        self._check_passes(self.passes)
        try:
            describe(self.params)
            bare = self.params()
        except (TypeError, ValueError) as error:
            raise PluginError(f"plugin {self.id!r}: its parameters do not run bare: {error}") from None
        if self.ports_for is None:
            self._check_ports(self.ports)
        self.ports_of(bare)
        self.residuals_of(bare)
        self.rates_of(bare)
        self.devices_of(bare)
        self.passes_of(bare)

    def _check_rates(self, rates: tuple[int, ...]) -> None:
        if not all(type(rate) is int and rate > 0 for rate in rates):
            raise PluginError(f"plugin {self.id!r}: rates {rates!r} must be integers in Hz")

    def _check_passes(self, passes: object) -> None:
        if type(passes) is not int or not 0 <= passes <= MOST_PASSES:
            raise PluginError(f"plugin {self.id!r}: passes {passes!r} must be 0 to {MOST_PASSES}")

    def _check_ports(self, ports: Ports) -> None:
        outputs = [port.name for port in ports.outputs]
        for names in ([port.name for port in ports.inputs], outputs):
            if len(set(names)) < len(names):
                raise PluginError(f"plugin {self.id!r}: two ports have one name: {names}")
        if not outputs:
            raise PluginError(f"plugin {self.id!r} has no outputs; it needs at least one")
        if not ports.inputs and self.rates:
            raise PluginError(
                f"plugin {self.id!r} has no inputs, so it must run at any rate: leave out rates"
            )
        if not ports.inputs and self.hears:
            raise PluginError(
                f"plugin {self.id!r} has no inputs, so there is nothing to hear: leave out passes"
            )

    def ports_of(self, params: Params) -> Ports:
        """Return the ports for these parameters.

        Raises:
            PluginError: the card's own ``ports_for`` failed or gave what cannot be.
        """
        if self.ports_for is None:
            return self.ports
        ports: Ports = self._asked("ports_for", lambda ports_for: self._checked_ports(ports_for(params)))
        return ports

    def _checked_ports(self, ports: Ports) -> Ports:
        self._check_ports(ports)
        return ports

    def residuals_of(self, params: Params) -> dict[str, tuple[str, ...]]:
        """Return the outputs that the host forms: each with the outputs that the input is then without.

        Raises:
            PluginError: the card's own ``residual_for`` failed, or a residual is not of these ports.
        """
        residual: str | Mapping[str, Sequence[str]] | None = self.residual
        if self.residual_for is not None:
            residual = self._asked("residual_for", lambda residual_for: residual_for(params))
        if residual is None:
            return {}
        ports = self.ports_of(params)
        outputs = [port.name for port in ports.outputs]
        if isinstance(residual, str):
            residual = {residual: [name for name in outputs if name != residual]}
        found = {name: tuple(parts) for name, parts in residual.items()}
        for name, parts in found.items():
            self._check_residual(name, parts, outputs, found)
        if found and not ports.inputs:
            raise PluginError(f"plugin {self.id!r}: a residual needs an input and another output")
        return found

    def _check_residual(
        self, name: str, parts: tuple[str, ...], outputs: list[str], residuals: Mapping[str, object]
    ) -> None:
        if name not in outputs:
            raise PluginError(
                f"plugin {self.id!r}: residual {name!r} is none of its outputs: {outputs}",
            )
        if not parts:
            raise PluginError(f"plugin {self.id!r}: a residual needs an input and another output")
        for part in parts:
            if part not in outputs or part in residuals:
                raise PluginError(
                    f"plugin {self.id!r}: residual {name!r} is without {part!r}, which it does not make"
                )

    def rates_of(self, params: Params) -> tuple[int, ...]:
        """Return the sample rates in Hz it runs at with these parameters; empty means any.

        Raises:
            PluginError: the card's own ``rates_for`` failed or gave what cannot be.
        """
        if self.rates_for is None:
            return self.rates
        rates: tuple[int, ...] = self._asked("rates_for", lambda rates_for: tuple(rates_for(params)))
        self._check_rates(rates)
        if rates and not self.ports_of(params).inputs:
            raise PluginError(
                f"plugin {self.id!r} has no inputs, so it must run at any rate: leave out rates"
            )
        return rates

    def devices_of(self, params: Params) -> tuple[str, ...]:
        """Return where it can run with these parameters.

        Raises:
            PluginError: the card's own ``devices_for`` failed or gave what cannot be.
        """
        if self.devices_for is None:
            return self.devices
        devices: tuple[str, ...] = self._asked("devices_for", lambda devices_for: tuple(devices_for(params)))
        if not devices or not set(devices) <= set(self.devices):
            raise PluginError(
                f"plugin {self.id!r}: its devices_for gives {devices}, which must be some of {self.devices}"
            )
        return devices

    @property
    def hears(self) -> bool:
        """Whether it hears the whole programme before it processes it, with some parameters at least."""
        return self.passes > 0 or self.passes_for is not None

    def passes_of(self, params: Params) -> int:
        """Return how often it must hear the whole programme with these parameters.

        Raises:
            PluginError: the card's own ``passes_for`` failed or gave what cannot be.
        """
        if self.passes_for is None:
            return self.passes
        passes: int = self._asked("passes_for", lambda passes_for: passes_for(params))
        self._check_passes(passes)
        return passes

    def _asked(self, name: str, ask: Callable[[Any], Any]) -> Any:
        """Return what one of the card's own functions gives; what it raises by accident names it."""
        try:
            return ask(getattr(self, name))
        except UnbraidError:
            raise
        except Exception as error:
            raise PluginError(f"plugin {self.id!r}: its {name} failed: {one_line(error)}") from error

    def layouts_of(self, params: Params, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
        """Return the layout of every output, given the layout of every connected input.

        Raises:
            LayoutRefusedError: a layout does not fit; the text says which and what would.
            PluginError: the card's own ``layouts_for`` failed or left an output out.
        """
        ports = self.ports_of(params)
        for port in ports.inputs:
            layout = inputs.get(port.name)
            if layout is not None and port.layouts and layout.name not in port.layouts:
                raise LayoutRefusedError(
                    f"its input {port.name!r} takes {' or '.join(port.layouts)}, not {layout}",
                )
        if self.layouts_for is None:
            return same_layout(ports, inputs)
        outputs: dict[str, Layout] = self._asked(
            "layouts_for", lambda layouts_for: dict(layouts_for(params, inputs))
        )
        for port in ports.outputs:
            if port.name not in outputs:
                raise PluginError(f"plugin {self.id!r}: its layouts_for leaves out the output {port.name!r}")
            if not isinstance(outputs[port.name], Layout):
                raise PluginError(
                    f"plugin {self.id!r}: its layouts_for gives {outputs[port.name]!r} for {port.name!r}, "
                    "not a Layout; use Layout.parse",
                )
        return outputs
