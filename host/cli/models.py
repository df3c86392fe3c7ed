"""``unbraid models list|show|fetch|verify|import|card|remove``."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import Cancelled, UnbraidError
from .model_card import card_of_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..models import Catalogue, ModelCard, Store, Verdict
    from ..models.transfer import Progress

__all__ = ["command"]


@click.group("models")
def command() -> None:
    """List models, show one with its licences, fetch, verify, import or remove their files, write cards."""


command.add_command(card_of_checkpoint)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(as_json: bool) -> None:
    """List every model that is known, and whether its files are here; cards that are wrong come last."""
    from .eval_table import columns

    catalogue, store = _found()
    cards = sorted(catalogue.cards.values(), key=lambda card: card.id)
    rows = [_row(card, catalogue, store) for card in cards]
    if as_json:
        click.echo(json.dumps({"models": rows, "faults": [str(fault) for fault in catalogue.faults]}))
        return
    table = [
        [row["id"], row["state"], _size(row["size"]), f"{row['rate']} Hz", row["licence"]["weights"],
         "NON-COMMERCIAL" if row["licence"]["non_commercial"] else "", " ".join(row["stems"])]
        for row in rows
    ]  # fmt: skip
    for line in columns(table) if table else ["no models are known"]:
        click.echo(line)
    for fault in catalogue.faults:
        click.echo(f"not used: {fault}", err=True)


@command.command("show")
@click.argument("model", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_model(model: str, as_json: bool) -> None:
    """Show one model: what it gives, where it comes from, its licences, and its files."""
    catalogue, store = _found()
    card = catalogue.card(model)
    data = _data(card, catalogue, store)
    click.echo(json.dumps(data) if as_json else _text(data))


@command.command("fetch")
@click.argument("models", metavar="ID...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Fetch again what is here.")
@click.option("--offline", is_flag=True, help="Open no connection; an error if one is needed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fetch_models(models: tuple[str, ...], force: bool, offline: bool, as_json: bool) -> int:
    """Bring the files of models here, going on with what broke off, and check their sha256.

    A model that cannot be fetched is named, and the others are fetched.
    """
    from ..models import fetch

    catalogue, store = _found()
    cards = [catalogue.card(model) for model in dict.fromkeys(models)]
    done, failed = [], []
    for card in cards:
        click.echo(card.notice, err=True)
        try:
            with _progress(quiet=as_json) as progress:
                paths = fetch(card, store, force=force, offline=offline, progress=progress, told=_say)
        except KeyboardInterrupt:
            text = f"interrupted; what came of {card.id} stays, and the next fetch goes on from there"
            raise Cancelled(text) from None
        except UnbraidError as error:
            failed.append(str(error))
            continue
        done.append({"id": card.id, "licence": _licence(card), "paths": [str(path) for path in paths]})
        if not as_json:
            where = f"{_size(card.size)} in {paths[0].parent}" if paths else "needs no files"
            click.echo(f"{card.id}: {where}")
    return _end({"models": done, "errors": failed}, as_json=as_json)


@command.command("verify")
@click.argument("models", metavar="ID...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify_models(models: tuple[str, ...], as_json: bool) -> int:
    """Hash the files of models anew; exit 1 if one is not what its card says.

    Without names, every model of which something is here is verified.
    """
    from ..models.convert import converted_fault

    catalogue, store = _found()
    cards = [catalogue.card(model) for model in dict.fromkeys(models)]
    rows, failed = [], []
    for card in cards or catalogue.cards.values():
        verdicts = [store.verdict(card, file, anew=True) for file in card.files]
        if not models and all(verdict.state not in {"here", "corrupt"} for verdict in verdicts):
            continue
        faults = list(dict.fromkeys(verdict.told for verdict in verdicts if verdict.told))
        faults += filter(None, (converted_fault(card, file, store) for file in card.files))
        failed += [f"{card.id}: {fault}" for fault in faults]
        rows.append({"id": card.id, "files": [_verdict(verdict) for verdict in verdicts]})
        if not as_json and not faults:
            state = f"{_size(card.size)}, as its card says" if verdicts else "needs no files"
            click.echo(f"{card.id}: {state}")
    return _end({"models": rows, "errors": failed}, as_json=as_json)


@command.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--like", metavar="ID", help="The files are this model's; their sha256 must be its card's.")
@click.option("--card", metavar="CARD.yaml", help="The files get this card; a sha256 it lacks is measured.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_models(files: tuple[str, ...], like: str | None, card: str | None, as_json: bool) -> int:
    """Copy checkpoints that are here already to where models are kept."""
    from ..models import import_files, import_with_card

    if (like is None) == (card is None):
        raise click.UsageError("give either --like ID or --card CARD.yaml")
    catalogue, store = _found()
    sources = [Path(file) for file in files]
    if like is not None:
        taken = catalogue.card(like)
        import_files(sources, taken, store)
    else:
        taken = import_with_card(sources, Path(str(card)), catalogue, store)
    verdicts = [store.verdict(taken, file) for file in taken.files]
    click.echo(taken.notice, err=True)
    if not as_json:
        for verdict in verdicts:
            click.echo(f"{verdict.file.name}: {verdict.told or verdict.path}")
    files_data = [_verdict(verdict) for verdict in verdicts]
    data = {"id": taken.id, "licence": _licence(taken), "files": files_data}
    return _end({"models": [data], "errors": []}, as_json=as_json)


@command.command("remove")
@click.argument("models", metavar="ID...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def remove_models(models: tuple[str, ...], as_json: bool) -> int:
    """Delete what was fetched, imported or converted of models; cards and packages' files stay."""
    from ..models import remove

    catalogue, store = _found()
    for model in models:
        if model not in _leftovers(store):  # a model whose card is gone may have left files
            catalogue.card(model)
    done, failed = [], []
    for model in dict.fromkeys(models):
        try:
            freed = remove(model, store, told=_say)
        except UnbraidError as error:
            failed.append(str(error))
            continue
        card = catalogue.places.get(model)
        done.append({"id": model, "freed": freed, "card": None if card is None else str(card)})
        if not as_json:
            stays = f"; its card stays: {card}" if card is not None else ""
            click.echo(f"{model}: {_size(freed)} freed{stays}" if freed else f"{model}: nothing was here")
    return _end({"models": done, "errors": failed}, as_json=as_json)


