"""``unbraid doctor``."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import click

__all__ = ["command"]

_PACKAGES = (
    "unbraid",
    "numpy",
    "numba",
    "soundfile",
    "soxr",
    "pluggy",
    "msgspec",
    "ruamel.yaml",
    "torch",
    "onnxruntime",
)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> int:
    """Show versions, devices, and plugins that failed to load; exit 1 if one did, or a model is damaged.

    Plugins load in a child process: one that hangs or crashes on import is named like any other.
    """
    import soundfile

    from ...kernels.machine import cache_folder
    from ..conformance.entry_points import look
    from ..engine.devices import cuda_devices
    from ..registry import SWITCH

    looked = look()
    remedy = f"uninstall it, or set {SWITCH}=0; plugins after it were not looked at"
    stuck = [
        f"{p.name} (from {p.package}): {p.trouble} on import; {remedy}" for p in looked.points if p.trouble
    ]
    if looked.trouble:
        stuck = [f"plugins could not be looked up in a child process: {looked.trouble}"]
    faults = [*looked.registry.get("faults", []), *stuck]
    models = _models() if not stuck else {"here": [], "missing": [], "uninstalled": [], "faults": []}
    versions = {name: _version(name) for name in _PACKAGES}
    data = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
        "libsndfile": soundfile.__libsndfile_version__,
        "ffmpeg": _ffmpeg(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "cuda_devices": cuda_devices(),
        "kernel_cache": str(cache_folder()),
        "third_party_plugins": os.environ.get(SWITCH, "1") != "0",
        "plugins": looked.registry.get("plugins", []),
        "graphs": looked.registry.get("graphs", []),
        "models": models,
        "faults": faults,
        "slow": [point.slow for point in looked.points if point.slow],
    }
    if as_json:
        click.echo(json.dumps(data))
    else:
        _tell(data)
    return 1 if faults or models["faults"] else 0


def _models() -> dict[str, list[str]]:
    """Return which models are here, which are not, and what is wrong with cards and files."""
    from ..models import Catalogue, Store

    catalogue, store = Catalogue.discover(), Store()
    found: dict[str, list[str]] = {"here": [], "missing": [], "uninstalled": []}
    found["faults"] = [str(fault) for fault in catalogue.faults]
    for card in catalogue.cards.values():
        verdicts = [store.verdict(card, file) for file in card.files]
        damaged = [f"{card.id}: {verdict.told}" for verdict in verdicts if verdict.state == "corrupt"]
        found["faults"] += damaged
        uninstalled = [verdict.told for verdict in verdicts if verdict.state == "not installed"]
        found["uninstalled"] += [f"{card.id}: {told}" for told in uninstalled[:1]]
        if not damaged and not uninstalled:
            here = all(verdict.state == "here" for verdict in verdicts)
            found["here" if here else "missing"].append(card.id)
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _ffmpeg() -> str | None:
    """Return ffmpeg's version; None where it or ffprobe is missing."""
    from ..media.film.tool import available, run_tool

    if not available():
        return None
    _, out, _ = run_tool(["ffmpeg", "-version"])
    words = out.decode("utf-8", "replace").split()
    return words[2] if len(words) > 2 else "of an unknown version"


def _tell(data: dict[str, object]) -> None:
    packages = data["packages"]
    assert isinstance(packages, dict)  # noqa: S101 - made above
    click.echo(f"python {data['python']} on {data['platform']}")
    for name, found in packages.items():
        click.echo(f"  {name:<12} {found or 'not installed'}")
    click.echo(f"  {'libsndfile':<12} {data['libsndfile']}")
    click.echo(f"  {'ffmpeg':<12} {data['ffmpeg'] or 'not installed: films and rarer containers need it'}")
    click.echo(f"cores {data['cores']}, CUDA devices {data['cuda_devices']}")
    click.echo(f"compiled kernels are kept in {data['kernel_cache']}")
    click.echo(f"third-party plugins {'on' if data['third_party_plugins'] else 'switched off'}")
    for what in ("plugins", "graphs"):
        names = data[what]
        assert isinstance(names, list)  # noqa: S101 - made above
        click.echo(f"{what}: {', '.join(names)}")
    models = data["models"]
    assert isinstance(models, dict)  # noqa: S101 - made above
    _tell_of_models(models)
    faults, slow = data["faults"], data["slow"]
    assert isinstance(faults, list)  # noqa: S101 - made above
    assert isinstance(slow, list)  # noqa: S101 - made above
    for warning in slow:
        click.echo(f"slow: {warning}")
    for fault in faults:
        click.echo(f"not loaded: {fault}")
    if not faults:
        click.echo("every plugin loaded")


def _tell_of_models(models: dict[str, list[str]]) -> None:
    click.echo(f"models here: {', '.join(models['here']) or 'none'}")
    if models["missing"]:
        click.echo(f"models to fetch or import: {', '.join(models['missing'])}")
    for told in models["uninstalled"]:
        click.echo(f"model not installed: {told}")
    for fault in models["faults"]:
        click.echo(f"model not used: {fault}")
