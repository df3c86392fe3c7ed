"""Whether a copy of a film is one: hashes of packets and samples, places in time, chapters and tags."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from ...contract.errors import MediaError
from .tool import reason, run_tool, tool, url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .container import Container, Stream

__all__ = ["check_copy", "exact_length", "hashes_of", "samples_hash"]

_HASH = re.compile(r"SHA256=([0-9a-f]{64})")
#: Matroska counts milliseconds.
_MOVED = Fraction(2, 1000)
#: What a file says of itself as a file; a copy is another file.
_OWN = {
    "encoder",
    "creation_time",
    "compatible_brands",
    "major_brand",
    "minor_version",
    "uid",
    "modification_date",
}
_OWN |= {"generation_uid", "material_package_umid", "operational_pattern_ul", "company_name"}
_OWN |= {"application_platform", "duration", "file_package_umid"}


def hashes_of(path: Path, streams: Sequence[int]) -> list[str]:
    """Return the SHA-256 of the packets of some streams, one after the other.

    Raises:
        MediaError: ffmpeg can't read them.
    """
    if not streams:
        return []
    maps = [word for index in streams for word in ("-map", f"0:{index}")]
    return _hashed(path, [*maps, "-c", "copy", "-f", "streamhash"], len(streams))


def exact_length(samples: int) -> str:
    """Return the filter that makes a sound this long: silence is added, or its end is cut."""
    return f"apad=whole_len={samples},atrim=end_sample={samples}"


def samples_hash(path: Path, stream: int, encoding: str, length: int | None = None) -> str:
    """Return the SHA-256 of a sound's samples.

    Args:
        path: the file.
        stream: index among all its streams.
        encoding: in which the samples are hashed.
        length: take the sound for this long; None for as long as it is.

    Raises:
        MediaError: ffmpeg can't decode them.
    """
    shaped = [] if length is None else ["-af", exact_length(length)]
    return _hashed(path, ["-map", f"0:{stream}", *shaped, "-c:a", f"pcm_{encoding}", "-f", "hash"], 1)[0]


def _hashed(path: Path, work: Sequence[str], count: int) -> list[str]:
    command = [tool("ffmpeg", path), "-nostdin", "-hide_banner", "-v", "error", "-copyts"]
    command += ["-reinit_filter", "0", "-protocol_whitelist", "file", "-i", url(path)]
    status, output, said = run_tool([*command, *work, "-hash", "sha256", "pipe:1"])
    found = _HASH.findall(output.decode("ascii", "replace"))
    if status or len(found) != count:
        raise MediaError(f"{path}: can't be checked ({reason(said, path)}); copy or export it again")
    return found


def check_copy(
    film: Container,
    written: Container,
    output: Path,
    copied: Sequence[Stream],
    place: int,
    start: tuple[Fraction, Fraction],
) -> list[str]:
    """Compare all but the packets; return lines about what the container doesn't keep.

    Args:
        film: as it was.
        written: the copy, under its hidden name.
        output: its final name, for error texts.
        copied: the streams that were copied, in order.
        place: where among them the new track stands.
        start: the earliest and the latest that the new track should begin, in seconds.

    Raises:
        MediaError: a stream is gone or moved against the picture, or chapters or the timecode changed.
    """
    kept = [stream for stream in written.streams if stream.index != place]
    if [s.kind for s in kept[: len(copied)]] != [s.kind for s in copied]:
        raise MediaError(
            f"{output}: ffmpeg did not copy all streams of {film.path}; choose another container"
        )
    pairs = list(zip(copied, kept, strict=False))
    for old, new in pairs:
        if old.kind == "attachment" and old.content != new.content:
            raise MediaError(f"{output}: the attachment {old.index} changed; choose another container")
    _check_places(pairs, written.streams[place], output, start)
    if film.timecode != written.timecode:
        raise MediaError(
            f"{output}: begins at timecode {written.timecode or 'none'}, the film at "
            f"{film.timecode or 'none'}; choose another container"
        )
    _check_chapters(film, written, output)
    lost = sorted(
        name for name in film.tags if name not in _OWN and film.tags[name] != written.tags.get(name)
    )
    return [f"tags that ffmpeg did not keep: {', '.join(lost)}"] if lost else []


def _check_places(
    pairs: Sequence[tuple[Stream, Stream]], track: Stream, output: Path, start: tuple[Fraction, Fraction]
) -> None:
    """Compare where streams begin, counted from the picture: a container may move all of them together."""
    old_zero, new_zero = next(
        (old.start or Fraction(0), new.start or Fraction(0)) for old, new in pairs if old.picture
    )
    placed = [((old.start, old.start), new) for old, new in pairs if old.kind in {"video", "audio"}]
    for (earliest, latest), new in [*placed, (start, track)]:
        if earliest is None or latest is None or new.start is None:
            continue
        found = new.start - new_zero + old_zero
        moved = max(found - latest, Fraction(0)) + min(found - earliest, Fraction(0))
        if abs(moved) > _MOVED:
            raise MediaError(
                f"{output}: the {new.kind} stream {new.index} moved by {float(moved):.4f} s "
                "against the picture; choose another container or --codec"
            )


def _check_chapters(film: Container, written: Container, output: Path) -> None:
    same = len(film.chapters) == len(written.chapters) and all(
        old.title == new.title and abs(old.start - new.start) <= _MOVED and abs(old.end - new.end) <= _MOVED
        for old, new in zip(film.chapters, written.chapters, strict=True)
    )
    if not same:
        raise MediaError(
            f"{output}: ffmpeg did not keep the chapters of {film.path}; choose another container"
        )
