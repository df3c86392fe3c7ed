"""``unbraid models card``: a checkpoint becomes a model without a line of Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..models import Checkpoint

__all__ = ["card_of_checkpoint"]


@click.command("card")
@click.argument("checkpoints", metavar="CHECKPOINT...", nargs=-1, required=True)
@click.option("--id", "model", metavar="ID", required=True, help="The id that the model gets.")
@click.option("--licence-code", metavar="SPDX", required=True, help="Licence of the network's code.")
@click.option("--licence-weights", metavar="SPDX", required=True, help="Licence of the weights.")
@click.option("--config", metavar="FILE", help="The configuration that the checkpoint was published with.")
@click.option("--name", default="", help="What people call it.")
@click.option("--rate", type=click.IntRange(1), metavar="HZ", help="Its sample rate.")
@click.option("--layout", default="", help="Its layout, such as stereo.")
@click.option("--stems", default="", metavar="A,B", help="Its stems, in its order.")
@click.option(
    "--option", "options", multiple=True, metavar="KEY=VALUE", help="For the architecture, as segment=44100."
)
@click.option("-o", "--output", metavar="CARD.yaml", help="Where to write the card; without it, it is shown.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def card_of_checkpoint(checkpoints: tuple[str, ...], output: str | None, as_json: bool, **said: Any) -> None:
    """Write a card for a checkpoint, for `unbraid models import`.

    What the file or its configuration says is taken from there; what you say goes before it. Several files
    are one model: networks that vote, a network for each stem, an ONNX model and its external data.
    """
    from ..models import describe, write_card
    from ..registry import Registry

    described = describe(
        _checkpoint(checkpoints, said), Registry.discover(only="unbraid_describe_checkpoint")
    )
    text = write_card(described)
    if output is not None:
        _write(Path(output), text)
    if as_json:
        click.echo(json.dumps({"id": described.id, "card": text, "path": output}))
    elif output is None:
        click.echo(text, nl=False)
    else:
        files = " ".join(checkpoints)
        click.echo(f"{output}: {described.notice}; next: unbraid models import {files} --card {output}")


def _checkpoint(paths: tuple[str, ...], said: dict[str, Any]) -> Checkpoint:
    """Return what the options of ``unbraid models card`` say."""
    from ..models import Checkpoint, Licence

    return Checkpoint.of(
        [Path(path) for path in paths],
        id=said["model"],
        name=said["name"],
        licence=Licence(said["licence_code"], said["licence_weights"]),
        config=_text_of(said["config"]) if said["config"] else "",
        rate=said["rate"] or 0,
        layout=said["layout"],
        stems=tuple(filter(None, (stem.strip() for stem in said["stems"].split(",")))),
        options=dict(_option(text) for text in said["options"]),
    )


def _write(path: Path, text: str) -> None:
    from ..models.settled import whole_file

    if path.exists():
        raise click.UsageError(f"{path} is there already; give -o another name, or remove it")
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise click.UsageError(f"--config {path}: {reason}") from None


def _option(text: str) -> tuple[str, Any]:
    from ..graph.yaml_reader import read

    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.UsageError(f"--option {text}: write KEY=VALUE, as in --option segment=44100")
    return key, read(value, f"--option {key}").value
