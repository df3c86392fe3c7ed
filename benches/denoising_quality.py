"""``python -m benches.denoising_quality FOLDER``: what denoisers make of clips, measure by measure.

The folder holds ``SET/CLIP/{mixture,speech,noise}.wav``, mono at 48 kHz, with the sets ``noise``, ``wind``,
``realwind`` (figures against the speech), ``clean`` (against the input, which is clean speech) and ``only``
(noise alone: by how many dB it falls). Means over the clips; `benches.noise_set` makes such a folder.

Every system is moved by one lag for all its clips, the peak of its outputs' summed correlation with their
mixtures, ours as well (it must be 0 for them). What others made, and its figures, are kept under
``FOLDER/.outputs`` until a clip or the other's version changes; ours is made anew each time.

    --system NAME   only this one; may be given again       --set NAME   only this set; may be given again
    --dnsmos        also DNSMOS of the output (speechmos)   --json       one JSON object instead of tables
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from unbraid.host import process
from unbraid.host.measures import dnsmos, estoi, pesq, si_sdr

from .denoising import OURS, graph_of, not_there
from .denoising_peers import PEERS, RATE, missing, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unbraid.host.measures import Measured

__all__ = ["score"]

SETS = ("noise", "wind", "realwind", "clean", "only")
UNPROCESSED = "unprocessed"
#: Zeros behind a clip, so that what comes late comes at all; also the longest lag that is looked for.
ROOM = RATE // 10
#: Noise that falls by more is gone: one clip of silence must not make the mean.
MOST_DECIBELS = 80.0
TITLES = {
    "pesq": "PESQ",
    "estoi": "ESTOI",
    "si_sdr": "SI-SDR",
    "attenuation": "falls by dB",
    "least": "least dB",
    "dnsmos_overall": "OVRL",
    "dnsmos_signal": "SIG",
    "dnsmos_background": "BAK",
}
DIGITS = {"pesq": 2, "estoi": 3, "dnsmos_overall": 2, "dnsmos_signal": 2, "dnsmos_background": 2}


def score(estimate: Any, reference: Any, rate: int) -> dict[str, float]:
    """Return wide-band PESQ (MOS), ESTOI (0 to 1) and SI-SDR (dB) of an estimate; NaN for none.

    Args:
        estimate: real ``[samples]`` or ``[channels, samples]``, aligned.
        reference: the clean speech, of the same shape.
        rate: Hz, at least 16,000.
    """
    e, s = (np.ascontiguousarray(np.atleast_2d(x), np.float32) for x in (estimate, reference))
    found = {"pesq": pesq(s, e, rate), "estoi": estoi(s, e, rate), "si_sdr": si_sdr(s, e)}
    return _numbers(found)


def _numbers(found: dict[str, Measured]) -> dict[str, float]:
    for name, measured in found.items():
        if measured.value is None:
            print(f"no {name}: {measured.note}", file=sys.stderr)
    return {name: float("nan") if one.value is None else one.value for name, one in found.items()}


def fall(estimate: Any, mixture: Any) -> float:
    """Return by how many dB a sound is quieter than it was, `MOST_DECIBELS` at most."""
    before, after = (float(np.square(x, dtype=np.float64).sum()) for x in (mixture, estimate))
    least = before * 10 ** (-MOST_DECIBELS / 10)
    return 10 * float(np.log10(before / max(after, least)))


@dataclass(frozen=True)
class Clip:
    """One clip: the set it is of, and its folder."""

    kind: str
    folder: Path

    @property
    def name(self) -> str:
        """Its place in the whole."""
        return f"{self.kind}/{self.folder.name}"

    def read(self, stem: str) -> Any:
        """Return a stem, float32 ``[samples]``."""
        wave, rate = soundfile.read(self.folder / f"{stem}.wav", dtype="float32", always_2d=True)
        if rate != RATE or wave.shape[1] != 1:
            raise SystemExit(f"{self.folder / stem}.wav: must be mono at {RATE} Hz")
        return np.ascontiguousarray(wave[:, 0])

    @property
    def stamp(self) -> list[float]:
        """What changes when the clip does."""
        stats = [path.stat() for path in sorted(self.folder.glob("*.wav"))]
        return [number for stat in stats for number in (stat.st_size, stat.st_mtime)]

    def figures(self, made: Any) -> dict[str, float]:
        """Return what can be said of an aligned output."""
        if self.kind == "only":
            return {"attenuation": fall(made, self.read("mixture"))}
        return score(made, self.read("mixture" if self.kind == "clean" else "speech"), RATE)


def clips_in(folder: Path, kinds: list[str]) -> list[Clip]:
    """Return the clips of the sets that are there."""
    found = [
        Clip(kind, path.parent) for kind in kinds for path in sorted(folder.glob(f"{kind}/*/mixture.wav"))
    ]
    if not found:
        raise SystemExit(f"{folder}: holds no SET/CLIP/mixture.wav of {', '.join(kinds)}")
    return found


class Store:
    """What a system made of each clip, in files where it is not ours.

    Args:
        folder: of the outputs; None keeps them in memory for this run.
        run: makes an output from a clip with `ROOM` behind it.
    """

    def __init__(self, folder: Path | None, version: str, run: Callable[[Any], Any]) -> None:
        self._folder, self._version, self._run = folder, version, run
        self._made: dict[str, Any] = {}

    def output(self, clip: Clip) -> Any:
        """Return what the system makes of a clip, `ROOM` longer than the clip and as late as it came."""
        path = None if self._folder is None else self._folder / f"{clip.name}.npy"
        if path is None:
            if clip.name not in self._made:
                self._made[clip.name] = self._run(np.pad(clip.read("mixture"), (0, ROOM)))
            return self._made[clip.name]
        if self._kept(clip, "output") is None or not path.is_file():
            made = np.asarray(self._run(np.pad(clip.read("mixture"), (0, ROOM))), np.float32)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, made)
            self._keep(clip, "output", 0.0)
        return np.load(path)

    def figures(self, clip: Clip, lag: int, *, with_dnsmos: bool) -> dict[str, float]:
        """Return the figures of the output, moved by a lag."""
        key = f"figures at {lag}" + (" with dnsmos" if with_dnsmos else "")
        found = self._kept(clip, key)
        if found is None:
            made = moved(self.output(clip), lag)
            found = clip.figures(made)
            if with_dnsmos and clip.kind != "only":
                found |= _numbers(dnsmos(made[None], RATE))
            if not any(np.isnan(value) for value in found.values()):  # a library may be there next time
                self._keep(clip, key, found)
        return dict(found)

    def _kept(self, clip: Clip, key: str) -> Any:
        note = self._note(clip)
        return note.get(key) if note.get("stamp") == [self._version, *clip.stamp] else None

    def _keep(self, clip: Clip, key: str, value: Any) -> None:
        if self._folder is None:
            return
        stamp, note = [self._version, *clip.stamp], self._note(clip)
        note = note if note.get("stamp") == stamp else {"stamp": stamp}
        note[key] = value
        partial_file = self._folder / f"{clip.name}.json.partial"
        partial_file.write_text(json.dumps(note), encoding="utf-8")
        partial_file.replace(self._folder / f"{clip.name}.json")

    def _note(self, clip: Clip) -> dict[str, Any]:
        path = None if self._folder is None else self._folder / f"{clip.name}.json"
        if path is None or not path.is_file():
            return {}
        note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return note


def moved(made: Any, lag: int) -> Any:
    """Return an output without its lag, as long as the clip was."""
    samples = len(made) - ROOM
    made = made[lag:] if lag >= 0 else np.pad(made, (-lag, 0))
    return np.ascontiguousarray(np.pad(made, (0, ROOM))[:samples])


def lag_of(store: Store, clips: list[Clip]) -> int:
    """Return how late a system's outputs are: one number, from all clips together, each weighing the same."""
    total = np.zeros(2 * ROOM + 1)
    for clip in clips:
        mixture, made = np.pad(clip.read("mixture"), (0, ROOM)).astype(np.float64), store.output(clip)
        size = 1 << (2 * len(mixture)).bit_length()
        spectrum = np.fft.rfft(mixture, size).conj() * np.fft.rfft(made.astype(np.float64), size)
        energy = float(np.sqrt(np.square(mixture).sum() * np.square(made, dtype=np.float64).sum()))
        correlation = np.fft.irfft(spectrum, size)
        total += np.concatenate([correlation[-ROOM:], correlation[: ROOM + 1]]) / max(energy, 1e-20)
    return int(total.argmax()) - ROOM


