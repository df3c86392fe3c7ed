"""One processor under the hand of the kit: called as the engine calls it, and watched more closely."""

from __future__ import annotations

import math
import operator
import traceback
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..contract.audio import Spec
from ..contract.errors import LayoutRefusedError, PluginError, one_line
from ..models.errors import ModelMissingError
from .check import NotReadyError, PromiseBrokenError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..contract.audio import Layout
    from ..contract.params import Params
    from ..contract.processor import Array
    from .signals import Programme
    from .subject import Case, Subject

__all__ = ["MAX_BLOCK", "Driven", "calling", "place_of"]

#: The longest block that plugins are given here, in samples: a prime beyond the usual powers of two.
MAX_BLOCK = 8193
_HOST = str(Path(__file__).parents[1])
_METHODS = ("prepare", "set", "process", "reset", "release", "compiled")
_HEARING = ("begin", "analyse", "finish")


def place_of(error: BaseException) -> str:
    """Return the innermost file and line outside of the host, in brackets, or nothing when there is none."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_HOST)
    ]
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _advice(error: BaseException, otherwise: str) -> str:
    """Return what to do about an exception; two are made by everybody once."""
    if "mappingproxy" in str(error):
        return 'write into the arrays: outs["out"][:] = y, not outs["out"] = y'
    if isinstance(error, ValueError) and "read-only" in str(error):
        return "copy what you want to change: ins are read-only"
    return otherwise


def _shaped_wrong(error: BaseException) -> str:
    """Return what to do when a base class refuses what the author's method returned, or nothing."""
    text = str(error)
    if text.startswith("separate() gave"):
        return (
            "return what separate() must: float32 [batch, stems, channels, samples], as many samples as came "
            "in; a model that always gives all of its stems names them in `stems`"
        )
    if text.startswith(("masks() gave", "mask ")):
        return "return what masks() must: for every output float32 that broadcasts to X.shape"
    return ""


@contextmanager
def calling(what: str, remedy: str = "let it do its work without raising") -> Iterator[None]:
    """Turn whatever a plugin raises inside into a finding.

    Raises:
        RefusedError: it raised a `PluginError` or `LayoutRefusedError`.
        NotReadyError: its model is not here.
        PromiseBrokenError: it raised anything else.
    """
    try:
        yield
    except PromiseBrokenError:
        raise
    except ModelMissingError as error:
        raise NotReadyError(one_line(error)) from error
    except (PluginError, LayoutRefusedError) as error:
        remedy = _shaped_wrong(error)
        if remedy:
            raise PromiseBrokenError(f"{what} failed: {one_line(error)}", remedy) from error
        raise RefusedError(
            f"{what} refused: {one_line(error)}", "let the default terms be accepted"
        ) from error
    except MemoryError as error:
        raise PromiseBrokenError(
            f"{what} ran out of the memory it may use", "take less memory, or raise --memory"
        ) from error
    except (Exception, SystemExit) as error:
        told = f"{what} raised {one_line(error)}{place_of(error)}"
        raise PromiseBrokenError(told, _advice(error, remedy)) from error


