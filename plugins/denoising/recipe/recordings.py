"""From a file of a package to a piece of a bank: read, judged, made mono at 48 kHz, trimmed and levelled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....host.contract.errors import MediaError
from .measures import Worth, active_level, frame_levels, trim
from .packages import run

__all__ = [
    "RATE",
    "as_piece",
    "level_noise",
    "level_speech",
    "middle",
    "read_prompts",
    "recordings",
    "speech_refusal",
]

Signal = NDArray[np.float32]

#: Samples per second of every bank.
RATE = 48000

SPEECH_LEVEL, NOISE_LEVEL, PEAK = -26.0, -30.0, -1.0  # dBFS
FLOOR_BELOW = 35.0  # dB between active speech and the file's floor
CLIPPED = 0.002  # greatest share of samples at the peak
SHORTEST, LONGEST = 0.25, 120.0  # seconds
_BATCH = 60  # prompts in one call
_FFMPEG = ("ffmpeg", "-nostdin", "-v", "error", "-threads", "1")


def _read(path: Path) -> tuple[Signal, int]:
    """Return a sound file as float32 [channels, samples] and its rate.

    Raises:
        MediaError: neither libsndfile nor ffmpeg can read it.
    """
    import soundfile

    try:
        data, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return np.ascontiguousarray(data.T, np.float32), int(rate)
    except soundfile.LibsndfileError:
        pass  # ffmpeg knows more formats
    raw = run([*_FFMPEG, "-i", str(path), "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"])
    return np.frombuffer(raw, "<f4")[None].copy(), RATE


def read_prompts(paths: list[Path]) -> list[Signal]:
    """Return G.722 files (16 kHz, no header) as float32 [1, samples] each.

    One call of ffmpeg decodes them all: to start it takes longer than to decode a prompt.

    Raises:
        MediaError: ffmpeg does not decode them.
    """
    inputs = [word for path in paths for word in ("-f", "g722", "-i", str(path))]
    chain = f"concat=n={len(paths)}:v=0:a=1"
    raw = run([*_FFMPEG, *inputs, "-filter_complex", chain, "-ar", "16000", "-f", "f32le", "-"])
    ends = np.cumsum([2 * path.stat().st_size for path in paths])  # two samples a byte
    whole = np.frombuffer(raw, "<f4")
    if len(whole) != ends[-1]:
        raise MediaError(f"{paths[0]}: {len(whole)} samples came from {len(paths)} files of {ends[-1]}")
    return [part[None].copy() for part in np.split(whole, ends[:-1])]


def speech_refusal(worth: Worth | None) -> str:
    """Return why a recording is not clean speech, or nothing when it is."""
    if worth is None or worth.active < SHORTEST:
        return "short"
    if worth.clipped > CLIPPED:
        return "clipped"
    return "floor" if worth.range < FLOOR_BELOW else ""


def middle(channels: Signal, rate: int, seconds: float = LONGEST) -> Signal:
    """Return the middle of a recording that is longer than some seconds; else all of it."""
    spare = channels.shape[1] - int(seconds * rate)
    return channels if spare <= 0 else channels[:, spare // 2 : spare // 2 + int(seconds * rate)]


def as_piece(channels: Signal, rate: int) -> Signal:
    """Return a recording as mono at 48 kHz without its mean, trimmed to 0.2 s of silence at its ends.

    Channels are averaged unless they cancel: then the louder one is kept. Of a long recording the
    middle is used.
    """
    import soxr

    channels = middle(channels, rate)
    powers = np.mean(channels.astype(np.float64) ** 2, axis=1)
    mono = channels.mean(axis=0)
    if np.mean(mono.astype(np.float64) ** 2) < 0.2 * powers.max():
        mono = channels[int(powers.argmax())]
    mono = (mono - mono.mean()).astype(np.float32)
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE, quality="HQ")
    return trim(np.asarray(mono, np.float32), RATE)


def level_speech(piece: Signal) -> Signal:
    """Scale speech to an active level of -26 dBFS, but to a peak of -1 dBFS at most."""
    return _scale(piece, SPEECH_LEVEL - active_level(frame_levels(piece, RATE))[0])


def level_noise(piece: Signal) -> Signal:
    """Scale noise to an RMS of -30 dBFS, but to a peak of -1 dBFS at most."""
    return _scale(piece, NOISE_LEVEL - 10 * np.log10(np.mean(piece.astype(np.float64) ** 2) + 1e-12))


def _scale(piece: Signal, decibels: float) -> Signal:
    gain = min(10 ** (decibels / 20), 10 ** (PEAK / 20) / float(np.abs(piece).max()))
    return (piece * gain).astype(np.float32)


def recordings(paths: list[Path]) -> Iterator[tuple[Path, Signal, int]]:
    """Yield each file that can be read: its path, its samples [channels, samples], its rate."""
    prompts = [path for path in paths if path.suffix == ".g722"]
    for at in range(0, len(prompts), _BATCH):
        batch = prompts[at : at + _BATCH]
        for path, signal in zip(batch, read_prompts(batch), strict=True):
            yield path, signal, 16000
    for path in paths:
        if path.suffix != ".g722":
            with contextlib.suppress(MediaError):  # a broken file among a thousand is no reason to stop
                yield path, *_read(path)
