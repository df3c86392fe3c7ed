"""``python -m benches``: every contest, then one table of medians and ratios.

``python -m benches -k gains`` runs the contests whose title holds that word (pytest's ``-k``).
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def run(arguments: list[str], report: Path) -> int:
    """Run the benchmarks with pytest-benchmark; its own listing is switched off."""
    settings = ["-o", "python_files=bench_all.py", "-o", "python_functions=bench", "-o", "addopts="]
    plain = ["--import-mode=importlib", f"--confcutdir={HERE}", "-q", "--no-header", "--no-summary"]
    shown = [
        "-p",
        "no:randomly",
        "-W",
        "ignore::DeprecationWarning",  # peers import what their own peers move about
        "-o",
        "timeout=0",
        f"--benchmark-json={report}",
        "--benchmark-columns=median",
    ]
    # torch at its best: threads that wait by spinning stop one another on a machine that others use as well
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with Path(os.devnull).open("w") as nowhere:
        out, sys.stdout = sys.stdout, nowhere
        try:
            return int(pytest.main([str(HERE / "bench_all.py"), *settings, *plain, *shown, *arguments]))
        finally:
            sys.stdout = out


def table(results: list[dict[str, Any]]) -> list[str]:
    """Return Markdown rows: median, spread, and the peer's median divided by it."""
    contests: dict[str, dict[str, list[float]]] = {}
    peers: dict[str, str] = {}
    for result in results:
        info = result["extra_info"]
        peers[info["title"]] = info["peer"]
        contests.setdefault(info["title"], {}).setdefault(info["name"], []).append(result["stats"]["median"])
    rows = ["| work | who | median (low to high) | speed against the first |", "|---|---|---|---|"]
    for title, found in contests.items():
        base = statistics.median(found[peers[title]])
        for name, seconds in found.items():
            ratio = base / statistics.median(seconds)
            rows.append(f"| {title} | {name} | {_spread(seconds)} | {ratio:.2f}x |")
    return rows


def _spread(seconds: list[float]) -> str:
    middle = statistics.median(seconds)
    scale, unit = next(
        (s, u) for s, u in ((1, "s"), (1e3, "ms"), (1e6, "us")) if middle * s >= 1 or u == "us"
    )
    low, high = min(seconds) * scale, max(seconds) * scale
    return f"{middle * scale:.3g} {unit} ({low:.3g} to {high:.3g})"


def main() -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        code = run(sys.argv[1:], report)
        if code:
            sys.exit(
                f"the benchmarks failed (pytest exit code {code}); see: python -m pytest benches/bench_all.py"
            )
        results = json.loads(report.read_text())["benchmarks"]
    print(f"Python {platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores\n")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
