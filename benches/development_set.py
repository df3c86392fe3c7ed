"""``python -m benches.development_set FOLDER``: make the clips that `benches.separation` measures.

Nine sung clips and five instrumental passages of 14 s, stereo at 44.1 kHz: ``TRACK/mixture.wav``, and where
somebody sings ``vocals.wav`` and ``accompaniment.wav``. All sound comes from Debian packages, fetched and
unpacked under ``FOLDER/.packages``, never installed. Needs apt-get, dpkg-deb, sox and ffmpeg, and
from PyPI scipy and tinysoundfont; the same versions (first: Debian 12's) give the same files.
"""

from __future__ import annotations

import importlib.util
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

COMMANDS, MODULES = ("apt-get", "dpkg-deb", "sox", "ffmpeg"), ("scipy", "tinysoundfont")
RATE, SECONDS = 44100, 14
RMS = 0.08  # of every accompaniment, before mixtures are kept below full scale
LICENCES = {
    "scratch": "its sounds: CC BY-SA 3.0, Massachusetts Institute of Technology",
    "fretsonfire-songs-muldjord": "CC BY-SA 3.0, El Senator (Muldjord)",
    "timgm6mb-soundfont": "GPL-2, Tim Brechbill",
    "freedoom": "BSD, three clauses, contributors to Freedoom",
    "planetblupi-music-midi": "GPL-3 or later, EPSITEC SA and Denis Dumoulin",
    "drascula-music": "Drascula licence (free to change and to give away), Alcachofa Soft S.L.",
    "sonic-pi-samples": "the two loops: CC0, gowers and Garzul",
}


def run(command: list[str], **options: Any) -> Any:
    """Return the bytes a command writes; its failure is one line."""
    done = subprocess.run(command, capture_output=True, check=False, **options)
    if done.returncode:
        reasons = done.stderr.decode(errors="replace").strip().replace("\n", "; ")
        raise SystemExit(f"{' '.join(command)}: failed: {reasons}")
    return done.stdout


def require() -> None:
    """Raise one line about every tool that is not here."""
    absent = [f"{name} (Debian)" for name in COMMANDS if not shutil.which(name)]
    absent += [f"{name} (PyPI)" for name in MODULES if not importlib.util.find_spec(name)]
    if absent:
        raise SystemExit(f"the development set needs what is not installed: {', '.join(absent)}")


class Packages:
    """Debian packages, each fetched once and unpacked in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._opened: dict[str, Path] = {}

    def __getitem__(self, name: str) -> Path:
        """Return the shared files of a package; the first use prints its licence."""
        if name not in self._opened:
            self._opened[name] = next(self._folder.glob(f"{name}_*"), None) or self._fetch(name)
            print(f"{self._opened[name].name}: {LICENCES[name]}", flush=True)
        return self._opened[name] / "usr/share"

    def _fetch(self, name: str) -> Path:
        """Unpack aside and move what is whole, so that a broken run leaves nothing half done."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".fetching-") as scratch:
            run(["apt-get", "download", name], cwd=scratch)
            (archive,) = Path(scratch).glob("*.deb")
            run(["dpkg-deb", "-x", str(archive), f"{scratch}/files"])
            return Path(scratch, "files").rename(self._folder / archive.stem)


def passage(path: Path, start: int) -> Any:
    """Return 14 s of a recording, or what there is, float32 ``[channels, samples]``."""
    sound = soundfile.read(path, SECONDS * RATE, start * RATE, dtype="float32", always_2d=True)[0]
    return np.ascontiguousarray(sound.T)


def played(packages: Packages, notes: bytes, start: int) -> Any:
    """Return 14 s of a MIDI file, played from its beginning through the sound font."""
    tiny = importlib.import_module("tinysoundfont")
    synth = tiny.Synth(samplerate=RATE, gain=-6)
    synth.sfload(str(packages["timgm6mb-soundfont"] / "sounds/sf2/TimGM6mb.sf2"))
    tiny.Sequencer(synth).add(tiny.midi.load_memory(notes))
    sound = np.frombuffer(synth.generate((start + SECONDS) * RATE), np.float32)
    return np.ascontiguousarray(sound.reshape(-1, 2).T[:, start * RATE :])


