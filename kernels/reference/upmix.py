"""Objects and ambience of a stereo signal, plain and in float64: what `kernels.upmix` must equal.

Sources: Faller, J. Audio Eng. Soc. 54, 2006 (direct and ambient sound of stereo from short-time powers);
Goodwin and Jot, ICASSP 2007 (primary and ambient by principal components); Avendano and Jot, J. Audio Eng.
Soc. 52, 2004 (panning index, ambience).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..upmix_rule import UpmixRule, lag_of

__all__ = ["Found", "cells_of", "pan", "take_apart"]

Values = NDArray[np.float64]
_FAR = 9.0


@dataclass(frozen=True)
class Found:
    """What a stem was taken apart into, aligned with it.

    Attributes:
        objects: ``[objects, samples]``.
        positions: pan position of each object by frame, ``[frames, objects]``; frame k is centred
            ``(k - 1) hop`` samples from the beginning.
        ambience: ``[2, samples]``.
    """

    objects: Values
    positions: Values
    ambience: Values


def pan(position: Values) -> tuple[Values, Values]:
    """Return the gains, of unit power, of left and right for pan positions -1 (left) to 1.

    The tangent law: the position is ``(right - left) / (right + left)``.
    """
    left, right = (1 - position) / 2, (1 + position) / 2
    size = np.hypot(left, right)
    return left / size, right / size


def take_apart(stereo: Values, hop: int, rule: UpmixRule) -> Found:
    """Take a stereo signal apart.

    Args:
        stereo: ``[2, samples]``.
        hop: samples between frames; a frame has four.
        rule: see `UpmixRule`.
    """
    X = _spectra(np.asarray(stereo, float), hop, rule.lookahead)
    tracker, histogram = _Tracker(rule), _Histogram(rule)
    averages, quick = _Averages(X.shape[2], rule.keep, rule.bias), _Averages(X.shape[2], rule.quick, 0.0)
    places, positions, spectra = [], [], []
    for k in range(X.shape[1]):
        averages.take(X[:, k])
        quick.take(X[:, k])
        places.append(quick.position)
        tracker.take(*histogram.take(quick))
        frame = k - rule.lookahead
        if frame >= 0:
            positions.append(tracker.positions.copy())
            place = places[frame + lag_of(rule.quick)]
            spectra.append(_apart(X[:, frame], averages, place, tracker, rule))
    signals = _signals(np.stack(spectra, axis=1), hop, stereo.shape[1])
    return Found(signals[: rule.objects], np.array(positions), signals[rule.objects :])


def _spectra(x: Values, hop: int, lookahead: int) -> NDArray[np.complex128]:
    """Return spectra ``[channels, frames, bins]``; frame k covers samples from ``(k - 3) hop`` on."""
    count = -(-x.shape[1] // hop) + 3 + lookahead
    padded = np.pad(x, ((0, 0), (3 * hop, (count + 4) * hop - x.shape[1])))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 4 * hop, axis=1)[:, ::hop][:, :count]
    return np.fft.rfft(frames * _window(hop), axis=2)


def _signals(Y: NDArray[np.complex128], hop: int, samples: int) -> Values:
    """Return the signals of spectra, overlapped and added."""
    frames = np.fft.irfft(Y, 4 * hop, axis=2) * _window(hop) / 2
    out = np.zeros((len(Y), (Y.shape[1] + 3) * hop))
    for k in range(Y.shape[1]):
        out[:, k * hop : (k + 4) * hop] += frames[:, k]
    return out[:, 3 * hop : 3 * hop + samples]


def _window(hop: int) -> Values:
    """Return the root of a Hann window, which overlaps four times to 2."""
    return np.sin(np.pi * np.arange(4 * hop) / (4 * hop))


class _Averages:
    """Powers of both channels and their cross power: two one-pole averages in a row, and three bins wide."""

    def __init__(self, bins: int, keep: float, bias: float) -> None:
        self._keep, self._bias, self._memory = keep, bias, np.zeros((2, 3, bins))

    def take(self, X: NDArray[np.complex128]) -> None:
        """Take a frame ``[2, bins]``."""
        now = np.stack([np.abs(X[0]) ** 2, np.abs(X[1]) ** 2, (X[0] * X[1].conj()).real])
        for stage in range(2):
            self._memory[stage] = self._keep * self._memory[stage] + (1 - self._keep) * now
            now = self._memory[stage]
        wide = np.pad(now, ((0, 0), (1, 1)), mode="edge")
        p11, p22, p12 = wide[:, :-2] / 4 + wide[:, 1:-1] / 2 + wide[:, 2:] / 4
        total = p11 + p22
        split = np.sqrt((p11 - p22) ** 2 + 4 * p12**2)
        share = np.where(total > 1e-20, split / np.maximum(total, 1e-20), 0)
        b2 = self._bias**2
        #: Share of the power that has one direction.
        self.share = np.sqrt(np.clip((share**2 - b2) / (1 - b2), 0, 1))
        self.total = total
        tilt = np.where(split > 0, (p11 - p22) / np.maximum(split, 1e-300), 0)
        #: The direction: cosine and sine of the angle from left to right, sine negative where out of phase.
        self.cosine, self.sine = np.sqrt((1 + tilt) / 2), np.sqrt((1 - tilt) / 2) * np.where(p12 < 0, -1, 1)
        #: Where the direct sound stands, -1 to 1; a little beyond, or far, where it is out of phase.
        both = self.sine + self.cosine
        self.position = np.where(both > 0.3, (self.sine - self.cosine) / np.maximum(both, 0.3), _FAR)


def cells_of(averages: _Averages, rule: UpmixRule) -> Values:
    """Return the histogram of pan positions, each bin weighing the root of its direct power.

    A bin is shared by the two cells next to its position, so that their centre of gravity is the position.
    """
    weight = np.sqrt(averages.share * averages.total) * averages.share
    inside = np.abs(averages.position) < rule.edge
    place = (averages.position[inside] / rule.edge + 1) / 2 * (rule.cells - 1)
    low = np.floor(place).astype(int)
    upper = (place - low) * weight[inside]
    return np.asarray(
        np.bincount(low, weight[inside] - upper, rule.cells) + np.bincount(low + 1, upper, rule.cells), float
    )


class _Histogram:
    """Pan positions of the last frames: two one-pole averages in a row of each frame's."""

    def __init__(self, rule: UpmixRule) -> None:
        self._rule, self._memory = rule, np.zeros((2, rule.cells + 1))

    def take(self, quick: _Averages) -> tuple[Values, float]:
        """Take a frame; return the histogram, and the sum of the roots of all powers, averaged as well."""
        now = np.append(cells_of(quick, self._rule), np.sqrt(quick.total).sum())
        for stage in range(2):
            self._memory[stage] = self._rule.keep * self._memory[stage] + (1 - self._rule.keep) * now
            now = self._memory[stage]
        return now[:-1], float(now[-1])


