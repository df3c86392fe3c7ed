"""The graph as an object: made in Python, read from files, written, spoilt; and its moments in time."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.host.contract import GraphError, Layout
from unbraid.host.graph.graph import Graph
from unbraid.host.graph.times import parse_moment

if TYPE_CHECKING:
    from pathlib import Path

    from unbraid.host.graph.check import CheckedGraph
    from unbraid.host.registry import Registry

# A graph with a little of everything, to be taken apart

GOOD = """\
unbraid: 1
inputs: {mix: stereo, voice: }
nodes:
  low: {use: lowpass, from: mix, params: {frequency: 200, slope: 24}}
  rest: {use: subtract, from: {minus: low, in: mix}}
  wind: {use: wind, from: voice, params: {limit: 12}}
  apart: {use: split, from: rest, params: {layout: stereo, parts: {left: [L], right: [R]}}}
  whole: {use: join, from: [apart.left, apart.right]}
  late: {use: delay, from: whole, params: {time: 1.5, samples: 3}}
  sum: {use: mix, from: [late, low, wind.clean], params: {gains: [0, -6, -.5]}}
outputs:
  sum: sum
  noise: {from: wind.wind, subtype: PCM_24}
automation:
  wind.limit:
    points: [[0, 6], ["00:00:10.500", 24], [12, 0], ["960000 samples", 3]]
    curve: linear
"""


def check(graph: Graph, registry: Registry) -> CheckedGraph:
    stereo = Layout.parse("stereo")
    return graph.check(registry, 48000, {"mix": stereo, "voice": stereo})


def built() -> Graph:
    graph = Graph()
    mix, voice = graph.input("mix", "stereo"), graph.input("voice")
    low = graph.node("low", "lowpass", mix, frequency=200, slope=24)
    rest = graph.node("rest", "subtract", mix, low)
    wind = graph.node("wind", "wind", voice, limit=12)
    apart = graph.node("apart", "split", rest, layout="stereo", parts={"left": ["L"], "right": ["R"]})
    whole = graph.node("whole", "join", apart["left"], apart["right"])
    late = graph.node("late", "delay", whole, time=1.5, samples=3)
    total = graph.node("sum", "mix", late, low, wind["clean"], gains=(0, -6, -0.5))
    graph.output("sum", total)
    graph.output("noise", wind["wind"], subtype="PCM_24")
    points = [(0, 6), ("00:00:10.500", 24), (12, 0), ("960000 samples", 3)]
    graph.automate(wind, "limit", points, curve="linear")
    return graph


def test_python_yaml_json_and_plain_data_give_one_document_and_one_result(registry: Registry) -> None:
    by_position = GOOD.replace("{minus: low, in: mix}", "[mix, low]")
    graphs = [
        built(),
        Graph.parse(by_position, "song.yaml"),
        Graph.parse(json.dumps(built().to_dict()), "song.json"),
        Graph.parse(json.dumps(built().to_dict(), indent="\t"), "song.json"),
        Graph.parse(built().to_yaml(), "again.yaml"),
        Graph.from_dict(built().to_dict()),
    ]
    assert all(graph == graphs[0] for graph in graphs)
    results = [check(graph, registry) for graph in graphs]
    assert all(replace(result, source="") == replace(results[0], source="") for result in results)


def test_the_result_holds_what_was_written(registry: Registry) -> None:
    checked = check(Graph.parse(GOOD), registry)
    order = list(checked.nodes)
    for name, node in checked.nodes.items():
        assert all(order.index(wire.node) < order.index(name) for wire in node.sources.values() if wire.port)
    assert {port: str(wire) for port, wire in checked.nodes["rest"].sources.items()} == {
        "in": "mix",
        "minus": "low.out",
    }
    assert checked.nodes["sum"].params == registry.card("mix").params(gains=(0, -6, -0.5))
    assert {name: (str(wire), subtype) for name, (wire, subtype) in checked.outputs.items()} == {
        "sum": ("sum.out", None),
        "noise": ("wind.wind", "PCM_24"),
    }
    (lane,) = checked.lanes
    assert lane.linear
    assert lane.points == ((0, 6.0), (504_000, 24.0), (576_000, 0.0), (960_000, 3.0))


TWINS = """
unbraid: 1
nodes:
  a: &gain {use: gain, from: mix}
  b: *gain
