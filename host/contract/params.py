"""Typed parameters: a frozen msgspec struct whose fields carry bounds, unit and documentation.

Example:
    >>> from typing import Annotated
    >>> class Gate(Params, frozen=True):
    ...     floor: Annotated[float, param("where the gate shuts", unit="dB", ge=-120, le=0)] = -60.0
    >>> describe(Gate)[0].bounds
    '-120 to 0 dB'
    >>> convert(Gate, {"floor": -20})
    Gate(floor=-20.0)
    >>> convert(Gate, {"floor": 3})
    Traceback (most recent call last):
    unbraid.host.contract.params.ParamsError: floor = 3 is out of bounds: -120 to 0 dB
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import inspect as mi

from .errors import UnbraidError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ParamInfo",
    "Params",
    "ParamsError",
    "convert",
    "convert_one",
    "describe",
    "param",
    "replaced",
]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every parameter struct: ``class MyParams(Params, frozen=True)``.

    Every field needs a default, so that a plugin runs bare.
    """


P = TypeVar("P", bound=Params)


class ParamsError(UnbraidError):
    """One or more parameters are unknown, of the wrong type or out of bounds.

    ``faults`` maps a parameter's name ("" for the whole) to what is wrong with it.
    """

    exit_code = 2

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        super().__init__("\n".join(self.faults.values()))


def param(
    doc: str,
    *,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    fixed: bool = False,
) -> msgspec.Meta:
    """Describe a parameter, inside ``Annotated``.

    Args:
        doc: one line for a person who turns the knob.
        unit: "dB", "Hz", "ms", "samples" ...
        ge: smallest value allowed.
        le: largest value allowed.
        fixed: it changes latency, tail or ports, so it cannot be automated.
    """
    return msgspec.Meta(ge=ge, le=le, description=doc, extra={"unit": unit, "fixed": fixed})