class _Tracker:
    """Follows the peaks of the histogram: each object keeps to the peak next to where it was."""

    def __init__(self, rule: UpmixRule) -> None:
        self._rule = rule
        self.positions = np.zeros(rule.objects)
        self.presence = np.zeros(rule.objects)  # 0 to 1: how much of an object is there
        self._silent = np.full(rule.objects, rule.patience)
        self._centres = np.linspace(-rule.edge, rule.edge, rule.cells)
        self._shape = np.exp(-0.5 * (np.arange(-3, 4) * (self._centres[1] - self._centres[0]) / 0.06) ** 2)

    def take(self, cells: Values, whole: float) -> None:
        """Take the histogram of a frame, and the sum of the roots of all powers."""
        smooth = np.asarray(np.convolve(cells, self._shape, "same"), np.float64)
        peaks, taken = self._peaks(smooth, self._rule.present * whole), np.zeros(self._rule.objects, bool)
        left = []
        for place in peaks:
            at = self._nearest(place, ~taken & (self._silent < self._rule.pause), self._rule.apart)
            if at < 0:
                left.append(place)
                continue
            self.positions[at] += 0.5 * (place - self.positions[at])
            taken[at] = True
        for place in left:
            at = self._nearest(place, ~taken & (self._silent >= self._rule.pause), self._rule.apart / 2)
            if at < 0:
                free = np.flatnonzero(~taken & (self._silent >= self._rule.patience))
                if not len(free):
                    continue
                at = int(free[np.argmax(self._silent[free])])
            self.positions[at] = place
            taken[at] = True
        self._silent = np.where(taken, 0, self._silent + 1)
        self.presence = np.clip(self.presence + np.where(taken, 0.1, -0.05), 0, 1)

    def _nearest(self, place: float, among: NDArray[np.bool_], most: float) -> int:
        """Return which of some objects is next to a place, -1 where none is near."""
        distance = np.where(among, np.abs(self.positions - place), np.inf)
        at = int(np.argmin(distance))
        return at if distance[at] <= most else -1

    def _peaks(self, smooth: Values, floor: float) -> list[float]:
        """Return the places of peaks, the largest first, apart from each other."""
        peaks: list[float] = []
        padded = np.pad(smooth, 1)
        tops = np.flatnonzero((smooth > padded[:-2]) & (smooth >= padded[2:]) & (smooth > 0))
        for top in tops[np.argsort(-smooth[tops], kind="stable")]:
            if smooth[top] < max(self._rule.least * smooth.max(), floor) or len(peaks) == self._rule.objects:
                break
            near = slice(max(0, top - 3), top + 4)
            place = float(smooth[near] @ self._centres[near] / smooth[near].sum())
            place = min(max(place, -1.0), 1.0)
            if all(abs(place - other) >= self._rule.apart for other in peaks):
                peaks.append(place)
        return peaks


def _apart(
    X: NDArray[np.complex128], averages: _Averages, place: Values, tracker: _Tracker, rule: UpmixRule
) -> NDArray[np.complex128]:
    """Return the spectra of the objects, then of the ambience, ``[objects + 2, bins]``."""
    a = averages
    first, second = (1 + a.share) / 2, (1 - a.share) / 2  # of the total, along the direction and across
    kept = np.sqrt(a.share / first)
    distance = (place[None] - tracker.positions[:, None]) / rule.width
    covered = tracker.presence[:, None] * np.clip(2 - np.abs(distance), 0, 1)
    near = tracker.presence[:, None] / (0.01 + distance**4)
    mine = covered.max(axis=0) * near / np.maximum(near.sum(axis=0), 1e-12)
    left, right = pan(tracker.positions)
    objects = mine * kept * (left[:, None] * X[0] + right[:, None] * X[1])
    along = a.cosine * X[0] + a.sine * X[1]
    less = 1 - np.sqrt(second / first)
    ambience = X - less * along * np.stack([a.cosine, a.sine])
    return np.concatenate([objects, ambience])
