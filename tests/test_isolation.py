"""A node in a process of its own: the same bits, and whatever it does ends one render and nothing else."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile as sf

import isolation_rig
import rig
from unbraid.host import Graph, GraphError, NodeError, RenderOptions, open_stream, process, render
from unbraid.host.contract import Layout, PluginError, Spec, UnbraidError
from unbraid.host.contract.params import convert
from unbraid.host.isolation.policy import Isolation
from unbraid.host.isolation.processor import IsolatedProcessor
from unbraid.host.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

ALL = RenderOptions(isolate="all")
BLOCKS = [7, 1000, 0, 333, 8192, 1]


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Every installed plugin, the tests' own, and those that go wrong."""
    found = Registry.discover()
    found.add(rig, "rig")
    found.add(isolation_rig, "isolation_rig")
    assert found.faults == []
    return found


def files_open() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def children() -> set[int]:
    """Every process below this one, zombies too."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(process) for process in (task / "children").read_text().split()}
    return found


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After every test here no process is left, no zombie, no descriptor, and so no shared memory."""
    before, files = children(), files_open()
    yield
    if children() - before or files_open() > files:  # a failure that was caught may still hold its stream
        gc.collect()
    assert children() <= before
    assert files_open() <= files


def runs(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def ends(process_id: int) -> bool:
    """Whether a process ends within a few seconds."""
    deadline = time.monotonic() + 10
    while runs(process_id) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not runs(process_id)


def noise(channels: int, length: int) -> Array:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


def one(plugin: str, **params: Any) -> Graph:
    """A graph of one node in a process of its own."""
    graph = Graph()
    graph.output("out", graph.node("n", plugin, graph.input("mix"), isolate=True, **params))
    return graph


def limited(**limits: Any) -> RenderOptions:
    return RenderOptions(isolate=Isolation(**limits), max_block=256)


# The same bits


def everything(registry: Registry) -> Graph:
    """Every built-in plugin, three nodes that are automated, a residual, and branches of unlike latency."""
    graph = Graph()
    mix = graph.input("mix", "stereo")
    parts = graph.node("parts", "split", mix, parts={"left": ["L"], "right": ["R"]})
    both = graph.node("both", "join", parts["left"], parts["right"], layout="stereo")
    dewind = graph.node("dewind", "wind", both, limit=24)
    high = graph.node("high", "highpass", dewind["clean"], frequency=120)
    low = graph.node("low", "lowpass", dewind["wind"], frequency=900)
    late = graph.node("late", "delay", low, samples=77)
    bed = graph.node("bed", "mix", high, late, gains=[-6, -20])
    rest = graph.node("rest", "subtract", mix, bed)
    graph.output("bed", graph.node("level", "gain", bed, gain=-3))
    graph.output("rest", rest)
    graph.automate(dewind, "limit", [(0.01, 12), (0.1, 30)])
    graph.automate("level", "gain", [(0.0, -12), (0.2, 0)], curve="linear")
    graph.automate(high, "frequency", [("100 samples", 60), ("4000 samples", 240)])
    scene, scenes = graph.node("scene", "upmix", mix), {"adm", "binaural", "loudspeakers"}
    used = {entry.use for entry in graph.document().nodes.values()}
    without_weights: dict[str, dict[str, Any]] = {
        "vocals": {"model": "center"},
        "model": {"model": "music-effects"},
    }
    for plugin, package in registry.packages.items():
        if package == "unbraid" and plugin not in {*used, "speakers"}:  # whose models must be fetched
            params = {**without_weights[plugin], "segment": 0.5} if plugin in without_weights else {}
            ports = registry.card(plugin).ports_of(convert(registry.card(plugin).params, params))
            node = graph.node(
                plugin, plugin, *[scene if plugin in scenes else mix for _ in ports.inputs], **params
            )
            for port in ports.outputs:
                graph.output(f"{plugin}_{port.name}", node[port.name])
    return graph


def test_every_built_in_plugin_gives_the_same_bits_in_a_process_of_its_own(registry: Registry) -> None:
    x, graph = noise(2, 20_000), everything(registry)
    plain = process(graph, x, rate=48000, registry=registry, blocks=BLOCKS)
    apart = process(graph, x, rate=48000, registry=registry, blocks=BLOCKS, options=ALL)
    for name, signal_ in plain.items():
        np.testing.assert_array_equal(apart[name], signal_)


def strangers(registry: Registry) -> Graph:
    """At a rate of its own, as StftProcessor, with a residual, compiled, after passes."""
    graph = Graph()
    halves = graph.node("halves", "halve44", graph.input("mix"))
    mask = graph.node("mask", "mask", halves["rest"], gain=0.5)
    bands = graph.node("bands", "low-half", mask)
    graph.output("low", graph.node("peak", "peak16", bands["low"]))
    graph.output("high", graph.node("twice", "twice", bands["high"]))
    graph.automate(halves, "share", [(0.05, 0.9), (0.2, 0.1)])
    return graph


def test_strangers_give_the_same_bits_too(registry: Registry) -> None:
    x, graph = noise(2, 20_000), strangers(registry)
    apart = RenderOptions(isolate="third-party")
    plain = process(graph, x, rate=48000, registry=registry, blocks=BLOCKS)
    found = process(graph, x, rate=48000, registry=registry, blocks=BLOCKS, options=apart)
    for name, signal_ in plain.items():
        np.testing.assert_array_equal(found[name], signal_)
        assert np.abs(signal_).max() > 0.01


def test_a_stream_is_as_late_as_in_one_process_and_starts_anew_after_reset(registry: Registry) -> None:
    x, graph = noise(2, 4000), one("mask44", gain=0.5)
    made = []
    for isolate in (False, True):
        graph._section("nodes")["n"]["isolate"] = isolate
        with open_stream(graph, rate=48000, layouts={"mix": "stereo"}, max_block=512, registry=registry) as s:
            first = s.process({"mix": x})["out"]
            s.reset()
            np.testing.assert_array_equal(s.process({"mix": x})["out"], first)
            made.append((s.latency, first))
    assert made[0][0] == made[1][0]
    np.testing.assert_array_equal(made[0][1], made[1][1])


# What goes wrong

X = noise(1, 1000)


@pytest.mark.parametrize(
    ("how", "limits", "reason"),
    [
        ("segfault", {}, "its process was killed by signal 11 (SIGSEGV)"),
        ("exit", {}, "its process ended by itself, with exit code 3"),
        ("sleep-in-c", {"seconds": 0.3}, "it took longer than 0.3 s for a block, and its process was ended"),
        ("bomb", {"memory": 200 << 20}, "its process held more than 200 MiB of memory and was ended"),
    ],
)
def test_what_kills_a_plugin_is_told_as_the_failure_of_its_node(
    registry: Registry, how: str, limits: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NodeError) as told:
        process(one("trouble", how=how, at=300), X, rate=48000, registry=registry, options=limited(**limits))
    assert reason in str(told.value)
    assert "\n" not in str(told.value)
    assert (told.value.node, told.value.plugin, told.value.sample) == ("n", "trouble", 256)


@pytest.mark.parametrize(
    ("plugin", "params"),
    [
        ("trouble", {"how": "leave", "at": 600}),
        ("trouble", {"how": "raise", "where": "prepare"}),
        ("trouble", {"how": "refuse", "where": "prepare"}),
        ("trouble", {"how": "raise", "where": "set"}),
        ("trouble-hears", {"how": "raise", "where": "finish"}),
        ("careless", {"gain": 0}),
        ("careless", {"gain": 1}),
        ("nervous", {}),
        ("trouble16", {"how": "raise", "at": 300}),
    ],
)
def test_what_a_plugin_raises_is_told_in_the_same_words_with_its_own_traceback(
    registry: Registry, plugin: str, params: dict[str, Any]
) -> None:
    graph = one(plugin, **params)
    graph.automate("n", "gain", [("0 samples", params.get("gain", 1)), ("700 samples", 0.5)])
    told: list[BaseException] = []
    for isolate in (False, True):
        graph._section("nodes")["n"]["isolate"] = isolate
        with pytest.raises((NodeError, PluginError)) as caught:
            process(graph, X, rate=48000, registry=registry, options=limited())
        told.append(caught.value)
    here, apart = told
    assert (type(apart), str(apart)) == (type(here), str(here))
    assert "'n'" in str(here)
    assert apart.__cause__ is not None
    assert "Traceback" in "".join(apart.__cause__.__notes__)  # that of the other process


@pytest.mark.parametrize(
    ("plugin", "params", "reason"),
    [
        (
            "trouble",
            {"how": "raise", "where": "init"},
            "isolation_rig:Trouble: ValueError: told to fail",
        ),
        ("not-a-processor", {}, "its factory gave TroubleParams, which has no prepare, set"),
        ("fatal-import", {}, "its process ended by itself, with exit code 9"),
        ("local-params", {}, "define their class at the top of a module"),
    ],
)
def test_a_plugin_that_cannot_be_built_there_costs_only_its_node(
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plugin: str,
    params: dict[str, Any],
    reason: str,
) -> None:
    (tmp_path / "fatal_import.py").write_text("import os\nos._exit(9)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises((NodeError, PluginError)) as told:
        process(one(plugin, **params), X, rate=48000, registry=registry)
    assert reason in str(told.value)
    assert str(told.value).startswith("graph: nodes.n: node 'n'")
    assert "fatal_import" not in sys.modules


def test_what_a_program_defines_itself_cannot_be_sent(registry: Registry) -> None:
    kind = type("MainParams", (rig.LateParams,), {"__module__": "__main__"}, frozen=True)
    node = IsolatedProcessor(registry.card("late"), kind())
    mono = Layout.parse("mono")
    with pytest.raises(PluginError, match=r"MainParams is defined in the program itself.* to a module"):
        node.prepare(Spec(48000, 256, {"in": mono}, {"out": mono}))
    node.release()


def test_the_next_render_works_and_so_does_the_stream_after_reset(registry: Registry) -> None:
    graph = one("trouble", how="segfault", at=300, gain=0.5)
    with open_stream(graph, rate=48000, layouts={"mix": "mono"}, max_block=256, registry=registry) as stream:
        stream.process({"mix": X[:, :256]})
        with pytest.raises(NodeError, match="SIGSEGV"):
            stream.process({"mix": X[:, 256:]})
        with pytest.raises(UnbraidError, match=r"has failed .*SIGSEGV.*; reset it or open another"):
            stream.process({"mix": X})
        stream.reset()
        done = stream.process({"mix": X[:, :256]})["out"]
    np.testing.assert_array_equal(done, np.float32(0.5) * X[:, :256])


def test_what_was_learnt_goes_with_its_process(registry: Registry) -> None:
    node = IsolatedProcessor(registry.card("trouble-hears"), isolation_rig.TroubleParams(how="exit"))
    mono = Layout.parse("mono")
    node.prepare(Spec(48000, 256, {"in": mono}, {"out": mono}))
    node.begin(0)
    node.analyse({"in": X[:, :256]})
    node.finish()
    node.reset()  # keeps it
    found = dict(node.findings())
    assert found.pop("heard") == pytest.approx(np.abs(X[:, :256]).sum())
    assert np.isnan(found.pop("not a number"))
    assert found == {"who": "trouble"}
    with pytest.raises(UnbraidError, match="ended by itself"):
        node.process({"in": X[:, :256]}, {"out": np.empty((1, 256), np.float32)})
    with pytest.raises(UnbraidError, match="with what it had learnt; open the graph anew"):
        node.reset()
    node.release()


def test_a_release_that_raises_is_a_warning_of_the_render(registry: Registry, tmp_path: Path) -> None:
    sf.write(tmp_path / "in.wav", X.T, 48000)
    report = render(
        one("trouble", how="raise", where="release"), tmp_path / "in.wav", tmp_path, registry=registry
    )
    assert report.warnings == ("node 'n' (trouble) failed to release: ValueError: told to fail",)
    assert report.findings["n"]["who"] == "trouble"


def test_a_render_whose_node_dies_leaves_nothing(registry: Registry, tmp_path: Path) -> None:
    sf.write(tmp_path / "in.wav", X.T, 48000)
    with pytest.raises(NodeError, match="exit code 3"):
        render(one("trouble", how="exit", at=999), tmp_path / "in.wav", tmp_path, registry=registry)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


# What stays


def test_a_stream_that_nobody_closes_ends_with_its_last_reference(registry: Registry, tmp_path: Path) -> None:
    graph = one("trouble", where="prepare", note=str(tmp_path / "pids"))
    stream = open_stream(graph, rate=48000, layouts={"mix": "mono"}, registry=registry)
    child = int((tmp_path / "pids").read_text())
    assert runs(child)
    del stream
    gc.collect()
    assert not runs(child)


def test_what_the_plugin_started_ends_with_it(registry: Registry, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    graph = one("trouble", how="start-another", note=str(note))
    with pytest.raises(NodeError, match=r"it took longer than 0\.5 s"):
        process(graph, X, rate=48000, registry=registry, options=limited(seconds=0.5))
    assert ends(int(note.read_text()))


def test_an_interrupt_while_a_plugin_hangs_ends_its_process(registry: Registry, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    graph = one("trouble", how="spin", note=str(note))

    def interrupt() -> None:
        while not (note.exists() and note.read_text().endswith("\n")):
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            process(graph, X, rate=48000, registry=registry)
    finally:
        signal.signal(signal.SIGINT, before)
        thread.join()
    assert not runs(int(note.read_text()))


HOST = """
import sys
import isolation_rig
from unbraid.host import Registry
from unbraid.host.cli import main
registry = Registry.discover()
registry.add(isolation_rig, "isolation_rig")
Registry.discover = classmethod(lambda cls: registry)
main(sys.argv[1:])
"""


def host(folder: Path, how: str, *more: str) -> tuple[subprocess.Popen[str], Path]:
    """Start the command line with a node that goes wrong, in a process group of its own, as a shell would."""
    note = folder / "pids"
    sf.write(folder / "in.wav", noise(1, 400_000).T, 48000)
    graph = one("trouble", how=how, note=str(note))
    (folder / "graph.json").write_text(json.dumps(graph.to_dict()), encoding="utf-8")
    command = ["render", str(folder / "graph.json"), str(folder / "in.wav"), "-o", str(folder / "out"), *more]
    done = subprocess.Popen(
        [sys.executable, "-c", HOST, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    return done, note


def first_child(note: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (note.exists() and note.read_text().endswith("\n")):
        time.sleep(0.01)
    return int(note.read_text().split()[0])


def test_ctrl_c_in_a_terminal_ends_render_and_node_without_a_traceback(tmp_path: Path) -> None:
    done, note = host(tmp_path, "slow", "--block", "256")
    child = first_child(note)
    os.killpg(done.pid, signal.SIGINT)
    said, complained = done.communicate(timeout=60)
    assert done.returncode == 130
    assert (said, complained) == ("", "unbraid: cancelled; nothing was left behind\n")
    assert ends(child)
    assert list(tmp_path.glob("out/*")) == []


def test_a_node_that_hangs_does_not_outlive_a_killed_host(tmp_path: Path) -> None:
    done, note = host(tmp_path, "sleep-in-c")
    child = first_child(note)
    done.kill()
    done.communicate(timeout=60)
    assert ends(child)


def test_what_a_plugin_prints_does_not_reach_standard_output(tmp_path: Path) -> None:
    done, _ = host(tmp_path, "print", "--json", "--isolate", "third-party", "--isolate-memory", "2000")
    said, complained = done.communicate(timeout=60)
    assert done.returncode == 0
    assert json.loads(said)["outputs"][0]["length"] == 400_000
    assert complained == "a plugin speaks\n"


# Who is isolated


@pytest.mark.parametrize(
    ("policy", "plugin", "says", "isolated"),
    [
        ("asked", "gain", None, False),
        ("asked", "late", None, False),
        ("asked", "gain", True, True),
        ("third-party", "gain", None, False),
        ("third-party", "gain", True, True),
        ("third-party", "late", None, True),
        ("third-party", "late", False, False),
        ("all", "gain", None, True),
        ("all", "gain", False, True),
    ],
)
def test_node_and_policy_decide_together(
    registry: Registry, policy: Any, plugin: str, says: bool | None, isolated: bool
) -> None:
    graph = Graph()
    graph.output("out", graph.node("n", plugin, graph.input("mix"), isolate=says))
    graph = Graph.parse(graph.to_yaml())
    node = graph.check(registry, 48000, {"mix": Layout.parse("mono")}).nodes["n"]
    assert Isolation.of(policy).wanted(node, registry.packages) is isolated


def test_a_graph_s_isolate_is_true_or_false() -> None:
    text = "unbraid: 1\nnodes:\n  n: {use: gain, from: mix, isolate: maybe}\noutputs: {out: n}\n"
    with pytest.raises(GraphError, match=r"graph:3: nodes.n.isolate: must be true or false, not text"):
        Graph.parse(text)


@pytest.mark.parametrize(
    "wrong", [{"policy": "some"}, {"seconds": 0}, {"seconds": float("nan")}, {"memory": 5}, {"memory": 1e9}]
)
def test_limits_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnbraidError, match=r"; give|isolate is 'some', not asked or third-party or all"):
        Isolation(**wrong)
