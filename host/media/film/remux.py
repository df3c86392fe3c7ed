"""A new sound in a copy of a film, whose picture and other streams stay what they are, packet for packet."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ...contract.errors import MediaError
from ..atomic import AtomicFile, why_not
from .ffprobe import probe
from .remux_check import check_copy, exact_length, hashes_of, samples_hash
from .remux_codec import Coding, coding_for
from .tool import reason, run_tool, tool, url

if TYPE_CHECKING:
    from .container import AudioTrack, Container, Stream

__all__ = ["RemuxReport", "remux"]

_MUXERS = {
    ".mov": ("mov", "mov"),
    ".mp4": ("mp4", "mov"),
    ".m4v": ("mp4", "mov"),
    ".mkv": ("matroska", "matroska"),
    ".mxf": ("mxf", "mxf"),
}
#: QuickTime numbers languages, and ffmpeg knows each number under one code: neither always that of
#: ISO 639-2/T nor that of 639-2/B.
# fmt: off
_QUICKTIME = {
    "bod": "tib", "cym": "wel", "cze": "ces", "deu": "ger", "ell": "gre", "eus": "baq", "fas": "per",
    "fre": "fra", "hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac", "msa": "may", "mya": "bur",
    "nld": "dut", "rum": "ron", "slo": "slk", "sqi": "alb", "swe": "sve", "zho": "chi",
}
# fmt: on
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*")
#: Sound and picture that end this far apart are worth a line.
_APART = Fraction(1, 10)
#: Samples that a lossy encoder puts before the sound; times count from the first of them.
_PRIMING = 2112


@dataclass(frozen=True, slots=True)
class RemuxReport:
    """What a remux did.

    Attributes:
        film: where the picture came from.
        sound: where the new track came from.
        output: the file written.
        track: the new track's number among the audio tracks, from 1.
        replaced: whether it took the place of another.
        codec: of the new track, as ffmpeg names it.
        lossless: the new track decodes to the very samples of ``sound``; checked.
        start: where the new track begins, in seconds of the film.
        duration: seconds of the new track; None when the sound doesn't state it.
        copied: for each copied stream its kind and the SHA-256 of its packets, the same before and after.
        warnings: what the reader should know.
    """

    film: Path
    sound: Path
    output: Path
    track: int
    replaced: bool
    codec: str
    lossless: bool
    start: float
    duration: float | None
    copied: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What goes where.

    Attributes:
        film: the container that is copied.
        sound: the file of the new track.
        new: the sound's track.
        old: the track it replaces.
        streams: those that are copied, in order.
        place: how many of them stand before the new track.
        number: of the new track among the sounds, from 1.
        start: of the new track, in seconds.
        coding: of the new track.
        muxer: ffmpeg's name of the output's container.
        length: samples of the new track where the container wants sound and picture to end together.
        language: of the new track; "" for none.
        title: the same.
    """

    film: Container
    sound: Container
    new: AudioTrack
    old: AudioTrack | None
    streams: tuple[Stream, ...]
    place: int
    number: int
    start: Fraction
    coding: Coding
    muxer: str
    length: int | None
    language: str
    title: str


def remux(
    film: str | Path,
    sound: str | Path,
    output: str | Path,
    *,
    replace: int | None = None,
    language: str | None = None,
    title: str | None = None,
    codec: str | None = None,
    overwrite: bool = False,
) -> RemuxReport:
    """Write a copy of a film that has ``sound`` as one more audio track, or in place of one.

    Every other stream, chapter and tag is copied. Before the output gets its name, the packets of each copied
    stream are hashed in both files, and a lossless track is decoded and compared with the sound.

    Args:
        film: a MOV, MP4, MKV or MXF file.
        sound: a file with one sound.
        output: the copy; a container of the film's kind.
        replace: the number of the track that the sound replaces, from 1; None to add it after the others.
        language: of the new track, as ``eng``; by default the replaced track's.
        title: of the new track; by default the replaced track's.
        codec: ffmpeg's name of an encoder; by default one that keeps the samples, if the container has one.
        overwrite: replace an output that exists.

    Raises:
        MediaError: something can't be read, held or written, or a check failed; nothing is left then.
    """
    film, sound, output = Path(film), Path(sound), Path(output)
    tool("ffmpeg", film)
    for source in (film, sound):
        if output.exists() and source.exists() and output.samefile(source):
            raise MediaError(f"{output}: is an input as well; choose another name with -o")
    if language is not None and not _LANGUAGE.fullmatch(language):
        raise MediaError(f"{output}: language {language!r} is no language code; write one like eng or de")
    plan = _plan(probe(film), probe(sound), output, replaced=replace, codec=codec)
    plan = _named(plan, language, title)
    file = AtomicFile(output, overwrite=overwrite)
    try:
        said = _write(plan, file.partial, output)
        file.sync()
        copied, warnings = _verify(plan, file.partial, output)
        file.commit()
        file.settle()
    except BaseException:
        file.abort()
        raise
    return _report(plan, output, copied, [*_remarks(plan), *said, *warnings])


