"""Inverse transforms of torch on CUDA, made to give what they give on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["RealEnds"]


class RealEnds(TorchFunctionMode):
    """Inside, inverse transforms leave out what no sound has: imaginary parts at 0 Hz and the highest bin.

    A network that makes complex masks gives such parts. On the CPU they are ignored; cuFFT, whose manual
    leaves it undefined, lets them into the sound at some sizes, as a tone at half the sample rate.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch, called from Python by whatever name."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").partition(".")[0]
        if name in _PLACES:
            args, kwargs = _real_at_the_ends(name, args, kwargs)
        return func(*args, **kwargs)


#: The functions, and where each takes the samples that it gives: by place and by name.
_PLACES = {"istft": (1, "n_fft"), "fft_irfft": (1, "n"), "_fft_c2r": (3, "last_dim_size")}


def _real_at_the_ends(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the arguments with a spectrum that a real signal can have, where it is of one axis."""
    first = None if args else "input" if "input" in kwargs else "self"
    spectrum = args[0] if first is None else kwargs[first]
    if not spectrum.is_complex():
        return args, kwargs
    axis: Any = -2
    if name != "istft":
        axis = _given(args, kwargs, 2 if name == "fft_irfft" else 1, "dim") or -1
        axis = axis[-1] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        if not isinstance(axis, int):
            return args, kwargs
    size = spectrum.shape[axis]
    samples = _given(args, kwargs, *_PLACES[name]) or 2 * (size - 1)
    spectrum = spectrum.clone()
    for end in {0, samples // 2} if samples % 2 == 0 else {0}:
        if end < size:
            spectrum.select(axis, end).imag.zero_()
    if first is None:
        return (spectrum, *args[1:]), kwargs
    return args, {**kwargs, first: spectrum}


def _given(args: Sequence[Any], kwargs: Mapping[str, Any], place: int, name: str) -> Any:
    return args[place] if place < len(args) else kwargs.get(name)
