"""Plugins that exist for the tests: they make the host do what only rare plugins ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np

from unbraid.host.contract import (
    AnalysisProcessor,
    BlockProcessor,
    CompiledProcessor,
    Params,
    PluginCard,
    Port,
    Ports,
    StftProcessor,
    hookimpl,
    param,
)
from unbraid.kernels.streaming import MaskedStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from unbraid.host.contract import Spec


class LateParams(Params, frozen=True):
    """Parameters of `Late`."""

    latency: Annotated[int, param("samples late", unit="samples", ge=0, le=5000, fixed=True)] = 0
    gain: Annotated[float, param("linear factor", ge=-10, le=10)] = 1.0
    fail_at: Annotated[
        int, param("raise in the block that holds this sample; -1 never", ge=-1, fixed=True)
    ] = -1
    nan_at: Annotated[int, param("give NaN at this sample; -1 never", ge=-1, fixed=True)] = -1


class Late(BlockProcessor[LateParams]):
    """A gain in plain Python that declares the latency it has."""

    def prepare(self, spec: Spec) -> None:
        """Allocate the past."""
        super().prepare(spec)
        self.latency = self.params.latency
        self.reset()

    def reset(self) -> None:
        """Forget."""
        channels = self.spec.inputs["in"].channels
        self._past = np.zeros((channels, self.latency), np.float32)
        self._position = 0

    def process(
        self, ins: Mapping[str, npt.NDArray[np.float32]], outs: Mapping[str, npt.NDArray[np.float32]]
    ) -> None:
        """Delay and scale; fail where asked."""
        block = ins["in"]
        n = block.shape[1]
        if self._position <= self.params.fail_at < self._position + n:
            raise RuntimeError("told to fail")
        line = np.concatenate([self._past, np.float32(self.params.gain) * block], axis=1)
        outs["out"][:] = line[:, :n]
        if self._position <= self.params.nan_at < self._position + n:
            outs["out"][0, self.params.nan_at - self._position] = np.nan
        self._past = line[:, n:]
        self._position += n


class HalveParams(Params, frozen=True):
    """Parameters of `Halve`."""

    share: Annotated[float, param("share that goes to `part`", ge=0, le=1)] = 0.5


class Halve(BlockProcessor[HalveParams]):
    """A separator: `part` is a share of the input, the host forms `rest`."""

    latency = 100

    def prepare(self, spec: Spec) -> None:
        """Allocate the past."""
        super().prepare(spec)
        self.reset()

    def reset(self) -> None:
        """Forget."""
        self._past = np.zeros((self.spec.inputs["in"].channels, self.latency), np.float32)

    def process(
        self, ins: Mapping[str, npt.NDArray[np.float32]], outs: Mapping[str, npt.NDArray[np.float32]]
    ) -> None:
        """Delay and scale."""
        line = np.concatenate([self._past, np.float32(self.params.share) * ins["in"]], axis=1)
        n = ins["in"].shape[1]
        outs["part"][:] = line[:, :n]
        self._past = line[:, n:]


class MaskParams(Params, frozen=True):
    """Parameters of `Mask`."""

    gain: Annotated[float, param("value of the mask", ge=0, le=10)] = 1.0


class Mask(StftProcessor[MaskParams]):
    """A mask that is one number everywhere: the identity when that number is 1."""

    n_fft = 512
    hop = 128

    def masks(self, X: npt.NDArray[np.complex64]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the number."""
        return {"out": np.full(X.shape, self.params.gain, np.float32)}


class BadMask(StftProcessor[Params]):
    """A mask of a shape that cannot fit."""

    def masks(self, X: npt.NDArray[np.complex64]) -> dict[str, npt.NDArray[np.float32]]:
        """Return too few bins."""
        return {"out": np.ones((X.shape[0], X.shape[1], 3), np.float32)}


class LowHalf(CompiledProcessor[Params]):
    """Two compiled outputs of one input: the lower half of the spectrum, and the upper."""

    def prepare(self, spec: Spec) -> None:
        """Allocate the stream, and set its masks once."""
        super().prepare(spec)
        self.state = stream = MaskedStream(spec.inputs["in"].channels, 512, 128, stems=2)
        stream.masks[0, :, 128:] = 0
        stream.masks[1, :, :128] = 0
        self.latency, self.tail = stream.latency, 512


class PeakParams(Params, frozen=True):
    """Parameters of `Peak`."""

    fail: Annotated[str, param("the method that raises", fixed=True)] = ""


