"""``python -m benches.cuda``: kernels on a CUDA device against torch.stft -> mask -> torch.istft on the same.

Events on the device time several calls at a time, warm, both sides in turn. The floor is the time in which
the device copies as many bytes as the work must move at least: signal and masks once, the output once.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unbraid.kernels import masked_roundtrip, stft

if TYPE_CHECKING:
    from collections.abc import Callable

RATE, SECONDS = 48000, 60
SIZES = (512, 1024, 2048, 4096)
TURNS = 11


@dataclass(frozen=True)
class Work:
    """One piece of work: channels of a signal, so many stems of it, or none for the transform alone."""

    n_fft: int
    channels: int
    stems: int

    def __str__(self) -> str:
        what = f"{self.stems} stem{'s' * (self.stems > 1)}" if self.stems else "stft alone"
        batch = f"{self.channels // 2} x " if self.channels > 2 else ""
        return f"{self.n_fft}/{self.n_fft // 4}, {batch}{SECONDS} s stereo, {what}"


def prepared(torch: Any, work: Work) -> tuple[Callable[[], object], Callable[[], object], int]:
    """Return torch's function, ours, and the bytes that must move."""
    n_fft, hop, samples = work.n_fft, work.n_fft // 4, SECONDS * RATE
    x, window = torch.randn(work.channels, samples, device="cuda"), torch.hann_window(n_fft, device="cuda")
    frames, bins = 1 + samples // hop, n_fft // 2 + 1

    def forward() -> Any:
        return torch.stft(x, n_fft, hop, window=window, return_complex=True)

    if not work.stems:
        spectra = torch.empty(work.channels, frames, bins, dtype=torch.complex64, device="cuda")
        return forward, lambda: stft(x, n_fft, hop, out=spectra), x.nbytes + spectra.nbytes
    shape = (work.channels, frames, bins)
    masks = torch.rand(*([work.stems] * (work.stems > 1)), *shape, device="cuda")
    out = torch.empty(*([work.stems] * (work.stems > 1)), work.channels, samples, device="cuda")
    each = [mask.transpose(1, 2) for mask in masks.reshape(-1, *shape)]

    def there_and_back() -> list[Any]:
        spectrum = forward()
        return [torch.istft(spectrum * mask, n_fft, hop, window=window, length=samples) for mask in each]

    ours = masked_roundtrip(x, masks, n_fft, hop, out=out).reshape(work.stems, work.channels, samples)
    worst = max((a - b).abs().max().item() for a, b in zip(ours, there_and_back(), strict=True))
    if not worst < 1e-5:
        sys.exit(f"{work}: differs from torch by {worst}")
    moved = x.nbytes + masks.nbytes + out.nbytes
    return there_and_back, lambda: masked_roundtrip(x, masks, n_fft, hop, out=out), moved


def once(torch: Any, run: Callable[[], object], calls: int) -> float:
    """Return microseconds of a call."""
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(calls):
        run()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) * 1e3 / calls


def contest(torch: Any, runs: list[Callable[[], object]]) -> list[list[float]]:
    """Return microseconds by contestant and turn, the contestants taking turns."""
    counts = []
    for run in runs:
        run()
        counts.append(max(2, min(50, int(20_000 / once(torch, run, 2)))))
    turns = [[once(torch, run, calls) for run, calls in zip(runs, counts, strict=True)] for _ in range(TURNS)]
    return [list(times) for times in zip(*turns, strict=True)]


def copy_rate(torch: Any) -> float:
    """Return the bytes that the device reads and writes in a microsecond."""
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    (times,) = contest(torch, [lambda: target.copy_(source)])
    return float(2 * source.nbytes / statistics.median(times))


def call_time(torch: Any) -> float:
    """Return the microseconds that a call takes of the CPU's time, with a signal of a few frames."""
    x, masks = torch.randn(2, 8192, device="cuda"), torch.rand(2, 17, 1025, device="cuda")
    out = torch.empty_like(x)
    masked_roundtrip(x, masks, out=out)
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(200):
        masked_roundtrip(x, masks, out=out)
    return (time.perf_counter() - begin) / 200 * 1e6


def spread(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} ({min(times):.0f} to {max(times):.0f})"


def main() -> None:
    """Run and print."""
    try:
        import torch as untyped
    except ImportError:
        sys.exit("needs torch built for CUDA")
    torch: Any = untyped
    if not torch.cuda.is_available():
        sys.exit("needs a CUDA device and torch built for it")
    rate = copy_rate(torch)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, copies {rate / 1e6:.2f} TB/s;")
    print(f"a call takes {call_time(torch):.0f} us of the CPU\n")
    print(
        "| work | torch, us | unbraid, us | speed | floor, us | over the floor |\n|---|---|---|---|---|---|"
    )
    for channels in (2, 16):
        for stems in (1, 4, 0):
            for n_fft in SIZES:
                work = Work(n_fft, channels, stems)
                theirs, ours, moved = prepared(torch, work)
                times = contest(torch, [theirs, ours])
                fast, floor = statistics.median(times[1]), moved / rate
                ratio = statistics.median(times[0]) / fast
                print(
                    f"| {work} | {spread(times[0])} | {spread(times[1])} | {ratio:.1f}x | {floor:.0f} | "
                    f"{fast / floor:.1f}x |",
                    flush=True,
                )
                del theirs, ours
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