def _leftovers(store: Store) -> set[str]:
    try:
        return {path.name for path in store.root.iterdir() if path.is_dir() and path.name[0] != "."}
    except OSError:
        return set()


def _found() -> tuple[Catalogue, Store]:
    from ..models import Catalogue, Store

    return Catalogue.discover(), Store()


def _end(data: dict[str, Any], *, as_json: bool) -> int:
    """Print what was done where JSON is asked for, and what failed; return the exit code."""
    if as_json:
        click.echo(json.dumps(data))
    for line in data["errors"]:
        click.echo(f"unbraid: {line}", err=True)
    return 1 if data["errors"] else 0


def _say(text: str) -> None:
    click.echo(text, err=True)


def _size(size: int) -> str:
    from ..models.store import megabytes

    return megabytes(size)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    """A bar on a terminal, one for each file; nothing elsewhere."""
    import sys

    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda name, done, size: None  # noqa: ARG005 - the protocol's names
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(name: str, done: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=size)
            bar.update(tasks[name], completed=done)

        yield show


def _licence(card: ModelCard) -> dict[str, Any]:
    licence = card.licence
    return {
        "code": licence.code,
        "weights": licence.weights,
        "non_commercial": licence.non_commercial,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.file.name,
        "state": verdict.state,
        "path": None if verdict.path is None else str(verdict.path),
        "told": verdict.told,
    }


def _row(card: ModelCard, catalogue: Catalogue, store: Store) -> dict[str, Any]:
    states = [store.verdict(card, file).state for file in card.files]
    return {
        "id": card.id,
        "name": card.name,
        "state": next((state for state in states if state != "here"), "here"),
        "stems": list(card.stems),
        "rate": card.rate,
        "size": card.size,
        "licence": _licence(card),
        "package": catalogue.origins[card.id],
    }


def _data(card: ModelCard, catalogue: Catalogue, store: Store) -> dict[str, Any]:
    files = []
    for file in card.files:
        package = file.package
        source = file.url or ("" if package is None else f"{package.distribution}: {package.path}")
        files.append(
            _verdict(store.verdict(card, file))
            | {"format": file.format, "size": file.size, "sha256": file.sha256, "from": source}
        )
    return _row(card, catalogue, store) | {
        "doc": card.doc,
        "architecture": card.architecture,
        "layout": card.layout,
        "options": card.options,
        "source": card.source,
        "homepage": card.homepage,
        "card": str(catalogue.places[card.id]),
        "files": files,
    }


def _text(data: dict[str, Any]) -> str:
    licence = data["licence"]
    flag = "  NON-COMMERCIAL use only" if licence["non_commercial"] else ""
    lines = [f"{data['id']}: {data['name']} (from {data['package']})"]
    lines += [data["doc"]] if data["doc"] else []
    lines.append(f"gives {', '.join(data['stems'])} of {data['layout']} at {data['rate']} Hz")
    lines.append(f"licence: code {licence['code']}, weights {licence['weights']}{flag}")
    options = "".join(f", {key} {value}" for key, value in data["options"].items())
    lines.append(f"architecture: {data['architecture']}{options}")
    lines += [f"{key}: {data[key]}" for key in ("source", "homepage", "card") if data[key]]
    for file in data["files"]:
        lines.append(f"  {file['name']}  {file['format']}, {_size(file['size'])}, {file['state']}")
        lines.append(f"    sha256 {file['sha256']}")
        lines += [f"    from {file['from']}"] if file["from"] else []
        lines += [f"    {file['told'] or file['path']}"]
    return "\n".join(lines)
