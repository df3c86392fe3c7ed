"""What a film or music container holds, as ffprobe tells it."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...contract.errors import MediaError
from .container import AudioTrack, Chapter, Container, Stream
from .mov_channels import pcm_speakers
from .tool import reason, run_tool, tool, url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["probe"]

_STANDARD_RATES = [Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)]
_STANDARD_RATES += [Fraction(n) for n in (24, 25, 30, 48, 50, 60, 100, 120)]
#: A list of other files; ffmpeg would go and read those.
_PLAYLISTS = {"concat", "dash", "hls", "imf", "rtsp", "sdp", "lavfi", "webm_dash_manifest"}
_SHOW = ("-show_format", "-show_streams", "-show_chapters", "-show_data_hash", "sha256")


def probe(path: str | Path) -> Container:
    """Return what a container holds.

    Raises:
        MediaError: ffmpeg is missing, or the file is, or cannot be read, or is a list of other files.
    """
    path = Path(path)
    _check_readable(path)
    command = [tool("ffprobe", path), "-v", "error", "-protocol_whitelist", "file", "-of", "json"]
    command += [*_SHOW, "-i", url(path)]
    code, output, errors = run_tool(command)
    try:
        data = json.loads(output.decode("utf-8", "replace"))
    except ValueError:
        data = {}
    if code != 0 or "format" not in data:
        raise MediaError(
            f"{path}: not a sound or film that ffmpeg can read ({reason(errors, path)}); "
            "copy or export it again, or convert to WAV"
        )
    if (family := str(data["format"].get("format_name", ""))).split(",")[0] in _PLAYLISTS:
        raise MediaError(f"{path}: is a list of other files ({family}); give one of those instead")
    return _container(path, family, data)


def _check_readable(path: Path) -> None:
    """Refuse what ffprobe would wait on for ever, or report less clearly."""
    if "\0" in str(path):
        raise MediaError(f"{str(path)!r} is not a path: it holds a NUL character")
    try:
        if path.is_dir():
            raise MediaError(f"{path}: is a folder, not a sound or film; name a file in it")
        if path.exists() and not path.is_file():
            raise MediaError(f"{path}: is a pipe or device; write the film into a file first")
        with path.open("rb"):
            size = path.stat().st_size
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}; check path and rights") from None
    if size == 0:
        raise MediaError(f"{path}: has 0 bytes; export it again")


def _container(path: Path, family: str, data: Mapping[str, Any]) -> Container:
    form = data["format"]
    tags = _tags(form)
    listed = sorted(data.get("streams", []), key=lambda stream: int(stream["index"]))
    streams = tuple(_stream(stream) for stream in listed)
    sounds = [(stream, raw) for stream, raw in zip(streams, listed, strict=True) if stream.kind == "audio"]
    audio = tuple(_audio(number, stream, raw) for number, (stream, raw) in enumerate(sounds, 1))
    if family == "caf":
        audio = tuple(_as_declared(track, raw) for track, (_, raw) in zip(audio, sounds, strict=True))
    if "mov" in family.split(","):
        speakers = pcm_speakers(path, tags.get("encoder", ""))
        audio = tuple(_in_own_order(track, speakers.get(track.stream)) for track in audio)
    chapters = tuple(
        Chapter(
            _seconds(chapter.get("start_time")) or Fraction(0),
            _seconds(chapter.get("end_time")) or Fraction(0),
            _tags(chapter).get("title", ""),
        )
        for chapter in data.get("chapters", [])
    )
    return Container(
        path,
        _form(family, tags.get("major_brand", "")),
        family,
        audio,
        streams,
        chapters,
        _frame_rate(streams, listed),
        _timecode(streams, tags),
        _seconds(form.get("start_time")) or Fraction(0),
        _seconds(form.get("duration")),
        tags,
    )


def _form(family: str, brand: str) -> str:
    names = family.split(",")
    if "mov" in names:
        return "MOV" if brand.strip() in {"", "qt"} else "MP4"
    return {"matroska": "MKV"}.get(names[0], names[0].upper())


def _stream(raw: Mapping[str, Any]) -> Stream:
    flags = tuple(name for name, value in raw.get("disposition", {}).items() if value)
    kind = str(raw.get("codec_type", "data"))
    tag = str(raw.get("codec_tag_string", ""))
    tags = _tags(raw)
    start = _seconds(raw.get("start_time"))
    return Stream(
        int(raw["index"]),
        kind,
        str(raw.get("codec_name", "")),
        "" if tag.startswith("[") else tag,
        start,
        _duration(raw, tags, start or Fraction(0)),
        kind == "video" and not {"attached_pic", "timed_thumbnails"} & set(flags),
        flags,
        tags,
        str(raw.get("extradata_hash", "")),
    )


def _audio(number: int, stream: Stream, raw: Mapping[str, Any]) -> AudioTrack:
    start = stream.start or Fraction(0)
    layout = str(raw.get("channel_layout", ""))
    rate = int(raw.get("sample_rate", 0))
    # A PCM track of a QuickTime file counts samples; an edit list would make the two counts differ.
    exact = (
        stream.codec.startswith("pcm_")
        and raw.get("time_base") == f"1/{rate}"
        and str(raw.get("nb_frames")) == str(raw.get("duration_ts"))
    )
    return AudioTrack(
        number,
        stream.index,
        stream.codec,
        str(raw.get("sample_fmt", "")),
        int(raw.get("bits_per_raw_sample", 0)),
        rate,
        int(raw.get("channels", 0)),
        "" if layout == "unknown" else layout,
        stream.tags.get("language", "").replace("und", ""),
        _title(stream.tags),
        "default" in stream.flags,
        start,
        stream.duration,
        int(raw["duration_ts"]) if exact else None,
    )


def _title(tags: Mapping[str, str]) -> str:
    """Return a track's title; QuickTime calls it by the handler's name, if that isn't just the handler's."""
    stated = tags.get("title", "") or tags.get("name", "")
    handler = tags.get("handler_name", "")
    plain = "handler" in handler.lower() or "core media" in handler.lower()
    return stated or ("" if plain else handler)


def _as_declared(track: AudioTrack, raw: Mapping[str, Any]) -> AudioTrack:
    """Return a track of a CAF with the samples it declares; ffmpeg goes by the size of the file."""
    stated = str(raw.get("nb_frames"))
    exact = track.codec.startswith("pcm_") and stated.isdecimal()
    return replace(track, samples=int(stated)) if exact else track


def _in_own_order(track: AudioTrack, speakers: str | None) -> AudioTrack:
    """Return a track of QuickTime with the order of channels that its PCM has in the file."""
    if speakers is None or track.channels <= 2 or not track.codec.startswith("pcm_"):
        return track
    return replace(track, layout=f"{track.channels} channels ({speakers})")


def _duration(raw: Mapping[str, Any], tags: Mapping[str, str], start: Fraction) -> Fraction | None:
    """Return how long a stream lasts. Matroska states where it ends, in a tag."""
    if (stated := _seconds(raw.get("duration"))) is not None:
        return stated
    texts = (text for name, text in tags.items() if name.startswith("duration"))  # duration-eng
    parts = next(texts, "").split(":")
    try:
        hours, minutes, seconds = (Fraction(part) for part in parts)
    except ValueError:
        return None
    return (hours * 60 + minutes) * 60 + seconds - max(start, Fraction(0))


def _frame_rate(streams: Sequence[Stream], listed: Sequence[Mapping[str, Any]]) -> Fraction | None:
    pairs = list(zip(streams, listed, strict=True))
    chosen = [raw for stream, raw in pairs if stream.picture] + [
        raw for stream, raw in pairs if stream.tag == "tmcd"
    ]
    for raw in chosen[:1]:
        rates = [_ratio(raw.get(name)) for name in ("avg_frame_rate", "r_frame_rate")]
        stated = [rate for rate in rates if rate is not None]
        for rate in stated:
            near = min(_STANDARD_RATES, key=lambda standard: abs(standard - rate))
            # Averages over a whole film come out a little off; 24 and 23.976 differ by 1/1001.
            if abs(near / rate - 1) < Fraction(1, 5000):
                return near
        return stated[0] if stated else None
    return None


def _timecode(streams: Sequence[Stream], tags: Mapping[str, str]) -> str:
    """Return the start: of the timecode track, else of the picture, else of the file."""
    tracks = [stream for stream in streams if stream.tag == "tmcd"]
    pictures = [stream for stream in streams if stream.picture]
    found = (stream.tags.get("timecode", "") for stream in [*tracks, *pictures, *streams])
    return next((text for text in found if text), tags.get("timecode", ""))


def _tags(raw: Mapping[str, Any]) -> dict[str, str]:
    return {str(name).lower(): str(text) for name, text in raw.get("tags", {}).items()}


def _seconds(text: object) -> Fraction | None:
    try:
        return Fraction(str(text))
    except ValueError:
        return None


def _ratio(text: object) -> Fraction | None:
    try:
        value = Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return None
    return value if value > 0 else None
