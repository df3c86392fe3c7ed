"""`UpmixRule`: what decides how a stem is taken apart, for the kernel and for its reference alike."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UpmixRule", "lag_of"]


@dataclass(frozen=True)
class UpmixRule:
    """What decides how a stem is taken apart.

    Attributes:
        objects: the most objects.
        lookahead: frames by which decisions come late; averages lie around the frame they are for.
        keep: factor by which averages shrink from frame to frame; two such averages stand in a row.
        quick: the same of the averages that directions are read from: short ones, in which fewer sounds meet.
        bias: what of the mean share of the direct sound an average of pure ambience pretends.
        width: pan positions, of the 2 from left to right, within which sound belongs to an object.
        cells: of the histogram of pan positions.
        apart: pan positions that two objects keep from each other.
        least: share of the loudest peak below which none is an object.
        present: share of all that sounds below which no peak is an object.
        edge: pan positions that still count: noise takes those of a loudspeaker beyond it.
        pause: frames without sound after which an object no longer follows.
        patience: frames without sound after which an object's place may be given to another.
    """

    objects: int = 3
    lookahead: int = 12
    keep: float = 6 / 7
    quick: float = 1 / 2
    bias: float = 0.3
    width: float = 0.25
    cells: int = 64
    apart: float = 0.3
    least: float = 0.1
    present: float = 0.03
    edge: float = 1.4
    pause: int = 20
    patience: int = 30


def lag_of(keep: float) -> int:
    """Return by how many frames two averages in a row come late."""
    return round(2 * keep / (1 - keep))
