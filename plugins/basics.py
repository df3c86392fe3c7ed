"""Cards of the basic plugins: levels, mixing, delay, routing of channels, filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from ..host.contract.audio import NAMED_LAYOUTS, Layout
from ..host.contract.card import PluginCard
from ..host.contract.errors import LayoutRefusedError, UnbraidError
from ..host.contract.hooks import hookimpl
from ..host.contract.params import Params, param
from ..host.contract.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DelayParams",
    "FilterParams",
    "GainParams",
    "JoinParams",
    "MixParams",
    "SplitParams",
    "unbraid_cards",
]

_Decibel = Annotated[float, param("level", unit="dB", ge=-120, le=60)]
_Gains = Annotated[tuple[_Decibel, ...], param("level of each input, one an input", unit="dB", fixed=True)]
_Frequency = Annotated[float, param("where the level has fallen by 3 dB", unit="Hz", ge=1, le=96_000)]


class GainParams(Params, frozen=True):
    """Parameters of `gain`."""

    gain: Annotated[float, param("level change", unit="dB", ge=-120, le=60)] = 0.0


class MixParams(Params, frozen=True):
    """Parameters of `mix`; it has as many inputs as gains."""

    gains: _Gains = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not 1 <= len(self.gains) <= 64:
            raise ValueError(f"gains: give 1 to 64 values, not {len(self.gains)}")


class DelayParams(Params, frozen=True):
    """Parameters of `delay`; time and samples add up."""

    time: Annotated[float, param("delay", unit="ms", ge=0, le=60_000, fixed=True)] = 0.0
    samples: Annotated[int, param("delay", unit="samples", ge=0, le=10_000_000, fixed=True)] = 0


class FilterParams(Params, frozen=True):
    """Parameters of `highpass` and `lowpass`."""

    frequency: _Frequency = 80.0
    slope: Annotated[Literal[6, 12, 24, 48], param("steepness", unit="dB/octave", fixed=True)] = 12


class LowpassParams(FilterParams, frozen=True):
    """Parameters of `lowpass`."""

    frequency: _Frequency = 16_000.0


class _Parts(Params, frozen=True):
    layout: Annotated[str, param("the whole layout", fixed=True)] = "stereo"
    parts: Annotated[
        dict[str, tuple[str, ...]],
        param("channel roles of each part; without it every channel is a part named by its role", fixed=True),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            roles = Layout.parse(self.layout).roles
        except UnbraidError as error:
            raise ValueError(str(error)) from None
        named = [role for part in self.parts.values() for role in part]
        for role in named:
            if role not in roles:
                raise ValueError(f"parts: {self.layout} has no channel {role!r}, only {', '.join(roles)}")
            if named.count(role) > 1:
                raise ValueError(f"parts: channel {role!r} stands in two places")
        missing = [role for role in roles if role not in named]
        if self.parts and missing:
            raise ValueError(f"parts: channel {', '.join(missing)} is in no part; name a part for it")
        if any(not part for part in self.parts.values()):
            raise ValueError("parts: a part needs at least one channel")

    def groups(self) -> dict[str, list[int]]:
        """Return the channel numbers of each part."""
        roles = Layout.parse(self.layout).roles
        parts = self.parts or {role: (role,) for role in roles}
        return {name: [roles.index(role) for role in part] for name, part in parts.items()}

    def part_layouts(self) -> dict[str, Layout]:
        """Return each part's layout: one channel is mono, two are stereo, named ones keep their name."""
        roles = Layout.parse(self.layout).roles
        known = {named: name for name, named in NAMED_LAYOUTS.items()}
        layouts = {}
        for part, channels in self.groups().items():
            by_count = {1: "mono", 2: "stereo"}.get(len(channels), f"discrete:{len(channels)}")
            layouts[part] = Layout.parse(known.get(tuple(roles[c] for c in channels), by_count))
        return layouts


class SplitParams(_Parts, frozen=True):
    """Parameters of `split`."""


class JoinParams(_Parts, frozen=True):
    """Parameters of `join`."""


def _mix_ports(params: MixParams) -> Ports:
    return Ports(inputs=tuple(Port(f"in_{k + 1}") for k in range(len(params.gains))))


def _split_ports(params: SplitParams) -> Ports:
    return Ports((Port("in", layouts=(params.layout,)),), tuple(Port(part) for part in params.groups()))


def _split_layouts(params: SplitParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:  # noqa: ARG001
    return params.part_layouts()


def _join_ports(params: JoinParams) -> Ports:
    return Ports(tuple(Port(part) for part in params.groups()))


def _join_layouts(params: JoinParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    for part, layout in params.part_layouts().items():
        if inputs[part].channels != layout.channels:
            raise LayoutRefusedError(
                f"its part {part!r} takes {layout.channels} channels, but {inputs[part]} comes in",
            )
    return {"out": Layout.parse(params.layout)}


def _card(plugin: str, name: str, doc: str, factory: str, **more: object) -> PluginCard:
    return PluginCard(
        id=plugin,
        name=name,
        version="1.0.0",
        licence="MIT",
        doc=doc,
        factory=f"unbraid.plugins.{factory}",
        **more,  # type: ignore[arg-type]
    )


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the basic plugins."""
    return [
        _card("gain", "Gain", "Changes the level.", "level:Gain", params=GainParams),
        _card(
            "mix",
            "Mix",
            "Sums its inputs, each at its level; as many inputs as gains.",
            "level:Mix",
            params=MixParams,
            ports_for=_mix_ports,
        ),
        _card(
            "subtract",
            "Subtract",
            "Takes the second input off the first.",
            "level:Subtract",
            ports=Ports((Port("in"), Port("minus")), (Port("out"),)),
        ),
        _card(
            "delay",
            "Delay",
            "Delays the signal, on purpose: it is not compensated.",
            "filters:Delay",
            params=DelayParams,
        ),
        _card("highpass", "High-pass", "Butterworth high-pass.", "filters:HighPass", params=FilterParams),
        _card("lowpass", "Low-pass", "Butterworth low-pass.", "filters:LowPass", params=LowpassParams),
        _card(
            "split",
            "Split",
            "Takes a layout apart into named parts.",
            "routing:Split",
            params=SplitParams,
            ports_for=_split_ports,
            layouts_for=_split_layouts,
        ),
        _card(
            "join",
            "Join",
            "Puts parts together into one layout.",
            "routing:Join",
            params=JoinParams,
            ports_for=_join_ports,
            layouts_for=_join_layouts,
        ),
    ]