outputs: {out: a}
"""


def test_a_node_shared_by_alias_is_changed_alone() -> None:
    graph = Graph.parse(TWINS)
    graph.set("b", "gain", 3)
    assert graph.to_dict()["nodes"] == {
        "a": {"use": "gain", "from": "mix"},
        "b": {"use": "gain", "from": "mix", "params": {"gain": 3}},
    }
    with pytest.raises(GraphError, match="no node is named 'c'; known: a, b"):
        graph.set("c", "gain", 3)


# Documents that nobody would write

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["mix", "low", "a.b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Every collection inside ``value`` with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [spot for key in keys for spot in [(value, key), *spots(value[key])]]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    document = built().to_dict()
    for _ in range(draw(st.integers(1, 3))):
        where = spots(document)
        if not where:
            break
        holder, key = draw(st.sampled_from(where))
        deed = draw(st.sampled_from(["replace", "remove", "rename", "move", "wrap"]))
        if deed == "replace":
            holder[key] = draw(JUNK)
        elif deed == "remove":
            del holder[key]
        elif deed == "rename" and isinstance(holder, dict):
            holder[draw(st.text(max_size=4) | st.sampled_from([str(key) + "x", str(key)[1:]]))] = holder.pop(
                key
            )
        elif deed == "move":
            other, place = draw(st.sampled_from(where))
            other[place] = copy.deepcopy(holder[key])
        else:
            holder[key] = [holder[key]]
    return document


@given(mutated())
def test_a_spoilt_document_is_good_or_a_graph_error(registry: Registry, document: dict[str, Any]) -> None:
    try:
        check(Graph.from_dict(document), registry)
    except GraphError as error:
        assert str(error)  # noqa: PT017 - some are still good


@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD)), st.integers(0, 3), st.text(max_size=3)), min_size=1, max_size=4
    )
)
def test_a_spoilt_text_is_good_or_a_graph_error(
    registry: Registry, edits: list[tuple[int, int, str]]
) -> None:
    text = GOOD
    for at, length, new in edits:
        text = text[:at] + new + text[at + length :]
    try:
        check(Graph.parse(text, "song.yaml"), registry)
    except GraphError as error:
        assert all(problem.place.line for problem in error.problems if text)  # noqa: PT017 - some are still good


SETTINGS = st.dictionaries(
    st.text(max_size=150),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=8,
    ),
    max_size=4,
)


@given(SETTINGS)
def test_yaml_that_is_written_reads_the_same(params: dict[str, Any]) -> None:
    node = {"use": "gain", "from": "mix", "params": params}
    graph = Graph.from_dict({"unbraid": 1, "nodes": {"a": node}, "outputs": {"out": "a"}})
    again = Graph.parse(graph.to_yaml())
    assert repr(again.to_dict()) == repr(graph.to_dict())


@pytest.mark.parametrize(
    "value",
    [{"unbraid": {1, 2}}, {"unbraid": object()}, {(1, 2): 3}, None, [], "unbraid: 1", {"unbraid": b"1"}],
)
def test_what_is_not_plain_data_is_refused(value: Any) -> None:
    with pytest.raises(GraphError, match=r"^graph: "):
        Graph.from_dict(value)


def test_data_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["nodes"] = loop
    with pytest.raises(GraphError, match="not plain data"):
        Graph.from_dict(loop)


# Files


def test_a_graph_is_read_from_yaml_and_json_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps(Graph.parse(GOOD).to_dict()), encoding="utf-8-sig")
    assert Graph.load(tmp_path / "a.yaml") == Graph.load(str(tmp_path / "a.json")) == Graph.parse(GOOD)


FILES = {
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00", "is not UTF-8 text; is it really a graph file?"),
    "a wave file": (b"RIFF\x24\x00\x00\x00WAVE", "U+0000 is not allowed"),
    "another encoding": ("unbraid: 1 # é".encode("latin-1"), "is not UTF-8 text"),
    "sixteen bits a character": ("unbraid: 1".encode("utf-16"), "is not UTF-8 text"),
    "a file too long, cut inside a character": ("€".encode() * 400_000, "has more than 1048576 bytes"),
}


@pytest.mark.parametrize(("data", "what"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_graph_is_named(data: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "song.yaml"
    path.write_bytes(data)
    with pytest.raises(GraphError) as caught:
        Graph.load(path)
    assert str(caught.value).startswith(str(path))
    assert what in str(caught.value)


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yaml", tmp_path, tmp_path / ("x" * 300), tmp_path / "a\0b"):
        with pytest.raises(GraphError, match=r"cannot be read: .*; check the path and its rights") as caught:
            Graph.load(path)
        assert str(caught.value).startswith(str(path))


# Times

MOMENTS: list[tuple[object, int, int]] = [
    (0, 48000, 0),
    (10, 48000, 480_000),
    (10.5, 48000, 504_000),
    ("10.5 s", 48000, 504_000),
    ("10s", 48000, 480_000),
    ("00:00:10.500", 48000, 504_000),
    ("0:10.5", 48000, 504_000),
    ("90:00", 48000, 259_200_000),
    ("01:02:03.004", 1000, 3_723_004),
    ("100:00:00", 1, 360_000),
    ("0:59.999999999999999999", 10**6, 60_000_000),
    ("504000 samples", 48000, 504_000),
    ("504000 samples", 44100, 504_000),
    ("1 sample", 48000, 1),
    (" 1 sample ", 48000, 1),
    # 10.0005 s are 480024 samples at 48 kHz, 441022.05 at 44.1 kHz
    ("00:00:10.0005", 48000, 480_024),
    ("00:00:10.0005", 44100, 441_022),
    # half a sample and one and a half: up
    ("0.0000625 s", 8000, 1),
    ("0.0001875 s", 8000, 2),
    ("0.00003125 s", 48000, 2),
    (0.0000625, 8000, 1),
    (0.0005625, 8000, 5),
    ("0.00006249999 s", 8000, 0),
    # decimals that no binary fraction holds
    (29.97, 48000, 1_438_560),
    ("29.97 s", 48000, 1_438_560),
    ("00:00:29.97", 48000, 1_438_560),
    (0.1, 10, 1),
    (1.15, 100, 115),
    (1001.001, 1000, 1_001_001),
    (999_999_999, 192_000, 191_999_999_808_000),
]


@pytest.mark.parametrize(("written", "rate", "sample"), MOMENTS)
def test_a_moment_is_the_sample_it_says(written: object, rate: int, sample: int) -> None:
    assert parse_moment(written).sample(rate) == sample


@given(st.integers(0, 10**12), st.integers(1, 384_000))
def test_a_moment_is_never_off_by_more_than_half_a_sample(micros: int, rate: int) -> None:
    seconds = Fraction(micros, 10**6)
    whole, rest = divmod(micros, 10**6)
    clock = f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}.{rest:06}"
    for text in [clock] + [f"{whole}.{rest:06} s"] * (whole < 10**9):
        error = parse_moment(text).sample(rate) - seconds * rate
        assert Fraction(-1, 2) < error <= Fraction(1, 2)


NO_MOMENTS: list[object] = [
    *(None, True, False, -1, -0.001, 1e9, 10**400, float("nan"), float("inf"), "", "x", [], {}, [1], "10.5"),
    *("-1 s", "1 samples 2", "-1 samples", "1.5 samples", "0:60", "1:60:00", "1:2:3:4", "10:", ":10", "1 m"),
    *(
        "9" * 5000 + " samples",
        "9" * 30 + " s",
        "9" * 5000 + ":00:00",
        "0:1." + "1" * 5000,
        "٣ samples",
        "1_0 s",
    ),
]


@pytest.mark.parametrize("written", NO_MOMENTS, ids=lambda written: repr(written)[:20])
def test_what_is_not_a_moment_is_refused_shortly(written: object) -> None:
    with pytest.raises(ValueError, match="is not a time") as caught:
        parse_moment(written)
    assert len(str(caught.value)) < 200
