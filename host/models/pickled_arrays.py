"""Reads NumPy arrays out of a pickle without running it.

A pickle is a program that may call anything. Here it is taken apart operation by operation (the standard
library's ``pickletools``), and the few things that a dictionary of arrays needs are carried out by this
module itself, on plain data; no name in the pickle is ever imported. Whatever else it asks for is refused
by name. Memory is bounded by the length of the pickle: no array, and no text, is larger than its bytes.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import TYPE_CHECKING, Any

from .errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

__all__ = ["read_pickle"]

#: Kinds of numbers, by the names NumPy writes.
_DTYPES = {
    *("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"),
}
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
#: What a pickle may name, and what this module takes it for.
_NAMES = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("collections", "OrderedDict"): "dict",
    ("_codecs", "encode"): "encode",
    ("__builtin__", "bytes"): "bytes",
    ("builtins", "bytes"): "bytes",
    **{(module, "_reconstruct"): "array" for module in _MULTIARRAY},
    **{(module, "scalar"): "scalar" for module in _MULTIARRAY},
    **{(module, "_frombuffer"): "frombuffer" for module in _NUMERIC},
}


#: Operations whose argument is the value.
_PLAIN = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_FIXED: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_NOTHING = {"PROTO", "FRAME", "STOP"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS, _GETS = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
#: Every other operation that is taken, by the method that carries it out.
_OPERATIONS = {
    **dict.fromkeys(_PUTS, "put"),
    **dict.fromkeys(_GETS, "get"),
    **dict.fromkeys(("GLOBAL", "INST"), "named"),
    "APPEND": "append",
    "APPENDS": "appends",
    "BUILD": "build",
    "DICT": "dict_marked",
    "LIST": "list_marked",
    "MARK": "mark",
    "MEMOIZE": "memoize",
    "POP": "pop",
    "POP_MARK": "since_mark",
    "REDUCE": "reduce",
    "SETITEM": "setitem",
    "SETITEMS": "setitems",
    "STACK_GLOBAL": "stack_named",
    "TUPLE": "tuple_marked",
}


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that is allowed, never the thing itself."""

    kind: str
    written: str


@dataclass(slots=True)
class _Dtype:
    code: str
    order: str = "="

    def real(self) -> np.dtype[Any]:
        import numpy as np

        return np.dtype(self.code).newbyteorder(self.order)  # type: ignore[arg-type]


@dataclass(slots=True)
class _Array:
    value: npt.NDArray[Any] | None = None


class _Mark:
    pass


class _Refused(Exception):  # noqa: N818 - it becomes a CheckpointError where the file's name is known
    pass


def read_pickle(data: bytes, source: str) -> Any:
    """Return what a pickle of arrays holds.

    Dictionaries, lists, tuples, text, bytes, numbers, None and arrays (bool, integer, float, complex) come
    back as themselves; an ``OrderedDict`` comes as a ``dict``.

    Args:
        data: the pickle, of any protocol.
        source: its name in error texts.

    Raises:
        CheckpointError: it names anything else, holds objects, is cut short, or is no pickle.

    Example:
        >>> import pickle, numpy as np
        >>> read_pickle(pickle.dumps({"w": np.ones(2, np.float32)}), "w.pkl")
        {'w': array([1., 1.], dtype=float32)}
    """
    machine = _Machine(len(data))
    try:
        for operation, argument, _ in pickletools.genops(BytesIO(data)):
            machine.step(operation.name, argument)
        return machine.result()
    except _Refused as error:
        raise CheckpointError(f"{source}: refused: {error}; it was not run") from None
    except MemoryError:
        raise CheckpointError(f"{source}: does not fit into memory") from None
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
        told = " ".join(str(error).split())
        raise CheckpointError(f"{source}: is no whole pickle of arrays: {told:.160}") from None
    except RecursionError:
        raise CheckpointError(f"{source}: is nested too deeply") from None


