"""``unbraid demo``: a first sound without a file at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["command"]

_RATE, _SECONDS = 48_000, 8


@click.command("demo")
@click.option("-o", "--output", "folder", default="demo", show_default=True, metavar="DIR", help="Where to.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def command(folder: str, overwrite: bool) -> None:
    """Make a short scene (a voice-like sound in gusts of wind), take the wind off, and say what was done."""
    import numpy as np

    from ..engine.options import RenderOptions
    from ..engine.render import render
    from .render import tell

    voice, wind = scene(_RATE, _SECONDS)
    path = Path(folder) / "scene.wav"
    _write(path, voice + wind, overwrite=overwrite)
    click.echo(f"made   {path}: a voice-like sound in gusts of wind, by synthesis")
    report = render("dewind", path, folder, options=RenderOptions(overwrite=overwrite))
    click.echo("render of the ready-made graph `dewind`:")
    tell(report)
    clean = _read(report.outputs[0].path)
    rest = _read(report.outputs[1].path)
    low_before, low_after = (_low_band(x) for x in (voice + wind, clean))
    click.echo(f"below 150 Hz, where the wind is: {low_before:.1f} dB before, {low_after:.1f} dB after")
    null = np.abs(clean + rest - _read(path)).max()
    click.echo(
        f"clean + wind differ from the scene by at most {20 * np.log10(max(null, 1e-9)):.0f} dB of full scale"
    )
    click.echo(f"the same by hand: unbraid render dewind {path} -o {folder} --overwrite")


def scene(rate: int, seconds: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return a voice-like signal and wind, each ``[2, samples]``, from a fixed seed.

    The voice is a glottal pulse train through four formants that glide between vowels, in syllables;
    the wind is noise falling by 12 dB an octave, in gusts, different in each channel.
    """
    import numpy as np

    random = np.random.default_rng(2020)
    n = rate * seconds
    time = np.arange(n) / rate
    pitch = 120 * 2 ** (0.25 * np.sin(2 * np.pi * 0.4 * time) + 0.05 * np.sin(2 * np.pi * 5 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    vowel = 0.5 + 0.5 * np.sin(2 * np.pi * 1.3 * time)
    voice = np.zeros(n)
    for k in range(1, 40):
        frequency = k * pitch
        gain = np.zeros(n)
        for low, high, width in ((700, 300, 90), (1200, 2200, 120), (2600, 2900, 160), (3500, 3500, 200)):
            centre = low + (high - low) * vowel
            gain += 1 / (1 + ((frequency - centre) / width) ** 2)
        voice += np.where(frequency < 0.45 * rate, gain / k**0.5 * np.sin(k * phase), 0)
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time) + 0.4, 0, 1) * (np.sin(2 * np.pi * 0.35 * time) > -0.6)
    smooth = np.hanning(int(0.03 * rate))
    syllables = np.convolve(syllables, smooth / smooth.sum(), mode="same")
    voice *= syllables
    voice *= 0.1 / np.sqrt(np.mean(voice**2))
    frequencies = np.fft.rfftfreq(n, 1 / rate)
    shape = 1 / (1 + (frequencies / 60) ** 2) * (frequencies > 15)
    gusts = np.fft.irfft(np.fft.rfft(random.standard_normal(n)) * np.exp(-((frequencies / 0.7) ** 2)), n)
    gusts = np.clip(gusts / gusts.std() + 0.5, 0, None)
    noise = np.fft.irfft(np.fft.rfft(random.standard_normal((2, n))) * shape, n) * gusts
    noise *= 0.1 / np.sqrt(np.mean(noise**2))
    return np.stack([voice, voice]).astype(np.float32), noise.astype(np.float32)


def _write(path: Path, signal: npt.NDArray[np.float32], *, overwrite: bool) -> None:
    from ..contract.audio import Layout
    from ..contract.errors import MediaError
    from ..media.writer import FileWriter, OutputForm

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path.parent}: cannot be made: {reason}") from None
    length = signal.shape[1]
    stereo = Layout.parse("stereo")
    writer = FileWriter(path, OutputForm(_RATE, stereo, length, "PCM_24"), overwrite=overwrite)
    try:
        writer.write(signal)
        writer.finish()
        writer.commit()
        writer.settle()
    except BaseException:
        writer.abort()
        raise


def _read(path: Path) -> npt.NDArray[np.float32]:
    import numpy as np

    from ..media.open_input import open_input

    source = open_input(path)
    signal = np.empty((source.layout.channels, source.length or 0), np.float32)
    source.read(signal)
    source.close()
    return signal


def _low_band(signal: npt.NDArray[np.float32]) -> float:
    import numpy as np

    power = np.abs(np.fft.rfft(signal)) ** 2
    low = power[:, np.fft.rfftfreq(signal.shape[1], 1 / _RATE) < 150]
    return float(10 * np.log10(low.sum() / signal.shape[1] ** 2 + 1e-20))
