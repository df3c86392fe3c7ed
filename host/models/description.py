"""A checkpoint and what its owner says of it become a card, with the help of whoever knows the network.

The host knows no architecture: it asks the hook ``unbraid_describe_checkpoint`` of every plugin package.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .card import Format, Licence, ModelCard, ModelFile
from .card_document import parse_card, write_card
from .checkpoint_forms import form_of
from .errors import CheckpointError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..registry import Registry

__all__ = ["Checkpoint", "describe"]


class Checkpoint(msgspec.Struct, frozen=True):
    """What the hook ``unbraid_describe_checkpoint`` is asked about.

    Attributes:
        paths: its files, in the order that the architecture expects.
        forms: of each file.
        id: that the model is to have.
        licence: of code and weights, as their publishers state it.
        name: as people call it; "" where nobody says.
        config: the text of the configuration it was published with; "" without.
        rate: in Hz; 0 where nobody says. So are the next: what is said goes before what a file says.
        layout: "" where nobody says.
        stems: none where nobody says.
        options: for the architecture, over those that are found.
    """

    paths: tuple[Path, ...]
    forms: tuple[Format, ...]
    id: str
    licence: Licence
    name: str = ""
    config: str = ""
    rate: int = 0
    layout: str = ""
    stems: tuple[str, ...] = ()
    options: dict[str, Any] = {}

    @classmethod
    def of(cls, paths: Sequence[Path], **said: Any) -> Checkpoint:
        """Return the checkpoint that these files are, their forms told by their bytes.

        Args:
            paths: the files; those after an ONNX model are its external data.
            said: the other attributes.

        Raises:
            CheckpointError: a file cannot be read, or is of no known form.
        """
        first = form_of(paths[0])
        rest: list[Format] = ["onnx-data" if first == "onnx" else form_of(path) for path in paths[1:]]
        return cls(tuple(paths), (first, *rest), **said)

    @property
    def source(self) -> str:
        """The first file, as error texts name it."""
        return str(self.paths[0])

    def files(self, inside: str = "") -> tuple[ModelFile, ...]:
        """Return the files of the card, not measured yet.

        Args:
            inside: the key (dotted) of the mapping that holds the tensors.
        """
        names = [re.sub(r"[^A-Za-z0-9._+-]+", "_", path.name).lstrip("._+-")[:128] for path in self.paths]
        return tuple(
            ModelFile(name or f"file{place}", form, inside=inside)
            for place, (name, form) in enumerate(zip(names, self.forms, strict=True))
        )

    def card(
        self,
        architecture: str,
        options: dict[str, Any],
        *,
        rate: int = 0,
        layout: str = "",
        stems: Sequence[str] = (),
        inside: str = "",
    ) -> ModelCard:
        """Return a card of what was found, under what the owner says.

        Args:
            architecture: by which the plugin knows the network.
            options: that were found.
            rate: that was found, in Hz; so are the next, and nobody else's word is needed where they are.
            layout: "mono", "stereo", as `Layout` reads it.
            stems: in the network's order.
            inside: the key (dotted) of the mapping that holds the tensors.

        Raises:
            CheckpointError: something is neither found nor said.
            ModelCardError: something that is said cannot be.
        """
        found = {
            "rate": self.rate or rate,
            "layout": self.layout or layout,
            "stems": self.stems or tuple(stems),
        }
        if missing := [f"--{key}" for key, value in found.items() if not value]:
            raise CheckpointError(f"{self.source}: does not say all of itself; give {' and '.join(missing)}")
        card = ModelCard(
            id=self.id,
            name=self.name or self.id,
            architecture=architecture,
            files=self.files(inside),
            licence=self.licence,
            options={**options, **self.options},
            **found,  # type: ignore[arg-type]
        )
        return _good(card, self.source)


def describe(checkpoint: Checkpoint, registry: Registry) -> ModelCard:
    """Return a card for a checkpoint; its files are not measured, which ``unbraid models import`` does.

    Args:
        checkpoint: the files, and what is said of them.
        registry: whose packages are asked, one after another, until one knows the network.

    Raises:
        CheckpointError: nobody knows it, or it lacks something that a card must say.
        ModelCardError: what is said cannot be.
        PluginError: a package's hook failed.
    """
    for package, card in registry.answers("unbraid_describe_checkpoint", checkpoint=checkpoint):
        if not isinstance(card, ModelCard):
            raise ModelError(f"unbraid_describe_checkpoint of {package} gave {card!r:.60}, not a ModelCard")
        return _good(card, checkpoint.source)
    forms = ", ".join(dict.fromkeys(checkpoint.forms))
    raise CheckpointError(
        f"{checkpoint.source}: is of a network that nobody here knows ({forms}); give --config with the "
        "configuration it was published with, or write its card by hand"
    )


def _good(card: ModelCard, source: str) -> ModelCard:
    """Return a card as it will be read, once every rule of cards was held against it."""
    return parse_card(write_card(card), f"the card of {source}", measured=False)