class _Machine:
    """The stack and the memo of a pickle, with operations on plain data only."""

    def __init__(self, length: int) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.steps = 0
        self.budget = 2 * length  # what it holds passes twice: as bytes, and as an array

    def step(self, name: str, argument: Any) -> None:
        self.steps += 1
        if name in _PLAIN:
            self.stack.append(argument)
        elif name in _FIXED:
            self.stack.append(_FIXED[name]())
        elif name in _OPERATIONS:
            getattr(self, _OPERATIONS[name])(argument)
        elif name in _TUPLES:
            self.tuple_last(_TUPLES[name])
        elif name not in _NOTHING:
            raise _Refused(f"it uses the pickle operation {name}, which arrays do not need")

    def result(self) -> Any:
        if len(self.stack) != 1:
            raise ValueError(f"{len(self.stack)} values remain at its end")
        return self.finished(self.stack[0])

    # Structure

    def since_mark(self, _: Any = None) -> list[Any]:
        at = max(i for i, value in enumerate(self.stack) if isinstance(value, _Mark))
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def mark(self, _: Any) -> None:
        self.stack.append(_Mark())

    def pop(self, _: Any) -> None:
        self.stack.pop()

    def put(self, key: int) -> None:
        self.memo[int(key)] = self.stack[-1]

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, key: int) -> None:
        self.stack.append(self.memo[int(key)])

    def tuple_marked(self, _: Any) -> None:
        self.stack.append(tuple(self.since_mark()))

    def list_marked(self, _: Any) -> None:
        self.stack.append(self.since_mark())

    def dict_marked(self, _: Any) -> None:
        values = self.since_mark()
        self.stack.append(dict(zip(values[::2], values[1::2], strict=True)))

    def tuple_last(self, count: int) -> None:
        values = tuple(self.stack[-count:])
        if len(values) != count:
            raise IndexError("its stack is empty")
        del self.stack[-count:]
        self.stack.append(values)

    def append(self, _: Any) -> None:
        value = self.stack.pop()
        self.of(list).append(value)

    def appends(self, _: Any) -> None:
        values = self.since_mark()
        self.of(list).extend(values)

    def setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.of(dict)[key] = value

    def setitems(self, _: Any) -> None:
        values = self.since_mark()
        self.of(dict).update(zip(values[::2], values[1::2], strict=True))

    def of(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise _Refused(f"it fills a {type(self.stack[-1]).__name__} as if it were a {kind.__name__}")
        return self.stack[-1]

    # Names and what is made of them

    def named(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.name(module, name)

    def stack_named(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.name(str(module), str(name))

    def name(self, module: str, name: str) -> None:
        kind = _NAMES.get((module, name))
        if kind is None:
            raise _Refused(f"it names {module}.{name}, which is no array")
        self.stack.append(_Name(kind, f"{module}.{name}"))

    def reduce(self, _: Any) -> None:
        arguments, made = self.stack.pop(), self.stack.pop()
        if not isinstance(made, _Name) or not isinstance(arguments, tuple):
            raise _Refused(f"it calls {type(made).__name__}, which is nothing to call")
        make = getattr(self, f"make_{made.kind}", None)
        if make is None:
            raise _Refused(f"it calls {made.written} by itself")
        self.stack.append(make(*arguments))

    def make_dict(self, *items: Any) -> dict[Any, Any]:
        return dict(*items)

    def make_bytes(self) -> bytes:
        return b""  # what old protocols write for an array without elements

    def make_encode(self, text: str, coding: str = "latin1") -> bytes:
        if coding not in {"latin1", "latin-1"}:
            raise _Refused(f"it encodes text as {coding!r:.20}")
        self.spend(len(text))
        return text.encode("latin-1")

    def make_dtype(self, code: str, *_: Any) -> _Dtype:
        order, bare = ("=", code) if code[:1] not in "<>=|" else (code[:1], code[1:])
        if bare not in _DTYPES:
            raise _Refused(f"it holds an array of {code!r:.20}, and only numbers are taken")
        return _Dtype(bare, "=" if order == "|" else order)

    def make_array(self, kind: Any, shape: Any, code: Any) -> _Array:  # noqa: ARG002 - NumPy's signature
        if not isinstance(kind, _Name) or kind.kind != "ndarray":
            raise _Refused("it makes an array of a type that is not numpy.ndarray")
        return _Array()

    def make_scalar(self, dtype: Any, data: Any) -> npt.NDArray[Any]:
        return self.array((), dtype, data, fortran=False)

    def make_frombuffer(self, data: Any, dtype: Any, shape: Any, order: Any) -> Any:
        return self.array(shape, dtype, data, fortran=order == "F")

    def build(self, _: Any) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if isinstance(built, _Dtype) and isinstance(state, tuple):
            self.build_dtype(built, state)
        elif isinstance(built, _Array) and isinstance(state, tuple):
            _, shape, dtype, fortran, data = state
            built.value = self.array(shape, dtype, data, fortran=bool(fortran))
        elif not isinstance(built, dict):  # an OrderedDict's attributes hold nothing of the weights
            raise _Refused(f"it sets the state of a {type(built).__name__}")

    def build_dtype(self, built: _Dtype, state: tuple[Any, ...]) -> None:
        if any(state[2:5]) or state[1] not in ("<", ">", "|", "="):
            raise _Refused("it holds an array of records, and only numbers are taken")
        built.order = "=" if state[1] == "|" else state[1]

    def array(self, shape: Any, dtype: Any, data: Any, *, fortran: bool) -> npt.NDArray[Any]:
        """Return an array of its own over a copy of ``data``."""
        import numpy as np

        if isinstance(data, str):  # Python 2 knew no other bytes
            data = data.encode("latin-1")
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
            raise _Refused("it holds an array of objects, and only numbers are taken")
        if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
            raise ValueError("an array has no shape")
        real = dtype.real()
        if prod(shape) * real.itemsize != len(data):
            raise ValueError(f"an array of shape {shape} has {len(data)} bytes")
        self.spend(len(data))
        flat = np.frombuffer(data, real).astype(real.newbyteorder("="))
        return np.ascontiguousarray(flat.reshape(shape, order="F" if fortran else "C")).reshape(shape)

    def spend(self, count: int) -> None:
        """Count bytes that are made; a pickle that names the same ones again and again runs out."""
        self.budget -= count
        if self.budget < 0:
            raise _Refused("it makes more data than it holds")

    def finished(self, value: Any) -> Any:
        """Return the value with arrays in place of what stood for them."""
        self.steps -= 1  # a tree has no more values than the pickle has operations
        if self.steps < 0:
            raise _Refused("it holds the same values again and again")
        if isinstance(value, _Array):
            if value.value is None:
                raise ValueError("an array is without its content")
            return value.value
        if isinstance(value, dict):
            return {key: self.finished(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.finished(item) for item in value)
        if isinstance(value, _Name | _Dtype | _Mark):
            raise _Refused(f"it holds a {type(value).__name__.strip('_').lower()} as a value")
        return value
