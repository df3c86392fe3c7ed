"""Which estimate belongs to which reference: two files, or two folders whose names agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..contract.errors import MediaError, MediaRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Pair", "PairsError", "find_pairs", "with_mixture"]

#: What counts as a sound in a folder; everything else there (notes, tables, pictures) is passed over.
_SOUNDS = {
    ".wav", ".wave", ".rf64", ".bw64", ".w64", ".flac", ".aif", ".aiff", ".aifc", ".caf", ".au", ".snd",
    ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".mka", ".wv",
}  # fmt: skip
#: The name of the unprocessed input among the stems of a track.
_MIXTURE = "mixture"

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """An estimate and what it should be.

    Attributes:
        track: what it is a part of.
        stem: which part; "" where a track is one file.
        reference: its file.
        estimate: its file.
        mixture: the unprocessed input, if known.
    """

    track: str
    stem: str
    reference: Path
    estimate: Path
    mixture: Path | None = None

    def __str__(self) -> str:
        return f"{self.track}/{self.stem}" if self.stem else self.track


class PairsError(MediaError):
    """Files and folders that do not pair up; one line for each that has no partner."""

    exit_code = 2

    def __init__(self, lines: list[str]) -> None:
        super().__init__("")
        self.args = ("\n".join(str(MediaError(line)) for line in lines),)


def find_pairs(
    reference: str | Path, estimate: str | Path, *, unpaired: Literal["error", "skip"] = "error"
) -> tuple[list[Pair], list[str]]:
    """Return the pairs of two files or two folders, by track and stem, and a line for each file left over.

    In folders, ``TRACK/STEM.wav`` stands against ``TRACK/STEM.wav`` (as in MUSDB), and ``NAME.wav`` against
    ``NAME.wav``; a name with a dot is read as a render writes it, ``TRACK.STEM.wav``. Formats may differ
    (``a.flac`` against ``a.wav``). A reference named ``mixture`` without an estimate is the track's mixture.

    Args:
        reference: a sound file, or a folder.
        estimate: the same kind.
        unpaired: what to do about a file without a partner.

    Raises:
        MediaRequestError: one is a folder and the other is not, or something is not there.
        PairsError: files have no partner, or two have the same name; names each.
    """
    reference, estimate = Path(reference), Path(estimate)
    kinds = [_kind(path) for path in (reference, estimate)]
    if kinds == ["file", "file"]:
        return [Pair(estimate.stem, "", reference, estimate)], []
    if "file" in kinds:
        one, other = (reference, estimate) if kinds[0] == "file" else (estimate, reference)
        raise MediaRequestError(f"{one} is a file but {other} is a folder; give two files or two folders")
    wrong: list[str] = []
    references, estimates = (_sounds(folder, wrong) for folder in (reference, estimate))
    if wrong:
        raise PairsError(wrong)
    mixtures = {
        track: path
        for (track, stem), path in references.items()
        if stem == _MIXTURE and (track, stem) not in estimates
    }
    references = {
        key: path for key, path in references.items() if key[1] != _MIXTURE or key[0] not in mixtures
    }
    left = [*_alone(references, estimates, estimate), *_alone(estimates, references, reference)]
    if left and unpaired == "error":
        raise PairsError([*left, "give the files that are missing, or pass --missing skip"])
    both = [key for key in references if key in estimates]
    if not both:
        raise PairsError([f"{estimate}: has no sound whose name is one of those in {reference}"])
    pairs = [Pair(*key, references[key], estimates[key], mixtures.get(key[0])) for key in both]
    return pairs, left


def with_mixture(pairs: Iterable[Pair], mixture: str | Path) -> list[Pair]:
    """Return pairs whose mixture is this file, or in this folder: ``TRACK.wav`` or ``TRACK/mixture.wav``.

    Raises:
        MediaRequestError: there is no such file.
        PairsError: the folder lacks a track's, or there are several tracks and one file.
    """
    mixture = Path(mixture)
    if _kind(mixture) == "file":
        pairs = list(pairs)
        tracks = {pair.track for pair in pairs}
        if len(tracks) > 1:
            raise PairsError(
                [f"{mixture}: cannot be the mixture of {len(tracks)} tracks; give a folder of mixtures"]
            )
        return [replace(pair, mixture=mixture) for pair in pairs]
    found: dict[str, Path] = {}
    for path in _files(mixture):
        found[path.stem] = path
    for folder in _folders(mixture):
        for path in _files(folder):
            if path.stem == _MIXTURE:
                found[folder.name] = path
    pairs = list(pairs)
    lost = sorted({pair.track for pair in pairs} - set(found))
    if lost:
        raise PairsError([f"{mixture}: holds no mixture of {track}" for track in lost])
    return [replace(pair, mixture=found[pair.track]) for pair in pairs]


def _kind(path: Path) -> Literal["file", "folder"]:
    try:
        if path.is_dir():
            return "folder"
        if path.exists():
            return "file"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaRequestError(f"{path}: cannot be read: {reason}") from None
    raise MediaRequestError(f"{path}: there is no such file or folder")


def _sounds(folder: Path, wrong: list[str]) -> dict[_Key, Path]:
    """Return the sounds of a folder and of the folders in it, by track and stem."""
    found: dict[_Key, Path] = {}
    entries: list[tuple[_Key, Path]] = []
    for path in _files(folder):
        track, dot, stem = path.stem.rpartition(".")
        entries.append(((track, stem) if dot and track else (path.stem, ""), path))
    for inner in _folders(folder):
        entries += [((inner.name, path.stem), path) for path in _files(inner)]
    for key, path in entries:
        if key in found:
            wrong.append(f"{path}: stands for the same stem as {found[key]}; keep one of them")
        found[key] = path
    return found


def _files(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if path.suffix.lower() in _SOUNDS and not path.is_dir()]


def _folders(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if path.is_dir()]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise MediaRequestError(f"{folder}: cannot be read: {error.strerror}") from None


def _alone(these: Mapping[_Key, Path], those: Mapping[_Key, Path], folder: Path) -> list[str]:
    return [f"{path}: has no partner in {folder}" for key, path in these.items() if key not in those]