class Driven(AbstractContextManager["Driven"]):
    """A built and prepared processor; released at the end.

    Args:
        subject: the plugin.
        case: parameters, layouts and rate.
        max_block: for the spec, in samples.
        seed: for the spec.
        outputs: which outputs are connected; by default all that the processor makes itself.
        realtime: for the spec.
        length: for the spec, in samples.

    Attributes:
        processor: the plugin's object.
        spec: the terms it is prepared for.
        latency: samples, as declared after prepare().
        tail: the same.
    """

    def __init__(
        self,
        subject: Subject,
        case: Case,
        *,
        max_block: int = MAX_BLOCK,
        seed: int = 0,
        outputs: Iterable[str] | None = None,
        realtime: bool = False,
        length: int | None = None,
    ) -> None:
        self.case, self._passes = case, subject.card.passes_of(case.params)
        self.processor: Any = _built(subject, case.params)
        needed = (*_METHODS, *_HEARING) if self._passes else _METHODS
        missing = [name for name in needed if not callable(getattr(self.processor, name, None))]
        if missing:
            base = "AnalysisProcessor" if self._passes else "BlockProcessor"
            raise PromiseBrokenError(
                f"the factory gave {type(self.processor).__name__}, which has no {', '.join(missing)}",
                f"derive from {base}",
            )
        layouts = subject.outputs_of(case)
        wanted = layouts if outputs is None else {name: layouts[name] for name in outputs}
        self.outputs: dict[str, Layout] = dict(wanted)
        self._most = max_block
        terms = (case.rate, max_block, case.inputs, self.outputs, subject.device, seed, realtime, length)
        self.spec = Spec(*terms)
        self.prepare()

    def prepare(self) -> None:
        """Prepare for the case's terms, and read what the processor declares."""
        spec = self.spec
        try:
            with calling("prepare()"):
                self.processor.prepare(spec)
        except PromiseBrokenError:
            self.release()
            raise
        self.latency, self.tail = self._declared("latency"), self._declared("tail")
        self._learnt = False
        most = self._most
        self._in = {p: np.full(lay.channels * most, math.nan, np.float32) for p, lay in spec.inputs.items()}
        self._out = {p: np.full(lay.channels * most, math.nan, np.float32) for p, lay in spec.outputs.items()}

    def _declared(self, what: str) -> int:
        with calling(f"reading {what}"):
            value = getattr(self.processor, what)
        try:
            number = -1 if isinstance(value, bool) else operator.index(value)
        except TypeError:
            number = -1
        if number < 0:
            raise PromiseBrokenError(
                f"it declares {what} {value!r}", f"declare {what} as an integer of at least 0, in samples"
            )
        return number

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Process one block, behind proxies as the engine does."""
        with calling("process()"):
            self.processor.process(MappingProxyType(dict(ins)), MappingProxyType(dict(outs)))
        self._still_as_declared("process()")

    def set(self, params: Params) -> None:
        """Give new parameters."""
        with calling("set()"):
            self.processor.set(params)
        self._still_as_declared("set()")

    def reset(self) -> None:
        """Let it forget the signal."""
        with calling("reset()"):
            self.processor.reset()

    def release(self) -> None:
        """Let it give back what it took."""
        with calling("release()"):
            self.processor.release()

    def _still_as_declared(self, call: str) -> None:
        if self.processor.latency != self.latency:
            raise PromiseBrokenError(
                f"{call} changed latency from {self.latency} to {self.processor.latency!r}",
                "set self.latency in prepare() only; parameters that change it are `fixed=True`",
            )

    def learn(self, programme: Programme, cuts: Iterable[int] = ()) -> Self:
        """Let a plugin that needs the whole programme hear it, as often as its card says."""
        sizes = list(cuts)
        for number in range(self._passes):
            with calling("begin()"):
                self.processor.begin(number)
            for at, n in _blocks(sizes, programme.samples, self._most):
                with calling("analyse()"):
                    self.processor.analyse(MappingProxyType(self._given(programme, at, n)))
                self._spoil(n)
            with calling("finish()"):
                self.processor.finish()
        self._learnt = True
        return self

    def feed(self, programme: Programme, cuts: Iterable[int] = ()) -> dict[str, Array]:
        """Process a programme cut into blocks, then into blocks of the largest size; return the outputs.

        Every output block holds NaN before the call, and every input block is spoilt after it.
        """
        if self._passes and not self._learnt:
            self.learn(programme)
        results = {
            name: np.empty((layout.channels, programme.samples), np.float32)
            for name, layout in self.outputs.items()
        }
        for at, n in _blocks(cuts, programme.samples, self._most):
            outs = {p: flat[: len(results[p]) * n].reshape(-1, n) for p, flat in self._out.items() if n}
            outs |= {p: np.empty((len(results[p]), 0), np.float32) for p in self._out if not n}
            for block in outs.values():
                block.fill(math.nan)
            self.process(self._given(programme, at, n), outs)
            self._spoil(n)
            for name, block in outs.items():
                results[name][:, at : at + n] = block
        return results

    def _given(self, programme: Programme, at: int, n: int) -> dict[str, Array]:
        given = {}
        for port, data in programme.ports.items():
            channels = len(data)
            block = self._in[port][: channels * n].reshape(channels, n)
            block[:] = data[:, at : at + n]
            block.flags.writeable = False
            given[port] = block
        return given

    def _spoil(self, n: int) -> None:
        """Overwrite what was given: it was valid during the call only."""
        for flat in self._in.values():
            flat[: n * (len(flat) // self._most)] = math.nan

    def __exit__(self, *_: object) -> None:
        self.release()


def _built(subject: Subject, params: Params) -> object:
    """Return what the factory gives."""
    try:
        return subject.registry.build(subject.card, params)
    except PluginError as error:
        if isinstance(error.__cause__, PluginError):
            raise RefusedError(one_line(error), "let the default parameters be accepted") from error
        raise PromiseBrokenError(
            one_line(error), "build the processor without raising; load what is heavy in prepare()"
        ) from error


def _blocks(cuts: Iterable[int], samples: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield (start, length) of every block until the programme is used up."""
    at, sizes = 0, iter(cuts)
    while at < samples:
        n = min(next(sizes, most), most, samples - at)
        yield at, n
        at += n