def _plan(
    film: Container, sound: Container, output: Path, *, replaced: int | None, codec: str | None
) -> _Plan:
    muxer, family = _MUXERS.get(output.suffix.lower(), ("", ""))
    if not muxer:
        raise MediaError(f"{output}: films are written as {', '.join(_MUXERS)}; choose one of these names")
    if family not in film.family.split(","):
        raise MediaError(
            f"{output}: is another container than {film.path}, which is {film.form}; "
            f"name the output as the film is named, *{film.path.suffix}"
        )
    if not any(stream.picture for stream in film.streams):
        raise MediaError(f"{film.path}: holds no picture; choose a film, or copy the sound alone")
    old = None
    if replaced is not None:
        if not 1 <= replaced <= len(film.audio):
            listed = ", ".join(str(track) for track in film.audio) or "it has none"
            raise MediaError(f"{film.path}: has no audio track {replaced} to replace; choose among {listed}")
        old = film.audio[replaced - 1]
    new = sound.choose(None)
    streams = tuple(
        s for s in film.streams if not (old and s.index == old.stream) and _copied(s, film, muxer)
    )
    before = [i for i, s in enumerate(streams) if s.picture or s.kind == "audio"]
    place = before[-1] + 1 if before else 0
    if old is not None:
        place = sum(s.index < old.stream for s in streams)
    aligned = old or (film.audio[0] if film.audio else None)
    picture = film.picture
    zero = picture.start if picture is not None and picture.start is not None else film.start
    return _Plan(
        film,
        sound,
        new,
        old,
        streams,
        place,
        sum(s.kind == "audio" for s in streams[:place]) + 1,
        aligned.start if aligned else zero,
        coding_for(output, muxer, new, codec),
        muxer,
        _forced_length(film, new) if muxer == "mxf" else None,
        old.language if old else "",
        old.title if old else "",
    )


def _forced_length(film: Container, new: AudioTrack) -> int | None:
    """Return the samples of the film's whole frames: MXF holds no sound beyond them."""
    shown = (film.picture.duration if film.picture else None) or film.duration
    return None if shown is None else int(shown * new.rate)


def _copied(stream: Stream, film: Container, muxer: str) -> bool:
    """Return whether a stream is copied; the muxer makes the others anew, from tags and chapters."""
    if stream.kind != "data":
        return True
    if stream.tag == "tmcd":
        # ffmpeg can't copy it into MP4, and forgets in a copy that frames are dropped; but it writes one from
        # the picture's tag.
        return muxer == "mov" and ";" not in film.timecode
    return not (stream.codec == "bin_data" and stream.tag == "text" and film.chapters)


def _named(plan: _Plan, language: str | None, title: str | None) -> _Plan:
    if language is not None and plan.muxer == "mov":
        language = _QUICKTIME.get(language, language)
    return replace(
        plan,
        language=plan.language if language is None else language,
        title=plan.title if title is None else title,
    )


def _command(plan: _Plan, partial: Path) -> list[str]:
    """Return the call of ffmpeg.

    Times are copied as they are (``-copyts``), so the new track gets its start by an offset of its own.
    ``-guess_layout_max`` keeps ffmpeg from inventing loudspeakers for channels that nobody named.
    """
    guess = 6 if plan.new.channels == 6 else 2
    offset = plan.start - plan.new.start
    command = [tool("ffmpeg", plan.film.path), "-nostdin", "-hide_banner", "-v", "error", "-y", "-copyts"]
    command += ["-protocol_whitelist", "file", "-i", url(plan.film.path)]
    command += ["-protocol_whitelist", "file", "-guess_layout_max", str(guess), "-reinit_filter", "0"]
    command += ["-xerror", "-itsoffset", f"{float(offset):.9f}", "-i", url(plan.sound.path)]
    maps = [f"0:{stream.index}" for stream in plan.streams]
    maps.insert(plan.place, f"1:{plan.new.stream}")
    for entry in maps:
        command += ["-map", entry]
    command += ["-map_metadata", "0", "-map_chapters", "0", "-c", "copy"]
    which = f"a:{plan.number - 1}"
    command += [f"-c:{which}", plan.coding.codec]
    if plan.length is not None:
        command += [f"-filter:{which}", exact_length(plan.length)]
    for name, value in plan.coding.options:
        command += [f"-{name}:{which}", value]
    for name, value in (("language", plan.language), ("title", plan.title), ("timecode", "")):
        command += [f"-metadata:s:{which}", f"{name}={value}"]
    if plan.muxer in {"mov", "mp4"} and plan.title:  # QuickTime has no other place for it
        command += [f"-metadata:s:{which}", f"handler_name={plan.title}"]
    command += [f"-disposition:{which}", "default" if plan.old and plan.old.default else "0"]
    if plan.muxer in {"mov", "mp4"}:
        # By default edit lists count milliseconds, which isn't enough to place a sample.
        command += ["-movie_timescale", str(plan.new.rate), "-movflags", "+use_metadata_tags"]
    return [*command, "-max_muxing_queue_size", "65536", "-f", plan.muxer, url(partial)]


