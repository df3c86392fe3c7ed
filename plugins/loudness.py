"""Cards of the loudness plugins: normalisation of a whole programme, and the true-peak limiter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..host.contract.card import PluginCard, same_layout
from ..host.contract.hooks import hookimpl
from ..host.contract.params import Params, param
from ..host.contract.ports import Port, Ports
from .stem_names import check_stem_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..host.contract.audio import Layout

__all__ = ["LimiterParams", "NormalizeParams", "unbraid_cards", "unbraid_graphs"]

_MOST_STEMS = 64

_Stems = Annotated[
    tuple[str, ...],
    param(
        "names of signals that get one common gain, an input and an output each; none: `in` to `out`",
        fixed=True,
    ),
]


class _Stemmed(Params, frozen=True):
    stems: _Stems = ()

    def __post_init__(self) -> None:
        check_stem_names(self.stems, _MOST_STEMS)


class NormalizeParams(_Stemmed, frozen=True):
    """Parameters of `normalize`."""

    target: Annotated[
        float, param("loudness of the whole programme afterwards", unit="LUFS", ge=-70, le=0, fixed=True)
    ] = -23.0
    ceiling: Annotated[
        float,
        param(
            "the gain is no larger than lets the true peak reach this", unit="dBTP", ge=-60, le=20, fixed=True
        ),
    ] = -1.0
    most: Annotated[float, param("the largest gain upwards", unit="dB", ge=0, le=100, fixed=True)] = 40.0
    measure: Annotated[
        str, param("what is brought to the target: `sum` of the stems, or one stem by name", fixed=True)
    ] = "sum"

    def __post_init__(self) -> None:
        super().__post_init__()
        if "sum" in self.stems:
            raise ValueError("stems: 'sum' means all of them together; name that stem otherwise")
        if self.measure not in {"sum", *self.stems}:
            raise ValueError(
                f"measure: {self.measure!r} is neither sum nor one of stems ({', '.join(self.stems)})"
            )


class LimiterParams(_Stemmed, frozen=True):
    """Parameters of `limiter`."""

    ceiling: Annotated[float, param("true peaks stay below", unit="dBTP", ge=-40, le=0)] = -1.0
    lookahead: Annotated[
        float,
        param(
            "how long the gain falls before a peak; at least 24 samples", unit="ms", ge=0.5, le=20, fixed=True
        ),
    ] = 5.0
    release: Annotated[
        float, param("how long until 63 % of the reduction has gone again", unit="ms", ge=1, le=2000)
    ] = 80.0


def _ports(params: _Stemmed) -> Ports:
    names = params.stems
    return Ports(tuple(map(Port, names)), tuple(map(Port, names))) if names else Ports()


def _normalize_layouts(params: NormalizeParams, inputs: Mapping[str, Layout]) -> Mapping[str, Layout]:
    if params.measure == "sum":
        return same_layout(_ports(params), inputs)
    return {name: inputs[name] for name in params.stems}


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the loudness plugins."""
    return [
        PluginCard(
            id="normalize",
            name="Loudness normalisation",
            version="1.0.0",
            licence="MIT",
            doc="Brings a programme to a loudness (EBU R 128), all stems by one gain; hears it once before.",
            factory="unbraid.plugins.normalize:Normalize",
            params=NormalizeParams,
            ports_for=_ports,
            layouts_for=_normalize_layouts,
            realtime=False,
            passes=1,
        ),
        PluginCard(
            id="limiter",
            name="True-peak limiter",
            version="1.0.0",
            licence="MIT",
            doc="Keeps the true peak of the sum of its stems below a ceiling, with all channels at one gain.",
            factory="unbraid.plugins.limiter:Limiter",
            params=LimiterParams,
            ports_for=_ports,
        ),
    ]


@hookimpl
def unbraid_graphs() -> dict[str, Path]:
    """Return the ready-made graphs."""
    return {"normalize": Path(__file__).parent / "graphs" / "normalize.yaml"}
