"""The check: every fault of a graph is told with its place and its remedy, before a sample is read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import pytest

import rig
from unbraid.host.contract import GraphError, Layout, Params, PluginCard, Port, Ports, hookimpl, param
from unbraid.host.graph.graph import Graph
from unbraid.host.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unbraid.host.graph.check import CheckedGraph


class Case(NamedTuple):
    """A document whose faulty lines end in ``#!``, in the order in which they are told, and what is told."""

    text: str
    said: tuple[str, ...]
    layouts: dict[str, str]

    @property
    def lines(self) -> list[int]:
        return [number for number, line in enumerate(self.text.splitlines(), 1) if "#!" in line]


def case(text: str, *said: str, **layouts: str) -> Case:
    return Case(text, said, layouts or {"mix": "stereo"})


def nodes(*lines: str, out: str = "a") -> str:
    return "\n".join(["unbraid: 1", "nodes:", *(f"  {line}" for line in lines), f"outputs: {{out: {out}}}"])


def node(params: str) -> str:
    return nodes("a:", "  use: gain", "  from: mix", f"  params: {{{params}}}   #!")


def lane(*lines: str, use: str = "gain") -> str:
    return "\n".join(
        [nodes(f"a: {{use: {use}, from: mix}}"), "automation:", *(f"  {line}" for line in lines)]
    )


