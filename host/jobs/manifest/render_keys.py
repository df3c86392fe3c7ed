"""Which options of a render a manifest may give, under the names that the command line has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...contract.errors import UnbraidError, nearest
from ...graph.document import SUBTYPES
from .errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...engine.options import RenderOptions

__all__ = ["OPTIONS", "check_together", "option", "render_options"]

#: By key: the field of `RenderOptions` (of its ``source`` after a dot), and what it takes.
OPTIONS: dict[str, tuple[str, type | tuple[str, ...]]] = {
    "tails": ("tails", bool),
    "format": ("form", ("wav", "flac", "rf64", "bw64", "s16le", "s24le", "s32le", "f32le")),
    "subtype": ("subtype", SUBTYPES),
    "output-rate": ("output_rate", int),
    "dither": ("dither", ("tpdf", "none")),
    "on-clip": ("on_clip", ("clip", "error", "float")),
    "non-finite": ("non_finite", ("reject", "zero")),
    "resample": ("resample", bool),
    "graph-rate": ("graph_rate", int),
    "line-up": ("line_up", bool),
    "block": ("max_block", int),
    "seed": ("seed", int),
    "isolate": ("isolate", ("asked", "third-party", "all")),
    "salvage": ("source.salvage", bool),
    "track": ("source.track", int),
    "raw": ("source.raw", ("u8", "s16le", "s24le", "s32le", "f32le", "f64le")),
    "rate": ("source.rate", int),
    "channels": ("source.channels", str),
}


def option(key: str, value: Any) -> tuple[str, Any]:
    """Return the field of `RenderOptions` that an option of a manifest sets, and its value.

    Raises:
        RefusedError: there is no such option, or it takes something else.

    Example:
        >>> option("line-up", True), option("salvage", True)
        (('line_up', True), ('source.salvage', True))
    """
    spelt = key.replace("_", "-")
    if spelt not in OPTIONS:
        raise RefusedError(f"unknown option {key!r:.80}", nearest(spelt, OPTIONS))
    field, takes = OPTIONS[spelt]
    if isinstance(takes, tuple):
        if value not in takes:
            raise RefusedError(f"{spelt} is {value!r:.80}", nearest(str(value)[:80], takes))
    elif takes is str:
        value = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        if not value:
            raise RefusedError(f"{spelt} is a number of channels or a layout", "write 2 or 5.1")
    elif type(value) is not takes:
        wanted = "true or false" if takes is bool else "a whole number"
        raise RefusedError(f"{spelt} is {value!r:.80}, not {wanted}", f"write {wanted}")
    return field, value


def check_together(options: Mapping[str, Any]) -> None:
    """Check that options go together and lie within their ranges.

    Raises:
        RefusedError: they do not.
    """
    try:
        render_options(options)
    except UnbraidError as error:
        raise RefusedError(str(error), "see unbraid render --help") from None


def render_options(options: Mapping[str, Any]) -> RenderOptions:
    """Return a job's options as a render takes them.

    Args:
        options: those of a `Job`: fields of `RenderOptions`, with those of its ``source`` as a mapping.

    Raises:
        UnbraidError: they do not go together.

    Example:
        >>> render_options({"line_up": True, "source": {"track": 2}}).source.track
        2
    """
    from ...engine.options import RenderOptions
    from ...media.open_input import InputForm

    form = InputForm(**options.get("source", {}))
    if form.raw is not None:
        form.order()
    if form.track is not None and form.track < 1:
        raise UnbraidError(f"track is {form.track}; the sounds of a film count from 1")
    return RenderOptions(**{**options, "source": form})
