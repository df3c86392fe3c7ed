"""Runs the graph of an exported model, node by node, with torch's own operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...host.contract.torch_segments import on_device
from ...host.models import CheckpointError
from .exported_archive import DTYPES
from .exported_operators import TRAINING, operator_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .exported_archive import Exported

__all__ = ["ExportedGraph"]

_DECOMPOSE = "save ep.run_decompositions() in place of ep"
_HELD = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}
_PLAIN = {
    "as_int", "as_ints", "as_float", "as_floats", "as_string", "as_strings", "as_bool", "as_bools",
    "as_int_lists", "as_float_lists",
}  # fmt: skip
_NAMED = {"as_tensor", "as_sym_int", "as_sym_float", "as_sym_bool", "as_optional_tensor"}
_NAMED_LISTS = {"as_tensors", "as_sym_ints", "as_sym_floats", "as_sym_bools", "as_optional_tensors"}
_MEMORY = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}


class _Node:
    """One call: what, with which arguments, under which names its results are kept, what is over after it."""

    __slots__ = ("arguments", "call", "over", "results", "target", "words")

    def __init__(self, target: str, call: Callable[..., Any]) -> None:
        self.target, self.call = target, call
        self.arguments: list[Any] = []
        self.words: dict[str, Any] = {}
        self.results: list[str | list[str] | None] = []
        self.over: list[str] = []


class _Name(str):
    """The name of a value, among arguments that are values themselves."""

    __slots__ = ()


class ExportedGraph:
    """A graph with its weights on a device. Calling it changes nothing, so it may be shared.

    Args:
        exported: what the archive holds.
        device: "cpu" or "cuda"; whatever device the file names.

    Raises:
        CheckpointError: the graph changes its weights, or uses an operator or a kind of argument that is not
            supported.
        PluginError: torch cannot use the device.

    Attributes:
        given: name and sizes of each input; None where a size may vary.
        made: the same of each output.
    """

    def __init__(self, exported: Exported, device: str) -> None:
        self._source, self._device = exported.source, device
        self._weights: dict[str, Any] = {}
        inputs, outputs = self._signature(exported)
        metas = exported.graph["tensor_values"]
        self.given = [(name, _sizes(metas[name])) for name in inputs]
        self.made = [(name, _sizes(metas[name])) for name in outputs]
        self._types = [self._setting("as_scalar_type", metas[name]["dtype"], "the model") for name in inputs]
        self._nodes = [self._node(node) for node in exported.graph["nodes"]]
        self._check_names(inputs, outputs)

    def __call__(self, *inputs: Any) -> list[Any]:
        """Return the outputs for these inputs, tensors on the device, in their order."""
        values = dict(self._weights)
        for (name, _), value, dtype in zip(self.given, inputs, self._types, strict=True):
            values[name] = value.to(dtype)
        for node in self._nodes:
            made = node.call(
                *(_filled(one, values) for one in node.arguments),
                **{word: _filled(one, values) for word, one in node.words.items()},
            )
            for names, value in zip(node.results, made if len(node.results) > 1 else (made,), strict=True):
                if isinstance(names, list):
                    values.update(zip(names, value, strict=True))
                elif names is not None:
                    values[names] = value
            for name in node.over:
                del values[name]
        return [values[name] for name, _ in self.made]

    # Reading

    def _refuse(self, told: str, remedy: str = _DECOMPOSE) -> CheckpointError:
        return CheckpointError(f"{self._source}: refused: {told}; {remedy}")

    def _signature(self, exported: Exported) -> tuple[list[str], list[str]]:
        """Keep the weights by the graph's names; return the names of the user's inputs and outputs."""
        inputs, outputs = [], []
        for spec in exported.signature["input_specs"]:
            ((kind, told),) = spec.items()
            if kind == "user_input":
                inputs.append(self._tensor_name(told["arg"]))
            elif kind in _HELD and told[_HELD[kind]] in exported.tensors:
                self._weights[told["arg"]["name"]] = on_device(
                    exported.tensors[told[_HELD[kind]]], self._device
                )
            else:
                raise self._refuse(f"its input {told!r:.80} is no tensor of the archive", "export it again")
        for spec in exported.signature["output_specs"]:
            ((kind, told),) = spec.items()
            if kind != "user_output":
                raise self._refuse(
                    f"it changes what it holds ({kind}), so one segment would change the next",
                    "export it in evaluation mode",
                )
            outputs.append(self._tensor_name(told["arg"]))
        return inputs, outputs

    def _tensor_name(self, argument: dict[str, Any]) -> str:
        if set(argument) != {"as_tensor"}:
            raise self._refuse(
                "an input or output of the model is no tensor", "export one that has none else"
            )
        return str(argument["as_tensor"]["name"])

    def _node(self, told: dict[str, Any]) -> _Node:
        target = told["target"]
        try:
            node = _Node(target, operator_of(target))
        except LookupError as error:
            raise self._refuse(f"it uses {target!r:.80}, and {error}") from None
        for given in told["inputs"]:
            value = self._argument(given["arg"], target)
            if given["name"] in TRAINING and value:
                raise self._refuse(
                    f"{target} is as it is trained", "call eval() on the network, export it again"
                )
            if given.get("kind") == 2 or target.startswith("torch.ops."):
                node.words[given["name"]] = value
            else:
                node.arguments.append(value)
        node.results = [self._result(one, target) for one in told["outputs"]]
        return node

    def _argument(self, told: dict[str, Any], target: str) -> Any:
        """Return an argument with `_Name` where a value of the graph belongs."""
        ((kind, value),) = told.items()
        if kind in _PLAIN:
            found: Any = value
        elif kind in _NAMED:
            found = _named(value)
        elif kind in _NAMED_LISTS:
            found = [_named(one) for one in value]
        elif kind == "as_nested_tensors":
            found = [[_named(one) for one in each] for each in value]
        elif kind == "as_none":
            found = None
        else:
            found = self._setting(kind, value, target)
        return found

    def _setting(self, kind: str, value: Any, target: str) -> Any:
        import torch

        if kind == "as_complex":
            return complex(value["real"], value["imag"])
        if kind == "as_device":
            return torch.device(self._device)
        if kind == "as_layout" and value == 7:
            return torch.strided
        if kind == "as_scalar_type" and value in DTYPES:
            return getattr(torch, DTYPES[value])
        if kind == "as_memory_format" and value in _MEMORY:
            return getattr(torch, _MEMORY[value])
        raise self._refuse(f"{target} takes an argument that is not supported ({kind})")

    def _result(self, told: dict[str, Any], target: str) -> str | list[str] | None:
        ((kind, value),) = told.items()
        if kind == "as_none":
            return None
        if kind == "as_tensors":
            return [str(one["name"]) for one in value]
        if kind in _NAMED:
            name = _named(value)
            if isinstance(name, _Name):
                return str(name)
        raise self._refuse(f"{target} gives a result that is not supported ({kind})")

    def _check_names(self, inputs: list[str], outputs: list[str]) -> None:
        """Hold every name that is used against those that are there by then; note where each is used last."""
        known = {*self._weights, *inputs}
        last: dict[str, _Node] = {}
        for node in self._nodes:
            used = {str(name) for name in _names([node.arguments, node.words])}
            if used - known:
                raise self._refuse(f"{node.target} takes {min(used - known)!r}, which is not there yet", "")
            made = {
                name for one in node.results for name in (one if isinstance(one, list) else [one]) if name
            }
            known |= made
            last.update(dict.fromkeys(used | made, node))
        if set(outputs) - known:
            raise self._refuse(
                f"its output {min(set(outputs) - known)!r} is made by no node", "export it again"
            )
        for name, node in last.items():
            if name not in outputs:
                node.over.append(name)


def _named(told: dict[str, Any]) -> Any:
    """Return the name in a reference, or the plain value that stands in its place."""
    for key in ("name", "as_name"):
        if key in told:
            return _Name(told[key])
    ((kind, value),) = told.items()
    if kind == "as_tensor":
        return _Name(value["name"])
    return None if kind == "as_none" else value


def _names(argument: Any) -> Iterator[_Name]:
    if isinstance(argument, _Name):
        yield argument
    elif isinstance(argument, list | dict):
        for one in argument.values() if isinstance(argument, dict) else argument:
            yield from _names(one)


def _filled(argument: Any, values: dict[str, Any]) -> Any:
    if isinstance(argument, _Name):
        return values[argument]
    if isinstance(argument, list):
        return [_filled(one, values) for one in argument]
    return argument


def _sizes(meta: dict[str, Any]) -> tuple[int | None, ...]:
    return tuple(side.get("as_int") for side in meta["sizes"])
