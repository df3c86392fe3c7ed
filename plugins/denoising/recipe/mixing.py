"""Random mixtures of speech, noise and wind, told in bands: what a network learns from.

A batch depends on the seed and its number alone, so training can stop and go on. Levels, colours and
bandwidths are drawn per mixture and applied to spectra; rooms, wind and overload to samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from ....kernels import stft
from ..bands import BANDS, BINS, EDGES, FRAME, FULL_SCALE, HOP, RATE
from .bank import Bank
from .codecs import coded
from .gusts import overload
from .scenes import in_room, room_tail

__all__ = ["Batch", "Mixer"]

Signal = NDArray[np.float32]
Random = np.random.Generator

_HZ = np.arange(BINS) * RATE / FRAME
_COLOUR_HZ = np.array([20, 60, 120, 250, 500, 1000, 2000, 4000, 8000, 16000, 24000.0])
_CUTS = 3400.0, 4000.0, 5500.0, 7000.0, 8000.0, 11000.0, 16000.0  # telephones, codecs, 16 kHz, 22 kHz, MP3
_SHARES = {"effect": 3.0, "ambience": 4.0, "music": 1.2, "synthetic": 3.0, "wind": 1.0}
_WIDE = 12000.0  # Hz; speech with more than this counts twice
_TAILS = 200
_CODED = 0.08  # of all mixtures
_BAND_OF_BIN = np.zeros((BINS, BANDS), np.float32)
for _band in range(BANDS):
    _BAND_OF_BIN[EDGES[_band] : EDGES[_band + 1], _band] = 1


@dataclass(frozen=True)
class Batch:
    """Powers of mixtures in bands, relative to full scale; all ``[mixtures, frames, bands]`` but the last.

    Attributes:
        mixture: of the mixture.
        target: of what shall be left.
        cross: real part of mixture times conjugate target.
        band: Hz up to which the target's content is known, ``[mixtures]``.
    """

    mixture: Signal
    target: Signal
    cross: Signal
    band: Signal


class Mixer:
    """Draws mixtures from banks.

    Args:
        banks: folder with ``speech_train``, ``noise_train`` and so on.
        task: "denoise": speech is the target; "dewind": all but the wind is.
        split: "train" or "dev".
        seed: of everything random.
        mixtures: in a batch.
        seconds: of each.

    Example:
        ``Mixer(Path("work/bank"), "denoise")[0].mixture.shape`` is ``(8, 400, 96)``.
    """

    def __init__(
        self,
        banks: Path,
        task: str,
        *,
        split: str = "train",
        seed: int = 1,
        mixtures: int = 8,
        seconds: float = 4.0,
    ) -> None:
        self._task, self._seed, self._count, self._samples = task, seed, mixtures, int(seconds * RATE)
        self._speech, self._noise = Bank(banks / f"speech_{split}"), Bank(banks / f"noise_{split}")
        self._gusts = Bank(banks / f"wind_{split}")
        self._mates: dict[tuple[str, str], list[int]] = {}
        for at, piece in enumerate(self._speech.pieces):
            self._mates.setdefault((piece.package, piece.speaker), []).append(at)
        self._speech_odds = self._odds_of_speech()
        self._kinds: dict[str, list[int]] = {}
        for at, piece in enumerate(self._noise.pieces):
            self._kinds.setdefault(piece.kind, []).append(at)
        self._kind_odds = np.cumsum([_SHARES.get(kind, 1.0) for kind in self._kinds])
        self._noise_odds = {
            kind: np.cumsum(np.sqrt([self._noise.pieces[at].length for at in found]))
            for kind, found in self._kinds.items()
        }
        self._tails: dict[int, Signal] = {}

    def _odds_of_speech(self) -> NDArray[np.float64]:
        """Count each speaker by the root of their time: long readings shall not drown the others."""
        pieces = self._speech.pieces
        total = {who: sum(pieces[at].length for at in found) for who, found in self._mates.items()}
        odds = [
            piece.length / total[piece.package, piece.speaker] ** 0.5 * (2 if piece.band > _WIDE else 1)
            for piece in pieces
        ]
        return np.cumsum(odds)

    def __getitem__(self, number: int) -> Batch:
        """Return a batch."""
        random = np.random.default_rng([self._seed, number])
        drawn = [self._scene(random) for _ in range(self._count)]
        signals = np.stack([np.stack([target, rest]) for target, rest, _ in drawn]).reshape(-1, self._samples)
        frames = self._samples // HOP
        X = stft(signals, FRAME, HOP, "root_hann", framing="stream")[:, :frames]
        X = X.reshape(self._count, 2, frames, BINS)
        powers = np.stack([_mix(random, X[at, 0], X[at, 1], plan) for at, (_, _, plan) in enumerate(drawn)])
        band = np.array([plan.band for _, _, plan in drawn], np.float32)
        return Batch(powers[:, 0], powers[:, 1], powers[:, 2], band)

    def _scene(self, random: Random) -> tuple[Signal, Signal, _Plan]:
        """Return target and rest in samples, and what to do to them in the spectrum."""
        speech, band = self._voice(random)
        # A wind filter mostly hears what has no wind, and shall leave it alone, low noise and all.
        plan = _Plan.draw(random, band, clean=0.08 if self._task == "denoise" else 0.25)
        if plan.silent:
            speech[:] = 0
        elif random.random() < 0.45:
            speech = self._in_room(random, speech)
        if self._task == "denoise":
            return self._recorded(random, speech, self._disturbance(random), plan)
        target = speech
        if plan.silent or random.random() < 0.6:  # whatever else sounds shall stay
            level = 10 ** (-random.uniform(-5, 25) / 20) * (_active(speech) or 0.03)
            target = speech + _at(level, self._sound(random))
        return self._recorded(random, target, self._wind(random), plan)

    def _voice(self, random: Random) -> tuple[Signal, float]:
        """Return somebody who speaks with pauses, and up to which frequency they are known."""
        at = min(
            int(np.searchsorted(self._speech_odds, random.random() * self._speech_odds[-1])),
            len(self._speech) - 1,
        )
        first = self._speech.pieces[at]
        mates = self._mates[first.package, first.speaker]
        parts: list[Signal] = []
        # Another speed is another speaker: pitch and formants move together.
        speed = 2 ** random.uniform(-0.3, 0.3) if random.random() < 0.6 else 1.0
        if random.random() < 0.3:
            parts.append(np.zeros(int(random.uniform(0.1, 1.2) * RATE), np.float32))
        band, filled = first.band, sum(map(len, parts))
        while filled < self._samples:
            piece = self._speech[at].copy()
            if len(piece) > self._samples // 2 and filled < RATE * 1.2:
                piece = piece[random.integers(0, len(piece) - self._samples // 3) :]
            if speed != 1:
                piece = soxr.resample(piece[: int(self._samples * speed) + 480], speed, 1, "LQ")
            edge = min(240, len(piece) // 2)
            piece[:edge] *= np.linspace(0, 1, edge, dtype=np.float32)
            piece[len(piece) - edge :] *= np.linspace(1, 0, edge, dtype=np.float32)
            pause = np.zeros(int(random.exponential(0.25) * RATE), np.float32)
            parts += [piece, pause]
            band, filled = min(band, self._speech.pieces[at].band), filled + len(piece) + len(pause)
            at = mates[int(random.integers(len(mates)))]
        return np.concatenate(parts)[: self._samples], min(band * speed, RATE / 2)

    def _sound(self, random: Random) -> Signal:
        """Return a noise of any kind, as long as a mixture."""
        kinds = [*self._kinds]
        kind = kinds[int(np.searchsorted(self._kind_odds, random.random() * self._kind_odds[-1]))]
        odds = self._noise_odds[kind]
        found = self._kinds[kind]
        at = found[min(int(np.searchsorted(odds, random.random() * odds[-1])), len(found) - 1)]
        sound = self._noise[at]
        if random.random() < 0.5:
            sound = self._faster(random, sound)
        if len(sound) >= self._samples:
            start = int(random.integers(0, len(sound) - self._samples + 1))
            return sound[start : start + self._samples]
        if kind == "effect" and random.random() < 0.5:
            return self._now_and_then(random, sound, found)
        return self._repeated(random, sound)

    def _faster(self, random: Random, sound: Signal) -> Signal:
        """Return a part of a sound, played faster or slower by up to five semitones."""
        speed = 2 ** random.uniform(-0.4, 0.4)
        most = min(len(sound), int(self._samples * speed) + 2)
        start = int(random.integers(0, len(sound) - most + 1))
        places = np.arange(0, most - 1, speed)
        faster: Signal = np.interp(places, np.arange(most), sound[start : start + most]).astype(np.float32)
        return faster

    def _now_and_then(self, random: Random, sound: Signal, found: list[int]) -> Signal:
        """Return short sounds with pauses between."""
        out, at = np.zeros(self._samples, np.float32), int(random.integers(0, self._samples // 2))
        while at < self._samples:
            part = sound[: self._samples - at]
            out[at : at + len(part)] += part * np.float32(random.uniform(0.4, 1))
            at += len(sound) + int(random.exponential(0.5) * RATE)
            if random.random() < 0.3:
                sound = self._noise[found[int(random.integers(len(found)))]]
        return out

    def _repeated(self, random: Random, sound: Signal) -> Signal:
        """Return a sound again and again, cross-faded at equal power."""
        edge = min(len(sound) // 4, 4800)
        ramp = np.sqrt(np.linspace(0, 1, edge, dtype=np.float32))
        sound = sound.copy()
        sound[:edge] *= ramp
        sound[len(sound) - edge :] *= ramp[::-1]
        out, at = np.zeros(self._samples, np.float32), -int(random.integers(0, len(sound)))
        while at < self._samples:
            begin, end = max(0, at), min(self._samples, at + len(sound))
            out[begin:end] += sound[begin - at : end - at]
            at += len(sound) - edge
        return out

    def _disturbance(self, random: Random) -> Signal:
        """Return one or two noises, at times in a room, at times with wind."""
        noise = self._sound(random)
        if random.random() < 0.35:
            noise = _normal(noise) + _at(10 ** (random.uniform(-15, 5) / 20), self._sound(random))
        if random.random() < 0.12:
            noise = self._in_room(random, noise)
        if random.random() < 0.12:
            wind = self._wind(random)
            level = 10 ** (random.uniform(-10, 10) / 20)
            noise = wind if random.random() < 0.5 else _normal(noise) + _at(level, wind)
        return noise

    def _wind(self, random: Random) -> Signal:
        """Return wind: simulated but for a few recordings."""
        at = int(random.integers(len(self._gusts)))
        return self._repeated(random, self._faster(random, self._gusts[at]))

    def _in_room(self, random: Random, sound: Signal) -> Signal:
        """Return a sound in one of the rooms; they are built when they are first entered."""
        room = int(random.integers(_TAILS))
        if room not in self._tails:
            builder = np.random.default_rng([self._seed, 1 << 31, room])
            self._tails[room] = room_tail(builder, float(builder.uniform(0.15, 0.9)))
        return in_room(sound, self._tails[room], float(random.uniform(-2, 15)))

    def _recorded(
        self, random: Random, target: Signal, rest: Signal, plan: _Plan
    ) -> tuple[Signal, Signal, _Plan]:
        """Overload the microphone of some mixtures, and code some: the rest is what is not the target."""
        if plan.silent or plan.clean:
            return target, rest, plan
        overloads = random.random() < (0.05 if self._task == "denoise" else 0.15)
        # A wind filter leaves what a codec does: it is no wind.
        if not overloads and (self._task == "dewind" or random.random() >= _CODED):
            return target, rest, plan
        rest = rest * np.float32(10 ** (-plan.snr / 20) * _active(target) / (_active(rest) + 1e-9))
        mixture = target + rest
        if overloads:
            peak = float(np.abs(mixture).max()) + 1e-9
            most = peak * 10 ** (-random.uniform(1, 9) / 20)
            mixture = overload(mixture, most, hardness=float(random.uniform(0, 1)))
        else:
            mixture = coded(random, mixture)
        return target, mixture - target, plan.as_it_is()


def _active(signal: Signal) -> float:
    """Return the RMS over the frames within 30 dB of the loudest twentieth."""
    powers = np.square(signal[: len(signal) // FRAME * FRAME]).reshape(-1, FRAME).mean(axis=1)
    return float(np.sqrt(_active_mean(powers)))


def _active_mean(powers: NDArray[np.floating]) -> float:
    top = np.sort(powers)[-max(1, len(powers) // 20) :].mean()
    return float(powers[powers >= top * 1e-3].mean()) if top > 0 else 0.0


def _normal(signal: Signal) -> Signal:
    return signal / np.float32(_active(signal) + 1e-9)


def _at(level: float, signal: Signal) -> Signal:
    return np.float32(level) * _normal(signal)


@dataclass(frozen=True)
class _Plan:
    """What happens to one mixture in the spectrum."""

    target_gain: Signal
    rest_gain: Signal
    snr: float
    level: float
    hiss: float
    band: float
    silent: bool
    clean: bool
    mixed: bool = True

    @classmethod
    def draw(cls, random: Random, band: float, clean: float) -> _Plan:
        fate = random.random()
        silent, is_clean = fate < 0.08, fate > 1 - clean
        target, rest = _colour(random, 2.5, 0.6), _colour(random, 4.0, 0.7)
        limit = float("inf")
        if random.random() < 0.25:
            limit = float(random.choice(_CUTS))
        elif band < _WIDE and random.random() < 0.6:
            limit = band
        shape = 1 / (1 + (_HZ / limit) ** int(2 * random.integers(6, 24)))
        if random.random() < 0.3:  # as many microphones and preamplifiers do
            shape = shape / np.sqrt(1 + (random.uniform(30, 200) / (_HZ + 1)) ** int(random.integers(2, 6)))
        snr = random.normal(5, 8) if random.random() < 0.8 else random.uniform(-10, 30)
        return cls(
            target_gain=(target * shape).astype(np.float32),
            rest_gain=(rest * shape).astype(np.float32),
            snr=random.uniform(30, 60) if is_clean else float(np.clip(snr, -12, 40)),
            level=float(np.clip(random.normal(-30, 9), -60, -12)),
            hiss=10 ** (random.uniform(-100, -70) / 10) if random.random() < 0.5 else 0.0,
            band=band if limit > band else RATE / 2,
            silent=silent,
            clean=is_clean,
        )

    def as_it_is(self) -> _Plan:
        """Return the plan for signals that are mixed already, whose ratio and colour must stay."""
        flat = np.ones(BINS, np.float32)
        return _Plan(flat, flat, 0.0, self.level, 0.0, self.band, self.silent, self.clean, mixed=False)


def _colour(random: Random, decibels: float, odds: float) -> NDArray[np.float64]:
    """Return a random smooth gain by bin, around 0 dB at 700 Hz."""
    if random.random() >= odds:
        return np.ones(BINS)
    drawn = random.normal(0, decibels, (2, len(_COLOUR_HZ)))
    points = 0.5 * np.cumsum(drawn[0]) + 0.7 * drawn[1]
    log_hz = np.log(_COLOUR_HZ)
    points -= np.interp(np.log(700), log_hz, points)
    shape: NDArray[np.float64] = 10 ** (np.clip(np.interp(np.log(_HZ + 10), log_hz, points), -25, 12) / 20)
    return shape


def _mix(random: Random, target: NDArray[np.complex64], rest: NDArray[np.complex64], plan: _Plan) -> Signal:
    """Return the powers of mixture and target and their cross power in bands, ``[3, frames, bands]``.

    Gains and levels do not need the spectra: they scale the powers of the two and their cross power.
    """
    both = plan.target_gain * plan.rest_gain
    S = _power(target) @ (_BAND_OF_BIN * plan.target_gain[:, None] ** 2)
    V = _power(rest) @ (_BAND_OF_BIN * plan.rest_gain[:, None] ** 2)
    C = (target.real * rest.real + target.imag * rest.imag) @ (_BAND_OF_BIN * both[:, None])
    if plan.mixed and not plan.silent:
        speech, noise = _active_mean(S.sum(axis=1)), _active_mean(V.sum(axis=1))
        gain = np.float32(np.sqrt(10 ** (-plan.snr / 10) * speech / (noise + 1e-12)))
        V, C = V * gain**2, C * gain
    X = S + V + 2 * C
    # An active frame's power is that of its samples times half the window's energy times the bins.
    level = 10 ** (plan.level / 10) * FRAME * BINS / 2 / (_active_mean(X.sum(axis=1)) + 1e-12)
    found = np.stack([X, S, S + C]) * np.float32(level / FULL_SCALE)
    if plan.hiss:
        bins = _BAND_OF_BIN.sum(axis=0)
        found[0] += random.standard_gamma(bins, found[0].shape) * (plan.hiss * FRAME / 2 / FULL_SCALE)
    return np.maximum(found, np.array([[[0]], [[0]], [[-np.inf]]], np.float32)).astype(np.float32)


def _power(X: NDArray[np.complex64]) -> Signal:
    real: Signal = X.real * X.real
    imaginary: Signal = X.imag * X.imag
    return real + imaginary
