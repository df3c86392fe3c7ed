"""What people turn on `denoise` and `wind`, and what their cards say; light, for the cards import it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from ...host.contract.card import same_layout
from ...host.contract.params import Params, param

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...host.contract.audio import Layout
    from ...host.contract.ports import Ports

__all__ = ["FilterParams", "layouts_for", "rates_for"]

_RATE = 48000  # of every model but the classical


class FilterParams(Params, frozen=True):
    """Parameters that both filters have."""

    model: Annotated[str, param("default, classical, or the id of a card", fixed=True)] = "default"
    preset: Annotated[
        Literal["speech-safe", "balanced", "aggressive"],
        param("how much is risked for quiet: bends the gain, and sets how far it falls at most", fixed=True),
    ] = "balanced"
    strength: Annotated[float, param("from the input (0) to what the model makes of it (1)", ge=0, le=1)] = (
        1.0
    )
    limit: Annotated[
        float,
        param("most by which anything is turned down, if less than the preset's", unit="dB", ge=0, le=100),
    ] = 100.0


def layouts_for(task: str, ports: Ports) -> Callable[[FilterParams, Mapping[str, Layout]], dict[str, Layout]]:
    """Return a card's ``layouts_for``: the input's layout, once the model is known to be there."""

    def layouts(params: FilterParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
        from .choice import check_model

        if params.model not in {"default", "classical"}:
            check_model(params.model, task)
        return same_layout(ports, inputs)

    return layouts


def rates_for(params: FilterParams) -> tuple[int, ...]:
    """Return the rate that the model takes; the classical take any."""
    return () if params.model == "classical" else (_RATE,)
