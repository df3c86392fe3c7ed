"""Reads an ONNX model as data and makes it self-contained: no file is opened but those of its card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...host.models import CheckpointError
from .options import card_fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...host.models import ModelCard

__all__ = ["self_contained"]

#: The domains whose operators ONNX Runtime brings itself.
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
#: Operators that draw random numbers, so that no two runs are equal.
_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
#: A context of another compiler, which may name a file.
_FOREIGN = frozenset({"EPContext"})
_MOST = 2**31 - 1  # bytes of a protocol buffer


def self_contained(card: ModelCard, paths: list[Path]) -> bytes:
    """Return an ONNX model whose external data have been put into it, for an engine that opens no file.

    Args:
        card: the model's: its first file is the model, the others are its external data.
        paths: where they lie, verified.

    Raises:
        ModelCardError: the card's files are of other formats.
        CheckpointError: onnx is not installed; the model is cut short, names a file that is not on its card,
            an operator that no engine of ours has, or one that draws random numbers; it is 2 GiB or more.
    """
    first, *others = card.files or (None,)
    if first is None or first.format != "onnx" or any(file.format != "onnx-data" for file in others):
        remedy = "one file of format onnx, then, if it has some, those of format onnx-data"
        raise card_fault(card, "files", "are not those of an ONNX model", remedy)
    model = _parsed(paths[0])
    _check_operators(model, paths[0])
    beside = {file.name: path for file, path in zip(card.files[1:], paths[1:], strict=True)}
    held: dict[str, memoryview] = {}
    for tensor in _every(model, "TensorProto"):
        if tensor.data_location or tensor.external_data:
            _take_in(tensor, beside, held, paths[0])
    if model.ByteSize() > _MOST:
        raise CheckpointError(f"{paths[0]}: has 2 GiB or more with its external data, which is not supported")
    text: bytes = model.SerializeToString()
    return text


def _parsed(path: Path) -> Any:
    try:
        import onnx
    except ImportError:
        raise CheckpointError(f"{path}: needs onnx: pip install 'unbraid[onnx]'") from None
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - the parser raises a type of its own
        told = " ".join(str(error).split())
        raise CheckpointError(f"{path}: is no whole ONNX model: {told:.120}; fetch it again") from None
    if not model.HasField("graph"):
        raise CheckpointError(f"{path}: is no ONNX model: it has no graph")
    return model


def _every(message: Any, kind: str) -> Iterator[Any]:
    """Yield every message of a kind, however deep it stands: in subgraphs, functions, attributes."""
    for _, value in message.ListFields():
        for one in (value,) if hasattr(value, "ListFields") else value if hasattr(value, "add") else ():
            if one.DESCRIPTOR.name == kind:
                yield one
            if one.DESCRIPTOR.name != "TensorProto":  # which holds no other
                yield from _every(one, kind)


def _check_operators(model: Any, path: Path) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for node in _every(model, "NodeProto"):
        if (node.domain, node.op_type) in own:
            continue
        if node.domain not in _DOMAINS or node.op_type in _FOREIGN:
            raise CheckpointError(
                f"{path}: refused: it needs the operator {node.op_type} of {node.domain or 'ai.onnx'}, "
                "which is not one of ONNX's; export it with ONNX's own operators only"
            )
        if node.op_type in _RANDOM:
            raise CheckpointError(
                f"{path}: refused: it draws random numbers ({node.op_type}), so no two runs are equal; "
                "export it in evaluation mode"
            )


def _take_in(tensor: Any, beside: dict[str, Path], held: dict[str, memoryview], path: Path) -> None:
    """Put a tensor's external data into it, from a file of the card."""
    told = {entry.key: entry.value for entry in tensor.external_data}
    name = told.get("location", "")
    if name not in beside:
        raise CheckpointError(
            f"{path}: refused: tensor {tensor.name!r:.60} lies in {name!r:.80}, which is no file of its "
            "card; list it under files with format: onnx-data"
        )
    if name not in held:
        held[name] = memoryview(beside[name].read_bytes())
    size = len(held[name])
    try:
        start = int(told.get("offset") or 0)
        length = int(told.get("length") or size - start)
    except ValueError:
        start = length = -1
    if start < 0 or length < 0 or start + length > size:
        raise CheckpointError(f"{path}: tensor {tensor.name!r:.60} lies beyond the end of {name}")
    tensor.raw_data = bytes(held[name][start : start + length])
    del tensor.external_data[:]
    tensor.data_location = 0