# One document a fault; the texts must all be said of that line.
FAULTS: dict[str, Case] = {
    # Form
    "a list for a graph": case("- unbraid: 1   #!", "must be a mapping"),
    "unknown key at the top": case(
        f"outputz: {{}}   #!\n{nodes('a: {use: gain, from: mix}')}", "unknown key", "'outputs'?"
    ),
    "unknown key of a node": case(
        nodes("a: {use: gain, form: mix,   #!", "    from: mix}"), "'form'", "did you mean 'from'?"
    ),
    "unknown key of an output": case(
        "unbraid: 1\noutputs:\n  out:\n    from: mix\n    subtyp: FLOAT   #!",
        "unknown key 'subtyp'",
        "did you mean 'subtype'?",
    ),
    "unknown key of a lane": case(
        lane("a.gain:", "  points: [[0, 0]]", "  curv: step   #!"), "'curv'", "did you mean 'curve'?"
    ),
    "a merge key": case(nodes("a: &a {use: gain, from: mix}", "b: {<<: *a}   #!", out="b"), "'<<'"),
    "no version": case(
        "nodes: {a: {use: gain, from: mix}}   #!\noutputs: {out: a}", "no version", "unbraid: 1"
    ),
    "another version": case("unbraid: 2   #!\noutputs: {out: mix}", "version 2", "unbraid: 1"),
    "a version that only equals one": case(
        "unbraid: true   #!\noutputs: {out: mix}", "version True", "unbraid: 1"
    ),
    "a version in quotes": case("unbraid: '1'   #!\noutputs: {out: mix}", "version '1'", "unbraid: 1"),
    "no outputs": case("unbraid: 1   #!\nnodes: {a: {use: gain, from: mix}}", "no outputs", "write outputs:"),
    "a section that is a list": case(
        "unbraid: 1\nnodes:   #!\n- a\noutputs: {out: mix}", "must be a mapping, not a list"
    ),
    "a node that is text": case(nodes("a: gain   #!"), "must be a mapping, not text ('gain')"),
    "a node without use": case(nodes("a: {from: mix}   #!"), "has no `use`", "use: PLUGIN"),
    "a number for a plugin": case(nodes("a: {use: 3, from: mix}   #!"), "must be a name, not a number (3)"),
    "a list for a source": case(
        nodes("a:", "  use: gain", "  from:", "  - mix", "  - [mix]   #!"), "must be a name, not a list"
    ),
    "nothing for a source": case(nodes("a:", "  use: gain", "  from:   #!"), "must be a name, not nothing"),
    "an output of nothing": case("unbraid: 1\noutputs:\n  out:   #!", "must be a name, not nothing"),
    "an output without from": case(
        "unbraid: 1\noutputs:\n  out: {subtype: FLOAT}   #!", "has no `from`", "from: NODE"
    ),
    "params that are a list": case(
        nodes("a:", "  use: gain", "  from: mix", "  params: [1]   #!"), "must be a mapping"
    ),
    "a name with a dot": case(
        nodes("a.b: {use: gain, from: mix}   #!", out="a"), "'a.b' is not a name", "use letters"
    ),
    "a name that is too long": case(
        nodes(f"{'a' * 65}: {{use: gain, from: mix}}   #!"), "is not a name", "at most 64"
    ),
    "an output named by a path": case("unbraid: 1\noutputs:\n  ../out: mix   #!", "'../out' is not a name"),
    "a name of node and input": case(
        f"inputs: {{mix: stereo}}\n{nodes('mix: {use: gain, from: mix}   #!', out='mix')}",
        "both named 'mix'",
        "rename one",
    ),
    "an unknown layout": case(
        "unbraid: 1\ninputs: {mix: stero}   #!\noutputs: {out: mix}", "'stero'", "did you mean 'stereo'?"
    ),
    "a layout of too many channels": case(
        f"unbraid: 1\ninputs: {{mix: 'discrete:{'9' * 5000}'}}   #!\noutputs: {{out: mix}}", "unknown layout"
    ),
    "an unknown subtype": case(
        "unbraid: 1\noutputs:\n  out:\n    from: mix\n    subtype: PCM_42   #!",
        "unknown subtype 'PCM_42'",
        "did you mean 'PCM_",
    ),
    "a list for a subtype": case(
        "unbraid: 1\noutputs:\n  out:\n    from: mix\n    subtype: [FLOAT]   #!", "unknown subtype"
    ),
    # Plugins and parameters
    "an unknown plugin": case(
        nodes("a:", "  use: gian   #!", "  from: mix"), "unknown plugin 'gian'", "did you mean 'gain'?"
    ),
    "an unknown parameter": case(
        node("gian: 3"), "node 'a': unknown parameter 'gian'", "did you mean 'gain'?"
    ),
    "a parameter too high": case(node("gain: 61"), "gain = 61 is out of bounds", "-120 to 60 dB"),
    "a parameter too low": case(node("gain: -120.5"), "gain = -120.5 is out of bounds", "-120 to 60 dB"),
    "not a number": case(node("gain: .nan"), "gain = nan is not finite", "-120 to 60 dB"),
    "an infinite number": case(node("gain: -.inf"), "gain = -inf is not finite", "-120 to 60 dB"),
    "a number of many digits": case(node(f"gain: {'9' * 5000}"), "gain = inf is not finite"),
    "text for a number": case(node("gain: loud"), "gain = 'loud' is not valid", "-120 to 60 dB"),
    "a quoted number": case(node("gain: '3'"), "gain = '3' is not valid", "number"),
    "true for a number": case(node("gain: true"), "gain = True is not valid", "number"),
    "nothing for a number": case(node("gain: "), "gain = None is not valid", "number"),
    "a fraction for an integer": case(
        nodes("a: {use: delay, from: mix, params: {samples: 1.5}}   #!"),
        "samples = 1.5 is not valid",
        "integer",
    ),
    "no choice": case(
        nodes("a: {use: highpass, from: mix, params: {slope: 18}}   #!"),
        "slope = 18 is not allowed",
        "6, 12, 24, 48",
    ),
    "a member out of bounds": case(
        nodes("a:", "  use: mix", "  from: [mix, mix]", "  params:", "    gains: [0, 99]   #!"),
        "gains[1]",
        "-120 to 60 dB",
    ),
    "no gains": case(
        nodes("a: {use: mix, from: mix, params: {gains: []}}   #!"), "gains: give 1 to 64 values, not 0"
    ),
    "an unknown device": case(
        nodes("a: {use: gain, from: mix, device: cuda}   #!"), "does not run on 'cuda'", "it runs on cpu"
    ),
    "a device that is none": case(
        nodes("a: {use: gpu, from: mix, device: tpu}   #!"), "'tpu'", "cpu or cuda"
    ),
    # Wires
    "an unknown source": case(
        nodes("bed: {use: gain, from: mix}", "a: {use: gain, from: bad}   #!"),
        "no node or input is named 'bad'",
        "did you mean 'bed'?",
    ),
    "an unknown source of an output": case(
        "unbraid: 1\nnodes: {bed: {use: gain, from: mix}}\noutputs:\n  out: bedd   #!",
        "named 'bedd'",
        "did you mean 'bed'?",
    ),
    "an unknown port": case(
        "unbraid: 1\nnodes: {w: {use: wind, from: mix}}\noutputs:\n  out: w.claen   #!",
        "no output 'claen'",
        "did you mean 'clean'?",
    ),
    "an empty port": case(
        "unbraid: 1\nnodes: {w: {use: wind, from: mix}}\noutputs:\n  out: w.   #!",
        "no output ''",
        "clean, wind",
    ),
    "no port where there are several": case(
        "unbraid: 1\nnodes: {w: {use: wind, from: mix}}\noutputs:\n  out: w   #!",
        "'w' has 2 outputs",
        "w.clean, w.wind",
    ),
    "a port of an input": case(
        nodes("a: {use: gain, from: mix.left}   #!"), "the input 'mix' has no outputs", "write mix"
    ),
    "too many inputs": case(
        nodes("a:", "  use: gain", "  from: [mix, mix]   #!"), "has 1 inputs, 2 given", "inputs: in"
    ),
    "too few inputs": case(
        nodes("a:", "  use: subtract", "  from: [mix]   #!"), "nothing feeds its input minus", "from: NODE"
    ),
    "no inputs at all": case(nodes("a: {use: gain}   #!"), "nothing feeds its input in", "from: NODE"),
    "an unknown input by name": case(
        nodes("a:", "  use: subtract", "  from:", "    in: mix", "    minus: mix", "    minos: mix   #!"),
        "no input 'minos'",
        "did you mean 'minus'?",
    ),
    "a missing input by name": case(
        nodes("a:", "  use: subtract", "  from: {minus: mix}   #!"), "nothing feeds its input in"
    ),
    "a cycle": case(
        nodes(
            "a: {use: subtract, from: [mix, c]}   #!", "b: {use: gain, from: a}", "c: {use: gain, from: b}"
        ),
        "cycle: ",
        "a signal cannot feed itself",
        "a -> b -> c -> a",
    ),
    "a cycle upstream": case(
        nodes(
            "a: {use: gain, from: c}", "b: {use: gain, from: c}", "c: {use: subtract, from: [mix, b]}   #!"
        ),
        "cycle: c -> b -> c",
    ),
    "a node that feeds itself": case(
        nodes("a: {use: subtract, from: [mix, a]}   #!"), "cycle: a -> a", "cannot feed itself"
    ),
    "an unused node": case(
        nodes("a: {use: gain, from: mix}", "b: {use: gain, from: a}   #!"),
        "node 'b' reaches no output",
        "connect it or delete it",
    ),
    "an unused input": case(
        "unbraid: 1\ninputs:\n  mix: stereo\n  voice: stereo   #!\noutputs: {out: mix}",
        "the input 'voice'",
        "connect it or delete it",
    ),
    # Layouts
    "a layout refused": case(
        nodes("a: {use: stereo-only, from: mix}   #!"),
        "takes stereo, not 5.1",
        "`split`",
        "`join`",
        mix="5.1",
    ),
    "layouts that differ": case(
        f"inputs: {{mix: stereo, five: 5.1}}\n{nodes('a: {use: subtract, from: [mix, five]}   #!')}",
        "in is stereo, minus is 5.1",
        "`split`",
        mix="stereo",
        five="5.1",
    ),
    "another layout than is declared": case(
        "unbraid: 1\ninputs:\n  mix: 5.1   #!\noutputs: {out: mix}",
        "declared 5.1",
        "stereo (2 channels) is given",
        "another file",
    ),
    "an input that is not given": case(
        "inputs:\n  mix:\n  voice:   #!\n" + nodes("a: {use: subtract, from: [mix, voice]}"),
        "'voice' is not given and declares no layout",
        "voice: stereo",
    ),
    "an input that the graph does not have": case(
        "unbraid: 1\ninputs:   #!\n  mix:\noutputs: {out: mix}",
        "no input 'mx'",
        "did you mean 'mix'?",
        mix="stereo",
        mx="mono",
    ),
    "a dropped channel": case(
        nodes(
            "s:",
            "  use: split",
            "  from: mix",
            "  params:   #!",
            "    {layout: 5.1.4, parts: {front: [L, R, C], back: [Ls, Rs], top: [Ltf, Rtf, Ltr, Rtr]}}",
            out="s.front",
        ),
        "channel LFE is in no part",
        "name a part for it",
        mix="5.1.4",
    ),
    "a channel in two parts": case(
        nodes("s: {use: split, from: mix, params: {parts: {a: [L], b: [L, R]}}}   #!", out="s.a"),
        "'L' stands in two places",
    ),
    "a channel the layout does not have": case(
        nodes("s: {use: split, from: mix, params: {parts: {a: [L, R], b: [C]}}}   #!", out="s.a"),
        "no channel 'C'",
        "only L, R",
    ),
    "a part without channels": case(
        nodes("s: {use: split, from: mix, params: {parts: {a: [L, R], b: []}}}   #!", out="s.a"),
        "at least one channel",
    ),
    "a part of the wrong width": case(
        nodes("a: {use: join, from: [mix, mix]}   #!"),
        "part 'L' takes 1 channels, but stereo comes in",
        "`split`",
    ),
    "split of another layout": case(
        nodes("s: {use: split, from: mix, params: {layout: '5.1', parts: {}}}   #!", out="s.L"),
        "takes 5.1, not stereo",
    ),
    "a missing part": case(
        nodes("a:", "  use: join", "  from: {L: mix}   #!"), "nothing feeds its input R", mix="mono"
    ),
    "split of no layout": case(
        nodes("s: {use: split, from: mix, params: {layout: '5.2'}}   #!", out="s.L"),
        "unknown layout '5.2'",
        "did you mean '5.1",
    ),
    # Automation
    "a lane of no parameter": case(lane("a: [[0, 0]]   #!"), "'a' must read node.param"),
    "a lane of an unknown node": case(lane("b.gain: [[0, 0]]   #!"), "no node is named 'b'", "known: a"),
    "a lane of an unknown parameter": case(
        lane("a.gian: [[0, 0]]   #!"), "no parameter 'gian'", "did you mean 'gain'?"
    ),
    "a lane that cannot be": case(
        lane("a.samples: [[0, 0]]   #!", use="delay"),
        "'samples' cannot be automated",
        "fixed while audio runs",
    ),
    "a lane without points": case(lane("a.gain: []   #!"), "list of [time, value] points"),
    "a lane without a list": case(lane("a.gain:", "  points: 3   #!"), "list of [time, value] points"),
    "an unknown curve": case(
        lane("a.gain:", "  points: [[0, 0]]", "  curve: cubic   #!"), "'cubic'", "known: linear, step"
    ),
    "a list for a curve": case(
        lane("a.gain:", "  points: [[0, 0]]", "  curve: [step]   #!"), "unknown curve", "known: linear, step"
    ),
    "a point that is none": case(lane("a.gain:", "- [0, 0]", "- 1   #!"), "a point must read [time, value]"),
    "a point of three": case(
        lane("a.gain:", "  points:", "  - [0, 0]", "  - [1, 0, 0]   #!"), "a point must read"
    ),
    "a time that is none": case(
        lane("a.gain:", "- [0, 0]", "- [soon, 0]   #!"), "'soon' is not a time", "HH:MM:SS.mmm"
    ),
    "a negative time": case(
        lane("a.gain:", "  points:", "  - [-1, 0]   #!", "  - [1, 0]"), "-1 is not a time"
    ),
    "points out of order": case(
        lane("a.gain:", "  points:", "  - [1, 0]", "  - [0.5, 0]   #!"), "must come in order of time"
    ),
    "points at one sample": case(
        lane("a.gain:", "- [1, 0]", "- ['48000 samples', 1]   #!"), "each at a sample of its own"
    ),
    "a point out of bounds": case(
        lane("a.gain:", "  points:", "  - [0, 0]", "  - [1, 99]   #!"), "gain = 99", "-120 to 60 dB"
    ),
    "a point that is not a number": case(lane("a.gain:", "- [0, .nan]   #!"), "gain = nan is not finite"),
    "a line between choices": case(
        lane("a.count:", "  points: [[0, 0]]", "  curve: linear   #!", use="counter"),
        "cannot be linear",
        "integer",
        "curve: step",
    ),
}


