"""The steps of a frame: forward, mask, sort, pack, inverse; kernels of eight int64, most of them addresses.

Every factory takes length, width and the number of channels (2 packed, or 1 with zeros as its imaginary
part). Steps are compiled apart from the loops that call them, by address, so whole signals and streams
run the very same code, and a new length costs only its steps. Width 1 is handled in `scalar_bins`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir

from ..emitted import Emitted
from .access import INT, Access, pointer
from .bins import Bins
from .layout import Geometry
from .passes import Passes, Work
from .scalar_bins import apply_scalar, pack_scalar, spread_scalar, unpack_scalar

if TYPE_CHECKING:
    from .codelets import Pair

__all__ = ["apply", "forward", "inverse_add", "pack", "spread", "unpack"]


class _Windowed:
    """Samples of one or two channels, times the analysis window."""

    def __init__(self, access: Access, channels: list[Any], window: Any) -> None:
        self.access, self.channels, self.window = access, channels, window

    def load(self, place: Any) -> Pair:
        window = self.access.load(self.window, place)
        mul = self.access.builder.fmul
        parts = [mul(self.access.load(x, place), window, flags=("contract",)) for x in self.channels]
        return parts[0], parts[1] if len(parts) == 2 else self.access.zero()


class _Added:
    """Samples of one or two channels, times the synthesis window, added to what is there."""

    def __init__(self, access: Access, channels: list[Any], window: Any) -> None:
        self.access, self.channels, self.window = access, channels, window

    def store(self, place: Any, value: Pair) -> None:
        builder, window = self.access.builder, self.access.load(self.window, place)
        for x, part in zip(self.channels, value, strict=False):
            product = builder.fmul(part, window, flags=("contract",))
            total = builder.fadd(self.access.load(x, place), product, flags=("contract",))
            self.access.store(x, place, total)


def forward(length: int, width: int, channels: int) -> Any:
    """Return ``(left, right, window, real, imaginary, twiddles, *coming)``: a frame to permuted order.

    ``coming`` are two addresses that will be read next, see `Passes`.
    """
    geometry = Geometry(length, width)

    def emit(builder: Any, left: Any, right: Any, window: Any, *rest: Any) -> None:
        samples = [pointer(builder, x) for x in (left, right)[:channels]]
        source = _Windowed(Access(builder, width), samples, pointer(builder, window))
        arrays = Work(*(pointer(builder, x) for x in rest[:3]))
        Passes(
            geometry, builder, arrays, inverse=False, load=source.load, coming=rest[3 : 3 + channels]
        ).emit()

    return Emitted(emit)


def inverse_add(length: int, width: int, channels: int) -> Any:
    """Return ``(real, imaginary, twiddles, window, left, right, *coming)``: back, window, overlap-add."""
    geometry = Geometry(length, width)

    def emit(builder: Any, real: Any, imaginary: Any, twiddles: Any, window: Any, *rest: Any) -> None:
        samples = [pointer(builder, x) for x in rest[:channels]]
        target = _Added(Access(builder, width), samples, pointer(builder, window))
        arrays = Work(*(pointer(builder, x) for x in (real, imaginary, twiddles)))
        Passes(
            geometry, builder, arrays, inverse=True, store=target.store, coming=rest[2 : 2 + channels]
        ).emit()

    return Emitted(emit)


def _places(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, INT.as_pointer())


def apply(length: int, width: int, channels: int) -> Any:
    """Return ``(real, imaginary, real', imaginary', left mask, right mask, places)``; may be in place."""
    if width == 1:
        return apply_scalar(length, channels)

    def emit(builder: Any, *args: Any) -> None:
        arrays = [pointer(builder, x) for x in args[:6]]
        bins = Bins(Geometry(length, width), builder, _places(builder, args[6]))
        _Apply(bins, arrays[:2], arrays[2:4], arrays[4 : 4 + channels]).emit()

    return Emitted(emit)


class _Apply:
    def __init__(self, bins: Bins, source: list[Any], target: list[Any], masks: list[Any]) -> None:
        self.bins, self.source, self.target, self.masks = bins, source, target, masks
        self.kept = [bins.scratch(bins.half) for _ in masks]

    def emit(self) -> None:
        self.bins.groups(self._group, first=True)
        self._block_0()

    def _group(self, column: Any, columns: list[int], s: Any) -> None:
        bins, access = self.bins, self.bins.access
        found = [bins.columns(mask, column, s) for mask in self.masks]
        at_0 = isinstance(column, ir.Constant) and column.constant == 0
        for i in columns:
            masks = [vectors[i] for vectors in found]
            if at_0 and i == 0:  # outer frequency 0 comes last, all of its vectors together
                for scratch, mask in zip(self.kept, masks, strict=True):
                    bins.keep(scratch, s, mask)
                continue
            low, high = bins.pair(column, i, s)
            z = tuple(access.load(x, low) for x in self.source)
            p = tuple(access.reverse(access.load(x, high)) for x in self.source)
            new_z, new_p = self._masked(z, p, masks)
            for x, value, mirrored in zip(self.target, new_z, new_p, strict=True):
                access.store(x, low, value)
                access.store(x, high, access.reverse(mirrored))

    def _masked(self, z: Any, p: Any, masks: list[Any]) -> tuple[Pair, Pair]:
        """Return Z' of a vector and of its partner; ``p`` is not conjugated."""
        bins = self.bins
        if len(masks) == 1:
            return tuple((bins.mul(masks[0], x[0]), bins.mul(masks[0], x[1])) for x in (z, p))  # type: ignore[return-value]
        a, b = bins.add(*masks), bins.sub(*masks)

        def turned(x: Any, y: Any) -> Pair:
            real = bins.add(bins.mul(a, x[0]), bins.mul(b, y[0]))
            return real, bins.sub(bins.mul(a, x[1]), bins.mul(b, y[1]))

        return turned(z, p), turned(p, z)

    def _block_0(self) -> None:
        bins, access = self.bins, self.bins.access
        values = bins.load_block(*self.source)
        partners = list(zip(*(bins.partners(list(part)) for part in zip(*values, strict=True)), strict=True))
        middle = INT(bins.geometry.length // 2)
        masks = [
            bins.mirrored(bins.kept(scratch), access.scalar(mask, middle))
            for scratch, mask in zip(self.kept, self.masks, strict=True)
        ]
        for s, (z, p) in enumerate(zip(values, partners, strict=True)):
            new, _ = self._masked(z, p, [vectors[s] for vectors in masks])
            for x, value in zip(self.target, new, strict=True):
                access.store(x, INT(s * bins.width), value)


def unpack(length: int, width: int, channels: int) -> Any:
    """Return ``(real, imaginary, left, right, places)``: spectra in natural order as complex64."""
    if width == 1:
        return unpack_scalar(length, channels)

    def emit(builder: Any, *args: Any) -> None:
        arrays = [pointer(builder, x) for x in args[:4]]
        bins = Bins(Geometry(length, width), builder, _places(builder, args[4]))
        _Unpack(bins, arrays[:2], [(x,) for x in arrays[2 : 2 + channels]]).emit()

    return Emitted(emit)


def spread(length: int, width: int, channels: int) -> Any:
    """Return ``(real, imaginary, left real, left imaginary, right real, right imaginary, places)``.

    The same with real and imaginary parts apart, ``length // 2 + 1`` float32 each.
    """
    if width == 1:
        return spread_scalar(length, channels)

    def emit(builder: Any, *args: Any) -> None:
        arrays = [pointer(builder, x) for x in args[:6]]
        bins = Bins(Geometry(length, width), builder, _places(builder, args[6]))
        _Unpack(bins, arrays[:2], [tuple(arrays[2:4]), tuple(arrays[4:])][:channels]).emit()

    return Emitted(emit)


class _Unpack:
    """Targets are, by channel, one array of complex64 or two of float32."""

    def __init__(self, bins: Bins, source: list[Any], targets: list[tuple[Any, ...]]) -> None:
        self.bins, self.source, self.targets = bins, source, targets
        self.kept = [(bins.scratch(bins.half), bins.scratch(bins.half)) for _ in targets]

    def emit(self) -> None:
        self._block_0()
        self.bins.groups(self._group, first=True)

    def _apart(self, z: Any, p: Any) -> list[Pair]:
        """Return the channels' spectra of a vector; ``p`` is not conjugated."""
        bins = self.bins
        if len(self.targets) == 1:
            return [z]
        left = bins.add(z[0], p[0]), bins.sub(z[1], p[1])
        right = bins.add(z[1], p[1]), bins.sub(p[0], z[0])
        return [left, right]

    def _block_0(self) -> None:
        bins, access = self.bins, self.bins.access
        values = bins.load_block(*self.source)
        partners = list(zip(*(bins.partners(list(part)) for part in zip(*values, strict=True)), strict=True))
        for s in range(bins.half):
            for channel, scratch in zip(self._apart(values[s], partners[s]), self.kept, strict=True):
                for part, room in zip(channel, scratch, strict=True):
                    bins.keep(room, INT(s), part)
        crest = self._apart(values[bins.half], partners[bins.half])
        middle, nothing = bins.geometry.length // 2, ir.Constant(ir.FloatType(), 0.0)
        for (real, _), target in zip(crest, self.targets, strict=True):
            if len(target) == 2:
                places = ((target[0], middle), (target[1], middle))
            else:
                places = ((target[0], 2 * middle), (target[0], 2 * middle + 1))
            for (array, place), value in zip(places, (access.lane(real, 0), nothing), strict=True):
                access.put(array, INT(place), value)

    def _group(self, column: Any, _: list[int], s: Any) -> None:
        bins, access = self.bins, self.bins.access
        at_0 = isinstance(column, ir.Constant) and column.constant == 0
        found: list[list[Pair]] = [[] for _ in self.targets]
        for i in range(bins.width):  # whole rows are stored, so a last group that overlaps repeats itself
            if at_0 and i == 0:
                place = access.times(s, bins.width)
                values = [tuple(access.load(room, place) for room in pair) for pair in self.kept]
            else:
                low, high = bins.pair(column, i, s)
                z = tuple(access.load(x, low) for x in self.source)
                p = tuple(access.reverse(access.load(x, high)) for x in self.source)
                values = self._apart(z, p)
            for channel, value in zip(found, values, strict=True):
                channel.append(value)
        for channel, target in zip(found, self.targets, strict=True):
            self._rows(channel, target, column, s)

    def _rows(self, channel: list[Pair], target: tuple[Any, ...], column: Any, s: Any) -> None:
        bins, access = self.bins, self.bins.access
        reals = access.transpose([value[0] for value in channel])
        imaginaries = access.transpose([value[1] for value in channel])
        for q, parts in enumerate(zip(reals, imaginaries, strict=True)):
            row = bins.row(column, s, q)
            if len(target) == 2:
                for array, part in zip(target, parts, strict=True):
                    access.store(array, row, part)
                continue
            place = access.times(row, 2)
            for offset, part in zip((0, bins.width), access.interleave(*parts), strict=True):
                access.store(target[0], access.at(place, offset), part)


def pack(length: int, width: int, channels: int) -> Any:
    """Return ``(left, right, real, imaginary, places)``: complex64 spectra in natural to permuted order."""
    if width == 1:
        return pack_scalar(length, channels)

    def emit(builder: Any, *args: Any) -> None:
        arrays = [pointer(builder, x) for x in args[:4]]
        bins = Bins(Geometry(length, width), builder, _places(builder, args[4]))
        _Pack(bins, arrays[:channels], arrays[2:]).emit()

    return Emitted(emit)


class _Pack:
    def __init__(self, bins: Bins, sources: list[Any], target: list[Any]) -> None:
        self.bins, self.sources, self.target = bins, sources, target
        self.kept = [(bins.scratch(bins.half), bins.scratch(bins.half)) for _ in sources]

    def emit(self) -> None:
        self.bins.groups(self._group, first=True)
        self._block_0()

    def _together(self, channels: list[Pair]) -> tuple[Pair, Pair]:
        """Return Z of a vector and of its partner (to reverse)."""
        bins, (left, *rest) = self.bins, channels
        if not rest:
            return left, (left[0], bins.neg(left[1]))
        (right,) = rest
        z = bins.sub(left[0], right[1]), bins.add(left[1], right[0])
        return z, (bins.add(left[0], right[1]), bins.sub(right[0], left[1]))

    def _group(self, column: Any, columns: list[int], s: Any) -> None:
        bins, access = self.bins, self.bins.access
        found = [bins.complex_columns(source, column, s) for source in self.sources]
        at_0 = isinstance(column, ir.Constant) and column.constant == 0
        for i in columns:
            channels = [(reals[i], imaginaries[i]) for reals, imaginaries in found]
            if at_0 and i == 0:
                for pair, channel in zip(self.kept, channels, strict=True):
                    for room, part in zip(pair, channel, strict=True):
                        bins.keep(room, s, part)
                continue
            low, high = bins.pair(column, i, s)
            for x, value, mirrored in zip(self.target, *self._together(channels), strict=True):
                access.store(x, low, value)
                access.store(x, high, access.reverse(mirrored))

    def _block_0(self) -> None:
        bins, access, half = self.bins, self.bins.access, self.bins.half
        nothing = ir.Constant(ir.FloatType(), 0.0)
        channels: list[tuple[list[Any], list[Any]]] = []
        for (reals, imaginaries), source in zip(self.kept, self.sources, strict=True):
            crest = access.scalar(source, INT(bins.geometry.length))
            lower = bins.kept(imaginaries)
            lower[0] = access.with_lane(lower[0], 0, nothing)  # the imaginary part at 0 Hz means nothing
            channels.append((bins.mirrored(bins.kept(reals), crest), bins.mirrored(lower, nothing)))
        for s in range(bins.width):
            z, p = self._together([(reals[s], imaginaries[s]) for reals, imaginaries in channels])
            for x, value in zip(self.target, z if s < half else p, strict=True):
                access.store(x, INT(s * bins.width), value)