def by_unbraid(system: str, clip: Any) -> Any:
    """Return what one of ours makes of a clip."""
    return process(graph_of(system), clip[None], rate=RATE)["out"][0]


def stores(folder: Path, asked: list[str]) -> Iterator[tuple[str, Store | str]]:
    """Yield every system: with its store, or with why it is not there."""
    for name in asked or [UNPROCESSED, *OURS, *PEERS]:
        if name == UNPROCESSED:
            yield name, Store(folder / ".outputs" / name, "1", lambda clip: clip)
        elif name in OURS:
            yield name, not_there(name) or Store(None, "", partial(by_unbraid, name))
        elif name in PEERS:
            yield name, missing(name) or Store(folder / ".outputs" / name, version_of(name), PEERS[name])
        else:
            raise SystemExit(f"unknown system {name!r}; known: {', '.join([UNPROCESSED, *OURS, *PEERS])}")


def measure(store: Store, clips: list[Clip], *, with_dnsmos: bool) -> dict[str, Any]:
    """Return a system's lag and the means of every set; figures that are missing are left out and counted."""
    lag = lag_of(store, clips)
    found: dict[str, Any] = {"lag": lag}
    for kind in dict.fromkeys(clip.kind for clip in clips):
        rows = [store.figures(clip, lag, with_dnsmos=with_dnsmos) for clip in clips if clip.kind == kind]
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0] if name in TITLES}
        known = {name: column[~np.isnan(column)] for name, column in columns.items()}
        means = {name: float(np.minimum(column, 100).mean()) for name, column in known.items() if column.size}
        if "attenuation" in columns:
            means["least"] = float(columns["attenuation"].min())
        unmeasured = sum(len(column) - len(known[name]) for name, column in columns.items())
        found[kind] = {"clips": len(rows), "unmeasured": unmeasured, **means}
    return found