class CounterParams(Params, frozen=True):
    count: Annotated[int, param("an integer that could be automated", ge=0, le=9)] = 0
    loud: Annotated[bool, param("a switch")] = False


def lossy(params: Params, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    return {"part": Layout.parse("mono"), "rest": inputs["in"]}


def failing(*arguments: object) -> Any:
    raise KeyError("oops")


class Cards:
    """Plugins whose cards are odd; none of them is ever built."""

    @hookimpl
    def unbraid_cards(self) -> list[PluginCard]:
        terms: dict[str, Any] = {"name": "x", "version": "1", "licence": "MIT", "factory": "none:None"}
        halves = Ports(outputs=(Port("part"), Port("rest")))
        return [
            PluginCard(id="counter", params=CounterParams, **terms),
            PluginCard(id="lossy", ports=halves, residual="rest", layouts_for=lossy, **terms),
            PluginCard(id="broken", layouts_for=failing, **terms),
            PluginCard(id="forgetful", ports=halves, layouts_for=lambda _, ins: {"part": ins["in"]}, **terms),
            PluginCard(id="tone", ports=Ports(inputs=()), **terms),
            PluginCard(
                id="moody",
                params=CounterParams,
                ports_for=lambda p: failing() if p.loud else Ports(),
                **terms,
            ),
        ]


@pytest.fixture(scope="module")
def cards() -> Registry:
    found = Registry.discover()
    found.add(rig, "rig")
    found.add(Cards(), "cards")
    assert found.faults == []
    return found


def check(graph: Graph, cards: Registry, **layouts: str) -> CheckedGraph:
    return graph.check(cards, 48000, {name: Layout.parse(layout) for name, layout in layouts.items()})


def refusal(text: str, cards: Registry, **layouts: str) -> GraphError:
    with pytest.raises(GraphError) as caught:
        check(Graph.parse(text, "song.yaml"), cards, **layouts)
    return caught.value


# Faults


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_line_and_its_remedy(case: Case, cards: Registry) -> None:
    error = refusal(case.text, cards, **case.layouts)
    assert {problem.place.line for problem in error.problems} == set(case.lines), str(error)
    assert all(line.startswith("song.yaml:") for line in str(error).splitlines())
    for said in case.said:
        assert said in str(error)


def test_a_fault_is_told_by_its_path_too(cards: Registry) -> None:
    text = nodes("a:", "  use: mix", "  from: [mix, mxi]")
    assert str(refusal(text, cards, mix="stereo")) == (
        "song.yaml:5: nodes.a.from[1]: no node or input is named 'mxi'; did you mean 'mix'?"
    )


def test_an_empty_document_lacks_everything(cards: Registry) -> None:
    assert str(refusal("", cards)).count("\n") == 1
    for said in ("states no version", "has no outputs"):
        assert said in str(refusal("", cards))


BROKEN = {
    "a residual of another layout": ("lossy", "a.part", "forms a residual but changes the layout"),
    "a layouts_for that fails": ("broken", "a", "plugin 'broken': its layouts_for failed: KeyError: 'oops'"),
    "a layouts_for that leaves an output out": ("forgetful", "a.part", "leaves out the output 'rest'"),
}


@pytest.mark.parametrize(("use", "out", "what"), BROKEN.values(), ids=BROKEN)
def test_a_plugins_own_fault_is_told_at_its_node(use: str, out: str, what: str, cards: Registry) -> None:
    error = refusal(nodes(f"a: {{use: {use}, from: mix}}", out=out), cards, mix="stereo")
    assert str(error).startswith("song.yaml:3: nodes.a: ")
    assert what in str(error)


def test_a_generator_must_say_what_it_generates(cards: Registry) -> None:
    text = nodes("t: {use: tone}", "a: {use: mix, from: [mix, t]}")
    assert "layouts_for" in str(refusal(text, cards, mix="stereo"))


def test_a_ports_for_that_fails_is_told_at_its_node(cards: Registry) -> None:
    text = nodes("a: {use: moody, from: mix, params: {loud: true}}")
    said = str(refusal(text, cards, mix="stereo"))
    assert said == "song.yaml:3: nodes.a.use: plugin 'moody': its ports_for failed: KeyError: 'oops'"


def test_all_faults_of_form_are_told_in_order_of_lines() -> None:
    text = """\
outputs:
  out: {form: a}           #! 2
nodes:
  a b: {use: gain}         #! 4
  c: [gain]                #! 5
automation:
  a: 3                     #! 7
  a.gain:
  - [x, 0]                 #! 9
colour: red                #! 10
unbraid: 3                 #! 11
"""
    with pytest.raises(GraphError) as caught:
        Graph.parse(text, "song.yaml")
    lines = [problem.place.line for problem in caught.value.problems]
    assert lines == [2, 2, 4, 5, 5, 7, 9, 10, 11]
    assert str(caught.value).count("\n") == len(lines) - 1


def test_all_faults_of_meaning_are_told_in_order_of_lines(cards: Registry) -> None:
    text = """\
unbraid: 1
automation:
  a.gian: [[0, 0]]                                  #! 3
  nobody.gain: [[0, 0]]                             #! 4
  a.gain: [[0, 99], [2, 0], [1, -999]]              #! 5, three times
outputs:
  out: a
  two: nobody                                       #! 8
nodes:
  a: {use: gain, from: mix}
  b: {use: gian, from: mix}                         #! 11
  c: {use: gain, from: mix, params: {gain: x, y: 1}}  #! 12, twice
  d: {use: subtract, from: [mix, e]}                #! 13, a cycle
  e: {use: gain, from: d}
  f: {use: subtract, from: [mix, f]}                #! 15, another
  g: {use: gain, from: nobody, device: tpu}         #! 16, twice
"""
    error = refusal(text, cards, mix="stereo")
    lines = [problem.place.line for problem in error.problems]
    assert lines == [3, 4, 5, 5, 5, 8, 11, 12, 12, 13, 15, 16, 16]


def test_a_misspelt_source_does_not_make_another_node_look_unused(cards: Registry) -> None:
    text = nodes("bed: {use: gain, from: mix}", "a: {use: gain, from: bde}")
    assert len(refusal(text, cards, mix="stereo").problems) == 1


def test_a_large_graph_is_checked_in_no_time(cards: Registry) -> None:
    chain = {f"n{k}": {"use": "gain", "from": f"n{k + 1}"} for k in range(4000)}
    chain["n4000"] = {"use": "gain", "from": "mix"}
    value = {"unbraid": 1, "nodes": chain, "outputs": {"out": "n0"}}
    points = [[k / 10, 0] for k in range(8000)]
    graph = Graph.from_dict({**value, "automation": {"n0.gain": points}})
    start = time.process_time()
    checked = check(graph, cards, mix="stereo")
    assert time.process_time() - start < 4
    assert list(checked.nodes) == [f"n{k}" for k in range(4000, -1, -1)]


def test_a_declared_layout_names_the_channels_of_a_file_that_does_not(cards: Registry) -> None:
    graph = Graph.parse("{unbraid: 1, inputs: {mix: 7.1}, outputs: {out: mix}}")
    assert str(check(graph, cards, mix="discrete:8").inputs["mix"]) == "7.1"


@pytest.mark.parametrize(("rate", "chosen"), [(44100, 44100), (48000, 44100), (16000, 44100), (96000, 44100)])
def test_a_plugin_runs_at_a_rate_it_knows(rate: int, chosen: int, cards: Registry) -> None:
    graph = Graph.parse(nodes("a: {use: late44, from: mix}"))
    assert graph.check(cards, rate, {"mix": Layout.parse("stereo")}).nodes["a"].rate == chosen
