"""``python -m benches.noise_set FOLDER [DATA]``: make the clips that `benches.denoising` measures.

Speech in noise (30), in simulated wind (10), in recorded wind (6), alone (6), and noise alone (4); 48 kHz
mono, 7 s each: ``KIND/NAME/mixture.wav``, ``speech.wav`` and ``noise.wav``, of which the first is the sum of
the others. In rooms ``speech`` has its reverberation. Speakers and noises are those that the recipe keeps
from training. All of it comes from packages, kept under ``DATA`` (``FOLDER/.data``); needs apt-get,
dpkg-deb, tar and ffmpeg.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unbraid.plugins.denoising.recipe.bank import Bank, gather
from unbraid.plugins.denoising.recipe.gusts import overload, simulate_wind
from unbraid.plugins.denoising.recipe.measures import active_level, frame_levels
from unbraid.plugins.denoising.recipe.scenes import babble, in_room, repeated, room_tail
from unbraid.plugins.denoising.recipe.synthetic import synthesise

RATE, SECONDS = 48000, 7
SAMPLES = RATE * SECONDS
RATIOS = (-5, 0, 5, 10, 15)  # dB of active speech over noise

#: Who speaks: those recorded up to 15 kHz and more take turns in three clips of five, the others in two.
WIDE = (
    "ktuberling-el",
    "nexuiz-soldier",
    "hedgewars-Mobster",
    "nexuiz-announcer",
    "hedgewars-HillBilly",
    "nexuiz-tutor",
)
NARROW = ("ktuberling-nn", "asterisk-it", "qabcs-de", "kajongg-male2")

#: What sounds: the end of a file's path in the bank, without its ending, or ``made:`` and what is made here.
NOISES = (
    "environment/river_loop", "sounds/warehouse", "smiths/smith_01", "sounds/jet_engine_inside2",
    "sound/crowdcheer", "environment/bird_twitter_loop", "environment/rain", "saw/benchsaw_00",
    "made:keys", "music/ingame_01", "hh65/engine_inside", "made:babble", "environment/open_fire_loop",
    "sounds/sheepfield", "made:fan", "data/shuffleballs", "sawmill/sawmill_00", "animals/crickets1_00",
    "made:traffic", "environment/minecart", "music/dungeon_theme", "sounds/helicopter_engine_outside2",
    "made:babble", "cutting/stonecutter_01", "made:hum", "environment/cave_droplets_loop",
    "mill/weaving", "made:engine", "sound/crowdboo", "sounds/lumberjack_long",
)  # fmt: skip
ALONE = ("sounds/jet_engine_outside", "made:colour", "environment/anvil_loop", "made:rain")
WINDS = ("winter_forest/sounds/wind", "environment/wind_loop", "environment/cave_wind_loop")


@dataclass(frozen=True)
class Clip:
    """One clip: its place, who speaks in it, what else sounds, and by how many dB speech stands above."""

    name: str
    speaker: str = ""
    noise: str = ""
    ratio: float = 0.0
    room: bool = False


def clips() -> Iterator[Clip]:
    """Yield the whole set."""
    for number, noise in enumerate(NOISES):
        yield Clip(
            f"noise/{number:02}", who(number), noise, RATIOS[(number + number // 5) % 5], room=number % 2 == 1
        )
    for number in range(10):
        yield Clip(f"wind/{number:02}", who(number + 2), "made:wind", RATIOS[(number + number // 5) % 5])
    for number in range(6):
        yield Clip(f"realwind/{number:02}", who(number + 4), WINDS[number % 3], (-5, 0, 5)[number // 2])
    for number in range(6):
        yield Clip(f"clean/{number:02}", (*WIDE[:4], *NARROW[:2])[number], room=number == 3)
    for number, noise in enumerate(ALONE):
        yield Clip(f"only/{number:02}", noise=noise)


def who(number: int) -> str:
    """Return the speaker of a clip."""
    wide, turn = number % 5 < 3, number // 5
    return (
        WIDE[(3 * turn + number % 5) % len(WIDE)]
        if wide
        else NARROW[(2 * turn + number % 5 - 3) % len(NARROW)]
    )


class Stage:
    """Where clips are made: the recipe's banks of what training never hears."""

    def __init__(self, data: Path) -> None:
        self._speech, self._noise = Bank(data / "bank" / "speech_dev"), Bank(data / "bank" / "noise_dev")
        self.used: set[str] = set()

    def make(self, clip: Clip, seed: int) -> tuple[Any, Any]:
        """Return the speech and the noise of a clip, float32 [samples] each."""
        random = np.random.default_rng([seed, 7])
        speech = self.speak(random, clip.speaker) if clip.speaker else np.zeros(SAMPLES, np.float32)
        if clip.room:
            tail = room_tail(random, random.uniform(0.2, 0.6))
            speech = in_room(speech, tail, random.uniform(3, 12))
        noise = self.sound(random, clip.noise, seed) if clip.noise else np.zeros(SAMPLES, np.float32)
        if clip.speaker and clip.noise:
            below = active_level(frame_levels(speech, RATE))[0] - clip.ratio
            noise = noise * np.float32(10 ** ((below - 10 * np.log10(np.mean(noise**2))) / 20))
        gain = min(1.0, 0.89 / max(1e-9, float(np.abs(speech + noise).max())))
        return speech * np.float32(gain), noise * np.float32(gain)

    def speak(self, random: np.random.Generator, speaker: str) -> Any:
        """Return one speaker's pieces after each other, with pauses as between words."""
        mine = [
            at
            for at, piece in enumerate(self._speech.pieces)
            if piece.speaker == speaker and not piece.cleaned
        ]
        line, at = np.zeros(SAMPLES, np.float32), int(0.2 * RATE)
        for index in random.permutation(mine):
            piece = self._speech[int(index)][: SAMPLES - at]
            line[at : at + len(piece)] += piece
            self.note(self._speech.pieces[int(index)])
            at += len(piece) + int(random.uniform(-0.2, 0.15) * RATE)
            if at > SAMPLES - RATE // 2:
                break
        return line

    def sound(self, random: np.random.Generator, noise: str, seed: int) -> Any:
        """Return a noise for the whole clip, RMS near -30 dBFS."""
        made, _, kind = noise.partition(":")
        if made == "made":
            return self.made(random, kind, seed)
        found = [
            at for at, piece in enumerate(self._noise.pieces) if piece.file.rpartition(".")[0].endswith(noise)
        ]
        if not found:
            raise SystemExit(f"noise_dev has no file that ends in {noise!r}; make the banks anew")
        self.note(self._noise.pieces[found[0]])
        piece = self._noise[found[0]]
        spare = len(piece) - SAMPLES
        return piece[spare // 2 : spare // 2 + SAMPLES] if spare >= 0 else repeated(random, SAMPLES, piece)

    def made(self, random: np.random.Generator, kind: str, seed: int) -> Any:
        """Return a noise that is made here: by formula, of many voices, or simulated wind at a microphone."""
        if kind == "wind":
            return overload(simulate_wind(SAMPLES, 9000 + seed), float(random.uniform(-10, 4)))
        if kind == "babble":
            return babble(
                random, SAMPLES, lambda random: self._speech[int(random.integers(len(self._speech)))]
            )
        return synthesise(kind, 9000 + seed, SAMPLES)

    def note(self, piece: Any) -> None:
        """Remember a source that was used."""
        self.used.add(f"{piece.package} ({piece.kind}): {piece.licence}")


def main(folder: Path, data: Path) -> None:
    """Write every clip, then print what they are made of."""
    from scipy.io import wavfile  # soundfile stamps float files with the time; these are the same every time

    gather(data, lambda line: print(line, flush=True), splits=("dev",))
    stage = Stage(data)
    for seed, clip in enumerate(clips()):
        speech, noise = stage.make(clip, seed)
        (folder / clip.name).mkdir(parents=True, exist_ok=True)
        for stem, sound in (("speech", speech), ("noise", noise), ("mixture", speech + noise)):
            wavfile.write(folder / clip.name / f"{stem}.wav", RATE, sound.astype(np.float32))
        print(
            f"{clip.name}: {clip.speaker or 'nobody'}, {clip.noise or 'nothing'}, {clip.ratio:+.0f} dB",
            flush=True,
        )
    print("\n".join(sorted(stage.used)))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else Path(sys.argv[1], ".data"))