def lump(wad: Path, name: str) -> bytes:
    """Return a lump of a WAD: 12 bytes of header say how many entries of 16 bytes lie where."""
    content = wad.read_bytes()
    count, start = struct.unpack_from("<4xII", content)
    for offset, size, label in struct.iter_unpack("<II8s", content[start : start + 16 * count]):
        if label.rstrip(b"\0").decode() == name:
            return content[offset : offset + size]
    raise SystemExit(f"{wad}: has no lump {name}")


def band(song: str, start: int, packages: Packages) -> Any:
    """Return a metal band."""
    folder = packages["fretsonfire-songs-muldjord"] / "games/fretsonfire/data/songs/muldjord" / song
    return passage(folder / "song.ogg", start) + passage(folder / "guitar.ogg", start)


def freedoom(part: int, name: str, start: int, packages: Packages) -> Any:
    """Return music of a shooter."""
    return played(packages, lump(packages["freedoom"] / f"games/doom/freedoom{part}.wad", name), start)


def blupi(number: int, start: int, packages: Packages) -> Any:
    """Return music of a game for children."""
    path = packages["planetblupi-music-midi"] / f"planetblupi/music/music{number:03}.mid"
    return played(packages, path.read_bytes(), start)


def drascula(number: int, start: int, packages: Packages) -> Any:
    """Return music of an adventure."""
    return passage(packages["drascula-music"] / f"scummvm/drascula/audio/track{number}.ogg", start)


def loops(levels: dict[str, float], packages: Packages) -> Any:
    """Return loops over each other, each as often as it takes; mono ones go to both sides."""
    total, at = np.zeros((2, SECONDS * RATE), np.float32), np.arange(SECONDS * RATE)
    for name, level in levels.items():
        loop = passage(packages["sonic-pi-samples"] / f"sonic-pi/samples/loop_{name}.flac", 0)
        total += level * loop.take(at, axis=1, mode="wrap")
    return total


