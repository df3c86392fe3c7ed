"""Whatever a stranger's plugin or a caller does wrong becomes one readable error, and nothing stays."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pytest

from unbraid.host import (
    Graph,
    GraphError,
    NodeError,
    PluginError,
    Registry,
    RenderOptions,
    UnbraidError,
    open_stream,
    process,
)
from unbraid.host.contract import (
    BlockProcessor,
    Params,
    PluginCard,
    Port,
    Ports,
    StftProcessor,
    hookimpl,
    param,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RELEASED: list[str] = []


class PairParams(Params, frozen=True):
    """Two values of which one must not exceed the other."""

    low: Annotated[float, param("lower", ge=0, le=100)] = 10.0
    high: Annotated[float, param("upper", ge=0, le=100)] = 20.0

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


class Strange(BlockProcessor[Any]):
    """A copy, until a test makes it misbehave."""

    def process(self, ins: Any, outs: Any) -> None:
        outs["out"][:] = ins["in"]

    def release(self) -> None:
        RELEASED.append(type(self).__name__)


class Rebinds(Strange):
    def process(self, ins: Any, outs: Any) -> None:
        outs["out"] = 0.5 * ins["in"]


class Forgets(Strange):
    def process(self, ins: Any, outs: Any) -> None:
        """Write nothing."""


class Backwards(Strange):
    latency = -5


class Vague(Strange):
    latency = 2.5  # type: ignore[assignment]


class CountsInNumpy(Strange):
    latency = np.int64(0)  # type: ignore[assignment]


class Drifts(Strange):
    def process(self, ins: Any, outs: Any) -> None:
        super().process(ins, outs)
        self.latency += 1


class DriftsWhenSet(Strange):
    def set(self, params: Any) -> None:
        super().set(params)
        self.latency += 1


class FailsOnce(Strange):
    failed = False

    def process(self, ins: Any, outs: Any) -> None:
        super().process(ins, outs)
        if not self.failed:
            self.failed = True
            raise ValueError


class Exits(Strange):
    def process(self, ins: Any, outs: Any) -> None:
        raise SystemExit(3)


class FailsToPrepare(Strange):
    def prepare(self, spec: Any) -> None:
        raise RuntimeError("two\nlines")


class BadCompiled(Strange):
    def compiled(self) -> Any:
        return 5


class FailsToCompile(Strange):
    def compiled(self) -> Any:
        raise RuntimeError("no")


class NotAProcessor:
    """Has nothing of the contract."""

    def __init__(self, params: Any) -> None:
        """Take them."""


class MendsItsInput(StftProcessor[Any]):
    def masks(self, X: Any) -> Any:
        X *= 0.5
        return {"out": np.ones(X.shape, np.float32)}


CLASSES: list[type] = [
    Strange, Rebinds, Forgets, Backwards, Vague, CountsInNumpy, Drifts, DriftsWhenSet, FailsOnce, Exits,
    FailsToPrepare, BadCompiled, FailsToCompile, NotAProcessor, MendsItsInput,
]  # fmt: skip


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Every class above as a plugin, at the graph's rate and, with 44 behind its name, at 44.1 kHz."""
    module: Any = ModuleType("strangers")
    vars(module).update({cls.__name__: cls for cls in CLASSES})

    @hookimpl
    def unbraid_cards() -> list[PluginCard]:
        return [
            PluginCard(
                id=cls.__name__.lower() + suffix,
                name=cls.__name__,
                version="1",
                licence="MIT",
                factory=f"strangers:{cls.__name__}",
                params=PairParams,
                rates=rates,
            )
            for cls in CLASSES
            for suffix, rates in (("", ()), ("44", (44100,)))
        ]

    module.unbraid_cards = unbraid_cards
    monkeypatch.setitem(sys.modules, "strangers", module)
    registry = Registry.discover()
    registry.add(module, "strangers")
    assert registry.faults == []
    RELEASED.clear()
    return registry


def noise(length: int = 9000) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(2).uniform(-0.5, 0.5, (2, length)).astype(np.float32)