def tables(results: dict[str, dict[str, Any]], kinds: list[str]) -> Iterator[str]:
    """Yield a Markdown table for every set."""
    for kind in kinds:
        rows = {name: result[kind] for name, result in results.items() if kind in result}
        if not rows:
            continue
        names = [name for name in TITLES if any(name in row for row in rows.values())]
        yield f"\n{kind}: {max(row['clips'] for row in rows.values())} clips\n"
        yield "| who | " + " | ".join(TITLES[name] for name in names) + " | lag |"
        yield "|---" * (len(names) + 2) + "|"
        for who, row in rows.items():
            cells = [f"{row[name]:.{DIGITS.get(name, 1)}f}" if name in row else "" for name in names]
            note = f" ({row['unmeasured']} figures missing)" if row["unmeasured"] else ""
            yield f"| {who}{note} | " + " | ".join(cells) + f" | {results[who]['lag']} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benches.denoising_quality")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--system", action="append", default=[], metavar="NAME")
    parser.add_argument("--set", action="append", default=[], choices=SETS, dest="kinds")
    parser.add_argument("--dnsmos", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    kinds = asked.kinds or list(SETS)
    clips = clips_in(asked.folder, kinds)
    results: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    for name, store in stores(asked.folder, asked.system):
        if isinstance(store, str):
            skipped[name] = store
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        results[name] = measure(store, clips, with_dnsmos=asked.dnsmos)
    if asked.json:
        print(json.dumps({"results": results, "skipped": skipped}))
        return
    print("\n".join(tables(results, kinds)).lstrip())
    for name, reason in skipped.items():
        print(f"{name}: skipped: {reason}")


if __name__ == "__main__":
    main()