@dataclass(frozen=True)
class Voice:
    """Phrases one after another; ``gap`` is the mean pause in seconds, slow speeds make men of women."""

    phrases: tuple[str, ...]
    seed: int
    gap: float = 0.6
    speed: float = 1.0
    semitones: int = 0
    gain: float = 1.0

    def sing(self, packages: Packages) -> Any:
        """Return mono of 14 s; every phrase has the same RMS."""
        random = np.random.default_rng(self.seed)
        line, at = np.zeros(SECONDS * RATE, np.float32), RATE // 2
        for name in self.phrases:
            sound = self._phrase(packages["scratch"] / f"scratch/Media/Sounds/Vocals/{name}.mp3")
            sound = sound / np.sqrt(np.mean(sound**2)) * 0.1
            line[at : at + len(sound)] += sound[: max(0, len(line) - at)]
            at += len(sound) + int(self.gap * RATE * (0.5 + random.random()))
        return self.gain * line

    def _phrase(self, path: Path) -> Any:
        pcm = ["-f", "s16le", "-ac", "1", "-ar", str(RATE), "-"]
        decoded = run(["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), *pcm])
        mono = ["-r", str(RATE), "-c", "1", "-"]
        command = ["sox", "-t", "s16", *mono, "-t", "f32", *mono, "gain", "-3", "speed", str(self.speed)]
        command += ["pitch", str(100 * self.semitones), "rate", str(RATE)]
        return np.frombuffer(run(command, input=decoded), np.float32)


def in_room(voice: Any, pan: float, wet: float, seed: int) -> Any:
    """Return a voice in stereo: panned at equal power, in a room of decaying noise (0.9 s by 60 dB, dull)."""
    from scipy.signal import fftconvolve, lfilter

    samples, angle = int(0.9 * RATE), (pan + 1) * np.pi / 4
    decay = 10 ** (-3 * np.arange(samples) / samples)
    noise = np.random.default_rng(seed).standard_normal((2, samples)) * decay
    noise[:, : int(0.012 * RATE)] = 0
    rooms = lfilter([0.35], [1, -0.65], noise, axis=1)
    rooms /= np.sqrt((rooms**2).sum(1, keepdims=True))
    dry = np.stack([voice * np.cos(angle), voice * np.sin(angle)]) * np.sqrt(2)
    reverberation = np.stack([fftconvolve(voice, room)[: len(voice)] for room in rooms])
    return (dry + wet * reverberation).astype(np.float32)


@dataclass(frozen=True)
class Clip:
    """A track; ``level``: dB of the singing, where it sounds, above the accompaniment; pan -1 is left."""

    name: str
    make: Callable[[Packages], Any]
    voices: tuple[Voice, ...] = ()
    pan: float = 0.0
    wet: float = 0.0
    level: float = 0.0

    def stems(self, packages: Packages, seed: int) -> dict[str, Any]:
        """Return the mixture and, of a song, what it is the sum of."""
        music = self.make(packages)
        stems = {"accompaniment": music / np.sqrt(np.mean(music**2)) * RMS}
        if self.voices:
            vocals = in_room(sum(voice.sing(packages) for voice in self.voices), self.pan, self.wet, seed)
            sounding = vocals[:, np.abs(vocals).max(0) > 1e-3]
            stems["vocals"] = vocals / np.sqrt(np.mean(sounding**2)) * RMS * 10 ** (self.level / 20)
        mixture = sum(stems.values())
        gain = min(1, 0.95 / np.abs(mixture).max())
        kept = stems if self.voices else {}
        return {name: gain * sound for name, sound in {**kept, "mixture": mixture}.items()}


OOOO, SING, GOT = "Oooo-badada", "Sing-me-a-song", "Got-inspiration"
HEY, COME, DOY = "Hey-yay-hey", "Come-and-play", "Doy-doy-doy"
D1, D2, D3 = Voice((OOOO, SING), 0), Voice((SING, GOT, HEY), 2, gap=1.2), Voice((OOOO, SING), 3, speed=0.66)
D4, D5 = Voice((HEY, COME, DOY, GOT), 4, gap=0.8), Voice((SING, GOT, HEY, DOY), 5, speed=0.62)
D6, D7 = Voice((GOT, OOOO), 6, semitones=-4), Voice((HEY, COME, SING, DOY), 7, speed=0.7)
D8, D9 = Voice((COME, GOT), 8, gap=3), Voice((DOY, SING, OOOO), 9, gap=0.2, semitones=2)
BELOW = replace(D9, semitones=-3, gain=0.6)
CLIPS = (
    Clip("d1_oooo_army", partial(band, "armygeddon", 60), (D1,), wet=0.25),
    Clip("d2_sing_e1m2", partial(freedoom, 1, "D_E1M2", 10), (D2,), pan=0.2, wet=0.15, level=2),
    Clip("d3_male_blupi", partial(blupi, 2, 20), (D3,), wet=0.2, level=-2),
    Clip("d4_hey_dras", partial(drascula, 2, 60), (D4,), pan=-0.3, wet=0.3, level=1),
    Clip("d5_male_mime", partial(band, "mutilated_mime", 50), (D5,), pan=0.1, wet=0.1, level=3),
    Clip("d6_low_e2m4", partial(freedoom, 1, "D_E2M4", 15), (D6,), wet=0.35, level=-3),
    Clip("d7_male_loops", partial(loops, {"amen_full": 0.6, "garzul": 0.8}), (D7,), pan=-0.15, wet=0.2),
    Clip("d8_quiet_blupi5", partial(blupi, 5, 15), (D8,), wet=0.1, level=-6),
    Clip("d9_dense_chaos", partial(freedoom, 2, "D_DOOM", 20), (D9, BELOW), wet=0.2, level=1),
    Clip("i1_chaos", partial(band, "chaos_god", 70)),
    Clip("i2_blupi7", partial(blupi, 7, 10)),
    Clip("i3_dras18", partial(drascula, 18, 40)),
    Clip("i4_e3m1", partial(freedoom, 1, "D_E3M1", 20)),
    Clip("i5_internal", partial(band, "internal_degeneration", 100)),
)


def main(folder: Path) -> None:
    """Write every clip."""
    require()
    from scipy.io import wavfile  # soundfile stamps float files with the time; these are the same every time

    packages = Packages(folder / ".packages")
    for number, clip in enumerate(CLIPS, 1):
        (folder / clip.name).mkdir(exist_ok=True)
        for stem, sound in clip.stems(packages, seed=100 + number).items():
            wavfile.write(folder / clip.name / f"{stem}.wav", RATE, sound.T)
        print(clip.name, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
