"""Reads an archive of ``torch.export.save`` as data: its graph as JSON, its tensors as bytes.

``torch.export.load`` is not used: it unpickles (``weights_only=False``) sample inputs and constants,
evaluates the text of symbolic sizes, and looks up whatever operator the file names. Here nothing is unpickled
or evaluated; what is pickled is refused, but for the sample inputs, which nobody needs and nobody opens.

Source: ``torch/_export/serde/schema.py`` of PyTorch 2.13, schema 8.
"""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...host.models import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DTYPES", "Exported", "read_exported"]

_SCHEMA = 8
_MOST_JSON = 1 << 28
#: torch's names by the numbers of the schema's ``ScalarType``.
DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
}  # fmt: skip
_AGAIN = "copy it again, or save it with torch.export.save of a current torch"


@dataclass(frozen=True)
class Exported:
    """What an archive holds.

    Attributes:
        source: the file's name, for error texts.
        graph: the nodes, as the schema writes them.
        signature: what each input and output of the graph is.
        tensors: torch tensors by the name that the signature gives them.
    """

    source: str
    graph: dict[str, Any]
    signature: dict[str, Any]
    tensors: dict[str, Any]


def read_exported(path: Path) -> Exported:
    """Read an archive.

    Raises:
        CheckpointError: it is cut short, compressed, of another schema or byte order, has no or several
            models, or holds something that would have to be unpickled; torch is not installed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Reading(archive, path).read()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        told = " ".join(str(error).split())
        raise CheckpointError(
            f"{path}: is no whole archive of torch.export.save: {told:.120}; copy it again"
        ) from None
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path}: is not as torch.export.save writes it: {error!r:.120}") from None


class _Reading:
    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self._path = archive, path
        self._members = {
            one.filename.partition("/")[2]: one for one in archive.infolist() if not one.is_dir()
        }

    def read(self) -> Exported:
        if "archive_format" not in self._members or self._bytes("archive_format") != b"pt2":
            raise self._fault(f"is no whole archive of torch.export.save; {_AGAIN}")
        if "byteorder" in self._members and self._bytes("byteorder") != b"little":
            raise self._fault("is big-endian, which is not supported")
        models = [name for name in self._members if name.startswith("models/") and name.endswith(".json")]
        if len(models) != 1:
            raise self._fault(f"holds {len(models)} models, and one is wanted")
        program = self._json(models[0])
        major = program["schema_version"]["major"]
        if major != _SCHEMA:
            raise self._fault(f"is of schema {major!r:.20}, and {_SCHEMA} is known; {_AGAIN}")
        model = models[0].removeprefix("models/").removesuffix(".json")
        module = program["graph_module"]
        tensors = self._tensors("data/weights/", f"{model}_weights_config.json")
        tensors |= self._tensors("data/constants/", f"{model}_constants_config.json")
        return Exported(str(self._path), module["graph"], module["signature"], tensors)

    def _fault(self, told: str) -> CheckpointError:
        return CheckpointError(f"{self._path}: {told}")

    def _bytes(self, name: str) -> bytes:
        if name not in self._members:
            raise self._fault(f"has no {name}; {_AGAIN}")
        found = self._members[name]
        # torch compresses nothing; what is compressed might unfold to any size.
        if found.compress_type != zipfile.ZIP_STORED:
            raise self._fault(f"its {name} is compressed, which torch.export.save never does: refused")
        return self._archive.read(found)

    def _json(self, name: str) -> Any:
        text = self._bytes(name)
        if len(text) > _MOST_JSON:
            raise self._fault(f"its {name} has {len(text)} bytes: is this a model?")
        return json.loads(text)

    def _tensors(self, folder: str, config: str) -> dict[str, Any]:
        try:
            import torch
        except ImportError:
            raise self._fault("needs torch: pip install 'unbraid[models]'") from None
        flat: dict[tuple[str, str], Any] = {}
        found = {}
        for name, entry in self._json(folder + config)["config"].items():
            meta, place = entry["tensor_meta"], entry["path_name"]
            if entry["use_pickle"] or meta is None:
                raise self._fault(f"refused: {name!r:.60} is pickled, and it was not run")
            dtype = DTYPES.get(meta["dtype"], "")
            if not dtype:
                raise self._fault(f"{name!r:.60} is of a type that is not supported ({meta['dtype']!r:.20})")
            if (place, dtype) not in flat:
                data = self._bytes(folder + place)
                kind = getattr(torch, dtype)
                flat[place, dtype] = (
                    torch.frombuffer(bytearray(data), dtype=kind) if data else torch.empty(0, dtype=kind)
                )
            found[name] = self._strided(flat[place, dtype], meta, name)
        return found

    def _strided(self, flat: Any, meta: dict[str, Any], name: str) -> Any:
        """Return a tensor of its own over a stretch of the file, if it lies within."""
        sizes = [side["as_int"] for side in meta["sizes"]]
        strides = [step["as_int"] for step in meta["strides"]]
        offset = meta["storage_offset"]["as_int"]
        numbers = [*sizes, *strides, offset]
        whole = len(sizes) == len(strides) and all(type(one) is int and one >= 0 for one in numbers)
        last = offset + sum((side - 1) * step for side, step in zip(sizes, strides, strict=False))
        # Repeated elements would let a small file stand for a tensor of any size.
        inside = math.prod(sizes) == 0 or (last < flat.numel() and math.prod(sizes) <= flat.numel())
        if not whole or not inside or meta["layout"] != 7:
            raise self._fault(f"{name!r:.60} is no tensor that lies within its file")
        return flat.as_strided(sizes, strides, offset).clone()