class Peak(AnalysisProcessor[PeakParams]):
    """Brings the highest sample of the programme to 1."""

    def _may_fail(self, method: str) -> None:
        if self.params.fail == method:
            raise RuntimeError("told to fail")

    def begin(self, number: int) -> None:
        """Forget what was heard."""
        self._may_fail("begin")
        self._peak, self._heard = 0.0, 0

    def analyse(self, ins: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Find the peak."""
        self._may_fail("analyse")
        (block,) = ins.values()
        assert block.flags.c_contiguous
        assert not block.flags.writeable
        self._peak = max(self._peak, float(np.abs(block).max(initial=0)))
        self._heard += block.shape[1]

    def finish(self) -> None:
        """Do nothing."""
        self._may_fail("finish")

    def process(
        self, ins: Mapping[str, npt.NDArray[np.float32]], outs: Mapping[str, npt.NDArray[np.float32]]
    ) -> None:
        """Divide."""
        np.divide(ins["in"], np.float32(self._peak or 1), out=outs["out"])

    def findings(self) -> dict[str, float | str]:
        """Return the peak."""
        self._may_fail("findings")
        return {"peak": self._peak, "heard": f"{self._heard} samples"}


class Twice(AnalysisProcessor[Params]):
    """Takes the programme's mean off, and divides by the peak of the rest, which takes a second pass."""

    def begin(self, number: int) -> None:
        """Note which pass it is."""
        self._number = number
        if number == 0:
            self._sum, self._count = 0.0, 0
        else:
            self._mean, self._peak = np.float32(self._sum / self._count), np.float32(0)

    def analyse(self, ins: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Sum, then look for the peak."""
        block = ins["in"]
        if self._number == 0:
            self._sum += float(block.sum(dtype=np.float64))
            self._count += block.size
        else:
            self._peak = max(self._peak, np.abs(block - self._mean).max(initial=0))

    def process(
        self, ins: Mapping[str, npt.NDArray[np.float32]], outs: Mapping[str, npt.NDArray[np.float32]]
    ) -> None:
        """Centre and divide."""
        outs["out"][:] = (ins["in"] - self._mean) / self._peak


class Same(AnalysisProcessor[Params]):
    """Its first input, if both were the same all along; else NaN."""

    def begin(self, number: int) -> None:
        """Trust."""
        self._same = True

    def analyse(self, ins: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Compare."""
        self._same = self._same and np.array_equal(ins["in"], ins["other"])

    def process(
        self, ins: Mapping[str, npt.NDArray[np.float32]], outs: Mapping[str, npt.NDArray[np.float32]]
    ) -> None:
        """Copy."""
        outs["out"][:] = ins["in"] if self._same else np.nan


def _card(plugin: str, cls: type, **more: object) -> PluginCard:
    return PluginCard(
        id=plugin,
        name=plugin,
        version="1",
        licence="MIT",
        factory=f"rig:{cls.__name__}",
        **more,  # type: ignore[arg-type]
    )


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the tests' plugins."""
    halves = Ports((Port("in"),), (Port("part"), Port("rest")))
    return [
        _card("low-half", LowHalf, ports=Ports((Port("in"),), (Port("low"), Port("high")))),
        _card("late", Late, params=LateParams),
        _card("late44", Late, params=LateParams, rates=(44100,)),
        _card("late16", Late, params=LateParams, rates=(16000,)),
        _card("halve", Halve, params=HalveParams, ports=halves, residual="rest"),
        _card("halve44", Halve, params=HalveParams, ports=halves, residual="rest", rates=(44100,)),
        _card("mask", Mask, params=MaskParams),
        _card("mask44", Mask, params=MaskParams, rates=(44100,)),
        _card("badmask", BadMask),
        _card(
            "stereo-only",
            Late,
            params=LateParams,
            ports=Ports((Port("in", layouts=("stereo",)),), (Port("out"),)),
        ),
        _card("nowhere", type("Missing", (), {})),
        _card("filesonly", Late, params=LateParams, realtime=False),
        _card("peak", Peak, params=PeakParams, passes=1),
        _card("peak16", Peak, params=PeakParams, passes=1, rates=(16000,)),
        _card("twice", Twice, passes=2),
        _card("same", Same, passes=1, ports=Ports((Port("in"), Port("other")), (Port("out"),))),
        _card("deaf", Late, params=LateParams, passes=1),
        _card("gpu", Late, params=LateParams, devices=("cpu", "cuda")),
    ]
