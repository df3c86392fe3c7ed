"""The model card: what a set of weights is, where its files come from, and under what licences."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from ..contract.audio import Layout

__all__ = ["FORMATS", "Format", "Licence", "ModelCard", "ModelFile", "PackageFile"]

Format = Literal["safetensors", "torch", "numpy-pickle", "onnx", "onnx-data", "torch-export"]
#: How a file may hold its tensors (see `load_tensors`), or the network with them (see `PROGRAMS`).
FORMATS: tuple[Format, ...] = ("safetensors", "torch", "numpy-pickle", "onnx", "onnx-data", "torch-export")

# "NC" as in CC-BY-NC-4.0, or words that say as much.
_NON_COMMERCIAL = re.compile(
    r"(?<![A-Za-z])NC(?![A-Za-z])|non-?\s?commercial|research[ -](use )?only", re.IGNORECASE
)


class Licence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The licences of a model: SPDX identifiers, or a short text where there is none.

    Attributes:
        code: of the code that defines the network.
        weights: of the trained weights.
    """

    code: str
    weights: str

    @property
    def non_commercial(self) -> bool:
        """Whether one of them allows non-commercial use only, as far as its name says.

        Example:
            >>> Licence("MIT", "CC-BY-NC-SA-4.0").non_commercial, Licence("MIT", "MIT").non_commercial
            (True, False)
        """
        return any(_NON_COMMERCIAL.search(text) for text in (self.code, self.weights))

    def __str__(self) -> str:
        flag = " (NON-COMMERCIAL use only)" if self.non_commercial else ""
        return f"code {self.code}, weights {self.weights}{flag}"


class PackageFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that an installed distribution holds.

    Attributes:
        distribution: as pip knows it.
        path: inside the distribution, as its record lists it.
        extra: the extra of Unbraid that installs it; "" where there is none.
    """

    distribution: str
    path: str
    extra: str = ""

    @property
    def remedy(self) -> str:
        """The command that installs it."""
        return f"pip install 'unbraid[{self.extra}]'" if self.extra else f"pip install {self.distribution}"


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a model. With neither ``url`` nor ``package`` it can only be imported.

    Attributes:
        name: its name in the store.
        format: how it holds its tensors.
        sha256: of the whole file, 64 hexadecimal digits; "" only in a card that is about to be imported.
        size: in bytes; 0 only in a card that is about to be imported.
        url: where it is fetched, https or http.
        package: where it lies when it came with a distribution.
        inside: the key (dotted) of the mapping that holds the tensors, where they are not at the top.
    """

    name: str
    format: Format
    sha256: str = ""
    size: int = 0
    url: str = ""
    package: PackageFile | None = None
    inside: str = ""


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything about a model but its weights.

    Attributes:
        id: short and unique, such as "spleeter-2stems".
        name: as people call it.
        architecture: the name by which a plugin knows what network to build.
        rate: the sample rate the network was trained at, in Hz.
        layout: the layout it takes; see `channels`.
        stems: what it gives, in the network's order.
        files: in the order the architecture expects.
        licence: of its code and of its weights.
        doc: one sentence.
        options: what else the architecture needs to know; it checks them itself.
        source: the paper or page it comes from.
        homepage: where people find it.
    """

    id: str
    name: str
    architecture: str
    rate: int
    layout: str
    stems: tuple[str, ...]
    files: tuple[ModelFile, ...]
    licence: Licence
    doc: str = ""
    options: dict[str, Any] = {}
    source: str = ""
    homepage: str = ""

    @property
    def channels(self) -> int:
        """How many channels the network takes."""
        return Layout.parse(self.layout).channels

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def notice(self) -> str:
        """One line for whoever uses the model: its name, and the licences of code and weights."""
        return f"{self.name} ({self.id}): {self.licence}"

    def file(self, name: str = "") -> ModelFile:
        """Return a file by name; without one, the only file.

        Raises:
            KeyError: there is no such file, or no name was given and there are several.
        """
        chosen = [file for file in self.files if name in ("", file.name)]
        if len(chosen) != 1:
            names = ", ".join(file.name for file in self.files)
            raise KeyError(f"model {self.id} has no single file {name!r}: it has {names}")
        return chosen[0]
