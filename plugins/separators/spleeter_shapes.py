"""The names and shapes of the tensors in a checkpoint of Spleeter's U-Net."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DOWN", "UP", "Shape", "tensors"]

#: Channels before and after each level.
DOWN = ((2, 16), (16, 32), (32, 64), (64, 128), (128, 256), (256, 512))
UP = ((512, 256), (512, 128), (256, 64), (128, 32), (64, 16), (32, 1))


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a tensor that a checkpoint must hold."""

    shape: tuple[int, ...]


def tensors() -> dict[str, Shape]:
    """Return every tensor by name, as the published conversion to torch has them.

    Example:
        >>> len(tensors()), tensors()["up1.0.weight"].shape
        (74, (512, 256, 5, 5))
    """
    found: dict[str, Shape] = {}

    def conv(name: str, weight: tuple[int, ...], outputs: int) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = Shape(weight), Shape((outputs,))

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{name}.{part}"] = Shape((channels,))

    for level, (before, after) in enumerate(DOWN, 1):
        conv(f"down{level}_conv.1", (after, before, 5, 5), after)
        norm(f"down{level}_act.0", after)
    for level, (before, after) in enumerate(UP, 1):
        conv(f"up{level}.0", (before, after, 5, 5), after)
        norm(f"up{level}.3", after)
    conv("up7.0", (2, 1, 4, 4), 2)
    return found
