"""``unbraid adm show``, ``check``, ``render`` and ``scene``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..adm.reader import AdmFile

__all__ = ["command"]


@click.group("adm")
def command() -> None:
    """Show, check or render a file with ADM: beds and objects."""


@command.command("show")
@click.argument("file")
@click.option("--picture", metavar="PNG", help="Also draw where objects are over time.")
@click.option("--no-loudness", is_flag=True, help="Do not measure renders, which reads the whole sound.")
@click.option("--overwrite", is_flag=True, help="Replace a picture that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(file: str, picture: str | None, no_loudness: bool, overwrite: bool, as_json: bool) -> None:
    """Show what FILE holds: programme, contents, beds, objects and their places, loudness.

    Loudness is that which the file states, and that of renders to stereo, 5.1 and 7.1.4.
    """
    from pathlib import Path

    from ..adm.reader import read_adm
    from ..adm.show import as_data, as_lines, measured

    found = read_adm(file)
    if picture is not None:
        from ..adm.trajectories import draw_scene

        draw_scene(Path(picture), found.scene, overwrite=overwrite)
    data = as_data(found, None if no_loudness else measured(found))
    if as_json:
        click.echo(json.dumps(data))
        return
    for line in as_lines(data):
        click.echo(line)
    _warn(found)


def _warn(found: AdmFile) -> None:
    for line in found.warnings:
        click.echo(f"warning: {found.path}: {line}", err=True)


@command.command("check")
@click.argument("file")
@click.option("--profile", metavar="NAME", help="bs2127 or dolby; by default what the file seems to be.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(file: str, profile: str | None, as_json: bool) -> int:
    """Hold FILE to the rules of its profile; every one that is broken is told, with its place and a remedy.

    Exit code 0 when there are no errors, though there may be warnings; 1 when there are.
    """
    from dataclasses import asdict

    from ..adm.check import check_adm

    findings = check_adm(file, profile)
    errors = sum(finding.level == "error" for finding in findings)
    warnings = len(findings) - errors
    if as_json:
        told = [asdict(finding) for finding in findings]
        click.echo(json.dumps({"path": file, "errors": errors, "warnings": warnings, "findings": told}))
    else:
        for finding in findings:
            click.echo(str(finding))
        click.echo(f"{file}: {errors} errors, {warnings} warnings")
    return 1 if errors else 0


@command.command("render")
@click.argument("file")
@click.option("-o", "--output", "out", required=True, metavar="WAV", help="The file to write.")
@click.option("--layout", required=True, metavar="NAME", help="stereo, 5.1, 7.1, 7.1.2, 5.1.4 or 7.1.4.")
@click.option(
    "--subtype",
    type=click.Choice(["PCM_16", "PCM_24", "PCM_32", "FLOAT"]),
    help="Sample format; by default FILE's.",
)
@click.option(
    "--on-clip",
    type=click.Choice(["clip", "error", "float"]),
    default="clip",
    show_default=True,
    help="What to do with samples beyond full scale.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def render(
    file: str, out: str, layout: str, subtype: str | None, on_clip: str, overwrite: bool, as_json: bool
) -> None:
    """Render FILE on the loudspeakers of a layout, after ITU-R BS.2127."""
    from dataclasses import asdict

    from ..adm.playback import render_adm

    done = render_adm(file, layout, out, subtype=subtype, on_clip=on_clip, overwrite=overwrite)  # type: ignore[arg-type]
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    click.echo(f"{done.path}: {done.layout}, {done.rate} Hz, {done.length / done.rate:.3f} s, {done.subtype}")
    if done.clipped:
        click.echo(f"warning: {done.path}: {done.clipped} samples clipped; choose --on-clip float", err=True)
    for line in done.warnings:
        click.echo(f"warning: {line}", err=True)


@command.command("scene")
@click.argument("file")
def scene(file: str) -> None:
    """Print the scene that FILE holds as JSON: places in degrees, times in samples."""
    from ..adm.reader import read_adm
    from ..scene.document import to_json

    found = read_adm(file)
    click.echo(to_json(found.scene), nl=False)
    _warn(found)