def _write(plan: _Plan, partial: Path, output: Path) -> list[str]:
    """Let ffmpeg write the copy; return what it complained of without giving up."""
    status, _, said = run_tool(_command(plan, partial))
    why = reason(said, plan.film.path)
    if status:
        full = why_not(output, OSError(why))
        raise MediaError(
            f"{output}: ffmpeg can't write {plan.coding.codec} sound with this film ({full}); "
            "choose another --codec, or another container"
        )
    return [f"ffmpeg: {why}"] if said.strip() else []


def _verify(plan: _Plan, partial: Path, output: Path) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """Compare the copy with the film and the new track with the sound."""
    written = probe(partial)
    warnings = check_copy(plan.film, written, output, plan.streams, plan.place, _expected(plan))
    places = [i for i in range(len(plan.streams) + 1) if i != plan.place]
    before = hashes_of(plan.film.path, [stream.index for stream in plan.streams])
    after = hashes_of(partial, places)
    for stream, old, new in zip(plan.streams, before, after, strict=True):
        if old != new:
            raise MediaError(
                f"{output}: the {stream.kind} stream {stream.index} did not come through ffmpeg unchanged; "
                "nothing was written, choose another container"
            )
    track = written.audio[plan.number - 1]
    if (track.rate, track.channels) != (plan.new.rate, plan.new.channels):
        raise MediaError(
            f"{output}: {plan.coding.codec} made {track.channels} channels at {track.rate} Hz of "
            f"{plan.new.channels} at {plan.new.rate} Hz; choose another --codec"
        )
    if plan.coding.lossless:
        sound = samples_hash(plan.sound.path, plan.new.stream, plan.new.encoding, plan.length)
        if samples_hash(partial, track.stream, plan.new.encoding, plan.length) != sound:
            raise MediaError(
                f"{output}: the new track does not decode to the samples of {plan.sound.path}; "
                "choose another --codec"
            )
    if plan.language and track.language != plan.language:
        warnings.append(f"the container doesn't hold the language {plan.language!r} of the new track")
    kinds = [stream.kind for stream in plan.streams]
    return tuple(zip(kinds, before, strict=True)), warnings


def _expected(plan: _Plan) -> tuple[Fraction, Fraction]:
    """Return the earliest and latest start of the new track; a lossy codec may say some silence before it."""
    ahead = Fraction(0) if plan.coding.lossless else Fraction(_PRIMING, plan.new.rate)
    return plan.start - ahead, plan.start


def _remarks(plan: _Plan) -> list[str]:
    """Return what the reader should know of the sound itself."""
    remarks = [plan.coding.remark] if plan.coding.remark else []
    length = plan.new.duration
    picture = plan.film.picture
    shown = (picture.duration if picture else None) or plan.film.duration
    if length is None or shown is None:
        return remarks
    end = plan.start + length - ((picture.start if picture else None) or Fraction(0))
    if abs(end - shown) > _APART:
        word = "later" if end > shown else "earlier"
        done = "nothing was cut"
        if plan.length is not None:
            done = "MXF ends both together, so " + ("its end was cut" if end > shown else "silence was added")
        remarks.append(f"the sound ends {float(abs(end - shown)):.3f} s {word} than the picture; {done}")
    return remarks


def _report(
    plan: _Plan, output: Path, copied: tuple[tuple[str, str], ...], warnings: list[str]
) -> RemuxReport:
    return RemuxReport(
        plan.film.path,
        plan.sound.path,
        output,
        plan.number,
        plan.old is not None,
        plan.coding.codec,
        plan.coding.lossless,
        float(plan.start),
        None if plan.new.duration is None else float(plan.new.duration),
        copied,
        tuple(warnings),
    )
