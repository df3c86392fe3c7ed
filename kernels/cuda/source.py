"""Puts the CUDA C++ source of a geometry together: constants, small transforms, then what all share."""

from __future__ import annotations

from functools import cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from .codelets import codelet, twiddle_exponents, twisted_codelet

if TYPE_CHECKING:
    from .geometry import Geometry

__all__ = ["KERNELS", "source_of"]

#: What a module holds.
KERNELS = ("analysis", "synthesis", "roundtrip", "roundtrips")
#: Loads of what stays the same, which compilers would keep in more registers than there are.
_LOAD = """\
__device__ __forceinline__ float again(const float* from) {
    float value;
    asm volatile("ld.global.nc.f32 %0, [%1];" : "=f"(value) : "l"(from));
    return value;
}

__device__ __forceinline__ float2 again(const float2* from) {
    float2 value;
    asm volatile("ld.global.nc.v2.f32 {%0, %1}, [%2];" : "=f"(value.x), "=f"(value.y) : "l"(from));
    return value;
}
"""
#: In this order.
_PARTS = ("job", "stages", "samples", "spectra", "sums", "kernels")


@cache
def _shared() -> str:
    folder = Path(__file__).parent
    return "\n".join((folder / f"{part}.cuh").read_text(encoding="utf-8") for part in _PARTS)


def source_of(geometry: Geometry) -> str:
    """Return the source of a geometry's kernels."""
    constants = {
        "LENGTH": geometry.n_fft,
        "HOP": geometry.hop,
        "LANES": geometry.lanes,
        "GROUPS": geometry.groups,
        "STRIDE": geometry.stride,
        "STAGES": len(geometry.radices),
        "BLOCKS": geometry.blocks,
        "BLOCKS_OF_MANY": geometry.blocks_of_many,
    }
    switches = {
        "SLIDES": geometry.slides,
        "HOLDS": geometry.holds,
        "STORES": geometry.stores,
        "WARPS_APART": geometry.warps_apart,
    }
    lines = [f"constexpr int {name} = {value};" for name, value in constants.items()]
    lines += [f"constexpr bool {name} = {str(value).lower()};" for name, value in switches.items()]
    lines += ["struct Forward {};", "struct Inverse {};", "template <int N> struct Points {};"]
    lines += ["template <int S> struct Stage;", *_stages(geometry), _LOAD]
    for radix in sorted(set(geometry.radices)):
        lines += [write(radix, inverse=way) for write in (codelet, twisted_codelet) for way in (False, True)]
    return "\n".join([*lines, _shared()])


def _stages(geometry: Geometry) -> list[str]:
    """By stage its radix, butterflies' digits before and after it, where its values and its twiddles lie."""
    found, places = [], twiddle_places(geometry)
    for stage, radix in enumerate(geometry.radices):
        below, above = prod(geometry.radices[:stage]), prod(geometry.radices[stage + 1 :])
        fields = {
            "RADIX": radix,
            "BELOW": below,
            "ABOVE": above,
            "APART": above * geometry.stride if stage else 1,
            "TWIDDLES": len(twiddle_exponents(radix)),
            "FORWARDS": places[0].get(stage, 0),
            "BACKWARDS": places[1].get(stage, 0),
        }
        constants = ", ".join(f"{name} = {value}" for name, value in fields.items())
        place = f"__device__ static __forceinline__ int place(int u) {{ return {_place(geometry, stage)}; }}"
        found.append(
            f"template <> struct Stage<{stage}> {{\n    static constexpr int {constants};\n    {place}\n}};"
        )
    return found


def twiddle_places(geometry: Geometry) -> tuple[dict[int, int], dict[int, int]]:
    """Return by stage where its twiddles begin in their table, forwards and backwards."""
    forward, inverse, at = dict[int, int](), dict[int, int](), 0
    for stage, (radix, count, _) in enumerate(geometry.forward_tables, 1):
        forward[stage] = at
        at += count * len(twiddle_exponents(radix))
    for stage, (radix, count, _) in enumerate(geometry.inverse_tables):
        inverse[stage] = at
        at += count * len(twiddle_exponents(radix))
    return forward, inverse


def _place(geometry: Geometry, stage: int) -> str:
    """`Geometry.place` of butterfly ``u`` as an expression."""
    if stage == 0:
        return "STRIDE * u"
    below, size = geometry.radices[0], geometry.n_fft // geometry.radices[0]
    rest = [f"u / {prod(geometry.radices[:stage])}"]
    for radix in geometry.radices[1:stage]:
        size //= radix
        rest.append(f"u / {below} % {radix} * {size}")
        below *= radix
    return f"u % {geometry.radices[0]} + STRIDE * ({' + '.join(rest)})"