def chain(*plugins: str) -> Graph:
    graph = Graph()
    last: Any = graph.input("mix")
    for k, plugin in enumerate(plugins):
        last = graph.node(f"n{k}", plugin, last)
    graph.output("out", last)
    return graph


FAULTS = {
    "rebinds": "does not support item assignment",
    "forgets": "left its output 'out' unwritten",
    "backwards": r"declares latency -5, not an integer of at least 0",
    "drifts": r"process\(\) changed its latency",
    "failsonce": "ValueError: no message",
    "exits": "SystemExit: 3",
    "failstoprepare": r"failed: prepare\(\) raised RuntimeError: two lines",
    "notaprocessor": "gave NotAProcessor, which has no prepare, set, process, reset, release, compiled",
    "mendsitsinput": "read-only",
}


@pytest.mark.parametrize("plugin", FAULTS)
@pytest.mark.parametrize("suffix", ["", "44"])
def test_a_strange_plugin_is_one_line_and_everything_is_released(
    strangers: Registry, plugin: str, suffix: str
) -> None:
    with pytest.raises((NodeError, PluginError), match=FAULTS[plugin]) as caught:
        process(chain("strange", plugin + suffix, "gain"), noise(), rate=48000, registry=strangers)
    assert "\n" not in str(caught.value)
    assert "n1" in str(caught.value) or plugin in str(caught.value)
    assert "Strange" in RELEASED


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("vague", "declares latency 2.5, not an integer"),
        ("badcompiled", "gave 5, neither Compiled nor None"),
        ("failstocompile", r"compiled\(\) raised RuntimeError: no"),
    ],
)
def test_nonsense_declared_is_refused_before_a_sample(strangers: Registry, plugin: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        process(chain("strange", plugin), noise(), rate=48000, registry=strangers)
    assert len(RELEASED) == 2


def test_a_processor_whose_prepare_failed_is_released_too(strangers: Registry) -> None:
    for plugin in ("failstoprepare", "failstoprepare44"):
        RELEASED.clear()
        with pytest.raises(NodeError):
            process(chain("strange", plugin), noise(), rate=48000, registry=strangers)
        assert RELEASED == ["FailsToPrepare", "Strange"]


@pytest.mark.parametrize("plugin", ["driftswhenset", "driftswhenset44"])
def test_a_latency_that_moves_with_a_parameter_is_heard_of(strangers: Registry, plugin: str) -> None:
    graph = chain(plugin)
    graph.automate("n0", "low", [("1000 samples", 5.0)])
    with pytest.raises(NodeError, match=r"set\(\) changed its latency"):
        process(graph, noise(), rate=48000, registry=strangers)


def test_latency_counted_in_numpy_integers_is_an_integer(strangers: Registry) -> None:
    x = noise()
    done = process(chain("countsinnumpy"), x, rate=int(np.int64(48000)), registry=strangers)
    np.testing.assert_array_equal(done["out"], x)


# Lanes that depend on each other


def test_lanes_are_checked_together_not_one_by_one(strangers: Registry) -> None:
    graph = chain("strange")
    graph.automate("n0", "low", [("100 samples", 50.0)])
    graph.automate("n0", "high", [("100 samples", 60.0)])
    x = noise()
    np.testing.assert_array_equal(process(graph, x, rate=48000, registry=strangers)["out"], x)
    graph.automate("n0", "high", [("200 samples", 60.0)])
    with pytest.raises(GraphError, match="node 'n0' at sample 100: low is above high"):
        process(graph, x, rate=48000, registry=strangers)


# Streams after their end


def test_a_stream_that_failed_stands_still_until_reset(strangers: Registry) -> None:
    x = noise()
    with open_stream(chain("failsonce"), rate=48000, layouts={"mix": "stereo"}, registry=strangers) as stream:
        with pytest.raises(NodeError):
            stream.process({"mix": x})
        with pytest.raises(UnbraidError, match=r"this stream has failed .* reset it or open another"):
            stream.process({"mix": x})
        stream.reset()
        np.testing.assert_array_equal(stream.process({"mix": x})["out"], x)


def test_a_closed_stream_is_closed_once_and_for_all(strangers: Registry) -> None:
    stream = open_stream(chain("strange"), rate=48000, layouts={"mix": "stereo"}, registry=strangers)
    stream.close()
    stream.close()
    assert RELEASED == ["Strange"]
    for act in (lambda: stream.process({"mix": noise()}), stream.reset):
        with pytest.raises(UnbraidError, match="this stream is closed; open another"):
            act()


# Callers


def _call(**changed: Any) -> Callable[[], object]:
    arguments = {"graph": chain("gain"), "inputs": noise(), "rate": 48000, **changed}
    return lambda: process(arguments.pop("graph"), arguments.pop("inputs"), **arguments)


@pytest.mark.parametrize("rate", [0, -1, 999, 2**63])
def test_a_rate_beyond_reason_names_what_can_be(rate: int) -> None:
    with pytest.raises(GraphError, match="rates from 1000 to 1536000 Hz can be processed"):
        _call(rate=rate)()


@pytest.mark.parametrize("rate", [2.5, float("nan"), "48000", None, 44100.0])
def test_a_rate_that_is_no_integer_is_refused(rate: Any) -> None:
    with pytest.raises(UnbraidError, match="give whole Hz"):
        _call(rate=rate)()


def test_a_rate_counted_in_numpy_works_through_an_island(registry: Registry) -> None:
    x = noise()
    plain = process(chain("late44"), x, rate=48000, registry=registry)["out"]
    counted: Any = np.int64(48000)
    np.testing.assert_array_equal(process(chain("late44"), x, rate=counted, registry=registry)["out"], plain)


@pytest.mark.parametrize("block", [0, -1, 1.5, "8", None, True, 2**40])
def test_a_block_length_that_cannot_be_is_refused(block: Any) -> None:
    with pytest.raises(UnbraidError, match="a block holds 1 to 16777216 samples"):
        open_stream(chain("gain"), rate=48000, layouts={"mix": "stereo"}, max_block=block)
    with pytest.raises(UnbraidError, match="a block of -5 samples cannot be"):
        _call(blocks=[-5])()


@pytest.mark.parametrize("graph", [None, {"unbraid": 1}, 5])
def test_what_is_no_graph_is_refused(graph: Any) -> None:
    with pytest.raises(UnbraidError, match="a graph is a Graph, a file or a name"):
        _call(graph=graph)()


def test_a_stream_wants_blocks_by_input() -> None:
    stream = open_stream(chain("gain"), rate=48000, layouts={"mix": "stereo"})
    with stream, pytest.raises(UnbraidError, match="give blocks by input"):
        stream.process(noise())  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", [None, 2])
def test_a_layout_is_named_by_text(layout: Any) -> None:
    with pytest.raises(UnbraidError, match="a layout is named by text"):
        open_stream(chain("gain"), rate=48000, layouts={"mix": layout})


# Cards


def card(**changed: Any) -> PluginCard:
    return PluginCard(
        **{"id": "x", "name": "x", "version": "1", "licence": "MIT", "factory": "x:X", **changed}
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rates": ("44100",)}, "must be integers in Hz"),
        ({"rates": (0,)}, "must be integers in Hz"),
        ({"ports": Ports((Port("in"),), ())}, "has no outputs"),
        ({"ports": Ports((), (Port("out"),)), "rates": (44100,)}, "must run at any rate"),
        ({"residual": "out"}, "needs an input and another output"),
        ({"ports_for": lambda _: None}, "its ports_for failed"),
    ],
)
def test_a_card_that_cannot_work_is_refused_when_it_is_made(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        card(**changed)


def test_tails_through_an_island_hold_the_resampler_s_ring(registry: Registry) -> None:
    """A step at the very end rings on; what the tail leaves out must be inaudible."""
    x = np.ones((1, 4000), np.float32)
    graph = chain("late44")
    done = process(graph, x, rate=48000, registry=registry, options=RenderOptions(tails=True))["out"]
    assert done.shape[1] > 4000 + 256
    assert np.abs(done[0, 4000:4010]).max() > 1e-3
    assert np.abs(done[0, -8:]).max() < 1e-4