@dataclass(frozen=True, slots=True)
class ParamInfo:
    """One parameter as data, for listings and error texts."""

    name: str
    kind: str
    default: Any
    ge: float | None
    le: float | None
    choices: tuple[Any, ...]
    unit: str
    doc: str
    fixed: bool

    @property
    def automatable(self) -> bool:
        """True for scalars that change neither latency nor ports."""
        return not self.fixed and self.kind in {"number", "integer", "boolean", "choice"}

    @property
    def bounds(self) -> str:
        """The allowed values, in words."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        unit = f" {self.unit}" if self.unit else ""
        if self.ge is not None and self.le is not None:
            return f"{self.ge:g} to {self.le:g}{unit}"
        if self.ge is not None:
            return f"at least {self.ge:g}{unit}"
        if self.le is not None:
            return f"at most {self.le:g}{unit}"
        return f"any {self.kind}{unit}"


_KINDS: dict[type, str] = {
    mi.FloatType: "number",
    mi.IntType: "integer",
    mi.BoolType: "boolean",
    mi.StrType: "text",
    mi.LiteralType: "choice",
    mi.EnumType: "choice",
}


def _unwrap(kind: mi.Type) -> tuple[mi.Type, str, dict[str, Any]]:
    doc, extra = "", {}
    while isinstance(kind, mi.Metadata):
        doc = (kind.extra_json_schema or {}).get("description", "") or doc
        extra.update(kind.extra or {})
        kind = kind.type
    return kind, doc, extra


def _naming(kind: mi.Type) -> tuple[mi.Type, str]:
    """Return the type that holds the bounds, and the word for the whole."""
    if isinstance(kind, mi.VarTupleType | mi.ListType | mi.TupleType):
        items = kind.item_types if isinstance(kind, mi.TupleType) else (kind.item_type,)
        inner = next((_unwrap(item)[0] for item in items), kind)
        return inner, f"list of {_KINDS.get(type(inner), 'value')}s"
    if isinstance(kind, mi.UnionType):
        some = [_unwrap(item)[0] for item in kind.types if not isinstance(item, mi.NoneType)]
        names = [_naming(item)[1] for item in some]
        if len(some) < len(kind.types):
            names.append("nothing")
        return (some[0] if len(some) == 1 else kind), " or ".join(names)
    return kind, _KINDS.get(type(kind), "mapping")


def _info(field: mi.Field) -> ParamInfo:
    kind, doc, extra = _unwrap(field.type)
    inner, name = _naming(kind)
    choices: tuple[Any, ...] = ()
    if isinstance(kind, mi.LiteralType):
        choices = tuple(kind.values)
    elif isinstance(kind, mi.EnumType):
        choices = tuple(member.value for member in kind.cls)
    default = field.default
    if default is msgspec.NODEFAULT:
        if field.required:
            raise TypeError(f"parameter {field.name!r} needs a default")
        default = field.default_factory()
    return ParamInfo(
        name=field.name,
        kind=name,
        default=default,
        ge=getattr(inner, "ge", None),
        le=getattr(inner, "le", None),
        choices=choices,
        unit=extra.get("unit", ""),
        doc=doc,
        fixed=extra.get("fixed", False),
    )


@cache
def describe(params: type[Params]) -> tuple[ParamInfo, ...]:
    """Return one `ParamInfo` for each parameter, in order of declaration.

    Raises:
        TypeError: a parameter has no default, or bounds that do not suit its type.
    """
    shape = mi.type_info(params)
    assert isinstance(shape, mi.StructType)  # noqa: S101 - Params is a Struct
    return tuple(_info(field) for field in shape.fields)


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list | tuple):
        return all(_finite(item) for item in value)
    return not isinstance(value, dict) or all(_finite(item) for item in value.values())


def _fault(info: ParamInfo, value: object, reason: str) -> str:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    scalar = info.kind.removesuffix(" or nothing") in {"number", "integer"}
    if scalar and numeric and (">=" in reason or "<=" in reason):
        return f"{info.name} = {value!r} is out of bounds: {info.bounds}"
    if info.kind == "choice":
        return f"{info.name} = {value!r} is not allowed: {info.bounds}"
    # msgspec says e.g. "Expected `float` <= 24.0 - at `$[1]`"; the path is worth keeping.
    where = reason.partition(" - at `$")[2].rstrip("`")
    return f"{info.name}{where} = {value!r} is not valid: {info.kind}, {info.bounds}"


def convert(params: type[P], values: Mapping[str, Any]) -> P:
    """Return ``params`` filled from plain data, checked.

    Raises:
        ParamsError: names every unknown parameter (with the nearest known), wrong type and
            value out of bounds.
    """
    faults: dict[str, str] = {}
    for name, value in values.items():
        try:
            convert_one(params, name, value)
        except ParamsError as error:
            faults.update(error.faults)
    if faults:
        raise ParamsError(faults)
    return _whole(params, values)


def convert_one(params: type[Params], name: str, value: Any) -> Any:
    """Return one parameter's value, checked by itself and not against the others.

    Raises:
        ParamsError: the parameter is unknown, or the value of the wrong type or out of bounds.
    """
    infos = {info.name: info for info in describe(params)}
    if name not in infos:
        raise ParamsError({name: f"unknown parameter {name!r}; {nearest(name, infos)}"})
    if not _finite(value):
        raise ParamsError({name: f"{name} = {value!r} is not finite: {infos[name].bounds}"})
    kind = next(field.type for field in msgspec.structs.fields(params) if field.name == name)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ParamsError({name: _fault(infos[name], value, str(error))}) from None


def replaced(params: P, values: Mapping[str, Any]) -> P:
    """Return ``params`` with some values changed, checked as a whole.

    Raises:
        ParamsError: the struct's own ``__post_init__`` refuses them together.
    """
    try:
        return msgspec.structs.replace(params, **values)
    except (ValueError, TypeError) as error:
        raise ParamsError({"": str(error)}) from None


def _whole(params: type[P], values: Mapping[str, Any]) -> P:
    try:
        return msgspec.convert(dict(values), params)
    except msgspec.ValidationError as error:  # from the struct's own __post_init__
        raise ParamsError({"": str(error)}) from None
